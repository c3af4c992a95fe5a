// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { Reason } from "../../api/reasons.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { assertNever } from "../../util/assert-never.ts";
import { present } from "../../util/present.ts";
import type { EventDraft } from "../reconcile/events.ts";
import type { ConditionUpdate } from "../reconcile/ready-state.ts";
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeAround } from "../reconcile/requeue.ts";
import { send } from "./calls.ts";
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
import { conclude, judged } from "./conclusions.ts";
import { type Desire, desireOf } from "./desired.ts";
import { compare } from "./diff.ts";
import { goodOf, goodSource, isInForce, looksLikeBoth, wantsRestore } from "./last-good.ts";
import { isOver, leftMs, movedBy, newsWhileStopped, rolledBackFor, seenLeftMs } from "./machine.ts";
import type { Change, ChangeRecord, Conclusion, DecideInput, Decision, Facts, Progress } from "./observation.ts";
import { policyOf } from "./policy.ts";
import { hasBegunNone, hasMovedSince, judgeRollout, limitMs, pollGradual, pollPauseMs } from "./rollout.ts";
import { stopText, timeText } from "./target.ts";

/*
 * `rollout.onFailure: Restore`. What a declaration comes to whose rollout failed or was late:
 *
 *     failed ---- nothing to put back ------------------------> stays, and says why
 *        \---- an entry RolledBack in status.changes (Sending) -> POST -> RollingOut -> Complete | Failed | Superseded
 *
 * Promises:
 *  1. At most once per declaration: the record names it, and only another declaration, a reconcile request or success
 *     removes it. While it is there, neither the declared source nor the good one is sent again.
 *  2. The record is in status before the POST. A program that dies between the two finds its record and the failed source,
 *     and sends; one that dies after the POST finds its record and the good source, and adopts it. Without the record the
 *     good source would look like drift, and the failed one would be sent again.
 *  3. A record of another declaration means nothing: after a change of the spec nothing is put back.
 *  4. Where Northflank does not tell which of the two sources it has, nothing is put back, and what was put back before is
 *     not taken for what is declared.
 *  5. Nothing is sent under Observe, while suspended or paused; the record waits.
 *  6. Nothing is recorded where Northflank began no rollout for the declaration, nor for the time that has passed before
 *     this process has seen a part of it.
 */

/**
 * A person has asked for another try of what was rolled back, and this reconcile could not make it: the request is answered
 * by its status, so that this has to remember it. Under Observe nothing is tried, and the record stays.
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
  const { object, desire, service, policy, rollback: record } = facts;
  if (!wantsRestore(object)) return conclude(withoutRecords(same));
  const good = goodSource(object, desire);
  const isDoubtful = typeof good !== "string" && looksLikeBoth(good, facts);
  // Nothing is rolled back where the two look alike from the start: a record tells that the good one is there by now.
  if (isDoubtful && record !== undefined && policy.rollsBack)
    return conclude(rolledBackConclusion(facts, record, good));
  const { reason } = same.verdict;
  if (reason === "RolloutComplete") return conclude(rememberGood(facts, same));
  const hasFailed = reason === "RolloutFailed" || reason === "RolloutTimedOut";
  if (!hasFailed || !policy.rollsBack) return conclude(keepRecord(same, record));
  if (typeof good === "string") return conclude(nothingToRestore(same, good));
  if (isDoubtful) return conclude(nothingToRestore(same, "Northflank does not return which of the two sources it has"));
  if (record === undefined) return conclude(heldBack(facts, same) ?? intendRollback(facts, same, { reason, good }));
  if (record.phase !== "Sending") {
    // Northflank may return too little to see which of the two it has.
    return conclude(isInForce(good, service) ? rolledBackConclusion(facts, record, good) : failedAgain(same, record));
  }
  const { differences, alike, untold } = compare(good, service);
  return send({
    desire: good,
    cause: "RolledBack",
    before: service,
    differences: [...differences, ...alike, ...untold],
  });
}

/**
 * What failed or was late may not be this change at all: nothing is undone on the word of a clock alone, or where there was
 * no rollout. `undefined` when it is rolled back.
 */
