// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { Reason } from "../../api/reasons.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { JobRunView, StartResult } from "../../northflank/types.ts";
import { capped, findCondition, formatTime } from "../../runtime/conditions.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import { assertNever } from "../../util/assert-never.ts";
import { formatDuration } from "../../util/duration.ts";
import type { EventDraft } from "../shared/event-draft.ts";
import { type FailureRecord, nextFailure } from "../shared/failure.ts";
import type { RemoteVerdict } from "../shared/remote-verdict.ts";
import { invalidSpecMessage, type SpecProblem } from "../shared/spec-problem.ts";
import type { Verdict } from "../shared/verdict.ts";
import type { Obstacle } from "./concurrency.ts";
import { type Attempt, isAbortWanted, isUnresolved, latestAttempt, type StartRecord, type Wish } from "./machine.ts";
import { maxAttempts } from "./memory.ts";
import { elapsedSince, type ReadBack, timeMs } from "./read-back.ts";

/** What a pass concluded: what the status shall say, what is done once it says so, and when to come back. */
export interface Conclusion {
  readonly verdict: Verdict;
  /** Status fields that change; `undefined` removes one. Conditions, phase and the like are made by `status.ts`. */
  readonly facts: Facts;
  readonly next: Next;
  /** Done in this order, after the status was stored: what they do must not be known before it. */
  readonly after: readonly AfterAction[];
  readonly events: readonly EventDraft[];
  /** True where nobody can tell whether a run was started, and a person has to. */
  readonly isOutcomeUnknown: boolean;
  /** True where our finalizer need not hold the object any more, whatever is open. */
  readonly isReleased: boolean;
}

export type RunStatus = NonNullable<NorthflankJobRun["status"]>;

type FactName =
  | "attempts"
  | "runId"
  | "runName"
  | "duplicateRunId"
  | "startTime"
  | "completionTime"
  | "abortRequestedTime"
  | "lastHandledResolveStart"
  | "failure";

export type Facts = { readonly [K in FactName]?: RunStatus[K] | undefined };

export type Next =
  /** Nothing until something changes. */
  | { readonly kind: "settled" }
  /** Come back; `asks: true` when that will cost a request, so it must not happen sooner without a reason. */
  | { readonly kind: "recheck"; readonly afterMs: number; readonly asks: boolean }
  /** A failed call: after a growing pause, and not before `notBeforeMs`. */
  | { readonly kind: "retry"; readonly error: Error; readonly failures: number; readonly notBeforeMs: number };

export type AfterAction =
  /** Replaces `status.start`. */
  | { readonly kind: "record"; readonly start: StartRecord }
  | { readonly kind: "wake"; readonly keys: readonly ObjectKey[] };

/** How a run object ended. */
export interface End {
  readonly reason: EndReason;
  readonly message: string;
  /** RFC 3339. */
  readonly time: string;
}

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
>;

/** Settings of following and starting, in milliseconds. */
export interface RunSettings {
  /** First interval of following a run; it rises to {@link longestPollMs}. */
  readonly runPollIntervalMs: number;
  /** S: how long a lost start gets to show up in the list after nothing can be on its way any more. */
  readonly startSettleMs: number;
  /** G: longest time between the baseline and the POST. */
  readonly startGateMs: number;
  /** T: time limit of one call. */
  readonly requestTimeoutMs: number;
}

/** What every decision is made from. */
export interface Situation {
  readonly object: NorthflankJobRun;
  /** Wall clock in ms: only for what people read. */
  readonly now: number;
  readonly settings: RunSettings;
  /** Since the first run started. */
  readonly sinceStartMs: number;
}

// ---- before a start -------------------------------------------------------------------------------------------------

export function decideHold(situation: Situation): Conclusion {
  const message = "spec.suspend is true: the run is held back. It starts when spec.suspend is false.";
  return conclude({ kind: "suspended", reason: "Suspended", message }, { next: untilDeadline(situation) });
}

export function decideInvalid(situation: Situation, problems: readonly SpecProblem[]): Conclusion {
  const message = invalidSpecMessage(problems);
  return conclude({ kind: "stalled", reason: "InvalidSpec", message }, { next: untilDeadline(situation) });
}

/** Refused for what it asks for: told again, not asked again. */
export function decideRejected(situation: Situation): Conclusion {
  const { object } = situation;
  const said = object.status?.start?.message ?? "Northflank refused the request.";
  const verdict: Verdict = { kind: "stalled", reason: "RequestRejected", message: said };
  return conclude(verdict, { next: untilDeadline(situation), facts: { failure: object.status?.failure } });
}

