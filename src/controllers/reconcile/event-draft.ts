import type { NormalEvent, Reason } from "../../api/reasons.ts";
import type { KubeObject } from "../../kube/types.ts";
import type { EventDraft as RecordedEvent } from "../../runtime/events.ts";

/**
 * What an Event will say about the object of the pass: the recorder's draft, with a reason of the catalogue. `note`
 * follows the rules of condition messages: no values, no bodies. `action` is one verb: `Apply`, `Observe`, `Validate`.
 */
export type EventDraft = Pick<RecordedEvent, "action" | "note"> &
  ({ readonly type: "Normal"; readonly reason: NormalEvent } | { readonly type: "Warning"; readonly reason: Reason });

/** Takes Events about an object. Best effort: it never throws and never waits; `EventRecorder` is behind it. */
export interface EventSink {
  readonly record: (regarding: KubeObject, draft: EventDraft) => void;
}
