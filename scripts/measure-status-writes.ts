import { readFileSync } from "node:fs";
import type { KubeClient } from "../src/kube/client.ts";
import { createKubeClient } from "../src/kube/http-client.ts";
import { loadKubeAccess } from "../src/kube/kubeconfig.ts";
import type { KubeObject, ResourceType } from "../src/kube/types.ts";
import { systemClock } from "../src/util/clock.ts";
import { startControlPlane } from "../test/support/control-plane.ts";
import { findControlPlaneBinaries } from "../test/support/control-plane-binaries.ts";
import { readManifests, resourceTypeOf } from "../test/support/manifests.ts";

// What one status write costs a real API server, in each way that it could be written, and what happens to a field that is
// left out. The figures of docs/decisions/0001-status-by-merge-patch.md come from here:
//   npx tsx scripts/measure-status-writes.ts [rounds]

const rounds = Number(process.argv[2] ?? 5);
const objectCount = 40;
const writesPerRound = 600;
const concurrency = 8;

const type: ResourceType = {
  group: "northflank-operator.io",
  version: "v1alpha1",
  plural: "northflankjobruns",
  kind: "NorthflankJobRun",
  namespaced: true,
};
const apiVersion = "northflank-operator.io/v1alpha1";
const crd = "crds/northflank-operator.io_northflankjobruns.yaml";

interface Run extends KubeObject {
  readonly status?: Readonly<Record<string, unknown>>;
}

/** The status of a run being followed; `step` is what changes from write to write. */
function statusAt(step: number) {
  const condition = (name: string, status: string) => ({
    type: name,
    status,
    observedGeneration: 1,
    lastTransitionTime: "2026-01-01T00:00:00Z",
    reason: "Running",
    message:
      name === "Ready" ? `run r-1 of job migrate is RUNNING since ${step} s` : "run r-1 of job migrate was started",
  });
  return {
    observedGeneration: 1,
    phase: "Running",
    runId: "r-1",
    runName: "migrate-run-1",
    startTime: "2026-01-01T00:00:00Z",
    attempts: [{ number: 1, runId: "r-1", runName: "migrate-run-1", remoteStatus: "RUNNING", origin: "Started" }],
    conditions: [
      condition("Ready", "Unknown"),
      condition("Reconciling", "True"),
      condition("Accepted", "True"),
      condition("Started", "True"),
    ],
  };
}

type Write = (client: KubeClient, live: Run, step: number) => Promise<Run>;
const object = (live: Run, status: object) => ({
  apiVersion,
  kind: type.kind,
  metadata: { name: live.metadata.name, namespace: "default" },
  status,
});
const target = (live: Run) => ({ namespace: "default", name: live.metadata.name });

const ways: Readonly<Record<string, Write>> = {
  "server-side apply, whole status": (client, live, step) =>
    client.apply<Run>(type, object(live, statusAt(step)), { subresource: "status" }),
  "merge patch of the difference": (client, live, step) => {
    const { conditions } = statusAt(step);
    const body = { metadata: { uid: live.metadata.uid }, status: { conditions } };
    return client.patch<Run>(type, target(live), { kind: "merge", body }, { subresource: "status" });
  },
  "merge patch, whole status": (client, live, step) =>
    client.patch<Run>(
      type,
      target(live),
      { kind: "merge", body: { status: statusAt(step) } },
      { subresource: "status" },
    ),
  "PUT of the whole object": (client, live, step) =>
    client.replace<Run>(type, { ...live, status: statusAt(step) } as Run, { subresource: "status" }),
};

const binaries = await findControlPlaneBinaries({ env: process.env, say: (line) => console.error(line) });
await using plane = await startControlPlane({ binaries });
const access = await loadKubeAccess({ path: plane.kubeconfigPath }, { clock: systemClock });
await using client = createKubeClient({ access, clock: systemClock });
await prepare();

const results = new Map(Object.keys(ways).map((name) => [name, [] as Sample[]]));
for (let round = 0; round <= rounds; round++) {
  for (const [name, write] of rotated(Object.entries(ways), round)) {
    const sample = await measure(name, write);
    // The first round warms up caches on both sides.
    if (round > 0) results.get(name)?.push(sample);
  }
}
report();
await removedFields();

