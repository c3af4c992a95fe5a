// pure
import type { JobRunView, RunList } from "../../northflank/types.ts";
import { formatTime } from "../../runtime/conditions.ts";
import type { StartRecord } from "./machine.ts";

/*
 * Telling a run that we may have started from those that were there before: by their ids and by Northflank's clock.
 *
 *   newest - 2 min    newest    recordedTime          + gate + timeout       + settle
 *        |--------------|-----------|-- POST leaves in --|--- answered by ----|------------> server time
 *        ids kept here              |<- here the run starts, if it does ->|   read from here on
 *                              - 2 s: startedAt is cut to whole seconds
 */

/** Ids this much older than the newest run are kept: a list that lags, or is not in order, hides runs of this age. */
const baselineWindowMs = 120_000;

/** As many ids as the schema takes. */
const maxBaselineIds = 1_000;

/** `startedAt` and `Date` come in whole seconds. */
const clockAllowanceMs = 2_000;

/** Where the clock of the API is not known, and there is no run to read it from. */
const unknownTime = "1970-01-01T00:00:00Z";

/**
 * The part of a start record that says what was there before. The only clock used is Northflank's own: its `Date`; where
 * it sends none, the start of the newest run (and `1970-01-01` before the first one), so that times always compare.
 *
 * `firstRecordedTime`: this start repeats one whose outcome stayed unknown; the ids reach back to that one.
 */
export function baselineOf(
  list: RunList,
  firstRecordedTime: string | undefined,
): Pick<StartRecord, "recordedTime" | "baseline"> {
  const newestMs = Math.max(...list.runs.map(startMs).filter((time) => time !== undefined), Number.NEGATIVE_INFINITY);
  const newest = Number.isFinite(newestMs) ? formatTime(newestMs) : undefined;
  const sinceMs = Math.min(newestMs, timeMs(firstRecordedTime) ?? newestMs) - baselineWindowMs;
  // Runs without a start are kept as well: nothing but their id can tell that they are old.
  const near = list.runs.filter((run) => (startMs(run) ?? Number.POSITIVE_INFINITY) >= sinceMs);
  return {
    recordedTime: list.serverTimeMs === undefined ? (newest ?? unknownTime) : formatTime(list.serverTimeMs),
    baseline: {
      ...(newest === undefined ? {} : { newestStartTime: newest }),
      runIds: near.slice(0, maxBaselineIds).map(({ id }) => id),
    },
  };
}

/** False where {@link baselineOf} had to do without the API's `Date`: then only a monotonic wait of our own counts. */
export function isServerTime({ recordedTime, baseline }: StartRecord): boolean {
  return recordedTime !== unknownTime && recordedTime !== baseline?.newestStartTime;
}

/** What a list of runs says about a start whose outcome is open. */
export type ReadBack =
  /** What was sent may still be on its way. */
  | { readonly kind: "tooEarly"; readonly waitMs: number }
  | { readonly kind: "one"; readonly run: JobRunView }
  | { readonly kind: "none" }
  | { readonly kind: "several"; readonly runIds: readonly string[] }
  /** Pages were missing and no candidate was seen: that proves nothing. */
  | { readonly kind: "incomplete" };

/**
 * Judges a read-back.
 *
 * `claimed`: runs that belong to other objects. `waitMs`: gate, call timeout and settle time together. `waitedMs`: how
 * long this process has seen the start unresolved, for where the API's clock is not known.
 */
export function judgeReadBack(options: {
  readonly start: StartRecord;
  readonly list: RunList;
  readonly claimed: ReadonlySet<string>;
  readonly waitMs: number;
  readonly waitedMs: number;
}): ReadBack {
  const { start, list, waitMs } = options;
  const elapsedMs = certainlyElapsed(start, list.serverTimeMs, options.waitedMs);
  if (elapsedMs < waitMs) return { kind: "tooEarly", waitMs: waitMs - elapsedMs };
  const candidates = candidatesOf(options);
  const [only] = candidates;
  if (candidates.length > 1) return { kind: "several", runIds: candidates.map(({ id }) => id) };
  if (only !== undefined) return { kind: "one", run: only };
  return list.truncated ? { kind: "incomplete" } : { kind: "none" };
}

/** Runs that this start, or the one it repeats, may have started: new, unclaimed, and not from before it. */
export function candidatesOf(options: {
  readonly start: StartRecord;
  readonly list: RunList;
  readonly claimed: ReadonlySet<string>;
}): readonly JobRunView[] {
  const { start, list, claimed } = options;
  const before = new Set(start.baseline?.runIds);
  const sinceMs = earliestStartMs(start, list.serverTimeMs);
  return list.runs.filter(
    (run) => !before.has(run.id) && !claimed.has(run.id) && (startMs(run) ?? Number.POSITIVE_INFINITY) >= sinceMs,
  );
}

/**
 * Runs from before this are none of ours. Where Northflank's clock was ahead when the start was recorded, our run began
 * "before" the record: then the ids decide alone, among the runs that are as new as those kept in the baseline.
 */
function earliestStartMs(
  { firstRecordedTime, recordedTime, baseline }: StartRecord,
  nowMs: number | undefined,
): number {
  const recordedMs = timeMs(firstRecordedTime) ?? timeMs(recordedTime) ?? 0;
  if (nowMs === undefined || recordedMs <= nowMs + clockAllowanceMs) return recordedMs - clockAllowanceMs;
  return (timeMs(baseline?.newestStartTime) ?? Number.NEGATIVE_INFINITY) - baselineWindowMs;
}

/**
 * How long ago the start was recorded at least, in milliseconds: by Northflank's clock where it is known, and never less
 * than this process has waited itself. A record from a clock that was ahead must not keep anybody waiting for days.
 */
export function certainlyElapsed(start: StartRecord, serverTimeMs: number | undefined, waitedMs: number): number {
  return Math.max(elapsedSince(start, serverTimeMs) ?? 0, waitedMs);
}

/** Milliseconds of Northflank's clock since the record; `undefined` where that clock is not known. */
export function elapsedSince(start: StartRecord, serverTimeMs: number | undefined): number | undefined {
  const recordedMs = timeMs(start.recordedTime);
  if (serverTimeMs === undefined || recordedMs === undefined || !isServerTime(start)) return undefined;
  return serverTimeMs - recordedMs;
}

/** An RFC 3339 time in milliseconds; `undefined` for what is missing or is none. */
export function timeMs(time: string | undefined): number | undefined {
  const ms = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? undefined : ms;
}

function startMs(run: JobRunView): number | undefined {
  return timeMs(run.startedAt);
}
