import type { Remedies } from "../runtime/installation-fault.ts";
import { releaseFiles, version } from "../version.ts";

/** A build, and where its files are published; without `files` it is a checkout. */
export interface Build {
  readonly version: string;
  readonly files: string | undefined;
}

/**
 * What to do about each kind of fault. Without a period, because some end with a command. Commands have to work
 * although the image of the operator has no shell.
 */
export function installationRemedies({ version, files }: Build): Remedies {
  const crds = files === undefined ? "crds" : `${files}/crds.yaml`;
  const printed = files === undefined ? "" : ` ("npx northflank-operator@${version} crds" prints them)`;
  const applyCrds = `Apply the CRDs of version ${version}${printed}: kubectl apply --server-side -f ${crds}`;
  const applyRbac = `Apply the RBAC rules of version ${version} (deploy/base or the Helm chart)`;
  return {
    kind: applyCrds,
    schemas: applyCrds,
    right: applyRbac,
    lease: `${applyRbac}, or set --leader-elect-namespace to the namespace that they apply to`,
    leaseNamespace: "Create it, or set --leader-elect-namespace to the namespace of the operator",
    credentials: "Check the token of the service account, or the user in the kubeconfig",
    server: "Check the address of the API server, its certificate authority, DNS and network policies",
    answers: "Check proxies and load balancers between the operator and the API server",
  };
}

/** The remedies of this build. */
export const remedies: Remedies = installationRemedies({ version, files: releaseFiles });
