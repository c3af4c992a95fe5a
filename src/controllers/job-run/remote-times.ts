// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { JobRunView } from "../../northflank/types.ts";
import type { Attempt } from "./machine.ts";
import type { Situation } from "./result.ts";
import { isServerTime, timeMs } from "./start-record.ts";

/** `Date` and `startedAt` come in whole seconds, and the machines of the API need not agree to one. */
export const machinesAllowanceMs = 10_000;

/**
 * How old the first run is by Northflank's clock; `undefined` where that is not known. What Northflank says of a start
 * is believed only where it lies between the record of the start, or else the creation of the object, and now: one
 * absurd time must not end a run.
 */
export function remoteAgeMs(
  { status }: NorthflankJobRun,
  given: {
    readonly attempt: Attempt;
    readonly run: JobRunView;
    readonly remoteNow: number | undefined;
    /** Since the object was created, in milliseconds. */
    readonly objectAgeMs: number;
  },
): number | undefined {
  const { attempt, run, remoteNow, objectAgeMs } = given;
  if (remoteNow === undefined) return undefined;
  if (attempt.number > 1) {
    const first = status?.attempts?.find(({ number }) => number === 1);
    const firstMs = first?.completionTime === undefined ? undefined : timeMs(first.startTime);
    return firstMs === undefined ? undefined : Math.min(objectAgeMs, Math.max(0, remoteNow - firstMs));
  }
  const recordedMs = recordedMsOf(status, attempt);
  const startedMs = timeMs(run.startedAt);
  if (startedMs === undefined) return undefined;
  const isInFuture = startedMs > remoteNow + machinesAllowanceMs;
  const sinceMs = isInFuture ? recordedMs : Math.max(startedMs, recordedMs ?? startedMs);
  if (sinceMs === undefined) return undefined;
  return Math.min(recordedMs === undefined ? objectAgeMs : Number.POSITIVE_INFINITY, Math.max(0, remoteNow - sinceMs));
}

/** When the start of this run, or the one it repeats, was recorded by Northflank's clock; a little earlier, to be sure. */
export function recordedMsOf(status: NorthflankJobRun["status"], { number }: Attempt): number | undefined {
  const start = status?.start;
  if (start?.attempt !== number || !isServerTime(start)) return undefined;
  const recordedMs = timeMs(start.firstRecordedTime) ?? timeMs(start.recordedTime);
  return recordedMs === undefined ? undefined : recordedMs - machinesAllowanceMs;
}

/**
 * A time of Northflank by our own clock. Where it is not known how far apart the two are, it is believed as it is, as long
 * as it lies between the creation of the object and now. If not, they are far apart, and it counts from now on: a deadline
 * that comes late does less harm than one that comes early.
 */
export function ownMs({ now, remoteNow, object }: Situation, remoteMs: number): number {
  const createdMs = timeMs(object.metadata.creationTimestamp) ?? now;
  if (remoteNow === undefined && remoteMs < createdMs - machinesAllowanceMs) return now;
  return Math.min(now, Math.max(createdMs, now - ((remoteNow ?? now) - remoteMs)));
}

/** The same of a run that is adopted: it began before its object came back, and no deadline is counted from here. */
export function adoptedMs({ now, remoteNow }: Situation, remoteMs: number): number {
  return Math.min(now, now - ((remoteNow ?? now) - remoteMs));
}

/** When the run was over, by our own clock: the ttl counts from here. Never before its start. */
export function endMs(situation: Situation, concludedMs: number | undefined): number {
  const { now, object } = situation;
  if (concludedMs === undefined) return now;
  const startMs = situation.remoteNow === undefined ? undefined : timeMs(object.status?.startTime);
  return Math.min(now, Math.max(ownMs(situation, concludedMs), startMs ?? Number.NEGATIVE_INFINITY));
}
