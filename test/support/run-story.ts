import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { createServerClock } from "../../src/kube/server-clock.ts";
import type { Clock } from "../../src/util/clock.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeNorthflank } from "./fake-northflank.ts";
import { brokenPromises, kstatusOf } from "./kstatus.ts";
import { RunCluster } from "./run-cluster.ts";
import { RunProcess, type RunWorld } from "./run-process.ts";

const startMs = Date.parse("2026-01-01T00:00:00Z");

/** One process, one cluster, one Northflank, and what is asked of them in tests. */
export class RunStory {
  /** Of the operator. */
  readonly clock = new FakeClock();
  /** Of the API server and of Northflank: neither jumps when {@link clock} does. */
  readonly outside: Clock = { ...this.clock, now: () => startMs + this.clock.monotonic() };
  readonly cluster = new RunCluster(this.outside);
  readonly northflank = accountWithJob(this.outside);
  readonly remote = this.northflank.runs;
  process: RunProcess;
  readonly #world: RunWorld;
  readonly #broken: string[] = [];
  #processes = 1;
  #judged: RunCluster["writes"][number] | undefined;

  /** `isServerHeard`: the operator's time follows the answers of the API server, as in the whole program. */
  constructor(
    given: Partial<Pick<RunWorld, "account" | "elsewhere" | "validate" | "onBoundary" | "watchLateMs">> & {
      readonly isServerHeard?: boolean;
    } = {},
  ) {
    const { isServerHeard = false, ...world } = given;
    const clock = isServerHeard ? hearing(this.clock, this.outside) : this.clock;
    this.#world = { clock, cluster: this.cluster, northflank: this.northflank, ...world };
    this.process = new RunProcess("p1", this.#world);
    this.cluster.watch(() => {
      const last = this.cluster.writes.at(-1);
      if (last?.verb === "status" && last !== this.#judged) this.#broken.push(...brokenPromises(asJudged(last.object)));
      this.#judged = last;
    });
  }

  /** Creates a run object and lets `afterMs` pass. */
  async run(spec: Partial<NorthflankJobRun["spec"]> = {}, afterMs = 0, name = "once"): Promise<void> {
    this.cluster.create(name, spec);
    await this.clock.advance(afterMs);
  }

  /** The cluster goes back to what a backup holds, and the process notices. */
  restore(backup: ReturnType<RunCluster["list"]>): void {
    this.process.restores.noticed();
    this.cluster.restore(backup);
  }

  /** SIGKILL, and a new process. */
  restart(): void {
    this.process.kill();
    this.process = new RunProcess(`p${++this.#processes}`, this.#world);
  }

  /** The process is paused, and another one leads from now on. Returns the paused one, which may be thawed later. */
  takeOver(): RunProcess {
    const before = this.beside();
    before.freeze(0);
    return before;
  }

  /** Another process leads from now on, and the one before has not noticed. Returns that one. */
  beside(): RunProcess {
    const before = this.process;
    this.process = new RunProcess(`p${++this.#processes}`, this.#world);
    return before;
  }

  object(name = "once"): NorthflankJobRun {
    const object = this.cluster.read(name);
    if (object === undefined) throw new Error(`${name} is gone`);
    return object;
  }

  status(name = "once"): NonNullable<NorthflankJobRun["status"]> {
    const { status } = this.object(name);
    if (status === undefined) throw new Error(`${name} has no status`);
    return status;
  }

  /** `True/RunSucceeded`; `undefined` for a condition that is not there. */
  condition(type: string, name = "once"): string | undefined {
    const found = this.status(name).conditions?.find((condition) => condition.type === type);
    return found === undefined ? undefined : `${found.status}/${found.reason}`;
  }

  /** Everything a reader of the status asks for, in one object. */
  summary(name = "once"): object {
    const { phase, runId } = this.status(name);
    const types = ["Ready", "Stalled", "Suspended", "Accepted", "Started", "Succeeded", "Finished"];
    const conditions = types.flatMap((type) => {
      const value = this.condition(type, name);
      return value === undefined ? [] : [[type, value] as const];
    });
    return {
      phase,
      kstatus: kstatusOf(this.object(name)),
      ...(runId === undefined ? {} : { runId }),
      ...Object.fromEntries(conditions),
    };
  }

  events(name = "once"): readonly string[] {
    return this.process.events
      .filter(({ key }) => key === `default/${name}`)
      .map(({ event }) => `${event.type} ${event.reason}`);
  }

  /** Writes to Kubernetes, by verb. */
  writes(): readonly string[] {
    return this.cluster.writes.map(({ verb }) => verb);
  }

  /** Stops, and says what was wrong: promises of kstatus that a status broke, reconciles that threw. */
  end(): readonly unknown[] {
    this.process.kill();
    return [...this.#broken, ...this.process.failures];
  }
}

/** An account with the job that the runs of tests are of. */
export function accountWithJob(clock: Clock): FakeNorthflank {
  const northflank = new FakeNorthflank(clock);
  const untold = { jobType: undefined, disabledCD: undefined, runOnSourceChange: undefined };
  const source = { image: "ghcr.io/acme/migrate:1", external: undefined, internal: undefined };
  northflank.hasJob({ id: "migrate", docker: undefined, buildpack: undefined, ...untold, ...source });
  return northflank;
}

/** A clock that has heard the API server right before it is asked. */
function hearing(local: Clock, server: Clock): Clock {
  const { clock, heard } = createServerClock(local);
  return {
    ...clock,
    now: () => {
      heard(new Date(server.now()).toUTCString());
      return clock.now();
    },
  };
}

/** A reconcile speaks about the generation that it began with: a spec that was changed meanwhile is for the next one. */
function asJudged(object: NorthflankJobRun): NorthflankJobRun {
  const generation = Math.min(object.status?.observedGeneration ?? 0, object.metadata.generation ?? 0);
  return { ...object, metadata: { ...object.metadata, generation } };
}
