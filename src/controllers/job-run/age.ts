// pure
import type { Age } from "../reconcile/stopwatch.ts";

/*
 * How long something has lasted, and how sure this process may be of it.
 *
 * A time in a status was written by some clock, and is read by another. Both may be wrong, for a while or for good. So an
 * age is only ever acted upon as far as this process has seen a part of that time pass itself, on its monotonic clock:
 *
 *      sinceTime (a clock)                       now                 limit
 *          |----------------- elapsedMs ----------|---- left ----------|
 *                              |---- seenMs ------|
 *                              first sight
 */

/** When something began, on the monotonic clock of this process, as far as it can tell. In milliseconds. */
export interface Sighting {
  /** When this process first saw it. */
  readonly firstMs: number;
  /** When it began. Never after the first sight. */
  readonly originMs: number;
}

/**
 * Takes in what a clock says now. Of several answers the youngest age counts: a clock that was ahead for a moment ends
 * nothing, and one that is put back lets no age fall below what this process has seen itself.
 */
export function sighted(
  before: Sighting | undefined,
  seen: { readonly atMs: number; readonly elapsedMs: number },
): Sighting {
  const firstMs = before?.firstMs ?? seen.atMs;
  const latest = Math.max(before?.originMs ?? Number.NEGATIVE_INFINITY, seen.atMs - seen.elapsedMs);
  return { firstMs, originMs: Math.min(firstMs, latest) };
}

/** The age at `atMs` of the monotonic clock. */
export function ageAt({ firstMs, originMs }: Sighting, atMs: number): Age {
  return { elapsedMs: atMs - originMs, seenMs: atMs - firstMs };
}

/**
 * So much of a limit this process has to have seen itself: long enough for a node that has just booted to get its time
 * right, and short enough for a process that is restarted every two minutes to carry out every limit.
 */
export const ownPartMs = 60_000;

/** The part of the age that may be acted upon: below the limit until enough of it was seen. */
export function provenMs({ elapsedMs, seenMs }: Age, limitMs: number | undefined): number {
  if (limitMs === undefined) return elapsedMs;
  return Math.min(elapsedMs, limitMs - Math.min(limitMs, ownPartMs) + seenMs);
}

/**
 * Milliseconds until a limit is reached; `undefined` where there is none, or where it is over. What is over has been acted
 * upon by whoever noticed it, and must not make "later" into "now".
 */
export function untilMs(elapsedMs: number, limitMs: number | undefined): number | undefined {
  if (limitMs === undefined) return undefined;
  const leftMs = limitMs - elapsedMs;
  return leftMs > 0 ? leftMs : undefined;
}
