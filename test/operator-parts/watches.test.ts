import { beforeEach, describe, expect, test } from "vitest";
import type { NorthflankConnection } from "../../src/api/connection.ts";
import type { NorthflankDeployment } from "../../src/api/deployment.ts";
import type { NorthflankJob } from "../../src/api/job.ts";
import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { deploymentIndexes } from "../../src/controllers/deployment/target.ts";
import { jobRunIndexes } from "../../src/controllers/job-run/reconciler.ts";
import { connectionKeys } from "../../src/controllers/reconcile/predicates.ts";
import { targetKeys } from "../../src/controllers/target/object.ts";
import { type Enqueuer, wireWatches } from "../../src/operator/watches.ts";
import { Store } from "../../src/runtime/store.ts";
import { connection, deployment, jobObject, metadata } from "../support/builders.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { madeConnection, madeDeployment, madeJob, tokenAccepted } from "../support/made-objects.ts";
import { runStatus } from "../support/runs-in-states.ts";

const fail = (error: unknown): never => {
  throw error;
};

function jobRun(name: string, parts: { readonly spec?: object; readonly status?: object } = {}): NorthflankJobRun {
  const spec = { projectId: "shop", jobId: "migrate", ...parts.spec };
  return {
    apiVersion: "v1alpha1",
    kind: "NorthflankJobRun",
    metadata: metadata(name),
    spec,
    ...parts,
  } as NorthflankJobRun;
}

const active = await runStatus("active");
const finished = await runStatus("finished");
const unresolved = await runStatus("unresolved");
const held = await runStatus("held back by spec.suspend");
const waiting = await runStatus("waiting for the place of another run");

let enqueued: string[];
let forgotten: string[];
let connections: Store<NorthflankConnection>;
let deployments: Store<NorthflankDeployment, "target" | "waitFor" | "connection">;
let jobs: Store<NorthflankJob, "target" | "connection">;
let jobRuns: Store<NorthflankJobRun, "job" | "open" | "waiting" | "connection">;

let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock();
  enqueued = [];
  forgotten = [];
  connections = new Store({ onListenerError: fail });
  deployments = new Store({ indexes: { ...deploymentIndexes, connection: connectionKeys }, onListenerError: fail });
  jobs = new Store({
    indexes: { target: targetKeys<NorthflankJob>, connection: connectionKeys },
    onListenerError: fail,
  });
  jobRuns = new Store({ indexes: { ...jobRunIndexes, connection: connectionKeys }, onListenerError: fail });
  const queue = (kind: string): Enqueuer => ({
    add: (key, { priority = "change", afterMs = 0 } = {}) =>
      void enqueued.push(`${kind} ${key} ${priority}${afterMs === 0 ? "" : ` in ${afterMs}`}`),
  });
  wireWatches({
    connections,
    deployments,
    jobs,
    jobRuns,
    queues: {
      connection: queue("connection"),
      deployment: queue("deployment"),
      job: queue("job"),
      jobRun: queue("run"),
    },
    forgetConnection: (key) => void forgotten.push(key),
    clock,
  });
});

/** What the change enqueues, and nothing else. */
function enqueuedBy(change: () => void): readonly string[] {
  enqueued = [];
  change();
  return [...new Set(enqueued)].sort();
}

function newer<T extends { readonly metadata: object }>(object: T, change: Partial<T> = {}, meta: object = {}): T {
  const { resourceVersion } = object.metadata as { readonly resourceVersion?: string };
  const next = String(Number(resourceVersion) + 1);
  return { ...object, ...change, metadata: { ...object.metadata, resourceVersion: next, ...meta } };
}

