// pure
import { mostChanges } from "../../api/changes.ts";
import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import { isRefusedForSure } from "../../northflank/answer.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";
import type { Desire } from "./desired.ts";
import { isReadInPart } from "./diff.ts";
import type { Change, ChangeRecord } from "./observation.ts";
import { imageText, timeText } from "./target.ts";

/*
 * The list `status.changes`, newest first: what it says, and what a change adds to it. How an entry moves from phase to
 * phase is `machine.ts`.
 */

/** A status, as far as it holds the record. */
interface Recorded {
  readonly changes?: readonly ChangeRecord[] | undefined;
}

// ---- what it says ----

/** The newest change to a declaration, which may be another one by now. A rollback is none. */
export function lastDeclared(status: Recorded | undefined): ChangeRecord | undefined {
  return status?.changes?.find(({ cause }) => cause !== "RolledBack");
}

/** The hash of the declaration that was last sent or found in force; `undefined` where that is not known. */
export function knownHash(status: Recorded | undefined): string | undefined {
  const entry = lastDeclared(status);
  return entry === undefined || entry.phase === "Sending" ? undefined : entry.specHash;
}

/** Whether what is declared is what was last applied; `undefined` when nothing was. */
export function isSameDesire({ status }: NorthflankDeployment, desire: Desire): boolean | undefined {
  const known = knownHash(status);
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

/** Where that entry stands; -1: nowhere. */
export function indexOf(changes: readonly ChangeRecord[], hash: string): number {
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

/** Phases of a change whose rollout is to come, or is under way. */
const unfinished: ReadonlySet<string> = new Set<ChangeRecord["phase"]>(["RollingOut", "Paused", "AwaitingPromotion"]);

/** Whether the rollout of a change is still to come, or under way. */
export function isUnfinished({ phase }: ChangeRecord): boolean {
  return unfinished.has(phase);
}

/** The rollback that stands for a declaration, whether or not another attempt is requested. */
export function rollbackOf(status: Recorded | undefined, { hash }: Desire): ChangeRecord | undefined {
  for (const entry of status?.changes ?? []) {
    if (entry.cause === "RolledBack") return entry.of === hash ? entry : undefined;
    // Whoever sent it, what failed is there again, and stays failed until it is complete.
    if (entry.cause !== "Adopted" || entry.specHash !== hash || entry.phase === "Complete") return undefined;
  }
  return undefined;
}

/** The times in a status that something is decided by. */
export function timesOf(status: NorthflankDeploymentStatus | undefined): readonly (string | undefined)[] {
  const { changes = [], build, phase, notKept, redeploy } = status ?? {};
  const since = changes.flatMap((entry) => [entry.time, entry.since]);
  return [...since, build?.time, phase?.since, notKept?.time, redeploy?.time];
}

// ---- what a change adds ----

/**
 * The record that has to be stored before a change is sent whose fields Northflank does not return, or in part: when
 * its answer is lost, no read shows whether it arrived. `undefined` where what is there will do.
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

/** The record of a declaration that is about to be sent, or was sent without an answer. */
export function withSending(object: NorthflankDeployment, desire: Desire, now: number): readonly ChangeRecord[] {
  return withEntry(object, desire, { cause: "SpecChanged", phase: "Sending", time: formatTime(now) });
}

/** The record of a change that was not accepted: as it was when that is for sure, else that its result is not known. */
export function changesAfterFailure(
  object: NorthflankDeployment,
  change: Change,
  { error, now }: { readonly error: NorthflankError; readonly now: number },
): readonly ChangeRecord[] | undefined {
  // A person has requested another attempt of what was rolled back. It may have arrived: it counts as a new change.
  if (rollbackOf(object.status, change.desire) !== undefined) return withSending(object, change.desire, now);
  // Without an answer, an earlier attempt may have arrived.
  const isRefused = error.httpStatus !== undefined && isRefusedForSure(error);
  const isCertain = isRefused || !isReadInPart(change.desire, change.before);
  if (isCertain || isSameDesire(object, change.desire) === true) return object.status?.changes;
  return withSending(object, change.desire, now);
}

/** The record of a change that Northflank has accepted. */
export function changesAfter(
  object: NorthflankDeployment,
  { desire, cause, before }: Pick<Change, "desire" | "cause" | "before">,
  now: number,
): readonly ChangeRecord[] {
  return withEntry(object, desire, {
    cause,
    phase: "RollingOut",
    time: formatTime(now),
    previousTransitionTime: timeText(before.rolloutTransitionTime),
    previousSource: imageText(before),
  });
}

/** One more change of an object. */
export function withEntry(
  object: NorthflankDeployment,
  desire: Desire,
  facts: Parameters<typeof entryOf>[2],
): readonly ChangeRecord[] {
  return withNew(object.status?.changes ?? [], entryOf(object, desire, facts));
}

/** The record without a rollback that was only intended: nothing to roll back to, or the spec no longer wants it. */
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

/** A new entry: a change of this object to `desire`. */
export function entryOf(
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
 * One more change. An entry that was not over is no longer reported, and one that was about to be sent is this one; of
 * an adopted change that is not known, so that both stay.
 */
export function withNew(changes: readonly ChangeRecord[], entry: ChangeRecord): readonly ChangeRecord[] {
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
