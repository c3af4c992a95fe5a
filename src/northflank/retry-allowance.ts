import { earnRetry, fullRetryBudget, spendRetry } from "./retry.ts";

/**
 * The retries that the clients of one account may send, all of them together: ten, and then one for every ten requests.
 */
export class RetryAllowance {
  #budget = fullRetryBudget;

  /** A request goes out that is no retry. */
  earn(): void {
    this.#budget = earnRetry(this.#budget);
  }

  /** True when one retry may be sent, which is then spent. */
  take(): boolean {
    const rest = spendRetry(this.#budget);
    if (rest === undefined) return false;
    this.#budget = rest;
    return true;
  }
}
