// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import { findCondition } from "../../runtime/conditions.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import { isOlder } from "../reconcile/predicates.ts";
import { isAbortWanted, isUnresolved, latestAttempt, stateOf } from "./machine.ts";
import { markOf, mismatchOf } from "./mark.ts";
import type { Known } from "./memory.ts";
import type { StartRecord } from "./start-record.ts";

/** Another run object of the same job and account. */
export interface Sibling {
  readonly key: ObjectKey;
  readonly object: NorthflankJobRun;
  /** Its start is open, and no request of it can be in flight any more. Missing: one may be. */
  readonly isSettled?: boolean;
  /** False: only its status says that it is of this account, and a user of another namespace may have written it. */
  readonly isSure?: boolean;
  /** What this process knows of it beyond the object; missing where that is nothing. */
  readonly known?: Known | undefined;
}

/** Other objects of the same job and account, as this process knows them. */
export interface Siblings {
  /** All of them, however long over: their runs are not ours. */
  readonly all: () => readonly Sibling[];
  /** Those that are not over. What is asked in every reconcile is asked of them: the others only add up. */
  readonly open: () => readonly Sibling[];
}

/** Something that keeps a start waiting. */
export interface Obstacle {
  /** `unresolved`: another start of the job is open. `active`: another run is active. `foreign`: one that is not ours. */
  readonly kind: "unresolved" | "active" | "foreign";
  /** Key of the object in the way, or the id of the foreign run. */
  readonly name: string;
}

/**
 * What of our own objects keeps a start waiting. An open start does so whatever the policy: were two in flight at
 * once, a new run in the list could belong to either. Once no request of it can be in flight any more it holds back no
 * start under Allow; under Forbid and Replace it does until it is known whether it has a run.
 */
export function obstaclesAmong(object: NorthflankJobRun, siblings: readonly Sibling[]): readonly Obstacle[] {
  return siblings.flatMap(({ key, object: other, isSettled = false }): readonly Obstacle[] => {
    const isAllowed = object.spec.concurrencyPolicy === "Allow";
    if (isUnresolved(other)) return isAllowed && isSettled ? [] : [{ kind: "unresolved", name: key }];
    if (isAllowed) return [];
    const state = stateOf(other);
    // What is not aborted for its own object is not aborted for another one either.
    if (state === "adopted") return [{ kind: "foreign", name: latestAttempt(other)?.runId ?? key }];
    return state === "active" ? [{ kind: "active", name: key }] : [];
  });
}

/** Active runs of the list that belong to none of our objects; they matter under Forbid and Replace. */
export function foreignObstacles(
  object: NorthflankJobRun,
  runs: readonly { readonly id: string; readonly concluded: boolean }[],
  ours: ReadonlySet<string>,
): readonly Obstacle[] {
  if (object.spec.concurrencyPolicy === "Allow") return [];
  return runs
    .filter((run) => !run.concluded && !ours.has(run.id))
    .map(({ id }): Obstacle => ({ kind: "foreign", name: id }));
}

// As many as the schema takes. What is left over comes when these are gone.
const maxReplaced = 100;

/**
 * The objects whose active runs are to be aborted for this one: `concurrencyPolicy: Replace`, they are older, and they
 * are all that is in its way. A run is not aborted for one that could not start anyway.
 */
export function replaceableAmong(
  object: NorthflankJobRun,
  obstacles: readonly Obstacle[],
  siblings: readonly Sibling[],
): readonly ObjectKey[] {
  if (object.spec.concurrencyPolicy !== "Replace" || obstacles.some(({ kind }) => kind !== "active")) return [];
  const names = new Set(obstacles.map(({ name }) => name));
  const areOlder = siblings.every(({ key, object: other }) => !names.has(key) || isOlder(other, object));
  return areOlder ? [...names].sort().slice(0, maxReplaced) : [];
}

/**
 * The object that takes the place of this active one: its status names this one, as it does only while nothing else is
 * in its way, and none of the starts that have become open since is.
 */
export function replacerOf(object: NorthflankJobRun, siblings: readonly Sibling[]): Sibling | undefined {
  if (stateOf(object) !== "active") return undefined;
  const key = objectKey(object.metadata);
  const isOpen = siblings.some((sibling) => isUnresolved(sibling.object));
  return siblings.find(
    ({ object: other, isSure = true }) =>
      !isOpen &&
      isSure &&
      other.spec.concurrencyPolicy === "Replace" &&
      other.metadata.deletionTimestamp === undefined &&
      !other.spec.suspend &&
      !isAbortWanted(other) &&
      other.status?.completionTime === undefined &&
      other.status?.replaces?.includes(key) === true &&
      isOlder(object, other),
  );
}

