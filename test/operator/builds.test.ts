import { describe, expect, test } from "vitest";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const sha = "a".repeat(40);
const of = (internal: object) => ({ deployment: { internal: { id: "builder", branch: "main", ...internal } } });
const api = (internal: object, more: object = {}) => ({
  projectId: "shop",
  serviceId: "api",
  ...of(internal),
  ...more,
});
const remote = ({ northflank }: Scenario) => northflank.service("shop", "api");
const readsOfBuilds = ({ northflank }: Scenario) => northflank.calls.filter(({ path }) => path.includes("/build"));

describe("a deployment of a build", { concurrent: true, timeout: 200_000 }, () => {
  test.each(["A", "B"] as const)(
    "waits for it, deploys it, and asks no more (form %s of the answers)",
    async (form) => {
      await using scenario = await startScenario({ northflank: { serviceForm: form } });
      const { northflank } = scenario;
      const build = northflank.startBuild("shop", "builder", { sha, outcome: "never" });
      const object = await scenario.deployment("api", api({ buildId: build.id }));
      const waiting = await object.reaches("Reconciling");
      expect(conditionOf(waiting, "Ready")).toMatchObject({ status: "Unknown", reason: "WaitingForBuild" });
      expect(kstatusOf(waiting)).toBe("InProgress");
      expect(waiting.status?.build).toMatchObject({ builder: "shop/builder", id: build.id, sha, outcome: "Active" });
      await scenario.until("a few reads", () => readsOfBuilds(scenario).length >= 3);
      expect(scenario.changes()).toEqual([]);
      // Created, and said so: no read of a build that is still running is worth a write.
      expect(object.versions().length).toBeLessThanOrEqual(3);

      northflank.finishBuild("shop", "builder", build.id, "SUCCESS");
      await object.reaches("Ready", { reason: "RolloutComplete" });
      expect(remote(scenario)).toMatchObject({ deployedSHA: sha, internal: { buildId: build.id } });
      expect(scenario.changes()).toHaveLength(1);

      const before = readsOfBuilds(scenario).length;
      await object.reconcileNow();
      await scenario.quiet(500);
      expect(scenario.changes()).toHaveLength(1);
      expect(readsOfBuilds(scenario)).toHaveLength(before);
    },
  );

  test("says that it failed, and continues with the next one of the same commit", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    northflank.addBuild("shop", "builder", { sha, status: "FAILURE" });
    const object = await scenario.deployment("api", api({ buildSHA: sha }));
    const failed = await object.reaches("Stalled", { reason: "BuildFailed" });
    expect(kstatusOf(failed)).toBe("Failed");
    expect(conditionOf(failed, "Ready")?.message).toContain("See its log in Northflank");
    northflank.startBuild("shop", "builder", { sha });
    await object.reconcileNow();
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(remote(scenario).deployedSHA).toBe(sha);
    expect(scenario.changes()).toHaveLength(1);
  });

  test("that does not exist sends nothing, and continues when it does", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", api({ buildSHA: sha }));
    const missing = await object.reaches("Stalled", { reason: "BuildNotFound" });
    expect(conditionOf(missing, "Ready")?.message).toContain(`no build of commit ${sha}`);
    expect(scenario.changes()).toEqual([]);
    scenario.northflank.addBuild("shop", "builder", { sha });
    await object.reconcileNow();
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(scenario.changes()).toHaveLength(1);
  });

  test("follows the latest of a branch from the very first one on, without a write of its own", async () => {
    await using scenario = await startScenario({ northflank: { buildMs: 1_000 } });
    const { northflank } = scenario;
    northflank.addService("shop", { id: "fresh", serviceType: "build" });
    const object = await scenario.deployment("api", api({ id: "fresh", buildSHA: "latest" }));
    await object.becomes("waits for the first build", ({ status }) =>
      (status?.conditions ?? []).some(({ type, reason }) => type === "Ready" && reason === "WaitingForBuild"),
    );
    northflank.startBuild("shop", "fresh", { sha });
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(remote(scenario).deployedSHA).toBe(sha);
    northflank.addBuild("shop", "fresh", { sha: "b".repeat(40) });
    await scenario.until("the next build runs", () => remote(scenario).rolloutCount === 3);
    await scenario.until("it is rolled out", () => remote(scenario).rolloutStatus === "COMPLETED");
    await object.reconcileNow();
    const ready = await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(kstatusOf(ready)).toBe("Current");
    expect(scenario.changes()).toHaveLength(1);
  });

  test("is waited for across a restart", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    const build = northflank.startBuild("shop", "builder", { sha, outcome: "never" });
    const object = await scenario.deployment("api", api({ buildSHA: sha }));
    await object.reaches("Reconciling");
    await scenario.restart();
    northflank.finishBuild("shop", "builder", build.id, "SUCCESS");
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(scenario.changes()).toHaveLength(1);
  });
});
