// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import { startedRun } from "../../api/names.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { JobRunView } from "../../northflank/types.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import { assertNever } from "../../util/assert-never.ts";
import { formatDuration } from "../../util/duration.ts";
import type { EventDraft } from "../reconcile/events.ts";
import { nextFailure } from "../reconcile/failure.ts";
import type { ReadyState } from "../reconcile/ready-state.ts";
import type { Requeue } from "../reconcile/requeue.ts";
import { deadlineEnd, type End, finish } from "./ends.ts";
import { type Attempt, isAbortWanted, type RunIntent } from "./machine.ts";
import { type Known, maxAttempts } from "./memory.ts";
import { duplicateWatchMs } from "./read-back.ts";
import { judgeFailedCall } from "./remedies.ts";
import {
  attemptOf,
  normal,
  progressing,
  type RunResult,
  type RunSettings,
  recheck,
  recheckAsking,
  runResult,
  type Situation,
  type StatusFields,
  suspended,
  untilDeadline,
  warning,
  withFields,
} from "./result.ts";
import { elapsedSince, isFromAnnotation, isServerTime, type StartRecord, timeMs } from "./start-record.ts";

/** A run that was found takes the place of the answer that was lost. */
export function adoptFound(situation: Situation, start: StartRecord, run: JobRunView): RunResult {
  const startMs = timeMs(run.startedAt);
  const isCopy = isFromAnnotation(start);
  const own = isCopy ? adoptedMs : ownMs;
  return adopt(situation, start, {
    runId: run.id,
    runName: run.runName,
    startTime: formatTime(startMs ?? situation.now),
    ownStartTime: formatTime(startMs === undefined ? situation.now : own(situation, startMs)),
    origin: isCopy ? "Adopted" : "Recovered",
  });
}

/** The run of a start is known: it is what the object is about from now on. */
export function adopt(
  situation: Situation,
  start: StartRecord,
  found: {
    readonly runId: string;
    readonly runName: string | undefined;
    readonly startTime: string;
    /** The same by our own clock, where it is not that already. */
    readonly ownStartTime?: string;
    readonly origin: Attempt["origin"];
  },
): RunResult {
  const { object, settings } = situation;
  const attempt: Attempt = {
    number: start.attempt,
    runId: found.runId,
    ...(found.runName === undefined ? {} : { runName: capped(found.runName, 256) }),
    remoteStatus: "RUNNING",
    startTime: found.startTime,
    origin: found.origin,
  };
  const isFound = found.origin !== "Started";
  const { reason: _reason, message: _message, ...open } = start;
  const fields: StatusFields = {
    attempts: [...(object.status?.attempts ?? []), attempt].slice(-maxAttempts),
    runId: attempt.runId,
    runName: attempt.runName,
    startTime: object.status?.startTime ?? found.ownStartTime ?? attempt.startTime,
    failure: undefined,
  };
  return runResult(running(object, attempt), {
    fields,
    next: isFound ? { kind: "again" } : { kind: "recheck", afterMs: settings.runPollIntervalMs, asks: true },
    record: { ...open, outcome: isFound ? "Recovered" : "Accepted" },
    events: [adoptionEvent(object, attempt)],
  });
}

function adoptionEvent({ spec }: NorthflankJobRun, { origin, runId }: Attempt): EventDraft {
  switch (origin) {
    case "Started":
      return normal("RunStarted", "StartRun", `Started run ${runId} of job ${spec.jobId}.`);
    case "Recovered":
      return normal("RunRecovered", "StartRun", `Found run ${runId}, whose start had no answer.`);
    case "Adopted":
      return normal("RunAdopted", "StartRun", `Adopted run ${runId}, which was started before the status was lost.`);
    default:
      return assertNever(origin, "origin");
  }
}

function running({ spec }: NorthflankJobRun, attempt: Attempt): ReadyState {
  const { runId } = attempt;
  const message = `Run ${runId} of job ${spec.jobId} is active.${isAdopted(attempt) ? ` ${followedOnly}` : ""}`;
  return { kind: "progressing", reason: "RunActive", message };
}

function isAdopted({ origin }: Attempt): boolean {
  return origin === "Adopted";
}

const followedOnly =
  "It was started before this object lost its status, so the operator follows it and never aborts it: abort it in " +
  "Northflank if it is not wanted.";

/** What an end says of a run that this object did not start, as far as Kubernetes knows. */
function adoptedNote(attempt: Attempt): string {
  if (!isAdopted(attempt)) return "";
  return (
    " It was started before this object lost its status, and no other run was started; to run the job again, create an " +
    `object without the annotation ${startedRun}.`
  );
}

