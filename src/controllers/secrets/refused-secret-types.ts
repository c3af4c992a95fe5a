// pure
import type { Secret } from "../../kube/types.ts";

// Credentials of the cluster itself: whoever may write one of our objects must not be able to send them anywhere.
const refusedTypes: readonly string[] = ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];

/** The type of a Secret if nothing of it may ever leave the cluster; `undefined` when it may. */
export function refusedSecretType({ type }: Secret): string | undefined {
  return type !== undefined && refusedTypes.includes(type) ? type : undefined;
}
