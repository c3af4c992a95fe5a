import type { NorthflankSandbox } from "../sandbox/northflank/server.ts";
import { northflankDeployments } from "../src/api/names.ts";
import type { KubeClient } from "../src/kube/client.ts";
import type { KubeObject } from "../src/kube/types.ts";
import type { Cluster } from "../test/support/cluster.ts";
import type { Rig } from "./rig.ts";

/** One object of the benchmark and the service it is about; the name says both. */
export function deployment(namespace: string, name: string): KubeObject & { readonly spec: object } {
  return {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankDeployment",
    metadata: { name, namespace, labels: { "app.kubernetes.io/part-of": "bench" } },
    spec: {
      projectId: "bench",
      serviceId: name,
      deployment: { external: { imagePath: "ghcr.io/acme/api:2.0.0" }, docker: { configType: "default" } },
    },
  };
}

/** Runs `work` for each item, at most `width` at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]();
  const lane = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

export const createWidth = 32;

/** When the POST of a service arrived at Northflank, by its id. */
export function watchPosts(northflank: NorthflankSandbox): Map<string, number> {
  const arrivals = new Map<string, number>();
  northflank.fault = (call) => {
    const [, serviceId] = /\/services\/([^/]+)\/deployment$/.exec(call.method === "POST" ? call.path : "") ?? [];
    if (serviceId !== undefined && !arrivals.has(serviceId)) arrivals.set(serviceId, call.atMs);
    return undefined;
  };
  return arrivals;
}

export async function until(
  what: string,
  limitMs: number,
  isDone: () => Promise<boolean> | boolean,
  everyMs = 50,
): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  while (!(await isDone())) {
    if (performance.now() > deadlineMs) throw new Error(`${what} took longer than ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

interface Judged extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Waits until every object is Ready: the peer has done all its work. */
export async function allReady(client: KubeClient, namespace: string): Promise<void> {
  await until("becoming ready", 120_000, async () => {
    // Asked seldom, because every list costs the server a little of what is being measured.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const { items } = await client.list<Judged>(northflankDeployments, { namespace });
    return items.every(({ status }) =>
      status?.conditions?.some((one) => one.type === "Ready" && one.status === "True"),
    );
  });
}

/** Makes objects that are already as they should be: with the status that the operator itself gave to `model`. */
export async function createSettled(
  { cluster: { client }, namespace }: Pick<Rig, "cluster" | "namespace">,
  names: readonly string[],
  model: KubeObject & { readonly status?: object },
): Promise<void> {
  // Far enough in the future that no poll is due during the measurement.
  const nextReconcileTime = `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`;
  await inParallel(names, createWidth, async (name) => {
    await client.create(northflankDeployments, deployment(namespace, name));
    const body = { status: { ...model.status, target: `service/${name}`, nextReconcileTime } };
    await client.patch(northflankDeployments, { namespace, name }, { kind: "merge", body }, { subresource: "status" });
  });
}

/**
 * Writes to objects of ours since the server started, from the metrics of the server, not from what a peer reports. The
 * sandbox counts in its log of calls.
 */
export async function countWrites(cluster: Cluster): Promise<number> {
  if (cluster.sandbox !== undefined) {
    const ours = cluster.sandbox.calls.filter(({ path }) => path.startsWith("/apis/northflank-operator.io/"));
    return ours.filter(({ method }) => method !== "GET").length;
  }
  const answer = await cluster.request("GET", "/metrics");
  if (typeof answer.body !== "string") throw new Error(`/metrics answered ${answer.status}`);
  return answer.body
    .split("\n")
    .filter((line) => line.startsWith("apiserver_request_total{"))
    .filter(
      (line) => /group="northflank-operator\.io"/.test(line) && /verb="(?:APPLY|PATCH|PUT|POST|DELETE)"/.test(line),
    )
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}
