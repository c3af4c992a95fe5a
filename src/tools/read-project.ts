import type { CallOptions, NorthflankApi } from "../northflank/client.ts";
import { isNorthflankError, NorthflankError } from "../northflank/errors.ts";
import { nameProblem } from "../northflank/names.ts";
import type { ItemList, ServiceView } from "../northflank/types.ts";
import { eachOf, type Patience, patiently } from "./patience.ts";

/** One thing of a project, read or not. */
export type Reading<T> =
  | { readonly kind: "read"; readonly id: string; readonly value: T }
  /** It cannot be asked for: the id is none, whatever the list says. */
  | { readonly kind: "unusable-id"; readonly id: string; readonly problem: string }
  | { readonly kind: "failed"; readonly id: string; readonly error: NorthflankError };

/** What is wanted of a project: ids, or everything. */
export interface Wanted {
  readonly projectId: string;
  readonly services: readonly string[] | "all";
}

export interface ProjectContents {
  /** In the order of their ids. */
  readonly services: readonly Reading<ServiceView>[];
  /** True when the API did not hand out the end of a list. */
  readonly isTruncated: boolean;
}

export interface ReadProjectDeps {
  readonly api: NorthflankApi;
  readonly patience: Patience;
  /** Told after each reading, and once before the first. */
  readonly onProgress: (progress: { readonly done: number; readonly total: number }) => void;
}

// Enough to hide the way to the API, few enough to leave it to others.
const atOnce = 4;

/**
 * Reads what a project has: the list, then each service by itself, because lists tell no images.
 *
 * *Guarantees*: requests for all single readings are set aside before the first of them is sent, so that a quota that is
 * too small is spent on nothing; after a rejected token nothing more is sent.
 *
 * *Errors*: `NorthflankError` when a list cannot be read or the quota is too small. What goes wrong with one service is
 * part of the result.
 */
export async function readProject(
  deps: ReadProjectDeps,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<ProjectContents> {
  const { api, patience } = deps;
  const call = { class: "observe", signal } as const;
  const { projectId } = wanted;
  const list = await idsOf(wanted.services, () =>
    patiently(patience, () => api.listServices({ projectId }, call), signal),
  );
  const reservation = setAside(api, list.ids.length, projectId);
  try {
    const reader = createReader(deps, list.ids.length, { ...call, reservation });
    const services = await eachOf(list.ids, atOnce, (id) =>
      reader("service", id, (options) => api.getService({ projectId, serviceId: id }, options)),
    );
    return { services, isTruncated: list.isTruncated };
  } finally {
    reservation.release();
  }
}

async function idsOf(
  wanted: readonly string[] | "all",
  list: () => Promise<ItemList>,
): Promise<{ readonly ids: readonly string[]; readonly isTruncated: boolean }> {
  if (wanted !== "all") return { ids: [...new Set(wanted)].sort(), isTruncated: false };
  const { items, truncated = false } = await list();
  return { ids: items.map(({ id }) => id), isTruncated: truncated };
}

function setAside(api: NorthflankApi, count: number, projectId: string) {
  const outcome = api.reserve(count, "observe");
  if (outcome.kind === "reserved") return outcome.reservation;
  const step = `read ${count} services of project ${JSON.stringify(projectId)}`;
  const detail =
    `that takes ${count} requests, more than the budget has left; name fewer of them, or come back in ` +
    `${Math.ceil(outcome.retryAfterMs / 1_000)} s`;
  throw new NorthflankError({
    code: "quota_closed",
    step,
    detail,
    retryAfterMs: outcome.retryAfterMs,
    sent: false,
  });
}

type Read = <T>(kind: "service" | "job", id: string, get: (options: CallOptions) => Promise<T>) => Promise<Reading<T>>;

function createReader({ patience, onProgress }: ReadProjectDeps, total: number, call: CallOptions): Read {
  let done = 0;
  let rejected: NorthflankError | undefined;
  onProgress({ done, total });
  const read: Read = async (kind, id, get) => {
    const problem = nameProblem(kind, id);
    if (problem !== undefined) return { kind: "unusable-id", id, problem };
    if (rejected !== undefined) return { kind: "failed", id, error: rejected };
    try {
      return { kind: "read", id, value: await patiently(patience, () => get(call), call.signal) };
    } catch (error) {
      if (!isNorthflankError(error)) throw error;
      if (error.code === "unauthorized") rejected = error;
      return { kind: "failed", id, error };
    }
  };
  return async (kind, id, get) => {
    const reading = await read(kind, id, get);
    done += 1;
    onProgress({ done, total });
    return reading;
  };
}
