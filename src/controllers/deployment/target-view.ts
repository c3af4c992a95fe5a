// pure
import type { NorthflankDeploymentStatus } from "../../api/deployment.ts";
import type { JobSource, JobView, ServiceView } from "../../northflank/types.ts";

/**
 * A target as read, whatever it is: a job has the form of a service that has no instances, no rollout, and is never
 * paused. Missing means "not told".
 */
export interface TargetView extends ServiceView {
  readonly kind: "service" | "job";
  /** Of a job: `never`, `cd-promote`, `always`, or a word we do not know. */
  readonly runOnSourceChange: string | undefined;
}

/** What the last look has left in the status: stands in for what this look was not told. */
export type Remembered = NorthflankDeploymentStatus["observed"];

/** A service as a target. */
export function serviceTarget(service: ServiceView, remembered: Remembered): TargetView {
  return { ...service, kind: "service", runOnSourceChange: undefined, disabledCD: cdOf(service, remembered) };
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
    servicePaused: false,
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
