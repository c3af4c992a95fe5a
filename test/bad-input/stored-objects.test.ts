import { describe, expect, test } from "vitest";
import { fitTo } from "../../src/api/fit.ts";
import { findKind } from "../../src/api/kinds.ts";
import { createValidator } from "../../src/api/validate.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { connection, deployment, jobObject, metadata, runDefaults } from "../support/builders.ts";
import type { SentRequest } from "../support/recording-transport.ts";
import { WholeOperator } from "../support/whole-operator.ts";
import { disturb, fullSpec, fullStatus, seeded } from "./stored.ts";

// Objects that are in etcd since a looser CRD was installed: whatever they are, they cost themselves and nobody else.
//
// FUZZ_RUNS=200 npx vitest run --project unit test/bad-input/stored-objects.test.ts    tries more

const batches = Number(process.env.FUZZ_RUNS ?? 4);
const validator = createValidator();
const minute = 60_000;

function run(
  name: string,
  parts: { readonly spec?: object; readonly status?: unknown; readonly metadata?: object } = {},
) {
  return {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankJobRun",
    metadata: metadata(name, { ...parts.metadata }),
    spec: {
      projectId: "shop",
      jobId: name,
      ...runDefaults(),
      ...parts.spec,
    },
    status: parts.status ?? { observedGeneration: -1 },
  };
}

/** The status of a run that was started and is active. */
const startedStatus = await statusOfStarted();

async function statusOfStarted(): Promise<Record<string, unknown>> {
  const operator = new WholeOperator({ answer });
  operator.store(connection());
  operator.store(run("begun"));
  operator.start();
  await operator.clock.advance(2 * minute);
  const status = operator.get("NorthflankJobRun", "shop/begun")?.status;
  await operator.stop();
  return status as Record<string, unknown>;
}

function answer({ method, path }: SentRequest) {
  if (method === "POST") return { status: 200, body: { data: { id: `run-of-${path.split("/").at(-2)}` } } };
  if (path.includes("/runs/"))
    return { status: 200, body: { data: { id: path.split("/").at(-1), status: "RUNNING" } } };
  if (path.includes("/runs")) return { status: 200, body: { data: { runs: [] } } };
  return { status: 404, body: { error: { status: 404, message: "no such thing" } } };
}

/** One good object of each kind, in a namespace of their own. */
const neighbours: readonly KubeObject[] = [
  connection({ metadata: { namespace: "good" } }),
  deployment({ metadata: { namespace: "good", uid: "uid-good-api" }, spec: { serviceId: "good-api" } }),
  jobObject({ metadata: { namespace: "good", name: "good-job", uid: "uid-good-job" }, spec: { jobId: "good-job" } }),
  run("good-run", { metadata: { namespace: "good" } }),
];

function expectNeighboursServed(operator: WholeOperator): void {
  const served = neighbours.map(({ kind, metadata: { name } }) => {
    const status = operator.get(kind, `good/${name}`)?.status as { readonly observedGeneration?: number };
    return `${kind} ${status.observedGeneration}`;
  });
  expect(served).toEqual(neighbours.map(({ kind }) => `${kind} 1`));
  expect(postsFor(operator, "good-run")).toBe(1);
  expect(operator.notReady()).toEqual([]);
}

function postsFor({ sent }: WholeOperator, jobId: string): number {
  return sent.filter(({ method, path }) => method === "POST" && path.includes(`/jobs/${jobId}/`)).length;
}

/** Exceptions in reconciles, listeners, index functions and workers are errors in the log, and nothing else is. */
function expectNoPanic(operator: WholeOperator): void {
  const found = operator.log.lines.filter(({ level }) => level === "error");
  expect(
    found.map(({ message, fields }) => `${message}: ${fields.object} ${(fields.err as Error | undefined)?.stack}`),
  ).toEqual([]);
}

async function operate(
  objects: readonly unknown[],
  options: { readonly refuses?: (object: KubeObject) => boolean } = {},
) {
  const operator = new WholeOperator({ answer, ...options });
  for (const neighbour of neighbours) operator.store(neighbour);
  operator.store(connection());
  for (const object of objects) operator.store(object);
  operator.start();
  await operator.clock.advance(2 * minute);
  return operator;
}

const strip = ({ spec: _, ...rest }: object & { readonly spec?: unknown }) => rest;
const withSpec = (object: KubeObject, spec: unknown) => ({ ...object, spec });
const changed = (object: KubeObject & { readonly spec: object }, spec: object) =>
  withSpec(object, { ...object.spec, ...spec });

