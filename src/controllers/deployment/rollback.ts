// pure

import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { Reason } from "../../api/reasons.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";
import type { EventDraft } from "../reconcile/events.ts";
import { type ConditionUpdate, withClause } from "../reconcile/ready-state.ts";
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeAround } from "../reconcile/requeue.ts";
import { conclude } from "../target/decision.ts";
import { policyOf } from "../target/policy.ts";
import {
  changeOf,
  entryOf,
  indexOf,
  rollbackOf,
  wasSent,
  withNew,
  withoutIntent,
  withRollbackAs,
  withSending,
} from "./changes.ts";
import { judged, write } from "./decisions.ts";
import { type Desire, desireOf } from "./desired.ts";
import { compare } from "./diff.ts";
import { goodOf, wantsRestore } from "./last-good.ts";
import { leftMs, limitOf, movedBy, newsWhileStopped, rolledBackFor, seenLeftMs } from "./machine.ts";
import type { Change, ChangeRecord, Conclusion, DecideInput, Decision, Facts } from "./observation.ts";
import {
  failedMessage,
  hasBegunNone,
  hasMovedSince,
  lateMessage,
  pollGradual,
  pollPauseMs,
  pollPlanOf,
  progressOf,
  tookNews,
} from "./rollout.ts";
import { timeText } from "./target.ts";

/*
 * `rollout.onFailure: Restore`. What happens to a declaration whose rollout failed or was late:
 *
 *     failed ---- nothing to restore -------------------------> stays, and says why
 *        \---- an entry RolledBack in status.changes (Sending) -> POST -> RollingOut -> Complete | Failed | Superseded
 *
 * Promises:
 *  1. At most once per declaration: the record names it, and only another declaration, a reconcile request or success
 *     removes it. While it is there, neither the declared source nor the good one is sent again.
 *  2. The record is in status before the POST. A program that dies between the two finds its record and the failed
 *     source, and sends; one that dies after the POST finds its record and the good source, and adopts it. Without the
 *     record the good source would look like drift, and the failed one would be sent again.
 *  3. A record of another declaration means nothing: after a change of the spec nothing is restored.
 *  4. Where Northflank does not return which of the two sources it has, nothing is restored, and what was restored
 *     before is not taken for what is declared.
 *  5. Nothing is sent under Observe, while suspended or paused; the record waits.
 *  6. Nothing is recorded where Northflank began no rollout for the declaration, nor for the time that has passed
 *     before this process has seen a part of it.
 */

/**
 * A person has requested another attempt of what was rolled back, and this reconcile could not make it: its status
 * answers the request, so that the record has to remember it. Under Observe nothing is tried, and the record stays.
 */
export function keepRequest({ object, now }: DecideInput, conclusion: Conclusion): Conclusion {
  const { stated } = conclusion;
  if (Object.hasOwn(stated, "changes") || !policyOf(object).rollsBack) return conclusion;
  if (!isReconcileRequested(object) || !wantsRestore(object)) return conclusion;
  const read = desireOf(object.spec);
  const rollback = read.kind === "desire" ? rollbackOf(object.status, read.desire) : undefined;
  if (read.kind !== "desire" || rollback === undefined || rollback.phase === "Sending") return conclusion;
  return { ...conclusion, stated: { ...stated, changes: withSending(object, read.desire, now) } };
}

// ---- the target has what is declared ----

/** Adds what is to be said and done about a rollback to a conclusion about a target that has what is declared. */
export function decideRollback(facts: Facts, same: Conclusion): Decision {
  const { good, policy, rollback: record, service } = facts;
  if (good === undefined) return conclude(withoutRecords(same));
  const isDoubtful = good.kind === "source" && good.isDoubtful;
  // Nothing is rolled back where the two appear equal from the start: a record means that the good one is there by now.
  if (isDoubtful && record !== undefined && policy.rollsBack) return conclude(rolledBackConclusion(facts, record));
  const { reason } = same.readyState;
  if (reason === "RolloutComplete") return conclude(rememberGood(facts, same));
  const hasFailed = reason === "RolloutFailed" || reason === "RolloutTimedOut";
  if (!hasFailed || !policy.rollsBack) return conclude(keepRecord(same, record));
  if (good.kind === "none") return conclude(nothingToRestore(facts, same, good.why));
  if (isDoubtful)
    return conclude(nothingToRestore(facts, same, "Northflank does not return which of the two sources it has"));
  if (record === undefined) return conclude(heldBack(facts, same) ?? intendRollback(facts, same, good.desire));
  if (record.phase !== "Sending") {
    // Northflank may return too little to see which of the two it has.
    return conclude(good.isInForce ? rolledBackConclusion(facts, record) : failedAgain(facts, same, record));
  }
  const { differences, alike, untold } = compare(good.desire, service);
  const all = [...differences, ...alike, ...untold];
  return write({ desire: good.desire, cause: "RolledBack", before: service, differences: all });
}

