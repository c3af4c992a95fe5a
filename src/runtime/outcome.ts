/**
 * How urgent a key is. `change`: a user waits for it (a new spec, a deletion, a request). `follow`: a run or rollout
 * in flight. `resync`: periodic checks and the initial list. Waiting raises a key class by class, so that none starves.
 */
export type Priority = "change" | "follow" | "resync";

/**
 * When an object is reconciled next. A poll interval and an error back-off are different things and never share a case.
 *
 * - `settled`: nothing until something changes.
 * - `recheck`: requeue after `afterMs`, whatever happens; forgets earlier failures.
 * - `retry`: the reconcile failed; requeue after the key's own back-off, and not before `notBeforeMs` from now if
 *   given.
 */
export type Outcome =
  | { readonly kind: "settled" }
  | { readonly kind: "recheck"; readonly afterMs: number; readonly priority: Priority }
  | { readonly kind: "retry"; readonly error: Error; readonly notBeforeMs?: number };

/** `namespace/name`, or `name` for what has no namespace: identifies an object of one kind in stores and queues. */
export type ObjectKey = string;

/** The key of an object. */
export function objectKey(metadata: { readonly namespace?: string; readonly name: string }): ObjectKey {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

/** Why something failed, in words that a user can act on. */
export interface Explanation {
  readonly text: string;
  /** It is logged already: callers log at debug. */
  readonly isLogged: boolean;
}

/** A failure whose message says all there is to know: logs show it without a stack. */
export class ReconcileError extends Error {
  override readonly name = "ReconcileError";
}
