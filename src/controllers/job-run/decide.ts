// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import { startedRun } from "../../api/names.ts";
import type { NorthflankError, QuotaRefusal } from "../../northflank/errors.ts";
import type { StartResult } from "../../northflank/types.ts";
import { formatTime } from "../../runtime/conditions.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import { assertNever } from "../../util/assert-never.ts";
import { formatDuration } from "../../util/duration.ts";
import { present } from "../../util/present.ts";
import type { SeenBuild } from "../build/build-query.ts";
import { type FailureRecord, nextFailure } from "../reconcile/failure.ts";
import { type Blocked, withClause } from "../reconcile/ready-state.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { delayOf } from "../reconcile/requeue.ts";
import { invalidSpecMessage, type SpecProblem } from "../reconcile/spec-validation.ts";
import { adopt } from "./adopt.ts";
import { ownPartMs } from "./age.ts";
import { decideBuild } from "./build-wait.ts";
import type { Obstacle } from "./concurrency.ts";
import { withDuplicate } from "./duplicate.ts";
import { isUnresolved, latestAttempt, stateOf } from "./machine.ts";
import type { ReadBack } from "./read-back.ts";
import { immutableSpec, judgeFailedCall } from "./remedies.ts";
import { decideReadBack } from "./resolve.ts";
import {
  progressing,
  type RunResult,
  type RunSettings,
  recheck,
  recheckAsking,
  runResult,
  type Situation,
  settleWaitMs,
  stalled,
  suspended,
  untilDeadline,
  waiting,
} from "./result.ts";
import type { StartRecord } from "./start-record.ts";

/** Suspended before the start. */
export function decideHold(situation: Situation): RunResult {
  const isMarked = stateOf(situation.object) === "marked";
  const message = isMarked
    ? `spec.suspend is true: nothing is done. The annotation ${startedRun} is read when spec.suspend is false.`
    : "spec.suspend is true: the run is held back. It starts when spec.suspend is false.";
  return suspended(message, { next: untilDeadline(situation) });
}

/** The spec is broken: nothing is sent until it is changed. */
export function decideInvalid(situation: Situation, problems: readonly SpecProblem[]): RunResult {
  const message = withClause(invalidSpecMessage(problems), immutableSpec);
  return stalled("InvalidSpec", message, { next: untilDeadline(situation) });
}

/** Refused for what it asks for: reported again, not sent again. */
export function decideRejected(situation: Situation): RunResult {
  const { status } = situation.object;
  const said = status?.start?.message ?? "Northflank refused the request.";
  // Where the process ended between the record and the status, the record is all there is.
  const failure = status?.failure ?? rejection(situation, said, undefined);
  return stalled("RequestRejected", said, { next: untilDeadline(situation), fields: { failure } });
}

/** A deadline is over by the clock, of a process that has not seen enough of it: nothing is started, nor ended yet. */
export function decideDoubt(situation: Situation, leftMs: number): RunResult {
  const field = latestAttempt(situation.object) === undefined ? "startDeadlineSeconds" : "activeDeadlineSeconds";
  const message =
    `spec.${field} is over by the clock of the API server. The operator confirms this for up to ` +
    `${formatDuration(ownPartMs)} before it ends the object; nothing is started.`;
  return progressing("StartingRun", message, { next: { kind: "recheck", afterMs: leftMs } });
}

/** Something outside the object is not ready: the connection, a Secret. */
export function decideBlocked(
  situation: Situation,
  { readyState, recheckAfterMs, pause }: Omit<Blocked, "kind">,
): RunResult {
  return runResult(readyState, {
    next: recheck(situation, recheckAfterMs, pause),
    isOutcomeUnknown: situation.state === "unknown",
  });
}

