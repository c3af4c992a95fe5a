import { spend } from "../../sandbox/northflank/quota.ts";
import { errorOfAnswer } from "../../src/northflank/answer.ts";
import type { CallOptions } from "../../src/northflank/client.ts";
import { isNorthflankError, NorthflankError } from "../../src/northflank/errors.ts";
import { createLedger, type Ledger } from "../../src/northflank/ledger.ts";
import { readRateLimit } from "../../src/northflank/rate-limit.ts";
import type { Clock } from "../../src/util/clock.ts";
import { always } from "./strict-fake.ts";

/** The quota of an account at both ends: the window of an hour that Northflank counts, and the ledger of each process. */
export class FakeQuota {
  readonly #clock: Clock;
  readonly #ledgers: Ledger[] = [];
  readonly #window = { limitPerHour: 1_000, used: 0, windowStartMs: undefined as number | undefined };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many requests Northflank grants in an hour; the default is the documented one. */
  set limitPerHour(limit: number) {
    this.#window.limitPerHour = limit;
  }

  /** Another client of the account sends requests. */
  spentByOthers(requests: number): void {
    for (let count = 0; count < requests; count++) spend(this.#window, this.#clock.now());
  }

  /** The ledger of a new process. */
  ledger(): Ledger {
    const ledger = createLedger({ clock: this.#clock, random: always(0), maxRequestsPerHour: 1_000 });
    this.#ledgers.push(ledger);
    return ledger;
  }

  /** What the ledger that was made last holds back for sequences of requests that are not over, and for answers. */
  get held(): { readonly reserved: number; readonly inFlight: number } | undefined {
    const state = this.#ledgers.at(-1)?.state();
    return state && { reserved: state.reserved, inFlight: state.inFlight };
  }

  /**
   * Sends a request: `act` is what becomes of it at Northflank, `failure` what happens to it on the way, and whether it
   * still arrives.
   *
   * *Errors*: `quota_closed` when the ledger refuses it, `rate_limited` when Northflank does, `failure`, and what `act`
   * throws.
   */
  request<T>(
    ledger: Ledger,
    options: CallOptions,
    {
      act,
      failure,
    }: { readonly act: () => T; readonly failure?: { readonly error: Error; readonly arrives: boolean } },
  ): T {
    options.signal.throwIfAborted();
    const admission = ledger.admit({ class: options.class, reservation: options.reservation });
    const step = "call Northflank";
    if (admission.kind === "refused") {
      const { retryAfterMs } = admission;
      throw new NorthflankError({ code: "quota_closed", step, detail: "no quota", retryAfterMs, sent: false });
    }
    const { settle } = admission.ticket;
    // What arrives although the client believes that it was not sent, arrives.
    const isUnsent = isNorthflankError(failure?.error) && !failure.error.sent && !failure.arrives;
    if (failure !== undefined && isUnsent) {
      settle({ kind: "unsent" });
      throw failure.error;
    }
    const { isSpent, headers } = spend(this.#window, this.#clock.now());
    const rateLimit = readRateLimit(headers, this.#clock.now());
    if (isSpent) {
      settle({ kind: "answered", status: 429, rateLimit });
      throw errorOfAnswer({ step, status: 429, json: undefined, rateLimit, secrets: [] });
    }
    if (failure !== undefined) {
      if (failure.arrives) act();
      settle({ kind: "lost" });
      throw failure.error;
    }
    try {
      const answer = act();
      settle({ kind: "answered", status: 200, rateLimit });
      return answer;
    } catch (error) {
      const status = isNorthflankError(error) ? error.httpStatus : undefined;
      settle(status === undefined ? { kind: "lost" } : { kind: "answered", status, rateLimit });
      throw error;
    }
  }
}