/** True for an object whose start waits for others of its job: it is worth enqueueing when one of them is done. */
export function isWaitingForConcurrency(object: NorthflankJobRun): boolean {
  if (object.status?.completionTime !== undefined) return false;
  return findCondition(object.status?.conditions, "Ready")?.reason === "WaitingForConcurrency";
}

/** True for an object that keeps starts of its job waiting: others may continue when it is done, edited or gone. */
export function isInTheWay(object: NorthflankJobRun): boolean {
  const state = stateOf(object);
  return isUnresolved(object) || state === "active" || state === "adopted";
}

/** The starts of other objects of which it is not known yet which run they started, if any. */
export function openStartsOf(siblings: readonly Sibling[]): readonly StartRecord[] {
  return siblings.flatMap(({ object }) => (isUnresolved(object) ? (object.status?.start ?? []) : []));
}

/** What other objects have, or may have, of the runs of a list. */
export function claimsOf(object: NorthflankJobRun, siblings: readonly Sibling[]) {
  const [claimed, doubtful] = [runsTaken(object, siblings), runsInDoubt(object, siblings)];
  return { claimed, doubtful, openStarts: openStartsOf(siblings) };
}

/** Every run id that one of the objects has. */
export function runIdsOf(objects: readonly NorthflankJobRun[]): ReadonlySet<string> {
  return new Set(
    objects.flatMap(({ status }) => [
      ...[status?.runId, status?.duplicateRunId].filter((id) => id !== undefined),
      ...(status?.attempts ?? []).map(({ runId }) => runId),
    ]),
  );
}

/**
 * Every run that an open start of this object cannot have started: those of others, and its own before. One that only
 * `status.runId` names is left, where the attempts were lost, and is to be found again.
 */
export function runsTaken(object: NorthflankJobRun, siblings: readonly Sibling[]): ReadonlySet<string> {
  const { runId: _, ...status } = object.status ?? { observedGeneration: -1 };
  const others = siblings.map((sibling) => sibling.object);
  return new Set([...runIdsOf([{ ...object, status }, ...others]), ...markedRuns(object, others)]);
}

/**
 * Those of them that others have by an annotation alone. Any user who may create an object of the job may write one, so
 * that such a run is not this object's is as unproven as that it is.
 */
function runsInDoubt(object: NorthflankJobRun, siblings: readonly Sibling[]): ReadonlySet<string> {
  const others = siblings.map((sibling) => sibling.object);
  const proven = runIdsOf([object, ...others.map(withoutAdopted)]);
  const adopted = others.flatMap((other) => adoptedRunsOf(other));
  return new Set([...adopted, ...markedRuns(object, others)].filter((id) => !proven.has(id)));
}

function withoutAdopted(object: NorthflankJobRun): NorthflankJobRun {
  const { status } = object;
  const adopted = adoptedRunsOf(object);
  if (status?.runId === undefined || adopted.length === 0) return object;
  const { runId, attempts = [], ...rest } = status;
  const proven = attempts.filter(({ origin }) => origin !== "Adopted");
  return { ...object, status: { ...rest, ...(adopted.includes(runId) ? {} : { runId }), attempts: proven } };
}

function adoptedRunsOf({ status }: NorthflankJobRun): readonly string[] {
  return (status?.attempts ?? []).flatMap(({ origin, runId }) => (origin === "Adopted" ? [runId] : []));
}

/**
 * Runs that the annotations of others stand for, which have lost their status and are still to be checked. One that is
 * not that of its own object stands for nothing, and who may write one in another namespace must not take a run away
 * from this object.
 */
function markedRuns({ metadata }: NorthflankJobRun, others: readonly NorthflankJobRun[]): readonly string[] {
  return others.flatMap((other) => {
    if (other.metadata.namespace !== metadata.namespace) return [];
    const reading = markOf(other);
    if (reading?.kind !== "mark" || (latestAttempt(other)?.number ?? 0) >= reading.mark.attempt) return [];
    if (mismatchOf(other, reading, undefined) !== undefined) return [];
    return reading.mark.runId ?? [];
  });
}