/**
 * What was seen of the run of the current attempt. `isGone`: it is not there, and that is proven. `jobCreatedTime`: the job
 * is another one, created after the start of the run.
 */
export interface RunSight {
  readonly run: JobRunView | undefined;
  readonly isGone: boolean;
  readonly jobCreatedTime?: string | undefined;
}

/** For so long every read must miss a run before the list is asked: reads lag, and an API that is being deployed lies. */
export const missingMs = 300_000;

/** A list that is cut proves nothing about an old run: then time has to. */
export const missingFromCutListMs = 1_800_000;

/** True where a run counts as gone. `absence`: what the list says; `undefined` where it was not read, or has the run. */
export function isProvenGone(missingForMs: number, absence: "complete" | "truncated" | undefined): boolean {
  if (absence === undefined) return false;
  return missingForMs >= (absence === "complete" ? missingMs : missingFromCutListMs);
}

/**
 * How old the first run is by Northflank's clock; `undefined` where that is not known. What Northflank says of a start
 * is believed only where it lies between the record of the start, or else the creation of the object, and now: one
 * absurd time must not end a run.
 */
export function remoteAgeMs(
  { status }: NorthflankJobRun,
  seen: {
    readonly attempt: Attempt;
    readonly run: JobRunView;
    readonly remoteNow: number | undefined;
    /** Since the object was created, in milliseconds. */
    readonly objectAgeMs: number;
  },
): number | undefined {
  const { attempt, run, remoteNow, objectAgeMs } = seen;
  if (remoteNow === undefined) return undefined;
  if (attempt.number > 1) {
    const first = status?.attempts?.find(({ number }) => number === 1);
    const firstMs = first?.completionTime === undefined ? undefined : timeMs(first.startTime);
    return firstMs === undefined ? undefined : Math.min(objectAgeMs, Math.max(0, remoteNow - firstMs));
  }
  const recordedMs = recordedMsOf(status, attempt);
  const startedMs = timeMs(run.startedAt);
  const isInFuture = startedMs !== undefined && startedMs > remoteNow + machinesAllowanceMs;
  const sinceMs = isInFuture ? recordedMs : laterOf(startedMs, recordedMs);
  if (sinceMs === undefined) return undefined;
  return Math.min(recordedMs === undefined ? objectAgeMs : Number.POSITIVE_INFINITY, Math.max(0, remoteNow - sinceMs));
}

/** When the start of this run, or the one it repeats, was recorded by Northflank's clock; a little earlier, to be sure. */
function recordedMsOf(status: NorthflankJobRun["status"], { number }: Attempt): number | undefined {
  const start = status?.start;
  if (start?.attempt !== number || !isServerTime(start)) return undefined;
  const recordedMs = timeMs(start.firstRecordedTime) ?? timeMs(start.recordedTime);
  return recordedMs === undefined ? undefined : recordedMs - machinesAllowanceMs;
}

function laterOf(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined ? left : Math.max(left, right);
}

/** `Date` and `startedAt` come in whole seconds, and the machines of the API need not agree to one. */
const machinesAllowanceMs = 10_000;

/**
 * The run was polled; `intent` is why it may have been aborted. `hasSentAbort`: in this reconcile. `sinceAbortMs`:
 * since an abort was first accepted.
 */
export function decideFollowed(situation: Situation, sight: RunSight, options: Following): RunResult {
  const { object } = situation;
  const attempt = attemptOf(object);
  const isAborting = options.intent === "aborted" || options.intent === "expired" || options.intent === "cleanup";
  if (sight.run === undefined) {
    if (sight.isGone) return decideDisappeared(situation, isAborting, options.intent, sight.jobCreatedTime);
    return stillRunning(situation, options);
  }
  const { run } = sight;
  if (!run.concluded) return stillRunning(situation, options);
  const ended = endedAttempt(situation.now, object, attempt, run);
  const began = adoptedStart(situation, attempt, run);
  const fields: StatusFields = {
    ...mended(object),
    ...began,
    attempts: replaceLatest(object, ended),
    failure: undefined,
  };
  const result = withFields(decideOver(situation, { ...options, run, ended }), fields);
  const why = abortCauses[options.intent];
  if (!options.hasSentAbort || why === undefined) return result;
  return { ...result, events: [abortEvent(attempt, why), ...result.events] };
}

