// pure

import { mostChanges } from "../../api/changes.ts";
import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import type { Reason } from "../../api/reasons.ts";
import { isRefusedForSure } from "../../northflank/answer.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import { correctionsInRow, endsRow, withConfirmed } from "../target/drift.ts";
import { isAcknowledged } from "../target/object.ts";
import { ageOf } from "./ages.ts";
import type { Conclusion } from "./conclusion.ts";
import type { Change, DecideInput, Seen } from "./decision.ts";
import { type Desire, desireOf } from "./desired.ts";
import { isReadInPart } from "./diff.ts";
import { imageText, timeText } from "./observed-fields.ts";
import type { TargetView } from "./target-view.ts";

/*
 * `status.changes`, newest first: one record of each change, and the one place where a deployment remembers what it did.
 *
 *            written before the call, where it has to be    answer
 *    (none) ---------------------------------> Sending ------------> RollingOut -----------> Complete
 *      |                                        |    \ lost: stays     |  ^  |                  | failed later
 *      |  found as declared                     |      as it is        |  |  |                  v
 *      '------> an entry Adopted,               |                      |  |  '--------------> Failed ----- onFailure: ---.
 *               in the phase that is seen       | refused for sure:    |  | resumed,            ^           Restore      |
 *                                               v entry removed        |  | promoted            |                        |
 *                                                                      |--'--> Paused,          |                        |
 *                                                                      |       AwaitingPromotion|                        |
 *                                                                      '-----> TimedOut --------'---> late: Complete     |
 *    a new entry {cause: RolledBack, phase: Sending, of} <---------------------------------------------------------------'
 *
 *    not all of it was kept: NotKept. Another change is sent before it was over, or somebody else sets another source in
 *    the place of what was rolled back or corrected: Superseded
 *
 * Promises:
 *  1. Sending confirms nothing: whatever is declared next is sent whole, or adopted where it is found.
 *  2. Entries are moved by `steps` alone, and only that of what is declared moves.
 *  3. `since` is when the phase began; TimedOut keeps that of RollingOut. Limits and pauses are counted from it.
 *  4. A rollback stands until another declaration is sent, or what failed is found complete after all: see rollback.ts.
 */

/** An entry of `status.changes`. */
export type ChangeRecord = NonNullable<NorthflankDeploymentStatus["changes"]>[number];

type Phase = ChangeRecord["phase"];

/** A status, as far as it holds the record. */
interface Recorded {
  readonly changes?: readonly ChangeRecord[] | undefined;
}

/** What the record says of a declaration: the phase of its change, that there is none, or that it was rolled back. */
export type State = Phase | "Unknown" | "RolledBack";

/** How far the rollout is of a target that has what is declared; a job has none, and is complete. */
export type Progress = "rolling" | "late" | "gradual" | "paused" | "complete" | "failed";

/** A target that has something else: sent as a new declaration, corrected as drift, or left because of a rollback. */
export type WhenDifferent = "send" | "correct" | "leave";

type Steps = Readonly<Record<Progress, Phase>> & { readonly different: WhenDifferent };

// Whoever sent it, it is there: an entry Adopted begins in the phase that is seen.
const adopted: Readonly<Record<Progress, Phase>> = {
  rolling: "RollingOut",
  late: "TimedOut",
  gradual: "AwaitingPromotion",
  paused: "Paused",
  complete: "Complete",
  failed: "Failed",
};

/** Every state under everything that a look may find: a new one of either does not compile until it is decided on. */
export const steps: Readonly<Record<State, Steps>> = {
  Unknown: { ...adopted, different: "send" },
  Sending: { ...adopted, different: "send" },
  RollingOut: { ...adopted, different: "correct" },
  Paused: { ...adopted, different: "correct" },
  AwaitingPromotion: { ...adopted, different: "correct" },
  NotKept: { ...adopted, different: "correct" },
  // It ends once: what rolls out later is a rollout of somebody else, which `status.phase` follows.
  Complete: {
    rolling: "Complete",
    late: "Complete",
    gradual: "Complete",
    paused: "Complete",
    complete: "Complete",
    failed: "Failed",
    different: "correct",
  },
  Failed: {
    rolling: "RollingOut",
    late: "TimedOut",
    gradual: "AwaitingPromotion",
    paused: "Failed",
    complete: "Complete",
    failed: "Failed",
    different: "correct",
  },
  TimedOut: {
    // What was late stays late until it ends: a poll must not make it look under way again.
    rolling: "TimedOut",
    late: "TimedOut",
    gradual: "AwaitingPromotion",
    paused: "Paused",
    complete: "Complete",
    failed: "Failed",
    different: "correct",
  },
  // Somebody had replaced it, and it is there again.
  Superseded: { ...adopted, different: "correct" },
  RolledBack: { ...adopted, different: "leave" },
};

