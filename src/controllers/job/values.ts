import type { NorthflankJobSpec } from "../../api/job.ts";
import type { KubeClient } from "../../kube/client.ts";
import { type ReferencingSpec, type ResolvedReferences, resolveReferences } from "../secrets/references.ts";
import type { ResolvedValues } from "./desired.ts";

/** Values of a spec, or why one of them cannot be had. */
export type Resolution =
  | { readonly kind: "resolved"; readonly values: ResolvedValues }
  | (ResolvedReferences & { readonly kind: "blocked" });

/**
 * Literal values and those of references together. What neither declares is `undefined`: it is not managed.
 *
 * *Guarantees*: reads only what is referred to; no value reaches a verdict.
 *
 * *Errors*: `KubeError` when Kubernetes cannot be asked.
 */
export async function resolveValues(options: {
  readonly kube: Pick<KubeClient, "get">;
  readonly namespace: string;
  readonly spec: Pick<NorthflankJobSpec, "settings" | "allowReferences">;
  readonly signal: AbortSignal;
}): Promise<Resolution> {
  const { kube, namespace, spec, signal } = options;
  const { runtimeEnvironment, runtimeEnvironmentFrom, runtimeFiles, runtimeFilesFrom } = spec.settings;
  const { buildArguments, buildArgumentsFrom } = spec.settings;
  const { allowReferences } = spec;
  const resolve = (part: ReferencingSpec) => resolveReferences({ kube, namespace, spec: part, signal });
  const runs = await resolve({
    allowReferences,
    ...(runtimeEnvironment && { runtimeEnvironment }),
    ...(runtimeEnvironmentFrom && { runtimeEnvironmentFrom }),
    ...(runtimeFiles && { runtimeFiles }),
    ...(runtimeFilesFrom && { runtimeFilesFrom }),
  });
  if (runs.kind === "blocked") return runs;
  // Arguments of builds have the form and the limits of an environment.
  const builds = await resolve({
    allowReferences,
    ...(buildArguments && { runtimeEnvironment: buildArguments }),
    ...(buildArgumentsFrom && { runtimeEnvironmentFrom: buildArgumentsFrom }),
  });
  if (builds.kind === "blocked") return builds;
  const values = {
    runtimeEnvironment: declared(runtimeEnvironment, runs.environment),
    runtimeFiles: declared(runtimeFiles, runs.files),
    buildArguments: declared(buildArguments, builds.environment),
    versions: runs.versions && builds.versions && [...runs.versions, "builds", ...builds.versions],
  };
  return { kind: "resolved", values };
}

/** An empty map is declared only by somebody who wrote one: optional references that are not there declare nothing. */
function declared<T extends object>(literal: T | undefined, all: T): T | undefined {
  return literal === undefined && Object.keys(all).length === 0 ? undefined : all;
}