export function decideUnstartedEnd(situation: Situation, wish: Wish): Conclusion {
  const { object, now } = situation;
  const time = formatTime(now);
  if (wish === "aborted") {
    const message = isUnresolved(object)
      ? "Aborted while nobody could tell whether a run was started. Nothing more is started; look for a run in Northflank."
      : "Aborted before a run was started.";
    const facts = { abortRequestedTime: object.status?.abortRequestedTime ?? time };
    return withFacts(finish(situation, { reason: "RunAborted", message, time }), facts);
  }
  if (latestAttempt(object) !== undefined) return finish(situation, deadlineEnd(object, time));
  const message = `The run was not started within ${object.spec.startDeadlineSeconds} s (spec.startDeadlineSeconds).`;
  return finish(situation, { reason: "StartDeadlineExceeded", message, time });
}

/** The object is deleted and has no run that must be waited for. */
export function decideLeave({ object }: Situation): Conclusion {
  const isOpen = isUnresolved(object);
  const message = isOpen
    ? "The object is being deleted. Nobody can tell whether its last start has started a run: look into Northflank."
    : "The object is being deleted; nothing is started.";
  return conclude(
    { kind: "progressing", reason: "Deleting", message },
    {
      next: { kind: "settled" },
      isOutcomeUnknown: isOpen,
      isReleased: true,
      events: isOpen ? [warning("Abandoned", "AbortRun", message)] : [],
    },
  );
}

/** How long a deletion is held back while its run cannot be aborted. */
export const longestCleanupMs = 600_000;

/** The run could not be aborted in time: the object is let go, so that nobody's namespace hangs on a lost Secret. */
export function decideDeleteTimedOut(): Conclusion {
  const message =
    `The run could not be aborted within ${formatDuration(longestCleanupMs)} of the deletion; the object is let go. ` +
    "Look into Northflank: the run may go on.";
  return conclude(
    { kind: "stalled", reason: "DeleteTimedOut", message },
    { next: { kind: "settled" }, isReleased: true, events: [warning("DeleteTimedOut", "AbortRun", message)] },
  );
}

/** Something outside the object is not ready: the connection, a Secret. */
export function decideBlocked(situation: Situation, verdict: Verdict, recheckAfterMs: number): Conclusion {
  return conclude(verdict, {
    next: { kind: "recheck", afterMs: soonest(situation, recheckAfterMs), asks: false },
    isOutcomeUnknown: isKnownUnknown(situation.object),
  });
}

// ---- what came of a start -------------------------------------------------------------------------------------------

/** How the sequence of a start ended. Only `accepted` and `unknown` may have started anything. */
export type StartReport =
  /** Another start of the same job is on its way in this process: come back in a moment. */
  | { readonly kind: "busy" }
  /** The object is not what this pass took it for, or somebody else wrote first: nothing was sent. */
  | { readonly kind: "outdated" }
  | { readonly kind: "blocked"; readonly verdict: Verdict; readonly recheckAfterMs: number }
  | { readonly kind: "noQuota"; readonly retryAfterMs: number }
  | { readonly kind: "obstructed"; readonly obstacles: readonly Obstacle[] }
  | { readonly kind: "baselineFailed"; readonly error: NorthflankError }
  /** The intent was recorded, then time or the lease ran out: nothing was sent. */
  | { readonly kind: "gateClosed"; readonly start: StartRecord; readonly why: string }
  /** A run of the start before this one turned up at the last moment: nothing was sent. */
  | { readonly kind: "lateRun"; readonly start: StartRecord; readonly readBack: ReadBack }
  | { readonly kind: "answered"; readonly start: StartRecord; readonly result: StartResult };

/** `judge` says what a failed call means: the one table of all kinds. */
export type Judge = (error: NorthflankError, failures: number) => RemoteVerdict;

/** `undefined`: the status stays as it is, the pass is tried again. */
export function decideStarted(situation: Situation, report: StartReport, judge: Judge): Conclusion | undefined {
  switch (report.kind) {
    case "busy":
    case "outdated":
      return undefined;
    case "blocked":
      return decideBlocked(situation, report.verdict, report.recheckAfterMs);
    case "noQuota":
      return decideNoQuota(situation, report.retryAfterMs);
    case "obstructed":
      return decideObstructed(situation, report.obstacles);
    case "baselineFailed":
      return decideFailed(situation, report.error, judge);
    case "gateClosed": {
      const message = `${report.why} Nothing was sent; the start is tried again.`;
      return conclude(
        { kind: "progressing", reason: "StartingRun", message },
        { next: { kind: "recheck", afterMs: 2_000, asks: false } },
      );
    }
    case "lateRun":
      return decideReadBack(situation, report.readBack, report.start);
    case "answered":
      return decideAnswer(situation, report, judge);
    default:
      return assertNever(report, "start report");
  }
}

function decideAnswer(
  situation: Situation,
  { start, result }: Extract<StartReport, { kind: "answered" }>,
  judge: Judge,
): Conclusion {
  switch (result.kind) {
    case "accepted":
      return adopt(situation, start, {
        runId: result.runId,
        runName: result.runName,
        startTime: formatTime(situation.now),
        origin: "Started",
      });
    case "refused":
      return decideRefused(situation, result.error, judge);
    case "unknown":
      return decideLost(situation, result.error);
    default:
      return assertNever(result, "start result");
  }
}

