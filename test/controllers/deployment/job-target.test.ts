import { beforeEach, describe, expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import type { BuildView, JobSource } from "../../../src/northflank/types.ts";
import { build, deployment, job } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

const image = "ghcr.io/acme/etl:2";
const post = `post job etl {"external":{"imagePath":"${image}"}}`;
const look = ["get source of job etl (change)", "get job etl (change)"];
const readyAt =
  "Ready=True/InSync Accepted=True/Accepted InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current";

let scene: DeploymentScene;

beforeEach(() => {
  scene = new DeploymentScene();
  scene.northflank.hasJob(job());
});

/** An object that declares `ghcr.io/acme/etl:2` for the job `etl`. */
function jobDeployment(
  spec: Partial<NorthflankDeployment["spec"]> = {},
  metadata: Partial<NorthflankDeployment["metadata"]> = {},
): NorthflankDeployment {
  const { serviceId: _, ...rest } = deployment().spec;
  const source = { external: { imagePath: image } };
  return { ...deployment({ metadata }), spec: { ...rest, jobId: "etl", deployment: source, ...spec } };
}

function running(imagePath: string): JobSource {
  const { external } = job({ imagePath });
  return { image: imagePath, external, internal: undefined };
}

/** An object that is settled; calls, events and metrics so far are taken. */
async function settled(spec: Partial<NorthflankDeployment["spec"]> = {}): Promise<void> {
  scene.has(jobDeployment(spec));
  await scene.settle();
  expect(scene.kstatus()).toBe("Current");
  scene.northflank.takeCalls();
  scene.takeEvents();
  scene.metrics.length = 0;
  scene.statusWrites = 0;
}

describe("a job", () => {
  test("gets the declared image with one request, which is read back before it is Ready", async () => {
    scene.has(jobDeployment());
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 2_000, priority: "follow" });
    expect(scene.northflank.takeCalls()).toEqual([...look, post]);
    expect(scene.state()).toBe(
      "Ready=Unknown/ApplyingChange Reconciling=True/Progressing Accepted=True/Accepted InSync=True/InSync " +
        "RolloutComplete=Unknown/ApplyingChange -> InProgress",
    );
    await scene.clock.advance(2_000);
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 900_000, priority: "resync" });
    expect(scene.northflank.takeCalls()).toEqual(look);
    expect(scene.state()).toBe(readyAt);
    expect(scene.object().status).toMatchObject({
      target: "job/etl",
      image,
      changes: [{ source: image, previousSource: "ghcr.io/acme/etl:1", cause: "SpecChanged", phase: "Complete" }],
    });
    expect(scene.metrics).toEqual(["change", "ready after 2 s"]);
  });

  test("that has the declared image already is not written to", async () => {
    scene.northflank.hasJob(job({ imagePath: image }));
    scene.has(jobDeployment());
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(look);
    expect(scene.state()).toBe(readyAt);
  });

  test("is compared although the deprecated answer has lost the host of the image", async () => {
    const external = { imagePath: "acme/etl:2", credentials: undefined, registryProvider: "github" };
    scene.northflank.hasJob(job({ image: "acme/etl:2", external }));
    scene.has(jobDeployment());
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(look);
    expect(scene.state()).toBe(readyAt);
  });

  test("costs one request per resync, and two where what is started is declared as well", async () => {
    await settled();
    await scene.clock.advance(900_000);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get source of job etl (observe)"]);

    scene = new DeploymentScene();
    scene.northflank.hasJob(job({ docker: { configType: "default" } }));
    const docker = { configType: "customCommand", customCommand: "run" } as const;
    await settled({ deployment: { external: { imagePath: image }, docker } });
    await scene.clock.advance(900_000);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get source of job etl (observe)", "get job etl (observe)"]);
    expect(scene.statusWrites).toBe(0);
  });

  test("whose image somebody changed gets it back at the next resync", async () => {
    await settled();
    await scene.clock.advance(900_000);
    scene.northflank.changeJob("etl", running("ghcr.io/acme/etl:hotfix"));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get source of job etl (observe)", "get job etl (observe)", post]);
    expect(scene.metrics).toEqual(["drift", "change"]);
  });

  test("that does not show a change yet is not sent it again for a minute, and then is", async () => {
    scene.has(jobDeployment());
    await scene.pass();
    scene.northflank.changeJob("etl", running("ghcr.io/acme/etl:1"));
    scene.northflank.takeCalls();
    const posted: number[] = [];
    for (const start = scene.clock.now(); scene.clock.now() - start < 70_000; ) {
      const outcome = await scene.pass();
      if (scene.northflank.takeCalls().includes(post)) posted.push(scene.clock.now() - start);
      await scene.clock.advance(outcome.kind === "recheck" ? outcome.afterMs : 70_000);
    }
    expect(posted).toHaveLength(1);
    expect(posted[0]).toBeGreaterThanOrEqual(60_000);
  });

  test("that somebody changes back again and again is a fight", async () => {
    await settled();
    for (let count = 0; count < 6; count++) {
      scene.northflank.changeJob("etl", running("ghcr.io/acme/etl:theirs"));
      scene.annotate({ [reconcileRequestedAt]: "once" });
      await scene.pass();
      await scene.clock.advance(61_000);
    }
    expect(scene.northflank.takeCalls().filter((call) => call === post)).toHaveLength(3);
    expect(scene.state()).toContain("Stalled=True/FightDetected");
  });

  test("under Observe is read and never written, and nothing is warned of", async () => {
    scene.northflank.changeJob("etl", { runOnSourceChange: "always" });
    scene.has(jobDeployment({ managementPolicy: "Observe" }));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(look);
    expect(scene.state()).toContain("Ready=True/DriftObserved");
    expect(scene.takeEvents()).toEqual([]);
  });

  test("that does not exist is TargetNotFound, not an unsupported one", async () => {
    scene.has(jobDeployment({ jobId: "nowhere" }));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get source of job nowhere (change)", "get job nowhere (change)"]);
    expect(scene.state()).toContain("Stalled=True/TargetNotFound");
  });

  test("waits for a run like a service does", async () => {
    scene.has(jobDeployment({ waitFor: [{ jobRunRef: { name: "prepare" } }] }));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(look);
    expect(scene.state()).toContain("Ready=Unknown/WaitingForDependency");
  });

  test("has one owner: the older object wins, and the heir takes over", async () => {
    const earlier = "2025-12-31T22:00:00Z";
    scene.has(jobDeployment({}, { name: "older", creationTimestamp: earlier }));
    scene.has(jobDeployment({ deployment: { external: { imagePath: "ghcr.io/acme/etl:3" } } }));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([]);
    expect(scene.state()).toContain("Stalled=True/TargetConflict");
    scene.remove("shop/older");
    await scene.pass();
    expect(scene.northflank.takeCalls()).toContain('post job etl {"external":{"imagePath":"ghcr.io/acme/etl:3"}}');
  });

  test("is no rival of a service with the same id", async () => {
    scene.has(deployment({ metadata: { name: "service" }, spec: { serviceId: "etl" } }));
    scene.has(jobDeployment());
    await scene.pass();
    expect(scene.state()).not.toContain("TargetConflict");
  });
});

