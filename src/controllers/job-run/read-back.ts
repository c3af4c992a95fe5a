// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { JobRunView, JobView, RunList } from "../../northflank/types.ts";
import { formatTime } from "../../runtime/conditions.ts";
import {
  baselineWindowMs,
  certainlyElapsed,
  clockAllowanceMs,
  isFromAnnotation,
  isServerTime,
  type StartRecord,
  timeMs,
} from "./start-record.ts";

/*
 * Distinguishes a run that we may have started from those that were there before: by their ids and by Northflank's
 * clock.
 *
 *   newest - 2 min    newest    recordedTime          + gate + timeout       + settle
 *        |--------------|-----------|-- POST leaves in --|--- answered by ----|------------> server time
 *        ids kept here              |<-- here the run starts, if it does --->|   read from here on
 *                              - 2 s: startedAt is cut to whole seconds      + 2 s
 *
 * A run from after that is not ours, however long the start stays open: {@link claimOn} decides it for every caller.
 */

/**
 * How far from the record of a start a run may begin and still be taken for its run. The read-back, and the searches after
 * it, adopt such a run; the watch for a duplicate only reports it.
 */
export interface Reach {
  /** How long after the record its run can have begun at the latest, in milliseconds of Northflank's clock. */
  readonly untilMs: number;
  /** Whether a run counts of which it is not known when it began. Long after the start, none of those is adopted. */
  readonly countsTimeless: boolean;
}

/**
 * Whether a run may be that of a start. `timeless`: it is new, and it is not known whether it began in time, because
 * it has no start time, or because Northflank's clock was not known (or was ahead) when the start was recorded.
 */
export type Claim = "ours" | "notOurs" | "timeless";

/** `nowMs`: Northflank's clock as the list was read, if it was sent. */
export function claimOn(
  run: JobRunView,
  given: { readonly start: StartRecord; readonly untilMs: number; readonly nowMs: number | undefined },
): Claim {
  const { start, nowMs } = given;
  if (start.baseline?.runIds?.includes(run.id)) return "notOurs";
  const beganMs = startMs(run);
  if (beganMs === undefined) return "timeless";
  // The ids that were there are lost with the status: what is no newer than the newest of them may be one of them.
  if (isFromAnnotation(start) && beganMs <= (timeMs(start.baseline?.newestStartTime) ?? Number.NEGATIVE_INFINITY)) {
    return "notOurs";
  }
  if (beganMs < earliestStartMs(start, nowMs)) return "notOurs";
  const latestMs = latestStartMs(start, given.untilMs, nowMs);
  if (latestMs === undefined) return "timeless";
  return beganMs <= latestMs ? "ours" : "notOurs";
}

/** What a list of runs says about a start whose outcome is open. */
export type ReadBack =
  /** What was sent may still be in flight. */
  | { readonly kind: "tooEarly"; readonly waitMs: number }
  | { readonly kind: "one"; readonly run: JobRunView }
  | { readonly kind: "none" }
  | { readonly kind: "several"; readonly runIds: readonly string[] }
  /** `contested`: it may as well be the run of another open start. `timeless`: it is not known when it began. */
  | { readonly kind: "unsure"; readonly why: "contested" | "timeless"; readonly runIds: readonly string[] }
  /** Pages were missing and no candidate was seen: that proves nothing. */
  | { readonly kind: "incomplete" };

interface Search {
  readonly start: StartRecord;
  readonly list: RunList;
  /** Runs that belong to other objects. */
  readonly claimed: ReadonlySet<string>;
  /** Those of them that an annotation alone says it of (see mark.ts). */
  readonly doubtful?: ReadonlySet<string> | undefined;
  readonly reach: Reach;
  /** Other starts of the job whose outcome is open. */
  readonly openStarts?: readonly StartRecord[] | undefined;
}

/**
 * Judges a read-back.
 *
 * `waitMs`: gate, call timeout and settle time together. `waitedMs`: how long this process has seen the start
 * unresolved, for where the API's clock is not known.
 */
export function judgeReadBack(
  options: Omit<Search, "reach"> & {
    readonly reach?: Reach;
    readonly waitMs: number;
    readonly waitedMs: number;
  },
): ReadBack {
  const { start, list, waitMs } = options;
  const elapsedMs = certainlyElapsed(start, list.serverTimeMs, options.waitedMs);
  if (elapsedMs < waitMs) return { kind: "tooEarly", waitMs: waitMs - elapsedMs };
  // Soon after the start a new run is most likely its own, whether or not it has a start time. Hours later it is not.
  const reach = options.reach ?? { untilMs: waitMs, countsTimeless: elapsedMs < 2 * waitMs };
  const found = judgeCandidates({ ...options, reach });
  return found.kind === "none" && list.truncated ? { kind: "incomplete" } : found;
}

