// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { Reason } from "../../api/reasons.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { formatDuration } from "../../util/duration.ts";
import type { ReadyState } from "../reconcile/ready-state.ts";
import type { Requeue } from "../reconcile/requeue.ts";
import { ttlMs, untilMs } from "./age.ts";
import { isUnresolved, latestAttempt, type RunIntent, stateOf } from "./machine.ts";
import {
  normal,
  progressing,
  type RunResult,
  runResult,
  type Situation,
  stalled,
  unchanged,
  warning,
  withFields,
} from "./result.ts";
import { isGivenUp } from "./start-record.ts";

/** How a run object ended. */
export interface End {
  readonly reason: EndReason;
  readonly message: string;
  /** RFC 3339. */
  readonly time: string;
}

/** Every way to end. */
export type EndReason = Extract<
  Reason,
  | "RunSucceeded"
  | "RunFailed"
  | "RunAborted"
  | "RunAbortedRemotely"
  | "RunDisappeared"
  | "BackoffLimitExceeded"
  | "DeadlineExceeded"
  | "StartDeadlineExceeded"
  | "StartOutcomeUnknown"
  | "AbortedOnDelete"
  | "BuildFailed"
>;

/** The object is over: status, ttl, and those that waited for it. */
export function finish(object: NorthflankJobRun, end: End, isOutcomeUnknown = false): RunResult {
  const isSuccess = end.reason === "RunSucceeded";
  const readyState: ReadyState = { kind: isSuccess ? "ready" : "stalled", reason: end.reason, message: end.message };
  const result = runResult(readyState, {
    fields: { completionTime: end.time, failure: undefined },
    next: afterFinish(object),
    events: [isSuccess ? normal("RunSucceeded", "Observe", end.message) : warning(end.reason, "Observe", end.message)],
  });
  return { ...result, isOutcomeUnknown };
}

function afterFinish({ spec, metadata }: NorthflankJobRun): Requeue {
  const { ttlSecondsAfterFinished: ttl } = spec;
  if (ttl === undefined || ttl === null || metadata.deletionTimestamp !== undefined) return { kind: "never" };
  return ttl === 0 ? { kind: "again" } : { kind: "recheck", afterMs: ttl * 1_000 };
}

/** Over without a run that is active: aborted, or a deadline passed. */
export function decideUnstartedEnd(situation: Situation, intent: RunIntent): RunResult {
  const { object, now } = situation;
  const time = formatTime(now);
  const start = object.status?.start;
  // Given up to be repeated: what it has started, if anything, may still turn up.
  const isUnanswered = start !== undefined && isGivenUp(start);
  if (intent === "aborted") {
    const isOpen = isUnresolved(object) || isUnanswered || stateOf(object) === "marked";
    const message = isOpen
      ? "Aborted while it was unknown whether a run was started. No more runs are started; check the runs of the job in Northflank."
      : "Aborted before a run was started.";
    const fields = { abortRequestedTime: object.status?.abortRequestedTime ?? time };
    return withFields(finish(object, { reason: "RunAborted", message, time }), fields);
  }
  if (latestAttempt(object) !== undefined) return finish(object, deadlineEnd(object, time));
  const within = `within ${object.spec.startDeadlineSeconds} s (spec.startDeadlineSeconds)`;
  const message = isUnanswered
    ? `The start without an answer was not repeated ${within}. It is unknown whether it started a run; check the runs of the job in Northflank.`
    : `The run was not started ${within}.`;
  return finish(object, { reason: "StartDeadlineExceeded", message, time });
}

/** The object is deleted and has no run that must be waited for. */
export function decideLeave(object: NorthflankJobRun): RunResult {
  const state = stateOf(object);
  const isOpen = isUnresolved(object);
  const message = leavingMessage(object, isOpen);
  return progressing("Deleting", message, {
    next: { kind: "never" },
    isOutcomeUnknown: isOpen,
    isReleased: true,
    events: isOpen || state === "adopted" ? [warning("Abandoned", "AbortRun", message)] : [],
  });
}

function leavingMessage(object: NorthflankJobRun, isOpen: boolean): string {
  if (isOpen) {
    return "The object is being deleted. It is unknown whether its last start started a run: check the runs of the job in Northflank.";
  }
  if (stateOf(object) !== "adopted") return "The object is being deleted; nothing is started.";
  return (
    `The object is being deleted. Run ${latestAttempt(object)?.runId} was started before the object lost its status, so it ` +
    "is not aborted: abort it in Northflank if it is not wanted."
  );
}

/** How long a deletion is held back while its run cannot be aborted. */
export const longestCleanupMs = 600_000;

/** The same, where only the request quota of the account stands in the way: an hour later it is back. */
export const longestQuotaCleanupMs = 4_200_000;

/** The run could not be aborted in time: the object is released, so that no namespace is held by a lost Secret. */
export function decideDeleteTimedOut(limitMs: number): RunResult {
  const message =
    `The run could not be aborted within ${formatDuration(limitMs)} of the deletion; the object is released. ` +
    "Check the run in Northflank: it may still be active.";
  return stalled("DeleteTimedOut", message, {
    next: { kind: "never" },
    isReleased: true,
    events: [warning("DeleteTimedOut", "AbortRun", message)],
  });
}

/**
 * A finished object says again what it said, for the new generation or request; no remote call. What its status
 * has lost is restored from what is left.
 */
export function decideFinished({ object, sinceEndMs }: Situation): RunResult {
  const reason = reasonOfAttempt(object);
  const kind = reason === "RunSucceeded" ? "ready" : "stalled";
  const said = { kind, reason, message: "The run is over." } as const;
  return { ...unchanged(object, said), next: afterEnd(object, sinceEndMs) };
}

function reasonOfAttempt(object: NorthflankJobRun): EndReason {
  switch (latestAttempt(object)?.remoteStatus) {
    case "SUCCESS":
      return "RunSucceeded";
    case "FAILED":
      return "RunFailed";
    default:
      return "RunDisappeared";
  }
}

/** True for a finished object whose time to stay is over. */
export function isTtlOver(object: NorthflankJobRun, sinceEndMs: number): boolean {
  const limitMs = ttlMs(object);
  return limitMs !== undefined && sinceEndMs >= limitMs;
}

// The answer to the DELETE comes as an event; this is the net below that.
const deletedRecheckMs = 60_000;

function afterEnd(object: NorthflankJobRun, sinceEndMs: number): Requeue {
  const limitMs = ttlMs(object);
  if (limitMs === undefined) return { kind: "never" };
  return { kind: "recheck", afterMs: untilMs(sinceEndMs, limitMs) ?? deletedRecheckMs };
}

/** The end by spec.activeDeadlineSeconds. */
export function deadlineEnd({ spec }: NorthflankJobRun, time: string): End {
  const message = `The run was active for longer than ${spec.activeDeadlineSeconds} s (spec.activeDeadlineSeconds).`;
  return { reason: "DeadlineExceeded", message, time };
}