interface Following {
  readonly intent: RunIntent;
  readonly hasSentAbort: boolean;
  readonly sinceAbortMs?: number;
}

function abortEvent({ runId }: Attempt, why: string): EventDraft {
  return normal("AbortRequested", "AbortRun", `Run ${runId} is being aborted: ${why}.`);
}

function decideOver(
  situation: Situation,
  { run, ended, intent, hasSentAbort }: Following & { readonly run: JobRunView; readonly ended: Attempt },
): RunResult {
  const { object } = situation;
  const time = formatTime(endMs(situation, timeMs(run.concludedAt)));
  const name = `Run ${ended.runId}`;
  if (run.status === "SUCCESS") {
    const message = `${name} ended with success.${adoptedNote(ended)}`;
    return finish(object, { reason: "RunSucceeded", message, time });
  }
  if (isAdopted(ended)) return decideAdoptedEnd(object, ended, time);
  if (intent === "cleanup") {
    return finish(object, { reason: "AbortedOnDelete", message: `${name} was aborted for the deletion.`, time });
  }
  if (isAbortWanted(object)) {
    return finish(object, { reason: "RunAborted", message: `${name} was aborted, as was asked for.`, time });
  }
  // Aborted by us, for the deadline, which is the one cause left: the clocks of both sides need not agree on how long it
  // took, and a process that has just started does not trust its own enough to want an abort.
  const isAbortedByUs = hasSentAbort || object.status?.abortedRunId === ended.runId;
  const hasDeadline = object.spec.activeDeadlineSeconds !== undefined;
  if (hasDeadline && isAbortedByUs) return finish(object, deadlineEnd(object, time));
  if (isPastDeadline(object, ended)) return finish(object, deadlineEnd(object, time));
  if (/abort|cancel|terminat/i.test(run.status)) {
    const message = `${name} was aborted in Northflank (${capped(run.status, 32)}), not by this operator.`;
    return finish(object, { reason: "RunAbortedRemotely", message, time });
  }
  return decideFailedRun(situation, ended, time);
}

/** Why it ended is not known: whatever aborted it did so for the object that had the status. Nothing follows it. */
function decideAdoptedEnd(object: NorthflankJobRun, ended: Attempt, time: string): RunResult {
  const message = `Run ${ended.runId} failed (${ended.remoteStatus}).${adoptedNote(ended)}`;
  return finish(object, { reason: "RunFailed", message, time });
}

/** When the run was over, by our own clock: the ttl counts from here. Never before its start. */
function endMs(situation: Situation, concludedMs: number | undefined): number {
  const { now, object } = situation;
  if (concludedMs === undefined) return now;
  const startMs = situation.remoteNow === undefined ? undefined : timeMs(object.status?.startTime);
  return Math.min(now, Math.max(ownMs(situation, concludedMs), startMs ?? Number.NEGATIVE_INFINITY));
}

/**
 * A time of Northflank by our own clock. Where it is not known how far apart the two are, it is believed as it is, as long
 * as it lies between the creation of the object and now. If not, they are far apart, and it counts from now on: a deadline
 * that comes late does less harm than one that comes early.
 */
export function ownMs({ now, remoteNow, object }: Situation, remoteMs: number): number {
  const createdMs = timeMs(object.metadata.creationTimestamp) ?? now;
  if (remoteNow === undefined && remoteMs < createdMs - machinesAllowanceMs) return now;
  return Math.min(now, Math.max(createdMs, now - ((remoteNow ?? now) - remoteMs)));
}

/** The same of a run that is adopted: it began before its object came back, and no deadline is counted from here. */
export function adoptedMs({ now, remoteNow }: Situation, remoteMs: number): number {
  return Math.min(now, now - ((remoteNow ?? now) - remoteMs));
}

/** When an adopted run began, where the annotation did not say so and Northflank does. */
function adoptedStart(
  situation: Situation,
  attempt: Attempt,
  { startedAt }: JobRunView,
): Pick<StatusFields, "startTime"> {
  const { attempts, startTime } = situation.object.status ?? {};
  const startedMs = timeMs(startedAt);
  if (!isAdopted(attempt) || startedMs === undefined || (attempts?.length ?? 0) > 1) return {};
  const knownMs = timeMs(startTime);
  const beganMs = adoptedMs(situation, startedMs);
  // The two clocks are not compared to the second.
  if (knownMs !== undefined && Math.abs(knownMs - beganMs) <= machinesAllowanceMs) return {};
  return { startTime: formatTime(beganMs) };
}

