// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import { findCondition } from "../../runtime/conditions.ts";
import { isReconcileRequested } from "../shared/reconcile-request.ts";
import { readyReason } from "../shared/target-object.ts";
import type { StatedFields } from "./conclusion.ts";
import type { Desire } from "./desire.ts";
import { imageText } from "./observed-fields.ts";
import type { Applied } from "./rollout.ts";
import type { TargetView } from "./target-view.ts";

/** So many corrections within 10 minutes are a fight. */
export const fightCorrections = 3;
const fightWindowMs = 600_000;

/** Times of the corrections that still count, newest first. Old ones stay in status until the next one: no write for them. */
export function recentCorrections(object: NorthflankDeployment, now: number): readonly string[] {
  const corrections = object.status?.corrections ?? [];
  return corrections.filter((time) => now - Date.parse(time) < fightWindowMs);
}

/** Once detected, a fight lasts until the remote agrees, the spec changes or somebody asks for another try. */
export function isFight(object: NorthflankDeployment, corrections: readonly string[]): boolean {
  if (isReconcileRequested(object)) return false;
  if (!isAcknowledged(object)) return false;
  return corrections.length >= fightCorrections || readyReason(object) === "FightDetected";
}

/** The last look at what is declared now found no difference: a difference is news. */
export function wasInSync(object: NorthflankDeployment): boolean {
  const inSync = findCondition(object.status?.conditions, "InSync");
  return inSync?.status === "True" && inSync.observedGeneration === object.metadata.generation;
}

/** Whether what is declared is what was last applied; `undefined` when nothing was. */
export function isSameDesire(object: NorthflankDeployment, desire: Desire): boolean | undefined {
  const applied = object.status?.applied?.specHash;
  return applied === undefined ? undefined : applied === desire.hash;
}

/**
 * What status remembers of the change to what is declared; `undefined` when that was another declaration, or was put back
 * since: whoever has sent it again, it was not that change.
 */
export function appliedChange({ status }: NorthflankDeployment, { hash }: Desire): Applied | undefined {
  const outcome = status?.restore?.specHash === hash ? status.restore.outcome : undefined;
  const wasPutBack = outcome === "RollingOut" || outcome === "Complete" || outcome === "Failed";
  return status?.applied?.specHash === hash && !wasPutBack ? status.applied : undefined;
}

/** A change of a job that is not shown by then was undone. */
export const showsWithinMs = 60_000;

/** Our change of a job was accepted a moment ago, and the job still tells what it had before: it is not sent again yet. */
export function isNotShownYet({ status }: NorthflankDeployment, target: TargetView, now: number): boolean {
  const { time, source, previousSource } = status?.applied ?? {};
  if (target.kind !== "job" || time === undefined || source === undefined) return false;
  return now - Date.parse(time) < showsWithinMs && imageText(target) === previousSource;
}

/** The status speaks about what is declared now. */
export function isAcknowledged({ status, metadata }: NorthflankDeployment): boolean {
  return status?.observedGeneration === metadata.generation;
}

/** The newest change with its result; nothing when that is known, or when there was no change of ours. */
export function headResult(object: NorthflankDeployment, result: "Complete" | "Failed" | "TimedOut"): StatedFields {
  const [head, ...rest] = object.status?.history ?? [];
  if (head === undefined || !mayBecome[result].includes(head.result)) return {};
  return { history: [{ ...head, result }, ...rest] };
}

/** From which results a change may go to another one. A rollout that failed or was late may complete after all. */
const mayBecome: Readonly<Record<"Complete" | "Failed" | "TimedOut", readonly string[]>> = {
  Complete: ["RollingOut", "Failed", "TimedOut"],
  Failed: ["RollingOut", "TimedOut"],
  TimedOut: ["RollingOut"],
};
