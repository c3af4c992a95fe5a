import { describe, expect, test } from "vitest";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const image = (tag: string) => ({ deployment: { external: { imagePath: `ghcr.io/acme/api:${tag}` } } });
const api = (tag: string, more: object = {}) => ({ projectId: "shop", serviceId: "api", ...image(tag), ...more });
const remoteImage = ({ northflank }: Scenario) => northflank.service("shop", "api").image;
const sent = (scenario: Scenario) => scenario.changes().map(({ method, path, body }) => `${method} ${path} ${body}`);

/* What services of the real API do: they are paused, recreated, rolled out in steps, and keep only some of a body. */
describe("a service", { concurrent: true, timeout: 200_000 }, () => {
  test.each(["A", "B"] as const)(
    "that is paused is Ready, takes an image, and is followed after the resume (form %s)",
    async (form) => {
      await using scenario = await startScenario();
      scenario.northflank.settings.serviceForm = form;
      const object = await scenario.deployment("api", api("1.4.1"));
      await object.reaches("Ready");
      scenario.northflank.pauseService("shop", "api", true);
      await object.reconcileNow();
      const paused = await object.reaches("Ready", { reason: "ServicePaused" });
      expect(kstatusOf(paused)).toBe("Current");
      expect(scenario.changes()).toEqual([]);

      await object.patch(image("1.4.2"));
      await scenario.until("the service has the image", () => remoteImage(scenario) === "ghcr.io/acme/api:1.4.2");
      const changed = await object.reaches("Ready", { reason: "ServicePaused" });
      expect(conditionOf(changed, "InSync")?.status).toBe("True");
      expect(conditionOf(changed, "RolloutComplete")).toMatchObject({ status: "Unknown", reason: "ServicePaused" });

      scenario.northflank.pauseService("shop", "api", false);
      await object.reconcileNow();
      await object.reaches("Ready", { reason: "RolloutComplete" });
      expect(scenario.changes()).toHaveLength(1);
    },
  );

  test("that keeps the image without the command is sent the command alone, once", async () => {
    await using scenario = await startScenario();
    const docker = { configType: "customEntrypoint", customEntrypoint: "bash -c start" };
    const { deployment } = image("1.4.2");
    const object = await scenario.deployment("api", api("1.4.2", { deployment: { ...deployment, docker } }));
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(scenario.northflank.service("shop", "api").docker).toEqual(docker);
    const path = "POST /v1/projects/shop/services/api/deployment";
    // The order of keys is the API server's.
    const bodies = sent(scenario).map((call) => (call.startsWith(path) ? JSON.parse(call.slice(path.length)) : call));
    expect(bodies).toEqual([{ ...deployment, docker }, { docker }]);
  });

  test("that is deleted and created again is another one", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", api("1.4.2"));
    await object.reaches("Ready");
    scenario.northflank.remakeService("shop", "api");
    await object.reconcileNow();
    await object.reaches("Ready", { reason: "RolloutComplete" });
    await scenario.until("the Event", async () =>
      (await scenario.events()).some(({ reason }) => reason === "TargetRecreated"),
    );
  });

  test("is redeployed once for a new token", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", api("1.4.1", { redeployToken: "one" }));
    await object.reaches("Ready");
    expect(scenario.changes()).toEqual([]);
    await object.patch({ redeployToken: "two" });
    await scenario.until("the update", () => scenario.changes().length > 0);
    const ready = await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(ready.status?.redeploy).toMatchObject({ token: "two", outcome: "Sent" });
    await object.reconcileNow();
    await scenario.quiet(500);
    expect(sent(scenario)).toHaveLength(1);
  });

  test("that rolls out in steps waits for its promotion", async () => {
    await using scenario = await startScenario();
    scenario.northflank.setGradualRollout("shop", "api", "canary");
    const object = await scenario.deployment("api", api("1.4.2", { rollout: { timeoutSeconds: 1 } }));
    const waiting = await object.reaches("Ready", { status: "Unknown", reason: "AwaitingPromotion" });
    expect(kstatusOf(waiting)).toBe("InProgress");
    await scenario.quiet(2_000);
    scenario.northflank.promoteRollout("shop", "api");
    await object.reconcileNow();
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(scenario.changes()).toHaveLength(1);
  });
});