/** How the sequence of a start ended. Only `accepted` and `unknown` may have started anything. */
export type StartReport =
  /** Another start of the same job is under way in this process: requeue shortly. */
  | { readonly kind: "busy" }
  /** The object is not what this reconcile took it for, or another client wrote first: nothing was sent. */
  | { readonly kind: "outdated" }
  | Blocked
  | ({ readonly kind: "noQuota" } & QuotaRefusal)
  /** `replaces`: the objects whose runs are aborted for this one; empty where that alone would not let it start. */
  | { readonly kind: "obstructed"; readonly obstacles: readonly Obstacle[]; readonly replaces: readonly ObjectKey[] }
  /** The build that the run names cannot be used yet, or ever; `elapsedMs`: since this process first saw that. */
  | { readonly kind: "buildNotUsable"; readonly seen: SeenBuild; readonly elapsedMs: number }
  /** The build or the list of runs could not be read. */
  | { readonly kind: "readFailed"; readonly error: NorthflankError }
  /** The list of runs is cut, and any active run would have to be waited for: nothing was sent. */
  | { readonly kind: "listCut" }
  /** The answer to the intent, or to its annotation, did not hold it: nothing was sent, and nothing would say so later. */
  | { readonly kind: "notStored"; readonly fields: readonly string[] }
  /**
   * The intent was recorded, then time or the lease ran out: nothing was sent. `isMarkRefused`: the API server refused to
   * store the annotation.
   */
  | { readonly kind: "gateClosed"; readonly start: StartRecord; readonly why: string; readonly isMarkRefused: boolean }
  /** A run of the start before this one turned up at the last moment: nothing was sent. */
  | { readonly kind: "lateRun"; readonly start: StartRecord; readonly readBack: ReadBack }
  /** `duplicateRunId`: it may be the run of the start that this one repeats, too late to be taken for it. */
  | {
      readonly kind: "answered";
      readonly start: StartRecord;
      readonly result: StartResult;
      readonly duplicateRunId?: string | undefined;
    };

// After the first start that was given up at the gate; doubled with each further one in a row.
const gateAgainMs = 2_000;
const longestGateAgainMs = 60_000;

/**
 * `undefined`: the status stays as it is, the reconcile is retried. `givenUp`: starts in a row, this one included, that
 * cost a request and sent nothing.
 */
export function decideStarted(situation: Situation, report: StartReport, givenUp: number): RunResult | undefined {
  switch (report.kind) {
    case "busy":
    case "outdated":
      return undefined;
    case "blocked":
      return decideBlocked(situation, report);
    case "noQuota":
      return decideNoQuota(situation, report);
    case "obstructed":
      return decideObstructed(situation, report);
    case "buildNotUsable":
      return decideBuild(situation, report.seen, report.elapsedMs);
    case "readFailed":
      return decideFailed(situation, report.error);
    case "listCut":
      return decideListCut(situation);
    case "notStored":
      return decideNotStored(situation, report.fields);
    case "gateClosed": {
      if (report.isMarkRefused && isRefusedForGood(situation.object, givenUp))
        return decideMarkRefused(situation, report.why);
      const message = `${report.why} Nothing was sent; the start is retried.`;
      const afterMs = Math.min(gateAgainMs * 2 ** Math.min(givenUp - 1, 10), longestGateAgainMs);
      // Each try costs a request, and its own writes must not be what starts the next one.
      const next = recheckAsking(situation, afterMs);
      return progressing("StartingRun", message, { next, fields: { failure: undefined } });
    }
    case "lateRun":
      return decideReadBack(situation, report.readBack, report.start);
    case "answered":
      return decideAnswer(situation, report);
    default:
      return assertNever(report, "start report");
  }
}

/** Others that write at the same time have a patch refused as well, but not so often in a row: these take minutes. */
const refusalsUntilStalled = 8;

/** Also right after a restart of the operator, where the status says so. */
function isRefusedForGood(object: NorthflankJobRun, givenUp: number): boolean {
  return object.status?.failure?.reason === "StatusNotStored" || givenUp >= refusalsUntilStalled;
}

