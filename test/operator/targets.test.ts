import { describe, expect, test } from "vitest";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const commit = "12c15e7ee6a1e6b3b1b7f4a1b9a5b0f1c2d3e4f5";
const migrate = (tag: string, more: object = {}) => ({
  projectId: "shop",
  jobId: "migrate",
  deployment: { external: { imagePath: `ghcr.io/acme/migrate:${tag}` } },
  ...more,
});
const jobImage = ({ northflank }: Scenario) => northflank.job("shop", "migrate").image;
const changed = (scenario: Scenario) => scenario.changes().map(({ method, path }) => `${method} ${path}`);
const reasonsOf = async (scenario: Scenario) => (await scenario.events()).map(({ reason }) => reason);

// Each test has an operator, a namespace and a Northflank of its own.
describe("a job as the target of a deployment", { concurrent: true, timeout: 200_000 }, () => {
  test("gets the declared image with one request, and no run is started", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("migrate", migrate("1.5.0"));
    const ready = await object.reaches("Ready", { reason: "InSync" });
    expect(kstatusOf(ready)).toBe("Current");
    expect(jobImage(scenario)).toBe("ghcr.io/acme/migrate:1.5.0");
    expect(changed(scenario)).toEqual(["POST /v1/projects/shop/jobs/migrate/deployment"]);
    expect(new Set(object.versions().slice(0, -1).map(kstatusOf))).toEqual(new Set(["InProgress"]));
    expect(scenario.northflank.runs("shop", "migrate")).toEqual([]);
    await scenario.until("both Events", async () => {
      const reasons = await reasonsOf(scenario);
      return reasons.includes("ChangeApplied") && reasons.includes("DeprecatedRoute");
    });

    // The deprecated call is announced once, not with every change.
    await object.patch(migrate("1.6.0"));
    await object.reaches("Ready", { reason: "InSync" });
    await scenario.quiet(500);
    const announced = (await scenario.events()).filter(({ reason }) => reason === "DeprecatedRoute");
    expect(announced.map(({ type }) => type)).toEqual(["Warning"]);
    expect(jobImage(scenario)).toBe("ghcr.io/acme/migrate:1.6.0");
  });

  test("that has the image already is left alone, and drift is corrected", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("migrate", migrate("1.4.1"));
    await object.reaches("Ready");
    expect(changed(scenario)).toEqual([]);
    scenario.northflank.setJobImage("shop", "migrate", "ghcr.io/acme/migrate:hotfix");
    await object.reconcileNow();
    await scenario.until("the image is back", () => jobImage(scenario) === "ghcr.io/acme/migrate:1.4.1");
    await object.reaches("Ready", { reason: "InSync" });
    expect(changed(scenario)).toHaveLength(1);
  });

  test("that runs by itself when its source changes is warned of, and does", async () => {
    await using scenario = await startScenario({ northflank: { tellsRunOnSourceChange: true } });
    const { northflank } = scenario;
    northflank.addJob("shop", { id: "etl", image: "ghcr.io/acme/etl:1", runOnSourceChange: "always" });
    const deployment = { external: { imagePath: "ghcr.io/acme/etl:2" } };
    const object = await scenario.deployment("etl", { projectId: "shop", jobId: "etl", deployment });
    const ready = await object.reaches("Ready");
    expect(conditionOf(ready, "Ready")?.message).toContain("runOnSourceChange of the job is always");
    expect(northflank.runs("shop", "etl").map(({ startedBy }) => startedBy)).toEqual(["other"]);
    await scenario.until("the Event", async () => (await reasonsOf(scenario)).includes("RunsOnSourceChange"));
  });

  test("belongs to the older of two objects", async () => {
    await using scenario = await startScenario();
    const older = await scenario.deployment("a-older", migrate("1.5.0"));
    await older.reaches("Ready");
    const heir = await scenario.deployment("b-heir", migrate("1.6.0"));
    await heir.reaches("Stalled", { reason: "TargetConflict" });
    await older.delete();
    await heir.reaches("Ready");
    expect(jobImage(scenario)).toBe("ghcr.io/acme/migrate:1.6.0");
  });

  test.each(["GET", "POST"] as const)(
    "whose deprecated %s is gone is Stalled, names what to use instead, and asks no more",
    async (method) => {
      await using scenario = await startScenario();
      const { northflank } = scenario;
      northflank.removeRoute(method, "/v1/projects/{project}/jobs/{job}/deployment", 404);
      const object = await scenario.deployment("migrate", migrate("1.5.0"));
      const stalled = await object.reaches("Stalled", { reason: "UnsupportedTarget" });
      expect(kstatusOf(stalled)).toBe("Failed");
      expect(conditionOf(stalled, "Ready")?.message).toContain("spec.deployment of a NorthflankJobRun");
      await scenario.quiet(500);
      const calls = northflank.calls.length;
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(northflank.calls.length).toBe(calls);

      northflank.removeRoute(method, "/v1/projects/{project}/jobs/{job}/deployment", undefined);
      await object.reconcileNow();
      await object.reaches("Ready");
      expect(jobImage(scenario)).toBe("ghcr.io/acme/migrate:1.5.0");
    },
  );

  test("that does not exist is polled, which is another thing than a call that is gone", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("new", migrate("1.5.0", { jobId: "new" }));
    await object.reaches("Stalled", { reason: "TargetNotFound" });
    scenario.northflank.addJob("shop", { id: "new", image: "ghcr.io/acme/migrate:1.0.0" });
    await object.reconcileNow();
    await object.reaches("Ready");
    expect(scenario.northflank.job("shop", "new").image).toBe("ghcr.io/acme/migrate:1.5.0");
  });
});