/**
 * What failed or was late may not be this change at all: nothing is undone on the word of a clock alone, or where there
 * was no rollout. `undefined` when it is rolled back.
 */
function heldBack(facts: Facts, same: Conclusion): Conclusion | undefined {
  const { service, desire, age } = facts;
  const change = changeOf(same.stated, desire);
  if (hasBegunNone(service, change)) return nothingToRestore(facts, same, "Northflank began no rollout for it");
  if (same.readyState.reason === "RolloutTimedOut") {
    if (service.rolloutStatus !== undefined) return undefined;
    return nothingToRestore(facts, same, "Northflank does not return how far the rollout is");
  }
  if (hasMovedSince(service.rolloutTransitionTime, change) === true || change === undefined) return undefined;
  // The failed state is taken for that of this change because of the time that has passed.
  const afterMs = seenLeftMs(age(change.time), staleForMs);
  return afterMs === 0 ? undefined : { ...same, next: { kind: "recheck", afterMs } };
}

function withoutRecords(same: Conclusion): Conclusion {
  return { ...same, stated: { ...same.stated, changes: withoutIntent(same.stated.changes), lastGood: undefined } };
}

function keepRecord(same: Conclusion, record: ChangeRecord | undefined): Conclusion {
  return record?.phase === "Sending" ? { ...same, restored: claimOf(record) } : same;
}

function rememberGood(facts: Facts, same: Conclusion): Conclusion {
  const { object, desire, now, unverified } = facts;
  const { stated } = same;
  const before = object.status?.lastGood;
  const isUnsure = mayBeStale(facts, changeOf(stated, desire)) || unverified.length > 0;
  const isKept = before?.specHash === desire.hash || isUnsure;
  const lastGood = isKept ? before : goodOf(desire, now);
  return { ...same, stated: { ...stated, changes: withoutIntent(stated.changes), lastGood } };
}

function nothingToRestore(facts: Facts, same: Conclusion, why: string): Conclusion {
  const message = troubleMessage(facts, same, `nothing is restored, because ${why}`);
  return {
    ...same,
    readyState: { ...same.readyState, message },
    restored: { status: "False", reason: "NothingToRestore", message: `Nothing is restored, because ${why}.` },
    stated: { ...same.stated, changes: withoutIntent(same.stated.changes) },
  };
}

/** Only the intent: it has to be in status before anything is sent. */
function intendRollback({ object, desire, now }: Facts, same: Conclusion, good: Desire): Conclusion {
  const entry = entryOf(object, good, {
    cause: "RolledBack",
    phase: "Sending",
    time: formatTime(now),
    of: desire.hash,
  });
  const { reason } = same.readyState;
  const changes = same.stated.changes ?? [];
  const phase = reason === "RolloutTimedOut" ? "TimedOut" : "Failed";
  const failed = changes.map((change, at) => (at === indexOf(changes, desire.hash) ? { ...change, phase } : change));
  const restored = claimOf(entry);
  return {
    ...same,
    readyState: { ...same.readyState, message: `${failureText(reason, desire.source)}; ${restored.message}` },
    restored,
    stated: { ...same.stated, changes: withNew(failed as readonly ChangeRecord[], entry) },
    next: { kind: "again" },
  };
}

/** The failed source is there again after it was replaced. */
function failedAgain(facts: Facts, same: Conclusion, { source }: ChangeRecord): Conclusion {
  const text = `${source} had been restored and was replaced by this source again`;
  const message = withClause(troubleMessage(facts, same, text), "request a reconcile to retry.");
  return {
    ...same,
    readyState: { ...same.readyState, message },
    restored: { status: "False", reason: "RestoreFailed", message: `${text}. Request a reconcile to retry.` },
  };
}

/** What failed or was late, and in the same sentence what became of it. */
function troubleMessage(facts: Facts, { readyState }: Conclusion, also: string): string {
  return readyState.reason === "RolloutTimedOut" ? lateMessage(facts, also) : failedMessage(facts.desire, also);
}

// A state of the rollout before our change does not stay in sight for longer than this.
const staleForMs = 60_000;

/**
 * We may have sent this source without an answer: then the rollout that is complete may still be the one before,
 * and the source counts as good only when a later read finds it complete. The first one ever was there before us.
 */
