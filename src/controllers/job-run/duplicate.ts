// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { RunList } from "../../northflank/types.ts";
import { openStartsOf, runIdsOf, type Sibling } from "./concurrency.ts";
import type { Known } from "./memory.ts";
import { candidatesOf, isContested, type Reach } from "./read-back.ts";
import { type RunResult, warning } from "./result.ts";
import { elapsedSince, isGivenUp } from "./start-record.ts";

/** How long a repeated start is watched for the run of the start before it. */
export const duplicateWatchMs = 600_000;

/** A request that was delayed in transit: its run is only reported, so it counts for as long as it is watched for. */
export const duplicateReach: Reach = { untilMs: duplicateWatchMs, countsTimeless: true };

// Longer after the end of the watch no duplicate is searched for: the process was away.
const duplicateWatchGraceMs = 300_000;

/** Milliseconds until the watch for a duplicate is over; `-Infinity` where there is nothing to watch for. */
export function duplicateWatchLeftMs(
  { status }: NorthflankJobRun,
  remoteNow: number,
  { isDuplicateWatchOver }: Pick<Known, "isDuplicateWatchOver">,
): number {
  const { start, duplicateRunId } = status ?? {};
  if (start?.firstRecordedTime === undefined || duplicateRunId !== undefined || isDuplicateWatchOver) {
    return Number.NEGATIVE_INFINITY;
  }
  const isSent = start.outcome === "Accepted" || start.outcome === "Recovered" || start.outcome === "Pending";
  const leftMs = duplicateWatchMs - (elapsedSince(start, remoteNow) ?? 0);
  return isSent && leftMs > -duplicateWatchGraceMs ? leftMs : Number.NEGATIVE_INFINITY;
}

/**
 * A run that the start before the present one may have started. One that another open start may have is left to that
 * one: what is reported as a duplicate belongs to this object.
 */
export function duplicateIn(object: NorthflankJobRun, list: RunList, siblings: readonly Sibling[]): string | undefined {
  const start = object.status?.start;
  if (start === undefined) return undefined;
  const claimed = runIdsOf([object, ...siblings.map((sibling) => sibling.object)]);
  const search = { start, list, claimed, reach: duplicateReach, openStarts: openStartsOf(siblings) };
  return candidatesOf(search).find((run) => !isContested(run, search))?.id;
}

/**
 * A run that began after the reach of the start that is repeated, and soon: a request that was delayed in transit
 * starts one so late. It is not taken for the run of that start, but reported where no user requested the repetition.
 */
export function suspectedDuplicate(
  object: NorthflankJobRun,
  list: RunList,
  siblings: readonly Sibling[],
): string | undefined {
  const start = object.status?.start;
  if (start === undefined || !isGivenUp(start) || start.reason === "RetryingRun") return undefined;
  return duplicateIn(object, list, siblings);
}

/** A second run of an AtLeastOnce start. The object continues as before. */
export function withDuplicate(result: RunResult, duplicateRunId: string): RunResult {
  const { runId } = result.fields;
  const note =
    `After the repeated start a second run turned up: ${duplicateRunId}${runId === undefined ? "" : `, beside ${runId}`}. ` +
    "Abort the one that is not wanted.";
  return {
    ...result,
    fields: { ...result.fields, duplicateRunId },
    events: [...result.events, warning("DuplicateRun", "Observe", note)],
  };
}
