// pure

import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import type { Reason } from "../../api/reasons.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";
import type { Claim } from "../reconcile/claim.ts";
import type { EventDraft } from "../reconcile/event-draft.ts";
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeAround } from "../reconcile/requeue.ts";
import { ageOf, isOver, leftMs, seenLeftMs } from "./ages.ts";
import type { Conclusion, StatedFields } from "./conclusion.ts";
import type { Change, DecideInput, Decision, Seen } from "./decision.ts";
import { type Desire, desireOf } from "./desired.ts";
import { compare, type Difference } from "./diff.ts";
import { gradualPauseMs } from "./gradual.ts";
import { longestHistory } from "./history.ts";
import { inDoubt } from "./in-doubt.ts";
import { goodOf, goodSource, isInForce, looksLikeBoth, unverifiedFields, wantsRestore } from "./last-good.ts";
import { observedFields, timeText } from "./observed-fields.ts";
import { pauseText } from "./paused.ts";
import { headResult, wantsRedeploy } from "./remembered.ts";
import { hasBegunNone, pollAfter, pollPauseMs } from "./rolling.ts";
import { hasMovedSince, judgeRollout } from "./rollout.ts";

/*
 * `rollout.onFailure: Restore`. What a declaration comes to whose rollout failed or was late:
 *
 *     failed ---- nothing to put back ------------------------> stays, and says why
 *        \---- intent recorded (Pending) -> POST -> RollingOut -> Complete | Failed | Superseded
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

type RestoreRecord = NonNullable<NorthflankDeploymentStatus["restore"]>;

/** The record that stands for what is declared now; `undefined` when there is none, or somebody asks for another try. */
export function restoreInForce(object: NorthflankDeployment, desire: Desire): RestoreRecord | undefined {
  const record = object.status?.restore;
  if (record === undefined || record.specHash !== desire.hash || !wantsRestore(object)) return undefined;
  const isAsked = isReconcileRequested(object) || wantsRedeploy(object);
  return record.outcome !== "Pending" && isAsked ? undefined : record;
}

/**
 * A person has asked for another try of what was put back, and this pass could not make it: the request is answered by its
 * status, so that this has to remember it. Under Observe nothing is tried, and the record stays.
 */
export function keepRequest({ object, now }: DecideInput, conclusion: Conclusion): Conclusion {
  const record = object.status?.restore;
  const { stated } = conclusion;
  if (record === undefined || record.outcome === "Pending" || !isReconcileRequested(object)) return conclusion;
  if (Object.hasOwn(stated, "restore") || object.spec.managementPolicy === "Observe") return conclusion;
  const read = desireOf(object.spec);
  if (!wantsRestore(object) || read.kind !== "desire" || read.desire.hash !== record.specHash) return conclusion;
  return { ...conclusion, stated: { ...stated, restore: undefined, applied: inDoubt(object, now) } };
}

// ---- the target has what is declared ----

/** Adds what is to be said and done about a restore to a conclusion about a target that has what is declared. */
export function decideRestore(input: DecideInput, seen: Seen, same: Conclusion): Decision {
  const { object } = input;
  if (!wantsRestore(object)) return conclude(withoutRecords(same));
  const record = restoreInForce(object, seen.desire);
  const good = goodSource(object, seen.desire);
  const isDoubtful = typeof good !== "string" && looksLikeBoth(object, good, seen);
  // Nothing is put back where the two look alike from the start: a record tells that the good one is there by now.
  if (isDoubtful && record !== undefined && object.spec.managementPolicy !== "Observe") {
    return conclude(restoredConclusion(input, seen, { record, good, pending: [] }));
  }
  const { reason } = same.verdict;
  if (reason === "RolloutComplete") return conclude(rememberGood(input, seen, same));
  if (reason !== "RolloutFailed" && reason !== "RolloutTimedOut") return conclude(keepRecord(same, record));
  if (object.spec.managementPolicy === "Observe") return conclude(keepRecord(same, record));
  if (typeof good === "string") return conclude(nothingToRestore(same, good));
  if (isDoubtful) return conclude(nothingToRestore(same, "Northflank does not return which of the two sources it has"));
  const hold = record === undefined ? heldBack(input, seen, same) : undefined;
  if (hold !== undefined) return conclude(hold);
  if (record === undefined) return conclude(intendRestore(input, same, { reason, good, desire: seen.desire }));
  if (record.outcome !== "Pending") {
    // Northflank may tell too little to see which of the two it has.
    if (isInForce(good, seen.service)) return conclude(restoredConclusion(input, seen, { record, good, pending: [] }));
    return conclude(failedAgain(same, record));
  }
  const { differences, alike, untold } = compare(good, seen.service);
  const change = { desire: good, before: seen.service, differences: [...differences, ...alike, ...untold] };
  return { kind: "write", change: { ...change, cause: "Restored" } };
}

