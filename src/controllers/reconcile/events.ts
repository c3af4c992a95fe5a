// pure
import { isReason, type NormalEvent, type Reason } from "../../api/reasons.ts";
import type { Condition, KubeObject } from "../../kube/types.ts";
import { findCondition } from "../../runtime/conditions.ts";
import type { EventDraft as RecordedEvent } from "../../runtime/events.ts";

/**
 * What an Event says about the object of a reconcile: the recorder's draft, with a reason of the catalog. `note`
 * follows the rules of condition messages: no values, no bodies. `action` is one verb: `Apply`, `Observe`, `Validate`.
 */
export type EventDraft = Pick<RecordedEvent, "action" | "note"> &
  ({ readonly type: "Normal"; readonly reason: NormalEvent } | { readonly type: "Warning"; readonly reason: Reason });

/** Takes Events about an object. Best effort: it never throws and never waits; `EventRecorder` is behind it. */
export interface EventSink {
  readonly record: (regarding: KubeObject, draft: EventDraft) => void;
}

/** The conditions of an object before and after a status write. */
interface Transition {
  readonly before: readonly Condition[] | undefined;
  readonly after: readonly Condition[] | undefined;
  /** What the operator was doing, one verb. */
  readonly action: string;
}

/** The Warning for a condition that has just become True, or True for another reason; none while it stays as it was. */
export function raisedEvents(options: Transition & { readonly type: string }): readonly EventDraft[] {
  const after = findCondition(options.after, options.type);
  const before = findCondition(options.before, options.type);
  if (after?.status !== "True" || !isReason(after.reason)) return [];
  if (before?.status === "True" && before.reason === after.reason) return [];
  return [{ type: "Warning", reason: after.reason, action: options.action, note: after.message }];
}

/**
 * The Event for an object that has just become Stalled, or Stalled for another reason or another spec; none while it
 * stays as it was, so that a slow probe makes no noise. `message` is that of the ready state, without when the next
 * check is: the Event stays when that has changed.
 */
export function stalledEvents(options: Transition & { readonly message: string }): readonly EventDraft[] {
  const after = findCondition(options.after, "Stalled");
  const before = findCondition(options.before, "Stalled");
  if (after === undefined || !isReason(after.reason)) return [];
  if (before?.reason === after.reason && before.observedGeneration === after.observedGeneration) return [];
  return [{ type: "Warning", reason: after.reason, action: options.action, note: options.message }];
}