/** Phases of a change whose rollout is to come, or is under way. */
const unfinished: ReadonlySet<string> = new Set<Phase>(["RollingOut", "Paused", "AwaitingPromotion"]);

/** Whether the rollout of a change is still to come, or under way. */
export function isUnfinished({ phase }: ChangeRecord): boolean {
  return unfinished.has(phase);
}

// ---- what is remembered ----

/** What the record says of what is declared now. */
export function stateOf(object: NorthflankDeployment, desire: Desire): State {
  if (rollbackInForce(object, desire) !== undefined) return "RolledBack";
  const entry = lastDeclared(object.status);
  if (entry?.specHash !== desire.hash) return "Unknown";
  const rollback = rollbackOf(object.status, desire);
  // Another try of what was rolled back is asked for.
  return rollback === undefined || rollback.phase === "Sending" ? entry.phase : "Unknown";
}

/** The newest change to a declaration, which may be another one by now. A rollback is none. */
export function lastDeclared(status: Recorded | undefined): ChangeRecord | undefined {
  return status?.changes?.find(({ cause }) => cause !== "RolledBack");
}

/** The hash of the declaration that was last sent or found in force; `undefined` where nobody knows. */
export function knownHash(status: Recorded | undefined): string | undefined {
  const entry = lastDeclared(status);
  return entry === undefined || entry.phase === "Sending" ? undefined : entry.specHash;
}

/** Whether what is declared is what was last applied; `undefined` when nothing was. */
export function isSameDesire(object: NorthflankDeployment, desire: Desire): boolean | undefined {
  const known = knownHash(object.status);
  return known === undefined ? undefined : known === desire.hash;
}

/**
 * The change to what is declared; `undefined` when the last one was to another declaration, or was rolled back since:
 * whoever has sent it again, it was not that change.
 */
export function changeOf(status: Recorded | undefined, { hash }: Desire): ChangeRecord | undefined {
  const changes = status?.changes ?? [];
  return changes[indexOf(changes, hash)];
}

function indexOf(changes: readonly ChangeRecord[], hash: string): number {
  const [head] = changes;
  const index = head?.cause === "RolledBack" && head.phase === "Sending" ? 1 : 0;
  const entry = changes[index];
  const isIt = entry !== undefined && entry.cause !== "RolledBack" && entry.phase !== "Sending";
  return isIt && entry.specHash === hash ? index : -1;
}

/** It was sent by us, and Northflank has accepted it. */
export function wasSent(change: ChangeRecord | undefined): change is ChangeRecord {
  return change !== undefined && change.cause !== "Adopted" && change.phase !== "Sending";
}

/** The rollback that stands for a declaration, whether or not another try is asked for. */
export function rollbackOf(status: Recorded | undefined, { hash }: Desire): ChangeRecord | undefined {
  for (const entry of status?.changes ?? []) {
    if (entry.cause === "RolledBack") return entry.of === hash ? entry : undefined;
    // By whose hand ever: what failed is there again, and stays failed until it is complete.
    if (entry.cause !== "Adopted" || entry.specHash !== hash || entry.phase === "Complete") return undefined;
  }
  return undefined;
}

/** The rollback that stands for what is declared now; `undefined` when there is none, or somebody asks for another try. */
export function rollbackInForce(object: NorthflankDeployment, desire: Desire): ChangeRecord | undefined {
  const rollback = object.spec.rollout?.onFailure === "Restore" ? rollbackOf(object.status, desire) : undefined;
  const isAsked = isReconcileRequested(object) || wantsRedeploy(object);
  return rollback?.phase !== "Sending" && isAsked ? undefined : rollback;
}

