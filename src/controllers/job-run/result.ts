// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { NormalEvent, Reason } from "../../api/reasons.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import type { Random } from "../../util/random.ts";
import type { EventDraft } from "../reconcile/events.ts";
import { type Polled, type PollPlan, pollPauseMs, unhintedPauseMs, usableAgeMs } from "../reconcile/poll-plan.ts";
import type { ReadyState } from "../reconcile/ready-state.ts";
import { delayOf, type Pause, type Requeue, requeueAfter } from "../reconcile/requeue.ts";
import { type RunAges, untilMs } from "./age.ts";
import { type Attempt, isJudgedUnknown, latestAttempt, limitOf, type RunState, stateOf } from "./machine.ts";
import { type StartRecord, timeMs } from "./start-record.ts";

/** What a reconcile concluded: what the status will say, what is done once it says so, and when to requeue. */
export interface RunResult {
  readonly readyState: ReadyState;
  /** Status fields that change; `undefined` removes one. Conditions, phase and the like are made by `status.ts`. */
  readonly fields: StatusFields;
  readonly next: Requeue;
  /** `status.start` from now on, where that changes. Written after the status: it must not be known before it. */
  readonly record?: StartRecord;
  /** Objects to enqueue once the status is stored. */
  readonly enqueues: readonly ObjectKey[];
  readonly events: readonly EventDraft[];
  /** True where it is not known whether a run was started, and a user has to resolve it. */
  readonly isOutcomeUnknown: boolean;
  /** True where this reconcile came too soon after another one to do what a reconcile request asks for. */
  readonly isTooSoon?: boolean;
  /** True where the status says already what there is to say: nothing new was learned. */
  readonly isUnchanged?: boolean;
  /** True where the message of the status stays, if it is about the same: what stays as it is causes no write. */
  readonly isRepeated?: boolean;
  /** True where our finalizer need not hold the object any more, whatever is open. */
  readonly isReleased: boolean;
}

/** The status of a run object. */
export type RunStatus = NonNullable<NorthflankJobRun["status"]>;

type StatusField =
  | "attempts"
  | "runId"
  | "runName"
  | "duplicateRunId"
  | "replaces"
  | "startTime"
  | "completionTime"
  | "abortRequestedTime"
  | "abortedRunId"
  | "lastHandledResolveStart"
  | "failure";

/** See {@link RunResult.fields}. */
export type StatusFields = { readonly [K in StatusField]?: RunStatus[K] | undefined };

/** Settings of following and starting, in milliseconds. */
export interface RunSettings {
  /** The shortest interval of following a run; see poll-plan.ts. */
  readonly runPollIntervalMs: number;
  /** S: how long a lost start gets to show up in the list after nothing can be in flight any more. */
  readonly startSettleMs: number;
  /** G: longest time between the baseline and the POST. */
  readonly startGateMs: number;
  /** T: time limit of one call. */
  readonly requestTimeoutMs: number;
}

/** What every decision is made from. */
export interface Situation extends RunAges, PollPlan {
  readonly object: NorthflankJobRun;
  /** Wall clock in ms: only for what people read. */
  readonly now: number;
  readonly random: Random;
  readonly settings: RunSettings;
  readonly state: RunState;
  /** Until the deadline that counts in this state; `Infinity` where there is none, or it is over. */
  readonly deadlineMs: number;
  /** Northflank's clock in ms since the epoch, where it is known. */
  readonly remoteNow?: number | undefined;
}

/** G + T + S: from here on nothing of a start can be in flight any more, and the list has had time to show it. */
export function settleWaitMs(settings: RunSettings): number {
  return settings.startGateMs + settings.requestTimeoutMs + settings.startSettleMs;
}

/** What a result says beside its ready state; what is left out changes and does nothing. */
type Rest = Partial<Omit<RunResult, "readyState">> & { readonly next: Requeue };

export function runResult(readyState: ReadyState, rest: Rest): RunResult {
  return { readyState, fields: {}, enqueues: [], events: [], isOutcomeUnknown: false, isReleased: false, ...rest };
}

/** Under way: see {@link ReadyState} for what each kind means. */
export function progressing(reason: Reason, message: string, rest: Rest): RunResult {
  return runResult({ kind: "progressing", reason, message }, rest);
}

/** Waits for something that comes by itself. */
export function waiting(reason: Reason, message: string, rest: Rest): RunResult {
  return runResult({ kind: "waiting", reason, message }, rest);
}

/** Waits for a person. */
export function stalled(reason: Reason, message: string, rest: Rest): RunResult {
  return runResult({ kind: "stalled", reason, message }, rest);
}

/** Held by spec.suspend. */
export function suspended(message: string, rest: Rest): RunResult {
  return runResult({ kind: "suspended", reason: "Suspended", message }, rest);
}

/** The same result with further fields. */
export function withFields(result: RunResult, fields: StatusFields): RunResult {
  return { ...result, fields: { ...result.fields, ...fields } };
}

type Action = "StartRun" | "AbortRun" | "Observe";

/** An Event about something that went as it should. */
export function normal(reason: NormalEvent, action: Action, note: string): EventDraft {
  return { type: "Normal", reason, action, note };
}

/** An Event that a user should check. */
export function warning(reason: Reason, action: Action, note: string): EventDraft {
  return { type: "Warning", reason, action, note };
}

/** The current run. *Errors*: throws where the state says that there is one and there is none. */
export function attemptOf(object: NorthflankJobRun): Attempt {
  const attempt = latestAttempt(object);
  if (attempt === undefined) throw new TypeError(`${object.metadata.name} has no run where one is followed`);
  return attempt;
}

