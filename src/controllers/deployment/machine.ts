// pure

import { mostChanges } from "../../api/changes.ts";
import {
  defaultTimeoutSeconds,
  type NorthflankDeployment,
  type NorthflankDeploymentStatus,
} from "../../api/deployment.ts";
import type { Reason } from "../../api/reasons.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import type { Age } from "../reconcile/stopwatch.ts";
import { correctionsOf, endsRow, withConfirmed } from "../target/drift.ts";
import { isAcknowledged } from "../target/object.ts";
import { policyOf } from "../target/policy.ts";
import {
  changeOf,
  entryOf,
  indexOf,
  isUnfinished,
  knownHash,
  lastDeclared,
  rollbackOf,
  wasSent,
  withNew,
} from "./changes.ts";
import { type Desire, desireOf } from "./desired.ts";
import { type Comparison, compare, type Difference } from "./diff.ts";
import { goodFor } from "./last-good.ts";
import type {
  ChangeRecord,
  Conclusion,
  DecideInput,
  Facts,
  Progress,
  Seen,
  State,
  WaitingName,
} from "./observation.ts";
import { observedFields } from "./target.ts";

/*
 * `status.changes`, newest first: one record of each change, and the one place where a deployment remembers what it
 * did.
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
 *    not all of it was kept: NotKept. Another change is sent before it was over, or another client sets another source
 *    in the place of what was rolled back or corrected: Superseded
 *
 * Promises:
 *  1. Sending confirms nothing: whatever is declared next is sent whole, or adopted where it is found.
 *  2. Entries are moved by `steps` alone, and only that of what is declared moves.
 *  3. `since` is when the phase began; TimedOut keeps that of RollingOut. Limits and pauses are counted from it.
 *  4. A rollback stands until another declaration is sent, or what failed is found complete after all: see rollback.ts.
 */

/** A target that has something else: sent as a new declaration, corrected as drift, or left because of a rollback. */
type WhenDifferent = "send" | "correct" | "leave";

type Phase = ChangeRecord["phase"];

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

/** Every state under everything that a read may find: a new one of either does not compile until it is decided on. */
export const steps: Readonly<Record<State, Steps>> = {
  Unknown: { ...adopted, different: "send" },
  Sending: { ...adopted, different: "send" },
  RollingOut: { ...adopted, different: "correct" },
  Paused: { ...adopted, different: "correct" },
  AwaitingPromotion: { ...adopted, different: "correct" },
  NotKept: { ...adopted, different: "correct" },
  // It ends once: what rolls out later is a rollout of another client, which `status.phase` follows.
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
    // What was late stays late until it ends: a poll must not set it to under way again.
    rolling: "TimedOut",
    late: "TimedOut",
    gradual: "AwaitingPromotion",
    paused: "Paused",
    complete: "Complete",
    failed: "Failed",
    different: "correct",
  },
  // Another client had replaced it, and it is there again.
  Superseded: { ...adopted, different: "correct" },
  RolledBack: { ...adopted, different: "leave" },
};

// ---- what is known ----

/** What follows from object and observation, once the target was read. */
export function factsOf(input: DecideInput, seen: Seen): Facts {
  const { object, now } = input;
  const { desire, service } = seen;
  const state = stateOf(object, desire);
  const comparison = compare(desire, service, resolvedCommit(object, desire));
  const corrections = correctionsOf(object);
  const [correction] = corrections;
  const age = (time: string | undefined) => ageOf(input, time);
  return {
    ...seen,
    ...input,
    policy: policyOf(object),
    state,
    change: changeOf(object.status, desire),
    rollback: rollbackInForce(object, desire),
    wantsRedeploy: wantsRedeploy(object),
    good: goodFor(object, seen, comparison),
    isNew: steps[state].different === "send" || wantsRedeploy(object),
    comparison,
    pending: pendingOf(object, state, comparison),
    unverified: unverifiedOf(object, desire, comparison),
    corrections,
    correctionsNow: correction === undefined ? now : Date.parse(correction.time) + age(correction.time).elapsedMs,
    shown: observedFields(service),
    age,
    since: (...names) => sinceOf(object, desire, ...names),
    limitMs: limitOf(object),
    isAcknowledged: isAcknowledged(object),
  };
}

