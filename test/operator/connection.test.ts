import { describe, expect, test } from "vitest";
import { northflankConnections } from "../../src/api/names.ts";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const api = { projectId: "shop", serviceId: "api", deployment: { external: { imagePath: "ghcr.io/acme/api:1.4.2" } } };
const rejected = ({ northflank }: Scenario) => northflank.calls.filter(({ status }) => status === 401);

// Secrets are read once a minute: these tests take that long, but side by side.
describe("credentials", { concurrent: true, timeout: 300_000 }, () => {
  test("that no connection gives are named, and objects continue as soon as there is one", async () => {
    await using scenario = await startScenario({ connection: "none" });
    const deployment = await scenario.deployment("api", api);
    const run = await scenario.jobRun("once");
    const stalled = await deployment.reaches("Stalled", { reason: "ConnectionNotFound" });
    expect(kstatusOf(stalled)).toBe("Failed");
    await run.reaches("Stalled", { reason: "ConnectionNotFound" });
    expect(scenario.northflank.calls).toEqual([]);

    await scenario.secret("nf-token", { token: scenario.token });
    await scenario.apply(northflankConnections, "default", {
      tokenSecretRef: { name: "nf-token" },
      apiURL: scenario.northflank.url,
    });
    await deployment.reaches("Ready");
    await run.reaches("Succeeded");
  });

  test("in a Secret that is missing are waited for, and objects continue when it is there", async () => {
    await using scenario = await startScenario({ connection: "no-secret" });
    const deployment = await scenario.deployment("api", api);
    const run = await scenario.jobRun("once");
    await deployment.reaches("Stalled", { reason: "SecretNotFound" });
    await run.reaches("Stalled", { reason: "SecretNotFound" });
    expect(scenario.northflank.calls).toEqual([]);

    await scenario.secret("nf-token", { token: scenario.token });
    await deployment.reaches("Ready");
    await run.reaches("Succeeded");
    expect(scenario.changes()).toHaveLength(2);
  });

  test("in a Secret without the key, or empty, are named and never sent", async () => {
    await using scenario = await startScenario({ connection: "no-secret" });
    await scenario.secret("nf-token", { other: "not-the-token" });
    const deployment = await scenario.deployment("api", api);
    await deployment.reaches("Stalled", { reason: "SecretKeyMissing" });
    await scenario.cluster.client.apply(
      northflankConnections,
      {
        apiVersion: "northflank-operator.io/v1alpha1",
        kind: "NorthflankConnection",
        metadata: { name: "default", namespace: scenario.namespace },
        spec: { tokenSecretRef: { name: "nf-token", key: "crooked" }, apiURL: scenario.northflank.url },
      } as never,
      { fieldManager: "kubectl" },
    );
    await scenario.secret("nf-token", { crooked: "a token\nwith: a-header" });
    await deployment.reaches("Stalled", { reason: "SecretInvalid" });
    expect(scenario.northflank.calls).toEqual([]);
  });

  test("of a job run's own Secret are waited for before anything is started", async () => {
    await using scenario = await startScenario();
    const run = await scenario.jobRun("once", {
      runtimeEnvironmentFrom: [{ name: "DATABASE_URL", secretKeyRef: { name: "db", key: "url" } }],
    });
    await run.reaches("Stalled", { reason: "SecretNotFound" });
    expect(scenario.changes()).toEqual([]);
    await scenario.secret("db", { url: "postgres://canary-that-came-late" });
    await run.reaches("Succeeded");
    expect(scenario.northflank.runs("shop", "migrate")[0]?.request).toEqual({
      runtimeEnvironment: { DATABASE_URL: "postgres://canary-that-came-late" },
    });
  });

  test("that are revoked cost a call or two for all objects together; new ones are used without a restart", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    const deployments = await Promise.all(
      ["api", "web"].map((serviceId) =>
        scenario.deployment(serviceId, {
          ...api,
          serviceId,
          deployment: { external: { imagePath: `ghcr.io/acme/${serviceId}:3.0.0` } },
        }),
      ),
    );
    for (const deployment of deployments) await deployment.reaches("Ready");
    northflank.revokeToken(scenario.token);
    for (const deployment of deployments) await deployment.reconcileNow();
    for (const deployment of deployments) {
      const stalled = await deployment.reaches("Stalled", { reason: "AuthenticationFailed" });
      expect(kstatusOf(stalled)).toBe("Failed");
    }
    for (const deployment of deployments) await deployment.reconcileNow();
    const run = await scenario.jobRun("once");
    await run.reaches("Stalled", { reason: "AuthenticationFailed" });
    // One call of each that were under way together, and the check that confirms it.
    expect(rejected(scenario).length).toBeLessThanOrEqual(3);

    northflank.addToken("nf-rotated-canary");
    await scenario.secret("nf-token", { token: "nf-rotated-canary" });
    for (const deployment of deployments) await deployment.reaches("Ready");
    await run.reaches("Succeeded");
    expect(rejected(scenario).length).toBeLessThanOrEqual(3);
  });
});