/** 400, 413 and 422 are about the request itself: the same one would be refused for ever. */
export function isRejectedForGood(error: NorthflankError): boolean {
  return error.code === "rejected" && [400, 413, 422].includes(error.httpStatus ?? 0);
}

function decideRefused(situation: Situation, error: NorthflankError, judge: Judge): Conclusion {
  if (!isRejectedForGood(error)) return decideFailed(situation, error, judge);
  const message = rejectionMessage(error);
  const failure = failureOf(situation, {
    class: "Terminal",
    reason: "RequestRejected",
    httpStatus: error.httpStatus,
    message,
    nextTryMs: undefined,
  });
  const verdict: Verdict = { kind: "stalled", reason: "RequestRejected", message };
  return conclude(verdict, { next: untilDeadline(situation), facts: { failure } });
}

/** What the start record and the conditions say about a request that was refused for good. */
export function rejectionMessage(error: NorthflankError): string {
  const fields = error.fields.length === 0 ? "" : ` (fields: ${error.fields.join(", ")})`;
  return (
    `Northflank refused the run: ${error.detail}${fields}. No run was started. Make a new object with a changed spec, ` +
    "or ask again by the annotation northflank-operator.io/reconcile-requested-at."
  );
}

function decideLost(situation: Situation, error: NorthflankError): Conclusion {
  const { settings } = situation;
  const waitMs = settleWaitMs(settings);
  const message =
    `The answer to the start was lost (${error.code}); it is not sent again. The list of runs is searched for the run ` +
    `${formatDuration(waitMs)} after the start.`;
  return conclude(
    { kind: "progressing", reason: "RecoveringRun", message },
    { next: { kind: "recheck", afterMs: waitMs, asks: false } },
  );
}

/** G + T + S: from here on nothing of a start can be on its way any more, and the list has had time to show it. */
export function settleWaitMs(settings: RunSettings): number {
  return settings.startGateMs + settings.requestTimeoutMs + settings.startSettleMs;
}

export function decideNoQuota(situation: Situation, retryAfterMs: number): Conclusion {
  const message = "The account's request quota does not allow a start now. Goes on when it does.";
  return conclude(
    { kind: "waiting", reason: "WaitingForQuota", message },
    {
      next: { kind: "recheck", afterMs: soonest(situation, retryAfterMs), asks: true },
      isOutcomeUnknown: isKnownUnknown(situation.object),
    },
  );
}

// Own objects wake those that wait for them; this is the net below that, and how foreign runs are noticed.
const obstructedRecheckMs = 30_000;

function decideObstructed(situation: Situation, obstacles: readonly Obstacle[]): Conclusion {
  const { object } = situation;
  const isForeign = obstacles.some(({ kind }) => kind === "foreign");
  const isReplacing = object.spec.concurrencyPolicy === "Replace";
  const actives = obstacles.filter(({ kind }) => kind === "active").map(({ name }) => name);
  return conclude(
    { kind: "waiting", reason: "WaitingForConcurrency", message: obstructionMessage(object, obstacles) },
    {
      next: { kind: "recheck", afterMs: soonest(situation, obstructedRecheckMs), asks: isForeign },
      after: isReplacing && actives.length > 0 ? [{ kind: "wake", keys: actives }] : [],
    },
  );
}

function obstructionMessage(object: NorthflankJobRun, obstacles: readonly Obstacle[]): string {
  const [first] = obstacles.toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const others = obstacles.length > 1 ? ` and ${obstacles.length - 1} more` : "";
  switch (first?.kind) {
    case "unresolved":
      return `Waits for ${first.name}${others}: nobody can tell yet whether its start has started a run of the job.`;
    case "active": {
      const how = object.spec.concurrencyPolicy === "Replace" ? "which is being aborted" : "whose run is active";
      return `Waits for ${first.name}${others}, ${how} (concurrencyPolicy ${object.spec.concurrencyPolicy}).`;
    }
    default:
      return (
        `Waits for run ${first?.name}${others} of the job, which this operator did not start and does not abort ` +
        `(concurrencyPolicy ${object.spec.concurrencyPolicy}).`
      );
  }
}

// ---- a start whose outcome is open ----------------------------------------------------------------------------------

/** Two empty reads are needed; `isSecondEmpty`: one at least the settle time ago was empty as well. */
export function decideResolved(
  situation: Situation,
  readBack: ReadBack,
  options: { readonly wish: Wish; readonly isSecondEmpty: boolean },
): Conclusion {
  const start = recordOf(situation.object);
  if (readBack.kind !== "none") return decideReadBack(situation, readBack, start);
  if (!options.isSecondEmpty) {
    const again = formatDuration(situation.settings.startSettleMs);
    const message = `No new run was found for the start without an answer. Looked for once more after ${again}.`;
    return recovering(message, situation.settings.startSettleMs);
  }
  const { object } = situation;
  if (options.wish === "aborted") return decideUnstartedEnd(situation, "aborted");
  if (object.metadata.deletionTimestamp !== undefined) return decideLeave(situation);
  if (object.spec.startGuarantee === "AtLeastOnce") return startAgain(start, "AtLeastOnce");
  return outcomeUnknown(
    "The answer to the start was lost and no new run was found. Nothing is started again by itself (AtMostOnce).",
  );
}