function decideMarkRefused(situation: Situation, why: string): RunResult {
  const message =
    `${why} No run is started: allow the operator to write this annotation (RBAC, admission policies), and keep the ` +
    "annotations of the object below 256 KiB.";
  const refusal = { class: "Terminal", reason: "StatusNotStored", httpStatus: undefined, message } as const;
  return stalled("StatusNotStored", message, {
    next: recheckAsking(situation, slowProbeMs, { inMs: slowProbeMs }),
    // Counted with each try: unchanged, its times would be false, and each try writes `status.start` twice anyway.
    fields: { failure: failureOf(situation, { ...refusal, nextTryMs: slowProbeMs }) },
    isOutcomeUnknown: situation.state === "unknown",
  });
}

function decideAnswer(
  situation: Situation,
  { start, result, duplicateRunId }: Extract<StartReport, { kind: "answered" }>,
): RunResult {
  switch (result.kind) {
    case "accepted": {
      const adopted = adopt(situation, start, {
        runId: result.runId,
        runName: result.runName,
        startTime: formatTime(situation.now),
        origin: "Started",
      });
      return duplicateRunId === undefined ? adopted : withDuplicate(adopted, duplicateRunId);
    }
    case "refused":
      return decideRefused(situation, result.error);
    case "unknown":
      return decideLost(situation.settings, result.error);
    default:
      return assertNever(result, "start result");
  }
}

/** 400, 413 and 422 are about the request itself: the same one would be refused for ever. */
export function isRejectedForGood(error: NorthflankError): boolean {
  return error.code === "rejected" && [400, 413, 422].includes(error.httpStatus ?? 0);
}

function decideRefused(situation: Situation, error: NorthflankError): RunResult {
  if (!isRejectedForGood(error)) return decideFailed(situation, error);
  const message = rejectionMessage(error);
  const failure = rejection(situation, message, error.httpStatus);
  return stalled("RequestRejected", message, { next: untilDeadline(situation), fields: { failure } });
}

function rejection(situation: Situation, message: string, httpStatus: number | undefined): FailureRecord {
  const refusal = { class: "Terminal", reason: "RequestRejected" } as const;
  return failureOf(situation, { ...refusal, httpStatus, message, nextTryMs: undefined });
}

/** What the start record and the conditions say about a request that was refused for good. */
export function rejectionMessage(error: NorthflankError): string {
  const fields = error.fields.length === 0 ? "" : ` (fields: ${error.fields.join(", ")})`;
  return (
    `Northflank refused to start the run: ${error.detail}${fields}. Create a run with another spec, or set the annotation ` +
    "northflank-operator.io/reconcile-requested-at to retry."
  );
}

function decideLost(settings: RunSettings, error: NorthflankError): RunResult {
  const waitMs = settleWaitMs(settings);
  const message =
    `No response to the start request (${error.code}). It is not retried; the run list is searched ` +
    `${formatDuration(waitMs)} after the start.`;
  return progressing("RecoveringRun", message, { next: { kind: "recheck", afterMs: waitMs } });
}

/** The cluster was restored: what was started before may not be listed yet. */
export function decideRestored(situation: Situation, leftMs: number): RunResult {
  const message =
    "The API server has gone back to an earlier state, as after a restore from a backup: starts are held until a run " +
    "that this object started before, and does not know of any more, would be listed.";
  return waiting("ClusterRestored", message, { next: recheck(situation, leftMs) });
}

/** The ledger, or a 429, says not before `retryAfterMs`: waiting, never a failure. */
export function decideNoQuota(situation: Situation, { retryAfterMs, ceiling }: QuotaRefusal): RunResult {
  const limit =
    ceiling === undefined ? "The account's request quota" : `The connection's limit of ${ceiling} requests per hour`;
  const message = `${limit} does not allow ${wantedNow(situation.object)} now.`;
  return waiting("WaitingForQuota", message, {
    next: recheckAsking(situation, retryAfterMs),
    isOutcomeUnknown: situation.state === "unknown",
  });
}

function wantedNow(object: NorthflankJobRun): string {
  if (isUnresolved(object)) return "a search for the run";
  const attempt = latestAttempt(object);
  return attempt !== undefined && attempt.completionTime === undefined ? "a read of the run" : "a start";
}

