import { operatorFieldManager } from "../../api/names.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isKubeError, KubeError } from "../../kube/errors.ts";
import type { Condition, KubeObject, ObjectName, ResourceType } from "../../kube/types.ts";
import { findCondition } from "../../runtime/conditions.ts";
import { objectKey } from "../../runtime/outcome.ts";
import type { Log } from "../../util/log.ts";
import { mergePatchBetween } from "../../util/merge-patch.ts";
import { withDocsAddress } from "./docs-address.ts";

/** Any object of ours. */
export interface ObjectWithStatus extends KubeObject {
  readonly status?: object;
}

/**
 * What became of a status.
 *
 * - `unchanged`: the server has it already; nothing was sent.
 * - `written`: it is stored; `object` is the server's answer, which the store shows from now on.
 * - `gone`: the object was deleted, or deleted and made again under the same name; nothing was stored.
 */
export type StatusWriteResult<T> =
  | { readonly kind: "unchanged" }
  | { readonly kind: "written"; readonly object: T }
  | { readonly kind: "gone" };

/** Writes the status of one kind. */
export interface StatusWriter<T extends ObjectWithStatus> {
  /**
   * Makes `status` the whole status of the object, but for {@link StatusWriterDeps.separateRecord}, with the address of
   * {@link StatusWriterDeps.docsUrl}. `object` is the
   * object as this reconcile knew it: its status is what the new one is compared with.
   *
   * *Guarantees*: one request, none when nothing differs, and two more for each time that another client wrote to the
   * object since it was read; never writes to another object of the same name; never writes the separate record, nor
   * beside one that this reconcile did not know of: whoever made it knows more.
   *
   * *Errors*: `KubeError` when the write failed otherwise, others were faster again and again, or one of them has
   * written such a record; the reconcile has failed then.
   */
  write(object: T, status: object, signal: AbortSignal): Promise<StatusWriteResult<T>>;
}

/**
 * Writes status as a merge patch of what differs, against exactly the resourceVersion it was compared with: then the
 * difference is right, and the end of one run is never written to another object of the same name. One
 * line in the log says that the state of an object has changed; see {@link logChange}. Conditions of all kinds are
 * written here, and only here.
 */
export function createStatusWriter<T extends ObjectWithStatus>(deps: StatusWriterDeps<T>): StatusWriter<T> {
  return {
    async write(object, decided, signal) {
      const status = withDocsAddress(decided, deps.docsUrl);
      if (conditionOf({ ...object, status }, "Stalled") !== undefined) deps.onStalled?.();
      let known: T | undefined = object;
      for (let tries = 1; known !== undefined; tries += 1) {
        const patch = mergePatchBetween(withoutRecord(deps, known.status), withoutRecord(deps, status));
        if (patch === undefined && known === object) return { kind: "unchanged" };
        const answer: T | "changed" | "gone" =
          patch === undefined ? known : await patchStatus(deps, known, patch, signal);
        if (answer === "gone") return { kind: "gone" };
        if (answer !== "changed") {
          deps.overlay(answer);
          logChange(deps, known, answer);
          logConditions(deps, known, answer);
          return { kind: "written", object: answer };
        }
        if (tries === mostTries) throw overtaken(deps.type, object, `others wrote first ${mostTries} times in a row`);
        known = await sameObject(deps, object, signal);
        if (known !== undefined && ![undefined, recordId(deps, object)].includes(recordId(deps, known))) {
          throw overtaken(deps.type, object, `another process has written status.${deps.separateRecord} meanwhile`);
        }
      }
      return { kind: "gone" };
    },
  };
}

export interface StatusWriterDeps<T> {
  readonly kube: Pick<KubeClient, "patch" | "get">;
  readonly type: ResourceType;
  /** Puts the server's answer into the store, so that the next reconcile sees its own write. */
  readonly overlay: (answer: T) => void;
  /**
   * A field of status with an `id` that is written by itself, before a call that must not be repeated; it is left as it
   * is. Default: none.
   */
  readonly separateRecord?: "start";
  /** Conditions beside Ready whose changes are logged. Default: none. */
  readonly loggedConditions?: readonly string[];
  /** Called with each status that is Stalled, whether or not it has to be written. */
  readonly onStalled?: () => void;
  /** The address of the runbook, for messages of Stalled. Default: none. */
  readonly docsUrl?: string | undefined;
  readonly log: Log;
}

