// pure
import type { Condition } from "../kube/types.ts";

/** A condition as a decision states it; times and generations are added by {@link mergeConditions}. */
export interface ConditionDraft {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** CamelCase word of the catalog (`src/api/reasons.ts`). */
  readonly reason: string;
  /** What was seen, what was wanted, what happens next and when. Cut at {@link maxMessageLength}. */
  readonly message: string;
}

/** Longest message that is written: our status can then never be what makes an object too large for the server. */
export const maxMessageLength = 1_024;

/**
 * The whole condition list after a reconcile: exactly the drafts, in their order. What is not drafted is gone, so that
 * no stale condition outlives its cause.
 *
 * `lastTransitionTime` moves only when `status` changes; `observedGeneration` is always that of this reconcile. `now`
 * is in milliseconds since the epoch and is written in whole seconds, as `metav1.Time` is.
 */
export function mergeConditions(options: {
  readonly previous: readonly Condition[];
  readonly drafts: readonly ConditionDraft[];
  readonly generation: number;
  readonly now: number;
}): readonly Condition[] {
  return options.drafts.map((draft) => {
    const before = options.previous.find(({ type }) => type === draft.type);
    const unchanged = before !== undefined && before.status === draft.status;
    return {
      type: draft.type,
      status: draft.status,
      reason: draft.reason,
      message: capped(draft.message, maxMessageLength),
      lastTransitionTime: unchanged ? before.lastTransitionTime : formatTime(options.now),
      observedGeneration: options.generation,
    };
  });
}

/** The condition of this type; `undefined` when the object does not have it. */
export function findCondition(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** Milliseconds since the epoch as `metav1.Time`: RFC 3339, UTC, whole seconds (cut, not rounded). */
export function formatTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

/** The text, or its first `maxLength - 1` characters and an ellipsis; never half of a surrogate pair. */
export function capped(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const cut = text.slice(0, maxLength - 1);
  const last = cut.charCodeAt(cut.length - 1);
  return `${last >= 0xd800 && last <= 0xdbff ? cut.slice(0, -1) : cut}…`;
}
