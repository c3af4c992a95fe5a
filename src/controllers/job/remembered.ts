// pure
import type { NorthflankJob } from "../../api/job.ts";
import { findCondition } from "../../runtime/conditions.ts";
import { isReconcileRequested } from "../shared/reconcile-request.ts";
import { readyReason } from "../shared/target-object.ts";
import { specHashOf } from "./desire.ts";
import type { Seen } from "./observation.ts";

/** So many corrections within the time of {@link fightWindowMs} are a fight. */
export const fightCorrections = 3;

/** Somebody who changes the job back is found at resyncs: three of them, however they are spread, have to be in it. */
export function fightWindowMs({ periodMs }: Seen): number {
  return Math.max(600_000, 4 * periodMs);
}

/** Times of the corrections that still count, newest first. */
export function recentCorrections(object: NorthflankJob, seen: Seen, now: number): readonly string[] {
  const corrections = object.status?.corrections ?? [];
  return corrections.filter((time) => now - Date.parse(time) < fightWindowMs(seen));
}

/** A change that is not shown by then was undone. */
const showsWithinMs = 60_000;

/**
 * How long a change that was accepted may still take to be shown, and how long ago it was, in milliseconds; `undefined`
 * when it was seen, or has had its time, or somebody asks for another try.
 */
export function readingBack(
  object: NorthflankJob,
  now: number,
): { readonly leftMs: number; readonly elapsedMs: number } | undefined {
  const inSync = findCondition(object.status?.conditions, "InSync");
  const elapsedMs = Math.abs(now - Date.parse(object.status?.history?.[0]?.time ?? ""));
  if (inSync?.status !== "Unknown" || isReconcileRequested(object) || !(elapsedMs < showsWithinMs)) return undefined;
  return { leftMs: showsWithinMs - elapsedMs, elapsedMs };
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