function mayBeStale({ object, age }: Facts, change: ChangeRecord | undefined): boolean {
  const isOurs: boolean = wasSent(change);
  if (isOurs || object.status?.lastGood === undefined) return false;
  return change === undefined || age(change.time).elapsedMs < staleForMs;
}

// ---- the target has something else ----

/** What is declared has failed and was, or is to be, replaced: the difference is wanted, and nothing is written. */
export function decideRolledBack(facts: Facts): Decision {
  if (facts.rollback === undefined) throw new TypeError("there is no rollback");
  return conclude(rolledBackConclusion(facts, facts.rollback));
}

function rolledBackConclusion(facts: Facts, record: ChangeRecord): Conclusion {
  const { object, service, pending, shown } = facts;
  const before = resumed(facts, record);
  const { rollback, nextMs } = followed(facts, before);
  const isComplete = rollback.phase === "Complete" && before.phase !== "Complete";
  return {
    ...rolledBackBase(object, rollback, isThere(facts) ? service.stop : undefined),
    stated: {
      ...shown,
      pendingChanges: pending.length === 0 ? undefined : pending,
      changes: withRollbackAs(object.status?.changes, rollback),
    },
    next: nextMs === undefined ? probeAround(slowProbeMs, facts.random) : { kind: "recheck", afterMs: nextMs },
    events: [
      ...(record.phase === "Sending" ? [restoredEvent(object, rollback)] : []),
      ...(isComplete ? [completeEvent(rollback)] : []),
    ],
  };
}

/**
 * The rollback as it counts from this read on. The good source is there although only the intent was recorded: we have
 * sent it, and could not say so. After a pause its limit counts from the resume.
 */
function resumed({ object, now, service }: Facts, record: ChangeRecord): ChangeRecord {
  const time = formatTime(now);
  if (record.phase === "Sending") {
    const previousTransitionTime = object.status?.observed?.rolloutTransitionTime;
    return { ...record, phase: "RollingOut", time, since: time, ...present({ previousTransitionTime }) };
  }
  const isResumed = record.phase === "Paused" && service.stop === undefined;
  return isResumed ? { ...record, phase: "RollingOut", since: time } : record;
}

/** The rollback after this read, and when it is polled again; `undefined`: like anything that has failed. */
function followed(
  facts: Facts,
  record: ChangeRecord,
): { readonly rollback: ChangeRecord; readonly nextMs: number | undefined } {
  const { service, shown, settings, now, limitMs } = facts;
  if (!isThere(facts)) {
    const since = record.phase === "Superseded" ? record.since : formatTime(now);
    return { rollback: { ...record, phase: "Superseded", since }, nextMs: undefined };
  }
  const wasLate = record.phase === "TimedOut";
  const age = facts.age(record.phase === "RollingOut" || wasLate ? record.since : record.time);
  const { elapsedMs } = age;
  const wasComplete = record.phase === "Complete";
  const progress = progressOf({ service, change: record, wasComplete, wasLate, elapsedMs, age, limitMs });
  const news = progress === "paused" ? newsWhileStopped(shown) : tookNews({ change: record, service, progress, age });
  const rollback = movedBy(record, progress, now, news);
  if (progress === "gradual") return { rollback, nextMs: pollGradual(elapsedMs, settings).afterMs };
  if (progress !== "rolling") return { rollback, nextMs: undefined };
  return { rollback, nextMs: pollPauseMs(elapsedMs, leftMs(age, limitMs), settings, pollPlanOf(facts)) };
}

function isThere({ good }: Facts): boolean {
  return good?.kind === "source" && good.isInForce;
}

// ---- the POST ----

/** The result of the POST that restores the good source. */
export function restoreSent(options: {
  readonly object: NorthflankDeployment;
  readonly change: Change;
  readonly now: number;
  readonly settings: DecideInput["settings"];
  readonly pace?: Facts["pace"];
  readonly events: readonly EventDraft[];
}): Conclusion {
  const { object, change, now, settings } = options;
  const time = formatTime(now);
  const previousTransitionTime = timeText(change.before.rolloutTransitionTime);
  const begun = { phase: "RollingOut", time, since: time, ...present({ previousTransitionTime }) } as const;
  const sent: ChangeRecord = { ...intentOf(object), ...begun };
  return {
    ...rolledBackBase(object, sent),
    stated: { changes: withRollbackAs(object.status?.changes, sent), image: sent.source },
    next: { kind: "recheck", afterMs: pollPauseMs(0, limitOf(object), settings, pollPlanOf(options)) },
    events: [restoredEvent(object, sent), ...options.events],
  };
}

