import type { Clock } from "../../src/util/clock.ts";

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock that moves only when the test says so. `now()` starts at 2026-01-01T00:00:00Z, `monotonic()` at 0.
 *
 * `advance` fires what is due in order of its time and lets promises settle between two timers, so that code which
 * awaits and then sets a further timer behaves as it would in real time.
 */
export class FakeClock implements Clock {
  #elapsedMs = 0;
  #skewMs = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();
  readonly #startMs: number;

  constructor(start = "2026-01-01T00:00:00Z") {
    this.#startMs = Date.parse(start);
  }

  readonly now = (): number => this.#startMs + this.#elapsedMs + this.#skewMs;
  readonly monotonic = (): number => this.#elapsedMs;

  readonly setTimer: Clock["setTimer"] = (callback, delayMs) => {
    const entry: Pending = { dueMs: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#pending.add(entry);
    return { cancel: () => this.#pending.delete(entry) };
  };

  /** Number of timers that are set: 0 proves that nothing was left running. */
  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Makes the wall clock jump without time passing, as NTP or a person would. */
  jump(byMs: number): void {
    this.#skewMs += byMs;
  }

  /** Lets `byMs` pass. */
  async advance(byMs: number): Promise<void> {
    const targetMs = this.#elapsedMs + byMs;
    await settle();
    for (let next = this.#next(targetMs); next !== undefined; next = this.#next(targetMs)) {
      this.#pending.delete(next);
      this.#elapsedMs = next.dueMs;
      next.callback();
      await settle();
    }
    this.#elapsedMs = targetMs;
    await settle();
  }

  #next(targetMs: number): Pending | undefined {
    let best: Pending | undefined;
    for (const entry of this.#pending) {
      if (entry.dueMs > targetMs) continue;
      if (best === undefined || entry.dueMs < best.dueMs || (entry.dueMs === best.dueMs && entry.order < best.order)) {
        best = entry;
      }
    }
    return best;
  }
}

/** Lets every promise that can settle without time or input do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  await new Promise<void>((resolve) => setImmediate(resolve));
}