/** What a status lacks of the first and the present run, from what it still has: nothing is missing for good. */
function mended({ status }: NorthflankJobRun): StatusFields {
  const attempts = status?.attempts ?? [];
  const startTime = status?.startTime ?? attempts[0]?.startTime;
  const runName = status?.runName ?? attempts.at(-1)?.runName;
  return { ...(startTime === undefined ? {} : { startTime }), ...(runName === undefined ? {} : { runName }) };
}

function decideFailedRun(situation: Situation, ended: Attempt, time: string): RunResult {
  const { object } = situation;
  const { backoffLimit } = object.spec;
  const what = `Run ${ended.runId} failed (${ended.remoteStatus})`;
  if (ended.number > backoffLimit) {
    const reason = backoffLimit > 0 ? "BackoffLimitExceeded" : "RunFailed";
    const message = backoffLimit > 0 ? `${what}, the last of ${ended.number} (backoffLimit).` : `${what}.`;
    return finish(object, { reason, message, time });
  }
  const pauseMs = retryPauseMs(ended.number);
  const message = `${what}; run ${ended.number + 1} of ${backoffLimit + 1} is started ${formatDuration(pauseMs)} after it.`;
  return progressing("RetryingRun", message, {
    next: recheck(situation, pauseMs),
    events: [warning("RunFailed", "Observe", message)],
  });
}

/** Waits for the pause before the next run, seen for `pausedMs` (monotonic); `undefined` once it is over. */
export function decidePause(situation: Situation, pausedMs: number): RunResult | undefined {
  const { object } = situation;
  const leftMs = retryPauseMs(attemptOf(object).number) - pausedMs;
  if (leftMs <= 0) return undefined;
  const message = "A run failed; the next one is started after a pause.";
  return progressing("RetryingRun", message, { next: recheck(situation, leftMs), isRepeated: true });
}

/** Pause after the run of this number has failed: 10 s, doubled each time, 6 min at most. */
export function retryPauseMs(failedRuns: number): number {
  return Math.min(10_000 * 2 ** Math.min(failedRuns - 1, 10), 360_000);
}

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

/** Spec.suspend after the start: the run continues in Northflank and is not followed. */
export function decideRest(situation: Situation): RunResult {
  const { runId } = attemptOf(situation.object);
  const message = `spec.suspend is true: run ${runId} continues in Northflank and is not followed.`;
  return suspended(message, { next: untilDeadline(situation) });
}

/** First sight of the intent: it is recorded before it is carried out, so that it outlives what is made of the spec. */
export function decideAbortRecorded(
  object: NorthflankJobRun,
  now: number,
  replacedBy: ObjectKey | undefined,
): RunResult {
  const why = replacedBy === undefined ? "spec.abort is true" : `${replacedBy} replaces it (concurrencyPolicy Replace)`;
  const message = `Run ${attemptOf(object).runId} is being aborted: ${why}.`;
  return progressing("Aborting", message, {
    fields: { abortRequestedTime: object.status?.abortRequestedTime ?? formatTime(now) },
    next: { kind: "again" },
  });
}

