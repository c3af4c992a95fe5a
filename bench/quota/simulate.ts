import { addRun, edit, imageOf, indexes, jobOf, projectOf, serviceOf, settledWorld } from "./objects.ts";
import type { Scenario } from "./scenarios.ts";
import type { Arrival, ByClass, World } from "./world.ts";

/** What a scenario came to. Times are simulated milliseconds, but for `realMs`. */
export interface Measured {
  readonly scenario: Scenario;
  readonly hours: number;
  /** Requests of the operator. */
  readonly sent: ByClass;
  /** The same by method and route, the most frequent first. */
  readonly routes: readonly (readonly [route: string, count: number])[];
  /** Requests that the ledger refused. */
  readonly deferred: ByClass;
  /** Requests that were answered with 429, by window of the quota; windows without any are not in it. */
  readonly refused: readonly number[];
  /** Requests that change something at Northflank. */
  readonly writes: number;
  /** Writes to Kubernetes. */
  readonly kubernetesWrites: number;
  /** From each edit to the arrival of its write. */
  readonly changesMs: readonly number[];
  /** Edits whose write has not arrived by the end. */
  readonly openChanges: number;
  /** From each drift to the arrival of its correction: where a list shows it, and where none does. */
  readonly drifts: { readonly moving: readonly number[]; readonly still: readonly number[] };
  /** How old drift is that was not corrected by the end. */
  readonly openDriftsMs: { readonly moving: readonly number[]; readonly still: readonly number[] };
  /** Runs that were started, and the requests that concern runs. */
  readonly runs: { readonly started: number; readonly requests: number };
  /** Of the neighbor. */
  readonly neighbor: { readonly granted: number; readonly refused: number };
  readonly notified: number;
  readonly errors: readonly string[];
  readonly realMs: number;
}

export interface SimulationOptions {
  readonly seed: number;
}

/** Longest time between a request and its answer. */
export const latencyMs = 120;

const rolloutMs = 60_000;
const hourMs = 3_600_000;
const defaultDrifts = 2;

interface Drift {
  readonly atMs: number;
  readonly kind: "moving" | "still";
}

interface Planned {
  readonly atMs: number;
  readonly happen: () => void;
}

/** Plays a scenario from its start to its end. The same seed plays the same. */
export async function simulate(scenario: Scenario, options: SimulationOptions): Promise<Measured> {
  const startedMs = performance.now();
  const { objects, projects, runs, hours = 24 } = scenario;
  const runMs = (runs?.runSeconds ?? 60) * 1_000;
  const world = await settledWorld(
    { seed: options.seed, latencyMs, rolloutMs, runMs, hasHints: scenario.hasHints },
    { objects, projects, ...(runs === undefined ? {} : { jobs: runs.jobs }) },
  );
  const play = new Play(world, scenario);
  world.onArrival = (arrival) => play.arrived(arrival);
  play.prepare();
  world.start();
  await play.run(play.plan(hours), hours);
  await world.stop();
  return { ...play.measured(), scenario, hours, realMs: performance.now() - startedMs };
}

/** A scenario under way: what is done to the world, and what became of it. */
class Play {
  readonly #world: World;
  readonly #scenario: Scenario;
  readonly #startMs: number;
  /** Tag of the image that each service is to have, where it is not the first. */
  readonly #tags = new Map<string, string>();
  readonly #changes = new Map<string, number>();
  readonly #drifts = new Map<string, Drift>();
  readonly #changesMs: number[] = [];
  readonly #driftsMs = { moving: [] as number[], still: [] as number[] };
  readonly #neighbor = { granted: 0, refused: 0 };
  #edits = 0;
  #runs = 0;
  #kubernetesWrites = 0;

  constructor(world: World, scenario: Scenario) {
    this.#world = world;
    this.#scenario = scenario;
    this.#startMs = world.nowMs;
  }

