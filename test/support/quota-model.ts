import type { RateLimitReading } from "../../src/northflank/rate-limit.ts";

/** What the API answers to one request. */
export interface ModelAnswer {
  readonly status: 200 | 429;
  readonly reading: RateLimitReading;
  /** The number of the window that counted it, from 0. */
  readonly window: number;
}

/**
 * The counter of the API as documented: a window opens with the first request of whoever makes one and ends an hour later
 * by the API's own clock; a refused request is not counted. It keeps the truth that a ledger is compared with.
 */
export class QuotaModel {
  readonly limit: number;
  /** How fast the clock of the API is, beside ours. */
  readonly #pace: number;
  #opensMs: number | undefined;
  #used = 0;
  #window = -1;

  constructor(limit: number, pace = 1) {
    this.limit = limit;
    this.#pace = pace;
  }

  /** What is left at a time of ours. */
  left(nowMs: number): number {
    return this.#isOpen(nowMs) ? this.limit - this.#used : this.limit;
  }

  /** When the window ends, by our clock; `undefined` while none is open. */
  endsMs(nowMs: number): number | undefined {
    return this.#isOpen(nowMs) && this.#opensMs !== undefined ? this.#opensMs + this.#lengthMs : undefined;
  }

  get window(): number {
    return this.#window;
  }

  /** Requests of people and CI; those beyond the limit are refused. */
  spendElsewhere(nowMs: number, count: number): void {
    if (count > 0) this.#begin(nowMs);
    this.#used = Math.min(this.limit, this.#used + count);
  }

  /** The window ends now, whatever it said. */
  reset(): void {
    this.#opensMs = undefined;
  }

  request(nowMs: number): ModelAnswer {
    this.#begin(nowMs);
    const isSpent = this.#used >= this.limit;
    if (!isSpent) this.#used += 1;
    const restMs = ((this.#opensMs ?? nowMs) + this.#lengthMs - nowMs) * this.#pace;
    const reading = {
      limit: this.limit,
      remaining: this.limit - this.#used,
      resetMs: Math.max(1_000, Math.ceil(restMs / 1_000) * 1_000),
      retryAfterMs: undefined,
    };
    return { status: isSpent ? 429 : 200, reading, window: this.#window };
  }

  get #lengthMs(): number {
    return 3_600_000 / this.#pace;
  }

  #isOpen(nowMs: number): boolean {
    return this.#opensMs !== undefined && nowMs < this.#opensMs + this.#lengthMs;
  }

  #begin(nowMs: number): void {
    if (this.#isOpen(nowMs)) return;
    this.#opensMs = nowMs;
    this.#used = 0;
    this.#window += 1;
  }
}
