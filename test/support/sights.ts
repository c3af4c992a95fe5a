import type { Observation as DeploymentObservation } from "../../src/controllers/deployment/observation.ts";
import { jobTarget, serviceTarget } from "../../src/controllers/deployment/target.ts";
import type { Observation as JobObservation } from "../../src/controllers/job/observation.ts";
import type { JobSettingsView } from "../../src/northflank/types.ts";
import { job, service } from "./builders.ts";
import { type DeploymentLife, type JobLife, nextResyncMs } from "./lives.ts";

type Seen<O> = Partial<Extract<O, { readonly kind: "seen" }>>;

/** The service of a deployment was read; it runs `ghcr.io/acme/api:1` unless the test says otherwise. */
export function serviceSeen(
  { desire, object }: DeploymentLife,
  view: Parameters<typeof service>[0] = {},
  more: Seen<DeploymentObservation> = {},
): DeploymentObservation {
  const target = serviceTarget(service(view), object.status?.observed);
  return { kind: "seen", desire, service: target, dependencies: [], nextResyncMs, ...more };
}

/** The job whose source a deployment sets was read. */
export function jobTargetSeen(
  { desire, object }: DeploymentLife,
  view: Parameters<typeof job>[0] = {},
): DeploymentObservation {
  const target = jobTarget("etl", { source: job(view), job: job(view) }, object.status?.observed);
  return { kind: "seen", desire, service: target, dependencies: [], nextResyncMs };
}

/** The settings of a job were read: as far as Northflank tells them. */
export function settingsSeen(
  { desire }: JobLife,
  settings: JobSettingsView["settings"],
  view: Partial<JobSettingsView> = {},
): JobObservation {
  return { kind: "seen", desire, view: { jobType: "manual", settings, ...view }, nextResyncMs };
}
