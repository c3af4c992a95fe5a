import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { apiVersion } from "../../../src/api/names.ts";
import { systemClock } from "../../../src/util/clock.ts";
import { connection, deployment, jobObject, metadata } from "../../support/builders.ts";
import { startVerbScene, type VerbScene } from "../../support/verb-scene.ts";

const now = Date.parse("2026-06-01T12:00:00Z");
const clock = { ...systemClock, now: () => now };
let scene: VerbScene;

function condition(type: string, status: string, reason: string, message = "It is so.") {
  return { type, status, reason, message, observedGeneration: 1, lastTransitionTime: "2026-06-01T11:00:00Z" };
}

beforeAll(async () => {
  scene = await startVerbScene({ now: () => Date.parse("2026-06-01T10:00:00Z") });
  await scene.store(
    connection({
      metadata: { name: "default" },
      status: {
        observedGeneration: 1,
        conditions: [condition("Ready", "True", "ConnectionReady")],
        rateLimit: { limit: 1_000, remaining: 412, resetTime: "2026-06-01T12:23:10Z" },
        dependents: 3,
      } as never,
    }),
  );
  await scene.store(
    deployment({
      metadata: { name: "api", labels: { app: "shop" } },
      status: {
        observedGeneration: 1,
        conditions: [condition("Ready", "True", "RolloutComplete")],
        target: "service/api",
        image: "ghcr.io/acme/api:1.5.0",
        nextReconcileTime: "2026-06-01T12:12:00Z",
        changes: [
          {
            phase: "Complete",
            cause: "SpecChanged",
            generation: 1,
            since: "2026-06-01T11:00:00Z",
            specHash: "h",
            time: "2026-06-01T11:00:00Z",
          },
        ],
      } as never,
    }),
  );
  await scene.store(
    deployment({
      metadata: { name: "web" },
      spec: { serviceId: "web" },
      status: {
        observedGeneration: 1,
        conditions: [
          condition("Ready", "False", "RolloutFailed", "\u001b[31m##[error]broken"),
          condition("Stalled", "True", "RolloutFailed"),
        ],
      } as never,
    }),
  );
  await scene.store(jobObject());
  await scene.store({
    apiVersion,
    kind: "NorthflankJobRun",
    metadata: metadata("etl-1"),
    spec: { projectId: "shop", jobId: "etl" },
    status: {
      observedGeneration: 1,
      phase: "Running",
      runName: "etl-run-7",
      startTime: "2026-06-01T11:58:30Z",
      conditions: [condition("Ready", "False", "RunActive"), condition("Reconciling", "True", "RunActive")],
    },
  } as never);
});
afterAll(() => scene[Symbol.asyncDispose]());

const get = (args: readonly string[], more: object = {}) => scene.run(["get", ...args], { clock, ...more });