/**
 * What failed or was late may not be this change at all: nothing is undone on the word of a clock alone, or where there was
 * no rollout. `undefined` when it is put back.
 */
function heldBack(input: DecideInput, seen: Seen, same: Conclusion): Conclusion | undefined {
  const { service } = seen;
  const { applied } = same.stated;
  if (hasBegunNone(seen, same)) return nothingToRestore(same, "Northflank began no rollout for it");
  if (same.verdict.reason === "RolloutTimedOut") {
    if (service.rolloutStatus !== undefined) return undefined;
    return nothingToRestore(same, "Northflank does not return how far the rollout is");
  }
  if (hasMovedSince(service.rolloutTransitionTime, applied) === true || applied?.time === undefined) return undefined;
  // The failed state is taken for that of this change because of the time that has passed.
  const afterMs = seenLeftMs(ageOf(input, applied.time), staleForMs);
  return afterMs === 0 ? undefined : { ...same, next: { kind: "recheck", afterMs } };
}

function conclude(conclusion: Conclusion): Decision {
  return { kind: "conclude", conclusion, sawDrift: false };
}

function withoutRecords(same: Conclusion): Conclusion {
  return { ...same, stated: { ...same.stated, restore: undefined, lastGood: undefined } };
}

function keepRecord(same: Conclusion, record: RestoreRecord | undefined): Conclusion {
  if (record?.outcome === "Pending") {
    return { ...same, restored: restoringClaim(record), stated: { ...same.stated, restore: record } };
  }
  // The target has what is declared again: by whose hand ever, it counts from now on.
  const superseded = record && { ...record, outcome: "Superseded" as const };
  return { ...same, stated: { ...same.stated, restore: superseded } };
}

function rememberGood(input: DecideInput, seen: Seen, same: Conclusion): Conclusion {
  const { desire } = seen;
  const before = input.object.status?.lastGood;
  const isUnsure = mayBeStale(input, same.stated.applied) || unverifiedFields(input.object, seen).length > 0;
  const isKept = before?.specHash === desire.hash || isUnsure;
  const lastGood = isKept ? before : goodOf(desire, input.now);
  return { ...same, stated: { ...same.stated, restore: undefined, lastGood } };
}

function nothingToRestore(same: Conclusion, why: string): Conclusion {
  const text = `Nothing is put back, because ${why}.`;
  return {
    ...same,
    verdict: { ...same.verdict, message: `${same.verdict.message} ${text}` },
    restored: { status: "False", reason: "NothingToRestore", message: text },
    stated: { ...same.stated, restore: undefined },
  };
}

/** Only the intent: it has to be in status before anything is sent. */
function intendRestore(
  { now }: DecideInput,
  same: Conclusion,
  facts: { readonly reason: RestoreRecord["reason"]; readonly good: Desire; readonly desire: Desire },
): Conclusion {
  const { reason, good, desire } = facts;
  const source = capped(good.source, 512);
  const record = {
    specHash: desire.hash,
    ...present({ reason }),
    source,
    outcome: "Pending",
    time: formatTime(now),
  } as const;
  const message = `${failureText(record, desire)} ${restoringText(record)}`;
  return {
    ...same,
    verdict: { ...same.verdict, message },
    restored: restoringClaim(record),
    stated: { ...same.stated, restore: record },
    next: { kind: "recheck", afterMs: 0 },
  };
}

/** Somebody has set the failed source again, after it was replaced. */
function failedAgain(same: Conclusion, record: RestoreRecord): Conclusion {
  const text =
    `${record.source} had been put back, and somebody has set this source again; it is not put back twice. Request a ` +
    "reconcile for another try.";
  return {
    ...same,
    verdict: { ...same.verdict, message: `${same.verdict.message} ${text}` },
    restored: { status: "False", reason: "RestoreFailed", message: text },
    stated: { ...same.stated, restore: { ...record, outcome: "Superseded" } },
  };
}

// A state of the rollout before our change does not stay in sight for longer than this.
const staleForMs = 60_000;

/**
 * We may have sent this source and not heard the answer: then the rollout that is complete may still be the one before,
 * and the source counts as good only when a later look finds it complete. The first one ever was there before us.
 */