describe("a deprecated route", () => {
  test("is announced once, whatever follows", async () => {
    scene.has(jobDeployment());
    await scene.settle();
    scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/etl:3" } } });
    await scene.settle();
    scene.restart();
    scene.annotate({ [reconcileRequestedAt]: "now" });
    await scene.settle();
    const announced = scene.takeEvents().filter((event) => event.startsWith("Warning DeprecatedRoute"));
    expect(announced).toHaveLength(1);
    expect(scene.object().status?.warnings).toEqual(["DeprecatedRoute"]);
    expect(scene.message()).not.toContain("deprecated");
  });

  const codes = ["not_found", "wrong_method", "gone"] as const;

  test.each(codes)(
    "that tells the source and answers %s is UnsupportedTarget, with what to use instead",
    async (code) => {
      scene.northflank.failNext("getJobDeployment", northflankError(code));
      scene.has(jobDeployment());
      expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 3_600_000, priority: "resync" });
      expect(scene.northflank.takeCalls()).toEqual(look);
      expect(scene.state()).toContain("Stalled=True/UnsupportedTarget Accepted=False/UnsupportedTarget");
      expect(scene.message()).toContain("spec.deployment of a NorthflankJobRun");
      // No loop: nothing is asked until the slow probe, which finds the route again.
      await scene.pass();
      expect(scene.northflank.takeCalls()).toEqual([]);
      await scene.clock.advance(3_600_000);
      await scene.pass();
      expect(scene.northflank.takeCalls()).toEqual([...look, post]);
    },
  );

  test.each(codes)("that changes the source and answers %s is UnsupportedTarget as well", async (code) => {
    scene.northflank.failNext("updateJobDeployment", northflankError(code));
    scene.has(jobDeployment());
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 3_600_000, priority: "resync" });
    expect(scene.northflank.takeCalls()).toEqual([...look, post]);
    expect(scene.state()).toContain("Stalled=True/UnsupportedTarget");
    expect(scene.message()).toContain("spec.deployment of a NorthflankJobRun");
    expect(scene.object().status?.pendingChanges).toHaveLength(1);
  });

  test("that answers 401 is another thing: the Secret is read again and the look goes on", async () => {
    scene.northflank.failNext("getJobDeployment", northflankError("unauthorized"));
    scene.has(jobDeployment());
    await scene.pass();
    expect(scene.rejectedTokens).toBe(1);
    expect(scene.northflank.takeCalls()).toContain(post);
  });
});