/** What became of the declaration that was rolled back. */
export function rolledBackFor({ status }: NorthflankDeployment, { of }: ChangeRecord): Reason {
  const failed = status?.changes?.find(({ cause, specHash }) => cause !== "RolledBack" && specHash === of);
  return failed?.phase === "TimedOut" ? "RolloutTimedOut" : "RolloutFailed";
}

/** The last look at what is declared now found no difference: a difference is news. */
export function wasInSync(object: NorthflankDeployment): boolean {
  return isAcknowledged(object) && wasSeenInSync(object.status);
}

/** The last look found the target as it was declared then. */
export function wasSeenInSync(status: NorthflankDeployment["status"]): boolean {
  if (status?.observed === undefined || status.pendingChanges !== undefined) return false;
  return status.changes?.[0]?.phase !== "Sending";
}

/** The last look found the target as declared, running, and nothing under way. */
export function wasAtRest({ status }: NorthflankDeployment): boolean {
  return status?.phase === undefined && wasSeenInSync(status) && status?.observed?.servicePaused !== true;
}

/** A change of a job that is not shown by then was undone. */
export const showsWithinMs = 60_000;

/** Our change of a job was accepted a moment ago, and the job still shows what it had before: it is not sent again yet. */
export function isNotShownYet(input: DecideInput, target: TargetView): boolean {
  const change = lastDeclared(input.object.status);
  if (target.kind !== "job" || !wasSent(change)) return false;
  return ageOf(input, change.time).elapsedMs < showsWithinMs && imageText(target) === change.previousSource;
}

/** The spec asks for a redeploy that was not handled. */
export function wantsRedeploy({ spec, status }: NorthflankDeployment): boolean {
  const { redeployToken: token } = spec;
  if (token === undefined || spec.serviceId === undefined) return false;
  return status?.redeploy?.token !== token || status.redeploy.outcome === "Pending";
}

/** The corrections in a row, for `drift.ts`. */
export function correctionsOf({ metadata, status }: NorthflankDeployment) {
  return correctionsInRow(status?.changes, metadata.generation);
}

/** Now, as far after the newest correction as this process has measured. */
export function nowByStopwatch(input: DecideInput): number {
  const newest = correctionsOf(input.object)[0]?.time;
  return newest === undefined ? input.now : Date.parse(newest) + ageOf(input, newest).elapsedMs;
}

// ---- what a look writes ----

/** A look that found the target as declared. */
export interface Found {
  /** The change that the target shows: the recorded one, else one that is adopted; `undefined` under Observe. */
  readonly change: ChangeRecord | undefined;
  readonly isAdopted: boolean;
  readonly changes: readonly ChangeRecord[];
  readonly hash: string;
  readonly now: number;
}

/**
 * Begins to record a look that found the target as declared. Where that was no change of ours (first look, or its answer
 * was lost), one is adopted; `previousTransitionTime` is then the state of the rollout before, where the source has moved.
 */
export function foundAsDeclared(
  input: DecideInput,
  { desire }: Pick<Seen, "desire">,
  previousTransitionTime: string | undefined,
): Found {
  const { object, now } = input;
  const before = takenUp(object, desire, now);
  const recorded = changeOf(object.status, desire);
  if (recorded === undefined && object.spec.managementPolicy !== "Observe") {
    const time = formatTime(now);
    const change = entryOf(object, desire, { cause: "Adopted", phase: "Sending", time, previousTransitionTime });
    return { change, isAdopted: true, changes: withNew(before, change), hash: desire.hash, now };
  }
  const settled = recorded?.phase === "Complete" || recorded?.phase === "Paused";
  const isWaitedFor = object.spec.rollout?.wait !== false;
  const wasSettled = isWaitedFor ? settled && object.status?.phase === undefined : isAcknowledged(object);
  const isRowOver = endsRow(correctionsOf(object), { wasSettled, now: nowByStopwatch(input) });
  const changes = isRowOver ? withConfirmed(before, formatTime(now)) : before;
  return { change: recorded, isAdopted: false, changes, hash: desire.hash, now };
}

