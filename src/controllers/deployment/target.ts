// pure
import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import type { JobName, ServiceName } from "../../northflank/client.ts";
import type { JobSource, JobView, ProjectItem, ServiceView, SourceView } from "../../northflank/types.ts";
import { capped } from "../../runtime/conditions.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import { present } from "../../util/present.ts";
import { targetKeys } from "../target/object.ts";
import { targetUidFields } from "../target/recreated.ts";
import { sourceText } from "./desired.ts";

/** Index functions for the store of NorthflankDeployments. */
export const deploymentIndexes = {
  target: targetKeys<NorthflankDeployment>,
  /** Objects that wait for a run, by the run's key. */
  waitFor: (object: NorthflankDeployment): readonly string[] =>
    (object.spec.waitFor ?? []).map(({ jobRunRef }) => runKey(object, jobRunRef.name)),
} as const;

export function runKey({ metadata }: Pick<NorthflankDeployment, "metadata">, name: string): ObjectKey {
  return objectKey({ ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }), name });
}

/** A service or a job. */
export type TargetName = ServiceName | JobName;

/** The target of an object, by its ids. */
export function targetName({ spec }: NorthflankDeployment): TargetName {
  const { projectId, serviceId, jobId } = spec;
  return serviceId === undefined ? { projectId, jobId: jobId ?? "" } : { projectId, serviceId };
}

/**
 * A target as read, whatever it is: a job has the form of a service that has no instances, no rollout, and never stops.
 * Missing means "not returned".
 */
export interface TargetView extends Omit<ServiceView, Stop> {
  readonly kind: "service" | "job";
  /** Why the service runs nothing, in a sentence; `undefined`: it runs. */
  readonly stop: string | undefined;
  /** Of a job: `never`, `cd-promote`, `always`, or a word we do not know. */
  readonly runOnSourceChange: string | undefined;
}

/** The flags in the answer about a service that say that it runs nothing. */
type Stop = {
  [K in Exclude<keyof ServiceView, "disabledCD" | "pausedByInstances">]: true extends ServiceView[K] ? K : never;
}[Exclude<keyof ServiceView, "disabledCD" | "pausedByInstances">];

/**
 * The states in which a service runs nothing, as messages say it. Such a service keeps its source and takes another
 * one, and nothing is rolled out. A new flag in the answer does not compile until it has a row; of several the first
 * one counts.
 */
const stops: Readonly<Record<Stop, (service: Pick<ServiceView, "pausedByInstances">) => string>> = {
  servicePaused: ({ pausedByInstances }) =>
    pausedByInstances
      ? "the service has no instances (deployment.instances is 0), because it is paused in Northflank or scaled to zero"
      : "the service is paused in Northflank (servicePaused is true)",
};

/** What the last read has left in the status: stands in for what this read did not return. */
type Remembered = NorthflankDeploymentStatus["observed"];

/** A service as a target. */
export function serviceTarget(service: ServiceView, remembered: Remembered): TargetView {
  const flag = (Object.keys(stops) as Stop[]).find((name) => service[name]);
  const stop = flag && stops[flag](service);
  return { ...service, kind: "service", stop, runOnSourceChange: undefined, disabledCD: cdOf(service, remembered) };
}

/** A job as a target; `job` is missing where only the source was read. */
export function jobTarget(
  id: string,
  read: { readonly source: JobSource; readonly job: JobView | undefined },
  remembered: Remembered,
): TargetView {
  const { source, job } = read;
  return {
    ...source,
    kind: "job",
    id,
    uid: job?.uid,
    docker: job?.docker,
    buildpack: job?.buildpack,
    disabledCD: cdOf(job, remembered),
    runOnSourceChange: job === undefined ? remembered?.runOnSourceChange : job.runOnSourceChange,
    serviceType: undefined,
    stop: undefined,
    instances: undefined,
    rolloutStatus: undefined,
    rolloutReason: undefined,
    rolloutTransitionTime: undefined,
    buildStatus: undefined,
  };
}