function decideReadBack(situation: Situation, readBack: ReadBack, start: StartRecord): Conclusion {
  switch (readBack.kind) {
    case "tooEarly": {
      const message =
        saidBefore(situation.object, "RecoveringRun") ??
        "A start was recorded and its answer is not known; it is not sent again. The list of runs is searched for the " +
          "run as soon as nothing can be on its way any more.";
      return recovering(message, readBack.waitMs, false);
    }
    case "one":
      return adoptFound(situation, start, readBack.run);
    case "several": {
      const ids = readBack.runIds.slice(0, 10).join(", ");
      return outcomeUnknown(`The answer to the start was lost and more than one new run was found: ${ids}.`);
    }
    case "incomplete":
      return outcomeUnknown("The answer to the start was lost and the list of runs is too long to be read to its end.");
    case "none":
      return recovering("No new run was found for the start without an answer.", situation.settings.startSettleMs);
    default:
      return assertNever(readBack, "read-back");
  }
}

function recovering(message: string, afterMs: number, asks = true): Conclusion {
  return conclude(
    { kind: "progressing", reason: "RecoveringRun", message },
    { next: { kind: "recheck", afterMs, asks } },
  );
}

/** Stalled objects are looked at about this often; the reconciler adds the jitter. */
const slowProbeMs = 3_600_000;

function outcomeUnknown(what: string): Conclusion {
  const message =
    `${what} Look into Northflank, then set the annotation northflank-operator.io/resolve-start to the id of the run, ` +
    "to retry, or to fail.";
  return conclude(
    { kind: "stalled", reason: "StartOutcomeUnknown", message },
    { next: { kind: "recheck", afterMs: slowProbeMs, asks: true }, isOutcomeUnknown: true },
  );
}

/** Gives the record up, so that the next pass may start with a new one; a late run of this one is then a duplicate. */
function startAgain(start: StartRecord, why: "AtLeastOnce" | "retry"): Conclusion {
  const reason: Reason = why === "retry" ? "RetryingRun" : "StartOutcomeUnknown";
  const by = why === "retry" ? "as the annotation says" : "as startGuarantee AtLeastOnce says";
  const message = `Nobody can tell which run the start without an answer started, if any; it is started again, ${by}.`;
  return conclude(
    { kind: "progressing", reason: "RecoveringRun", message },
    {
      next: { kind: "recheck", afterMs: 0, asks: false },
      after: [{ kind: "record", start: { ...start, outcome: "NotStarted", reason, message } }],
    },
  );
}

/** What a person wants done about a start whose outcome is unknown. */
export type Resolution =
  | { readonly kind: "retry" | "fail"; readonly value: string }
  | { readonly kind: "run"; readonly runId: string; readonly value: string };

// A run id has 36 characters; what follows `@` is up to the person.
const longestResolution = 256;

/** Reads the annotation; `undefined` while there is none, or the one that was handled before. */
export function parseResolution(annotation: string | undefined, handled: string | undefined): Resolution | undefined {
  const value = annotation?.trim().slice(0, longestResolution);
  if (value === undefined || value === "" || value === handled) return undefined;
  const [word = ""] = value.split("@");
  if (word === "retry" || word === "fail") return { kind: word, value };
  return { kind: "run", runId: word, value };
}

/** `run`: what Northflank says about the run that the person named; `taken`: it belongs to another object. */
export function decideResolution(
  situation: Situation,
  resolution: Resolution,
  named?: { readonly run: JobRunView | undefined; readonly isTaken: boolean },
): Conclusion {
  const handled: Facts = { lastHandledResolveStart: resolution.value };
  const { object, now } = situation;
  switch (resolution.kind) {
    case "fail": {
      const message = "The answer to the start was lost; given up, as the annotation says.";
      return withFacts(
        finish(situation, { reason: "StartOutcomeUnknown", message, time: formatTime(now) }, true),
        handled,
      );
    }
    case "retry":
      return withFacts(startAgain(recordOf(object), "retry"), handled);
    case "run": {
      if (named?.run !== undefined && !named.isTaken) {
        return withFacts(adoptFound(situation, recordOf(object), named.run), handled);
      }
      const id = capped(resolution.runId, 64);
      const why = named?.isTaken ? "it belongs to another object" : "the job has no such run";
      return withFacts(outcomeUnknown(`The annotation names run "${id}", but ${why}.`), handled);
    }
    default:
      return assertNever(resolution, "resolution");
  }
}

