import { beforeEach, describe, expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import type { InternalSource, ServiceView } from "../../../src/northflank/types.ts";
import { build, deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

type Spec = Partial<NorthflankDeployment["spec"]>;

const sha = "a".repeat(40);
const byCommit = { id: "builder", branch: "main", buildSHA: sha };
const byId = { id: "builder", buildId: "joyous-view-6290" };
const latest = { id: "builder", branch: "main", buildSHA: "latest" };
const declare = (internal: InternalSource, more: Spec = {}) =>
  deployment({ spec: { deployment: { internal }, ...more } });
const post = (internal: InternalSource) => `post api ${JSON.stringify({ internal })}`;
const active = build({ status: "BUILDING", outcome: "active" });
const failed = build({ status: "FAILURE", outcome: "failed" });

const waiting =
  "Ready=Unknown/WaitingForBuild Reconciling=True/Progressing Accepted=True/Accepted InSync=False/WaitingForBuild " +
  "RolloutComplete=Unknown/WaitingForBuild -> InProgress";
const ready =
  "Ready=True/RolloutComplete Accepted=True/Accepted InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current";

let scene: DeploymentScene;

beforeEach(() => {
  scene = new DeploymentScene();
  scene.northflank.has(service());
});

async function roll(state: string, more: Partial<ServiceView> = {}): Promise<void> {
  await scene.clock.advance(10_000);
  scene.northflank.rollout("api", state, more);
  await scene.pass();
}

/** Passes at the times that the outcomes name, until `ms` are over; the pauses, in seconds. */
async function follow(ms: number): Promise<readonly number[]> {
  const pauses: number[] = [];
  for (let elapsedMs = 0; elapsedMs < ms; ) {
    const outcome = await scene.pass();
    const afterMs = outcome.kind === "recheck" ? outcome.afterMs : 0;
    if (afterMs <= 0) throw new Error("no pause");
    pauses.push(Math.round(afterMs / 1_000));
    elapsedMs += afterMs;
    await scene.clock.advance(afterMs);
  }
  return pauses;
}

describe("a declared build", () => {
  test.each([
    ["by its commit", byCommit, "list builds builder (change)"],
    ["by its id", byId, "get build builder/joyous-view-6290 (change)"],
  ])("%s is looked at once, sent, rolled out, and costs nothing more", async (_how, internal, look) => {
    scene.northflank.hasBuilds("builder", [build()]);
    scene.has(declare(internal));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", look, post(internal)]);
    await roll("COMPLETED");
    expect(scene.state()).toBe(ready);
    expect(scene.object().status).toMatchObject({
      build: { builder: "shop/builder", id: "joyous-view-6290", sha, outcome: "Succeeded" },
      image: `build builder@${"buildId" in internal ? internal.buildId : sha}`,
    });
    scene.northflank.takeCalls();
    scene.statusWrites = 0;
    await follow(4 * 900_000);
    expect(new Set(scene.northflank.takeCalls())).toEqual(new Set(["get api (observe)"]));
    expect(scene.statusWrites).toBe(0);
  });

  test("whose read is refused for the token is asked for again with what was rotated, once", async () => {
    const refused = northflankError("unauthorized", { httpStatus: 401 });
    scene.northflank.hasBuilds("builder", [build()]);
    scene.northflank.failNext("listBuilds", refused);
    scene.has(declare(byCommit));
    await scene.pass();
    const [target, list] = ["get api (change)", "list builds builder (change)"];
    expect(scene.northflank.takeCalls()).toEqual([target, list, target, list, post(byCommit)]);
    expect(scene.rejectedTokens).toBe(1);
  });

  test("whose read is refused for the token twice is AuthenticationFailed, and nothing is sent", async () => {
    const refused = northflankError("unauthorized", { httpStatus: 401 });
    scene.northflank.hasBuilds("builder", [build()]);
    scene.northflank.failNext("listBuilds", refused);
    scene.northflank.failNext("listBuilds", refused);
    scene.has(declare(byCommit));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toHaveLength(4);
    expect(scene.state()).toContain("Stalled=True/AuthenticationFailed");
  });

  test("that is not over is waited for with one small request per look, ever more rarely, and one status", async () => {
    scene.northflank.hasBuilds("builder", [active]);
    scene.has(declare(byCommit));
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 10_000, priority: "follow" });
    expect(scene.state()).toBe(waiting);
    expect(scene.message()).toBe(
      `Build joyous-view-6290 of commit ${sha.slice(0, 12)} of service shop/builder is not over. It is deployed as soon as ` +
        "it has succeeded. Polled every 10s to 5m.",
    );
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", "list builds builder (change)"]);
    await scene.clock.advance(10_000);
    const pauses = await follow(3_600_000);
    expect([Math.min(...pauses), Math.max(...pauses)]).toEqual([10, 300]);
    expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
    const calls = scene.northflank.takeCalls();
    expect(new Set(calls)).toEqual(new Set(["get build builder/joyous-view-6290 (run)"]));
    expect(calls.length).toBeLessThan(45);
    expect(scene.statusWrites).toBe(1);

    scene.northflank.hasBuilds("builder", [build()]);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([
      "get build builder/joyous-view-6290 (run)",
      "get api (run)",
      post(byCommit),
    ]);
    await roll("COMPLETED");
    expect(scene.state()).toBe(ready);
  });

  test("that is waited for is not forgotten in a restart, and not looked at sooner for it", async () => {
    scene.northflank.hasBuilds("builder", [active]);
    scene.has(declare(byId));
    await scene.pass();
    scene.northflank.takeCalls();
    scene.restart();
    const outcome = await scene.pass();
    expect(outcome).toMatchObject({ kind: "recheck", priority: "follow" });
    expect(scene.northflank.takeCalls()).toEqual([]);
    await scene.clock.advance(outcome.kind === "recheck" ? outcome.afterMs : 0);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get build builder/joyous-view-6290 (run)"]);
  });

  test("that failed is Stalled and says what to do, differently for an id and for a commit", async () => {
    scene.northflank.hasBuilds("builder", [failed]);
    scene.has(declare(byId));
    expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs: 60_000, priority: "resync" });
    expect(scene.state()).toContain("Ready=False/BuildFailed Stalled=True/BuildFailed Accepted=True/Accepted");
    expect(scene.kstatus()).toBe("Failed");
    expect(scene.message()).toContain(
      "failed (FAILURE); nothing was deployed. See its log in Northflank, then declare another",
    );
    expect(scene.takeEvents()).toEqual([expect.stringContaining("Warning BuildFailed: Build joyous-view-6290")]);
    scene.edit({ deployment: { internal: byCommit } });
    await scene.pass();
    expect(scene.message()).toContain("fix the cause and start the build again");
    expect(scene.northflank.takeCalls().filter((call) => call.startsWith("post"))).toEqual([]);
  });

  test("that failed while it was waited for is Stalled, unless its commit was built again", async () => {
    scene.northflank.hasBuilds("builder", [active]);
    scene.has(declare(byCommit));
    await scene.pass();
    await scene.clock.advance(10_000);
    scene.northflank.takeCalls();
    scene.northflank.hasBuilds("builder", [build({ id: "again-1", outcome: "active" }), failed]);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([
      "get build builder/joyous-view-6290 (run)",
      "get api (run)",
      "list builds builder (run)",
    ]);
    expect(scene.state()).toBe(waiting);
    expect(scene.object().status?.build?.id).toBe("again-1");
    await scene.clock.advance(10_000);
    scene.northflank.hasBuilds("builder", [build({ id: "again-1", outcome: "failed" }), failed]);
    await scene.pass();
    expect(scene.state()).toContain("Stalled=True/BuildFailed");
  });

  test("that is not there is looked for often at first, then hardly ever", async () => {
    scene.northflank.hasBuilds("builder", [build({ sha: "b".repeat(40) })]);
    scene.has(declare(byCommit));
    expect(await scene.pass()).toMatchObject({ afterMs: 15_000 });
    expect(scene.state()).toContain("Stalled=True/BuildNotFound");
    expect(scene.message()).toContain(`Service shop/builder has no build of commit ${sha}.`);
    await scene.clock.advance(15_000);
    scene.northflank.takeCalls();
    await follow(24 * 3_600_000);
    // Two requests a look.
    expect(scene.northflank.takeCalls().length).toBeLessThan(110);
    scene.northflank.hasBuilds("builder", [build()]);
    scene.annotate({ [reconcileRequestedAt]: "now" });
    await scene.clock.advance(6_000);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toContain(post(byCommit));
  });

  test.each<[string, InternalSource, string]>([
    ["no such service", { ...byCommit, id: "nobody" }, "There is no service shop/nobody that builds"],
    ["no such id", { id: "builder", buildId: "other" }, "Service shop/builder has no build other. Check"],
    [
      "an id of another commit",
      { ...byId, buildSHA: "b".repeat(40) },
      `is one of commit ${sha}, not of the declared ${"b".repeat(40)}`,
    ],
  ])("says what is wrong: %s", async (_what, internal, said) => {
    scene.northflank.hasBuilds("builder", [build()]);
    scene.has(declare(internal));
    await scene.pass();
    expect(scene.state()).toContain("Stalled=True/BuildNotFound");
    expect(scene.message()).toContain(said);
    expect(scene.northflank.takeCalls().filter((call) => call.startsWith("post"))).toEqual([]);
  });

  test("that the token may not see is sent, for Northflank to judge", async () => {
    scene.northflank.failNext("listBuilds", northflankError("forbidden", { httpStatus: 403 }));
    scene.has(declare(byCommit));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toContain(post(byCommit));
  });

  test.each<[string, InternalSource]>([
    ["by its commit", { id: "tools/ci", buildSHA: sha }],
    ["by its id", { id: "tools/ci", buildId: "b-1" }],
  ])("of another project that the token does not see is sent as well: %s", async (_how, internal) => {
    scene.has(declare(internal));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toContain(post(internal));
  });

  test("of a project that the connection does not allow is not even looked at", async () => {
    const readyState = { kind: "stalled", reason: "ProjectNotAllowed", message: "tools is not allowed." } as const;
    const usable = scene.resolution;
    const asked: string[] = [];
    scene.resolution = (name, projectId) => {
      asked.push(projectId);
      return projectId === "tools" ? { kind: "blocked", readyState, recheckAfterMs: 60_000 } : usable(name, projectId);
    };
    scene.has(declare({ id: "tools/ci", buildSHA: "latest" }));
    await scene.pass();
    expect(asked).toEqual(["shop", "tools"]);
    expect(scene.state()).toContain("Stalled=True/ProjectNotAllowed");
    expect(scene.northflank.takeCalls()).toEqual([]);
  });

  test("is not looked at while nothing may be written", async () => {
    scene.northflank.hasBuilds("builder", [active]);
    scene.has(declare(byCommit, { managementPolicy: "Observe" }));
    await scene.pass();
    expect(scene.state()).toContain("Ready=True/DriftObserved");
    scene.edit({ managementPolicy: "Enforce", waitFor: [{ jobRunRef: { name: "migrate" } }] });
    await scene.pass();
    expect(scene.state()).toContain("Ready=Unknown/WaitingForDependency");
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", "get api (change)"]);
  });

  test("is held back by suspend, and by an edit: the new one counts", async () => {
    scene.northflank.hasBuilds("builder", [active]);
    scene.has(declare(byCommit));
    await scene.pass();
    scene.edit({ suspend: true });
    scene.northflank.takeCalls();
    await scene.pass();
    await scene.clock.advance(600_000);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([]);
    scene.edit({ suspend: false, deployment: { external: { imagePath: "ghcr.io/acme/api:2" } } });
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([
      "get api (change)",
      'post api {"external":{"imagePath":"ghcr.io/acme/api:2"}}',
    ]);
    expect(scene.object().status).not.toHaveProperty("build");
  });

  test.each(["getBuild", "listBuilds"] as const)(
    "whose look fails (%s) is tried again, and nothing is sent",
    async (method) => {
      scene.northflank.hasBuilds("builder", [build()]);
      scene.northflank.failNext(method, northflankError("server_error", { httpStatus: 502 }));
      const internal = method === "getBuild" ? byId : byCommit;
      scene.has(declare(internal));
      expect(await scene.pass()).toMatchObject({ kind: "retry" });
      expect(scene.state()).toContain("Ready=False/RemoteUnavailable Reconciling=True/ProgressingWithRetry");
      expect(scene.northflank.takeCalls().filter((call) => call.startsWith("post"))).toEqual([]);
      await scene.pass();
      expect(scene.northflank.takeCalls()).toContain(post(internal));
    },
  );

  test("that waits for quota stays waited for", async () => {
    scene.northflank.hasBuilds("builder", [active]);
    scene.has(declare(byId));
    await scene.pass();
    await scene.clock.advance(10_000);
    scene.northflank.failNext("getBuild", northflankError("quota_closed", { retryAfterMs: 30_000, sent: false }));
    expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs: 30_000 });
    expect(scene.kstatus()).toBe("InProgress");
    scene.northflank.hasBuilds("builder", [build()]);
    await scene.clock.advance(30_000);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toContain(post(byId));
  });

  test("that is gone when it is sent is refused by Northflank, and that is said", async () => {
    scene.northflank.hasBuilds("builder", [build()]);
    scene.northflank.failNext(
      "updateServiceDeployment",
      northflankError("rejected", { httpStatus: 400, detail: "There is no build of this commit" }),
    );
    scene.has(declare(byCommit));
    await scene.pass();
    expect(scene.state()).toContain("Stalled=True/RequestRejected");
    expect(scene.message()).toContain("There is no build of this commit");
  });
});

