import type { NorthflankJobRun } from "../../api/job-run.ts";
import { northflankJobRuns, operatorFieldManager } from "../../api/names.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isKubeError } from "../../kube/errors.ts";
import type { Account } from "../account/accounts.ts";
import { spenderOf } from "../reconcile/spender.ts";
import { finalizerPatch } from "./finalizer.ts";
import { putStart } from "./intent.ts";
import { markUpdate } from "./mark.ts";
import { type Read, reading } from "./observe.ts";
import { jobOf } from "./run-request.ts";
import type { StartRecord } from "./start-record.ts";

/** What actions are done with. */
export interface ExecuteDeps {
  readonly kube: Pick<KubeClient, "replace" | "patch" | "delete">;
  /** Puts an answer to our own write into the store. */
  readonly overlay: (object: NorthflankJobRun) => void;
}

/** Asks Northflank to abort the run. Sending it again does no harm. */
export async function abortRun(
  object: NorthflankJobRun,
  runId: string,
  account: Account,
  signal: AbortSignal,
): Promise<Read<void>> {
  const call = { class: "change", spender: spenderOf(northflankJobRuns, object), signal } as const;
  return await reading(account.api.abortRun({ ...jobOf(object), runId }, call));
}

/**
 * Replaces `status.start`, and returns the object as it was last written. A conflict leaves the record as it is: the next
 * reconcile sees what is there and does it again.
 */
export async function writeRecord(
  deps: ExecuteDeps,
  object: NorthflankJobRun,
  start: StartRecord,
  signal: AbortSignal,
): Promise<NorthflankJobRun> {
  const written = await putStart(deps, object, start, signal);
  if (written === undefined) return object;
  deps.overlay(written);
  return written;
}

/**
 * Adds or removes our finalizer, and brings the annotation up to what the status says: one request for both.
 * A conflict changes nothing: the next reconcile sees the new state.
 */
export async function changeMetadata(
  deps: ExecuteDeps,
  object: NorthflankJobRun,
  change: "add" | "remove" | undefined,
  signal: AbortSignal,
): Promise<"done" | "again"> {
  const { namespace = "", name, uid } = object.metadata;
  const finalizer = change === undefined ? undefined : finalizerPatch(object, change);
  const mark = markUpdate(object);
  if (finalizer === undefined && mark === undefined) return "done";
  const sameUid = { op: "test", path: "/metadata/uid", value: uid } as const;
  const patch = { kind: "json", body: [...(finalizer ?? [sameUid]), ...(mark ?? [])] } as const;
  try {
    const written = await deps.kube.patch<NorthflankJobRun>(
      northflankJobRuns,
      { namespace, name },
      patch,
      { fieldManager: operatorFieldManager },
      signal,
    );
    deps.overlay(written);
    return "done";
  } catch (error) {
    if (isKubeError(error, "not_found")) return "done";
    if (isKubeError(error, "conflict", "invalid")) return "again";
    throw error;
  }
}

/** Deletes the object itself (ttl): this very one, not another of the same name. */
export async function deleteSelf(deps: ExecuteDeps, object: NorthflankJobRun, signal: AbortSignal): Promise<void> {
  const { namespace = "", name, uid } = object.metadata;
  try {
    await deps.kube.delete(northflankJobRuns, { namespace, name }, uid === undefined ? {} : { uid }, signal);
  } catch (error) {
    // Gone already, or made again under the same name: either way there is nothing left of ours to delete.
    if (!isKubeError(error, "not_found", "conflict")) throw error;
  }
}