/** Nothing new about an unknown outcome: what was said stays. */
export function decideStillUnknown({ object }: Situation): Conclusion {
  const said = findCondition(object.status?.conditions, "Started")?.message ?? "";
  return conclude(
    { kind: "stalled", reason: "StartOutcomeUnknown", message: said },
    { next: { kind: "recheck", afterMs: slowProbeMs, asks: true }, isOutcomeUnknown: true },
  );
}

/**
 * A slow look at an unknown outcome: the list may have lagged. Only a run that started while this start can have been
 * on its way is taken: of any later one, a person has to say whose it is.
 */
export function decideProbe(situation: Situation, readBack: ReadBack): Conclusion {
  if (readBack.kind !== "one") return decideStillUnknown(situation);
  const start = recordOf(situation.object);
  const startedMs = timeMs(readBack.run.startedAt);
  const elapsedMs = elapsedSince(start, startedMs);
  const isInTime = elapsedMs !== undefined && elapsedMs <= settleWaitMs(situation.settings);
  return isInTime ? adoptFound(situation, start, readBack.run) : decideStillUnknown(situation);
}

// ---- a run that is known --------------------------------------------------------------------------------------------

function adoptFound(situation: Situation, start: StartRecord, run: JobRunView): Conclusion {
  return adopt(situation, start, {
    runId: run.id,
    runName: run.runName,
    startTime: formatTime(timeMs(run.startedAt) ?? situation.now),
    origin: "Recovered",
  });
}

function adopt(
  situation: Situation,
  start: StartRecord,
  found: {
    readonly runId: string;
    readonly runName: string | undefined;
    readonly startTime: string;
    readonly origin: Attempt["origin"];
  },
): Conclusion {
  const { object, settings } = situation;
  const attempt: Attempt = {
    number: start.attempt,
    runId: found.runId,
    ...(found.runName === undefined ? {} : { runName: capped(found.runName, 256) }),
    remoteStatus: "RUNNING",
    startTime: found.startTime,
    origin: found.origin,
  };
  const isRecovered = found.origin === "Recovered";
  const { reason: _reason, message: _message, ...open } = start;
  const facts: Facts = {
    attempts: [...(object.status?.attempts ?? []), attempt].slice(-maxAttempts),
    runId: attempt.runId,
    runName: attempt.runName,
    startTime: object.status?.startTime ?? attempt.startTime,
    failure: undefined,
  };
  return conclude(running(object, attempt), {
    facts,
    next: { kind: "recheck", afterMs: isRecovered ? 0 : settings.runPollIntervalMs, asks: !isRecovered },
    after: [{ kind: "record", start: { ...open, outcome: isRecovered ? "Recovered" : "Accepted" } }],
    events: [
      isRecovered
        ? normal("RunRecovered", "StartRun", `Found run ${attempt.runId}, whose start had no answer.`)
        : normal("RunStarted", "StartRun", `Started run ${attempt.runId} of job ${object.spec.jobId}.`),
    ],
  });
}

/** What was seen of the run of the current attempt. */
export type RunSight = { readonly run: JobRunView | undefined; readonly missingReads: number };

/** So many reads in a row must miss a run before it counts as gone: lists and reads may lag. */
export const missingReadsLimit = 3;

/** The run was looked at; `wish` is why it may have been aborted. `hasSentAbort`: in this pass. */
export function decideFollowed(
  situation: Situation,
  sight: RunSight,
  options: { readonly wish: Wish; readonly hasSentAbort: boolean },
): Conclusion {
  const { object } = situation;
  const attempt = attemptOf(object);
  const isAborting = options.wish === "aborted" || options.wish === "expired" || options.wish === "cleanup";
  if (sight.run === undefined) {
    if (sight.missingReads >= missingReadsLimit) return decideDisappeared(situation, isAborting, options.wish);
    return stillRunning(situation, options);
  }
  const { run } = sight;
  if (!run.concluded) return stillRunning(situation, options);
  const ended = endedAttempt(situation, attempt, run);
  const facts: Facts = { attempts: replaceLatest(object, ended), failure: undefined };
  const conclusion = withFacts(decideOver(situation, { run, ended, wish: options.wish }), facts);
  const why = abortCauses[options.wish];
  if (!options.hasSentAbort || why === undefined) return conclusion;
  return { ...conclusion, events: [abortEvent(attempt, why), ...conclusion.events] };
}

function abortEvent({ runId }: Attempt, why: string): EventDraft {
  return normal("AbortRequested", "AbortRun", `Run ${runId} is being aborted: ${why}.`);
}

