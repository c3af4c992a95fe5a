// pure
import { resolveStart, startedRun } from "../../api/names.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { type Conclusion, conclude, recordOf, type Situation, untilDeadline } from "./conclusion.ts";
import { runIdsOf, type Sibling } from "./concurrency.ts";
import { decideUnstartedEnd } from "./ends.ts";
import { adopt, adoptedMs } from "./follow.ts";
import type { Wish } from "./machine.ts";
import { markOf, mismatchOf, recordOfMark } from "./mark.ts";
import { timeMs, unknownTime } from "./read-back.ts";
import { resolutionValue } from "./resolve.ts";

/**
 * An object that was started before and has lost its status. The start is written back to the status, and resolved as
 * one whose answer was lost; nothing is sent to Northflank. Where the annotation is not that of this object, nothing
 * happens until somebody takes it away, or startDeadlineSeconds is over.
 */
export function decideMarked(situation: Situation, siblings: readonly Sibling[], wish: Wish): Conclusion {
  const { object } = situation;
  const reading = markOf(object);
  if (reading === undefined) throw new TypeError(`${object.metadata.name} has no annotation where one is read`);
  const runId = reading.kind === "mark" ? reading.mark.runId : undefined;
  const owner = siblings.find((sibling) => runId !== undefined && runIdsOf([sibling.object]).has(runId));
  const mismatch = mismatchOf(object, reading, owner?.key);
  if (mismatch !== undefined || reading.kind === "unreadable") {
    if (wish === "expired") return decideUnstartedEnd(situation, wish);
    const message = `${mismatch} No run is started. Remove the annotation to run the job for this object, or delete the object.`;
    return conclude({ kind: "stalled", reason: "CopyOfStartedRun", message }, { next: untilDeadline(situation) });
  }
  const message =
    `The annotation ${startedRun} says that a run was started for this object before its status was lost. The run ` +
    "list is searched for it, and no other run is started.";
  return conclude(
    { kind: "progressing", reason: "RecoveringRun", message },
    {
      next: { kind: "again" },
      // What somebody answered before the status was lost was handled then: only another value is an answer now.
      facts: { lastHandledResolveStart: resolutionValue(object.metadata.annotations?.[resolveStart]) },
      after: [{ kind: "record", start: recordOfMark(reading.mark) }],
    },
  );
}

/** The annotation names the run: it is followed from now on, or found to be over. */
export function decideMarkedRun(situation: Situation, runId: string): Conclusion {
  const start = recordOf(situation.object);
  const recordedMs = start.recordedTime === unknownTime ? undefined : timeMs(start.recordedTime);
  return adopt(situation, start, {
    runId,
    runName: undefined,
    startTime: formatTime(recordedMs ?? situation.now),
    ownStartTime: formatTime(recordedMs === undefined ? situation.now : adoptedMs(situation, recordedMs)),
    origin: "Adopted",
  });
}
