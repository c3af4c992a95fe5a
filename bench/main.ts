import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { NorthflankSandbox } from "../sandbox/northflank/server.ts";
import { northflankDeployments } from "../src/api/names.ts";
import type { KubeObject } from "../src/kube/types.ts";
import type { Cluster } from "../test/support/cluster.ts";
import { controlPlaneCache } from "../test/support/control-plane-binaries.ts";
import { readManifests } from "../test/support/manifests.ts";
import { type Figure, missesTarget, percentile, renderFigures, type Target } from "./figures.ts";
import { findGoControl } from "./go-control.ts";
import { buildControl, inTurn, type Peer, type PeerName, peerNames, type RunningPeer } from "./peers.ts";
import { openRig, type Rig } from "./rig.ts";
import {
  allReady,
  countWrites,
  createSettled,
  createWidth,
  deployment,
  inParallel,
  until,
  watchPosts,
} from "./workload.ts";

/*
 * npm run bench [-- --short] [--rounds N] [--cluster sandbox|real] [--only changes|restart]
 *               [--peer operator|control|controller-runtime] [--against BUNDLE.js] [--settled N]
 *               [--profile FOLDER] [--node-options OPTIONS]
 *
 * Measures the operator beside two controls, in turn, and prints medians and ratios. `control` does the same calls with
 * the plain client-node informer; `controller-runtime` does the same work in Go, and is left out with a sentence where
 * it cannot be built (`bench/controller-runtime`). On a real kube-apiserver when its binaries are there, else on the
 * sandbox. CPU per change is that of a change from the watch event to Ready=True, the rollout that is followed in between
 * included.
 *
 * `--against` compares with another build of the operator instead of the controls: a `dist/northflank-operator.js` that
 * was copied elsewhere. With `--only restart` both restart in turn on one server with the same settled objects, and every
 * second round begins with the other one, so that what slows the machine down slows down both.
 *
 * `--only` and `--peer` leave out half of the work; `--settled` is how many settled objects a restart is measured with, by
 * default 10,000; `--profile` has Node write a CPU profile of every operator process
 * (read them with `tsx bench/profile.ts`); `--node-options` replaces the NODE_OPTIONS that deploy/ sets.
 */
const { values: options } = parseArgs({
  options: {
    short: { type: "boolean" },
    rounds: { type: "string" },
    cluster: { type: "string" },
    only: { type: "string" },
    peer: { type: "string" },
    against: { type: "string" },
    settled: { type: "string" },
    profile: { type: "string" },
    "node-options": { type: "string" },
  },
});
const size = options.short
  ? { rounds: 1, warmUp: 1_000, steady: 100, burst: 2_000, quietMs: 10_000 }
  : { rounds: 3, warmUp: 1_000, steady: 400, burst: 2_000, quietMs: 20_000 };
const rounds = options.rounds === undefined ? size.rounds : Number(options.rounds);
const settled = options.settled === undefined ? 10_000 : Number(options.settled);

const idleMs = 15_000;
// V8 compacts the heap a quarter of a minute after the start, once: 100 ms of CPU that belong to the start.
const settlingMs = 25_000;
// What the operating system counts in: a program that took less is not known to have taken nothing.
const cpuTickMs = 10;

const root = resolve(fileURLToPath(import.meta.url), "../..");

interface Measured {
  readonly emptyReadyMs: number;
  readonly emptyRssMb: number;
  readonly idleCpuMs: number;
  readonly latenciesMs: readonly number[];
  readonly steadyCpuMs: number;
  readonly burstPerSecond: number;
  readonly burstCpuMs: number;
  /** Requests to Northflank per change. */
  readonly burstRequests: number;
  readonly burstRssMb: number;
}

interface Restarted {
  readonly readyMs: number;
  readonly cpuMs: number;
  readonly rssMb: number;
  readonly peakRssMb: number;
  readonly kubernetesWrites: number;
  readonly remoteWrites: number;
  /** From the creation of one more object to its first condition Ready; of the program that writes one. */
  readonly firstConditionMs: number;
}

