// pure
import type { KubeError, KubeErrorCode } from "../../kube/errors.ts";

const remedies: Partial<Readonly<Record<KubeErrorCode, string>>> = {
  unauthorized: "Check the credentials of the kubeconfig, and --context",
  not_found: "Install the CustomResourceDefinitions of the operator, or check --context",
  unavailable: "Check --context and the network",
  timeout: "Run it again",
  throttled: "Run it again later",
  conflict: "Run it again",
};

/** An error of the Kubernetes API as a sentence, with what to do where that is known. `forbidden`: about a permission. */
export function explained({ code, message }: KubeError, forbidden = "docs/verbs.md has a Role for each verb"): string {
  const remedy = code === "forbidden" ? forbidden : remedies[code];
  const said = message.replace(/\.$/, "");
  return remedy === undefined ? said : `${said}. ${remedy}`;
}
