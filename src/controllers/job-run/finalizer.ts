// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";
import { runFinalizer } from "../../api/names.ts";
import { hasFinalizer, type RunState } from "./machine.ts";

/**
 * What is to be done about our finalizer: it is there while `deletionPolicy: Abort` has a run to abort, or a start whose
 * outcome is open, and at no other time. It cannot be added to what is being deleted.
 */
export function finalizerChange(object: NorthflankJobRun, state: RunState): "add" | "remove" | undefined {
  const isWanted = object.spec.deletionPolicy === "Abort" && holding[state];
  if (isWanted === hasFinalizer(object)) return undefined;
  if (!isWanted) return "remove";
  return object.metadata.deletionTimestamp === undefined ? "add" : undefined;
}

const holding: Readonly<Record<RunState, boolean>> = {
  idle: false,
  rejected: false,
  unresolved: true,
  unknown: true,
  active: true,
  between: false,
  finished: false,
};

/**
 * A JSON patch for the object as it was read. Its tests make it fail, and change nothing, when the object is another one
 * of the same name or when the list of finalizers has changed since.
 */
export function finalizerPatch(object: NorthflankJobRun, change: "add" | "remove"): readonly object[] {
  const { uid, finalizers = [] } = object.metadata;
  const sameObject = { op: "test", path: "/metadata/uid", value: uid };
  if (change === "remove") {
    const path = `/metadata/finalizers/${finalizers.indexOf(runFinalizer)}`;
    return [sameObject, { op: "test", path, value: runFinalizer }, { op: "remove", path }];
  }
  if (finalizers.length > 0) {
    const sameList = { op: "test", path: "/metadata/finalizers", value: finalizers };
    return [sameObject, sameList, { op: "add", path: "/metadata/finalizers/-", value: runFinalizer }];
  }
  // There is no list to test, and "add" would replace one that somebody else has just made.
  const sameVersion = { op: "test", path: "/metadata/resourceVersion", value: object.metadata.resourceVersion };
  return [sameObject, sameVersion, { op: "add", path: "/metadata/finalizers", value: [runFinalizer] }];
}
