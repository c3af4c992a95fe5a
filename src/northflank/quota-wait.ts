import { type Clock, sleep } from "../util/clock.ts";
import { isNorthflankError } from "./errors.ts";

/** How long a command that a user waits for waits for the quota, all its calls together. */
export interface QuotaWait {
  readonly clock: Clock;
  /** Whether waiting so many milliseconds from now on is within the limit. If so, they are subtracted from it. */
  readonly mayWait: (waitMs: number) => boolean;
  readonly onWait: (waitMs: number) => void;
}

/** `maxWaitMs` limits the waits of all calls together, in milliseconds; waits at the same time count once. */
export function createQuotaWait(options: {
  readonly clock: Clock;
  readonly maxWaitMs: number;
  readonly onWait: (waitMs: number) => void;
}): QuotaWait {
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

// Other clients spend the same quota: it may be spent again after a wait, but not for ever.
const maxTries = 5;

/**
 * Makes a call, and retries it when the quota is spent and is renewed within the limit.
 *
 * *Errors*: those of the call; the signal's reason when it is aborted while waiting.
 */
export async function withQuotaWait<T>(quotaWait: QuotaWait, call: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await call();
    } catch (error) {
      const waitMs = quotaWaitMs(error);
      if (waitMs === undefined || tried === maxTries || !quotaWait.mayWait(waitMs)) throw error;
      quotaWait.onWait(waitMs);
      await sleep(quotaWait.clock, waitMs, signal);
    }
  }
}

/** In how many milliseconds the quota is renewed; `undefined` for an error that has another cause. */
function quotaWaitMs(error: unknown): number | undefined {
  return isNorthflankError(error, "quota_closed", "rate_limited") ? error.retryAfterMs : undefined;
}
