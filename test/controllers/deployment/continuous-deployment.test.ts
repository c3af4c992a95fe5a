import { beforeEach, describe, expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { build, deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";

type Spec = Partial<NorthflankDeployment["spec"]>;

const commit = "a".repeat(40);
const running = (buildSHA: string) => ({
  image: undefined,
  external: undefined,
  internal: { id: "builder", branch: "main", buildSHA, buildId: undefined, deployedSHA: buildSHA },
});
const pinned: Spec["deployment"] = { internal: { id: "builder", branch: "main", buildSHA: commit } };
const wrote = (calls: readonly string[]) => calls.filter((call) => call.startsWith("post"));

let scene: DeploymentScene;

beforeEach(() => {
  scene = new DeploymentScene();
  scene.northflank.hasBuilds("builder", [build({ sha: commit })]);
  scene.northflank.has(service({ disabledCD: false, ...running("b".repeat(40)) }));
});

describe("continuous deployment that would replace the declared build", () => {
  test("is told by default, in the pass that writes first: one Event, and in Ready until it is off", async () => {
    scene.has(deployment({ spec: { deployment: pinned } }));
    await scene.pass();
    expect(wrote(scene.northflank.takeCalls())).toHaveLength(1);
    const events = scene.takeEvents().map((event) => event.split(":")[0]);
    expect(events).toEqual(["Warning ContinuousDeploymentEnabled", "Normal ChangeApplied"]);
    expect(scene.message()).toContain("; warning: Northflank's continuous deployment is on");

    await scene.clock.advance(10_000);
    scene.northflank.rollout("api", "COMPLETED");
    await scene.pass();
    expect(scene.kstatus()).toBe("Current");
    expect(scene.message()).toContain("Warning: Northflank's continuous deployment is on");
    expect(scene.takeEvents().filter((event) => event.startsWith("Warning"))).toEqual([]);

    scene.northflank.change("api", { disabledCD: true });
    scene.annotate({ [reconcileRequestedAt]: "now" });
    await scene.clock.advance(10_000);
    await scene.pass();
    expect(scene.message()).not.toContain("Warning");
    expect(scene.object().status?.warnings).toBeUndefined();
  });

  test("is not told under Ignore", async () => {
    scene.has(deployment({ spec: { deployment: pinned, continuousDeployment: "Ignore" } }));
    await scene.pass();
    expect(wrote(scene.northflank.takeCalls())).toHaveLength(1);
    expect(scene.takeEvents().map((event) => event.split(":")[0])).toEqual(["Normal ChangeApplied"]);
  });

  test("keeps everything from being written under Reject, until it is off", async () => {
    scene.has(deployment({ spec: { deployment: pinned, continuousDeployment: "Reject" } }));
    expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs: 900_000 });
    expect(wrote(scene.northflank.takeCalls())).toEqual([]);
    expect(scene.state()).toContain("Ready=False/ContinuousDeploymentEnabled Stalled=True/ContinuousDeploymentEnabled");
    expect(scene.object().status?.pendingChanges?.length).toBeGreaterThan(0);
    expect(scene.takeEvents()).toHaveLength(1);

    scene.northflank.change("api", { disabledCD: true });
    await scene.clock.advance(900_000);
    await scene.pass();
    expect(wrote(scene.northflank.takeCalls())).toHaveLength(1);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
  });

  test("is rejected as well while the declared build runs, because the next one will replace it", async () => {
    scene.northflank.change("api", running(commit));
    scene.has(deployment({ spec: { deployment: pinned, continuousDeployment: "Reject" } }));
    await scene.pass();
    expect(scene.state()).toContain("Stalled=True/ContinuousDeploymentEnabled");
    expect(scene.state()).toContain("InSync=True/InSync");
  });
});

describe("continuous deployment is nobody's enemy", () => {
  test.each<[string, Spec, boolean | undefined]>([
    ["where the latest build is declared", { deployment: { internal: { id: "builder", buildSHA: "latest" } } }, false],
    ["where a branch is declared", { deployment: { internal: { id: "builder", branch: "main" } } }, false],
    ["where an image is declared", {}, false],
    ["where the source is left alone", { deployment: { docker: { configType: "default" } } }, false],
    ["where it is off", { deployment: pinned }, true],
    ["where nobody tells whether it is on", { deployment: pinned }, undefined],
    ["of who only observes", { deployment: pinned, managementPolicy: "Observe" }, false],
  ])("%s", async (_where, spec, disabledCD) => {
    scene.northflank.change("api", { disabledCD });
    scene.has(deployment({ spec: { ...spec, continuousDeployment: "Reject" } }));
    await scene.pass();
    expect(scene.state()).not.toContain("ContinuousDeploymentEnabled");
    expect(scene.takeEvents().filter((event) => event.includes("ContinuousDeployment"))).toEqual([]);
  });
});

describe("where the answer does not tell whether it is on", () => {
  beforeEach(() => scene.northflank.change("api", { disabledCD: undefined }));

  test.each([
    ["is on", false, "Stalled=True/ContinuousDeploymentEnabled", 0],
    ["is off", true, "Ready=Unknown/RollingOut", 1],
  ])("the list of services does: it %s", async (_what, disabledCD, state, writes) => {
    scene.northflank.listed.set("api", disabledCD);
    scene.has(deployment({ spec: { deployment: pinned, continuousDeployment: "Reject" } }));
    await scene.pass();
    const calls = scene.northflank.takeCalls();
    expect(calls.slice(0, 2)).toEqual(["get api (change)", "list services (change)"]);
    expect(wrote(calls)).toHaveLength(writes);
    expect(scene.state()).toContain(state);
  });

  test("the list is not asked at a resync, which goes by what was told before", async () => {
    scene.northflank.listed.set("api", false);
    scene.northflank.change("api", running(commit));
    scene.has(deployment({ spec: { deployment: pinned } }));
    await scene.pass();
    expect(scene.message()).toContain("continuous deployment is on");
    scene.northflank.takeCalls();
    await scene.clock.advance(900_000);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (observe)"]);
    expect(scene.message()).toContain("continuous deployment is on");
  });

  test.each<[string, Spec]>([
    ["where an image is declared", {}],
    ["under Ignore", { deployment: pinned, continuousDeployment: "Ignore" }],
    ["under Observe", { deployment: pinned, managementPolicy: "Observe" }],
  ])("the list is not asked %s", async (_where, spec) => {
    scene.has(deployment({ spec }));
    await scene.pass();
    expect(scene.northflank.takeCalls().filter((call) => call.startsWith("list services"))).toEqual([]);
  });
});

test("an answer that does not tell about continuous deployment leaves standing what an earlier one told", async () => {
  scene.has(deployment({ spec: { deployment: pinned } }));
  await scene.pass();
  scene.northflank.change("api", { disabledCD: undefined });
  await scene.clock.advance(10_000);
  scene.northflank.rollout("api", "COMPLETED");
  await scene.pass();
  expect(scene.message()).toContain("continuous deployment is on");
});
