import type { QuotaSample } from "../status-page/model.ts";
import type { Clock, Timer } from "../util/clock.ts";

const sampleMs = 60_000;
const keptMs = 3_600_000;

// A pool has some 60 samples; installations have a handful of accounts.
const mostPools = 100;

interface Stored {
  readonly atMs: number;
  readonly remaining: number;
}

/**
 * What was left of the quota of each account, once a minute for an hour.
 *
 * *Guarantees*: memory is bounded, whatever the number of accounts; `stop` leaves no timer.
 */
export class QuotaHistory {
  readonly #clock: Clock;
  readonly #read: () => readonly (readonly [pool: string, remaining: number | undefined])[];
  #samples = new Map<string, readonly Stored[]>();
  #timer: Timer | undefined;

  constructor(clock: Clock, read: () => readonly (readonly [pool: string, remaining: number | undefined])[]) {
    this.#clock = clock;
    this.#read = read;
  }

  start(): void {
    this.#sample();
    this.#timer = this.#clock.setTimer(() => this.start(), sampleMs);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** The samples of the last hour, the oldest first, and `now` as the last one. */
  of(pool: string, now: number | undefined): readonly QuotaSample[] {
    const nowMs = this.#clock.monotonic();
    const samples = (this.#samples.get(pool) ?? []).map(({ atMs, remaining }) => ({ agoMs: nowMs - atMs, remaining }));
    return now === undefined ? samples : [...samples, { agoMs: 0, remaining: now }];
  }

  /** A pool that is gone is forgotten with it. */
  #sample(): void {
    const atMs = this.#clock.monotonic();
    const next = new Map<string, readonly Stored[]>();
    for (const [pool, remaining] of this.#read().slice(0, mostPools)) {
      const kept = (this.#samples.get(pool) ?? []).filter((sample) => atMs - sample.atMs < keptMs);
      next.set(pool, remaining === undefined ? kept : [...kept, { atMs, remaining }]);
    }
    this.#samples = next;
  }
}
