// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import { findCondition } from "../../runtime/conditions.ts";
import { type Correction, endsRow } from "../target/drift.ts";
import { isAcknowledged, isSettled, readyReason } from "../target/object.ts";
import { ageOf } from "./ages.ts";
import type { StatedFields } from "./conclusion.ts";
import type { DecideInput } from "./decision.ts";
import type { Desire } from "./desired.ts";
import { imageText } from "./observed-fields.ts";
import type { Applied } from "./rollout.ts";
import type { TargetView } from "./target-view.ts";

// Status shows no more than these.
const mostCorrections = 10;

/** `status.corrections` as a row of corrections: an edit of the spec starts anew. */
export function correctionsOf(object: Pick<NorthflankDeployment, "metadata" | "status">): readonly Correction[] {
  const times = isAcknowledged(object) ? (object.status?.corrections ?? []) : [];
  const isFought = readyReason(object) === "FightDetected";
  return times.map((time) => ({ time, phase: isFought ? "Superseded" : "Complete" }));
}

/** `status.corrections` after one more. */
export function withCorrection(object: NorthflankDeployment, time: string): readonly string[] {
  return [time, ...correctionsOf(object).map((correction) => correction.time)].slice(0, mostCorrections);
}

/** The corrections to remember of a target that is as declared. */
export function correctionsWhenInSync(input: DecideInput): readonly string[] | undefined {
  const { object } = input;
  const row = correctionsOf(object);
  const isOver = row.length === 0 || endsRow(row, { wasSettled: isSettled(object), now: nowByStopwatch(input) });
  return isOver ? undefined : row.map(({ time }) => time);
}

/** Now, as far after the newest correction as this process has measured. */
export function nowByStopwatch(input: DecideInput): number {
  const newest = input.object.status?.corrections?.[0];
  return newest === undefined ? input.now : Date.parse(newest) + ageOf(input, newest).elapsedMs;
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
export function isNotShownYet(input: DecideInput, target: TargetView): boolean {
  const { time, source, previousSource } = input.object.status?.applied ?? {};
  if (target.kind !== "job" || time === undefined || source === undefined) return false;
  return ageOf(input, time).elapsedMs < showsWithinMs && imageText(target) === previousSource;
}

/** The spec asks for a redeploy that was not handled. */
export function wantsRedeploy({ spec, status }: NorthflankDeployment): boolean {
  const { redeployToken: token } = spec;
  if (token === undefined || spec.serviceId === undefined) return false;
  return status?.redeploy?.token !== token || status.redeploy.outcome === "Pending";
}

/** The newest change with its result; nothing when that is known, or when there was no change of ours. */
export function headResult(object: NorthflankDeployment, result: Result): StatedFields {
  const [head, ...rest] = object.status?.history ?? [];
  if (head === undefined || head.result === result || !mayBecome[result].includes(head.result)) return {};
  return { history: [{ ...head, result }, ...rest] };
}

type Result = "Complete" | "Failed" | "TimedOut" | "Paused" | "AwaitingPromotion" | "NotKept";

/** Results of a change whose rollout is to come, or is under way. */
export const unfinished: readonly string[] = ["RollingOut", "Paused", "AwaitingPromotion"];

/**
 * From which results a change may go to another one. A rollout that failed or was late may complete after all, and one of
 * a service that was paused begins anew with the resume.
 */
const mayBecome: Readonly<Record<Result, readonly string[]>> = {
  Complete: [...unfinished, "NotKept", "Failed", "TimedOut"],
  Failed: [...unfinished, "NotKept", "TimedOut"],
  TimedOut: [...unfinished, "NotKept"],
  Paused: [...unfinished, "NotKept", "TimedOut"],
  AwaitingPromotion: [...unfinished, "NotKept", "TimedOut"],
  NotKept: unfinished,
};