function decideOver(
  situation: Situation,
  { run, ended, wish }: { readonly run: JobRunView; readonly ended: Attempt; readonly wish: Wish },
): Conclusion {
  // A clock of the API that is ahead must not put the end into the future: the ttl counts from here.
  const time = formatTime(Math.min(timeMs(ended.completionTime) ?? situation.now, situation.now));
  const name = `Run ${ended.runId}`;
  if (run.status === "SUCCESS") {
    return finish(situation, { reason: "RunSucceeded", message: `${name} ended with success.`, time });
  }
  const { object } = situation;
  if (wish === "cleanup") {
    return finish(situation, { reason: "AbortedOnDelete", message: `${name} was aborted for the deletion.`, time });
  }
  if (isAbortWanted(object)) {
    return finish(situation, { reason: "RunAborted", message: `${name} was aborted, as was asked for.`, time });
  }
  if (isPastDeadline(object, ended)) return finish(situation, deadlineEnd(object, time));
  if (/abort|cancel|terminat/i.test(run.status)) {
    const message = `${name} was aborted in Northflank (${capped(run.status, 32)}), not by this operator.`;
    return finish(situation, { reason: "RunAbortedRemotely", message, time });
  }
  return decideFailedRun(situation, ended, time);
}

function decideFailedRun(situation: Situation, ended: Attempt, time: string): Conclusion {
  const { backoffLimit } = situation.object.spec;
  const what = `Run ${ended.runId} failed (${ended.remoteStatus})`;
  if (ended.number > backoffLimit) {
    const reason = backoffLimit > 0 ? "BackoffLimitExceeded" : "RunFailed";
    const message = backoffLimit > 0 ? `${what}, the last of ${ended.number} (backoffLimit).` : `${what}.`;
    return finish(situation, { reason, message, time });
  }
  const pauseMs = retryPauseMs(ended.number);
  const message = `${what}; run ${ended.number + 1} of ${backoffLimit + 1} is started ${formatDuration(pauseMs)} after it.`;
  return conclude(
    { kind: "progressing", reason: "RetryingRun", message },
    {
      next: { kind: "recheck", afterMs: soonest(situation, pauseMs), asks: false },
      events: [warning("RunFailed", "Observe", message)],
    },
  );
}

/** Waits for the pause before the next run, seen for `pausedMs` (monotonic); `undefined` once it is over. */
export function decidePause(situation: Situation, pausedMs: number): Conclusion | undefined {
  const { object } = situation;
  const leftMs = retryPauseMs(attemptOf(object).number) - pausedMs;
  if (leftMs <= 0) return undefined;
  const message = saidBefore(object, "RetryingRun") ?? "A run failed; the next one is started after a pause.";
  return conclude(
    { kind: "progressing", reason: "RetryingRun", message },
    { next: { kind: "recheck", afterMs: soonest(situation, leftMs), asks: false } },
  );
}

/** Pause after the run of this number has failed: 10 s, doubled each time, 6 min at most. */
export function retryPauseMs(failedRuns: number): number {
  return Math.min(10_000 * 2 ** Math.min(failedRuns - 1, 10), 360_000);
}

/** A second run of an AtLeastOnce start. The object goes on as it does. */
export function withDuplicate(conclusion: Conclusion, duplicateRunId: string): Conclusion {
  const { runId } = conclusion.facts;
  const note =
    `After the repeated start a second run turned up: ${duplicateRunId}${runId === undefined ? "" : `, beside ${runId}`}. ` +
    "Abort the one that is not wanted.";
  return {
    ...conclusion,
    facts: { ...conclusion.facts, duplicateRunId },
    events: [...conclusion.events, warning("DuplicateRun", "Observe", note)],
  };
}

/** Spec.suspend after the start: the run goes on in Northflank, nobody looks. */
export function decideRest(situation: Situation): Conclusion {
  const { runId } = attemptOf(situation.object);
  const message = `spec.suspend is true: run ${runId} goes on in Northflank and is not followed.`;
  return conclude({ kind: "suspended", reason: "Suspended", message }, { next: untilDeadline(situation) });
}

/** First sight of the wish: it is recorded before it is carried out, so that it outlives what is made of the spec. */
export function decideAbortRecorded({ object, now }: Situation, replacedBy: ObjectKey | undefined): Conclusion {
  const why = replacedBy === undefined ? "spec.abort is true" : `${replacedBy} replaces it (concurrencyPolicy Replace)`;
  const message = `Run ${attemptOf(object).runId} is being aborted: ${why}.`;
  return conclude(
    { kind: "progressing", reason: "Aborting", message },
    { facts: { abortRequestedTime: formatTime(now) }, next: { kind: "recheck", afterMs: 0, asks: false } },
  );
}

function stillRunning(
  situation: Situation,
  options: { readonly wish: Wish; readonly hasSentAbort: boolean },
): Conclusion {
  const { object, settings, sinceStartMs } = situation;
  const attempt = attemptOf(object);
  const why = abortCauses[options.wish];
  const facts: Facts = { failure: undefined };
  if (why === undefined) {
    const afterMs = soonest(situation, pollIntervalMs(settings, sinceStartMs));
    return conclude(running(object, attempt), { facts, next: { kind: "recheck", afterMs, asks: true } });
  }
  const message = `Run ${attempt.runId} is being aborted: ${why}.`;
  return conclude(
    { kind: "progressing", reason: "Aborting", message },
    {
      facts,
      next: { kind: "recheck", afterMs: settings.runPollIntervalMs, asks: true },
      events: options.hasSentAbort ? [abortEvent(attempt, why)] : [],
    },
  );
}

