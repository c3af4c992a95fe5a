import { describe, expect, test } from "vitest";
import type { Fault } from "../../sandbox/http.ts";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, type Handle, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const image = (tag: string) => ({ deployment: { external: { imagePath: `ghcr.io/acme/api:${tag}` } } });
const rollout = { onFailure: "Restore", timeoutSeconds: 60 };
const api = (tag: string, more: object = {}) => ({
  projectId: "shop",
  serviceId: "api",
  ...image(tag),
  rollout,
  ...more,
});
const remoteImage = ({ northflank }: Scenario) => northflank.service("shop", "api").image;

/** The images that were sent, in order. */
function sent(scenario: Scenario): readonly string[] {
  return scenario.changes().map(({ body }) => JSON.parse(body).external.imagePath.split(":").at(-1));
}

/** Image 1.5.0 is deployed and complete. */
async function settled(scenario: Scenario): Promise<Handle> {
  const object = await scenario.deployment("api", api("1.5.0"));
  await object.reaches("Ready", { reason: "RolloutComplete" });
  return object;
}

describe("onFailure: Restore", { concurrent: true, timeout: 200_000 }, () => {
  test("puts back the last good image, once, and says so until another one is declared", async () => {
    await using scenario = await startScenario();
    const object = await settled(scenario);
    await object.patch(image("2.0.0-broken"));
    const restored = await object.reaches("Restored", { reason: "Restored" });
    expect(kstatusOf(restored)).toBe("Failed");
    expect(conditionOf(restored, "Stalled")?.reason).toBe("RolloutFailed");
    expect(conditionOf(restored, "Ready")?.message).toContain("ghcr.io/acme/api:1.5.0, the last good source");
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.5.0");
    await scenario.quiet(1_000);
    expect(sent(scenario)).toEqual(["1.5.0", "2.0.0-broken", "1.5.0"]);
    await scenario.until("the Event", async () =>
      (await scenario.events()).some(({ reason, type }) => reason === "Restored" && type === "Warning"),
    );

    await object.patch(image("2.0.1"));
    const ready = await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(conditionOf(ready, "Restored")).toBeUndefined();
    expect(sent(scenario)).toEqual(["1.5.0", "2.0.0-broken", "1.5.0", "2.0.1"]);
  });

  test("tries again when it is asked to, and takes that back too", async () => {
    await using scenario = await startScenario();
    const object = await settled(scenario);
    scenario.northflank.failNextRollout("shop", "api");
    await object.patch(image("2.0.0"));
    await object.reaches("Restored");
    await object.reconcileNow();
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(sent(scenario)).toEqual(["1.5.0", "2.0.0", "1.5.0", "2.0.0"]);
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:2.0.0");
  });

  test("keeps what was there before the first change in mind, and says when it is not told enough of it", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    const object = await scenario.deployment("api", api("2.0.0-broken"));
    await object.reaches("Restored", { reason: "Restored" });
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.4.1");

    northflank.settings.serviceForm = "A";
    const web = { projectId: "shop", serviceId: "web", ...image("2.0.0-broken"), rollout };
    const other = await scenario.deployment("web", web);
    const failed = await other.reaches("Stalled", { reason: "RolloutFailed" });
    expect(conditionOf(failed, "Restored")).toMatchObject({ status: "False", reason: "NothingToRestore" });
    await scenario.quiet(500);
    expect(northflank.service("shop", "web").image).toBe("ghcr.io/acme/api:2.0.0-broken");
  });

  test("puts back a build, too", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    const [good, bad] = ["a", "b"].map((digit) => northflank.addBuild("shop", "builder", { sha: digit.repeat(40) }));
    const of = (build: typeof good) => ({ deployment: { internal: { id: "builder", buildId: build?.id ?? "" } } });
    const object = await scenario.deployment("api", { projectId: "shop", serviceId: "api", ...of(good), rollout });
    await object.reaches("Ready", { reason: "RolloutComplete" });
    northflank.failNextRollout("shop", "api");
    await object.patch(of(bad));
    await object.reaches("Restored", { reason: "Restored" });
    expect(northflank.service("shop", "api").deployedSHA).toBe(good?.sha);
    expect(scenario.changes()).toHaveLength(3);
  });

  // Killed as the POST that puts the good image back arrives, or when it is carried out and not answered yet.
  test.each<Fault["kind"]>(["reset-before", "reset-after"])("survives a SIGKILL in the POST (%s)", async (kind) => {
    await using scenario = await startScenario({ flags: ["--leader-elect=false"] });
    const { northflank } = scenario;
    const object = await settled(scenario);
    const victim = scenario.operator;
    let isKilled = false;
    northflank.fault = (call) => {
      if (isKilled || call.method !== "POST" || !call.body.includes("1.5.0")) return undefined;
      isKilled = true;
      const kill = async () => {
        victim.signal("SIGKILL");
        await victim.exited;
      };
      return kind === "reset-before" ? { kind, before: kill } : { kind, after: kill };
    };
    await object.patch(image("2.0.0-broken"));
    await victim.exited;
    expect((await object.get()).status).toMatchObject({ changes: [{ cause: "RolledBack", phase: "Sending" }, {}, {}] });
    await scenario.startOperator().ready();
    await object.reaches("Restored", { reason: "Restored" });
    await scenario.quiet(1_000);
    expect(remoteImage(scenario)).toBe("ghcr.io/acme/api:1.5.0");
    const expected = ["1.5.0", "2.0.0-broken", "1.5.0"];
    expect(sent(scenario)).toEqual(kind === "reset-before" ? [...expected, "1.5.0"] : expected);
  });
});