describe("a 401", { concurrent: true, timeout: 300_000 }, () => {
  test("that strays costs an object nothing but a moment", async () => {
    await using scenario = await startScenario();
    const deployment = await scenario.deployment("api", api);
    await deployment.reaches("Ready");
    scenario.northflank.rejectNextRequests(1);
    const reconciled = await deployment.reconcileNow();
    expect(conditionOf(reconciled, "Ready")?.status).toBe("True");
    expect(rejected(scenario)).toHaveLength(1);
    expect(scenario.northflank.calls.slice(-3).map(({ path }) => path)).toEqual([
      "/v1/projects/shop/services/api",
      "/v1/auth",
      "/v1/projects/shop/services/api",
    ]);
  });

  test("that strays before a run is started does not hold it up, and it is started once", async () => {
    await using scenario = await startScenario();
    const run = await scenario.jobRun("once", { suspend: true });
    await run.reaches("Suspended");
    scenario.northflank.rejectNextRequests(1);
    await run.patch({ suspend: false });
    await run.reaches("Succeeded");
    expect(scenario.northflank.runs("shop", "migrate")).toHaveLength(1);
    expect(rejected(scenario)).toHaveLength(1);
  });

  test("about a permission is reported by the object, which names it; others continue, and so does it when it is granted", async () => {
    await using scenario = await startScenario();
    const { northflank, token } = scenario;
    northflank.setTokenRights(token, { lacks: ["ps_jobs_general_run-job"] });
    const run = await scenario.jobRun("once");
    const denied = await run.reaches("Stalled", { reason: "PermissionDenied" });
    expect(conditionOf(denied, "Ready")?.message).toContain("the token lacks the permission ps_jobs_general_run-job.");
    const deployment = await scenario.deployment("api", api);
    await deployment.reaches("Ready");
    const connection = await connectionOf(scenario);
    const told = await connection.becomes("said what is missing", ({ status }) =>
      isSame(status?.missingPermissions, ["ps_jobs_general_run-job"]),
    );
    expect(conditionOf(told, "Ready")?.status).toBe("True");
    northflank.setTokenRights(token, {});
    await run.reconcileNow();
    await run.reaches("Succeeded");
  });
});

describe("a token", { concurrent: true, timeout: 300_000 }, () => {
  test("that is limited to other projects is not used, and is again when the limit is gone", async () => {
    await using scenario = await startScenario({ isStarted: false });
    const { northflank, token } = scenario;
    northflank.setTokenRights(token, { projects: { restrictionMode: "in", projects: ["other"] } });
    await scenario.startOperator().ready();
    const connection = await connectionOf(scenario);
    await connection.becomes("said where it may be used", ({ status }) =>
      isSame(status?.projectRestrictions, { mode: "In", projects: ["other"] }),
    );
    const deployment = await scenario.deployment("api", api);
    const refused = await deployment.reaches("Stalled", { reason: "ProjectNotAllowed" });
    expect(conditionOf(refused, "Ready")?.message).toContain('reach project "shop"');
    expect(northflank.calls.filter(({ path }) => path !== "/v1/auth")).toEqual([]);
    northflank.setTokenRights(token, {});
    await connection.reconcileNow();
    await deployment.reaches("Ready");
  });

  test("that is limited to its project deploys and runs builds of another one", async () => {
    await using scenario = await startScenario({ isStarted: false });
    const { northflank, token } = scenario;
    const sha = "a".repeat(40);
    northflank.addProject("builders");
    northflank.addService("builders", { id: "builder", serviceType: "build" });
    northflank.addBuild("builders", "builder", { id: "fast-build-1", branch: "main", sha });
    northflank.setTokenRights(token, { projects: { restrictionMode: "in", projects: ["shop"] } });
    await scenario.startOperator().ready();
    const connection = await connectionOf(scenario);
    await connection.becomes("said where it may be used", ({ status }) =>
      isSame(status?.projectRestrictions, { mode: "In", projects: ["shop"] }),
    );
    const build = { internal: { id: "builders/builder", branch: "main", buildSHA: sha } };
    const deployment = await scenario.deployment("api", { ...api, deployment: build });
    const run = await scenario.jobRun("once", { deployment: build });
    await deployment.reaches("Ready");
    await run.reaches("Started", { status: "True" });
  });

  test("that expires soon is warned of once, also by the process that comes after", async () => {
    await using scenario = await startScenario({ connection: "no-secret" });
    const expiresAtMs = Date.now() + 5 * 24 * 3_600_000;
    scenario.northflank.addToken("nf-short-canary", { expiresAtMs });
    await scenario.secret("nf-token", { token: "nf-short-canary" });
    const connection = await connectionOf(scenario);
    await connection.reaches("TokenExpiring", { reason: "TokenExpiresSoon" });
    const warnings = async () => (await scenario.events()).filter(({ reason }) => reason === "TokenExpiresSoon");
    await scenario.until("a warning", async () => (await warnings()).length > 0);
    await scenario.restart();
    await connection.reconcileNow();
    await scenario.quiet(500);
    expect(await warnings()).toHaveLength(1);
    expect(await scenario.metrics()).toMatch(
      /northflank_operator_connection_token_expiration_timestamp_seconds\{namespace="[^"]+",name="default"\} \d+/,
    );
  });
});

/** The connection that the scenario has made. */
async function connectionOf(scenario: Scenario) {
  const spec = { tokenSecretRef: { name: "nf-token" }, apiURL: scenario.northflank.url };
  return await scenario.apply(northflankConnections, "default", spec);
}

function isSame(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
