import type { Clock } from "../util/clock.ts";
import type { ObjectKey } from "./outcome.ts";
import { Recent } from "./recent.ts";

/** What is less than this counts as "at once". */
const shortestMs = 100;
const longestMs = 5_000;

/**
 * A reconciler may requeue a key without a delay once: a key that is requeued so again and again waits 100 ms, then twice
 * as long each time, up to 5 s. A longer delay, or no requeue, ends it.
 *
 * A reconciler that is wrong about the time of its next step would otherwise keep the whole program busy with one object.
 */
export class RequeueFloor {
  readonly #inARow: Recent<number>;

  constructor(clock: Clock) {
    this.#inARow = new Recent(clock, 4 * longestMs);
  }

  /** The delay of a key that is requeued after `afterMs`. */
  raise(key: ObjectKey, afterMs: number): number {
    if (afterMs >= shortestMs) {
      this.#inARow.delete(key);
      return afterMs;
    }
    const before = this.#inARow.get(key) ?? 0;
    this.#inARow.set(key, before + 1);
    return before === 0 ? afterMs : Math.min(longestMs, shortestMs * 2 ** (before - 1));
  }

  /** The key is not requeued, or has failed and waits for its back-off. */
  reset(key: ObjectKey): void {
    this.#inARow.delete(key);
  }
}
