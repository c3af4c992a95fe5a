import { describe, expect, test } from "vitest";
import { northflankConnections } from "../../src/api/names.ts";
import { kstatusOf } from "../support/kstatus.ts";
import { type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const api = { projectId: "shop", serviceId: "api", deployment: { external: { imagePath: "ghcr.io/acme/api:1.4.2" } } };
const rejected = ({ northflank }: Scenario) => northflank.calls.filter(({ status }) => status === 401);

// Secrets are looked at once a minute: these tests take that long, but side by side.
describe("credentials", { concurrent: true, timeout: 300_000 }, () => {
  test("that no connection gives are named, and objects go on as soon as there is one", async () => {
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

  test("in a Secret that is missing are waited for, and objects go on when it is there", async () => {
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
    expect(rejected(scenario).length).toBeLessThanOrEqual(2);

    northflank.addToken("nf-rotated-canary");
    await scenario.secret("nf-token", { token: "nf-rotated-canary" });
    for (const deployment of deployments) await deployment.reaches("Ready");
    await run.reaches("Succeeded");
    expect(rejected(scenario).length).toBeLessThanOrEqual(2);
  });
});
