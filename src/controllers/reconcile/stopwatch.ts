import type { ObjectKey } from "../../runtime/outcome.ts";
import type { Clock } from "../../util/clock.ts";

/** How long ago a time in a status is, or how long something has lasted. In milliseconds. */
export interface Age {
  /** Never negative: a time in the future was written by another clock, and counts from when it was first seen. */
  readonly elapsedMs: number;
  /** How much of it this process has seen itself; infinite where something better than a wall clock vouches for it. */
  readonly seenMs: number;
}

/** The ages of the times in a status, by their text, at the moment of the call. */
export interface Ages {
  get(time: string): Age | undefined;
}

interface Mark {
  readonly observedAtMs: number;
  /** By the wall clock, when this process first saw the time. */
  readonly elapsedAtFirstMs: number;
}

/**
 * Measures how long ago the times in statuses are, by the monotonic clock.
 *
 * *Guarantees*: a jump of the wall clock changes no age that is measured already; what this process wrote down itself
 * is as old as it is, to the second; `seenMs` is never more than what has really passed.
 */
export class Stopwatch {
  readonly #clock: Pick<Clock, "now" | "monotonic">;
  readonly #marks = new Map<ObjectKey, { readonly uid: string | undefined; readonly byTime: Map<string, Mark> }>();

  constructor(clock: Pick<Clock, "now" | "monotonic">) {
    this.#clock = clock;
  }

  /** The ages of these times of an object. Times that it no longer has are forgotten; what is no time is left out. */
  ages(
    { key, uid }: { readonly key: ObjectKey; readonly uid: string | undefined },
    times: readonly (string | undefined)[],
  ): Ages {
    const nowMs = this.#clock.monotonic();
    const known = this.#marks.get(key);
    const before = known?.uid === uid ? known?.byTime : undefined;
    const byTime = new Map<string, Mark>();
    for (const time of times) {
      const mark = time === undefined ? undefined : (before?.get(time) ?? this.#mark(time, nowMs));
      if (time !== undefined && mark !== undefined) byTime.set(time, mark);
    }
    if (byTime.size > 0) this.#marks.set(key, { uid, byTime });
    else this.#marks.delete(key);
    return {
      get: (time) => {
        const mark = byTime.get(time);
        if (mark === undefined) return undefined;
        const seenMs = nowMs - mark.observedAtMs;
        return { seenMs, elapsedMs: mark.elapsedAtFirstMs + seenMs };
      },
    };
  }

  #mark(time: string, observedAtMs: number): Mark | undefined {
    const elapsedMs = this.#clock.now() - Date.parse(time);
    return Number.isNaN(elapsedMs) ? undefined : { observedAtMs, elapsedAtFirstMs: Math.max(0, elapsedMs) };
  }

  /** Forgets an object that is gone. */
  forget(key: ObjectKey): void {
    this.#marks.delete(key);
  }
}