function mayBeStale(input: DecideInput, applied: StatedFields["applied"]): boolean {
  if (applied?.source !== undefined || input.object.status?.lastGood === undefined) return false;
  return applied?.time === undefined || ageOf(input, applied.time).elapsedMs < staleForMs;
}

// ---- the target has something else ----

/** What is declared has failed before and was, or is to be, replaced: the difference is wanted, and nothing is written. */
export function decideRestored(
  input: DecideInput,
  seen: Seen,
  facts: { readonly record: RestoreRecord; readonly pending: readonly Difference[] },
): Decision {
  const good = goodSource(input.object, seen.desire);
  return conclude(restoredConclusion(input, seen, { ...facts, good: typeof good === "string" ? undefined : good }));
}

function restoredConclusion(
  input: DecideInput,
  seen: Seen,
  facts: { readonly record: RestoreRecord; readonly pending: readonly Difference[]; readonly good: Desire | undefined },
): Conclusion {
  const { pending, good } = facts;
  const record = recordWhenPaused(input, seen, facts.record);
  const sent = record.outcome === "Pending" ? adopted(input, record) : { record, stated: {}, events: [] };
  const state =
    good !== undefined && isInForce(good, seen.service)
      ? restoreState(input, seen, sent.record)
      : ({ outcome: "Superseded", nextMs: undefined } as const);
  const inForce = restoredClaims[state.outcome](sent.record);
  const isPaused = seen.service.servicePaused && state.outcome !== "Superseded";
  const claim = isPaused ? { ...inForce, message: `${inForce.message} ${pauseText(seen.service)}` } : inForce;
  const isNews = state.outcome === "Complete" && record.outcome !== "Complete";
  return {
    ...restoredBase(seen.desire, sent.record, claim),
    stated: {
      ...observedFields(seen.service),
      pendingChanges: pending.length === 0 ? undefined : pending,
      restore: { ...sent.record, outcome: state.outcome },
      ...sent.stated,
      ...(state.outcome === "Complete" || state.outcome === "Failed"
        ? headResult(
            { ...input.object, status: { ...input.object.status, ...sent.stated } as NorthflankDeploymentStatus },
            state.outcome,
          )
        : {}),
    },
    next:
      state.nextMs === undefined ? probeAround(slowProbeMs, input.random) : { kind: "recheck", afterMs: state.nextMs },
    events: [...sent.events, ...(isNews ? [completeEvent(sent.record)] : [])],
  };
}

/** While the service is paused nothing that Northflank says is about this rollout; its limit counts from the resume. */
function recordWhenPaused({ object, now }: DecideInput, { service }: Seen, record: RestoreRecord): RestoreRecord {
  if (record.outcome !== "RollingOut") return record;
  if (service.servicePaused) {
    const previousTransitionTime = timeText(service.rolloutTransitionTime) ?? record.previousTransitionTime;
    return { ...record, ...present({ previousTransitionTime }) };
  }
  const wasPaused = object.status?.observed?.servicePaused === true;
  return wasPaused ? { ...record, resumedTime: formatTime(now) } : record;
}

/** The good source is there although only the intent was recorded: we have sent it, and could not say so. */
function adopted({ object, now }: DecideInput, record: RestoreRecord) {
  const previousTransitionTime = object.status?.observed?.rolloutTransitionTime;
  const next: RestoreRecord = {
    ...record,
    outcome: "RollingOut",
    time: formatTime(now),
    ...present({ previousTransitionTime }),
  };
  return { record: next, stated: { history: historyWith(object, next) }, events: [restoredEvent(next)] };
}

function restoreState(
  input: DecideInput,
  { service }: Seen,
  record: RestoreRecord,
): { readonly outcome: "RollingOut" | "Complete" | "Failed"; readonly nextMs: number | undefined } {
  if (service.servicePaused) return { outcome: settledOutcome(record), nextMs: undefined };
  const applied = present({
    time: record.time,
    previousTransitionTime: record.previousTransitionTime,
    source: record.source,
  });
  const age = ageOf(input, record.resumedTime ?? record.time);
  const wasComplete = record.outcome === "Complete";
  const rollout = judgeRollout({ service, applied, wasComplete, elapsedMs: age.elapsedMs });
  if (rollout.kind === "complete") return { outcome: "Complete", nextMs: undefined };
  if (rollout.kind === "gradual") {
    return { outcome: "RollingOut", nextMs: gradualPauseMs(age.elapsedMs, input.settings) };
  }
  const timeoutMs = (input.object.spec.rollout?.timeoutSeconds ?? 900) * 1_000;
  // What was late stays late until it ends.
  const isKnownLate = record.outcome === "Failed" && age.elapsedMs >= timeoutMs;
  const isLate = isKnownLate || isOver(age, timeoutMs);
  if (rollout.kind === "failed" || isLate) return { outcome: "Failed", nextMs: undefined };
  return { outcome: "RollingOut", nextMs: pollPauseMs(age.elapsedMs, leftMs(age, timeoutMs), input.settings) };
}