function cdOf(view: { readonly disabledCD: boolean | undefined } | undefined, remembered: Remembered) {
  if (view?.disabledCD !== undefined) return view.disabledCD;
  const isEnabled = remembered?.continuousDeploymentEnabled;
  return isEnabled === undefined ? undefined : !isEnabled;
}

/** The source that a target has, in one line. */
export function imageText({
  image,
  external,
  internal,
}: Pick<SourceView, "image" | "external" | "internal">): string | undefined {
  if (external !== undefined) return cut(image ?? external.imagePath, 512);
  if (internal === undefined) return cut(image, 512);
  const { buildId, buildSHA, deployedSHA } = internal;
  // What a setting that moves resolves to.
  const isMoving = buildId === undefined && (buildSHA === undefined || buildSHA === "latest");
  const commit = isMoving && deployedSHA !== undefined ? ` (${deployedSHA.slice(0, 7)})` : "";
  return cut(`${sourceText({ internal: present(internal) })}${commit}`, 512);
}

/** What was seen, as status shows it, cut to what the schema of the status takes. */
export function observedFields(service: TargetView) {
  const { external, internal } = service;
  const source = present({
    kind:
      external !== undefined
        ? ("External" as const)
        : internal !== undefined
          ? ("Internal" as const)
          : ("None" as const),
    image: cut(external === undefined ? undefined : service.image, 512),
    credentials: cut(external?.credentials, 256),
    registryProvider: cut(external?.registryProvider, 128),
    id: cut(internal?.id, 256),
    branch: cut(internal?.branch, 256),
    buildSHA: cut(internal?.buildSHA, 64),
    buildId: cut(internal?.buildId, 128),
    deployedSHA: cut(internal?.deployedSHA, 64),
  });
  const observed = present({
    source,
    buildStatus: cut(service.buildStatus, 64),
    rolloutStatus: cut(service.rolloutStatus, 64),
    rolloutReason: cut(service.rolloutReason, 64),
    rolloutTransitionTime: timeText(service.rolloutTransitionTime),
    continuousDeploymentEnabled: service.disabledCD === undefined ? undefined : !service.disabledCD,
    servicePaused: service.kind === "job" ? undefined : service.stop !== undefined,
    runOnSourceChange: cut(service.runOnSourceChange, 64),
  });
  return { observed, image: imageText(service), ...targetUidFields(service.uid) };
}

function cut(text: string | undefined, maxLength: number): string | undefined {
  return text === undefined ? undefined : capped(text, maxLength);
}

/** A time as status takes it; what is no time is left out. Milliseconds stay: they distinguish two rollouts. */
export function timeText(text: string | undefined): string | undefined {
  const timeMs = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(timeMs) ? undefined : new Date(timeMs).toISOString();
}

/**
 * What the list of its project shows of a service otherwise than it was last seen, as a text to compare; `undefined`
 * where it shows the same. What the list does not return is not compared, nor what no read has returned: another read
 * would not either. `item: undefined`: the service is not there.
 */
export function changedInList(
  item: ProjectItem | undefined,
  status: NorthflankDeploymentStatus | undefined,
): string | undefined {
  if (item === undefined) return "missing";
  const { observed, targetUid } = status ?? {};
  const { disabledCD } = item;
  const isUidKnown = targetUid !== undefined;
  const isCDKnown = disabledCD !== undefined && observed?.continuousDeploymentEnabled !== undefined;
  const listed = present({
    targetUid: isUidKnown ? item.uid : undefined,
    rolloutStatus: cut(item.rolloutStatus, 64),
    rolloutTransitionTime: timeText(item.rolloutTransitionTime),
    continuousDeploymentEnabled: isCDKnown ? !disabledCD : undefined,
  });
  const seen: Readonly<Record<string, unknown>> = { ...observed, targetUid };
  const isSame = Object.entries(listed).every(([name, value]) => seen[name] === value);
  return isSame ? undefined : JSON.stringify(listed);
}
