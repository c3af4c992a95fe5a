// pure
import type { KubeObject, ResourceType } from "../../kube/types.ts";
import type { Spender } from "../../northflank/spending.ts";

/** The object for which a request is sent. */
export function spenderOf({ kind }: Pick<ResourceType, "kind">, { metadata }: Pick<KubeObject, "metadata">): Spender {
  return { kind, namespace: metadata.namespace ?? "", name: metadata.name };
}