/** What the runs of a list say about a start: one is only ever taken where no other open start may have started it. */
export function judgeCandidates(search: Search): Exclude<ReadBack, { kind: "tooEarly" | "incomplete" }> {
  const { reach } = search;
  const candidates = candidatesOf(search);
  const [only] = candidates;
  const hidden = hiddenRuns(search).map(({ id }) => id);
  if (hidden.length > 0) {
    const runIds = [...candidates.map(({ id }) => id), ...hidden];
    return runIds.length > 1 ? { kind: "several", runIds } : { kind: "unsure", why: "contested", runIds };
  }
  if (only === undefined) {
    const timeless = reach.countsTimeless ? [] : newRuns(search).filter(({ claim }) => claim === "timeless");
    const runIds = timeless.map(({ run }) => run.id);
    return timeless.length === 0 ? { kind: "none" } : { kind: "unsure", why: "timeless", runIds };
  }
  if (candidates.length > 1) return { kind: "several", runIds: candidates.map(({ id }) => id) };
  return isContested(only, search)
    ? { kind: "unsure", why: "contested", runIds: [only.id] }
    : { kind: "one", run: only };
}

/**
 * Runs that this start may have started, and that an annotation of another object alone claims: neither taken nor passed
 * over. A start known only from an annotation has no better claim, and is never repeated by itself.
 */
function hiddenRuns({ doubtful = new Set(), ...search }: Search): readonly JobRunView[] {
  if (doubtful.size === 0 || isFromAnnotation(search.start)) return [];
  const runs = search.list.runs.filter(({ id }) => doubtful.has(id));
  return candidatesOf({ ...search, list: { ...search.list, runs }, claimed: new Set() });
}

/** Whether another open start may have started this run as well. */
export function isContested(
  run: JobRunView,
  { start, list, reach, openStarts = [] }: Omit<Search, "claimed">,
): boolean {
  const given = { untilMs: reach.untilMs, nowMs: list.serverTimeMs };
  return openStarts.some(
    (openStart) => openStart.id !== start.id && claimOn(run, { start: openStart, ...given }) !== "notOurs",
  );
}

/** Runs that this start, or the one it repeats, may have started: new, unclaimed, and within its reach. */
export function candidatesOf(search: Omit<Search, "rivals">): readonly JobRunView[] {
  const { countsTimeless } = search.reach;
  return newRuns(search)
    .filter(({ claim }) => claim === "ours" || (claim === "timeless" && countsTimeless))
    .map(({ run }) => run);
}

function newRuns({
  start,
  list,
  claimed,
  reach,
}: Search): readonly { readonly run: JobRunView; readonly claim: Claim }[] {
  const given = { start, untilMs: reach.untilMs, nowMs: list.serverTimeMs };
  return list.runs
    .filter(({ id }) => !claimed.has(id))
    .map((run) => ({ run, claim: claimOn(run, given) }))
    .filter(({ claim }) => claim !== "notOurs");
}

/**
 * Runs from before this are none of ours. Where Northflank's clock was ahead when the start was recorded, our run began
 * "before" the record: then the ids decide alone, among the runs that are as new as those kept in the baseline.
 */
function earliestStartMs(start: StartRecord, nowMs: number | undefined): number {
  const recordedMs = timeMs(start.firstRecordedTime) ?? timeMs(start.recordedTime) ?? 0;
  if (!wasAhead(recordedMs, nowMs)) return recordedMs - clockAllowanceMs;
  return (timeMs(start.baseline?.newestStartTime) ?? Number.NEGATIVE_INFINITY) - baselineWindowMs;
}

/** Runs from after this are none of ours; `undefined` where that is not known. */
function latestStartMs(start: StartRecord, untilMs: number, nowMs: number | undefined): number | undefined {
  const recordedMs = timeMs(start.recordedTime);
  if (recordedMs === undefined || !isServerTime(start) || wasAhead(recordedMs, nowMs)) return undefined;
  return Math.max(recordedMs + untilMs, timeMs(start.untilTime) ?? 0) + clockAllowanceMs;
}

function wasAhead(recordedMs: number, nowMs: number | undefined): boolean {
  return nowMs !== undefined && recordedMs > nowMs + clockAllowanceMs;
}

function startMs(run: JobRunView): number | undefined {
  return timeMs(run.startedAt);
}

/*
 * A job that was deleted and created again under its id is another job: the runs of the former went with it, and a list
 * that lacks a run says nothing about that run. No call of a start shows which of them it was about (a run and a list
 * of runs name no job), but Northflank returns when a job was created, and the record of the start has a time of
 * Northflank's: a job that is younger is not the one that the start was sent to. Asked only where a missing run would
 * count for something.
 */

/** When the job was created, where that was after the present start; `undefined` where it was not, or is not known. */
export function createdAfterStart({ status }: NorthflankJobRun, job: JobView): string | undefined {
  const start = status?.start;
  const recordedMs = start !== undefined && isServerTime(start) ? timeMs(start.recordedTime) : undefined;
  const createdMs = timeMs(job.createdAt);
  if (recordedMs === undefined || createdMs === undefined) return undefined;
  return createdMs > recordedMs + clockAllowanceMs ? formatTime(createdMs) : undefined;
}