describe("a settled build", () => {
  /** The older answer: no build id, the commit instead. */
  const older = (commit: string): Partial<ServiceView> => ({
    internal: { id: "builder", branch: "main", buildSHA: commit, buildId: undefined, deployedSHA: commit },
  });

  test("that Northflank tells by its commit alone writes nothing, and drift of it is corrected", async () => {
    scene.northflank.hasBuilds("builder", [build()]);
    scene.has(declare({ ...byId, branch: "main" }));
    await scene.pass();
    await roll("COMPLETED", older(sha));
    expect(scene.state()).toBe(ready);
    scene.northflank.takeCalls();
    await follow(3 * 900_000);
    expect(new Set(scene.northflank.takeCalls())).toEqual(new Set(["get api (observe)"]));
    await roll("COMPLETED", older("b".repeat(40)));
    await follow(900_000);
    expect(scene.northflank.takeCalls()).toContain(post({ ...byId, branch: "main" }));
  });

  test.each<[string, InternalSource, Partial<NonNullable<ServiceView["internal"]>>]>([
    ["the newest example of the documentation", { ...byId, branch: "main", buildSHA: "latest" }, { buildSHA: sha }],
    [
      "the same, told as it was sent",
      { ...byId, branch: "main", buildSHA: "latest" },
      { buildSHA: "latest", buildId: byId.buildId },
    ],
    ["a commit in capitals", { ...byCommit, buildSHA: sha.toUpperCase() }, { buildSHA: sha }],
    ["a commit, told as what runs", byCommit, { deployedSHA: sha }],
    ["a service that is told by its database id", byCommit, { id: "5f6e7a8b9c0d1e2f3a4b5c6d", buildSHA: sha }],
  ])("reads back in another form without a fight: %s", async (_what, internal, told) => {
    scene.northflank.hasBuilds("builder", [build()]);
    scene.has(declare(internal));
    await scene.pass();
    const view = { id: "builder", branch: "main", buildSHA: undefined, buildId: undefined, deployedSHA: undefined };
    await roll("COMPLETED", { internal: { ...view, ...told } });
    expect(scene.state()).toBe(ready);
    scene.northflank.takeCalls();
    await follow(3 * 900_000);
    expect(scene.northflank.takeCalls().filter((call) => call.startsWith("post"))).toEqual([]);
  });
});