/** What a look adds to an entry; `undefined` removes it. */
export type ChangeNews = { readonly previousTransitionTime?: string | undefined };

/**
 * The record without force of a rollback of what is found as declared, where another try of it is asked for, or nobody wants
 * a rollback any more: it may have been sent again, and from now on it counts as a new change.
 */
function takenUp(object: NorthflankDeployment, desire: Desire, now: number): readonly ChangeRecord[] {
  const changes = object.status?.changes ?? [];
  const rollback = rollbackOf(object.status, desire);
  const isInForce = rollback?.phase === "Sending" || rollbackInForce(object, desire) !== undefined;
  if (rollback === undefined || isInForce || object.spec.managementPolicy === "Observe") return changes;
  const at = changes.indexOf(rollback);
  const again = entryOf(object, desire, { cause: "SpecChanged", phase: "Superseded", time: formatTime(now) });
  return [...changes.slice(0, at), again, ...changes.slice(at)].slice(0, mostChanges);
}

/** The record once it is known how far the rollout is. */
export function recordOf(
  { changes, isAdopted, hash, now }: Found,
  progress: Progress,
  news: ChangeNews = {},
): { readonly changes: readonly ChangeRecord[] | undefined } {
  const index = isAdopted ? 0 : indexOf(changes, hash);
  const moved = changes.map((entry, at) => (at === index ? movedBy(entry, progress, now, news) : entry));
  return { changes: moved.length === 0 ? undefined : moved };
}

/** One entry after a look. */
export function movedBy(entry: ChangeRecord, progress: Progress, now: number, news: ChangeNews = {}): ChangeRecord {
  const phase = steps[entry.phase][progress];
  const isSame = phase === entry.phase || (phase === "TimedOut" && entry.phase === "RollingOut");
  const since = isSame ? entry.since : formatTime(now);
  return present({ ...entry, ...news, phase, since }) as ChangeRecord;
}

/** Northflank has accepted the change of what is declared, and does not have all of it. */
export function withNotKept(object: NorthflankDeployment, { hash }: Desire, now: number): readonly ChangeRecord[] {
  const changes = object.status?.changes ?? [];
  const index = indexOf(changes, hash);
  return changes.map((entry, at) =>
    at === index && isUnfinished(entry) ? { ...entry, phase: "NotKept", since: formatTime(now) } : entry,
  );
}

// ---- what a change writes ----

/**
 * The record that has to be stored before a change is sent whose fields Northflank does not return, or in part: when its
 * answer is lost, no look shows whether it arrived. `undefined` where what is there will do.
 */
export function changesBefore(
  object: NorthflankDeployment,
  change: Change,
  now: number,
): readonly ChangeRecord[] | undefined {
  const last = lastDeclared(object.status);
  const isKnown = last !== undefined && (last.phase === "Sending" || last.specHash === change.desire.hash);
  if (isKnown || change.cause === "RolledBack" || !isReadInPart(change.desire, change.before)) return undefined;
  return withSending(object, change.desire, now);
}

/** The record of a declaration that is about to be sent, or was, and that nobody has answered. */
export function withSending(object: NorthflankDeployment, desire: Desire, now: number): readonly ChangeRecord[] {
  const entry = entryOf(object, desire, { cause: "SpecChanged", phase: "Sending", time: formatTime(now) });
  return withNew(object.status?.changes ?? [], entry);
}

/** The record of a change that was not accepted: as it was when that is for sure, else that nobody knows. */
export function changesAfterFailure(
  object: NorthflankDeployment,
  change: Change,
  { error, now }: { readonly error: NorthflankError; readonly now: number },
): readonly ChangeRecord[] | undefined {
  // A person has asked for another try of what was rolled back. It may have arrived: it counts as a new change.
  if (rollbackOf(object.status, change.desire) !== undefined) return withSending(object, change.desire, now);
  // Without an answer, an earlier try may have arrived.
  const isRefused = error.httpStatus !== undefined && isRefusedForSure(error);
  const isCertain = isRefused || !isReadInPart(change.desire, change.before);
  if (isCertain || knownHash(object.status) === change.desire.hash) return object.status?.changes;
  return withSending(object, change.desire, now);
}