/** What the record says of what is declared now. */
function stateOf(object: NorthflankDeployment, desire: Desire): State {
  if (rollbackInForce(object, desire) !== undefined) return "RolledBack";
  const entry = lastDeclared(object.status);
  if (entry?.specHash !== desire.hash) return "Unknown";
  const rollback = rollbackOf(object.status, desire);
  // Another attempt of what was rolled back is requested.
  return rollback === undefined || rollback.phase === "Sending" ? entry.phase : "Unknown";
}

/** The rollback in force for what is declared now; `undefined`: there is none, or another attempt is requested. */
function rollbackInForce(object: NorthflankDeployment, desire: Desire): ChangeRecord | undefined {
  const rollback = object.spec.rollout?.onFailure === "Restore" ? rollbackOf(object.status, desire) : undefined;
  const isAsked = isReconcileRequested(object) || wantsRedeploy(object);
  return rollback?.phase !== "Sending" && isAsked ? undefined : rollback;
}

/** The spec requests a redeploy that was not handled. */
export function wantsRedeploy({ spec, status }: NorthflankDeployment): boolean {
  const { redeployToken: token } = spec;
  if (token === undefined || spec.serviceId === undefined) return false;
  return status?.redeploy?.token !== token || status.redeploy.outcome === "Pending";
}

/**
 * What has to be written. Fields that Northflank does not return, or in part, count only when the declaration has
 * changed; a source of which it returns nothing, and which no read can observe, counts until the declaration was sent
 * once.
 */
function pendingOf(object: NorthflankDeployment, state: State, comparison: Comparison): readonly Difference[] {
  const { differences, alike, untold, hidden } = comparison;
  if (steps[state].different !== "send") return differences;
  const unsent = policyOf(object).sends ? hidden : [];
  if (lastDeclared(object.status) === undefined) return [...differences, ...unsent];
  return [...differences, ...alike, ...unsent, ...untold];
}

/** The commit of the build that was last applied for this very declaration; `undefined` when it is not known. */
function resolvedCommit({ status }: NorthflankDeployment, { hash }: Desire): string | undefined {
  const build = knownHash(status) === hash ? status?.build : undefined;
  return build?.outcome === "Succeeded" ? build.sha : undefined;
}

function unverifiedOf({ status }: NorthflankDeployment, { hash }: Desire, comparison: Comparison): readonly string[] {
  const change = lastDeclared(status);
  if (change?.specHash === hash && wasSent(change)) return [];
  const { alike, untold, hidden } = comparison;
  return [...alike.filter(({ from, to }) => from !== to), ...untold, ...hidden].map(({ path }) => path);
}

/** What became of the declaration that was rolled back. */
export function rolledBackFor({ status }: NorthflankDeployment, { of }: ChangeRecord): Reason {
  const failed = status?.changes?.find(({ cause, specHash }) => cause !== "RolledBack" && specHash === of);
  return failed?.phase === "TimedOut" ? "RolloutTimedOut" : "RolloutFailed";
}

/** The last read found the target as it was declared then. */
export function wasSeenInSync(status: NorthflankDeployment["status"]): boolean {
  if (status?.observed === undefined || status.pendingChanges !== undefined) return false;
  return status.changes?.[0]?.phase !== "Sending";
}

// ---- how long ago ----

/** `rollout.timeoutSeconds`, in milliseconds. */
export function limitOf({ spec }: NorthflankDeployment): number {
  return (spec.rollout?.timeoutSeconds ?? defaultTimeoutSeconds) * 1_000;
}

/** How long ago a time is; one of this very reconcile, or without a process that measures, by the wall clock. */
export function ageOf({ ages, now }: Pick<DecideInput, "ages" | "now">, time: string | undefined): Age {
  const elapsedMs = Math.max(0, now - Date.parse(time ?? "")) || 0;
  return (time === undefined ? undefined : ages?.get(time)) ?? { elapsedMs, seenMs: elapsedMs };
}

/**
 * A limit is over only when this process has itself seen a quarter of it pass: what follows may be a rollback, and a
 * clock that is wrong must not be enough for one.
 */
export function isOver(age: Age, limitMs: number): boolean {
  return age.elapsedMs >= limitMs && seenLeftMs(age, limitMs) === 0;
}

/** How long until {@link isOver}, in milliseconds. */
export function leftMs(age: Age, limitMs: number): number {
  return Math.max(limitMs - age.elapsedMs, seenLeftMs(age, limitMs));
}

/** How much of it this process has still to see, in milliseconds. */
export function seenLeftMs({ seenMs }: Age, limitMs: number): number {
  return Math.max(0, Math.ceil(limitMs / 4 - seenMs));
}