const say = (line: string) => console.log(line);
execFileSync(process.execPath, ["--import", "tsx", "scripts/build.ts"], { cwd: root, stdio: "inherit" });
const nodeFlags = options.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${resolve(options.profile)}`];
const nodeOptions = options["node-options"] ?? shippedNodeOptions();
const operator = { path: join(root, "dist", "northflank-operator.js"), nodeFlags, nodeOptions };
const setUp = {
  kind: clusterKind(options.cluster),
  operator,
  against: options.against === undefined ? undefined : { ...operator, path: otherBuild(options.against) },
  control: await buildControl(),
  goControl: isAsked("controller-runtime") ? await findGoControl({ env: process.env, say }) : undefined,
};
const peers = peerNames.filter((name) => isAsked(name) && (name !== "controller-runtime" || setUp.goControl));

say(`${setUp.kind} cluster, ${rounds} round(s), Node ${process.version}, ${nodeOptions}, burst of ${size.burst}`);
const measured = new Map<PeerName, Measured[]>(peers.map((name) => [name, []]));
for (let round = 1; round <= roundsOf("changes"); round++) {
  for (const name of inTurn(peers, round)) {
    await using rig = await openRig(setUp);
    const one = await measureChanges(rig, peerOf(rig, name));
    measured.get(name)?.push(one);
    const burst = `burst ${one.burstPerSecond.toFixed(0)}/s, ${one.burstCpuMs.toFixed(2)} ms of CPU per change`;
    say(`round ${round}: ${name}, changes: ${burst}`);
  }
}

const restarted = new Map<PeerName, Restarted[]>(peers.map((name) => [name, []]));
if (roundsOf("restart") > 0) {
  await using rig = await openRig(setUp);
  say(`${settled} settled objects`);
  await createSettled(rig, names("settled", settled), await settledModel(rig));
  await meetOnce(rig.peers.operator);
  if (rig.peers.against !== undefined) await meetOnce(rig.peers.against);
  for (let round = 1; round <= roundsOf("restart"); round++) {
    for (const name of inTurn(peers, round)) {
      const one = await measureRestart(rig, peerOf(rig, name));
      restarted.get(name)?.push(one);
      const ready = `ready after ${one.readyMs.toFixed(0)} ms, ${one.rssMb.toFixed(0)} MB`;
      say(`round ${round}: ${name}, restart: ${ready}, first condition after ${one.firstConditionMs.toFixed(0)} ms`);
    }
  }
}

const figures = report();
const controls = peerNames.filter((name) => name !== "operator");
const compared = controls.filter((name) => (name === "against") === (setUp.against !== undefined));
say(`\n${renderFigures(figures, compared)}\n`);
const missed = figures.filter(missesTarget);
say(missed.length === 0 ? "no target missed" : `missed: ${missed.map(({ name }) => name).join("; ")}`);

function isAsked(name: PeerName): boolean {
  if (options.against !== undefined) return name === "operator" || name === "against";
  return name !== "against" && (options.peer ?? name) === name;
}

function otherBuild(path: string): string {
  if (options.peer !== undefined) throw new Error("--against compares two builds: leave out --peer");
  const absolute = resolve(path);
  if (!existsSync(absolute)) throw new Error(`--against is ${path}, which does not exist`);
  if (absolute === operator.path)
    throw new Error(`--against is ${path}, which this run builds anew; copy it elsewhere`);
  return absolute;
}

function peerOf({ peers }: Rig, name: PeerName): Peer {
  const peer = peers[name];
  if (peer === undefined) throw new Error(`${name} was not built`);
  return peer;
}

/** The kind that was asked for, else a real cluster where there are binaries for one. */
function clusterKind(asked: string | undefined): Cluster["kind"] {
  if (asked === "sandbox" || asked === "real") return asked;
  if (asked !== undefined) throw new Error(`--cluster is ${asked}; expected sandbox or real`);
  const folder = process.env.KUBEBUILDER_ASSETS ?? controlPlaneCache(process.env);
  return existsSync(join(folder, "kube-apiserver")) ? "real" : "sandbox";
}

function roundsOf(part: "changes" | "restart"): number {
  return (options.only ?? part) === part ? rounds : 0;
}

/** How deploy/ has Node started: memory figures of other settings would be about another product. */
function shippedNodeOptions(): string {
  const [deployment] = readManifests(join(root, "deploy", "base", "deployment.yaml")) as readonly DeploymentManifest[];
  const [container] = deployment?.spec.template.spec.containers ?? [];
  const value = container?.env.find(({ name }) => name === "NODE_OPTIONS")?.value;
  if (value === undefined) throw new Error("deploy/base/deployment.yaml sets no NODE_OPTIONS");
  return value;
}

interface DeploymentManifest extends KubeObject {
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly ContainerManifest[] } } };
}

interface ContainerManifest {
  readonly env: readonly { readonly name: string; readonly value: string }[];
}

function names(prefix: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}

async function measureChanges(rig: Rig, peer: Peer): Promise<Measured> {
  const arrivals = watchPosts(rig.northflank);
  const running = await peer.start();
  try {
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const emptyRssMb = running.rssMb();
    await new Promise((resolve) => setTimeout(resolve, settlingMs));
    const idleCpuMs = await measureIdle(running);

    // What compiles and fills pools is in no figure: programs like these run for weeks.
    await measureBurst(rig, { running, arrivals, ids: names("warm-up", size.warmUp) });

    const steady = names("steady", size.steady);
    rig.addServices(steady);
    const cpuBefore = running.cpuMs();
    const latenciesMs = await measureLatencies(rig, steady, arrivals);
    // Wait until they are ready: their second poll counts for them, not for the burst.
    await allReady(rig.cluster.client, rig.namespace);
    const steadyCpuMs = (running.cpuMs() - cpuBefore) / size.steady;

    const burst = await measureBurst(rig, { running, arrivals, ids: names("burst", size.burst) });
    return {
      emptyReadyMs: running.readyMs,
      emptyRssMb,
      idleCpuMs,
      latenciesMs,
      steadyCpuMs,
      burstPerSecond: burst.perSecond,
      burstCpuMs: burst.cpuMs,
      burstRequests: burst.requests,
      burstRssMb: running.rssMb(),
    };
  } finally {
    await running.stop();
  }
}

/** The CPU of a program that has nothing to do but to keep its watches and its Lease. */
async function measureIdle(running: RunningPeer): Promise<number> {
  const before = running.cpuMs();
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  return Math.max(running.cpuMs() - before, cpuTickMs);
}

/** Creates all objects at once and waits until each is Ready: POSTs per second, and the peer's CPU for each object. */
async function measureBurst(
  { cluster, namespace, northflank, addServices }: Rig,
  work: {
    readonly running: RunningPeer;
    readonly arrivals: ReadonlyMap<string, number>;
    readonly ids: readonly string[];
  },
): Promise<{ readonly perSecond: number; readonly cpuMs: number; readonly requests: number }> {
  const { running, arrivals, ids } = work;
  addServices(ids);
  const requestsBefore = northflank.calls.length;
  const cpuBefore = running.cpuMs();
  const startedMs = performance.now();
  await inParallel(ids, createWidth, async (name) => {
    await cluster.client.create(northflankDeployments, deployment(namespace, name));
  });
  await until("the burst", 180_000, () => ids.every((name) => arrivals.has(name)));
  const lastMs = Math.max(...ids.map((name) => arrivals.get(name) ?? 0));
  await allReady(cluster.client, namespace);
  return {
    perSecond: ids.length / ((lastMs - startedMs) / 1_000),
    cpuMs: (running.cpuMs() - cpuBefore) / ids.length,
    requests: (northflank.calls.length - requestsBefore) / ids.length,
  };
}

/** Creates 20 objects a second and takes, for each, the time from sending it to the arrival of its POST. */
async function measureLatencies(
  { cluster, namespace }: Rig,
  ids: readonly string[],
  arrivals: ReadonlyMap<string, number>,
): Promise<number[]> {
  const sent = new Map<string, number>();
  const creations: Promise<unknown>[] = [];
  for (const name of ids) {
    sent.set(name, performance.now());
    creations.push(cluster.client.create(northflankDeployments, deployment(namespace, name)));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await Promise.all(creations);
  await until("the steady changes", 30_000, () => ids.every((name) => arrivals.has(name)));
  return ids.map((name) => (arrivals.get(name) ?? Number.NaN) - (sent.get(name) ?? Number.NaN));
}

/** One object that the operator itself brought to its end. */
async function settledModel(rig: Rig): Promise<KubeObject & { readonly status?: object }> {
  const { cluster, namespace } = rig;
  rig.addServices(["model"]);
  const running = await rig.peers.operator.start();
  try {
    await cluster.client.create(northflankDeployments, deployment(namespace, "model"));
    let model: ReadyObject | undefined;
    await until("settling the model", 60_000, async () => {
      model = await cluster.client.get<ReadyObject>(northflankDeployments, { namespace, name: "model" });
      return model.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
    });
    if (model === undefined) throw new Error("the model vanished");
    return model;
  } finally {
    await running.stop();
  }
}

/** Lets the operator see the settled objects once: their connection counts them in its status, which is no restart's. */
async function meetOnce(peer: Peer): Promise<void> {
  const running = await peer.start();
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  await running.stop();
}

interface ReadyObject extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

async function measureRestart(rig: Rig, peer: Peer): Promise<Restarted> {
  const { cluster, northflank } = rig;
  const writesBefore = await countWrites(cluster);
  const remoteBefore = remoteWrites(northflank);
  const running = await peer.start();
  try {
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const cpuMs = running.cpuMs();
    const rssMb = running.rssMb();
    await new Promise((resolve) => setTimeout(resolve, size.quietMs));
    const undisturbed = {
      readyMs: running.readyMs,
      cpuMs,
      rssMb,
      peakRssMb: running.peakRssMb(),
      kubernetesWrites: (await countWrites(cluster)) - writesBefore,
      remoteWrites: remoteWrites(northflank) - remoteBefore,
    };
    return { ...undisturbed, firstConditionMs: await measureFirstCondition(rig) };
  } finally {
    await running.stop();
  }
}

/** Creates one more object among the settled ones, and deletes it when it has its first condition. */
async function measureFirstCondition({ cluster, namespace, addServices }: Rig): Promise<number> {
  const name = "one-more";
  addServices([name]);
  const startedMs = performance.now();
  await cluster.client.create(northflankDeployments, deployment(namespace, name));
  const isJudged = async () => {
    const { status } = await cluster.client.get<ReadyObject>(northflankDeployments, { namespace, name });
    return status?.conditions?.some(({ type }) => type === "Ready") ?? false;
  };
  await until("the first condition", 60_000, isJudged, 5);
  const tookMs = performance.now() - startedMs;
  await cluster.client.delete(northflankDeployments, { namespace, name });
  return tookMs;
}

function remoteWrites(northflank: NorthflankSandbox): number {
  return northflank.calls.filter(({ method }) => method !== "GET").length;
}

function report(): readonly Figure[] {
  const line =
    <T>(rounds: ReadonlyMap<PeerName, readonly T[]>) =>
    (name: string, unit: string, pick: (one: T) => number, ...targets: readonly Target[]): Figure => {
      const of = (peer: PeerName) => (rounds.get(peer) ?? []).map(pick);
      const names = ["control", "controller-runtime", "against"] as const;
      const controls = Object.fromEntries(names.map((peer) => [peer, of(peer)]));
      return { name, unit, ours: of("operator"), controls, targets };
    };
  const many = `${settled.toLocaleString("en")} settled`;
  const changes = line(measured);
  const restart = line(restarted);
  const most = (value: number): Target => ({ relation: "<=", value });
  const none: Target = { relation: "==", value: 0 };
  const control = (relation: Target["relation"], value: number): Target => ({ to: "control", relation, value });
  const go = (relation: Target["relation"], value: number): Target => ({ to: "controller-runtime", relation, value });
  return [
    changes("apply to call at 20/s, p50", "ms", (one) => percentile(one.latenciesMs, 0.5)),
    changes("apply to call at 20/s, p99", "ms", (one) => percentile(one.latenciesMs, 0.99)),
    changes("burst", "changes/s", (one) => one.burstPerSecond, control(">=", 1.8), go(">=", 1)),
    changes("CPU per change, burst", "ms", (one) => one.burstCpuMs, control("<=", 0.3), go("<=", 1)),
    changes("CPU per change, 20/s", "ms", (one) => one.steadyCpuMs, go("<=", 1)),
    changes("requests to Northflank per change, burst", "", (one) => one.burstRequests),
    changes("idle CPU, 15 s without objects", "ms", (one) => one.idleCpuMs, go("<=", 3)),
    changes("RSS, empty", "MB", (one) => one.emptyRssMb, most(90)),
    changes("RSS, after the burst", "MB", (one) => one.burstRssMb),
    changes("start to ready, empty", "ms", (one) => one.emptyReadyMs, most(300)),
    restart(`start to ready, ${many}`, "ms", (one) => one.readyMs, control("<=", 1)),
    restart(`CPU to ready + 3 s, ${many}`, "ms", (one) => one.cpuMs),
    restart(`RSS, ${many}`, "MB", (one) => one.rssMb, most(120)),
    restart(`RSS at peak, ${many}`, "MB", (one) => one.peakRssMb, most(140)),
    restart("Kubernetes writes after restart", "", (one) => one.kubernetesWrites, none),
    restart("remote writes after restart", "", (one) => one.remoteWrites, none),
    restart(`first condition of one more, ${many}`, "ms", (one) => one.firstConditionMs),
  ];
}
