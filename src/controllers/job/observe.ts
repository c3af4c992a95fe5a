import type { NorthflankJob, NorthflankJobSpec } from "../../api/job.ts";
import type { KubeClient } from "../../kube/client.ts";
import { present } from "../../util/present.ts";
import { type BlockedReference, type ReferencingSpec, resolveReferences } from "../secrets/references.ts";
import { recheckSecretMs } from "../secrets/secret-tokens.ts";
import type { Ready, ObserveDeps as TargetObserveDeps, TargetRead, TargetReads } from "../target/observe.ts";
import { policyOf } from "../target/policy.ts";
import { desireOf, hasReferences, isSameSources, type ResolvedValues } from "./desired.ts";
import { isAsApplied } from "./diff.ts";
import { isSameDesire } from "./machine.ts";
import type { Observation } from "./observation.ts";

export interface ObserveDeps extends TargetObserveDeps<NorthflankJob> {
  /** For the Secrets and ConfigMaps that the spec refers to: by name, as they are now. */
  readonly kube: Pick<KubeClient, "get">;
  /** The same for what is only compared again: an answer of a moment ago will do. Missing: `kube`. */
  readonly sharedKube?: Pick<KubeClient, "get">;
}

/** What a job reads, once its preconditions hold: the values of references, and the job when that is due or they changed. */
export function jobReads(deps: ObserveDeps): TargetReads<NorthflankJob, object, Observation> {
  return {
    ...deps,
    declared: () => ({ declared: {} }),
    due: (object) => ({ isRecorded: () => !policyOf(object).records || isSameDesire(object) === true }),
    // Secrets and ConfigMaps are not watched: an object that has settled with their values reads them now and then.
    comparePeriodMs: ({ spec, status }) => {
      const isOwned = hasReferences(spec) && status?.applied !== undefined && policyOf({ spec }).records;
      return isOwned ? recheckSecretMs : undefined;
    },
    blocked: async (object, unmet, signal) => ({
      ...unmet,
      hasChangedSource: await hasChangedSource(deps, object, signal),
    }),
    open: (ready) => openJob(deps, ready),
  };
}

/** The values that are declared, and the request that reads the job where it is due or they have changed. */
async function openJob(
  deps: ObserveDeps,
  { object, account, due, nextResyncMs, signal }: Ready<NorthflankJob, object>,
): Promise<Observation | TargetRead<Observation>> {
  const { spec, metadata, status } = object;
  const isUrgent = due.kind === "read" && due.class === "change";
  const kube = isUrgent ? deps.kube : (deps.sharedKube ?? deps.kube);
  const resolution = await resolveValues({ kube, namespace: metadata.namespace ?? "", spec, signal });
  if (resolution.kind === "blocked") return resolution;
  const { values } = resolution;
  const keyedHash = (text: string) => account.api.keyedHash(text);
  const desire = desireOf({ spec, values, uid: metadata.uid, address: account.address, keyedHash });
  const isAsSent = isAsApplied(desire, status?.applied);
  if (due.kind === "rest" && isAsSent) {
    return { kind: "rest", dueInMs: Math.min(due.dueInMs, recheckSecretMs) };
  }
  return {
    class: due.kind === "rest" ? "change" : due.class,
    read: async (call) => {
      const { projectId, jobId } = spec;
      const view = await account.api.getJobSettings({ projectId, jobId }, call);
      return { kind: "seen", desire, view, nextResyncMs: nextResyncMs() };
    },
    failed: (error) => {
      const isUnsent = hasReferences(spec) && status?.applied !== undefined && !isAsSent;
      return { kind: "failed", error, hasChangedSource: isUnsent };
    },
  };
}

/**
 * Whether something that is referred to has another version than the one that was applied. It needs no account. What
 * cannot be read has changed too.
 */
async function hasChangedSource(deps: ObserveDeps, object: NorthflankJob, signal: AbortSignal): Promise<boolean> {
  const { spec, metadata, status } = object;
  if (!hasReferences(spec) || status?.applied?.sourcesId === undefined) return false;
  const kube = deps.sharedKube ?? deps.kube;
  const resolution = await resolveValues({ kube, namespace: metadata.namespace ?? "", spec, signal });
  if (resolution.kind === "blocked") return true;
  return !isSameSources(status.applied, { uid: metadata.uid, versions: resolution.values.versions });
}

// ---- values of references ----

/** Values of a spec, or why one of them cannot be had. */
export type Resolution = { readonly kind: "resolved"; readonly values: ResolvedValues } | BlockedReference;

/**
 * Literal values and those of references together. What neither declares is `undefined`: it is not managed.
 *
 * *Guarantees*: reads only what is referred to; no value reaches a ready state.
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
  const { allowReferences, settings } = spec;
  const { runtimeEnvironment, runtimeFiles, buildArguments, buildArgumentsFrom } = settings;
  const resolve = (part: ReferencingSpec) => resolveReferences({ kube, namespace, spec: part, signal });
  const runs = await resolve({ ...settings, allowReferences });
  if (runs.kind === "blocked") return runs;
  // Arguments of builds have the form and the limits of an environment.
  const ofBuilds = { runtimeEnvironment: buildArguments, runtimeEnvironmentFrom: buildArgumentsFrom, allowReferences };
  const builds = await resolve(present(ofBuilds));
  if (builds.kind === "blocked") return builds;
  const values = {
    runtimeEnvironment: declared(runtimeEnvironment, runs.environment),
    runtimeFiles: declared(runtimeFiles, runs.files),
    buildArguments: declared(buildArguments, builds.environment),
    versions: runs.versions && builds.versions && [...runs.versions, "builds", ...builds.versions],
  };
  return { kind: "resolved", values };
}

/** An empty map is declared only where the spec has one: missing optional references declare nothing. */
function declared<T extends object>(literal: T | undefined, all: T): T | undefined {
  return literal === undefined && Object.keys(all).length === 0 ? undefined : all;
}