/** The record of a change that Northflank has accepted. */
export function changesAfter(
  object: NorthflankDeployment,
  { desire, cause, before }: Pick<Change, "desire" | "cause" | "before">,
  now: number,
): readonly ChangeRecord[] {
  const entry = entryOf(object, desire, {
    cause,
    phase: "RollingOut",
    time: formatTime(now),
    previousTransitionTime: timeText(before.rolloutTransitionTime),
    previousSource: imageText(before),
  });
  return withNew(object.status?.changes ?? [], entry);
}

/** The record of a redeploy whose answer was lost and that has arrived. */
export function withRedeployed(
  object: NorthflankDeployment,
  desire: Desire,
  sent: { readonly time: string; readonly previousTransitionTime: string | undefined },
): readonly ChangeRecord[] {
  const entry = entryOf(object, desire, { cause: "Redeployed", phase: "RollingOut", ...sent });
  return withNew(object.status?.changes ?? [], entry);
}

/** The record of a newest change for which Northflank rolls out nothing: the state that is shown speaks about it. */
export function withHead({ status }: NorthflankDeployment, progress: Progress, now: number): readonly ChangeRecord[] {
  const [head, ...older] = status?.changes ?? [];
  return head === undefined ? [] : [movedBy(head, progress, now, { previousTransitionTime: undefined }), ...older];
}

/** The intent of a rollback, which has to be in status before anything is sent. `failed`: the record of this look. */
export function withRollback(
  object: NorthflankDeployment,
  failed: readonly ChangeRecord[],
  facts: { readonly good: Desire; readonly of: string; readonly reason: Reason; readonly now: number },
): readonly ChangeRecord[] {
  const { good, of, reason, now } = facts;
  const entry = entryOf(object, good, { cause: "RolledBack", phase: "Sending", time: formatTime(now), of });
  const phase = reason === "RolloutTimedOut" ? "TimedOut" : "Failed";
  const index = indexOf(failed, of);
  return withNew(
    failed.map((change, at) => (at === index ? { ...change, phase } : change)),
    entry,
  );
}

/** The record without a rollback that was only intended: there is nothing to roll back to, or nobody wants it any more. */
export function withoutIntent(changes: readonly ChangeRecord[] | undefined): readonly ChangeRecord[] | undefined {
  const rest = changes?.filter(({ cause, phase }) => cause !== "RolledBack" || phase !== "Sending");
  return rest?.length === 0 ? undefined : rest;
}

/** The record with news of the newest rollback. */
export function withRollbackAs(
  changes: readonly ChangeRecord[] | undefined,
  rollback: ChangeRecord,
): readonly ChangeRecord[] {
  const newest = changes?.findIndex(({ cause }) => cause === "RolledBack") ?? -1;
  return (changes ?? []).map((entry, at) => (at === newest ? rollback : entry));
}

function entryOf(
  { metadata }: NorthflankDeployment,
  { hash, source }: Desire,
  facts: Pick<ChangeRecord, "cause" | "phase" | "time"> & {
    readonly [K in "previousSource" | "previousTransitionTime" | "of"]?: string | undefined;
  },
): ChangeRecord {
  const { time } = facts;
  const entry = { specHash: hash, generation: metadata.generation ?? 0, source: capped(source, 512), since: time };
  return present({ ...entry, ...facts }) as ChangeRecord;
}

/**
 * One more change. What was not over is told of no more, and what was about to be sent is this one; of one that is adopted
 * nobody knows that, so that both stay.
 */
function withNew(changes: readonly ChangeRecord[], entry: ChangeRecord): readonly ChangeRecord[] {
  const [head] = changes;
  const isSame = head?.cause !== "RolledBack" && head?.specHash === entry.specHash;
  const isSent = head?.phase === "Sending" && isSame && entry.cause !== "Adopted";
  const older = isSent ? changes.slice(1) : changes;
  return [entry, ...older.map((change) => supersededBy(change, entry))].slice(0, mostChanges);
}