describe("an object", () => {
  test("is enqueued when it appears and when its spec changes", () => {
    const api = deployment();
    expect(enqueuedBy(() => deployments.apply(api))).toEqual(["deployment shop/api change"]);
    expect(enqueuedBy(() => deployments.apply(newer(api, {}, { generation: 2 })))).toEqual([
      "deployment shop/api change",
    ]);
  });

  test("is not enqueued by its own status", () => {
    deployments.apply(deployment());
    expect(enqueuedBy(() => deployments.apply(newer(madeDeployment())))).toEqual([]);
    jobs.apply(jobObject());
    expect(enqueuedBy(() => jobs.apply(newer(madeJob())))).toEqual([]);
  });

  test("is routine work at the start when it is settled, and follow-up when it is not", () => {
    expect(enqueuedBy(() => deployments.replace([madeDeployment()]))).toEqual(["deployment shop/api resync"]);
    const open = jobRun("migrate-1");
    expect(enqueuedBy(() => jobRuns.replace([open]))).toContain("run shop/migrate-1 follow");
  });

  test("that is gone enqueues its own key, so that it is forgotten", () => {
    connections.apply(connection());
    expect(enqueuedBy(() => connections.remove(connection().metadata))).toEqual(["connection shop/default change"]);
    expect(forgotten).toEqual(["shop/default"]);
  });
});

describe("a connection", () => {
  beforeEach(() => {
    connections.apply(connection());
    deployments.apply(deployment());
    jobs.apply(jobObject());
    jobRuns.apply(jobRun("migrate-1"));
    deployments.apply(deployment({ metadata: { name: "other" }, spec: { connectionRef: { name: "elsewhere" } } }));
  });

  test("that changes enqueues what uses it, and nothing else", () => {
    const changed = newer(connection({ spec: { teamId: "acme" } }), {}, { generation: 2 });
    expect(enqueuedBy(() => connections.apply(changed))).toEqual([
      "connection shop/default change",
      "deployment shop/api change",
      "job shop/migrate change",
      "run shop/migrate-1 change",
    ]);
  });

  test("enqueues nothing by counting requests", () => {
    const before = madeConnection({ metadata: { resourceVersion: "2" } });
    connections.apply(before);
    const counted = newer(
      madeConnection({ metadata: { resourceVersion: "2" } }, [{ ...tokenAccepted(), dependents: 7 }]),
    );
    expect(counted.status).not.toEqual(before.status);
    expect(enqueuedBy(() => connections.apply(counted))).toEqual([]);
  });
});

describe("a target with several owners", () => {
  test("enqueues the heir when the owner goes", () => {
    const owner = deployment({ metadata: { name: "first" } });
    deployments.apply(owner);
    deployments.apply(deployment({ metadata: { name: "second" } }));
    expect(enqueuedBy(() => deployments.remove(owner.metadata))).toEqual([
      "deployment shop/first change",
      "deployment shop/second change",
    ]);
  });
});

describe("a target that many name", () => {
  const crowd = () => Array.from({ length: 100 }, (_, n) => deployment({ metadata: { name: `crowd-${n + 100}` } }));

  test("enqueues nothing of them when one more comes", () => {
    deployments.replace(crowd());
    enqueued = [];
    deployments.apply(deployment({ metadata: { name: "late" } }));
    expect(enqueued).toEqual(["deployment shop/late change"]);
  });

  test("enqueues nothing of them when its owner is edited, and all when that asks for another account", () => {
    const owner = deployment({ metadata: { name: "a" } });
    deployments.replace([owner, ...crowd()]);
    enqueued = [];
    const edited = newer(owner, {}, { generation: 2 });
    deployments.apply(edited);
    expect(enqueued).toEqual(["deployment shop/a change"]);
    const spec = { ...edited.spec, connectionRef: { name: "elsewhere" } };
    deployments.apply(newer(edited, { spec }, { generation: 3 }));
    expect(enqueued).toHaveLength(102);
  });
});

describe("a job with several owners", () => {
  test("enqueues the heir when the owner goes", () => {
    jobs.apply(jobObject());
    jobs.apply(jobObject({ metadata: { name: "second" } }));
    expect(enqueuedBy(() => jobs.remove(jobObject().metadata))).toEqual([
      "job shop/migrate change",
      "job shop/second change",
    ]);
  });
});

