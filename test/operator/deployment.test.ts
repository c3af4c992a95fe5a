import { describe, expect, test } from "vitest";
import { lastAppliedConfiguration, northflankDeployments } from "../../src/api/names.ts";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const image = (tag: string) => ({ deployment: { external: { imagePath: `ghcr.io/acme/api:${tag}` } } });
const api = (tag: string, more: object = {}) => ({ projectId: "shop", serviceId: "api", ...image(tag), ...more });
const remoteImage = ({ northflank }: Scenario) => northflank.service("shop", "api").image;

// Each test has an operator, a namespace and a Northflank of its own.
describe("a deployment", { concurrent: true, timeout: 200_000 }, () => {
  test("goes to the declared image with one request, and says all the way where it is", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", api("1.4.2"));
    const ready = await object.reaches("Ready", { reason: "RolloutComplete" });

    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.4.2");
    expect(scenario.changes().map(({ method, path }) => `${method} ${path}`)).toEqual([
      "POST /v1/projects/shop/services/api/deployment",
    ]);
    expect(kstatusOf(ready)).toBe("Current");
    expect(conditionOf(ready, "InSync")?.status).toBe("True");
    // The version that was created, then one for each status that was written.
    const before = object.versions().slice(0, -1);
    expect(before.length).toBeLessThanOrEqual(3);
    expect(new Set(before.map(kstatusOf))).toEqual(new Set(["InProgress"]));
    expect((await scenario.writes()).filter(({ path }) => path.endsWith("/api/status")).length).toBeLessThanOrEqual(3);

    await scenario.until("both Events", async () => {
      const reasons = (await scenario.events()).map(({ reason }) => reason);
      return reasons.includes("ChangeApplied") && reasons.includes("RolloutComplete");
    });
  });

  test("says nothing and asks for nothing once it is ready", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", api("1.4.1"));
    await object.reaches("Ready");
    // The image was there already.
    expect(scenario.changes()).toEqual([]);
    await scenario.quiet(1_000);
    const calls = scenario.northflank.calls.length;
    const versions = object.versions().length;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(scenario.northflank.calls.length).toBe(calls);
    expect(object.versions().length).toBe(versions);
  });

  test("is Stalled when the rollout failed, and recovers with the next image", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", api("2.0.0-broken"));
    const failed = await object.reaches("Stalled", { reason: "RolloutFailed" });
    expect(kstatusOf(failed)).toBe("Failed");
    await object.patch(image("2.0.1"));
    const ready = await object.reaches("Ready");
    expect(kstatusOf(ready)).toBe("Current");
    expect(scenario.changes()).toHaveLength(2);
  });

  test("is Stalled when the rollout takes too long, and Ready when it completes after all", async () => {
    await using scenario = await startScenario();
    scenario.northflank.hangNextRollout("shop", "api");
    const object = await scenario.deployment("api", api("1.4.2", { rollout: { timeoutSeconds: 2 } }));
    const late = await object.reaches("Stalled", { reason: "RolloutTimedOut" });
    expect(kstatusOf(late)).toBe("Failed");
    scenario.northflank.finishRollout("shop", "api", "COMPLETED");
    await object.reconcileNow();
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(scenario.changes()).toHaveLength(1);
  });

  test("under Observe shows field by field what would change, and writes nothing", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", api("1.4.2", { managementPolicy: "Observe" }));
    const ready = await object.reaches("Ready", { reason: "DriftObserved" });
    expect(ready.status?.pendingChanges).toEqual([
      { path: "deployment.external.imagePath", from: "ghcr.io/acme/api:1.4.1", to: "ghcr.io/acme/api:1.4.2" },
    ]);
    expect(conditionOf(ready, "InSync")?.status).toBe("False");
    expect(kstatusOf(ready)).toBe("Current");
    await object.reconcileNow();
    await scenario.quiet(500);
    expect(scenario.changes()).toEqual([]);
  });

  test("under EnforceOnChange writes what is declared anew, and only tells of drift", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", api("1.4.2", { managementPolicy: "EnforceOnChange" }));
    await object.reaches("Ready", { reason: "RolloutComplete" });
    scenario.northflank.setImage("shop", "api", "ghcr.io/acme/api:hotfix");
    await object.reconcileNow();
    const drifted = await object.reaches("Ready", { reason: "DriftObserved" });
    expect(conditionOf(drifted, "InSync")?.status).toBe("False");
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:hotfix");
    await object.patch(image("1.5.0"));
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.5.0");
    expect(scenario.changes()).toHaveLength(2);
  });

  test("that is suspended waits, keeps what it had, and continues afterwards", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", api("1.4.2", { suspend: true }));
    const suspended = await object.reaches("Suspended");
    expect(conditionOf(suspended, "Ready")).toMatchObject({ status: "False", reason: "Suspended" });
    await object.reconcileNow();
    expect(scenario.changes()).toEqual([]);

    await object.patch({ suspend: false });
    await object.reaches("Ready");
    await object.patch({ suspend: true });
    const kept = await object.reaches("Suspended");
    expect(conditionOf(kept, "Ready")?.status).toBe("True");
    expect(kstatusOf(kept)).toBe("Current");

    await object.patch(image("1.5.0"));
    await object.reaches("Ready", { status: "False", reason: "Suspended" });
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.4.2");
    await object.patch({ suspend: false });
    await object.reaches("Ready");
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.5.0");
  });

  test("corrects drift in Northflank at the next resync", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", api("1.4.2"));
    await object.reaches("Ready");
    scenario.northflank.setImage("shop", "api", "ghcr.io/acme/api:hotfix");
    await object.reconcileNow();
    await scenario.until("the image is back", () => remoteImage(scenario) === "ghcr.io/acme/api:1.4.2");
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(scenario.changes()).toHaveLength(2);
  });

  test("stops writing when another client changes it back again and again", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    // Another controller, which wants its own image and is quick.
    northflank.observer = ({ method }) => {
      if (method === "POST") northflank.setImage("shop", "api", "ghcr.io/acme/api:theirs");
    };
    const object = await scenario.deployment("api", api("1.4.2"));
    const fought = await object.reaches("Stalled", { reason: "FightDetected" });
    expect(kstatusOf(fought)).toBe("Failed");
    const changes = scenario.changes().length;
    expect(changes).toBeLessThanOrEqual(4);
    await scenario.quiet(1_500);
    expect(scenario.changes()).toHaveLength(changes);
  });

  test("leaves the target to the older one, and takes it over when that is gone", async () => {
    await using scenario = await startScenario();
    const older = await scenario.deployment("a-older", api("1.4.2"));
    await older.reaches("Ready");
    const heir = await scenario.deployment("b-heir", api("1.5.0"));
    const stalled = await heir.reaches("Stalled", { reason: "TargetConflict" });
    expect(kstatusOf(stalled)).toBe("Failed");
    expect(conditionOf(stalled, "Ready")?.message).toContain("a-older");
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.4.2");
    await older.delete();
    await heir.reaches("Ready", { reason: "RolloutComplete" });
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.5.0");
  });

  test("is not held up by an older one that only observes, until that one begins to write", async () => {
    await using scenario = await startScenario();
    const observer = await scenario.deployment("a-observer", { ...api("1.4.2"), managementPolicy: "Observe" });
    await observer.reaches("Ready", { reason: "DriftObserved" });
    const writer = await scenario.deployment("b-writer", api("1.5.0"));
    await writer.reaches("Ready", { reason: "RolloutComplete" });
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.5.0");

    await observer.patch({ managementPolicy: "Enforce" });
    await writer.reaches("Stalled", { reason: "TargetConflict" });
    await observer.reaches("Ready", { reason: "RolloutComplete" });
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.4.2");

    await observer.patch({ managementPolicy: "Observe" });
    await writer.reaches("Ready", { reason: "RolloutComplete" });
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.5.0");
  });

  test("of a service that does not exist says so, and continues when there is one", async () => {
    await using scenario = await startScenario();
    const spec = { ...api("1.4.2"), serviceId: "new" };
    const object = await scenario.deployment("new", spec);
    const stalled = await object.reaches("Stalled", { reason: "TargetNotFound" });
    expect(kstatusOf(stalled)).toBe("Failed");
    expect(scenario.changes()).toEqual([]);
    scenario.northflank.addService("shop", { id: "new", image: "ghcr.io/acme/new:0" });
    await object.reconcileNow();
    await object.reaches("Ready");
  });

  test("with a field that the API server dropped is not sent, but called invalid", async () => {
    await using scenario = await startScenario();
    const object = await scenario.create(northflankDeployments, "api", { ...api("1.4.2"), suspendd: true });
    expect((await object.get()).spec).not.toHaveProperty("suspendd");
    const stalled = await object.reaches("Stalled", { reason: "InvalidSpec" });
    expect(conditionOf(stalled, "Ready")?.message).toContain("suspendd");
    await object.reconcileNow();
    expect(scenario.changes()).toEqual([]);
    await object.annotate({ [lastAppliedConfiguration]: null });
    await object.reaches("Ready");
  });

  test("that is deleted leaves the service as it is", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", api("1.4.2"));
    await object.reaches("Ready");
    await object.delete();
    await object.isGone();
    await scenario.quiet(500);
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.4.2");
    expect(scenario.changes()).toHaveLength(1);
  });
});
