import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { northflankDeployments } from "../../../src/api/names.ts";
import { deployment } from "../../support/builders.ts";
import { fasterClock, startVerbScene, type VerbScene } from "../../support/verb-scene.ts";

let scene: VerbScene;
beforeAll(async () => {
  scene = await startVerbScene();
});
afterEach(() => scene.clear());
afterAll(() => scene[Symbol.asyncDispose]());

const fast = fasterClock(50);
const run = (...args: readonly string[]) => scene.run(args, { clock: fast });
const read = () => scene.client.get<never>(northflankDeployments, { namespace: "shop", name: "api" });
let callsBefore = 0;
beforeEach(() => {
  callsBefore = scene.sandbox.calls.length;
});
const patches = () =>
  scene.sandbox.calls
    .slice(callsBefore)
    .filter(({ method, query }) => method === "PATCH" && query.get("fieldManager") === "northflank-operator-cli");

describe("an edit", () => {
  beforeEach(() => scene.store(deployment()));

  test("sends nothing but the field, with the uid and resourceVersion that it was decided on", async () => {
    const { metadata } = await scene.client.get(northflankDeployments, { namespace: "shop", name: "api" });
    expect(await run("suspend", "deploy/api")).toEqual({
      code: 0,
      out: "northflankdeployment/api suspended\n",
      err: "",
    });
    const { uid, resourceVersion } = metadata;
    expect(patches().map(({ body }) => JSON.parse(String(body)))).toEqual([
      { spec: { suspend: true }, metadata: { uid, resourceVersion } },
    ]);
  });

  test("that meets a write of another client is decided anew", async () => {
    let isRaced = false;
    scene.sandbox.fault = ({ method, query }) => {
      if (method !== "PATCH" || query.get("fieldManager") !== "northflank-operator-cli" || isRaced) return undefined;
      isRaced = true;
      return { kind: "answer", answer: { status: 409, body: { kind: "Status", code: 409, reason: "Conflict" } } };
    };
    expect(await run("suspend", "deploy/api")).toMatchObject({ code: 0, out: "northflankdeployment/api suspended\n" });
    expect(patches()).toHaveLength(2);
    expect(await read()).toMatchObject({ spec: { suspend: true } });
  });

  test.each([
    ["reset-before", "northflankdeployment/api suspended\n", 2],
    ["reset-after", "northflankdeployment/api is suspended already\n", 1],
  ] as const)("whose connection breaks (%s) is made once", async (kind, out, count) => {
    let faults = 1;
    scene.sandbox.fault = ({ method }) => (method === "PATCH" && faults-- > 0 ? { kind } : undefined);
    expect(await run("suspend", "deploy/api")).toEqual({ code: 0, out, err: "" });
    expect(patches()).toHaveLength(count);
    expect(await read()).toMatchObject({ spec: { suspend: true }, metadata: { generation: 2 } });
  });

  test("of one object that cannot be changed leaves the others changed, and is 1", async () => {
    await scene.store(deployment({ metadata: { name: "web" }, spec: { serviceId: "web", suspend: true } }));
    const { code, out, err } = await run("reconcile", "deploy", "--all");
    expect([code, out]).toEqual([1, "northflankdeployment/api reconcile requested\n"]);
    expect(err).toBe("northflank-operator reconcile: northflankdeployment/web is suspended; resume it first\n");
  });

  test("says on standard error what a GitOps tool will do about it", async () => {
    const labels = {
      "kustomize.toolkit.fluxcd.io/name": "apps",
      "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    };
    await scene.store(deployment({ metadata: { name: "web", labels }, spec: { serviceId: "web" } }));
    const { code, err } = await run("suspend", "deploy/web");
    expect(code).toBe(0);
    expect(err).toMatch(
      /^northflank-operator suspend: note: northflankdeployment\/web is managed by Flux \(Kustomization flux-system\/apps\)/,
    );
    expect((await run("resume", "deploy/api")).err).toBe("");
  });

  test("-f and -l choose the objects", async () => {
    const stdin = JSON.stringify({ ...deployment(), metadata: { name: "api" }, status: undefined });
    expect(await scene.run(["suspend", "-f", "-"], { stdin })).toMatchObject({ code: 0 });
    expect(await run("resume", "deploy", "-l", "app=none")).toMatchObject({
      code: 1,
      err: 'northflank-operator resume: no objects found in the namespace "shop"\n',
    });
  });
});

describe("wrong usage is 2", () => {
  test.each<[readonly string[], string]>([
    [["suspend"], "name the objects as KIND/NAME"],
    [["suspend", "deploy"], "name the objects as KIND/NAME"],
    [["abort", "deploy/api"], '"deploy" cannot be used here'],
    [["reconcile", "deploy/api", "--timeout", "5s"], "--timeout needs --wait"],
    [["resolve", "one"], "set exactly one of --run-id, --retry and --fail"],
    [["resolve", "one", "--retry", "--fail"], "set exactly one of --run-id, --retry and --fail"],
    [["resolve", "one", "--run-id", "retry"], "the ID of a run is expected"],
    [["resolve", "one", "two", "--retry"], "name one run"],
    [["resolve", "--retry"], "name one run"],
    [["suspend", "deploy/api", "--nonsense"], "--nonsense"],
    [["tree"], "name the objects as KIND/NAME"],
    [["tree", "deploy"], "name the objects as KIND/NAME"],
  ])("%j", async (args, problem) => {
    const { code, out, err } = await run(...args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(problem);
    expect(patches()).toEqual([]);
  });
});