function stillRunning(situation: Situation, options: Following): RunResult {
  const { object, settings } = situation;
  const attempt = attemptOf(object);
  const why = abortCauses[options.intent];
  const fields: StatusFields = { ...mended(object), failure: undefined };
  if (why === undefined) {
    const next = recheckAsking(situation, pollPauseMs(situation));
    return runResult(running(object, attempt), { fields, next });
  }
  const message = `Run ${attempt.runId} is being aborted: ${why}.`;
  return progressing("Aborting", message, {
    fields: { ...fields, abortedRunId: attempt.runId },
    next: { kind: "recheck", afterMs: pollIntervalMs(settings, options.sinceAbortMs ?? 0), asks: true },
    events: options.hasSentAbort ? [abortEvent(attempt, why)] : [],
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
  const attempt = attemptOf(object);
  const { runId } = attempt;
  const afterMs = pollIntervalMs(settings, ageOf(attempt, situation));
  const everyMs = [pollIntervalMs(settings, 0), pollIntervalMs(settings, Number.POSITIVE_INFINITY)] as const;
  const next: Requeue = { kind: "recheck", afterMs, asks: true, pause: { everyMs } };
  if (refusal === undefined) {
    const message = `The abort of run "${runId}" waits for the request quota of the account.`;
    const fields = { ...polled.fields, abortedRunId: undefined };
    return { ...polled, next, fields, readyState: { kind: "progressing", reason: readyState.reason, message } };
  }
  const status = error.httpStatus === undefined ? "" : ` (HTTP ${error.httpStatus})`;
  const message = `Northflank did not abort run "${runId}"${status}: ${error.detail}.${abortRemedies[refusal.class](error)}`;
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

const abortRemedies: Readonly<Record<"Transient" | "Terminal", (error: NorthflankError) => string>> = {
  Transient: () => "",
  Terminal: ({ code }) =>
    code === "forbidden" || code === "unauthorized"
      ? " Grant the token's role the permission to abort runs of the job."
      : " If the run is still active, abort it in Northflank.",
};

const abortCauses: Readonly<Record<RunIntent, string | undefined>> = {
  cleanup: "the object is being deleted (deletionPolicy Abort)",
  aborted: "this was asked for",
  expired: "spec.activeDeadlineSeconds is over",
  deleting: undefined,
  invalid: undefined,
  suspended: undefined,
  proceed: undefined,
};

/** Longest interval of following a run. */
const longestPollMs = 60_000;

/** Of this run, not of the object: one that follows a failed one is young again. */
function ageOf({ number, startTime }: Attempt, { now, sinceStartMs }: Situation): number {
  const startMs = timeMs(startTime);
  if (number === 1 || startMs === undefined) return sinceStartMs;
  return Math.min(sinceStartMs, Math.max(0, now - startMs));
}

/** The pause between two polls of the run of the present attempt. */
export function pollPauseMs(situation: Situation): number {
  return pollIntervalMs(situation.settings, ageOf(attemptOf(situation.object), situation));
}

/** A fifth of the run's age, between the first interval and a minute: short runs end promptly, long ones cost little. */
export function pollIntervalMs(settings: RunSettings, ageMs: number): number {
  const firstMs = settings.runPollIntervalMs;
  return Math.max(firstMs, Math.min(ageMs / 5, longestPollMs));
}

function decideDisappeared(
  situation: Situation,
  isAborting: boolean,
  intent: RunIntent,
  jobCreatedTime: string | undefined,
): RunResult {
  const { object, now } = situation;
  const attempt = attemptOf(object);
  const time = formatTime(now);
  const fields: StatusFields = {
    attempts: replaceLatest(object, { ...attempt, completionTime: time }),
    failure: undefined,
  };
  const gone = `Northflank no longer knows run ${attempt.runId}`;
  const end: End = isAborting
    ? {
        reason: intent === "cleanup" ? "AbortedOnDelete" : "RunAborted",
        message: `${gone}; it was being aborted.`,
        time,
      }
    : {
        reason: "RunDisappeared",
        message: `${gone}: ${goneWhy(object, jobCreatedTime)}${adoptedNote(attempt)}`,
        time,
      };
  return withFields(finish(object, end), fields);
}

// With a team or an address the change would have been noticed (account-change.ts); of tokens nothing is kept.
const otherToken = "if the token was replaced by one of another account, the run may continue there.";

function goneWhy({ spec }: NorthflankJobRun, jobCreatedTime: string | undefined): string {
  if (jobCreatedTime === undefined) return `it is not known how it ended; ${otherToken}`;
  return (
    `job ${spec.jobId} was deleted, and created again at ${jobCreatedTime}, after the start of the run, so it is not ` +
    "known how the run ended."
  );
}

function replaceLatest(object: NorthflankJobRun, attempt: Attempt): readonly Attempt[] {
  return [...(object.status?.attempts ?? []).slice(0, -1), attempt];
}

function endedAttempt(now: number, { status }: NorthflankJobRun, attempt: Attempt, run: JobRunView): Attempt {
  const startMs = timeMs(run.startedAt);
  const isAbsurd = startMs !== undefined && startMs < (recordedMsOf(status, attempt) ?? startMs);
  return {
    ...attempt,
    remoteStatus: capped(run.status, 64),
    ...(startMs === undefined || isAbsurd ? {} : { startTime: formatTime(startMs) }),
    completionTime: formatTime(timeMs(run.concludedAt) ?? now),
  };
}

/** Whether the run ended after the deadline, and so because of it. Both times by Northflank's clock. */
function isPastDeadline({ spec, status }: NorthflankJobRun, ended: Attempt): boolean {
  const first = ended.number === 1 ? ended : status?.attempts?.[0];
  const startMs = timeMs(first?.startTime);
  const endMs = timeMs(ended.completionTime);
  if (spec.activeDeadlineSeconds === undefined || startMs === undefined || endMs === undefined) return false;
  return endMs - startMs >= spec.activeDeadlineSeconds * 1_000;
}
