import { describe, expect, test } from "vitest";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const remote = ({ northflank }: Scenario) => northflank.job("shop", "migrate").settings;
const sent = (scenario: Scenario) => scenario.changes().map(({ method, path }) => `${method} ${path}`);
const patchAny = "PATCH /v1/projects/shop/jobs/migrate";
const patchManual = "PATCH /v1/projects/shop/jobs/manual/migrate";

// Each test has an operator, a namespace and a Northflank of its own.
describe("the settings of a job", { concurrent: true, timeout: 200_000 }, () => {
  test("are brought about with one request, and cost none once they are there", async () => {
    await using scenario = await startScenario();
    const object = await scenario.job("migrate", {
      settings: { description: "Migrates", billing: { deploymentPlan: "nf-compute-50" }, backoffLimit: 3 },
    });
    const ready = await object.reaches("Ready", { reason: "InSync" });
    expect(remote(scenario)).toMatchObject({ description: "Migrates", settings: { backoffLimit: 3 } });
    expect(sent(scenario)).toEqual([patchAny]);
    expect(kstatusOf(ready)).toBe("Current");
    expect(new Set(object.versions().slice(0, -1).map(kstatusOf))).toEqual(new Set(["InProgress"]));
    await scenario.quiet(1_000);
    const calls = scenario.northflank.calls.length;
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(scenario.northflank.calls.length).toBe(calls);
    await object.reconcileNow();
    // Compared with what Northflank tells, in its own spelling.
    expect(sent(scenario)).toEqual([patchAny]);
  });

  test("of a cron job are read back capitalised and compared all the same", async () => {
    await using scenario = await startScenario();
    const cron = { schedule: "0 4 * * *", concurrencyPolicy: "replace" };
    const object = await scenario.job("report", { jobId: "report", settings: { cron } });
    await object.reaches("Ready");
    await object.reconcileNow();
    expect(sent(scenario)).toEqual(["PATCH /v1/projects/shop/jobs/report"]);
    expect((await object.get()).status).toMatchObject({ jobType: "cron" });
  });

  test("from a Secret are sent, kept out of sight, and sent again when the Secret changed", async () => {
    await using scenario = await startScenario();
    await scenario.secret("db", { url: "postgres://first-value" });
    const object = await scenario.job("migrate", {
      settings: { runtimeEnvironmentFrom: [{ name: "DATABASE_URL", secretKeyRef: { name: "db", key: "url" } }] },
    });
    await object.reaches("Ready");
    expect(remote(scenario)).toMatchObject({ runtimeEnvironment: { DATABASE_URL: "postgres://first-value" } });
    await scenario.secret("db", { url: "postgres://second-value" });
    await object.reconcileNow();
    await scenario.until("the new value", () => sent(scenario).length === 2);
    expect(remote(scenario)).toMatchObject({ runtimeEnvironment: { DATABASE_URL: "postgres://second-value" } });
    const { status } = await object.becomes("told why", ({ status: now }) =>
      JSON.stringify(now).includes("SourceChanged"),
    );
    expect(JSON.stringify(status)).toContain("runtimeEnvironment.DATABASE_URL");
    // That no value is anywhere to be seen is checked at the end of every scenario.
  });

  test("that are removed from the spec are unmanaged, and reported as such", async () => {
    await using scenario = await startScenario();
    const object = await scenario.job("migrate", { settings: { description: "Migrates", backoffLimit: 3 } });
    await object.reaches("Ready");
    await object.patch({ settings: { backoffLimit: null } });
    const { status } = await object.becomes("unmanaged", ({ status: now }) => JSON.stringify(now).includes("released"));
    expect(status).toMatchObject({ released: { settings: ["backoffLimit"] } });
    await scenario.until("the Event", async () =>
      (await scenario.events()).some(({ reason }) => reason === "SettingsReleased"),
    );
    expect(sent(scenario)).toEqual([patchAny]);
    expect(remote(scenario)).toMatchObject({ settings: { backoffLimit: 3 } });
  });

  test("go by the deprecated call where it is asked for, which an Event says once", async () => {
    await using scenario = await startScenario();
    const object = await scenario.job("migrate", { jobType: "manual", settings: { backoffLimit: 3 } });
    await object.reaches("Ready");
    await object.patch({ settings: { backoffLimit: 4 } });
    await scenario.until("the second change", () => sent(scenario).length === 2);
    await object.reaches("Ready");
    expect(sent(scenario)).toEqual([patchManual, patchManual]);
    const deprecated = async () => (await scenario.events()).filter(({ reason }) => reason === "DeprecatedRoute");
    await scenario.until("the Event", async () => (await deprecated()).length === 1);
  });

  test("under Observe are shown as they would be, and not written", async () => {
    await using scenario = await startScenario();
    const object = await scenario.job("migrate", {
      managementPolicy: "Observe",
      settings: { description: "Migrates", disabledCI: true },
    });
    const ready = await object.reaches("Ready", { reason: "DriftObserved" });
    // Northflank does not return a description before one is set.
    expect(ready.status?.pendingChanges).toEqual([{ path: "disabledCI", from: "false", to: "true" }]);
    expect(conditionOf(ready, "InSync")?.status).toBe("False");
    expect(sent(scenario)).toEqual([]);
  });

  test("of a job that does not exist say so", async () => {
    await using scenario = await startScenario();
    const object = await scenario.job("missing", { jobId: "missing", settings: { description: "None" } });
    const stalled = await object.reaches("Stalled", { reason: "TargetNotFound" });
    expect(kstatusOf(stalled)).toBe("Failed");
    expect(sent(scenario)).toEqual([]);
  });
});
