// pure
import type { Random } from "./random.ts";

/** How a delay grows from try to try. */
export interface BackoffPolicy {
  /** Delay after the first failure, in milliseconds, before jitter. */
  readonly baseMs: number;
  /** What each further failure multiplies the delay by. */
  readonly factor: number;
  /** Upper bound of the delay in milliseconds, jitter included. */
  readonly capMs: number;
  /** Share of the delay that is random: 0 = none, 1 = anything between 0 and the delay ("full jitter"). */
  readonly jitter: number;
}

/**
 * The delay in milliseconds before the next try, after `failures` failures in a row (1 = the first one failed).
 *
 * *Guarantees*: finite, never negative, never above `capMs`, whatever `failures` is.
 */
export function backoffDelayMs(policy: BackoffPolicy, failures: number, random: Random): number {
  // The exponent is bounded, because Infinity * 0 (full jitter that drew 0) would be NaN.
  const exponent = Math.min(Math.max(failures - 1, 0), 64);
  const fullMs = Math.min(policy.baseMs * policy.factor ** exponent, policy.capMs);
  return fullMs * (1 - policy.jitter) + fullMs * policy.jitter * random();
}

/** Spreads `periodMs` evenly over ±`share` of itself, so that what started together does not come back together. */
export function jittered(periodMs: number, share: number, random: Random): number {
  return periodMs * (1 - share + 2 * share * random());
}

// Whoever says that a wait is over may say so again: that must not be a loop.
const shortestWaitMs = 1_000;

/** A wait that another program has named, or a deadline that may be over: never none at all. */
export function notAtOnce(afterMs: number): number {
  return afterMs >= shortestWaitMs ? afterMs : shortestWaitMs;
}
