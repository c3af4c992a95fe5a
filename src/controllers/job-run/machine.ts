// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import { runFinalizer } from "../../api/names.ts";
import { hasFinalizer } from "../../runtime/finalizers.ts";
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import type { SpecProblem } from "../reconcile/spec-validation.ts";
import { markOf } from "./mark.ts";
import { type StartRecord, unreadableStart } from "./start-record.ts";

/*
 * Where a run is, by the object alone, and what is wanted of it. The two together name the step of this reconcile.
 *
 *                 start recorded            answer: refused for sure
 *        +------+ outcome: Pending  +------------+ NotStarted      400, 413, 422
 *   ---> | idle |------------------>| unresolved |-----------+---------------> rejected --+
 *        +------+                   +------------+           |                            | a reconcile request
 *           ^                        |     |   ^  |          v                            v
 *           |        answer lost and |     |   |  |       idle again, after a pause     idle
 *           |        outcome unknown v     |   |  |
 *           |                   +---------+|   |  | wait, list the runs:
 *           |                   | unknown ||   |  | exactly one new run
 *           |                   +---------+|   |  |
 *           | a person says       |  |  |  |   |  |
 *           +---- retry ----------+  |  |  |   |  |
 *           |       names the run ---|--+--+---|--+--> +--------+   abort, deadline, deletion: DELETE, then follow on
 *           |                  fail  |         |       | active | <--+
 *           |                        |         |       +--------+ ---+ polled, ever more slowly
 *           |   AtLeastOnce, none    |         |         |    |
 *           +---- found twice -------|---------+         |    | FAILED, within backoffLimit
 *                                    v                   |    v
 *                               +----------+   over      |  +---------+  pause   start recorded
 *                               | finished |<------------+  | between |--------> unresolved
 *                               +----------+<---------------+---------+
 *
 *   an object with the annotation of a start that its status lacks: restored from a backup, or a copy (see mark.ts)
 *
 *        +--------+  the annotation is its own    +------------+  names the run, or exactly one is found   +---------+  over
 *   ---> | marked |-----------------------------> | unresolved | ----------------------------------------> | adopted |-----> finished
 *        +--------+  record annotation:...        +------------+                                           +---------+
 *           | the annotation is taken away: idle
 *
 * Promises:
 *  1. A POST is only ever sent right after a start record of the same id became durable in this very reconcile.
 *  2. What a crash leaves behind is `unresolved`: it is read back before anything else is done.
 *  3. `finished` is left by nothing: no call to Northflank is made for it any more (but for one last poll where a
 *     repeated start may have a late duplicate).
 *  4. `marked` and `adopted` start nothing and abort nothing: an annotation is no proof of whose a run is.
 */
export type RunState =
  | "idle"
  | "marked"
  | "rejected"
  | "unresolved"
  | "unknown"
  | "active"
  | "adopted"
  | "between"
  | "finished";

/**
 * What is wanted of the object, the strongest first. `cleanup`: deleted, and our finalizer holds it until its run is
 * aborted. `deleting`: deleted, and not held. `expired`: a deadline is over. `invalid`: the spec is broken
 * and nothing has been started yet.
 */
export type RunIntent = "cleanup" | "deleting" | "aborted" | "expired" | "invalid" | "suspended" | "proceed";

/** What this reconcile does. Each has one function in `steps.ts`. */
export type Step =
  | "start"
  | "adopt"
  | "hold"
  | "refuseSpec"
  | "standRejected"
  | "endUnstarted"
  | "leave"
  | "resolve"
  | "awaitPerson"
  | "follow"
  | "rest"
  | "abort"
  | "stayFinished";