test.each<[string, readonly BuildView[] | undefined, string]>([
  ["that builds nothing", undefined, "Job shop/etl builds nothing itself, or the token cannot see it. Set deployment."],
  ["without such a build", [build({ sha: "b".repeat(40) })], `Job shop/etl has no build of commit ${"a".repeat(40)}.`],
  [
    "whose build is not over",
    [build({ id: "b-1", sha: "a".repeat(40), outcome: "active" })],
    "of job shop/etl is not over",
  ],
])("a job %s, and is declared to run its own, is called a job", async (_what, builds, said) => {
  if (builds !== undefined) scene.northflank.hasBuilds("etl", builds);
  scene.has(jobDeployment({ deployment: { internal: { id: "etl", buildSHA: "a".repeat(40) } } }));
  await scene.pass();
  expect(scene.message()).toContain(said);
});

describe("a change whose answer is lost", () => {
  test("is read back, and not sent again", async () => {
    scene.northflank.failNext("updateJobDeployment", northflankError("timeout"), { isDone: true });
    scene.has(jobDeployment());
    await scene.pass();
    scene.northflank.takeCalls();
    await scene.clock.advance(5_000);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(look);
    expect(scene.state()).toBe(readyAt);
  });
});

describe("a job that runs by itself when its source changes", () => {
  test.each(["always", "cd-promote", "WHENEVER"])("(%s) is warned of once, and in Ready", async (runOnSourceChange) => {
    scene.northflank.changeJob("etl", { runOnSourceChange });
    scene.has(jobDeployment());
    await scene.pass();
    expect(scene.takeEvents().map((event) => event.split(":")[0])).toEqual([
      "Warning RunsOnSourceChange",
      "Warning DeprecatedRoute",
      "Normal ChangeApplied",
    ]);
    expect(scene.message()).toContain(`runOnSourceChange of the job is ${runOnSourceChange}`);
    await scene.settle();
    expect(scene.state()).toBe(readyAt);
    expect(scene.message()).toContain(`runOnSourceChange of the job is ${runOnSourceChange}`);
    // A resync reads the source alone, and forgets nothing.
    scene.statusWrites = 0;
    await scene.clock.advance(900_000);
    await scene.pass();
    expect([scene.takeEvents(), scene.statusWrites]).toEqual([[], 0]);
    expect(scene.object().status?.warnings).toEqual(["RunsOnSourceChange", "DeprecatedRoute"]);
  });

  test.each([["never"], [undefined]])("(%s) is not", async (runOnSourceChange) => {
    scene.northflank.changeJob("etl", { runOnSourceChange });
    scene.has(jobDeployment());
    await scene.settle();
    expect(scene.message()).not.toContain("runOnSourceChange");
    expect(scene.object().status?.warnings).toEqual(["DeprecatedRoute"]);
  });

  test("or not, which Northflank does not tell, is said along with the deprecated route", async () => {
    scene.northflank.changeJob("etl", { runOnSourceChange: undefined });
    scene.has(jobDeployment());
    await scene.pass();
    expect(scene.takeEvents()[0]).toMatch(/^Warning DeprecatedRoute: .*does not return whether the job runs by itself/);
  });

  test("is warned of no longer once it does not", async () => {
    scene.northflank.changeJob("etl", { runOnSourceChange: "always" });
    await settled();
    scene.northflank.changeJob("etl", { runOnSourceChange: "never" });
    scene.annotate({ [reconcileRequestedAt]: "now" });
    await scene.clock.advance(10_000);
    await scene.pass();
    expect(scene.message()).not.toContain("runOnSourceChange");
    expect(scene.object().status?.warnings).toEqual(["DeprecatedRoute"]);
  });

  test("is not warned of where the source is left alone", async () => {
    scene.northflank.changeJob("etl", { runOnSourceChange: "always", docker: { configType: "default" } });
    scene.has(jobDeployment({ deployment: { docker: { configType: "customCommand", customCommand: "run" } } }));
    await scene.settle();
    expect(scene.message()).not.toContain("runOnSourceChange");
  });
});
