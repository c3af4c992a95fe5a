import { operatorFieldManager } from "../../api/names.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isKubeError, KubeError } from "../../kube/errors.ts";
import type { KubeObject, ResourceType } from "../../kube/types.ts";
import { isSameJson } from "../../util/same-json.ts";

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
   * Makes `status` the whole status of the object, but for `status.start`, which is written by the start protocol alone
   * and is left as it is. `object` is the object as this pass knew it: its status is what the new one is compared with.
   *
   * *Guarantees*: one request, none when nothing differs, and two more for each time that somebody else wrote to the
   * object since this pass read it; never writes to another object of the same name; the status never contains `start`.
   *
   * *Errors*: `KubeError` when the write failed otherwise, or others were faster again and again; the caller's pass
   * failed then.
   */
  write(object: T, status: object, signal: AbortSignal): Promise<StatusWriteResult<T>>;
}

/**
 * Writes status by server-side apply, so that fields which a pass no longer states are removed and nobody else's are
 * touched. `overlay` puts the server's answer into the store, so that the next pass sees its own write.
 *
 * The server does not compare the uid of an applied status: what keeps the end of one run from being written to another
 * object of the same name is the resourceVersion.
 */
export function createStatusWriter<T extends ObjectWithStatus>(deps: StatusWriterDeps<T>): StatusWriter<T> {
  return {
    async write(object, status, signal) {
      const wanted = withoutStart(status);
      if (isSameJson(withoutStart(object.status ?? {}), wanted)) return { kind: "unchanged" };
      let known: T | undefined = object;
      for (let tries = 1; known !== undefined; tries += 1) {
        const answer = await applyStatus(deps, known, wanted, signal);
        if (answer === "gone") return { kind: "gone" };
        if (answer !== "changed") {
          deps.overlay(answer);
          return { kind: "written", object: answer };
        }
        if (tries === mostTries) throw overtaken(deps.type, object);
        known = await sameObject(deps, object, signal);
      }
      return { kind: "gone" };
    },
  };
}

interface StatusWriterDeps<T> {
  readonly kube: Pick<KubeClient, "apply" | "get">;
  readonly type: ResourceType;
  readonly overlay: (answer: T) => void;
}

// Between a read and a write lie milliseconds: somebody who is faster that often writes a hundred times a second.
const mostTries = 6;

async function applyStatus<T extends ObjectWithStatus>(
  { kube, type }: StatusWriterDeps<T>,
  object: T,
  status: object,
  signal: AbortSignal,
): Promise<T | "changed" | "gone"> {
  try {
    const options = { subresource: "status", fieldManager: operatorFieldManager, force: true } as const;
    return await kube.apply<T>(type, applyBody(object, status), options, signal);
  } catch (error) {
    if (isKubeError(error, "not_found")) return "gone";
    // Under `force` only the resourceVersion can disagree.
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
  const { namespace, name, uid } = metadata;
  try {
    const live = await kube.get<T>(type, namespace === undefined ? { name } : { namespace, name }, signal);
    return live.metadata.uid === uid ? live : undefined;
  } catch (error) {
    if (isKubeError(error, "not_found")) return undefined;
    throw error;
  }
}

function overtaken({ plural }: ResourceType, { metadata }: ObjectWithStatus): KubeError {
  const step = `write the status of ${plural} ${metadata.namespace ?? ""}/${metadata.name}`;
  return new KubeError({ code: "conflict", step, detail: `others wrote first ${mostTries} times in a row` });
}

function applyBody(object: ObjectWithStatus, status: object): KubeObject & { readonly status: object } {
  const { name, namespace, resourceVersion } = object.metadata;
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  return { apiVersion: object.apiVersion, kind: object.kind, metadata, status };
}

function withoutStart(status: object): object {
  const { start: _start, ...rest } = status as { readonly start?: unknown };
  return rest;
}
