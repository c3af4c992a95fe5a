// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";
import { runFinalizer } from "../../api/names.ts";
import { addFinalizer, hasFinalizer, type PatchOperation, removeFinalizer } from "../../runtime/finalizers.ts";
import type { RunState } from "./machine.ts";
import { isFromAnnotation } from "./start-record.ts";

/**
 * What is to be done about our finalizer: it is there while `deletionPolicy: Abort` has a run to abort, or a start whose
 * outcome is open, and at no other time. It cannot be added to what is being deleted.
 */
export function finalizerChange(object: NorthflankJobRun, state: RunState): "add" | "remove" | undefined {
  // What an annotation stands for is not aborted, so nothing has to wait for it.
  const start = object.status?.start;
  const isOurs = start === undefined || !isFromAnnotation(start);
  const isWanted = object.spec.deletionPolicy === "Abort" && isOurs && holding[state];
  if (isWanted === hasFinalizer(object.metadata, runFinalizer)) return undefined;
  if (!isWanted) return "remove";
  return object.metadata.deletionTimestamp === undefined ? "add" : undefined;
}

const holding: Readonly<Record<RunState, boolean>> = {
  idle: false,
  marked: false,
  rejected: false,
  unresolved: true,
  unknown: true,
  active: true,
  adopted: false,
  between: false,
  finished: false,
};

/** The JSON patch for it; `undefined` where there is nothing to change any more. */
export function finalizerPatch(
  { metadata }: NorthflankJobRun,
  change: "add" | "remove",
): readonly PatchOperation[] | undefined {
  return change === "add" ? addFinalizer(metadata, runFinalizer) : removeFinalizer(metadata, runFinalizer);
}
