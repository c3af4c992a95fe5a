// pure
import type { JobRunView, RunsNeeded } from "../../northflank/types.ts";
import { baselineWindowMs, type StartRecord, timeMs } from "./start-record.ts";

/*
 * A job may have thousands of runs, and a page of the list holds a hundred. What is needed of it is what is new, so
 * where the list comes newest first one page is enough. Where it does not, the list is cut somewhere before the newest
 * run; that is said (`baseline.incomplete`), or nothing is sent.
 */

/** Pages of a list that is read often: before each start, and with each poll while a duplicate is watched for. */
const pagesOfFrequentList = 3;

/** So many of the oldest runs read are over: then older ones, which may still be active, are not searched for. */
const runsOverInARow = 50;

/** Runs as old as those in the baseline of this start. */
export function neededForReadBack(start: StartRecord): RunsNeeded {
  const sinceMs = beginOf(start);
  return { isEnough: (runs) => reachesBackTo(runs, sinceMs) };
}

/** The same, for a read that is repeated soon and costs little. */
export function neededForWatch(start: StartRecord): RunsNeeded {
  return { ...neededForReadBack(start), maxPages: pagesOfFrequentList };
}

/**
 * Runs as old as those that the baseline keeps. `repeated`: the start without an answer whose run is searched for as
 * well. `excludesOthers`: any active run keeps this start waiting.
 */
export function neededForBaseline(given: {
  readonly repeated: StartRecord | undefined;
  readonly excludesOthers: boolean;
}): RunsNeeded {
  const { repeated, excludesOthers } = given;
  const isEnough = (runs: readonly JobRunView[]) => {
    const newestMs = Math.max(...runs.map(({ startedAt }) => timeMs(startedAt) ?? Number.NEGATIVE_INFINITY));
    const sinceMs = Math.min(newestMs - baselineWindowMs, repeated === undefined ? newestMs : beginOf(repeated));
    if (!reachesBackTo(runs, sinceMs)) return false;
    return !excludesOthers || runs.slice(-runsOverInARow).every(({ concluded }) => concluded);
  };
  const isFrequent = repeated === undefined && !excludesOthers;
  return { isEnough, ...(isFrequent ? { maxPages: pagesOfFrequentList } : {}) };
}

/** Where the baseline of a start begins; the beginning of time where its record has no time of Northflank's. */
function beginOf({ firstRecordedTime, recordedTime, baseline }: StartRecord): number {
  const recordedMs = timeMs(firstRecordedTime) ?? timeMs(recordedTime) ?? Number.NEGATIVE_INFINITY;
  return Math.min(recordedMs, timeMs(baseline?.newestStartTime) ?? recordedMs) - baselineWindowMs;
}

function reachesBackTo(runs: readonly JobRunView[], sinceMs: number): boolean {
  return runs.some(({ startedAt }) => (timeMs(startedAt) ?? Number.POSITIVE_INFINITY) < sinceMs - baselineWindowMs);
}
