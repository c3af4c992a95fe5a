// pure
import { apiVersion, lastAppliedConfiguration, northflankJobRuns, resolveStart, startedRun } from "../../api/names.ts";
import type { KubeObject } from "../../kube/types.ts";
import { present } from "../../util/present.ts";
import { isRecord } from "../../util/records.ts";
import { textAt, valueAt } from "./fields.ts";

/** Which job a run is of. */
export interface StartedJob {
  readonly projectId: string;
  readonly jobId: string;
  /** Name of the connection; missing: the default one. */
  readonly connection?: string | undefined;
}

/** What the flags of `start` set. */
export interface StartOverrides {
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly image?: string | undefined;
  readonly command?: string | undefined;
  readonly plan?: string | undefined;
  readonly backoffLimit?: number | undefined;
  readonly startDeadlineMs?: number | undefined;
  readonly activeDeadlineMs?: number | undefined;
  readonly concurrencyPolicy?: string | undefined;
  readonly ttlMs?: number | undefined;
}

/** A run that is to be created: everything but its name. */
export interface RunDraft {
  /** The beginning of its name. */
  readonly generateName: string;
  readonly namespace?: string | undefined;
  readonly labels?: object | undefined;
  readonly annotations?: object | undefined;
  readonly spec: Readonly<Record<string, unknown>>;
}

/** The draft for a job. */
export function draftOfJob({ projectId, jobId, connection }: StartedJob, name: string): RunDraft {
  const connectionRef = connection === undefined ? undefined : { name: connection };
  return { generateName: prefixOf(name), spec: present({ connectionRef, projectId, jobId }) };
}

// What belongs to the object that a manifest was taken from, and not to the new run.
const ownAnnotations = new Set([startedRun, resolveStart, lastAppliedConfiguration]);

/** The draft that a manifest of a NorthflankJobRun makes; its name becomes the beginning of the new name. */
export function draftOfManifest(manifest: unknown): RunDraft | undefined {
  const spec = valueAt(manifest, "spec");
  const name = textAt(manifest, "metadata", "generateName") ?? textAt(manifest, "metadata", "name");
  if (textAt(manifest, "kind") !== northflankJobRuns.kind || !isRecord(spec) || name === undefined) return undefined;
  const labels = valueAt(manifest, "metadata", "labels");
  const annotations = valueAt(manifest, "metadata", "annotations");
  const kept = isRecord(annotations) ? Object.entries(annotations).filter(([key]) => !ownAnnotations.has(key)) : [];
  return {
    generateName: prefixOf(name),
    namespace: textAt(manifest, "metadata", "namespace"),
    labels: isRecord(labels) ? labels : undefined,
    annotations: kept.length > 0 ? Object.fromEntries(kept) : undefined,
    spec,
  };
}

// As the API server cuts a generateName: 63 characters with its suffix.
const longestPrefix = 58;

function prefixOf(name: string): string {
  const prefix = name
    .toLowerCase()
    .slice(0, longestPrefix)
    .replace(/[-.]+$/, "");
  return `${prefix}-`.slice(0, longestPrefix);
}

/** The draft with what the flags set; everything else stays. */
export function withOverrides(draft: RunDraft, overrides: StartOverrides): RunDraft {
  const { environment, image, command, plan, backoffLimit, concurrencyPolicy } = overrides;
  const { spec } = draft;
  const before = valueAt(spec, "deployment");
  const { internal: _, ...deployment } = isRecord(before) ? before : {};
  const external =
    image === undefined ? undefined : { external: { ...recordAt(deployment, "external"), imagePath: image } };
  const docker =
    command === undefined ? undefined : { docker: { configType: "customCommand", customCommand: command } };
  const hasDeployment = external !== undefined || docker !== undefined;
  const base = external === undefined && isRecord(before) ? before : deployment;
  const set = present({
    runtimeEnvironment:
      environment === undefined ? undefined : { ...recordAt(spec, "runtimeEnvironment"), ...environment },
    deployment: hasDeployment ? { ...base, ...external, ...docker } : undefined,
    billing: plan === undefined ? undefined : { ...recordAt(spec, "billing"), deploymentPlan: plan },
    backoffLimit,
    concurrencyPolicy,
    startDeadlineSeconds: secondsOf(overrides.startDeadlineMs),
    activeDeadlineSeconds: secondsOf(overrides.activeDeadlineMs),
    ttlSecondsAfterFinished: secondsOf(overrides.ttlMs),
  });
  return { ...draft, spec: { ...spec, ...set } };
}

function recordAt(value: unknown, key: string): object {
  const found = valueAt(value, key);
  return isRecord(found) ? found : {};
}

function secondsOf(durationMs: number | undefined): number | undefined {
  return durationMs === undefined ? undefined : Math.ceil(durationMs / 1_000);
}

// Those of the API server: no vowels, so that no word comes out.
const suffixSigns = "bcdfghjklmnpqrstvwxz2456789";
const suffixLength = 5;

/**
 * The object of a draft under a name of its own. The name is made here, as the API server makes it from `generateName`: a
 * create whose response was lost can then be repeated, and never makes a second run.
 */
export function runObject(
  draft: RunDraft,
  namespace: string,
  random: () => number,
): KubeObject & { readonly spec: object } {
  const { generateName, labels, annotations, spec } = draft;
  const signs = Array.from({ length: suffixLength }, () => suffixSigns[Math.floor(random() * suffixSigns.length)]);
  const metadata = present({ generateName, name: `${generateName}${signs.join("")}`, namespace, labels, annotations });
  return { apiVersion, kind: northflankJobRuns.kind, metadata: metadata as KubeObject["metadata"], spec };
}
