// pure
import type { NorthflankJob } from "../../api/job.ts";
import { findCondition } from "../../runtime/conditions.ts";
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import { type Correction, endsRow } from "../target/drift.ts";
import { isAcknowledged, isSettled, readyReason } from "../target/object.ts";
import { specHashOf } from "./desired.ts";

/** A change that is not shown by then was undone. */
const showsWithinMs = 60_000;

/**
 * How long a change that was accepted may still take to be shown, and how long ago it was, in milliseconds; `undefined`
 * when it was seen, or has had its time, or somebody asks for another try. `elapsedMs`: since the newest change.
 */
export function readingBack(
  object: NorthflankJob,
  elapsedMs: number | undefined,
): { readonly leftMs: number; readonly elapsedMs: number } | undefined {
  const inSync = findCondition(object.status?.conditions, "InSync");
  if (inSync?.status !== "Unknown" || isReconcileRequested(object)) return undefined;
  if (elapsedMs === undefined || elapsedMs >= showsWithinMs) return undefined;
  return { leftMs: showsWithinMs - elapsedMs, elapsedMs };
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

// Status shows no more than these.
const mostCorrections = 10;

/** `status.corrections` as a row of corrections: an edit of the spec starts anew. */
export function correctionsOf(object: Pick<NorthflankJob, "metadata" | "status">): readonly Correction[] {
  const times = isAcknowledged(object) ? (object.status?.corrections ?? []) : [];
  const isFought = readyReason(object) === "FightDetected";
  return times.map((time) => ({ time, phase: isFought ? "Superseded" : "Complete" }));
}

/** `status.corrections` after one more. */
export function withCorrection(object: NorthflankJob, time: string): readonly string[] {
  return [time, ...correctionsOf(object).map((correction) => correction.time)].slice(0, mostCorrections);
}

/** `status.corrections` after a look that found the job as declared. */
export function correctionsWhenSame(object: NorthflankJob, now: number): readonly string[] | undefined {
  const row = correctionsOf(object);
  const isOver = row.length === 0 || endsRow(row, { wasSettled: isSettled(object), now });
  return isOver ? undefined : row.map(({ time }) => time);
}
