// pure
import type { Misfits } from "../../api/misfits.ts";
import type { Condition, KubeObject } from "../../kube/types.ts";
import { findCondition } from "../../runtime/conditions.ts";
import { type ObjectKey, type Outcome, objectKey } from "../../runtime/outcome.ts";
import type { AccountRequest } from "../account/accounts.ts";
import type { FailureRecord } from "../reconcile/failure.ts";
import { isSettled } from "../reconcile/ready-state.ts";

/** What the kinds that manage something at Northflank for as long as they exist have in common. */
export interface TargetObject extends KubeObject {
  readonly spec: {
    readonly projectId: string;
    readonly serviceId?: string | undefined;
    readonly jobId?: string | undefined;
    readonly connectionRef?: { readonly name: string };
    readonly managementPolicy?: string;
    readonly suspend?: boolean;
    readonly resyncPeriodSeconds?: number;
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly conditions?: readonly Condition[];
    readonly nextReconcileTime?: string;
    readonly lastHandledReconcileAt?: string;
    readonly failure?: FailureRecord;
    /** What the target was seen to be, and what was last sent. Missing: it was never reached. */
    readonly observed?: object;
    readonly applied?: object;
    readonly changes?: readonly object[];
    /** See `recreated.ts`. */
    readonly targetUid?: string;
    /** See `not-kept.ts`. */
    readonly notKept?: { readonly specHash?: string; readonly parts?: readonly string[] };
  };
  readonly prunedFields?: readonly string[];
  readonly misfits?: Misfits;
}

/** Index function for the stores of such objects: by the target, before accounts are compared. */
export function targetKeys<T extends TargetObject>(object: T): readonly string[] {
  const { projectId, serviceId, jobId }: Partial<TargetObject["spec"]> = object.spec;
  // A stored spec may lack what names the target: it conflicts with no object.
  return projectId === undefined || (serviceId ?? jobId) === undefined ? [] : [targetOf(object)];
}

/** Project and target in one text: equal for objects that would manage the same thing in the same account. */
export function targetOf({ spec }: Pick<TargetObject, "spec">): string {
  return `${spec.projectId}/${spec.serviceId === undefined ? `job/${spec.jobId}` : `service/${spec.serviceId}`}`;
}

/** A store, by the index of {@link targetKeys}. */
export interface ByTarget<T> {
  byIndex(name: "target", value: string): readonly T[];
}

/** Which account an object needs. */
export function accountRequest({ metadata, spec }: TargetObject): AccountRequest {
  return {
    namespace: metadata.namespace ?? "",
    connectionName: spec.connectionRef?.name,
    projectId: spec.projectId,
  };
}

/**
 * A reconcile has accepted the spec as it is now. Such an object is enqueued most often of all, with every restart and
 * every change of its connection, so it must not cost another validation while no poll is due.
 */
export function isAccepted({ metadata, spec, status, prunedFields, misfits }: TargetObject): boolean {
  // A stricter CRD, or a newer operator, can find fault with a spec that was accepted in this very generation.
  if (prunedFields !== undefined || (misfits?.spec.length ?? 0) > 0 || spec.suspend === true) return false;
  const accepted = findCondition(status?.conditions, "Accepted");
  return accepted?.status === "True" && accepted.observedGeneration === metadata.generation;
}

/** An accepted object that is Ready: nothing is to be done before a poll is due. */
export function isAtRest(object: TargetObject): boolean {
  return isAccepted(object) && isSettled(object);
}

/** The status speaks about the spec as it is now. */
export function isAcknowledged({ metadata, status }: Pick<TargetObject, "metadata" | "status">): boolean {
  return status?.observedGeneration === metadata.generation;
}

/** A poll takes time. An object that was edited, deleted or created again since must not be acted on. */
export function hasChangedSince(
  { metadata }: TargetObject,
  store: { get(key: ObjectKey): TargetObject | undefined },
): boolean {
  const now = store.get(objectKey(metadata));
  if (now === undefined || now.metadata.uid !== metadata.uid || now.metadata.deletionTimestamp !== undefined)
    return true;
  return now.metadata.generation !== metadata.generation;
}

/** The outcome of a reconcile that had nothing to do. */
export function restUntil(object: TargetObject, dueInMs: number): Outcome {
  if (!Number.isFinite(dueInMs)) return { kind: "settled" };
  return { kind: "recheck", afterMs: dueInMs, priority: isSettled(object) ? "resync" : "follow" };
}
