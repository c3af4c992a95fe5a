/** A pending timer of a {@link Clock}. Opaque: only the clock that made it can cancel it. */
export interface Timer {
  readonly cancel: () => void;
}

/**
 * The only source of time in this program. Everything that reads the time or waits takes a clock, so that tests own
 * time and state it as numbers.
 */
export interface Clock {
  /**
   * Wall-clock time in milliseconds since the epoch. It may jump: only for what people read and for dates on the wire.
   */
  readonly now: () => number;
  /** Milliseconds that only ever grow, from an arbitrary start. For every measured duration and every deadline. */
  readonly monotonic: () => number;
  /** Calls `callback` once, `delayMs` from now. The timer keeps the process alive until it fires or is canceled. */
  readonly setTimer: (callback: () => void, delayMs: number) => Timer;
}

// Node's timers turn a larger delay into 1 ms, which would make a long wait a hot loop.
const maxTimerMs = 2_147_483_647;

/** The real clock. It calls the globals through a wrapper, so that fake timers installed later are seen. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (callback, delayMs) => {
    const handle = setTimeout(callback, Math.min(Math.max(delayMs, 0), maxTimerMs));
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * Waits `delayMs` on the given clock.
 *
 * *Errors*: rejects with the signal's reason as soon as the signal is aborted; the timer is then canceled.
 */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimer(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