async function prepare(): Promise<void> {
  for (const definition of readManifests(crd)) await client.apply(resourceTypeOf(definition), definition, {});
  const probe = {
    ...object({ metadata: { name: "probe" } } as Run, {}),
    spec: { projectId: "shop", jobId: "migrate" },
  };
  for (let attempt = 0; ; attempt++) {
    try {
      await client.create(type, probe as Run);
      return;
    } catch (error) {
      if (attempt > 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

interface Sample {
  readonly serverMs: number;
  readonly etcdMs: number;
  readonly clientMs: number;
  readonly perSecond: number;
}

/** Writes to fresh objects of this way's own, so that no way works on the managed fields that another left behind. */
async function measure(name: string, write: Write): Promise<Sample> {
  const prefix = `${slug(name)}-${Date.now().toString(36)}`;
  const live: Run[] = [];
  for (let index = 0; index < objectCount; index++) {
    const made = { apiVersion, kind: type.kind, metadata: { name: `${prefix}-${index}`, namespace: "default" } };
    const created = await client.create<Run>(type, { ...made, spec: { projectId: "shop", jobId: "migrate" } } as Run);
    live.push(await write(client, created, 0));
  }
  const before = { ...cpu(), wallMs: performance.now(), own: process.cpuUsage() };
  let next = 0;
  const worker = async (first: number): Promise<void> => {
    // Each worker has objects of its own: a PUT must not meet a resourceVersion of another worker.
    for (let turn = 0; next < writesPerRound; turn++) {
      const index = first + concurrency * (turn % Math.floor(objectCount / concurrency));
      const current = live[index];
      if (current === undefined) throw new Error(`no object ${index}`);
      live[index] = await write(client, current, ++next);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, (_, index) => worker(index)));
  const after = { ...cpu(), wallMs: performance.now(), own: process.cpuUsage(before.own) };
  return {
    serverMs: (after.server - before.server) / next,
    etcdMs: (after.etcd - before.etcd) / next,
    clientMs: (after.own.user + after.own.system) / 1_000 / next,
    perSecond: (next * 1_000) / (after.wallMs - before.wallMs),
  };
}

/** CPU time that the two have used, in milliseconds. Linux only: ticks of 10 ms. */
function cpu(): { readonly server: number; readonly etcd: number } {
  const used = (pid: number) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  };
  return { server: used(plane.processIds.apiserver()), etcd: used(plane.processIds.etcd) };
}

function report(): void {
  const median = (values: readonly number[]) =>
    [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
  const spread = (values: readonly number[]) => `${Math.min(...values).toFixed(2)}..${Math.max(...values).toFixed(2)}`;
  console.log(`medians of ${rounds} interleaved rounds of ${writesPerRound} writes, ${concurrency} at a time`);
  console.log("| way | server CPU, ms | (range) | etcd CPU, ms | our CPU, ms | writes/s |\n|---|---|---|---|---|---|");
  for (const [name, samples] of results) {
    const of = (pick: (sample: Sample) => number) => samples.map(pick);
    const cells = [
      median(of(({ serverMs }) => serverMs)).toFixed(2),
      spread(of(({ serverMs }) => serverMs)),
      median(of(({ etcdMs }) => etcdMs)).toFixed(2),
      median(of(({ clientMs }) => clientMs)).toFixed(2),
      median(of(({ perSecond }) => perSecond)).toFixed(0),
    ];
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
}

/** A condition and a field that are not wanted any more: are they gone after the next write? */
async function removedFields(): Promise<void> {
  console.log("\nafter a write that leaves out `runName` and the condition `Reconciling`:");
  for (const name of Object.keys(ways)) {
    const made = {
      apiVersion,
      kind: type.kind,
      metadata: { name: `removed-${slug(name)}`, namespace: "default" },
    };
    const created = await client.create<Run>(type, { ...made, spec: { projectId: "shop", jobId: "migrate" } } as Run);
    const whole = await writeStatus(name, created, statusAt(1));
    const { runName: _, ...status } = statusAt(2);
    const less = { ...status, conditions: status.conditions.filter((one) => one.type !== "Reconciling") };
    const after = await writeStatus(name, whole, less);
    const conditions = (after.status?.conditions ?? []) as readonly { readonly type: string }[];
    const left = [
      ...(after.status?.runName === undefined ? [] : ["runName"]),
      ...conditions.filter((one) => one.type === "Reconciling").map((one) => one.type),
    ];
    console.log(`- ${name}: ${left.length === 0 ? "both are gone" : `${left.join(" and ")} stayed`}`);
  }
}

function writeStatus(name: string, live: Run, status: object): Promise<Run> {
  if (name.startsWith("server-side")) return client.apply<Run>(type, object(live, status), { subresource: "status" });
  if (name.startsWith("PUT")) return client.replace<Run>(type, { ...live, status } as Run, { subresource: "status" });
  return client.patch<Run>(type, target(live), { kind: "merge", body: { status } }, { subresource: "status" });
}

/** Each round starts with another one, so that none always pays for collecting the garbage of the one before. */
function rotated<T>(list: readonly T[], by: number): readonly T[] {
  return list.map((_, index) => list[(index + by) % list.length] as T);
}

function slug(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z]+/g, "-");
}
