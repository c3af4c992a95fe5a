/**
 * How urgent a key is. `change`: somebody waits for it (a new spec, a deletion, a request). `follow`: a run or rollout
 * in flight. `resync`: routine looks and the initial list. Waiting raises a key class by class, so that none starves.
 */
export type Priority = "change" | "follow" | "resync";

/**
 * What a pass wants next. A poll interval and an error back-off are different things and never share a case.
 *
 * - `settled`: nothing until something changes.
 * - `recheck`: come back after `afterMs`, whatever happens; forgets earlier failures.
 * - `retry`: the pass failed; come back after the key's own back-off, and not before `notBeforeMs` from now if given.
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

/** Why something failed, in words that people can act on. */
export interface Explanation {
  readonly text: string;
  /** Whoever explains it has logged it: nobody else needs to. */
  readonly isLogged: boolean;
}

/** Why a reconcile failed, where that is known and said in the message: logs show it without a stack. */
export class ReconcileError extends Error {
  override readonly name = "ReconcileError";
}
