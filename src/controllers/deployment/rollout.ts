// pure
import { defaultTimeoutSeconds, type NorthflankDeployment } from "../../api/deployment.ts";
import type { ServiceView } from "../../northflank/types.ts";
import { type ChangeRecord, wasSent } from "./machine.ts";

/** How far the rollout of what is declared has come. */
export type Rollout =
  /** Gradual, and under way: it goes on when somebody promotes it, and has no limit. */
  | { readonly kind: "gradual" }
  | { readonly kind: "complete" }
  | { readonly kind: "failed" }
  /** Also while Northflank still shows the end of the rollout before our change. */
  | { readonly kind: "rolling"; readonly isBuilding: boolean };

// A change that somebody else made, or that we made and forgot in a crash, is not waited for longer than this: it may
// have been one that needs no rollout.
const unsentSettleMs = 60_000;

// Where Northflank tells no transition times, this long after our change its state is taken to speak about it.
const untimedSettleMs = 30_000;

/** What Northflank says while it builds. */
export const buildStates: ReadonlySet<string> = new Set([
  "QUEUED",
  "PENDING",
  "UNSCHEDULABLE",
  "STARTING",
  "CLONING",
  "BUILDING",
  "UPLOADING",
  "IN_PROGRESS",
]);

/**
 * Judges the rollout of a service that has what is declared. A finished state counts only if it began after the change
 * that is recorded: right after a change Northflank may still show the rollout before it.
 *
 * `wasComplete`: the rollout of this very source was complete before, so that a step of the autoscaler is not one.
 */
export function judgeRollout(options: {
  readonly service: ServiceView;
  readonly change: ChangeRecord | undefined;
  readonly wasComplete: boolean;
  /** The rollout of what is declared was seen to wait for its promotion. */
  readonly wasGradual?: boolean;
  /** Milliseconds since the time of the change. */
  readonly elapsedMs: number;
}): Rollout {
  const { service, change, wasComplete, wasGradual, elapsedMs } = options;
  if (wasComplete && service.rolloutReason === "SCALING") return { kind: "complete" };
  const isStale = !speaksAboutChange(service.rolloutTransitionTime, change, elapsedMs);
  const isBuilding = service.internal !== undefined && buildStates.has(service.buildStatus ?? "");
  if (!isStale && service.rolloutStatus === "COMPLETED") return { kind: "complete" };
  if (!isStale && service.rolloutStatus === "FAILED") return { kind: "failed" };
  return isGradual(service, wasGradual === true) ? { kind: "gradual" } : { kind: "rolling", isBuilding };
}

/**
 * Under way by a strategy. Whose rollout it is does not matter, because it is not over; once it is known to be gradual, no
 * state but an end ends that.
 */
function isGradual({ gradualRolloutStrategyId, rolloutStatus }: ServiceView, wasGradual: boolean): boolean {
  if (gradualRolloutStrategyId === undefined || rolloutStatus === undefined) return false;
  const isOver = rolloutStatus === "COMPLETED" || rolloutStatus === "FAILED";
  return rolloutStatus === "IN_PROGRESS" || (wasGradual && !isOver);
}

function speaksAboutChange(
  transition: string | undefined,
  change: ChangeRecord | undefined,
  elapsedMs: number,
): boolean {
  if (change === undefined || Number.isNaN(Date.parse(change.time))) return true;
  const isOurs = wasSent(change);
  if (!isOurs && elapsedMs >= unsentSettleMs) return true;
  const hasMoved = hasMovedSince(transition, change);
  return hasMoved ?? (!isOurs || elapsedMs >= untimedSettleMs);
}

/** The state of the rollout began after the change; `undefined` where Northflank does not tell when states began. */
export function hasMovedSince(
  transition: string | undefined,
  change: Pick<ChangeRecord, "previousTransitionTime"> | undefined,
): boolean | undefined {
  const before = change?.previousTransitionTime;
  if (transition === undefined || before === undefined) return undefined;
  return Date.parse(transition) > Date.parse(before);
}

/** How long a rollout may take, in milliseconds. */
export function rolloutTimeoutMs({ spec }: Pick<NorthflankDeployment, "spec">): number {
  return (spec.rollout?.timeoutSeconds ?? defaultTimeoutSeconds) * 1_000;
}
