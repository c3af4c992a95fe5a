import type { CallOptions, NorthflankApi } from "../northflank/client.ts";
import { isNorthflankError, NorthflankError } from "../northflank/errors.ts";
import { nameProblem } from "../northflank/names.ts";
import { type QuotaWait, withQuotaWait } from "../northflank/quota-wait.ts";
import type { ItemList, JobSettingsView, ProjectItem, ServiceView } from "../northflank/types.ts";
import { mapConcurrently } from "../util/map-concurrently.ts";

/** One service or job of a project, read or not. */
export type Reading<T> =
  | { readonly kind: "read"; readonly id: string; readonly value: T }
  /** A build service: the list has all that is needed. */
  | { readonly kind: "not-needed"; readonly id: string }
  /** The list returned an id that cannot be used in a request. */
  | { readonly kind: "unusable-id"; readonly id: string; readonly problem: string }
  | { readonly kind: "failed"; readonly id: string; readonly error: NorthflankError };

/** What to read of a project: ids, or everything. */
export interface Wanted {
  readonly projectId: string;
  readonly services: readonly string[] | "all";
  readonly jobs: readonly string[] | "all";
}

export interface ProjectContents {
  /** In the order of their ids. */
  readonly services: readonly Reading<ServiceView>[];
  /** In the order of their ids. */
  readonly jobs: readonly Reading<JobSettingsView>[];
  /** True when a list could not be read to its end. */
  readonly isTruncated: boolean;
}

export interface ReadProjectDeps {
  readonly api: NorthflankApi;
  readonly quotaWait: QuotaWait;
  /** Called after each reading, and once before the first. */
  readonly onProgress: (progress: { readonly done: number; readonly total: number }) => void;
}

// Enough to hide the latency of the API, few enough to leave capacity to others.
const atOnce = 4;

/**
 * Reads what a project has: the lists, then each service and job by itself, because lists have no images or settings.
 *
 * *Guarantees*: requests for all single readings are set aside before the first of them is sent, so that a quota that is
 * too small is spent on nothing; after a rejected token nothing more is sent.
 *
 * *Errors*: `NorthflankError` when a list cannot be read or the quota is too small. What goes wrong with one service or
 * job is part of the result.
 */
export async function readProject(
  deps: ReadProjectDeps,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<ProjectContents> {
  const { api, quotaWait } = deps;
  // A user waits for it.
  const call = { class: "change", signal } as const;
  const { projectId } = wanted;
  const name = { projectId };
  const list = (get: () => Promise<ItemList>) => () => withQuotaWait(quotaWait, get, signal);
  const services = await itemsOf(
    wanted.services,
    list(() => api.listServices(name, call)),
  );
  const jobs = await itemsOf(
    wanted.jobs,
    list(() => api.listJobs(name, call)),
  );
  const total = [...services.items, ...jobs.items].filter(hasContents).length;
  const reservation = setAside(api, total, projectId);
  try {
    const read = createReader(deps, total, { ...call, reservation });
    return {
      services: await mapConcurrently(services.items, atOnce, (item) =>
        read("service", item, (options) => api.getService({ projectId, serviceId: item.id }, options)),
      ),
      jobs: await mapConcurrently(jobs.items, atOnce, (item) =>
        read("job", item, (options) => api.getJobSettings({ projectId, jobId: item.id }, options)),
      ),
      isTruncated: services.isTruncated || jobs.isTruncated,
    };
  } finally {
    reservation.release();
  }
}

async function itemsOf(
  wanted: readonly string[] | "all",
  list: () => Promise<ItemList>,
): Promise<{ readonly items: readonly ProjectItem[]; readonly isTruncated: boolean }> {
  if (wanted === "all") {
    const { items, truncated = false } = await list();
    return { items, isTruncated: truncated };
  }
  const ids = [...new Set(wanted)].sort();
  return { items: ids.map((id) => ({ id, type: undefined })), isTruncated: false };
}

/** A build service deploys nothing, and the list says so already. */
function hasContents({ type }: ProjectItem): boolean {
  return type !== "build";
}

function setAside(api: NorthflankApi, count: number, projectId: string) {
  const outcome = api.reserve(count, "change");
  if (outcome.kind === "reserved") return outcome.reservation;
  const step = `read ${count} services and jobs of project ${JSON.stringify(projectId)}`;
  const detail =
    `that takes ${count} requests, more than the budget has left; name fewer of them, or retry in ` +
    `${Math.ceil(outcome.retryAfterMs / 1_000)} s`;
  throw new NorthflankError({
    code: "quota_closed",
    step,
    detail,
    retryAfterMs: outcome.retryAfterMs,
    sent: false,
  });
}

type Read = <T>(
  kind: "service" | "job",
  item: ProjectItem,
  get: (options: CallOptions) => Promise<T>,
) => Promise<Reading<T>>;

function createReader({ quotaWait, onProgress }: ReadProjectDeps, total: number, call: CallOptions): Read {
  let done = 0;
  let rejected: NorthflankError | undefined;
  onProgress({ done, total });
  const read: Read = async (kind, { id }, get) => {
    const problem = nameProblem(kind, id);
    if (problem !== undefined) return { kind: "unusable-id", id, problem };
    if (rejected !== undefined) return { kind: "failed", id, error: rejected };
    try {
      return { kind: "read", id, value: await withQuotaWait(quotaWait, () => get(call), call.signal) };
    } catch (error) {
      if (!isNorthflankError(error)) throw error;
      if (error.code === "unauthorized") rejected = error;
      return { kind: "failed", id, error };
    }
  };
  return async (kind, item, get) => {
    if (!hasContents(item)) return { kind: "not-needed", id: item.id };
    const reading = await read(kind, item, get);
    done += 1;
    onProgress({ done, total });
    return reading;
  };
}