function heldBack({ service, desire, age }: Facts, same: Conclusion): Conclusion | undefined {
  const change = changeOf(same.stated, desire);
  if (hasBegunNone(service, change)) return nothingToRestore(same, "Northflank began no rollout for it");
  if (same.verdict.reason === "RolloutTimedOut") {
    if (service.rolloutStatus !== undefined) return undefined;
    return nothingToRestore(same, "Northflank does not return how far the rollout is");
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
  return record?.phase === "Sending" ? { ...same, restored: restoringClaim(record) } : same;
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

function nothingToRestore(same: Conclusion, why: string): Conclusion {
  const text = `Nothing is put back, because ${why}.`;
  return {
    ...same,
    verdict: { ...same.verdict, message: `${same.verdict.message} ${text}` },
    restored: { status: "False", reason: "NothingToRestore", message: text },
    stated: { ...same.stated, changes: withoutIntent(same.stated.changes) },
  };
}

/** Only the intent: it has to be in status before anything is sent. */
function intendRollback(
  { object, desire, now }: Facts,
  same: Conclusion,
  { reason, good }: { readonly reason: Reason; readonly good: Desire },
): Conclusion {
  const entry = entryOf(object, good, {
    cause: "RolledBack",
    phase: "Sending",
    time: formatTime(now),
    of: desire.hash,
  });
  const changes = same.stated.changes ?? [];
  const phase = reason === "RolloutTimedOut" ? "TimedOut" : "Failed";
  const failed = changes.map((change, at) => (at === indexOf(changes, desire.hash) ? { ...change, phase } : change));
  return {
    ...same,
    verdict: { ...same.verdict, message: `${failureText(reason, desire)} ${restoringText(entry)}` },
    restored: restoringClaim(entry),
    stated: { ...same.stated, changes: withNew(failed as readonly ChangeRecord[], entry) },
    next: { kind: "recheck", afterMs: 0 },
  };
}

/** Somebody has set the failed source again, after it was replaced. */
function failedAgain(same: Conclusion, record: ChangeRecord): Conclusion {
  const text =
    `${record.source} had been put back, and somebody has set this source again; it is not put back twice. Request a ` +
    "reconcile for another try.";
  return {
    ...same,
    verdict: { ...same.verdict, message: `${same.verdict.message} ${text}` },
    restored: { status: "False", reason: "RestoreFailed", message: text },
  };
}

// A state of the rollout before our change does not stay in sight for longer than this.
const staleForMs = 60_000;

/**
 * We may have sent this source and not heard the answer: then the rollout that is complete may still be the one before,
 * and the source counts as good only when a later look finds it complete. The first one ever was there before us.
 */
function mayBeStale({ object, age }: Facts, change: ChangeRecord | undefined): boolean {
  const isOurs: boolean = wasSent(change);
  if (isOurs || object.status?.lastGood === undefined) return false;
  return change === undefined || age(change.time).elapsedMs < staleForMs;
}

// ---- the target has something else ----

/** What is declared has failed before and was, or is to be, replaced: the difference is wanted, and nothing is written. */
export function decideRolledBack(facts: Facts): Decision {
  const { object, desire, rollback } = facts;
  if (rollback === undefined) throw new TypeError("there is no rollback");
  const good = goodSource(object, desire);
  return conclude(rolledBackConclusion(facts, rollback, typeof good === "string" ? undefined : good));
}

function rolledBackConclusion(facts: Facts, record: ChangeRecord, good: Desire | undefined): Conclusion {
  const { object, now, service, desire, pending, shown } = facts;
  const before = resumed(facts, record);
  const isThere = good !== undefined && isInForce(good, service);
  const { progress, nextMs } = isThere ? rollbackProgress(facts, before) : superseded;
  const rollback =
    progress === "superseded"
      ? {
          ...before,
          phase: "Superseded" as const,
          since: before.phase === "Superseded" ? before.since : formatTime(now),
        }
      : movedBy(before, progress, now, progress === "paused" ? newsWhileStopped(service) : {});
  const reason = rolledBackFor(object, rollback);
  const inForce = rolledBackClaims[claimOf[rollback.phase]](rollback);
  const claim = progress === "paused" ? { ...inForce, message: `${inForce.message} ${stopText(service)}` } : inForce;
  const isComplete = rollback.phase === "Complete" && before.phase !== "Complete";
  return {
    ...rolledBackBase(desire, reason, claim),
    stated: {
      ...shown,
      pendingChanges: pending.length === 0 ? undefined : pending,
      changes: withRollbackAs(object.status?.changes, rollback),
    },
    next: nextMs === undefined ? probeAround(slowProbeMs, facts.random) : { kind: "recheck", afterMs: nextMs },
    events: [
      ...(record.phase === "Sending" ? [restoredEvent({ ...rollback, reason })] : []),
      ...(isComplete ? [completeEvent(rollback)] : []),
    ],
  };
}

const superseded = { progress: "superseded", nextMs: undefined } as const;

/**
 * The rollback as it counts from this look on. The good source is there although only the intent was recorded: we have
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

function rollbackProgress(
  { object, service, settings, age: ageOf }: Facts,
  record: ChangeRecord,
): { readonly progress: Progress; readonly nextMs: number | undefined } {
  if (service.stop !== undefined) return { progress: "paused", nextMs: undefined };
  const isTimed = record.phase === "RollingOut" || record.phase === "TimedOut";
  const age = ageOf(isTimed ? record.since : record.time);
  const { elapsedMs } = age;
  const rollout = judgeRollout({ service, change: record, wasComplete: record.phase === "Complete", elapsedMs });
  switch (rollout) {
    case "complete":
    case "failed":
      return { progress: rollout, nextMs: undefined };
    case "gradual":
      return { progress: "gradual", nextMs: pollGradual(elapsedMs, settings).afterMs };
    case "rolling":
      // What was late stays late until it ends.
      if (record.phase === "TimedOut" || isOver(age, limitMs(object))) return { progress: "late", nextMs: undefined };
      return { progress: "rolling", nextMs: pollPauseMs(elapsedMs, leftMs(age, limitMs(object)), settings) };
    default:
      return assertNever(rollout, "rollout");
  }
}

type Settled = "RollingOut" | "Complete" | "Failed" | "Superseded";

const claimOf: Readonly<Record<ChangeRecord["phase"], Settled>> = {
  Sending: "RollingOut",
  RollingOut: "RollingOut",
  Paused: "RollingOut",
  AwaitingPromotion: "RollingOut",
  NotKept: "RollingOut",
  Complete: "Complete",
  Failed: "Failed",
  TimedOut: "Failed",
  Superseded: "Superseded",
};

const rolledBackClaims: Readonly<
  Record<Settled, (record: Pick<ChangeRecord, "source" | "time">) => Exclude<ConditionUpdate, "as-before">>
> = {
  RollingOut: (record) => ({
    status: "Unknown",
    reason: "Restoring",
    message: `${record.source} was put back at ${record.time}; its rollout is not over.`,
  }),
  Complete: (record) => ({
    status: "True",
    reason: "Restored",
    message: `${record.source}, the last good source, was put back at ${record.time}, and its rollout is complete.`,
  }),
  Failed: (record) => ({
    status: "False",
    reason: "RestoreFailed",
    message: `${record.source} was put back at ${record.time}, but its rollout failed too. See the containers of the service in Northflank.`,
  }),
  Superseded: (record) => ({
    status: "False",
    reason: "RestoreFailed",
    message: `Instead of ${record.source} the service has a source that somebody else has set; it is left alone.`,
  }),
};

// ---- the POST ----

/** What has become of the POST that puts the good source back. */
export function restoreSent(options: {
  readonly object: NorthflankDeployment;
  readonly change: Change;
  readonly now: number;
  readonly settings: DecideInput["settings"];
  readonly events: readonly EventDraft[];
}): Conclusion {
  const { object, change, now, settings } = options;
  const intent = intentOf(object);
  const time = formatTime(now);
  const previousTransitionTime = timeText(change.before.rolloutTransitionTime);
  const sent = {
    ...intent.record,
    phase: "RollingOut",
    time,
    since: time,
    ...present({ previousTransitionTime }),
  } as const;
  const timeoutMs = limitMs(object);
  return {
    ...rolledBackBase(intent.declared, intent.reason, rolledBackClaims.RollingOut(sent)),
    stated: { changes: withRollbackAs(object.status?.changes, sent), image: sent.source },
    next: { kind: "recheck", afterMs: pollPauseMs(0, timeoutMs, settings) },
    events: [restoredEvent({ ...sent, reason: intent.reason }), ...options.events],
  };
}

/** The POST failed or was refused: the record stays, so that it is tried again, and the failed rollout stays the reason. */
export function restoreRefused(
  object: NorthflankDeployment,
  failed: Pick<Conclusion, "verdict" | "failure" | "next">,
): Conclusion {
  const { declared, record, reason } = intentOf(object);
  const message = `Putting back ${record.source} did not work yet: ${failed.verdict.message}`;
  const base = rolledBackBase(declared, reason, { status: "Unknown", reason: "Restoring", message });
  const { failure, next } = failed;
  return { ...base, inSync: "as-before", stated: {}, failure, next, events: [] };
}

function intentOf(object: NorthflankDeployment): {
  readonly declared: Desire | undefined;
  readonly record: ChangeRecord;
  readonly reason: Reason;
} {
  const read = desireOf(object.spec);
  const record = object.status?.changes?.[0];
  if (record?.cause !== "RolledBack") throw new TypeError("a rollback was sent that is not recorded");
  return { declared: read.kind === "desire" ? read.desire : undefined, record, reason: rolledBackFor(object, record) };
}

// ---- shared pieces ----

function rolledBackBase(
  declared: Desire | undefined,
  reason: Reason,
  restored: Exclude<ConditionUpdate, "as-before">,
): Pick<Conclusion, "verdict" | "restored" | "inSync" | "rolloutComplete" | "failure" | "events" | "sameDesire"> {
  const failed = failureText(reason, declared);
  const message = `${failed} ${restored.message} Declare another source, or request a reconcile to try this one again.`;
  const inSync = `What is declared is not in force: ${restored.message}`;
  return {
    ...judged,
    verdict: { kind: "stalled", reason, message },
    restored,
    inSync: { status: "False", reason: restored.reason, message: inSync },
    rolloutComplete: { status: "False", reason, message: failed },
  };
}

function failureText(reason: Reason, declared: Desire | undefined): string {
  const what = reason === "RolloutTimedOut" ? "was not complete in time" : "failed";
  return `The rollout of ${declared?.source ?? "what is declared"} ${what}.`;
}

function restoringText({ source }: Pick<ChangeRecord, "source">): string {
  return `${source}, the last source whose rollout was complete, is being put back.`;
}

function restoringClaim(rollback: Pick<ChangeRecord, "source">): Exclude<ConditionUpdate, "as-before"> {
  return { status: "Unknown", reason: "Restoring", message: restoringText(rollback) };
}

function restoredEvent({ source, reason }: Pick<ChangeRecord, "source"> & { readonly reason: Reason }): EventDraft {
  const why = reason === "RolloutTimedOut" ? "was not complete in time" : "failed";
  const note = `The rollout of what is declared ${why}; ${source}, the last source whose rollout was complete, was put back.`;
  return { type: "Warning", reason: "Restored", action: "Restore", note };
}

function completeEvent({ source }: Pick<ChangeRecord, "source">): EventDraft {
  const note = `${source} was put back, and its rollout is complete.`;
  return { type: "Normal", reason: "RolloutComplete", action: "Observe", note };
}