const shapes: Readonly<Record<string, unknown>> = {
  "a deployment without a spec": strip(deployment()),
  "a deployment whose spec is null": withSpec(deployment(), null),
  "a deployment that waits for text": changed(deployment(), { waitFor: "migrate" }),
  "a job without a spec": strip(jobObject()),
  "a run without a spec": strip(run("odd")),
  "a deployment whose spec is text": withSpec(deployment(), "x"),
  "a deployment whose spec is empty": withSpec(deployment(), {}),
  "a deployment with a field of an older release only": withSpec(deployment(), { service: "api" }),
  "a connection without a spec": strip(connection({ metadata: { name: "odd" } })),
  "a deployment with a number as its project": changed(deployment(), { projectId: 7 }),
  "a deployment with text for a deployment": changed(deployment(), { deployment: "nginx:1" }),
  "a job with text for settings": changed(jobObject(), { settings: "x" }),
  "a run with text for a time": changed(run("odd"), { ttlSecondsAfterFinished: "1h" }),
  "a run with a number as a variable": changed(run("odd"), { runtimeEnvironment: { A: 1 } }),
  "a run with text for sources of variables": changed(run("odd"), { runtimeEnvironmentFrom: "secret" }),
  "a connection with text for its Secret": changed(connection({ metadata: { name: "odd" } }), { tokenSecretRef: "nf" }),
  "a connection with text for its projects": changed(connection({ metadata: { name: "odd" } }), {
    allowedProjects: "shop",
  }),
};

describe("stored before the schema was strict", () => {
  test.each(Object.entries(shapes))("%s is InvalidSpec, and everybody else is served", async (_, object) => {
    const operator = await operate([object]);
    const {
      kind,
      metadata: { name },
    } = object as KubeObject;
    expectNeighboursServed(operator);
    expectNoPanic(operator);
    expect(operator.condition(kind, `shop/${name}`, "Stalled")).toBe("True/InvalidSpec");
    expect(operator.sent.filter(({ method, path }) => method !== "GET" && !path.includes("good-run"))).toEqual([]);
    await operator.stop();
  });

  test("each whose status is refused gets an Event, and none is retried hot", async () => {
    const objects = Object.values(shapes).map((shape, index) => {
      const object = shape as KubeObject;
      return { ...object, metadata: { ...object.metadata, name: `odd-${index}`, uid: `uid-odd-${index}` } };
    });
    const operator = await operate(objects, { refuses: ({ metadata: { name } }) => name.startsWith("odd-") });
    await operator.clock.advance(58 * minute);
    expectNeighboursServed(operator);
    expectNoPanic(operator);
    for (const [index, shape] of Object.keys(shapes).entries()) {
      const events = operator.events.filter(({ key }) => key === `shop/odd-${index}`);
      const told = new Set(events.map(({ event }) => `${event.type} ${event.reason}`));
      expect(told, shape).toEqual(new Set(["Warning InvalidSpec"]));
      expect(events[0]?.event.note, shape).toContain("spec");
      const tries = operator.log.lines.filter(
        ({ level, fields }) => level === "warn" && fields.object === `shop/odd-${index}`,
      );
      // 1, 2, 4, 8 min, then every quarter of an hour.
      expect(tries.length, shape).toBeGreaterThan(4);
      expect(tries.length, shape).toBeLessThanOrEqual(9);
    }
    await operator.stop();
  });
});

test("a connection that lost a part of its stored spec gives nobody its account: it may have been what limits it", async () => {
  const odd = changed(connection({ metadata: { name: "odd" } }), { allowedProjects: "other-project" });
  const operator = await operate([odd, run("limited", { spec: { connectionRef: { name: "odd" } } })]);
  expect(postsFor(operator, "limited")).toBe(0);
  expect(operator.condition("NorthflankJobRun", "shop/limited", "Ready")).toBe("Unknown/WaitingForConnection");
  await operator.stop();
});

describe("a run whose status cannot be read is not started again", () => {
  const { start, attempts: _, ...rest } = startedStatus;
  test.each<[string, unknown]>([
    ["status is text", "Running"],
    ["status is a list", [startedStatus]],
    ["start is text, and there is no attempt", { ...rest, start: "yes" }],
    [
      "start has a number as id, and attempts are text",
      { ...rest, start: { ...(start as object), id: 7 }, attempts: "one" },
    ],
    ["attempts hold nothing but null, and start is gone", { ...rest, attempts: [null] }],
    ["the end is no time", { ...rest, completionTime: "yesterday" }],
    ["nothing but the id of a run is left", { observedGeneration: 1, runId: startedStatus.runId }],
  ])("%s", async (_, status) => {
    const operator = await operate([run("begun", { status })]);
    await operator.clock.advance(65 * minute);
    expect(postsFor(operator, "begun")).toBe(0);
    expect(operator.condition("NorthflankJobRun", "shop/begun")).toBe("False/StartOutcomeUnknown");
    expect(operator.condition("NorthflankJobRun", "shop/begun", "Stalled")).toBe("True/StartOutcomeUnknown");
    expectNoPanic(operator);
    await operator.stop();
  });

  test("and a run that is known to be active is followed, whatever became of the rest", async () => {
    const status = { ...startedStatus, start: "x", conditions: "none", runName: 7, phase: [] };
    const operator = await operate([run("begun", { status, spec: { runtimeEnvironment: "x", suspend: "no" } })]);
    expect(postsFor(operator, "begun")).toBe(0);
    expect(operator.sent.some(({ path }) => path.endsWith("/jobs/begun/runs/run-of-begun"))).toBe(true);
    expectNoPanic(operator);
    await operator.stop();
  });

  test("and one whose stored spec does not name its job any more is looked for nowhere, and its user is told", async () => {
    const operator = await operate([run("begun", { status: startedStatus, spec: { jobId: ["begun"] } })]);
    expect(operator.sent.filter(({ path }) => path.includes("/jobs/") && !path.includes("good"))).toEqual([]);
    const notes = operator.events.filter(({ key }) => key === "shop/begun").map(({ event }) => event.note);
    expect(notes[0]).toMatch(/^The run was started, .* spec\.jobId: must be a string, not a list/);
    expect(operator.statusWrites.get("NorthflankJobRun shop/begun")).toBeUndefined();
    expectNoPanic(operator);
    await operator.stop();
  });

  test("and a person who says retry is obeyed", async () => {
    const annotations = { "northflank-operator.io/resolve-start": "retry" };
    const operator = await operate([
      run("begun", { status: { runId: startedStatus.runId }, metadata: { annotations } }),
    ]);
    expect(postsFor(operator, "begun")).toBe(1);
    await operator.stop();
  });
});

