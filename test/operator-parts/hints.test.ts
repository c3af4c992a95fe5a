import { beforeEach, describe, expect, test } from "vitest";
import type { NorthflankDeployment } from "../../src/api/deployment.ts";
import type { NorthflankJob } from "../../src/api/job.ts";
import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { deploymentIndexes } from "../../src/controllers/deployment/target.ts";
import { jobRunIndexes } from "../../src/controllers/job-run/reconciler.ts";
import { targetKeys } from "../../src/controllers/target/object.ts";
import { Hints, PendingHints } from "../../src/operator/hints.ts";
import { Store } from "../../src/runtime/store.ts";
import type { Hint } from "../../src/webhook/delivery.ts";
import { metadata } from "../support/builders.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { runStatus } from "../support/runs-in-states.ts";

const fail = (error: unknown): never => {
  throw error;
};
const active = await runStatus("active");
const finished = await runStatus("finished");

let clock: FakeClock;
let said: string[];
let pools: Map<string, string>;
let hints: Hints;
let heard: string[];
let deployments: Store<NorthflankDeployment, "target">;

/** `name` of namespace `n`, with the connection that it names. */
function object<T>(name: string, spec: object, more: object = {}): T {
  return { apiVersion: "v1", kind: "K", metadata: metadata(name), spec: { projectId: "shop", ...spec }, ...more } as T;
}

beforeEach(() => {
  clock = new FakeClock();
  said = [];
  pools = new Map();
  heard = [];
  deployments = new Store<NorthflankDeployment, "target">({
    indexes: { target: deploymentIndexes.target },
    onListenerError: fail,
  });
  const jobs = new Store<NorthflankJob, "target">({ indexes: { target: targetKeys }, onListenerError: fail });
  const jobRuns = new Store<NorthflankJobRun, "open">({ indexes: { open: jobRunIndexes.open }, onListenerError: fail });
  for (const one of [
    object<NorthflankDeployment>("api", { serviceId: "api" }),
    object<NorthflankDeployment>("api-of-other", { serviceId: "api", connectionRef: { name: "other" } }),
    object<NorthflankDeployment>("etl-image", { jobId: "etl" }),
    object<NorthflankDeployment>("web", { serviceId: "web" }),
  ]) {
    deployments.apply(one);
  }
  jobs.apply(object<NorthflankJob>("etl", { jobId: "etl" }));
  jobRuns.apply(object<NorthflankJobRun>("running", { jobId: "etl" }, { status: active }));
  jobRuns.apply(object<NorthflankJobRun>("over", { jobId: "etl" }, { status: finished }));
  jobRuns.apply(object<NorthflankJobRun>("not-started", { jobId: "etl" }));
  const kind = (name: string) => ({
    queue: {
      add: (key: string, { priority = "change", afterMs = 0 } = {}) =>
        void said.push(`${name} ${key} ${priority}${afterMs === 0 ? "" : ` in ${afterMs}`}`),
    },
    hinted: (key: string, afterMs: number) =>
      void said.push(`due ${name} ${key}${afterMs === 0 ? "" : ` in ${afterMs}`}`),
  });
  hints = new Hints({
    ...{ deployments, jobs, jobRuns, clock },
    ...{ deployment: kind("deployment"), job: kind("job"), jobRun: kind("run") },
    poolOf: (key) => pools.get(key),
    trust: {
      heard: () => void heard.push("something"),
      heardOf: (kind, of) => void heard.push(`${kind} ${of}`),
      missed: ({ kind, projectId }) => void heard.push(`missed ${kind} of ${projectId}`),
    },
  });
  pools.set(`${metadata("x").namespace}/default`, "acme");
});

const connection = `${metadata("x").namespace}/default`;
const key = (name: string) => `${metadata("x").namespace}/${name}`;

function hint(parts: Partial<Hint>): Hint {
  const none = { serviceId: undefined, jobId: undefined, runId: undefined, isAboutRun: false };
  return { projectId: "shop", ...none, ...parts };
}

function take(parts: Partial<Hint>, from = connection): readonly string[] {
  said = [];
  hints.take(from, hint(parts));
  return said;
}

describe("a hint makes due and enqueues, below what users change", () => {
  test("the deployments of a service", () => {
    expect(take({ serviceId: "api" })).toEqual([`due deployment ${key("api")}`, `deployment ${key("api")} follow`]);
  });

  test("what names a job, and its runs that are not over", () => {
    const runs = ["running", "not-started"].flatMap((name) => [`due run ${key(name)}`, `run ${key(name)} follow`]);
    expect(take({ jobId: "etl" })).toEqual([
      ...runs,
      ...[`due deployment ${key("etl-image")}`, `deployment ${key("etl-image")} follow`],
      ...[`due job ${key("etl")}`, `job ${key("etl")} follow`],
    ]);
  });

  test("runs alone, where it is about a run; and the one that is named", () => {
    expect(take({ jobId: "etl", isAboutRun: true })).toHaveLength(4);
    const runId = active.attempts?.at(-1)?.runId ?? "";
    expect(runId).not.toBe("");
    expect(take({ jobId: "etl", runId, isAboutRun: true })).toEqual([
      `due run ${key("running")} in 5000`,
      `run ${key("running")} follow in 5000`,
    ]);
  });

  test("every run, where the one that is named is none of ours", async () => {
    expect(take({ jobId: "etl", runId: "of-somebody", isAboutRun: true })).toHaveLength(4);
  });
});

