import type { Clock } from "./clock.ts";

/**
 * A rate with bursts: `burst` at once, and one more every `refillMs` milliseconds, as long as no more than `burst` are
 * there.
 */
export class TokenBucket {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #burst: number;
  readonly #refillMs: number;
  #left: number;
  #countedMs: number;

  constructor(options: {
    readonly clock: Pick<Clock, "monotonic">;
    readonly burst: number;
    readonly refillMs: number;
  }) {
    this.#clock = options.clock;
    this.#burst = options.burst;
    this.#refillMs = options.refillMs;
    this.#left = options.burst;
    this.#countedMs = options.clock.monotonic();
  }

  /** Takes one; false where none is there. */
  take(): boolean {
    const nowMs = this.#clock.monotonic();
    this.#left = Math.min(this.#burst, this.#left + (nowMs - this.#countedMs) / this.#refillMs);
    this.#countedMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