describe("a run", () => {
  test("enqueues the deployments that wait for it, whatever of it changed", () => {
    const run = jobRun("migrate-1");
    jobRuns.apply(run);
    deployments.apply(deployment({ spec: { waitFor: [{ jobRunRef: { name: "migrate-1" } }] } }));
    const done = newer(run, { status: finished });
    expect(enqueuedBy(() => jobRuns.apply(done))).toEqual(["deployment shop/api change"]);
  });

  test("enqueues the others of its job when it changes its phase, and not when only its text changes", () => {
    const first = jobRun("migrate-1", { status: active });
    jobRuns.apply(first);
    jobRuns.apply(jobRun("migrate-2"));
    jobRuns.apply(jobRun("report-1", { spec: { jobId: "report" } }));
    const talking = newer(first, { status: { ...active, runName: "brave-fox" } });
    expect(enqueuedBy(() => jobRuns.apply(talking))).toEqual([]);
    const over = newer(talking, { status: finished });
    expect(enqueuedBy(() => jobRuns.apply(over))).toEqual(["run shop/migrate-2 change"]);
  });

  test("that waits itself enqueues nothing when it says so, is edited or goes", () => {
    jobRuns.replace(Array.from({ length: 100 }, (_, n) => jobRun(`waits-${n}`)));
    const one = jobRun("waits-0");
    const waits = newer(one, { status: held });
    expect(enqueuedBy(() => jobRuns.apply(waits))).toEqual([]);
    expect(enqueuedBy(() => jobRuns.apply(newer(waits, {}, { generation: 2 })))).toEqual(["run shop/waits-0 change"]);
    expect(enqueuedBy(() => jobRuns.remove(waits.metadata))).toEqual(["run shop/waits-0 change"]);
  });

  test.each([100, 200])("enqueues only those of its job that wait, however many are over (%i)", (count) => {
    const first = jobRun("first", { status: active });
    jobRuns.replace([
      first,
      ...Array.from({ length: count }, (_, n) => jobRun(`over-${n}`, { status: finished })),
      jobRun("active", { status: active }),
      jobRun("waits"),
      jobRun("open", { status: unresolved }),
    ]);
    enqueued = [];
    jobRuns.apply(newer(first, { status: finished }));
    expect(enqueued).toEqual(["run shop/waits change", "run shop/open change"]);
  });

  test.each([100, 200])("of a first list is enqueued once, and its siblings by themselves (%i)", (count) => {
    enqueued = [];
    jobRuns.replace(Array.from({ length: count }, (_, n) => jobRun(`run-${n}`)));
    expect(enqueued).toHaveLength(count);
  });

  test("that asks for the place of another tells the one that has it", () => {
    jobRuns.apply(jobRun("active", { status: active }));
    jobRuns.apply(jobRun("over", { status: finished }));
    const heir = jobRun("heir", { spec: { projectId: "shop", jobId: "migrate", concurrencyPolicy: "Replace" } });
    expect(enqueuedBy(() => jobRuns.apply(heir))).toEqual(["run shop/heir change"]);
    const asking = newer(heir, { status: waiting });
    expect(enqueuedBy(() => jobRuns.apply(asking))).toEqual(["run shop/active change"]);
    const { phase: _, ...rest } = waiting;
    const said = newer(asking, { status: rest });
    expect(enqueuedBy(() => jobRuns.apply(said))).toEqual([]);
  });
});

describe("targets of a first list", () => {
  test.each([50, 100])("enqueue each object once, however many name the same one (%i)", (count) => {
    enqueued = [];
    deployments.replace(Array.from({ length: count }, (_, n) => deployment({ metadata: { name: `d-${n}` } })));
    jobs.replace(Array.from({ length: count }, (_, n) => jobObject({ metadata: { name: `j-${n}` } })));
    expect(enqueued).toHaveLength(2 * count);
  });
});

test("a connection that changes again and again enqueues its dependents at once, then every two seconds", async () => {
  deployments.apply(deployment());
  connections.apply(connection());
  enqueued = [];
  let generation = 0;
  const change = () => {
    generation += 1;
    const { metadata: meta, ...rest } = connection({ spec: { suspend: generation % 2 === 1 } });
    connections.apply({ ...rest, metadata: { ...meta, generation, resourceVersion: String(generation + 10) } });
    return enqueued.splice(0).filter((line) => line.startsWith("deployment"));
  };
  expect(change()).toEqual(["deployment shop/api change"]);
  await clock.advance(500);
  expect(change()).toEqual(["deployment shop/api change in 1500"]);
  await clock.advance(1_000);
  expect(change()).toEqual(["deployment shop/api change in 500"]);
  await clock.advance(1_000);
  expect(change()).toEqual(["deployment shop/api change in 1500"]);
  await clock.advance(10_000);
  expect(change()).toEqual(["deployment shop/api change"]);
});
