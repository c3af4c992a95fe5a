import { describe, expect, test } from "vitest";
import { revision } from "../../src/api/names.ts";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const gated = {
  projectId: "shop",
  serviceId: "api",
  deployment: { external: { imagePath: "ghcr.io/acme/api:1.5.0" } },
  waitFor: [{ jobRunRef: { name: "migrate" } }],
};
const deployed = ({ northflank }: Scenario) => northflank.service("shop", "api").image === "ghcr.io/acme/api:1.5.0";

// Each test has an operator, a namespace and a Northflank of its own.
describe("a deployment that waits for a run", { concurrent: true, timeout: 200_000 }, () => {
  test("waits while there is none and while it runs, and continues when it has succeeded", async () => {
    await using scenario = await startScenario();
    scenario.northflank.hangNextRun("shop", "migrate");
    const object = await scenario.deployment("api", gated);
    const waiting = await object.becomes(
      "waits",
      (one) => conditionOf(one, "Ready")?.reason === "WaitingForDependency",
    );
    expect(kstatusOf(waiting)).toBe("InProgress");
    expect(conditionOf(waiting, "Ready")?.message).toContain("migrate (missing)");

    const run = await scenario.jobRun("migrate");
    await run.reaches("Started");
    await object.reconcileNow();
    expect(deployed(scenario)).toBe(false);
    const [started] = scenario.northflank.runs("shop", "migrate");
    scenario.northflank.finishRun(started?.id ?? "", "SUCCESS");
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(deployed(scenario)).toBe(true);
  });

  test("is Stalled when it failed, and continues with another one", async () => {
    await using scenario = await startScenario();
    scenario.northflank.failNextRun("shop", "migrate");
    const run = await scenario.jobRun("migrate");
    await run.reaches("Finished");
    const object = await scenario.deployment("api", gated);
    const stalled = await object.reaches("Stalled", { reason: "DependencyFailed" });
    expect(kstatusOf(stalled)).toBe("Failed");
    expect(deployed(scenario)).toBe(false);
    await scenario.jobRun("migrate-again");
    await object.patch({ waitFor: [{ jobRunRef: { name: "migrate-again" } }] });
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(deployed(scenario)).toBe(true);
  });

  test("does not take a run that is left over from the revision before for its own", async () => {
    await using scenario = await startScenario();
    const run = await scenario.jobRun("migrate");
    await run.annotate({ [revision]: "3f2b" });
    await run.reaches("Succeeded");
    const object = await scenario.deployment("api", { ...gated, suspend: true });
    await object.annotate({ [revision]: "3f2c" });
    await object.patch({ suspend: false });
    const waiting = await object.becomes(
      "waits",
      (one) => conditionOf(one, "Ready")?.reason === "WaitingForDependency",
    );
    expect(conditionOf(waiting, "Ready")?.message).toContain("migrate (of another revision)");
    expect(deployed(scenario)).toBe(false);

    await run.delete();
    await run.isGone();
    const own = await scenario.jobRun("migrate");
    await own.annotate({ [revision]: "3f2c" });
    await object.reaches("Ready", { reason: "RolloutComplete" });
    expect(deployed(scenario)).toBe(true);
  });
});
