// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { Age } from "../reconcile/stopwatch.ts";
import { latestAttempt } from "./machine.ts";
import { timeMs } from "./start-record.ts";

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

/** When something began, on the monotonic clock of this process, as far as is known. In milliseconds. */
export interface Origin {
  /** When this process first observed it. */
  readonly firstMs: number;
  /** When it began. Never after `firstMs`. */
  readonly originMs: number;
}

/**
 * Takes in what a clock says now. Of several answers the youngest age counts: a clock that was ahead for a moment ends
 * nothing, and one that is set back lets no age fall below what this process has seen itself.
 */
export function observedOrigin(
  before: Origin | undefined,
  observed: { readonly atMs: number; readonly elapsedMs: number },
): Origin {
  const firstMs = before?.firstMs ?? observed.atMs;
  const latest = Math.max(before?.originMs ?? Number.NEGATIVE_INFINITY, observed.atMs - observed.elapsedMs);
  return { firstMs, originMs: Math.min(firstMs, latest) };
}

/** The age at `atMs` of the monotonic clock. */
export function ageAt({ firstMs, originMs }: Origin, atMs: number): Age {
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

/** The wall clock and the monotonic clock of this process, at one moment. In milliseconds. */
export interface Moment {
  readonly now: number;
  readonly atMs: number;
}

/** What this process has seen of a time in an object: when it last was not there yet, and what was made of it since. */
interface Timed {
  readonly absentMs?: number | undefined;
  readonly origin?: Origin | undefined;
}

/** When an object was created, started, ended and deleted, and when its runs failed. */
export type Times = Readonly<Record<string, Timed>>;

/**
 * The times after another read of the object. `isStartKnown`: its first run is dated by something better than a status.
 */
export function observeTimes(times: Times, object: NorthflankJobRun, moment: Moment, isStartKnown: boolean): Times {
  const { metadata, status } = object;
  const last = latestAttempt(object);
  const startTime = startTimeOf(object);
  const isStartDated = !isStartKnown && (startTime !== undefined || last !== undefined);
  // It began no earlier than its object: a clock that was behind when it was written down must not make it older.
  const [started] = [startTime ?? status?.start?.recordedTime, metadata.creationTimestamp].toSorted(
    (left, right) => (timeMs(right) ?? 0) - (timeMs(left) ?? 0),
  );
  const dated: Readonly<Record<string, string | undefined>> = {
    created: metadata.creationTimestamp,
    ended: status?.completionTime,
    deleted: metadata.deletionTimestamp,
    ...(last && { [failedKey(last.number)]: last.completionTime }),
    ...(isStartDated && { started }),
  };
  const observed = Object.entries(dated).map(([what, time]) => [what, observeTime(times[what], time, moment)] as const);
  return { ...times, ...Object.fromEntries(observed) };
}

/** Where the status has lost the time of the first run, the runs still have it. */
function startTimeOf({ status }: NorthflankJobRun): string | undefined {
  return status?.startTime ?? status?.attempts?.[0]?.startTime;
}

/** The name of the time at which the run of this number failed. */
export function failedKey(number: number): string {
  return `failed ${number}`;
}

function observeTime(before: Timed | undefined, time: string | undefined, { now, atMs }: Moment): Timed {
  const sinceMs = timeMs(time);
  if (sinceMs === undefined) return { absentMs: atMs };
  // What this process has seen not to be there yet began after that, whatever any clock says.
  const mostMs = atMs - (before?.absentMs ?? Number.NEGATIVE_INFINITY);
  const elapsedMs = Math.min(now - sinceMs, mostMs);
  return { absentMs: before?.absentMs, origin: observedOrigin(before?.origin, { atMs, elapsedMs }) };
}

/** The age of one of the times; nothing for one that the object does not have. */
export function ageOf(times: Times, what: string, atMs: number): Age {
  const origin = times[what]?.origin;
  return origin === undefined ? { elapsedMs: 0, seenMs: 0 } : ageAt(origin, atMs);
}

/** How old an object, its first run and its end are, as far as that may be acted upon. In milliseconds. */
export interface RunAges {
  /** 0 before the first run. */
  readonly sinceStartMs: number;
  readonly sinceCreationMs: number;
  /** 0 before the end. */
  readonly sinceEndMs: number;
  /**
   * A deadline is over by the clock, but this process has not seen enough of it to end the object: so long nothing is
   * started either. `undefined` where there is no doubt.
   */
  readonly doubtMs: number | undefined;
}

/** `started`: when the first run began, by Northflank's clock, or because this very process started it. */
export function agesOf(
  object: NorthflankJobRun,
  { times, started }: { readonly times: Times; readonly started?: Origin | undefined },
  atMs: number,
): RunAges {
  const { startDeadlineSeconds, activeDeadlineSeconds } = object.spec;
  const [startLimitMs, activeLimitMs] = [startDeadlineSeconds, activeDeadlineSeconds].map(inMs);
  const creation = ageOf(times, "created", atMs);
  const hasRun = startTimeOf(object) !== undefined || latestAttempt(object) !== undefined;
  // Until Northflank's clock was read, the wall clock has to be borne out for a while.
  const byClock = ageOf(times, "started", atMs);
  const start = started === undefined ? byClock : { ...ageAt(started, atMs), seenMs: Number.POSITIVE_INFINITY };
  const [age, limitMs] = hasRun ? [start, activeLimitMs] : [creation, startLimitMs];
  return {
    sinceCreationMs: provenMs(creation, startLimitMs),
    sinceStartMs: hasRun ? provenMs(start, activeLimitMs) : 0,
    sinceEndMs: provenMs(ageOf(times, "ended", atMs), ttlMs(object)),
    doubtMs: limitMs !== undefined && age.elapsedMs >= limitMs ? untilMs(provenMs(age, limitMs), limitMs) : undefined,
  };
}

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1_000;
}

/** Milliseconds after the end at which a finished object is to be deleted; `undefined` where it stays, or is going already. */
export function ttlMs({ spec, metadata, status }: NorthflankJobRun): number | undefined {
  const { ttlSecondsAfterFinished: ttl } = spec;
  if (ttl === undefined || ttl === null || metadata.deletionTimestamp !== undefined) return undefined;
  return status?.completionTime === undefined ? undefined : ttl * 1_000;
}
