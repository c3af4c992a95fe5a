// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { Misfit } from "../../api/misfits.ts";
import type { Condition } from "../../kube/types.ts";
import { capped } from "../../runtime/conditions.ts";
import { unknownTime, unreadableStart } from "./start-record.ts";
import { unknownStartOf } from "./status.ts";

/** The fields that say whether something was started. What is wrong with any other one is of no consequence. */
const telling: ReadonlySet<unknown> = new Set([undefined, "start", "attempts", "runId", "completionTime"]);

const longestMessage = 1_024;

/**
 * A run object whose status cannot be read where it says whether a run was started (a user wrote it by hand, or a tool
 * restored a part of it). What cannot be read is no permission to start: such an object stands where one stands whose
 * start has an unknown outcome, and a person says what to do. `misfits` is what was left out of the status.
 *
 * The object itself where the rest of the status says enough: it is over, its run is known, or its start is open.
 */
export function heldIfUnreadable(object: NorthflankJobRun, misfits: readonly Misfit[]): NorthflankJobRun {
  const problem = unreadable(object, misfits);
  const { status, metadata } = object;
  const last = status?.attempts?.at(-1);
  if (problem === undefined || status?.completionTime !== undefined || isActive(last)) return object;
  const record = status?.start;
  const isOpen = record !== undefined && record.outcome !== "NotStarted" && record.attempt > (last?.number ?? 0);
  if (isOpen) return object;
  return {
    ...object,
    status: {
      observedGeneration: -1,
      ...status,
      start: {
        id: unreadableStart,
        attempt: (last?.number ?? 0) + 1,
        recordedTime: metadata.creationTimestamp ?? unknownTime,
        baseline: { runIds: [] },
        outcome: "Pending",
      },
      conditions: [
        ...(status?.conditions ?? []).filter(({ type }) => type !== "Started"),
        startedCondition(object, problem),
      ],
    },
  };
}

function unreadable(object: NorthflankJobRun, misfits: readonly Misfit[]): string | undefined {
  const { status } = object;
  const misfit = misfits.find(({ path }) => telling.has(path[1]));
  if (misfit !== undefined) return `${misfit.field} ${misfit.message}`;
  if (status === undefined || status.start !== undefined) return undefined;
  // What was said about a status like that, once, is all that is left of it: the record was never there to be written.
  // A CRD of an earlier version drops the field, and then the condition is what is left.
  const isSaidUnknown = status.unknownStartId !== undefined || unknownStartOf(object) !== undefined;
  if (isSaidUnknown) return "the outcome of a start is unknown, and status.start is missing";
  const isTorn = status.runId !== undefined && (status.attempts ?? []).length === 0;
  return isTorn ? "status.runId names a run, and neither status.start nor status.attempts does" : undefined;
}

function isActive(attempt: { readonly completionTime?: string } | undefined): boolean {
  return attempt !== undefined && attempt.completionTime === undefined;
}

function startedCondition(object: NorthflankJobRun, problem: string): Condition {
  const { metadata } = object;
  const said = unknownStartOf(object);
  if (said !== undefined) return said;
  const message =
    `The status is not readable (${problem}), so whether a run was started is unknown, and no run is started. Find the ` +
    "run in Northflank, then set the annotation northflank-operator.io/resolve-start to the id of the run, to retry, or " +
    "to fail.";
  return {
    type: "Started",
    status: "Unknown",
    reason: "StartOutcomeUnknown",
    message: capped(message, longestMessage),
    observedGeneration: metadata.generation ?? 0,
    lastTransitionTime: metadata.creationTimestamp ?? unknownTime,
  };
}
