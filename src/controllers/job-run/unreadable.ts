// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { Misfit } from "../../api/misfits.ts";
import { capped, findCondition } from "../../runtime/conditions.ts";
import { unknownTime } from "./read-back.ts";

/** The fields that say whether something was started. What is wrong with any other one is of no consequence. */
const telling: ReadonlySet<unknown> = new Set([undefined, "start", "attempts", "runId", "completionTime"]);

/**
 * A run object whose status cannot be read where it says whether a run was started (somebody wrote it by hand, or a tool
 * restored a part of it). What cannot be read is no permission to start: such an object stands where one stands whose
 * start has an unknown outcome, and a person says what to do. `unreadable` is what was left out of the status.
 *
 * The object itself where the rest of the status tells enough: it is over, its run is known, or its start is open.
 */
export function heldIfUnreadable(object: NorthflankJobRun, unreadable: readonly Misfit[]): NorthflankJobRun {
  const { status, metadata } = object;
  const first = unreadable.find(({ path }) => telling.has(path[1]));
  if (first === undefined || status?.completionTime !== undefined) return object;
  const last = status?.attempts?.at(-1);
  if (last !== undefined && last.completionTime === undefined) return object;
  const record = status?.start;
  const isOpen = record !== undefined && record.outcome !== "NotStarted" && record.attempt > (last?.number ?? 0);
  if (isOpen) return object;
  return {
    ...object,
    status: {
      observedGeneration: -1,
      ...status,
      start: {
        id: "unreadable",
        attempt: (last?.number ?? 0) + 1,
        recordedTime: metadata.creationTimestamp ?? unknownTime,
        baseline: { runIds: [] },
        outcome: "Pending",
      },
      conditions: [
        ...(status?.conditions ?? []).filter(({ type }) => type !== "Started"),
        findCondition(status?.conditions, "Started")?.reason === "StartOutcomeUnknown"
          ? // Said before, with a time: it stays as it was.
            (findCondition(status?.conditions, "Started") as never)
          : {
              type: "Started",
              status: "Unknown",
              reason: "StartOutcomeUnknown",
              message: capped(
                `The status cannot be read (${first.field} ${first.message}), so nobody can tell whether a run was started. ` +
                  "Nothing is started by itself. Look into Northflank, then set the annotation " +
                  "northflank-operator.io/resolve-start to the id of the run, to retry, or to fail.",
                1_024,
              ),
              observedGeneration: metadata.generation ?? 0,
              lastTransitionTime: metadata.creationTimestamp ?? unknownTime,
            },
      ],
    },
  };
}