describe("what is heard of a beginning", () => {
  test("of a run leads to no read: it is no end of a run that is followed", () => {
    expect(take({ jobId: "etl", isAboutRun: true, isStart: true })).toEqual([]);
    expect(heard).toEqual(["something"]);
  });

  test("of a rollout is read ten seconds after the change, when it may be over", async () => {
    const time = new Date(clock.now()).toISOString();
    const changes = [{ phase: "RollingOut", time }];
    deployments.apply(object<NorthflankDeployment>("new", { serviceId: "new" }, { status: { changes } }));
    await clock.advance(2_000);
    const due = `due deployment ${key("new")} in 8000`;
    expect(take({ serviceId: "new" })).toEqual([due, `deployment ${key("new")} follow in 8000`]);
    await clock.advance(8_000);
    expect(take({ serviceId: "new" })).toEqual([`due deployment ${key("new")} in 5000`, expect.anything()]);
    await clock.advance(60_000);
    expect(take({ serviceId: "new" })).toEqual([`due deployment ${key("new")}`, `deployment ${key("new")} follow`]);
  });

  test("all else counts as heard of the object, also where it leads to no read", () => {
    for (let n = 0; n < 2; n++) take({ serviceId: "api" });
    expect(heard).toEqual(["something", `rollout ${key("api")}`, "something", `rollout ${key("api")}`]);
    heard = [];
    take({ jobId: "etl", isAboutRun: true });
    expect(heard).toEqual(["something", `run ${key("running")}`, `run ${key("not-started")}`]);
  });
});

test("more than may be read is not relied on", () => {
  for (let n = 0; n < 61; n++) {
    deployments.apply(object<NorthflankDeployment>(`s-${n}`, { serviceId: `s-${n}` }));
    heard = [];
    take({ serviceId: `s-${n}` });
  }
  expect(heard).toEqual(["something", "missed rollout of shop"]);
});

describe("nothing follows from a hint about", () => {
  test.each<[string, Partial<Hint>]>([
    ["another project", { projectId: "other", serviceId: "api" }],
    ["a service that no object names", { serviceId: "none" }],
    ["a job with the name of a service", { jobId: "api" }],
  ])("%s", (_, parts) => {
    expect(take(parts)).toEqual([]);
  });

  test("the objects of another account; those of a connection of the same account are in", () => {
    expect(take({ serviceId: "api" }, key("stranger"))).toEqual([]);
    pools.set(key("default"), "team a").set(key("other"), "team b").set(key("second"), "team b");
    expect(take({ serviceId: "api" }, key("second"))).toEqual([
      `due deployment ${key("api-of-other")}`,
      `deployment ${key("api-of-other")} follow`,
    ]);
  });
});

describe("however many hints come", () => {
  test("an object is read once in 5 s, and once more for what came in between", async () => {
    expect(take({ serviceId: "api" })).toHaveLength(2);
    await clock.advance(1_000);
    expect(take({ serviceId: "api" })).toEqual([
      `due deployment ${key("api")} in 4000`,
      `deployment ${key("api")} follow in 4000`,
    ]);
    for (let n = 0; n < 100; n++) expect(take({ serviceId: "api" })).toEqual([]);
    await clock.advance(4_000);
    expect(take({ serviceId: "api" })).toEqual([
      `due deployment ${key("api")} in 5000`,
      `deployment ${key("api")} follow in 5000`,
    ]);
    await clock.advance(60_000);
    expect(take({ serviceId: "api" })).toEqual([`due deployment ${key("api")}`, `deployment ${key("api")} follow`]);
  });

  test("one account gets 60 reads and then 240 an hour, whichever of its connections they come by", async () => {
    pools.set(key("default"), "team a").set(key("other"), "team a");
    let reads = 0;
    for (let second = 0; second < 3_600; second++) {
      for (const from of ["default", "other"]) {
        for (const about of [{ serviceId: "api" }, { serviceId: "web" }, { jobId: "etl" }]) {
          reads += take(about, key(from)).length / 2;
        }
      }
      await clock.advance(1_000);
    }
    expect(reads).toBeGreaterThanOrEqual(295);
    expect(reads).toBeLessThanOrEqual(300);
  });
});

test("a pending hint is taken once, when its time has come, and is forgotten if nobody takes it", async () => {
  const pending = new PendingHints(clock);
  pending.hinted("n/a", 5_000);
  expect(pending.take("n/a")).toBe(undefined);
  const dueMs = clock.monotonic() + 5_000;
  await clock.advance(5_000);
  expect([pending.take("n/a"), pending.take("n/a"), pending.take("n/b")]).toEqual([dueMs, undefined, undefined]);
  pending.hinted("n/a", 0);
  await clock.advance(120_000);
  expect(pending.take("n/a")).toBe(undefined);
});
