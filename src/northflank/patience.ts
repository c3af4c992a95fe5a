import { type Clock, sleep } from "../util/clock.ts";
import { isNorthflankError } from "./errors.ts";

/** How long a tool that somebody is looking at waits for the quota, all its calls together. */
export interface Patience {
  readonly clock: Clock;
  /** Whether so many milliseconds may be waited from now on. If so, they are taken from what is left. */
  readonly mayWait: (waitMs: number) => boolean;
  readonly onWait: (waitMs: number) => void;
}

/** Makes it. `maxWaitMs` is what all calls may wait in all, in milliseconds; waits at the same time count once. */
export function createPatience(options: {
  readonly clock: Clock;
  readonly maxWaitMs: number;
  readonly onWait: (waitMs: number) => void;
}): Patience {
  const { clock, maxWaitMs, onWait } = options;
  let leftMs = maxWaitMs;
  let waitingUntilMs = Number.NEGATIVE_INFINITY;
  const mayWait = (waitMs: number): boolean => {
    const nowMs = clock.monotonic();
    const untilMs = Math.max(nowMs + waitMs, waitingUntilMs);
    const moreMs = untilMs - Math.max(nowMs, waitingUntilMs);
    if (moreMs > leftMs) return false;
    leftMs -= moreMs;
    waitingUntilMs = untilMs;
    return true;
  };
  return { clock, mayWait, onWait };
}

// Others spend the same quota: what was waited for may be gone again, but not for ever.
const maxTries = 5;

/**
 * Makes a call, and makes it again when the quota was spent and comes back soon enough.
 *
 * *Errors*: those of the call; the signal's reason when it is aborted while waiting.
 */
export async function patiently<T>(patience: Patience, call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await call();
    } catch (error) {
      const waitMs = quotaWaitMs(error);
      if (waitMs === undefined || tried === maxTries || !patience.mayWait(waitMs)) throw error;
      patience.onWait(waitMs);
      await sleep(patience.clock, waitMs, signal);
    }
  }
}

/** How long until a call that the quota refused makes sense; `undefined` for any other error. */
function quotaWaitMs(error: unknown): number | undefined {
  return isNorthflankError(error, "quota_closed", "rate_limited") ? error.retryAfterMs : undefined;
}

/** Calls `work` for each item, so many at a time; the results are in the order of the items. */
export async function eachOf<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results = new Map<number, R>();
  const rest = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of rest) results.set(index, await work(item));
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return [...results].sort(([left], [right]) => left - right).map(([, result]) => result);
}
