// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { RunList } from "../../northflank/types.ts";
import { formatTime } from "../../runtime/conditions.ts";

/** What is written down before a run is started. */
export type StartRecord = NonNullable<NonNullable<NorthflankJobRun["status"]>["start"]>;

/**
 * The id of a record that was read from the annotation (see mark.ts). The id says it, and no field of its own, because a
 * CRD of an earlier version would drop such a field: then the run would be taken for one that is ours to abort and repeat.
 */
export function idFromAnnotation(id: string): string {
  return `${annotationPrefix}${id}`;
}

/** True where only the annotation shows the start: the run is adopted where it is found, and nothing else follows. */
export function isFromAnnotation({ id }: Pick<StartRecord, "id">): boolean {
  return id.startsWith(annotationPrefix);
}

const annotationPrefix = "annotation:";

/** The id of the record that stands for a status that cannot be read (see unreadable.ts). It is never stored. */
export const unreadableStart = "unreadable";

/** Given up without an answer, by startGuarantee (`StartOutcomeUnknown`) or by a person (`RetryingRun`). */
export function isGivenUp({ outcome, reason }: StartRecord): boolean {
  return outcome === "NotStarted" && (reason === "StartOutcomeUnknown" || reason === "RetryingRun");
}

/** Ids this much older than the newest run are kept: a list that lags, or is not in order, hides runs of this age. */
export const baselineWindowMs = 120_000;

/** As many ids as the schema takes. */
const maxBaselineIds = 1_000;

/** `startedAt` and `Date` come in whole seconds. */
export const clockAllowanceMs = 2_000;

/** Where the clock of the API is not known, and there is no run to read it from. */
export const unknownTime = "1970-01-01T00:00:00Z";

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
  const newestMs = Math.max(
    ...list.runs.map((run) => timeMs(run.startedAt)).filter((time) => time !== undefined),
    Number.NEGATIVE_INFINITY,
  );
  const newest = Number.isFinite(newestMs) ? formatTime(newestMs) : undefined;
  const sinceMs = Math.min(newestMs, timeMs(firstRecordedTime) ?? newestMs) - baselineWindowMs;
  // Runs without a start are kept as well: only their id can show that they are old.
  const near = list.runs.filter((run) => (timeMs(run.startedAt) ?? Number.POSITIVE_INFINITY) >= sinceMs);
  return {
    recordedTime: recordedTimeOf(list.serverTimeMs, newest),
    baseline: {
      ...(newest === undefined ? {} : { newestStartTime: newest }),
      ...(list.truncated ? { incomplete: true } : {}),
      runIds: near.slice(0, maxBaselineIds).map(({ id }) => id),
    },
  };
}

/** Never that of the newest run where the API sends its time: that is how the two are distinguished later. */
function recordedTimeOf(serverTimeMs: number | undefined, newest: string | undefined): string {
  if (serverTimeMs === undefined) return newest ?? unknownTime;
  const recorded = formatTime(serverTimeMs);
  if (recorded !== newest) return recorded;
  return formatTime(serverTimeMs + (serverTimeMs < lastTimeMs ? 1_000 : -1_000));
}

/** False where {@link baselineOf} had to do without the API's `Date`: then only a monotonic wait of our own counts. */
export function isServerTime({ recordedTime, baseline }: StartRecord): boolean {
  return recordedTime !== unknownTime && recordedTime !== baseline?.newestStartTime;
}

/**
 * How long ago the start was recorded at least, in milliseconds: by Northflank's clock where it is known, and never less
 * than this process has waited itself. A record from a clock that was ahead must not cause a wait of days.
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

/** An RFC 3339 time in milliseconds; `undefined` for what is missing, is none, or has a year that RFC 3339 cannot write. */
export function timeMs(time: string | undefined): number | undefined {
  const ms = time === undefined ? Number.NaN : Date.parse(time);
  return ms >= firstTimeMs && ms <= lastTimeMs ? ms : undefined;
}

const firstTimeMs = Date.parse("0001-01-01T00:00:00Z");
const lastTimeMs = Date.parse("9999-12-31T23:59:59Z");