/** The POST failed or was refused: the record stays, so that it is retried, and the failed rollout stays the reason. */
export function restoreRefused(
  object: NorthflankDeployment,
  { readyState, failure, next }: Pick<Conclusion, "readyState" | "failure" | "next">,
): Conclusion {
  const intent = intentOf(object);
  const base = rolledBackBase(object, intent);
  const message = `${intent.source} could not be restored yet: ${readyState.message}`;
  const restored = { status: "Unknown", reason: "Restoring", message } as const;
  const failed = failureText(base.readyState.reason, declaredSource(object));
  return {
    ...base,
    readyState: { ...base.readyState, message: `${failed}; ${message}` },
    restored,
    inSync: "as-before",
    stated: {},
    failure,
    next,
  };
}

function intentOf(object: NorthflankDeployment): ChangeRecord {
  const record = object.status?.changes?.[0];
  if (record?.cause !== "RolledBack") throw new TypeError("a rollback was sent that is not recorded");
  return record;
}

// ---- what is said ----

type Said = Pick<Exclude<ConditionUpdate, "as-before">, "status" | "reason"> & {
  readonly says: (rollback: Pick<ChangeRecord, "source" | "time">) => string;
};

const underWay: Said = {
  status: "Unknown",
  reason: "Restoring",
  says: ({ source, time }) => `${source} was restored at ${time} and is rolling out`,
};

const claims: Readonly<Record<ChangeRecord["phase"], Said>> = {
  Sending: { ...underWay, says: ({ source }) => `${source}, the last good source, is being restored` },
  RollingOut: underWay,
  AwaitingPromotion: underWay,
  NotKept: underWay,
  Paused: {
    ...underWay,
    says: ({ source, time }) => `${source} was restored at ${time} and rolls out when the service is resumed`,
  },
  Complete: {
    status: "True",
    reason: "Restored",
    says: ({ source, time }) => `${source}, the last good source, was restored at ${time}, and its rollout is complete`,
  },
  Failed: {
    status: "False",
    reason: "RestoreFailed",
    says: ({ source, time }) => `${source} was restored at ${time}, but its rollout failed too`,
  },
  TimedOut: {
    status: "False",
    reason: "RestoreFailed",
    says: ({ source, time }) => `${source} was restored at ${time}, but its rollout was not complete in time either`,
  },
  Superseded: {
    status: "False",
    reason: "RestoreFailed",
    says: ({ source }) => `${source} had been restored, and another client has replaced it`,
  },
};

/** The condition Restored. */
function claimOf(rollback: ChangeRecord, stop?: string): Exclude<ConditionUpdate, "as-before"> {
  const { status, reason, says } = claims[rollback.phase];
  return { status, reason, message: `${says(rollback)}${stop === undefined ? "" : `; ${stop}`}.` };
}

/** What a conclusion has in common about a declaration that was rolled back. */
function rolledBackBase(object: NorthflankDeployment, rollback: ChangeRecord, stop?: string) {
  const reason = rolledBackFor(object, rollback);
  const failed = failureText(reason, declaredSource(object));
  const restored = claimOf(rollback, stop);
  const remedy = "Declare another source, or request a reconcile to retry this one.";
  return {
    ...judged,
    readyState: { kind: "stalled", reason, message: `${failed}; ${restored.message} ${remedy}` },
    restored,
    inSync: {
      status: "False",
      reason: restored.reason,
      message: `What is declared is not in force: ${restored.message}`,
    },
    rolloutComplete: { status: "False", reason, message: `${failed}.` },
  } as const;
}

function declaredSource({ spec }: NorthflankDeployment): string {
  const read = desireOf(spec);
  return read.kind === "desire" ? read.desire.source : "what is declared";
}

function failureText(reason: Reason, source: string): string {
  return `The rollout of ${source} ${reason === "RolloutTimedOut" ? "was not complete in time" : "failed"}`;
}

function restoredEvent(object: NorthflankDeployment, rollback: ChangeRecord): EventDraft {
  const failed = failureText(rolledBackFor(object, rollback), "what is declared");
  const note = `${failed}; ${rollback.source}, the last source whose rollout was complete, was restored.`;
  return { type: "Warning", reason: "Restored", action: "Restore", note };
}

function completeEvent({ source }: Pick<ChangeRecord, "source">): EventDraft {
  const note = `${source} was restored, and its rollout is complete.`;
  return { type: "Normal", reason: "RolloutComplete", action: "Observe", note };
}