  /** What has happened before the operator starts. */
  prepare(): void {
    const { isSpentAtStart, waiting = 0 } = this.#scenario;
    if (isSpentAtStart === true) while (this.#world.spend());
    for (const index of indexes(waiting)) this.#change(serviceOf(index));
  }

  /** Everything that is to happen, in order. */
  plan(hours: number): readonly Planned[] {
    const { changesPerHour, driftsPerHour = defaultDrifts, neighbor, runs } = this.#scenario;
    const endMs = hours * hourMs;
    return [
      ...this.#atRandom(changesPerHour * hours, endMs, () => () => this.#change(this.#free())),
      ...this.#atRandom(driftsPerHour * hours, endMs, (index) => () => {
        this.#drift(this.#free(), index % 2 === 0 ? "moving" : "still");
      }),
      ...every(neighbor === undefined ? undefined : (hourMs * neighbor.burst) / neighbor.perHour, endMs, () =>
        this.#neighborSpends(neighbor?.burst ?? 0),
      ),
      ...every(runs === undefined ? undefined : runs.runSeconds * 1_000, endMs, () => this.#startRuns()),
      ...every(hourMs, endMs, () => this.#countKubernetesWrites()),
    ].sort((a, b) => a.atMs - b.atMs);
  }

  /** Lets everything happen in its time. */
  async run(plan: readonly Planned[], hours: number): Promise<void> {
    const { clock } = this.#world;
    for (const { atMs, happen } of plan) {
      await clock.advance(Math.max(0, this.#startMs + atMs - this.#world.nowMs));
      happen();
    }
    await clock.advance(Math.max(0, this.#startMs + hours * hourMs - this.#world.nowMs));
    this.#countKubernetesWrites();
  }

  /** A request has arrived at Northflank: it may be the one that a change or a drift waits for. */
  arrived({ method, path, status, atMs }: Arrival): void {
    if (method === "GET" || status >= 300) return;
    const id = /\/services\/(?:deployment\/)?(s-\d+)/.exec(path)?.[1];
    if (id === undefined || this.#imageNow(id) !== this.#imageWanted(id)) return;
    const changedMs = this.#changes.get(id);
    if (changedMs !== undefined) this.#changesMs.push(atMs - changedMs);
    this.#changes.delete(id);
    const drift = this.#drifts.get(id);
    if (drift !== undefined) this.#driftsMs[drift.kind].push(atMs - drift.atMs);
    this.#drifts.delete(id);
  }

  measured(): Omit<Measured, "scenario" | "hours" | "realMs"> {
    const { arrivals, sent, routes, deferred, notified, errors } = this.#world;
    const refused = new Map<number, number>();
    for (const { status, windowEndsAtMs } of arrivals) {
      if (status === 429) refused.set(windowEndsAtMs, (refused.get(windowEndsAtMs) ?? 0) + 1);
    }
    const ofRuns = arrivals.filter(({ path }) => path.includes("/jobs/"));
    return {
      sent: { ...sent },
      routes: [...routes].sort(([, a], [, b]) => b - a),
      deferred: { ...deferred },
      refused: [...refused.values()],
      writes: arrivals.filter(({ method }) => method !== "GET").length,
      kubernetesWrites: this.#kubernetesWrites,
      changesMs: this.#changesMs,
      openChanges: this.#changes.size,
      drifts: this.#driftsMs,
      openDriftsMs: { moving: this.#openDriftsMs("moving"), still: this.#openDriftsMs("still") },
      runs: {
        started: ofRuns.filter(({ method, status }) => method === "POST" && status < 300).length,
        requests: ofRuns.length,
      },
      neighbor: { ...this.#neighbor },
      notified,
      errors: [...errors],
    };
  }

  #openDriftsMs(kind: Drift["kind"]): readonly number[] {
    const open = [...this.#drifts.values()].filter((drift) => drift.kind === kind);
    return open.map(({ atMs }) => this.#world.nowMs - atMs);
  }

  #atRandom(count: number, endMs: number, happening: (index: number) => () => void): readonly Planned[] {
    const { random } = this.#world;
    return indexes(Math.round(count)).map((index) => ({ atMs: random() * endMs, happen: happening(index) }));
  }

  /** A service to which nothing is happening. */
  #free(): string | undefined {
    for (let tries = 0; tries < 100; tries++) {
      const id = serviceOf(Math.floor(this.#world.random() * this.#scenario.objects));
      if (!this.#changes.has(id) && !this.#drifts.has(id)) return id;
    }
    return undefined;
  }

  #change(id: string | undefined): void {
    if (id === undefined) return;
    const tag = `edit-${++this.#edits}`;
    this.#tags.set(id, tag);
    this.#changes.set(id, this.#world.nowMs);
    edit(this.#world, id, tag);
  }

  #drift(id: string | undefined, kind: Drift["kind"]): void {
    if (id === undefined) return;
    this.#drifts.set(id, { atMs: this.#world.nowMs, kind });
    this.#world.northflank.setImage(this.#projectOf(id), id, imageOf(id, `drift-${++this.#edits}`), kind === "moving");
  }

  #neighborSpends(burst: number): void {
    for (const _ of indexes(burst)) this.#neighbor[this.#world.spend() ? "granted" : "refused"] += 1;
  }

  #startRuns(): void {
    const { runs, projects } = this.#scenario;
    if (runs === undefined) return;
    for (const _ of indexes(runs.atOnce)) {
      const number = this.#runs++;
      const job = number % runs.jobs;
      addRun(this.#world, `r-${number}`, { id: jobOf(job), projectId: projectOf(job, projects) });
    }
  }

  /** Their objects are not kept: it would be gigabytes in a day. */
  #countKubernetesWrites(): void {
    const { writes } = this.#world.kube;
    this.#kubernetesWrites += writes.length;
    writes.length = 0;
  }

  #projectOf(id: string): string {
    return projectOf(Number(id.slice(2)), this.#scenario.projects);
  }

  #imageNow(id: string): string | undefined {
    return this.#world.northflank.service(this.#projectOf(id), id).image;
  }

  #imageWanted(id: string): string {
    return imageOf(id, this.#tags.get(id) ?? "1");
  }
}

/** Happens every `periodMs`, the first time at once; never without a period. */
function every(periodMs: number | undefined, endMs: number, happen: () => void): readonly Planned[] {
  if (periodMs === undefined) return [];
  return indexes(Math.ceil(endMs / periodMs)).map((index) => ({ atMs: index * periodMs, happen }));
}
