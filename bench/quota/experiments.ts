import { leastAfterSpentMs } from "./least.ts";
import {
  addDeployment,
  addRun,
  edit,
  indexes,
  isReady,
  jobOf,
  projectOf,
  serviceOf,
  settledWorld,
  until,
} from "./objects.ts";
import { latencyMs } from "./simulate.ts";
import type { Arrival, World } from "./world.ts";

/** A figure and what it has to be. */
export interface Verdict {
  readonly name: string;
  readonly value: number;
  /** How the value is shown: as a count, as milliseconds, or as a ratio. */
  readonly unit: "" | "ms" | "x";
  /** The greatest value that meets the target; missing for a figure without one. */
  readonly most?: number;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const projects = 5;
/** Whoever waits longer than this is not done. */
const longestMs = 24 * hourMs;

/** One change of a settled deployment. `idleMs`: from the edit to the arrival of the write. */
export async function oneChange(
  seed: number,
): Promise<{ readonly verdicts: readonly Verdict[]; readonly idleMs: number }> {
  const world = await worldOf(seed, { objects: 50 });
  world.start();
  await world.clock.advance(20 * minuteMs);
  const service = serviceOf(7);
  // How long its rollouts take is known from those before.
  edit(world, service, "2");
  await world.clock.advance(10 * minuteMs);
  const fromMs = world.nowMs;
  edit(world, service, "3");
  await world.clock.advance(10 * minuteMs);
  await world.stop();
  const own = world.arrivals.filter((arrival) => isOf(arrival, service) && arrival.atMs >= fromMs);
  const first = own.findIndex(({ method }) => method !== "GET");
  const idleMs = (own[first]?.atMs ?? Number.NaN) - fromMs;
  return {
    idleMs,
    verdicts: [
      { name: "one change: writes", value: own.filter(({ method }) => method !== "GET").length, unit: "", most: 1 },
      { name: "one change: own reads before the write", value: first, unit: "", most: 1 },
      { name: "one change: own reads after the write", value: own.length - first - 1, unit: "", most: 0 },
    ],
  };
}

/** Runs of one job: what one costs, and how fifty of them are followed. */
export async function runsOfOneJob(seed: number): Promise<readonly Verdict[]> {
  const one = await followed(seed, 1);
  const fifty = await followed(seed, 50);
  return [
    { name: "the first run of a job, of 10 min: requests", value: one.first, unit: "" },
    // Baseline, start, the read after the end, and one more.
    { name: "one run of 10 min: requests", value: one.all, unit: "", most: 4 },
    { name: "50 runs of one job: polls, of those of one run", value: fifty.polls / one.polls, unit: "x", most: 1 },
    { name: "50 runs of one job: requests for each", value: fifty.all / 50, unit: "" },
    ...(await withHints(seed)),
  ];
}

/** A run of which Northflank reports the end, once it is trusted to, and one after it has ceased to. */
async function withHints(seed: number): Promise<readonly Verdict[]> {
  const world = await worldOf(seed, { objects: 1, jobs: 1, runMs: 10 * minuteMs, hasHints: true });
  const job = { id: jobOf(0), projectId: projectOf(0, projects) };
  const requestsOf = async (name: string) => {
    const before = world.arrivals.filter(({ path }) => path.includes(`/jobs/${job.id}`)).length;
    addRun(world, name, job);
    await world.clock.advance(30 * minuteMs);
    return world.arrivals.filter(({ path }) => path.includes(`/jobs/${job.id}`)).length - before;
  };
  world.start();
  await world.clock.advance(minuteMs);
  for (const index of indexes(3)) await requestsOf(`before-${index}`);
  const trusted = await requestsOf("trusted");
  world.areHintsOn = false;
  const silent = await requestsOf("silent");
  const after = await requestsOf("after");
  await world.stop();
  return [
    { name: "with hints, one run of 10 min: requests", value: trusted, unit: "", most: 4 },
    { name: "hints cease, the next run: requests", value: silent, unit: "" },
    { name: "hints cease, the run after it: requests", value: after, unit: "", most: 4 },
  ];
}

/** `first`: requests of a run of a job that has not run before. `polls`: GETs from the time at which all have been started. */
async function followed(
  seed: number,
  count: number,
): Promise<{ readonly first: number; readonly all: number; readonly polls: number }> {
  const world = await worldOf(seed, { objects: 1, jobs: 1, runMs: 10 * minuteMs });
  const job = { id: jobOf(0), projectId: projectOf(0, projects) };
  const arrivals = () => world.arrivals.filter(({ path }) => path.includes(`/jobs/${job.id}`));
  world.start();
  await world.clock.advance(minuteMs);
  addRun(world, "first", job);
  await world.clock.advance(hourMs);
  const first = arrivals().length;
  for (const index of indexes(count)) addRun(world, `r-${index}`, job);
  await world.clock.advance(hourMs);
  await world.stop();
  const own = arrivals().slice(first);
  const startedMs = Math.max(...own.filter(({ method }) => method === "POST").map(({ atMs }) => atMs));
  const polls = own.filter(({ method, atMs }) => method === "GET" && atMs > startedMs).length;
  return { first, all: own.length, polls };
}

/** The quota is spent, and so many changes wait for it. */
export async function spentQuota(seed: number, waiting: number): Promise<readonly Verdict[]> {
  const world = await worldOf(seed, { objects: waiting });
  while (world.spend());
  const fromMs = world.nowMs;
  for (const index of indexes(waiting)) edit(world, serviceOf(index), "2");
  const open = new Set(indexes(waiting).map(serviceOf));
  let lastMs = Number.POSITIVE_INFINITY;
  world.onArrival = ({ method, path, status, atMs }) => {
    if (method === "GET" || status >= 300) return;
    open.delete(/\/services\/(?:deployment\/)?(s-\d+)/.exec(path)?.[1] ?? "");
    if (open.size === 0) lastMs = Math.min(lastMs, atMs - fromMs);
  };
  world.start();
  await until(world, () => open.size === 0, longestMs, minuteMs);
  await world.stop();
  const name = `quota spent, ${waiting} changes waiting`;
  return [
    { name: `${name}: 429 in the worst window`, value: worstWindow(world.arrivals), unit: "", most: 2 },
    // A read decides whether there is a write. Of each window rollouts under way and runs have a tenth.
    { name: `${name}: time, of the least with a read each`, ...ofLeast(lastMs, waiting, 2, 900), most: 1.05 },
    { name: `${name}: the same if nothing else were polled`, ...ofLeast(lastMs, waiting, 2, 1_000) },
    { name: `${name}: requests for each`, value: world.arrivals.length / waiting, unit: "" },
  ];
}

function ofLeast(ms: number, waiting: number, each: number, granted: number): Pick<Verdict, "value" | "unit"> {
  return { value: ms / leastAfterSpentMs(waiting, each, granted), unit: "x" };
}

function worstWindow(arrivals: readonly Arrival[]): number {
  const counts = new Map<number, number>();
  for (const { status, windowEndsAtMs } of arrivals) {
    if (status === 429) counts.set(windowEndsAtMs, (counts.get(windowEndsAtMs) ?? 0) + 1);
  }
  return Math.max(0, ...counts.values());
}

/** A user's change while 1,000 checks are due at once: with quota, and when the quota comes back. */
export async function behindResyncs(seed: number, idleMs: number): Promise<readonly Verdict[]> {
  const backlog = 1_000;
  const name = `a change behind ${backlog} checks`;
  const service = serviceOf(7);

  const world = await worldOf(seed, { objects: backlog });
  dueAt(world, backlog, 5 * minuteMs);
  world.start();
  await world.clock.advance(5 * minuteMs + latencyMs);
  const withQuotaMs = await writeOf(world, service);

  const spent = await worldOf(seed, { objects: backlog });
  dueAt(spent, backlog, 5 * minuteMs);
  while (spent.spend());
  const resetMs = spent.nowMs + hourMs;
  spent.start();
  await spent.clock.advance(50 * minuteMs);
  const fromMs = spent.nowMs;
  const afterResetMs = fromMs + (await writeOf(spent, service)) - resetMs;

  return [
    { name: `${name}: latency, of that of an idle operator`, value: withQuotaMs / idleMs, unit: "x", most: 2 },
    // Northflank returns the end of its window in whole seconds.
    { name: `${name}, quota spent: after the reset`, value: afterResetMs, unit: "ms", most: 1_000 },
  ];
}

/** Every object is to be checked at the same moment. */
function dueAt({ kube, clock }: World, objects: number, inMs: number): void {
  const nextReconcileTime = new Date(clock.now() + inMs).toISOString();
  for (const index of indexes(objects)) {
    const object = kube.find(`shop/${serviceOf(index)}`, "NorthflankDeployment");
    if (object !== undefined) kube.store({ ...object, status: { ...(object.status as object), nextReconcileTime } });
  }
}

/** Edits the service, and stops the operator when the write has arrived: after how many milliseconds. */
async function writeOf(world: World, service: string): Promise<number> {
  const fromMs = world.nowMs;
  let arrivedMs: number | undefined;
  world.onArrival = (arrival) => {
    if (arrival.method !== "GET" && isOf(arrival, service)) arrivedMs ??= arrival.atMs - fromMs;
  };
  edit(world, service, "2");
  await until(world, () => arrivedMs !== undefined, longestMs);
  await world.stop();
  return arrivedMs ?? Number.NaN;
}

/** What a day without any change writes: with a restart, and with every list taken anew. */
export async function nothingChanges(seed: number): Promise<readonly Verdict[]> {
  const world = await worldOf(seed, { objects: 200 });
  world.start();
  // The lists are taken anew every four hours.
  await world.clock.advance(6 * hourMs);
  await world.stop();
  world.start();
  await world.clock.advance(2 * hourMs);
  await world.stop();
  const writes = world.arrivals.filter(({ method }) => method !== "GET").length;
  return [
    { name: "8 h without a change, one restart: writes to Northflank", value: writes, unit: "", most: 0 },
    { name: "8 h without a change, one restart: writes to Kubernetes", value: world.kube.writes.length, unit: "" },
  ];
}

/** How long a new object waits for its first condition among so many settled ones. */
export async function firstVerdict(seed: number, settled: number): Promise<Verdict> {
  const world = await worldOf(seed, { objects: settled });
  world.start();
  await world.clock.advance(2 * hourMs + 25 * minuteMs);
  const fromMs = world.nowMs;
  addDeployment(world, settled, projects);
  await until(world, () => isReady(world, serviceOf(settled)), longestMs, 20);
  const value = world.nowMs - fromMs;
  await world.stop();
  return { name: `a new object among ${settled} settled: until it is Ready`, value, unit: "ms" };
}

async function worldOf(
  seed: number,
  {
    runMs = minuteMs,
    hasHints,
    ...population
  }: { readonly objects: number; readonly jobs?: number; readonly runMs?: number; readonly hasHints?: boolean },
): Promise<World> {
  return await settledWorld({ seed, latencyMs, rolloutMs: minuteMs, runMs, hasHints }, { projects, ...population });
}

function isOf({ path }: Arrival, service: string): boolean {
  return path.split(/[/?]/).includes(service);
}