describe("get", () => {
  test("without a kind prints a table of each", async () => {
    const { code, out, err } = await get([]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toBe(`NorthflankConnection
NAME      READY   REASON            QUOTA LEFT   RESETS IN   DEPENDENTS   AGE
default   True    ConnectionReady   412/1000     23m10s      3            2h

NorthflankDeployment
NAME   READY   REASON            PROJECT   TARGET        IMAGE OR BUILD           ROLLOUT    NEXT CHECK   AGE
api    True    RolloutComplete   shop      service/api   ghcr.io/acme/api:1.5.0   Complete   in 12m       2h
web    False   RolloutFailed     shop      service/web   -                        -          -            2h

NorthflankJob
NAME      READY   REASON           PROJECT   JOB       LAST CHANGE   NEXT CHECK   AGE
migrate   -       NotObservedYet   shop      migrate   -             -            2h

NorthflankJobRun
NAME    PHASE     REASON      PROJECT   JOB   RUN         DURATION   AGE
etl-1   Running   RunActive   shop      etl   etl-run-7   1m30s      2h
`);
  });

  test.each([
    [["nfrun"], ["etl-1"]],
    [["deploy/web"], ["web"]],
    [
      ["deploy", "web", "api"],
      ["web", "api"],
    ],
    [["deploy", "-l", "app=shop"], ["api"]],
    [["-l", "app=shop"], ["api"]],
    [["conn,job"], ["default", "migrate"]],
  ])("%j prints those objects", async (args, names) => {
    const { code, out } = await get([...args, "-o", "name"]);
    expect([
      code,
      out
        .trim()
        .split("\n")
        .map((line) => line.split("/")[1]),
    ]).toEqual([0, names]);
  });

  test("-A shows the namespaces, and so does anything outside of that of the session", async () => {
    const all = await get(["run", "-A"]);
    expect(all.out).toMatch(/^NAME /);
    const elsewhere = await get(["run", "-A"], { env: {} });
    expect(elsewhere.out).toMatch(/^NAMESPACE {3}NAME .*\nshop {8}etl-1 /);
  });

  test("-o json and yaml print what the server has, one object by itself and several as a list", async () => {
    const { out } = await get(["deploy/api", "-o", "json"]);
    expect(JSON.parse(out)).toMatchObject({
      kind: "NorthflankDeployment",
      metadata: { name: "api" },
      status: { target: "service/api" },
    });
    expect(JSON.parse(out).metadata).not.toHaveProperty("managedFields");
    const yaml = await get(["deploy", "-o", "yaml"]);
    const list = parse(yaml.out);
    expect([list.kind, list.items.length]).toEqual(["List", 2]);
  });

  test("what an object says cannot control a terminal or a runner of CI, and survives in JSON and YAML", async () => {
    for (const format of ["wide", "json", "yaml"]) {
      const { out } = await get(["deploy/web", "-o", format]);
      for (const sign of ["\u001b", "##["]) expect(out).not.toContain(sign);
      const read = format === "json" ? JSON.parse(out) : format === "yaml" ? parse(out) : undefined;
      if (read !== undefined) expect(read.status.conditions[0].message).toBe("\u001b[31m##[error]broken");
    }
  });

  test("a terminal shows what is good and bad in colors, unless NO_COLOR is set; a pipe never does", async () => {
    const colored = await get(["deploy"], { isTerminal: true });
    expect(colored.out).toContain("\u001b[32mTrue\u001b[0m");
    expect(colored.out).toContain("\u001b[31mRolloutFailed\u001b[0m");
    const plain = await get(["deploy"], {
      isTerminal: true,
      env: { NO_COLOR: "1", NORTHFLANK_OPERATOR_NAMESPACE: "shop" },
    });
    expect(plain.out).not.toContain("\u001b");
  });

  test("of what does not exist it says so: a name is an error, an empty list is none", async () => {
    expect(await get(["run/none"])).toEqual({
      code: 1,
      out: "",
      err: 'northflank-operator get: there is no NorthflankJobRun "none" in the namespace "shop"\n',
    });
    expect(await get(["run", "-n", "other"])).toEqual({
      code: 0,
      out: "",
      err: 'northflank-operator get: no objects found in the namespace "other"\n',
    });
    const json = await get(["run", "-n", "other", "-o", "json"]);
    expect([json.code, JSON.parse(json.out).items]).toEqual([0, []]);
  });
});

describe("wrong usage", () => {
  test.each([
    [["pods"], '"pods" is not a kind of this operator'],
    [["-A", "-n", "x"], "--namespace and --all-namespaces cannot be used together"],
    [["run/a", "-l", "x=y"], "names cannot be used with --selector or --all"],
    [["run/a", "-A"], "names cannot be used with --all-namespaces"],
    [["-f", "x.yaml", "run"], "--filename names the objects"],
    [["-o", "xml"], '--output="xml": one of table, wide, json, yaml, name is expected'],
    [["-f", "missing.yaml"], "missing.yaml: there is no such file or directory"],
  ])("%j is 2", async (args, problem) => {
    const env = { NORTHFLANK_OPERATOR_NAMESPACE: "" };
    const { code, out, err } = await get(args, { env });
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("northflank-operator get: the arguments are not valid\n  ");
    expect(err).toContain(problem);
  });

  test("--help prints the flags and the exit codes", async () => {
    const { code, out } = await get(["--help"]);
    expect(code).toBe(0);
    for (const text of ["usage: northflank-operator get", "--all-namespaces", "exit codes: 0 done"])
      expect(out).toContain(text);
  });
});

test("a cluster that cannot be reached is one sentence, and 1", async () => {
  const kubeconfig = `${scene.kubeconfig}-none`;
  const { code, out, err } = await get([], { kubeconfig });
  expect([code, out, err.split("\n").length]).toEqual([1, "", 2]);
  expect(err).toContain("[config]");
});
