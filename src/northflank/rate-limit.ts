// pure
import { httpDateMs } from "../util/http-date.ts";

/** What an answer says about the quota of the account. Whatever is missing or makes no sense is left out. */
export interface RateLimitReading {
  readonly limit: number | undefined;
  readonly remaining: number | undefined;
  /** Milliseconds until the window ends (`x-ratelimit-reset`), between 1 s and 2 h. */
  readonly resetMs: number | undefined;
  /** Milliseconds that the API asks us to stay away (`Retry-After`), between 1 s and 2 h. */
  readonly retryAfterMs: number | undefined;
}

/** Headers of an answer, names in lower case. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

// A wait below a second would be a hot loop, and the documented window is an hour: twice that is an error of the far end.
const minWaitMs = 1_000;
const maxWaitMs = 2 * 3_600_000;

/**
 * Reads `x-ratelimit-limit`, `-remaining`, `-reset` and `Retry-After`. Never throws, whatever they hold.
 *
 * `nowMs` stands in for the answer's `Date` header when there is none: a `Retry-After` date is a date by the clock of
 * the far end, and only its distance to that clock means anything.
 *
 * A `Retry-After` beyond two hours is believed only where `x-ratelimit-reset` does not say better.
 */
export function readRateLimit(headers: Headers, nowMs: number): RateLimitReading {
  const resetMs = resetInMs(firstOf(headers["x-ratelimit-reset"]));
  const retryAfter = firstOf(headers["retry-after"]);
  const askedMs = rawSecondsMs(retryAfter) ?? httpDateDistanceMs(retryAfter, serverTimeMs(headers) ?? nowMs);
  const isAbsurd = askedMs !== undefined && askedMs > maxWaitMs && resetMs !== undefined;
  return {
    limit: count(firstOf(headers["x-ratelimit-limit"])),
    remaining: count(firstOf(headers["x-ratelimit-remaining"])),
    resetMs,
    retryAfterMs: askedMs === undefined || isAbsurd ? undefined : clampWaitMs(askedMs),
  };
}

/**
 * How long a refusal (429) asks us to stay away, in milliseconds: `Retry-After` first, unless the quota is spent for
 * longer than that; else the end of the window. `undefined` when nothing is said: also when requests are left and no
 * `Retry-After` is there, because then it is not the window that refuses.
 */
export function askedWaitMs({ retryAfterMs, resetMs, remaining }: RateLimitReading): number | undefined {
  if (retryAfterMs === undefined) return remaining !== undefined && remaining > 0 ? undefined : resetMs;
  return remaining === 0 && resetMs !== undefined ? Math.max(retryAfterMs, resetMs) : retryAfterMs;
}

/** The far end's clock (its `Date` header) in milliseconds since the epoch; `undefined` without a proper one. */
export function serverTimeMs(headers: Headers): number | undefined {
  return httpDateMs(firstOf(headers.date));
}

/** A wait that makes sense: between 1 s and 2 h. */
export function clampWaitMs(waitMs: number): number {
  return Math.min(Math.max(waitMs, minWaitMs), maxWaitMs);
}

function firstOf(value: string | readonly string[] | undefined): string | undefined {
  const text = typeof value === "string" ? value : value?.[0];
  return text?.trim();
}

/** Whole numbers of a sane size only: the counts go into metrics and sums. */
function count(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined;
  return Number(text);
}

function rawSecondsMs(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,15}(?:\.\d{1,9})?$/.test(text)) return undefined;
  return Number(text) * 1_000;
}

/** Left out where it is further away than any window, such as a date in seconds since 1970: then our own estimate counts. */
function resetInMs(text: string | undefined): number | undefined {
  const ms = rawSecondsMs(text);
  return ms === undefined || ms > maxWaitMs ? undefined : clampWaitMs(ms);
}

function httpDateDistanceMs(text: string | undefined, fromMs: number): number | undefined {
  const ms = httpDateMs(text);
  return ms === undefined ? undefined : ms - fromMs;
}