describe("types of services", { concurrent: true, timeout: 200_000 }, () => {
  const docker = { configType: "customCommand", customCommand: "serve --port 80" };

  test("a combined service takes what is started in it, also by its own patch", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    const spec = { projectId: "shop", serviceId: "storefront", deployment: { docker } };
    const object = await scenario.deployment("storefront", spec);
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(northflank.service("shop", "storefront")).toMatchObject({ docker });

    northflank.removeRoute("POST", "/v1/projects/{project}/services/{service}/deployment", 410);
    const other = { ...docker, customCommand: "serve --port 81" };
    await object.patch({ deployment: { docker: other } });
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(northflank.service("shop", "storefront")).toMatchObject({ docker: other });
    expect(changed(scenario).at(-1)).toBe("PATCH /v1/projects/shop/services/combined/storefront");
    await scenario.until("the Event", async () => (await reasonsOf(scenario)).includes("FallbackUsed"));
  });

  test.each([
    ["storefront", "takes no external image"],
    ["builder", "is a build service"],
  ])("an image on %s is refused with the reason, and nothing is sent", async (serviceId, said) => {
    await using scenario = await startScenario();
    const deployment = { external: { imagePath: "ghcr.io/acme/api:1.5.0" } };
    const object = await scenario.deployment("refused", { projectId: "shop", serviceId, deployment });
    const stalled = await object.reaches("Stalled", { reason: "UnsupportedTarget" });
    expect(conditionOf(stalled, "Ready")?.message).toContain(said);
    expect(changed(scenario)).toEqual([]);
  });
});

describe("continuous deployment of Northflank", { concurrent: true, timeout: 200_000 }, () => {
  const pinned = (more: object = {}) => ({
    projectId: "shop",
    serviceId: "api",
    deployment: { internal: { id: "builder", branch: "main", buildSHA: commit } },
    ...more,
  });

  test("that would replace the declared build is told, and the build is deployed", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", pinned());
    const ready = await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(conditionOf(ready, "Ready")?.message).toContain("continuous deployment is on");
    expect(changed(scenario)).toHaveLength(1);
    await scenario.until("the Event", async () => (await reasonsOf(scenario)).includes("ContinuousDeploymentEnabled"));
  });

  test("is rejected where the spec says so, until it is off", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", pinned({ continuousDeployment: "Reject" }));
    const stalled = await object.reaches("Stalled", { reason: "ContinuousDeploymentEnabled" });
    expect(kstatusOf(stalled)).toBe("Failed");
    expect(changed(scenario)).toEqual([]);
    scenario.northflank.setContinuousDeployment("shop", "api", false);
    await object.reconcileNow();
    const ready = await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(conditionOf(ready, "Ready")?.message).not.toContain("continuous deployment");
  });
});
