// pure
import type { Reason } from "../../api/reasons.ts";
import { type ConditionDraft, findCondition, formatTime, mergeConditions } from "../../runtime/conditions.ts";
import { overlaid } from "../../util/present.ts";
import { isSameStatus } from "../reconcile/docs-address.ts";
import {
  acceptedCondition,
  type ConditionUpdate,
  summaryConditions,
  updatedCondition,
} from "../reconcile/ready-state.ts";
import { handledRequest } from "../reconcile/reconcile-request.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { delayOf, probeAfter } from "../reconcile/requeue.ts";
import type { TargetConclusion } from "./decision.ts";
import type { TargetObject } from "./object.ts";

/**
 * The whole status after a reconcile.
 *
 * *Guarantees*: acknowledges the generation in every state, and the reconcile request once it is answered; equal to the
 * status before when nothing but the time of the next read would change, so that a resync that finds nothing writes
 * nothing. The time shown is then the one of the last write, and later reads follow in steps of the resync period.
 */
export function targetStatus<S extends NonNullable<TargetObject["status"]>>(
  object: TargetObject & { readonly status?: S },
  conclusion: TargetConclusion,
  facts: {
    /** Conditions of the kind, after the summary, Accepted and InSync. */
    readonly drafts: readonly ConditionDraft[];
    /** Status fields that follow from the spec. */
    readonly fields: Partial<S>;
    readonly now: number;
  },
): S {
  const before = overlaid(object.status ?? {}, unplanned);
  const generation = object.metadata.generation ?? 0;
  const previous = object.status?.conditions ?? [];
  const drafts = [...commonDrafts(object, conclusion), ...facts.drafts];
  const status = overlaid(before, conclusion.stated, facts.fields, {
    observedGeneration: generation,
    conditions: [...mergeConditions({ previous, drafts, generation, now: facts.now })],
    lastHandledReconcileAt: handledRequest(object, conclusion.readyState.reason),
    failure: conclusion.failure,
  });
  if (isSameStatus(before, status)) return object.status ?? (status as unknown as S);
  const delayMs = delayOf(conclusion.next) ?? Number.POSITIVE_INFINITY;
  const planned = Number.isFinite(delayMs) ? { nextReconcileTime: formatTime(facts.now + delayMs) } : {};
  // Sound: fields of the status before, of the kind's own, and those that every kind has.
  return { ...status, ...planned } as unknown as S;
}

// The time of the next poll alone is no change.
const unplanned = { nextReconcileTime: undefined };

function commonDrafts(object: TargetObject, conclusion: TargetConclusion): readonly ConditionDraft[] {
  const { readyState, next, sameDesire } = conclusion;
  const previous = object.status?.conditions;
  const generation = object.metadata.generation ?? 0;
  return [
    ...summaryConditions({
      readyState,
      next,
      previous,
      generation,
      ...(sameDesire === undefined ? {} : { sameDesire }),
    }),
    acceptedCondition(readyState, ofTargets),
    claimed("InSync", conclusion.inSync, object, conclusion),
  ];
}

/** The spec, its references and who owns the target are in order, as far as this reconcile has judged them. */
const ofTargets = {
  reasons: new Set<Reason>(["UnsupportedTarget", "TargetConflict"]),
  accepted: "The spec and its references are in order.",
};

/** A claim as it was before stays only while it is about what is declared now. */
export function claimed(
  type: string,
  now: ConditionUpdate,
  { status, metadata }: TargetObject,
  { readyState, sameDesire }: TargetConclusion,
): ConditionDraft {
  const before = findCondition(status?.conditions, type);
  const isAboutThis = sameDesire ?? before?.observedGeneration === metadata.generation;
  const unknown = { reason: readyState.reason, message: "Not known for what is declared now." };
  return updatedCondition(type, now, isAboutThis ? before : undefined, unknown);
}

/**
 * A field of status that has to be there before a call is sent was not stored by the API server: what is said, and when
 * the next check is. Nothing was sent: without the record the same would be sent again and again.
 */
export function recordNotStored(field: string) {
  const message =
    `The API server did not store status.${field}, without which the same change could be sent again and again; nothing ` +
    "was sent. Apply the CRDs of this version of the operator, and check that no webhook changes the status.";
  const reason = "StatusNotStored";
  return {
    readyState: { kind: "stalled", reason, message },
    inSync: { status: "False", reason, message },
    next: probeAfter(slowProbeMs),
  } as const;
}