// Between a read and a write lie milliseconds: a client that is faster that often writes a hundred times a second.
const mostTries = 6;

/**
 * Ready has another status or reason than before, or a Stalled object is Stalled again for another spec. A warning for
 * what stays so until a person acts. What is written without such a change, counters and times, is not logged.
 */
function logChange<T extends ObjectWithStatus>({ type, log }: StatusWriterDeps<T>, before: T, after: T): void {
  const was = conditionOf(before, "Ready");
  const is = conditionOf(after, "Ready");
  if (is === undefined) return;
  const isStalled = conditionOf(after, "Stalled")?.status === "True";
  const isOtherSpec = isStalled && was?.observedGeneration !== is.observedGeneration;
  if (was?.status === is.status && was.reason === is.reason && !isOtherSpec) return;
  const { status: ready, reason, message } = is;
  const needsPerson = isStalled || reason === "StartOutcomeUnknown";
  const facts = { kind: type.kind, object: objectKey(after.metadata), ready, reason, message };
  if (needsPerson) log.warn(facts, "object changed state");
  else log.info(facts, "object changed state");
}

function logConditions<T extends ObjectWithStatus>(deps: StatusWriterDeps<T>, before: T, after: T): void {
  const { log, type, loggedConditions = [] } = deps;
  for (const condition of loggedConditions) {
    const was = conditionOf(before, condition);
    const is = conditionOf(after, condition);
    if (is === undefined || (was?.status === is.status && was.reason === is.reason)) continue;
    const { status, reason, message } = is;
    log.info(
      { kind: type.kind, object: objectKey(after.metadata), condition, status, reason, message },
      "condition changed",
    );
  }
}

function conditionOf({ status = {} }: ObjectWithStatus, type: string): Condition | undefined {
  return findCondition((status as { readonly conditions?: readonly Condition[] }).conditions, type);
}

async function patchStatus<T extends ObjectWithStatus>(
  { kube, type }: StatusWriterDeps<T>,
  { metadata }: T,
  status: object,
  signal: AbortSignal,
): Promise<T | "changed" | "gone"> {
  const { resourceVersion } = metadata;
  const patch = { kind: "merge", body: { metadata: { resourceVersion }, status } } as const;
  const options = { subresource: "status", fieldManager: operatorFieldManager } as const;
  try {
    return await kube.patch<T>(type, nameOf(metadata), patch, options, signal);
  } catch (error) {
    if (isKubeError(error, "not_found")) return "gone";
    if (isKubeError(error, "conflict")) return "changed";
    throw error;
  }
}

/** The object as it is now; `undefined` when it is gone, or another one has its name. */
async function sameObject<T extends ObjectWithStatus>(
  { kube, type }: StatusWriterDeps<T>,
  { metadata }: T,
  signal: AbortSignal,
): Promise<T | undefined> {
  try {
    const live = await kube.get<T>(type, nameOf(metadata), signal);
    return live.metadata.uid === metadata.uid ? live : undefined;
  } catch (error) {
    if (isKubeError(error, "not_found")) return undefined;
    throw error;
  }
}

function overtaken({ plural }: ResourceType, { metadata }: ObjectWithStatus, detail: string): KubeError {
  const step = `write the status of ${plural} ${metadata.namespace ?? ""}/${metadata.name}`;
  return new KubeError({ code: "conflict", step, detail });
}

function nameOf({ namespace, name }: KubeObject["metadata"]): ObjectName {
  return namespace === undefined ? { name } : { namespace, name };
}

type WithRecord = { readonly [record in "start"]?: { readonly id?: string } };

function recordId<T>({ separateRecord }: StatusWriterDeps<T>, { status = {} }: ObjectWithStatus): string | undefined {
  return separateRecord && (status as WithRecord)[separateRecord]?.id;
}

function withoutRecord<T>({ separateRecord }: StatusWriterDeps<T>, status: object = {}): object {
  if (separateRecord === undefined) return status;
  const { [separateRecord]: _record, ...rest } = status as WithRecord;
  return rest;
}
