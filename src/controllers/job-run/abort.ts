// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import { formatTime } from "../../runtime/conditions.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import type { EventDraft } from "../reconcile/events.ts";
import { type FailureClass, nextFailure } from "../reconcile/failure.ts";
import type { Requeue } from "../reconcile/requeue.ts";
import type { Attempt, RunIntent } from "./machine.ts";
import { judgeFailedCall } from "./remedies.ts";
import {
  attemptOf,
  briskPollMs,
  normal,
  pollIntervalMs,
  progressing,
  type RunResult,
  type Situation,
} from "./result.ts";

const abortCauses: Readonly<Record<Aborting, string>> = {
  cleanup: "the object is being deleted (deletionPolicy Abort)",
  aborted: "this was asked for",
  expired: "spec.activeDeadlineSeconds is over",
};

type Aborting = Extract<RunIntent, "cleanup" | "aborted" | "expired">;

/** True for an intent that aborts the run. */
export function isAborting(intent: RunIntent): intent is Aborting {
  return intent in abortCauses;
}

export function abortingMessage({ runId }: Attempt, intent: Aborting): string {
  return `Run ${runId} is being aborted: ${abortCauses[intent]}.`;
}

/** For an abort that was sent; none for an intent that aborts nothing. */
export function abortEvents(attempt: Attempt, intent: RunIntent): readonly EventDraft[] {
  return isAborting(intent) ? [normal("AbortRequested", "AbortRun", abortingMessage(attempt, intent))] : [];
}

/** The intent is new: it is recorded before it is carried out, so that it outlives what is made of the spec. */
export function decideAbortRecorded(object: NorthflankJobRun, now: number, replacedBy?: ObjectKey): RunResult {
  const why = replacedBy === undefined ? "spec.abort is true" : `${replacedBy} replaces it (concurrencyPolicy Replace)`;
  const message = `Run ${attemptOf(object).runId} is being aborted: ${why}.`;
  return progressing("Aborting", message, {
    fields: { abortRequestedTime: object.status?.abortRequestedTime ?? formatTime(now) },
    next: { kind: "again" },
  });
}

/** A run whose abort was refused: it is followed all the same. */
export function decideAbortRefused(
  situation: Situation,
  polled: RunResult,
  { error, count }: { readonly error: NorthflankError; readonly count: number },
): RunResult {
  const { object, now, settings } = situation;
  const { readyState, failure: refusal } = judgeFailedCall(situation, error);
  const { runId } = attemptOf(object);
  const afterMs = briskPollMs(situation);
  const everyMs = [pollIntervalMs(settings, 0), pollIntervalMs(settings, Number.POSITIVE_INFINITY)] as const;
  const next: Requeue = { kind: "recheck", afterMs, asks: true, pause: { everyMs } };
  if (refusal === undefined) {
    const message = `The abort of run "${runId}" waits for the request quota of the account.`;
    const fields = { ...polled.fields, abortedRunId: undefined };
    return { ...polled, next, fields, readyState: { kind: "progressing", reason: readyState.reason, message } };
  }
  const status = error.httpStatus === undefined ? "" : ` (HTTP ${error.httpStatus})`;
  const message = `Northflank did not abort run "${runId}"${status}: ${error.detail}.${abortRemedy(refusal.class, error)}`;
  const { reason } = readyState;
  const previous = object.status?.failure;
  const isSaid = previous !== undefined && previous.count >= count && previous.reason === reason;
  const { httpStatus } = error;
  const counted = { previous, class: refusal.class, reason, httpStatus, message, nextTryMs: undefined, now } as const;
  const failure = isSaid ? previous : nextFailure(counted);
  return {
    ...polled,
    next,
    readyState: { ...readyState, message },
    fields: { ...polled.fields, failure, abortedRunId: undefined },
  };
}

function abortRemedy(failureClass: FailureClass, { code }: NorthflankError): string {
  if (failureClass === "Transient") return "";
  return code === "forbidden" || code === "unauthorized"
    ? " Grant the token's role the permission to abort runs of the job."
    : " If the run is still active, abort it in Northflank.";
}
