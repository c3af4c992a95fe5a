/*
 * The rule against hot loops, in every story: whatever happens, one object takes no more than so many reconciles, calls
 * to Northflank and writes to Kubernetes in a simulated minute. A loop that fake time does not stop (a requeue after 0 ms,
 * for ever) is ended by it with an error that names the object, instead of hanging the suite.
 *
 * What happens to an object from outside (an edit, an annotation) may cost a few more: each is credited.
 */

/** What is counted. */
export type Effort = "reconcile" | "remote call" | "write";

/** Most of each that one object may take in a minute in which nothing is done to it. */
export const paceLimits: Readonly<Record<Effort, number>> = {
  // Some tests ask for one each second.
  reconcile: 70,
  "remote call": 20,
  write: 20,
};

/** What one thing that happens to an object may cost on top. */
const creditPerEvent: Readonly<Record<Effort, number>> = { reconcile: 10, "remote call": 6, write: 6 };

const minuteMs = 60_000;

/** Counts per object and simulated minute, and throws when an object exceeds its limit. */
export class Pace {
  readonly #monotonic: () => number;
  readonly #times = new Map<string, number[]>();
  readonly #events = new Map<string, number[]>();
  #own = 0;
  /** The breach that was found; every later count throws it again, so that nothing can swallow it. */
  breach: Error | undefined;

  constructor(clock: { readonly monotonic: () => number }) {
    this.#monotonic = clock.monotonic;
  }

  /** One more of what `key` may take. `objects`: as many share the key. */
  count(effort: Effort, key: string, objects = 1): void {
    if (this.breach !== undefined) throw this.breach;
    const nowMs = this.#monotonic();
    const times = recent(this.#times, `${effort} ${key}`, nowMs);
    times.push(nowMs);
    if (times.length <= paceLimits[effort]) return;
    const credit = recent(this.#events, key, nowMs).length * creditPerEvent[effort];
    if (times.length <= paceLimits[effort] * Math.max(objects, 1) + credit) return;
    this.breach = new Error(`hot loop: ${times.length} times "${effort}" of ${key} within a minute`);
    throw this.breach;
  }

  /** Does what a reconcile does to an object: nothing that happens in it is credited. */
  own<T>(work: () => T): T {
    this.#own += 1;
    try {
      return work();
    } finally {
      this.#own -= 1;
    }
  }

  /** Something was done to what the key names, from outside. */
  happened(key: string): void {
    if (this.#own > 0) return;
    const nowMs = this.#monotonic();
    recent(this.#events, key, nowMs).push(nowMs);
  }
}

/** The times of the last minute, as they are kept. */
function recent(all: Map<string, number[]>, key: string, nowMs: number): number[] {
  const times = all.get(key) ?? [];
  if (!all.has(key)) all.set(key, times);
  const firstKept = times.findIndex((atMs) => nowMs - atMs < minuteMs);
  times.splice(0, firstKept === -1 ? times.length : firstKept);
  return times;
}