/** Every state under every intent: a new one of either does not compile until it is decided on. */
export const steps: Readonly<Record<RunState, Readonly<Record<RunIntent, Step>>>> = {
  idle: {
    cleanup: "leave",
    deleting: "leave",
    aborted: "endUnstarted",
    expired: "endUnstarted",
    invalid: "refuseSpec",
    suspended: "hold",
    proceed: "start",
  },
  marked: {
    cleanup: "leave",
    deleting: "leave",
    aborted: "endUnstarted",
    expired: "adopt",
    invalid: "refuseSpec",
    suspended: "hold",
    proceed: "adopt",
  },
  rejected: {
    cleanup: "leave",
    deleting: "leave",
    aborted: "endUnstarted",
    expired: "endUnstarted",
    invalid: "refuseSpec",
    suspended: "hold",
    proceed: "standRejected",
  },
  // Whatever is wanted: first it has to be known whether there is a run.
  unresolved: always("resolve"),
  unknown: {
    cleanup: "leave",
    deleting: "leave",
    aborted: "endUnstarted",
    expired: "awaitPerson",
    invalid: "awaitPerson",
    suspended: "awaitPerson",
    proceed: "awaitPerson",
  },
  active: {
    cleanup: "abort",
    deleting: "follow",
    aborted: "abort",
    expired: "abort",
    invalid: "follow",
    suspended: "rest",
    proceed: "follow",
  },
  // Whatever is wanted: whose run it is, only an annotation says.
  adopted: {
    cleanup: "leave",
    deleting: "follow",
    aborted: "follow",
    expired: "follow",
    invalid: "follow",
    suspended: "rest",
    proceed: "follow",
  },
  between: {
    cleanup: "leave",
    deleting: "leave",
    aborted: "endUnstarted",
    expired: "endUnstarted",
    invalid: "refuseSpec",
    suspended: "hold",
    proceed: "start",
  },
  finished: always("stayFinished"),
};

function always(step: Step): Readonly<Record<RunIntent, Step>> {
  return {
    cleanup: step,
    deleting: step,
    aborted: step,
    expired: step,
    invalid: step,
    suspended: step,
    proceed: step,
  };
}

/** The state of a run, from its status. */
export function stateOf(object: NorthflankJobRun): RunState {
  const { status } = object;
  if (status?.completionTime !== undefined) return "finished";
  if (isUnresolved(object)) return isJudgedUnknown(object) ? "unknown" : "unresolved";
  const attempt = latestAttempt(object);
  if (attempt?.origin === "Adopted") return "adopted";
  if (attempt !== undefined && !mayBeRepeated(attempt, object.spec)) return "active";
  if (isRejected(object)) return "rejected";
  if (isMarked(object)) return "marked";
  return attempt === undefined ? "idle" : "between";
}

/**
 * Whether another run may follow this one. Where the end of the object was removed from its status, none does: its
 * last run is polled again, and ends it again.
 */
function mayBeRepeated({ completionTime, remoteStatus, number }: Attempt, spec: NorthflankJobRun["spec"]): boolean {
  return completionTime !== undefined && remoteStatus !== "SUCCESS" && number <= spec.backoffLimit;
}

/**
 * The annotation of a start is there, and the status, which would say more, has neither a start nor a run so new. The
 * record of a start always comes before its annotation.
 */
function isMarked(object: NorthflankJobRun): boolean {
  const reading = markOf(object);
  if (reading === undefined) return false;
  const known = Math.max(object.status?.start?.attempt ?? 0, latestAttempt(object)?.number ?? 0);
  return known < (reading.kind === "mark" ? reading.mark.attempt : 1);
}

/**
 * True while it is not known whether, or as which run, the recorded start has come through. That a record says
 * `Accepted` while its run is missing means that a client that knew less overwrote the status: the run is searched for
 * again.
 */
export function isUnresolved({ status }: Pick<NorthflankJobRun, "status">): boolean {
  const start = status?.start;
  if (status?.completionTime !== undefined || start === undefined || start.outcome === "NotStarted") return false;
  return !(status?.attempts ?? []).some(({ number }) => number === start.attempt);
}

/** One run in Northflank, as the status keeps it. */
export type Attempt = NonNullable<NonNullable<NorthflankJobRun["status"]>["attempts"]>[number];

/** The current run, or the last one; `undefined` before the first. */
export function latestAttempt(object: NorthflankJobRun): Attempt | undefined {
  return object.status?.attempts?.at(-1);
}

/** What {@link intentOf} needs to know beside the object. */
export interface Circumstances {
  readonly state: RunState;
  /**
   * Milliseconds since the object was created, and since its first run started (0 while there is none), as far as they
   * may be acted upon (see `age.ts`).
   */
  readonly sinceCreationMs: number;
  readonly sinceStartMs: number;
  /** What is wrong with the spec; empty when it is in order. */
  readonly problems: readonly SpecProblem[];
  /** Another run of ours, with `concurrencyPolicy: Replace`, waits for the place of this one. */
  readonly isReplaced: boolean;
}

