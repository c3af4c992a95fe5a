import { describe, expect, test } from "vitest";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const api = (tag: string) => ({
  projectId: "shop",
  serviceId: "api",
  deployment: { external: { imagePath: `ghcr.io/acme/api:${tag}` } },
});

describe("a service", { concurrent: true }, () => {
  test("goes to the declared image with one write, and says where it is", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    const object = await scenario.deployment("api", api("1.4.2"));
    const ready = await object.reaches("Ready", { reason: "RolloutComplete" });

    expect(northflank.service("shop", "api").image).toBe("ghcr.io/acme/api:1.4.2");
    expect(scenario.changes().map(({ method, path }) => `${method} ${path}`)).toEqual([
      "POST /v1/projects/shop/services/api/deployment",
    ]);
    expect(kstatusOf(ready)).toBe("Current");
    expect(conditionOf(ready, "InSync")?.status).toBe("True");
    // The version that was created, then one for each write of ours.
    expect(object.versions().length - 1).toBeLessThanOrEqual(3);
    expect(object.versions().slice(0, -1).map(kstatusOf)).toEqual(
      object
        .versions()
        .slice(0, -1)
        .map(() => "InProgress"),
    );
  });
});
