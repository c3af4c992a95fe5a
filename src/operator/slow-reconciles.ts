import type { ShownReconcile } from "../status-page/model.ts";
import type { Clock } from "../util/clock.ts";

// Faster ones are nothing to act on, and most reconciles are.
const slowMs = 1_000;
const keptMs = 3_600_000;
const mostKept = 20;

interface Stored {
  readonly controller: string;
  readonly key: string;
  readonly durationMs: number;
  readonly endedMs: number;
}

/**
 * The slowest reconciles of the last hour, one per object.
 *
 * *Guarantees*: costs a comparison for a reconcile that was not slow; keeps 20.
 */
export class SlowReconciles {
  readonly #clock: Pick<Clock, "monotonic">;
  /** The slowest first. */
  #kept: readonly Stored[] = [];

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  add(controller: string, key: string, durationMs: number): void {
    if (durationMs < slowMs) return;
    const endedMs = this.#clock.monotonic();
    const isSame = (stored: Stored) => stored.controller === controller && stored.key === key;
    const before = this.#fresh();
    const slower = before.find((stored) => isSame(stored) && stored.durationMs > durationMs);
    if (slower !== undefined) return;
    const others = before.filter((stored) => !isSame(stored));
    this.#kept = [...others, { controller, key, durationMs, endedMs }]
      .sort((left, right) => right.durationMs - left.durationMs)
      .slice(0, mostKept);
  }

  list(): readonly ShownReconcile[] {
    const nowMs = this.#clock.monotonic();
    return this.#fresh().map(({ endedMs, ...stored }) => ({ ...stored, endedAgoMs: nowMs - endedMs }));
  }

  #fresh(): readonly Stored[] {
    const nowMs = this.#clock.monotonic();
    return this.#kept.filter(({ endedMs }) => nowMs - endedMs < keptMs);
  }
}
