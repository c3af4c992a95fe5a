// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { NormalEvent, Reason } from "../../api/reasons.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import { findCondition } from "../../runtime/conditions.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import { assertNever } from "../../util/assert-never.ts";
import type { EventDraft } from "../reconcile/events.ts";
import type { Verdict } from "../reconcile/ready-state.ts";
import type { RemoteVerdict } from "../reconcile/remote-error.ts";
import type { Pause, Requeue } from "../reconcile/requeue.ts";
import { untilMs } from "./age.ts";
import { type Attempt, isUnresolved, latestAttempt, limitOf, stateOf } from "./machine.ts";
import { type StartRecord, timeMs } from "./start-record.ts";

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
  /** True where this pass came too soon after another one to do what a reconcile request asks for. */
  readonly isTooSoon?: boolean;
  /** True where the status says already what there is to say: nothing new was learned. */
  readonly isUnchanged?: boolean;
  /** True where our finalizer need not hold the object any more, whatever is open. */
  readonly isReleased: boolean;
}

/** The status of a run object. */
export type RunStatus = NonNullable<NorthflankJobRun["status"]>;

type FactName =
  | "attempts"
  | "runId"
  | "runName"
  | "duplicateRunId"
  | "replaces"
  | "startTime"
  | "completionTime"
  | "abortRequestedTime"
  | "lastHandledResolveStart"
  | "failure";

/** See {@link Conclusion.facts}. */
export type Facts = { readonly [K in FactName]?: RunStatus[K] | undefined };

/** When to come back. */
export type Next =
  /** Nothing until something changes. */
  | { readonly kind: "settled" }
  /** Come back; `asks: true` when that will cost a request, so it must not happen sooner without a reason. */
  | { readonly kind: "recheck"; readonly afterMs: number; readonly asks: boolean; readonly pause?: Pause }
  /** Come back at once: this pass changed what the next one decides on. Where that goes on, ever more slowly. */
  | { readonly kind: "again" }
  /** A failed call: after a growing pause, and not before `notBeforeMs`. */
  | { readonly kind: "retry"; readonly error: Error; readonly failures: number; readonly notBeforeMs: number };

/** The same in the words of all kinds, for what messages say of it. */
export function requeueOf(next: Next): Requeue {
  switch (next.kind) {
    case "settled":
      return { kind: "never" };
    case "recheck":
      return next;
    case "again":
      return { kind: "recheck", afterMs: 0 };
    case "retry":
      return { kind: "backoff", notBeforeMs: next.notBeforeMs };
    default:
      return assertNever(next, "next");
  }
}

/** See {@link Conclusion.after}. */
export type AfterAction =
  /** Replaces `status.start`. */
  | { readonly kind: "record"; readonly start: StartRecord }
  | { readonly kind: "enqueue"; readonly keys: readonly ObjectKey[] };

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
  /** Since the first run started, as far as that may be acted upon (see `age.ts`). */
  readonly sinceStartMs: number;
  /** Since the object was created, likewise; where it is missing, by the wall clock. */
  readonly sinceCreationMs?: number;
  /** Since the object ended, likewise. */
  readonly sinceEndMs?: number;
  /** Northflank's clock in ms since the epoch, where it is known. */
  readonly remoteNow?: number | undefined;
}

/** `judge` says what a failed call means: the one table of all kinds. */
export type Judge = (error: NorthflankError, failures: number) => RemoteVerdict;

/** G + T + S: from here on nothing of a start can be on its way any more, and the list has had time to show it. */
export function settleWaitMs(settings: RunSettings): number {
  return settings.startGateMs + settings.requestTimeoutMs + settings.startSettleMs;
}

/** A conclusion that changes and does nothing but what is given. */
export function conclude(
  verdict: Verdict,
  options: Partial<Omit<Conclusion, "verdict">> & { readonly next: Next },
): Conclusion {
  return { verdict, facts: {}, after: [], events: [], isOutcomeUnknown: false, isReleased: false, ...options };
}

/** The same conclusion with further facts. */
export function withFacts(conclusion: Conclusion, facts: Facts): Conclusion {
  return { ...conclusion, facts: { ...conclusion.facts, ...facts } };
}

type Action = "StartRun" | "AbortRun" | "Observe";

/** An Event about something that went as it should. */
export function normal(reason: NormalEvent, action: Action, note: string): EventDraft {
  return { type: "Normal", reason, action, note };
}

/** An Event that somebody should look at. */
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

/** The message of the status, if it is about the same: what stays as it is causes no write. */
export function saidBefore({ status }: NorthflankJobRun, reason: Reason): string | undefined {
  const succeeded = findCondition(status?.conditions, "Succeeded");
  return succeeded?.reason === reason ? succeeded.message : undefined;
}

/** True while a start is unresolved and the status says that a person has to decide. */
export function isKnownUnknown(object: NorthflankJobRun): boolean {
  return isUnresolved(object) && findCondition(object.status?.conditions, "Started")?.reason === "StartOutcomeUnknown";
}

/** A wait, cut at the next deadline of the object, if that is still to come. */
export function soonest(situation: Situation, afterMs: number): number {
  return Math.min(afterMs, deadlineLeftMs(situation) ?? afterMs);
}

/** Nothing to do until somebody changes something, or until the next deadline of the object. */
export function untilDeadline(situation: Situation): Next {
  const afterMs = deadlineLeftMs(situation);
  return afterMs === undefined ? { kind: "settled" } : { kind: "recheck", afterMs, asks: false };
}

function deadlineLeftMs({ object, now, sinceStartMs, sinceCreationMs }: Situation): number | undefined {
  const limit = limitOf(object, {
    state: stateOf(object),
    sinceCreationMs: sinceCreationMs ?? now - (timeMs(object.metadata.creationTimestamp) ?? now),
    sinceStartMs,
  });
  return limit === undefined ? undefined : untilMs(limit.elapsedMs, limit.limitMs);
}