// Own objects enqueue those that wait for them; this is the fallback, and how foreign runs are noticed.
const obstructedRecheckMs = 30_000;

function decideObstructed(
  situation: Situation,
  { obstacles, replaces }: Extract<StartReport, { kind: "obstructed" }>,
): RunResult {
  const { object } = situation;
  const isForeign = obstacles.some(({ kind }) => kind === "foreign");
  const isReplacing = replaces.length > 0;
  const message = obstructionMessage(object, obstacles, isReplacing);
  return waiting("WaitingForConcurrency", message, {
    next: { ...recheck(situation, obstructedRecheckMs), asks: isForeign || isReplacing },
    fields: { replaces: isReplacing ? replaces : undefined },
    enqueues: replaces,
  });
}

// What cannot be aborted is reported first: it decides how long this takes.
const tellingOrder: Readonly<Record<Obstacle["kind"], number>> = { unresolved: 0, foreign: 1, active: 2 };

function obstructionMessage(object: NorthflankJobRun, obstacles: readonly Obstacle[], isReplacing: boolean): string {
  const [first] = obstacles.toSorted(
    (left, right) => tellingOrder[left.kind] - tellingOrder[right.kind] || (left.name < right.name ? -1 : 1),
  );
  const others = obstacles.length > 1 ? ` and ${obstacles.length - 1} more` : "";
  switch (first?.kind) {
    case "unresolved":
      return `Waiting for ${first.name}${others}: it is not known yet whether its start started a run of the job.`;
    case "active": {
      const how = isReplacing ? "which is being aborted" : "whose run is active";
      return `Waiting for ${first.name}${others}, ${how} (concurrencyPolicy ${object.spec.concurrencyPolicy}).`;
    }
    default:
      return (
        `Waiting for run ${first?.name}${others} of the job, which this operator did not start and does not abort ` +
        `(concurrencyPolicy ${object.spec.concurrencyPolicy}).`
      );
  }
}

function decideListCut(situation: Situation): RunResult {
  const { concurrencyPolicy } = situation.object.spec;
  const message =
    "The job has more runs than the operator reads, and Northflank does not list the newest first. Whether another run is " +
    `active is unknown, so concurrencyPolicy ${concurrencyPolicy} starts none. Create an object with concurrencyPolicy Allow.`;
  return stalled("RunListIncomplete", message, { next: recheckAsking(situation, slowProbeMs) });
}

/**
 * What was written did not come back in the API server's answer. The object is left alone until a user changes it or
 * requests a reconcile: repeated, the same would be lost again.
 */
export function decideNotStored(situation: Situation, fields: readonly string[]): RunResult {
  const message =
    `The API server accepted the object and did not store ${fields.join(", ")}, so nothing is sent to Northflank. ` +
    "Install the CustomResourceDefinitions of this version of the operator, and remove webhooks that change the status or " +
    "the annotations.";
  return stalled("StatusNotStored", message, {
    next: { kind: "recheck", afterMs: slowProbeMs, asks: true, pause: { inMs: slowProbeMs } },
    isOutcomeUnknown: situation.state === "unknown",
  });
}

/** A call that did not get through, whatever it was for. What is known about the run stays as it is. */
export function decideFailed(situation: Situation, error: NorthflankError): RunResult {
  const { readyState, failure, next } = judgeFailedCall(situation, error);
  // The time until the quota is back differs with every check: it stays out of the message, so that status stays too.
  if (failure === undefined) {
    return decideNoQuota(situation, {
      retryAfterMs: delayOf(next) ?? slowProbeMs,
      ...present({ ceiling: error.ceiling }),
    });
  }
  return runResult(readyState, {
    fields: { failure },
    next: next.kind === "backoff" ? next : recheckAsking(situation, next.afterMs, next.pause),
    isOutcomeUnknown: situation.state === "unknown",
  });
}

function failureOf(
  { object, now }: Situation,
  failure: Omit<Parameters<typeof nextFailure>[0], "previous" | "now">,
): FailureRecord {
  return nextFailure({ previous: object.status?.failure, now, ...failure });
}