const abortCauses: Readonly<Record<Wish, string | undefined>> = {
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

/** A fifth of the run's age, between the first interval and a minute: short runs end promptly, long ones cost little. */
export function pollIntervalMs(settings: RunSettings, ageMs: number): number {
  const firstMs = settings.runPollIntervalMs;
  return Math.max(firstMs, Math.min(ageMs / 5, longestPollMs));
}

function decideDisappeared(situation: Situation, isAborting: boolean, wish: Wish): Conclusion {
  const { object, now } = situation;
  const attempt = attemptOf(object);
  const time = formatTime(now);
  const facts: Facts = { attempts: replaceLatest(object, { ...attempt, completionTime: time }), failure: undefined };
  const gone = `Northflank no longer knows run ${attempt.runId}`;
  const end: End = isAborting
    ? { reason: wish === "cleanup" ? "AbortedOnDelete" : "RunAborted", message: `${gone}; it was being aborted.`, time }
    : { reason: "RunDisappeared", message: `${gone}: nobody can tell how it ended.`, time };
  return withFacts(finish(situation, end), facts);
}

// ---- ends -----------------------------------------------------------------------------------------------------------

/** The object is over: status, ttl, and those that waited for it. */
function finish(situation: Situation, end: End, isOutcomeUnknown = false): Conclusion {
  const isSuccess = end.reason === "RunSucceeded";
  const verdict: Verdict = { kind: isSuccess ? "ready" : "stalled", reason: end.reason, message: end.message };
  const conclusion = conclude(verdict, {
    facts: { completionTime: end.time, failure: undefined },
    next: afterEnd(situation.object, situation.now, situation.now),
    events: [isSuccess ? normal("RunSucceeded", "Observe", end.message) : warning(end.reason, "Observe", end.message)],
  });
  return { ...conclusion, isOutcomeUnknown };
}

/** A finished object says again what it said, for the new generation or request; no remote call. */
export function decideFinished({ object, now }: Situation): Conclusion {
  const { conditions, completionTime } = object.status ?? {};
  const ready = findCondition(conditions, "Ready");
  const succeeded = findCondition(conditions, "Succeeded");
  const isSuccess = succeeded?.status === "True";
  const reason = succeeded?.reason ?? "RunDisappeared";
  const message = ready?.message ?? "The run is over.";
  return conclude(
    { kind: isSuccess ? "ready" : "stalled", reason, message },
    {
      next: afterEnd(object, timeMs(completionTime) ?? now, now),
      isOutcomeUnknown: reason === "StartOutcomeUnknown",
    },
  );
}

/** Milliseconds until a finished object is to be deleted; `undefined` where it stays. */
export function ttlLeftMs(object: NorthflankJobRun, now: number): number | undefined {
  const { ttlSecondsAfterFinished: ttl } = object.spec;
  const overMs = timeMs(object.status?.completionTime);
  if (ttl === undefined || ttl === null || overMs === undefined) return undefined;
  return Math.max(0, overMs + ttl * 1_000 - now);
}

function afterEnd(object: NorthflankJobRun, overMs: number, now: number): Next {
  const { ttlSecondsAfterFinished: ttl } = object.spec;
  if (ttl === undefined || ttl === null) return { kind: "settled" };
  return { kind: "recheck", afterMs: Math.max(0, overMs + ttl * 1_000 - now), asks: false };
}

function deadlineEnd({ spec }: NorthflankJobRun, time: string): End {
  const message = `The run was active for longer than ${spec.activeDeadlineSeconds} s (spec.activeDeadlineSeconds).`;
  return { reason: "DeadlineExceeded", message, time };
}

/** Whether the run ended after the deadline, and so because of it. Both times by Northflank's clock. */
function isPastDeadline({ spec, status }: NorthflankJobRun, ended: Attempt): boolean {
  const first = ended.number === 1 ? ended : status?.attempts?.[0];
  const startMs = timeMs(first?.startTime);
  const endMs = timeMs(ended.completionTime);
  if (spec.activeDeadlineSeconds === undefined || startMs === undefined || endMs === undefined) return false;
  return endMs - startMs >= spec.activeDeadlineSeconds * 1_000;
}

// ---- failed calls ---------------------------------------------------------------------------------------------------

/** A call that did not get through, whatever it was for. What is known about the run stays as it is. */
export function decideFailed(situation: Situation, error: NorthflankError, judge: Judge): Conclusion {
  const { object } = situation;
  const previous = object.status?.failure;
  const judged = judge(error, isSameFailure(previous, judge(error, 0)) ? (previous?.count ?? 0) : 0);
  const isOutcomeUnknown = isKnownUnknown(object);
  if (judged.failureClass === undefined) {
    const afterMs = judged.next.kind === "recheck" ? judged.next.afterMs : slowProbeMs;
    // The time until the quota is back differs with every look: it stays out of the message, so that status stays too.
    return decideNoQuota(situation, afterMs);
  }
  const nextTryMs = judged.next.kind === "recheck" ? capFor(error, judged.next.afterMs) : undefined;
  const { message } = judged.verdict;
  const failure = failureOf(situation, {
    class: judged.failureClass,
    reason: judged.verdict.reason,
    httpStatus: judged.httpStatus,
    message,
    nextTryMs,
  });
  const next: Next =
    judged.next.kind === "recheck"
      ? { kind: "recheck", afterMs: soonest(situation, nextTryMs ?? 0), asks: true }
      : { kind: "retry", error, failures: failure.count, notBeforeMs: judged.next.notBeforeMs ?? 0 };
  return conclude(judged.verdict, { facts: { failure }, next, isOutcomeUnknown });
}

// A token that was refused is looked at again within a minute: by then a rotated Secret has been read.
const refusedTokenRecheckMs = 60_000;

function capFor(error: NorthflankError, afterMs: number): number {
  return error.code === "unauthorized" ? Math.min(afterMs, refusedTokenRecheckMs) : afterMs;
}

function isSameFailure(previous: FailureRecord | undefined, judged: RemoteVerdict): boolean {
  return (
    previous?.class === judged.failureClass &&
    previous?.reason === judged.verdict.reason &&
    previous?.httpStatus === judged.httpStatus
  );
}

function failureOf(
  { object, now }: Situation,
  facts: Omit<Parameters<typeof nextFailure>[0], "previous" | "now">,
): FailureRecord {
  return nextFailure({ previous: object.status?.failure, now, ...facts });
}

// ---- small parts ----------------------------------------------------------------------------------------------------

function conclude(
  verdict: Verdict,
  options: Partial<Omit<Conclusion, "verdict">> & { readonly next: Next },
): Conclusion {
  return { verdict, facts: {}, after: [], events: [], isOutcomeUnknown: false, isReleased: false, ...options };
}

function withFacts(conclusion: Conclusion, facts: Facts): Conclusion {
  return { ...conclusion, facts: { ...conclusion.facts, ...facts } };
}

function running({ spec }: NorthflankJobRun, { runId }: Attempt): Verdict {
  return { kind: "progressing", reason: "RunActive", message: `Run ${runId} of job ${spec.jobId} is active.` };
}

type Action = "StartRun" | "AbortRun" | "Observe";

function normal(reason: Reason, action: Action, note: string): EventDraft {
  return { type: "Normal", reason, action, note };
}

function warning(reason: Reason, action: Action, note: string): EventDraft {
  return { type: "Warning", reason, action, note };
}

function attemptOf(object: NorthflankJobRun): Attempt {
  const attempt = latestAttempt(object);
  if (attempt === undefined) throw new TypeError(`${object.metadata.name} has no run where one is followed`);
  return attempt;
}

function recordOf(object: NorthflankJobRun): StartRecord {
  const start = object.status?.start;
  if (start === undefined) throw new TypeError(`${object.metadata.name} has no start record where one is resolved`);
  return start;
}

function replaceLatest(object: NorthflankJobRun, attempt: Attempt): readonly Attempt[] {
  return [...(object.status?.attempts ?? []).slice(0, -1), attempt];
}

function endedAttempt({ now }: Situation, attempt: Attempt, run: JobRunView): Attempt {
  const startMs = timeMs(run.startedAt);
  return {
    ...attempt,
    remoteStatus: capped(run.status, 64),
    ...(startMs === undefined ? {} : { startTime: formatTime(startMs) }),
    completionTime: formatTime(timeMs(run.concludedAt) ?? now),
  };
}

/** The message of the status, if it is about the same: what stays as it is causes no write. */
function saidBefore({ status }: NorthflankJobRun, reason: Reason): string | undefined {
  const ready = findCondition(status?.conditions, "Ready");
  return ready?.reason === reason ? ready.message : undefined;
}

function isKnownUnknown(object: NorthflankJobRun): boolean {
  return isUnresolved(object) && findCondition(object.status?.conditions, "Started")?.reason === "StartOutcomeUnknown";
}

/** A wait, cut at the next deadline of the object. */
function soonest({ object, now, sinceStartMs }: Situation, afterMs: number): number {
  const { spec, metadata } = object;
  const hasRun = latestAttempt(object) !== undefined;
  const limitSeconds = hasRun ? spec.activeDeadlineSeconds : spec.startDeadlineSeconds;
  if (limitSeconds === undefined) return afterMs;
  const elapsedMs = hasRun ? sinceStartMs : now - (timeMs(metadata.creationTimestamp) ?? now);
  return Math.max(0, Math.min(afterMs, limitSeconds * 1_000 - elapsedMs));
}

/** Nothing to do until somebody changes something, or until the next deadline of the object. */
function untilDeadline(situation: Situation): Next {
  const afterMs = soonest(situation, Number.POSITIVE_INFINITY);
  return Number.isFinite(afterMs) ? { kind: "recheck", afterMs, asks: false } : { kind: "settled" };
}