// ---- what a read writes ----

/** A read that found the target as declared. */
export interface Found {
  /** The change that the target shows: the recorded one, else one that is adopted; `undefined` under Observe. */
  readonly change: ChangeRecord | undefined;
  readonly isAdopted: boolean;
  readonly changes: readonly ChangeRecord[];
}

/**
 * Begins to record a read that found the target as declared. Where that was no change of ours (first read, or its
 * answer was lost), one is adopted; `previousTransitionTime` is then the state of the rollout before, where the source
 * has moved.
 */
export function foundAsDeclared(facts: Facts, previousTransitionTime: string | undefined): Found {
  const { object, desire, now, change: recorded, policy, corrections } = facts;
  const before = takenUp(facts);
  if (recorded === undefined && policy.records) {
    const time = formatTime(now);
    const change = entryOf(object, desire, { cause: "Adopted", phase: "Sending", time, previousTransitionTime });
    return { change, isAdopted: true, changes: withNew(before, change) };
  }
  const settled = recorded?.phase === "Complete" || recorded?.phase === "Paused";
  const isWaitedFor = object.spec.rollout?.wait !== false;
  const wasSettled = isWaitedFor ? settled && object.status?.phase === undefined : facts.isAcknowledged;
  const isRowOver = endsRow(corrections, { wasSettled, now: facts.correctionsNow });
  return { change: recorded, isAdopted: false, changes: isRowOver ? withConfirmed(before, formatTime(now)) : before };
}

/** What a read adds to an entry; `undefined` removes it. */
export type ChangeNews = Partial<Pick<ChangeRecord, "rolloutSeconds">> & {
  readonly previousTransitionTime?: string | undefined;
};

/** Only what Northflank says after the resume speaks about this change. */
export function newsWhileStopped({ observed }: Facts["shown"]): ChangeNews {
  const previousTransitionTime = observed?.rolloutTransitionTime;
  return previousTransitionTime === undefined ? {} : { previousTransitionTime };
}

/**
 * The record without force of a rollback of what is found as declared, where another attempt of it is requested, or the
 * spec no longer wants a rollback: it may have been sent again, and from now on it counts as a new change.
 */
function takenUp({ object, desire, now, policy, rollback: inForce }: Facts): readonly ChangeRecord[] {
  const changes = object.status?.changes ?? [];
  const rollback = rollbackOf(object.status, desire);
  if (rollback === undefined || rollback.phase === "Sending" || inForce !== undefined || !policy.records)
    return changes;
  const at = changes.indexOf(rollback);
  const again = entryOf(object, desire, { cause: "SpecChanged", phase: "Superseded", time: formatTime(now) });
  return [...changes.slice(0, at), again, ...changes.slice(at)].slice(0, mostChanges);
}

/** The record once it is known how far the rollout is. */
export function recordOf(
  { found, desire, now }: Pick<Facts, "desire" | "now"> & { readonly found: Found },
  progress: Progress,
  news: ChangeNews = {},
): readonly ChangeRecord[] | undefined {
  const { changes, isAdopted } = found;
  const index = isAdopted ? 0 : indexOf(changes, desire.hash);
  const moved = changes.map((entry, at) => (at === index ? movedBy(entry, progress, now, news) : entry));
  return moved.length === 0 ? undefined : moved;
}

/** One entry after a read. */
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

/** The record of a newest change for which Northflank rolls out nothing: the state that is shown speaks about it. */
export function withHead({ status }: NorthflankDeployment, progress: Progress, now: number): readonly ChangeRecord[] {
  const [head, ...older] = status?.changes ?? [];
  return head === undefined ? [] : [movedBy(head, progress, now, { previousTransitionTime: undefined }), ...older];
}

// ---- what is polled beyond that ----

type Waiting = NonNullable<NorthflankDeploymentStatus["phase"]>;

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
 * `status.phase` after a reconcile: what is polled and is not in the change of what is declared. A reconcile that
 * learned nothing of Northflank (an outage, a suspension) leaves it as it is; any other state ends it.
 */
export function waitingAfter(object: NorthflankDeployment, conclusion: Conclusion, now: number): Waiting | undefined {
  const name = waitingFor[conclusion.readyState.reason];
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
export function sinceOf(
  object: NorthflankDeployment,
  desire: Desire,
  ...names: readonly WaitingName[]
): string | undefined {
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
