import type { Reason } from "../../api/reasons.ts";
import type { KubeObject } from "../../kube/types.ts";

/** What an Event will say. `note` follows the rules of condition messages: no values, no bodies. */
export interface EventDraft {
  readonly type: "Normal" | "Warning";
  readonly reason: Reason;
  /** What the operator was doing, one verb: `Apply`, `Observe`, `Validate`. */
  readonly action: string;
  readonly note: string;
}

/** Takes Events about an object. Best effort: it never throws and never waits. */
export interface EventSink {
  readonly record: (regarding: KubeObject, draft: EventDraft) => void;
}
