// pure
import { isReason } from "../../api/reasons.ts";
import type { Condition } from "../../kube/types.ts";
import { findCondition } from "../../runtime/conditions.ts";
import type { EventDraft } from "./event-draft.ts";

/** The Warning for a condition that has just become True, or True for another reason; none while it stays as it was. */
export function raisedPassage(options: {
  readonly before: readonly Condition[] | undefined;
  readonly after: readonly Condition[] | undefined;
  readonly type: string;
  /** What the operator was doing, one verb. */
  readonly action: string;
}): readonly EventDraft[] {
  const after = findCondition(options.after, options.type);
  const before = findCondition(options.before, options.type);
  if (after?.status !== "True" || !isReason(after.reason)) return [];
  if (before?.status === "True" && before.reason === after.reason) return [];
  return [{ type: "Warning", reason: after.reason, action: options.action, note: after.message }];
}

/**
 * The Event for an object that has just become Stalled, or Stalled for another reason or another spec; none while it
 * stays as it was, so that a slow probe makes no noise.
 */
export function stalledPassage(options: {
  readonly before: readonly Condition[] | undefined;
  readonly after: readonly Condition[] | undefined;
  /** Of the ready state: without when the next check is, because the Event stays when that has changed. */
  readonly message: string;
  /** What the operator was doing, one verb. */
  readonly action: string;
}): readonly EventDraft[] {
  const after = findCondition(options.after, "Stalled");
  const before = findCondition(options.before, "Stalled");
  if (after === undefined || !isReason(after.reason)) return [];
  if (before?.reason === after.reason && before.observedGeneration === after.observedGeneration) return [];
  return [{ type: "Warning", reason: after.reason, action: options.action, note: options.message }];
}