/** The start record. *Errors*: throws where the state says that there is one and there is none. */
export function recordOf(object: NorthflankJobRun): StartRecord {
  const start = object.status?.start;
  if (start === undefined) throw new TypeError(`${object.metadata.name} has no start record where one is resolved`);
  return start;
}

/** Nothing was learned: the status stays as it is. `said` is what it says, as far as this process knows. */
export function unchanged(object: NorthflankJobRun, said: ReadyState | undefined): RunResult {
  const readyState = said ?? { kind: "progressing", reason: "Progressing", message: "Reconciling." };
  const fields = { replaces: object.status?.replaces };
  const isOutcomeUnknown = isJudgedUnknown(object);
  return runResult(readyState, { fields, next: { kind: "never" }, isOutcomeUnknown, isUnchanged: true });
}

/** Completes the situation with the state of the run and the deadline that counts in it. */
export function situationOf(given: Omit<Situation, "state" | "deadlineMs">): Situation {
  const state = stateOf(given.object);
  const limit = limitOf(given.object, { ...given, state });
  const deadlineMs = limit && untilMs(limit.elapsedMs, limit.limitMs);
  return { ...given, state, deadlineMs: deadlineMs ?? Number.POSITIVE_INFINITY };
}

/** A check after `afterMs`, or at the next deadline of the object. */
export function recheck(
  { deadlineMs }: Situation,
  afterMs: number,
  pause?: Pause,
): Requeue & { readonly kind: "recheck" } {
  return { kind: "recheck", afterMs: Math.min(afterMs, deadlineMs), ...(pause && { pause }) };
}

/** The same for a check that costs a request. */
export function recheckAsking(
  situation: Situation,
  afterMs: number,
  pause?: Pause,
): Requeue & { readonly kind: "recheck" } {
  return { ...recheck(situation, afterMs, pause), asks: true };
}

/** The same result, requeued after `afterMs` at the latest. */
export function sooner(result: RunResult, afterMs: number, asks = false): RunResult {
  const isSooner = (delayOf(result.next) ?? Number.POSITIVE_INFINITY) <= afterMs;
  if (isSooner) return result;
  const pause = result.next.kind === "recheck" ? result.next.pause : undefined;
  return { ...result, next: { kind: "recheck", afterMs, asks, ...(pause && { pause }) } };
}

/** Nothing to do until the object changes, or until its next deadline. */
export function untilDeadline({ deadlineMs }: Situation): Requeue {
  return requeueAfter(deadlineMs);
}

/** The next poll of the run of the present attempt, which is active. `readAgeMs`: see {@link Polled}. */
export function nextPoll(situation: Situation, readAgeMs: number): Requeue & { readonly kind: "recheck" } {
  const polled = { ...polledOf(situation), readAgeMs };
  return { ...spread(recheckAsking(situation, pollPauseMs(polled))), unhintedMs: unhintedPauseMs(polled) };
}

/** The first poll of a run that has just been started: not after the deadline, which its start may have begun. */
export function firstPoll(situation: Situation): Requeue & { readonly kind: "recheck" } {
  const { activeDeadlineSeconds = Number.POSITIVE_INFINITY } = situation.object.spec;
  const leftMs = Math.max(0, activeDeadlineSeconds * 1_000 - situation.sinceStartMs);
  const polled = { ...plannedBy(situation), elapsedMs: 0, leftMs };
  const next = spread({ kind: "recheck", afterMs: pollPauseMs(polled), asks: true });
  return { ...next, unhintedMs: unhintedPauseMs(polled) };
}

// More would be late for an end that is expected, or for a deadline.
const mostSpreadMs = 6_000;

/** A poll that may be a little later, so that runs which started together drift apart. */
function spread(next: Requeue & { readonly kind: "recheck" }): Requeue & { readonly kind: "recheck" } {
  return { ...next, spreadMs: Math.min(0.1 * next.afterMs, mostSpreadMs) };
}

/** How old a read of others may be that serves a poll of the run now. */
export function usableReadMs(situation: Situation): number {
  return usableAgeMs(polledOf(situation));
}

function polledOf(situation: Situation): Polled {
  return { ...plannedBy(situation), elapsedMs: attemptAgeMs(attemptOf(situation.object), situation) };
}

/** A deadline is counted in {@link recheck}. */
function plannedBy({ settings, earlierMs, pace }: Situation): Omit<Polled, "elapsedMs"> {
  return { firstMs: settings.runPollIntervalMs, leftMs: Number.POSITIVE_INFINITY, earlierMs, pace };
}

// The longest interval of polls that show something soon.
const longestBriskMs = 60_000;

/**
 * The interval of polls for something other than the end of an active run: an abort that has to show, a duplicate, a run
 * that is not found. A fifth of the time it has taken, between the first interval and a minute.
 */
export function pollIntervalMs(settings: RunSettings, sinceMs: number): number {
  const firstMs = settings.runPollIntervalMs;
  return Math.max(firstMs, Math.min(sinceMs / 5, longestBriskMs));
}

/** The same, by the age of the run of the present attempt. */
export function briskPollMs(situation: Situation): number {
  return pollIntervalMs(situation.settings, attemptAgeMs(attemptOf(situation.object), situation));
}

/** Of this run, not of the object: one that follows a failed one is young again. */
function attemptAgeMs({ number, startTime }: Attempt, { now, sinceStartMs }: Situation): number {
  const startMs = timeMs(startTime);
  if (number === 1 || startMs === undefined) return sinceStartMs;
  return Math.min(sinceStartMs, Math.max(0, now - startMs));
}