describe("the latest build", () => {
  test("is a setting: it is sent without a look at builds, and a new build is no drift", async () => {
    scene.has(declare(latest));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", post(latest)]);
    const told = (deployedSHA: string) => ({
      internal: { id: "builder", branch: "main", buildSHA: "latest", buildId: undefined, deployedSHA },
    });
    await roll("COMPLETED", told(sha));
    expect(scene.state()).toBe(ready);
    expect(scene.object().status?.image).toBe(`build builder@latest (${sha.slice(0, 7)})`);
    await roll("COMPLETED", told("b".repeat(40)));
    await scene.clock.advance(900_000);
    await scene.pass();
    expect(scene.state()).toBe(ready);
    expect(scene.object().status?.observed?.source?.deployedSHA).toBe("b".repeat(40));
    expect(scene.northflank.takeCalls().filter((call) => call.startsWith("post") || call.includes("build"))).toEqual(
      [],
    );
  });

  test("that does not exist yet is waited for by its list alone, and rolled out in its own time", async () => {
    scene.northflank.hasBuilds("builder", []);
    scene.has(declare(latest));
    await scene.pass();
    await scene.clock.advance(10_000);
    await scene.pass();
    expect(scene.state()).toBe(
      "Ready=Unknown/WaitingForBuild Reconciling=True/Progressing Accepted=True/Accepted InSync=True/InSync " +
        "RolloutComplete=Unknown/WaitingForBuild -> InProgress",
    );
    expect(scene.message()).toContain("Service shop/builder has no build of branch main yet");
    scene.northflank.takeCalls();
    scene.statusWrites = 0;
    await scene.clock.advance(10_000);
    await follow(3_600_000);
    expect(new Set(scene.northflank.takeCalls())).toEqual(new Set(["list builds builder (run)"]));
    expect(scene.statusWrites).toBe(0);

    // An hour is more than the time for a rollout: it begins now.
    scene.northflank.hasBuilds("builder", [build()]);
    scene.northflank.rollout("api", "IN_PROGRESS");
    await scene.pass();
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    await scene.clock.advance(600_000);
    await scene.pass();
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    scene.northflank.rollout("api", "COMPLETED");
    await follow(120_000);
    expect(scene.state()).toBe(ready);
  });

  test.each([
    ["whose only builds failed is BuildFailed, until one is rolled out", [failed]],
    ["whose builder is not there is BuildNotFound, until one is rolled out", undefined],
  ])("%s", async (sentence, builds) => {
    if (builds !== undefined) scene.northflank.hasBuilds("builder", builds);
    scene.has(declare(latest));
    await scene.pass();
    await scene.clock.advance(10_000);
    await scene.pass();
    const reason = /is (Build\w+),/.exec(sentence)?.[1];
    expect(scene.state()).toContain(`Stalled=True/${reason}`);
    await follow(3_600_000);
    // Two requests a look.
    expect(scene.northflank.takeCalls().length).toBeLessThan(50);
    await roll("COMPLETED");
    await follow(900_000);
    expect(scene.state()).toBe(ready);
  });

  test("of a service that was never rolled out is looked for, too", async () => {
    scene.northflank.has(service({ rolloutStatus: undefined, rolloutTransitionTime: undefined }));
    scene.northflank.hasBuilds("builder", [active]);
    scene.has(declare(latest));
    await scene.pass();
    await scene.clock.advance(10_000);
    await scene.pass();
    expect(scene.state()).toContain("Ready=Unknown/WaitingForBuild");
    expect(scene.message()).toContain("Northflank deploys it as soon as it has succeeded");
  });

  test("that is there but slow to be rolled out is late like any other", async () => {
    scene.northflank.hasBuilds("builder", [build()]);
    scene.has(declare(latest));
    await scene.pass();
    await follow(890_000);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    await scene.clock.advance(20_000);
    await scene.pass();
    expect(scene.state()).toContain("Stalled=True/RolloutTimedOut");
  });
});