function settledOutcome({ outcome }: RestoreRecord): "RollingOut" | "Complete" | "Failed" {
  return outcome === "Complete" || outcome === "Failed" ? outcome : "RollingOut";
}

type Settled = Exclude<RestoreRecord["outcome"], "Pending" | undefined>;

const restoredClaims: Readonly<Record<Settled, (record: RestoreRecord) => Exclude<Claim, "as-before">>> = {
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
  const { declared, record: before } = recordOf(object);
  const previousTransitionTime = timeText(change.before.rolloutTransitionTime);
  const record: RestoreRecord = {
    ...before,
    outcome: "RollingOut",
    time: formatTime(now),
    ...present({ previousTransitionTime }),
  };
  const timeoutMs = (object.spec.rollout?.timeoutSeconds ?? 900) * 1_000;
  return {
    ...restoredBase(declared, record, restoredClaims.RollingOut(record)),
    stated: { restore: record, image: record.source, history: historyWith(object, record) },
    next: pollAfter(pollPauseMs(0, timeoutMs, settings), settings),
    events: [restoredEvent(record), ...options.events],
  };
}

/** The POST failed or was refused: the record stays, so that it is tried again, and the failed rollout stays the reason. */
export function restoreRefused(
  object: NorthflankDeployment,
  failed: Pick<Conclusion, "verdict" | "failure" | "next">,
): Conclusion {
  const { declared, record } = recordOf(object);
  const message = `Putting back ${record.source} did not work yet: ${failed.verdict.message}`;
  const base = restoredBase(declared, record, { status: "Unknown", reason: "Restoring", message });
  const { failure, next } = failed;
  return { ...base, inSync: "as-before", stated: {}, failure, next, events: [] };
}

function recordOf(object: NorthflankDeployment): {
  readonly declared: Desire | undefined;
  readonly record: RestoreRecord;
} {
  const read = desireOf(object.spec);
  return { declared: read.kind === "desire" ? read.desire : undefined, record: object.status?.restore ?? {} };
}

// ---- shared pieces ----

function restoredBase(
  declared: Desire | undefined,
  record: RestoreRecord,
  restored: Exclude<Claim, "as-before">,
): Pick<Conclusion, "verdict" | "restored" | "inSync" | "rolloutComplete" | "failure" | "sameDesire"> {
  const reason: Reason = record.reason ?? "RolloutFailed";
  const failed = failureText(record, declared);
  const message = `${failed} ${restored.message} Declare another source, or request a reconcile to try this one again.`;
  const inSync = `What is declared is not in force: ${restored.message}`;
  return {
    verdict: { kind: "stalled", reason, message },
    restored,
    inSync: { status: "False", reason: restored.reason, message: inSync },
    rolloutComplete: { status: "False", reason, message: failed },
    failure: undefined,
    sameDesire: true,
  };
}

function failureText({ reason }: RestoreRecord, declared: Desire | undefined): string {
  const what = reason === "RolloutTimedOut" ? "was not complete in time" : "failed";
  return `The rollout of ${declared?.source ?? "what is declared"} ${what}.`;
}

function restoringText({ source }: RestoreRecord): string {
  return `${source}, the last source whose rollout was complete, is being put back.`;
}

function restoringClaim(record: RestoreRecord): Exclude<Claim, "as-before"> {
  return { status: "Unknown", reason: "Restoring", message: restoringText(record) };
}

function restoredEvent({ source, reason }: RestoreRecord): EventDraft {
  const why = reason === "RolloutTimedOut" ? "was not complete in time" : "failed";
  const note = `The rollout of what is declared ${why}; ${source}, the last source whose rollout was complete, was put back.`;
  return { type: "Warning", reason: "Restored", action: "Restore", note };
}

function completeEvent({ source }: RestoreRecord): EventDraft {
  const note = `${source} was put back, and its rollout is complete.`;
  return { type: "Normal", reason: "RolloutComplete", action: "Observe", note };
}

function historyWith({ status }: NorthflankDeployment, { source, time }: RestoreRecord): StatedFields["history"] {
  const entry = { time: time ?? "", source: source ?? "", cause: "Restored" as const, result: "RollingOut" as const };
  return [entry, ...(status?.history ?? [])].slice(0, longestHistory);
}
