import type { Remedies } from "../runtime/installation-fault.ts";
import { version } from "../version.ts";

const applyCrds = `Apply the CRDs of version ${version}: northflank-operator crds | kubectl apply --server-side -f -`;
const applyRbac = `Apply the RBAC rules of version ${version} (deploy/base or the Helm chart)`;

/** What to do about a fault of the installation. Each ends without a period, because some end with a command. */
export const remedies: Remedies = {
  kind: applyCrds,
  schemas: applyCrds,
  right: applyRbac,
  lease: `${applyRbac}, or set --leader-elect-namespace to the namespace that they are for`,
  leaseNamespace: "Create it, or set --leader-elect-namespace to the namespace of the operator",
  credentials: "Check the token of the service account, or the user in the kubeconfig",
  server: "Check the address of the API server, its certificate authority, DNS and network policies",
  answers: "Check what stands between the operator and the API server",
};
