import type { JobName, NorthflankApi, RequestClass, ServiceName } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { JobSource, ProjectItem } from "../../northflank/types.ts";
import type { Desire } from "./desired.ts";
import { compare } from "./diff.ts";
import { jobTarget, type Remembered, serviceTarget, type TargetView } from "./target-view.ts";

/** A service or a job. */
export type TargetName = ServiceName | JobName;

/** What reading a target comes to. */
export type TargetReading =
  | { readonly kind: "read"; readonly target: TargetView }
  /** The job is there, but the deprecated route that tells its source is not. */
  | { readonly kind: "route-gone"; readonly error: NorthflankError };

interface ReadOptions {
  readonly api: NorthflankApi;
  readonly name: TargetName;
  readonly desire: Desire;
  /** Whether the decision depends on Northflank's continuous deployment. */
  readonly dependsOnCD: boolean;
  /** What the last look has left in the status. */
  readonly remembered: Remembered;
  readonly class: RequestClass;
  readonly signal: AbortSignal;
}

/**
 * Reads a target: a service with one request, and another where whether continuous deployment is on matters to a change
 * and the answer does not tell; a job with one for its source, and another for its settings where they
 * matter to this pass.
 *
 * *Errors*: `NorthflankError`; `not_found` only when the target itself is missing.
 */
export async function readTarget(options: ReadOptions): Promise<TargetReading> {
  const { name } = options;
  if ("jobId" in name) return await readJob(options, name);
  const service = await options.api.getService(name, { class: options.class, signal: options.signal });
  const isMissing = service.disabledCD === undefined && options.dependsOnCD && options.class === "change";
  const disabledCD = isMissing ? await listedCD(options, name) : service.disabledCD;
  return { kind: "read", target: serviceTarget({ ...service, disabledCD }, options.remembered) };
}

async function listedCD({ api, class: requestClass, signal }: ReadOptions, name: ServiceName) {
  const find = (items: readonly ProjectItem[]) => items.find(({ id }) => id === name.serviceId);
  const isEnough = (items: readonly ProjectItem[]) => find(items) !== undefined;
  const { items } = await api.listServices(name, { class: requestClass, signal, isEnough });
  return find(items)?.disabledCD;
}

async function readJob(options: ReadOptions, name: JobName): Promise<TargetReading> {
  const { api, remembered, signal } = options;
  const call = { class: options.class, signal };
  let source: JobSource;
  try {
    source = await api.getJobDeployment(name, call);
  } catch (error) {
    if (!isNorthflankError(error, "not_found", "wrong_method", "gone")) throw error;
    // A route that is gone and a job that is answer alike: the job is asked for by a route that is here to stay.
    await api.getJob(name, call);
    return { kind: "route-gone", error };
  }
  const bare = jobTarget(name.jobId, { source, job: undefined }, remembered);
  if (!needsSettings(options, bare)) return { kind: "read", target: bare };
  const job = await api.getJob(name, call);
  return { kind: "read", target: jobTarget(name.jobId, { source, job }, remembered) };
}

/**
 * The settings of a job tell what is started in the container, and what Northflank does when the source changes: they
 * matter where that is declared, and before a write.
 */
function needsSettings({ desire, class: requestClass }: ReadOptions, bare: TargetView): boolean {
  const { docker, buildpack } = desire.body;
  if (requestClass === "change" || docker !== undefined || buildpack !== undefined) return true;
  return compare(desire, bare).differences.length > 0;
}