/** The strongest intent. */
export function intentOf(object: NorthflankJobRun, circumstances: Circumstances): RunIntent {
  const { spec, metadata } = object;
  if (metadata.deletionTimestamp !== undefined) {
    return hasFinalizer(metadata, runFinalizer) && spec.deletionPolicy === "Abort" ? "cleanup" : "deleting";
  }
  if (isAbortWanted(object) || circumstances.isReplaced) return "aborted";
  if (isPastLimit(object, circumstances)) return "expired";
  if (circumstances.problems.length > 0 && isJudged(circumstances.state)) return "invalid";
  return spec.suspend ? "suspended" : "proceed";
}

/** True from the first sight of `spec.abort: true` on, whatever is made of the spec later. */
export function isAbortWanted({ spec, status }: NorthflankJobRun): boolean {
  return spec.abort || status?.abortRequestedTime !== undefined;
}

/** True where the next step of an undisturbed object is a POST. */
export function isBeforeStart(state: RunState): boolean {
  return state === "idle" || state === "rejected" || state === "between";
}

/** True where a broken spec matters: nothing of this object is under way that would have to be followed all the same. */
export function isJudged(state: RunState): boolean {
  return isBeforeStart(state) || state === "marked";
}

/** Whether the deadline that counts in this state is over. */
export function isPastLimit(
  object: NorthflankJobRun,
  circumstances: Pick<Circumstances, "state" | "sinceCreationMs" | "sinceStartMs">,
): boolean {
  const limit = limitOf(object, circumstances);
  return limit !== undefined && limit.elapsedMs >= limit.limitMs;
}

/** The deadline that counts in this state, and how much of it is over; `undefined` where there is none. */
export function limitOf(
  object: NorthflankJobRun,
  { state, sinceCreationMs, sinceStartMs }: Pick<Circumstances, "state" | "sinceCreationMs" | "sinceStartMs">,
): { readonly limitMs: number; readonly elapsedMs: number } | undefined {
  const { startDeadlineSeconds, activeDeadlineSeconds } = object.spec;
  switch (state) {
    case "idle":
    case "marked":
    case "rejected": {
      // After a first run `rejected` and `between` belong to the time that activeDeadlineSeconds limits.
      const hasRun = sinceStartMs > 0 || latestAttempt(object) !== undefined;
      return hasRun ? limit(activeDeadlineSeconds, sinceStartMs) : limit(startDeadlineSeconds, sinceCreationMs);
    }
    case "active":
    case "between":
      return limit(activeDeadlineSeconds, sinceStartMs);
    default:
      return undefined;
  }
}

function limit(
  seconds: number | undefined,
  elapsedMs: number,
): { readonly limitMs: number; readonly elapsedMs: number } | undefined {
  return seconds === undefined ? undefined : { limitMs: seconds * 1_000, elapsedMs };
}

/** True where a person has to say what came of the start. */
export function isJudgedUnknown({ status }: Pick<NorthflankJobRun, "status">): boolean {
  const startId = status?.start?.id;
  return startId !== undefined && (startId === status?.unknownStartId || startId === unreadableStart);
}

/** Refused for what it asks for: it would be refused again, so it is sent again only on a reconcile request. */
function isRejected(object: NorthflankJobRun): boolean {
  return isRecordedAsRejected(object) && !isReconcileRequested(object);
}

function isRecordedAsRejected({ status }: NorthflankJobRun): boolean {
  return status?.start?.outcome === "NotStarted" && status.start.reason === "RequestRejected";
}

/**
 * The record of a rejected start as a reconcile request leaves it; `undefined` where there is none to follow. The wish
 * is kept in the record until it was tried: the request itself is acknowledged at once, whatever stands in its way.
 */
export function reopenedByRequest(object: NorthflankJobRun): StartRecord | undefined {
  const start = object.status?.start;
  const isOver = object.status?.completionTime !== undefined || object.metadata.deletionTimestamp !== undefined;
  if (start === undefined || isOver || !isRecordedAsRejected(object) || !isReconcileRequested(object)) return undefined;
  // One that was to repeat a start without an answer does so again, and keeps searching for the run of that one.
  return { ...start, reason: start.firstRecordedTime === undefined ? "StartingRun" : "StartOutcomeUnknown" };
}