function supersededBy(change: ChangeRecord, { time, cause, specHash }: ChangeRecord): ChangeRecord {
  const isUndone = change.cause === "RolledBack" && cause === "Adopted" && change.of === specHash;
  const isOver = !isUndone && !isUnfinished(change) && change.phase !== "Sending";
  return isOver || change.phase === "Superseded" ? change : { ...change, phase: "Superseded", since: time };
}

// ---- what is polled beyond that ----

type Waiting = NonNullable<NorthflankDeploymentStatus["phase"]>;

type WaitingName = NonNullable<Waiting["name"]>;

const waitingFor: Partial<Record<Reason, WaitingName>> = {
  RollingOut: "RollingOut",
  Building: "RollingOut",
  RolloutTimedOut: "RolloutTimedOut",
  AwaitingPromotion: "AwaitingPromotion",
  WaitingForBuild: "WaitingForBuild",
  BuildFailed: "BuildFailed",
  BuildNotFound: "BuildNotFound",
};

const phaseNames: Partial<Record<Phase, WaitingName>> = {
  RollingOut: "RollingOut",
  TimedOut: "RolloutTimedOut",
  AwaitingPromotion: "AwaitingPromotion",
};

/**
 * `status.phase` after a reconcile: what is polled and is not told by the change of what is declared. One that learned
 * nothing of Northflank (an outage, a suspension) leaves it as it is; any other state ends it.
 */
export function waitingAfter(object: NorthflankDeployment, conclusion: Conclusion, now: number): Waiting | undefined {
  const name = waitingFor[conclusion.verdict.reason];
  const before = object.status?.phase;
  if (name === undefined) return conclusion.inSync === "as-before" ? before : undefined;
  const read = desireOf(object.spec);
  if (read.kind !== "desire") return before;
  const { hash } = read.desire;
  const { changes = object.status?.changes } = conclusion.stated;
  const told = changeOf({ changes }, read.desire);
  if (told !== undefined && phaseNames[told.phase] === name) return undefined;
  if (rollbackOf({ changes }, read.desire) !== undefined) return undefined;
  const isSame = before !== undefined && before.specHash === hash && goesOn(before, name);
  return { name, since: (isSame ? before.since : undefined) ?? formatTime(now), specHash: hash };
}

function goesOn(before: Waiting, name: WaitingName): boolean {
  return before.name === name || (before.name === "RollingOut" && name === "RolloutTimedOut");
}

/** Since when the declaration is in one of these phases; `undefined` when it is in none. */
export function sinceOf(object: NorthflankDeployment, desire: Desire, ...names: WaitingName[]): string | undefined {
  const { name, since, specHash } = object.status?.phase ?? {};
  if (name !== undefined && specHash === desire.hash && names.includes(name)) return since;
  const change = changeOf(object.status, desire);
  const told = change && phaseNames[change.phase];
  return told !== undefined && names.includes(told) ? change?.since : undefined;
}

const followedPhases: ReadonlySet<string> = new Set<Phase>(["RollingOut", "AwaitingPromotion"]);

const followedNames: ReadonlySet<string> = new Set<WaitingName>(["RollingOut", "AwaitingPromotion", "WaitingForBuild"]);

/** Something is under way at Northflank, and polled to its end. */
export function isUnderWay({ spec, status }: NorthflankDeployment): boolean {
  if (status?.failure !== undefined) return false;
  if (followedNames.has(status?.phase?.name ?? "")) return true;
  const [head] = status?.changes ?? [];
  if (head === undefined || !followedPhases.has(head.phase)) return false;
  if (head.cause === "RolledBack") return true;
  const isShown = status?.pendingChanges === undefined && status?.observed?.servicePaused !== true;
  return isShown && spec.jobId === undefined && spec.rollout?.wait !== false;
}

/** Nothing is waited for whose time matters: a change, a build, a rollout of somebody else. */
export function isAtRest({ status }: Pick<NorthflankDeployment, "status">): boolean {
  const [head] = status?.changes ?? [];
  return status?.phase === undefined && (head === undefined || head.phase === "Complete");
}
