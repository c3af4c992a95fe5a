// pure
import type { ObjectMeta } from "../kube/types.ts";

/** One operation of a JSON patch (RFC 6902). */
export type PatchOperation =
  | { readonly op: "test" | "add"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/**
 * What to do about an object's finalizer:
 *
 *                      not being deleted        being deleted
 *      without ours    `add` (or nothing)       `gone`: do nothing
 *      with ours       `keep` (or take off)     `cleanup`, then take it off
 *
 * *Assumptions*: whoever acts adds the finalizer before the first effect that would have to be undone, and takes it off
 * only after the cleanup has succeeded.
 */
export type FinalizerState = "add" | "keep" | "cleanup" | "gone";

/** Which of the four cases an object is in. */
export function finalizerState(metadata: ObjectMeta, finalizer: string): FinalizerState {
  const isOurs = hasFinalizer(metadata, finalizer);
  if (metadata.deletionTimestamp === undefined) return isOurs ? "keep" : "add";
  return isOurs ? "cleanup" : "gone";
}

/** True when the finalizer holds the object. */
export function hasFinalizer(metadata: ObjectMeta, finalizer: string): boolean {
  return metadata.finalizers?.includes(finalizer) ?? false;
}

/**
 * The JSON patch that adds a finalizer, `undefined` if it is there or the object is being deleted (the server takes no
 * new finalizers then).
 *
 * *Guarantees*: finalizers of others are never touched. The patch fails (`invalid`) instead of doing harm when the object
 * is another one of the same name, or its first finalizer has been added meanwhile: read again and decide again.
 */
export function addFinalizer(metadata: ObjectMeta, finalizer: string): readonly PatchOperation[] | undefined {
  if (finalizerState(metadata, finalizer) !== "add") return undefined;
  if (metadata.finalizers !== undefined && metadata.finalizers.length > 0) {
    return [...sameObject(metadata), { op: "add", path: "/metadata/finalizers/-", value: finalizer }];
  }
  return [
    ...sameObject(metadata),
    // A list that another client began meanwhile would be overwritten by the `add`.
    { op: "test", path: "/metadata/finalizers", value: null },
    { op: "add", path: "/metadata/finalizers", value: [finalizer] },
  ];
}

/**
 * The JSON patch that takes a finalizer off, `undefined` if it is not there.
 *
 * *Guarantees*: as {@link addFinalizer}; it fails when another finalizer has moved to the place where ours was.
 */
export function removeFinalizer(metadata: ObjectMeta, finalizer: string): readonly PatchOperation[] | undefined {
  const index = metadata.finalizers?.indexOf(finalizer) ?? -1;
  if (index < 0) return undefined;
  const path = `/metadata/finalizers/${index}`;
  return [...sameObject(metadata), { op: "test", path, value: finalizer }, { op: "remove", path }];
}

/** An object that was deleted and made again under the same name must not get a patch that was meant for the former. */
function sameObject({ uid }: ObjectMeta): readonly PatchOperation[] {
  return uid === undefined ? [] : [{ op: "test", path: "/metadata/uid", value: uid }];
}
