import { operatorFieldManager } from "../../api/names.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isKubeError } from "../../kube/errors.ts";
import type { KubeObject, ResourceType } from "../../kube/types.ts";
import { isSameJson } from "../../util/same-json.ts";

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

export interface StatusWriter<T extends ObjectWithStatus> {
  /**
   * Makes `status` the whole status of the object, but for `status.start`, which is written by the start protocol alone
   * and is left as it is. `object` is the object as this pass knew it: its status is what the new one is compared with.
   *
   * *Guarantees*: at most one request; none when nothing differs; never writes to another object of the same name; the
   * status never contains `start`.
   *
   * *Errors*: `KubeError` when the write failed otherwise; the caller's pass failed then.
   */
  write(object: T, status: object, signal: AbortSignal): Promise<StatusWriteResult<T>>;
}

/**
 * Writes status by server-side apply, so that fields which a pass no longer states are removed and nobody else's are
 * touched. `overlay` puts the server's answer into the store, so that the next pass sees its own write.
 */
export function createStatusWriter<T extends ObjectWithStatus>(deps: {
  readonly kube: Pick<KubeClient, "apply">;
  readonly type: ResourceType;
  readonly overlay: (answer: T) => void;
}): StatusWriter<T> {
  return {
    async write(object, status, signal) {
      const wanted = withoutStart(status);
      if (isSameJson(withoutStart(object.status ?? {}), wanted)) return { kind: "unchanged" };
      try {
        const answer = await deps.kube.apply<T>(
          deps.type,
          applyBody(object, wanted),
          { subresource: "status", fieldManager: operatorFieldManager, force: true },
          signal,
        );
        deps.overlay(answer);
        return { kind: "written", object: answer };
      } catch (error) {
        // 404: deleted. 409: under `force` only the uid can disagree, so it is another object of the same name.
        if (isKubeError(error, "not_found", "conflict")) return { kind: "gone" };
        throw error;
      }
    },
  };
}

function applyBody(object: ObjectWithStatus, status: object): KubeObject & { readonly status: object } {
  const { name, namespace, uid } = object.metadata;
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
  };
  return { apiVersion: object.apiVersion, kind: object.kind, metadata, status };
}

function withoutStart(status: object): object {
  const { start: _start, ...rest } = status as { readonly start?: unknown };
  return rest;
}
