// pure
import type { NorthflankJob } from "../../api/job.ts";
import { findCondition } from "../../runtime/conditions.ts";
import { isReconcileRequested } from "../shared/reconcile-request.ts";
import { readyReason } from "../shared/target-object.ts";
import { specHashOf } from "./desire.ts";

/** So many corrections within 10 minutes are a fight. */
export const fightCorrections = 3;
const fightWindowMs = 600_000;

/** Times of the corrections that still count, newest first. */
export function recentCorrections(object: NorthflankJob, now: number): readonly string[] {
  const corrections = object.status?.corrections ?? [];
  return corrections.filter((time) => now - Date.parse(time) < fightWindowMs);
}

/** Once detected, a fight lasts until the remote agrees, the spec changes or somebody asks for another try. */
export function isFight(object: NorthflankJob, corrections: readonly string[]): boolean {
  if (isReconcileRequested(object) || object.status?.observedGeneration !== object.metadata.generation) return false;
  return corrections.length >= fightCorrections || readyReason(object) === "FightDetected";
}

/** The last look at what is declared now found no difference: a difference is news. */
export function wasInSync(object: NorthflankJob): boolean {
  const inSync = findCondition(object.status?.conditions, "InSync");
  return inSync?.status === "True" && inSync.observedGeneration === object.metadata.generation;
}

/** Whether the spec declares what was last applied; `undefined` when nothing was. */
export function isSameSpec(object: NorthflankJob): boolean | undefined {
  const applied = object.status?.applied?.specHash;
  return applied === undefined ? undefined : applied === specHashOf(object.spec);
}