interface Odd {
  readonly object: KubeObject & { readonly spec?: unknown; readonly status?: unknown };
  /** It was started before somebody disturbed it, and its status still says something of it. */
  readonly wasStarted: boolean;
}

function oddObject(index: number, random: () => number): Odd {
  const name = `odd-${index}`;
  const isFull = random() < 0.4;
  const makers: readonly (() => KubeObject & { readonly spec: object })[] = [
    () => connection({ metadata: { name } }),
    () => deployment({ metadata: { name }, spec: { serviceId: name } }),
    () => jobObject({ metadata: { name }, spec: { jobId: name } }),
    () => run(name),
    () => run(name, { status: startedStatus }),
  ];
  const made = makers[Math.floor(random() * makers.length)]?.() ?? run(name);
  const isStarted =
    made.kind === "NorthflankJobRun" &&
    (made as { status?: object }).status !== undefined &&
    "runId" in ((made as { status?: object }).status ?? {});
  const object = structuredClone({
    ...made,
    ...(isFull && !isStarted
      ? {
          spec: { ...fullSpec(made.kind), ...made.spec },
          ...(made.kind === "NorthflankJobRun" ? {} : { status: fullStatus(made.kind) }),
        }
      : {}),
  }) as unknown as Record<string, unknown>;
  const disturbances = 1 + Math.floor(random() * 3);
  for (let n = 0; n < disturbances; n += 1) disturb(object, random() < 0.5 ? "spec" : "status", random);
  const { status } = object;
  const isRecord = typeof status === "object" && status !== null && !Array.isArray(status);
  const tells = isRecord
    ? ["start", "attempts", "runId"].some((key) => (Reflect.get(status, key) ?? undefined) !== undefined)
    : status !== undefined && status !== null;
  return { object: object as unknown as Odd["object"], wasStarted: isStarted && tells };
}

function isOfItsKind({ kind, spec }: Odd["object"]): boolean {
  const definition = findKind(kind);
  return definition !== undefined && fitTo(definition.spec, spec, ["spec"]).problems.length === 0;
}

describe("whatever is stored, everybody else is served, nothing throws, and no run is started twice", () => {
  test.each(Array.from({ length: batches }, (_, n) => n + 1))("seed %i", async (seed) => {
    const random = seeded(seed * 7_919);
    const odd = Array.from({ length: 40 }, (_, index) => oddObject(index, random));
    // Every other time as under the strict CRD: a write to what is invalid is refused.
    const isStrict = seed % 2 === 0;
    const refuses = (object: KubeObject) =>
      isStrict && validator.validateSpec(object.kind, (object as Odd["object"]).spec).length > 0;
    const operator = await operate(
      odd.map(({ object }) => object),
      { refuses },
    );
    await operator.clock.advance(20 * minute);
    expectNeighboursServed(operator);
    expectNoPanic(operator);
    for (const { object, wasStarted } of odd) {
      const {
        kind,
        metadata: { name },
      } = object;
      const what = `${kind} ${JSON.stringify({ spec: object.spec, status: object.status })}`;
      if (wasStarted) expect(postsFor(operator, name), what).toBe(0);
      expect(operator.statusWrites.get(`${kind} shop/${name}`) ?? 0, what).toBeLessThanOrEqual(30);
      const told = operator.events.some((each) => each.key === `shop/${name}` && each.event.type === "Warning");
      const isHeld = operator.condition(kind, `shop/${name}`, "Stalled") !== undefined;
      if (!isOfItsKind(object) && !wasStarted && kind !== "NorthflankJobRun") expect(told || isHeld, what).toBe(true);
    }
    await operator.stop();
  });
});
