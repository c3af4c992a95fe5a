import { describe, expect, test } from "vitest";
import { secrets } from "../../src/kube/types.ts";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const requestOf = ({ northflank }: Scenario) => northflank.runs("shop", "migrate")[0]?.request;

/** What Northflank would replace. */
const expanded = (name: string) => `\${${name}}`;

async function binarySecret(
  scenario: Scenario,
  name: string,
  type: string,
  data: Readonly<Record<string, Uint8Array>>,
  annotations = {},
) {
  const encoded = Object.fromEntries(
    Object.entries(data).map(([key, bytes]) => [key, Buffer.from(bytes).toString("base64")]),
  );
  const { namespace } = scenario;
  const object = { apiVersion: "v1", kind: "Secret", metadata: { name, namespace, annotations }, type, data: encoded };
  await scenario.cluster.client.apply(secrets, object as never, { fieldManager: "kubectl" });
}

// What is missing is read once a minute: these tests take that long, but side by side.
describe("values from the cluster", { concurrent: true, timeout: 300_000 }, () => {
  test("come from Secrets and ConfigMaps with prefixes; what is optional and missing is left out; literals win", async () => {
    await using scenario = await startScenario();
    await scenario.secret("db", { url: "postgres://canary-of-the-db", user: "canary-user" });
    await scenario.configMap("app", { LEVEL: "info", url: "from-the-map", "config.yaml": `a: ${expanded("b")}\n` });
    const run = await scenario.jobRun("once", {
      // The file has one.
      allowReferences: true,
      runtimeEnvironmentFrom: [
        { secretRef: { name: "db", prefix: "DB_" } },
        { configMapKeyRef: { name: "app", key: "LEVEL" }, name: "LEVEL" },
        { configMapKeyRef: { name: "app", key: "url" }, name: "DB_user" },
        { secretRef: { name: "none", optional: true } },
        { secretKeyRef: { name: "db", key: "none", optional: true }, name: "NONE" },
      ],
      runtimeEnvironment: { LEVEL: "debug" },
      runtimeFilesFrom: [{ path: "/etc/config.yaml", configMapKeyRef: { name: "app", key: "config.yaml" } }],
    });
    await run.reaches("Succeeded");
    expect(requestOf(scenario)).toEqual({
      runtimeEnvironment: { DB_url: "postgres://canary-of-the-db", DB_user: "from-the-map", LEVEL: "debug" },
      runtimeFiles: {
        "/etc/config.yaml": { data: Buffer.from(`a: ${expanded("b")}\n`).toString("base64"), encoding: "utf-8" },
      },
    });
  });

  test.each<{
    readonly what: string;
    readonly reason: string;
    readonly spec: object;
    readonly given?: (scenario: Scenario) => Promise<void>;
  }>([
    {
      what: "that is missing",
      reason: "SecretNotFound",
      spec: { runtimeEnvironmentFrom: [{ configMapRef: { name: "app" } }] },
    },
    {
      what: "without the key",
      reason: "SecretKeyMissing",
      spec: { runtimeFilesFrom: [{ path: "/a", secretKeyRef: { name: "db", key: "url" } }] },
      given: (scenario) => scenario.secret("db", { other: "canary-other" }),
    },
    {
      what: "with bytes that are no text",
      reason: "SecretInvalid",
      spec: { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] },
      given: (scenario) => binarySecret(scenario, "db", "Opaque", { k: new Uint8Array([0xff, 0xfe, 0x00]) }),
    },
    {
      what: "that holds a credential of the cluster",
      reason: "SecretInvalid",
      spec: { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] },
      given: (scenario) =>
        binarySecret(scenario, "db", "bootstrap.kubernetes.io/token", { k: Buffer.from("canary-bootstrap") }),
    },
    {
      what: "that holds the token of a service account",
      reason: "SecretInvalid",
      spec: { runtimeFilesFrom: [{ path: "/token", secretKeyRef: { name: "db", key: "token" } }] },
      given: async (scenario) => {
        const account = { "kubernetes.io/service-account.name": "default" };
        const token = { token: Buffer.from("canary-service-account") };
        await binarySecret(scenario, "db", "kubernetes.io/service-account-token", token, account);
      },
    },
    {
      what: "with a value that Northflank would expand",
      reason: "SecretInvalid",
      spec: { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] },
      given: (scenario) => scenario.secret("db", { k: `canary-${expanded("refs.project")}` }),
    },
    {
      what: "of more than 64 KiB",
      reason: "InvalidSpec",
      spec: { runtimeEnvironmentFrom: [{ configMapRef: { name: "app" } }] },
      given: (scenario) => scenario.configMap("app", { BIG: "x".repeat(70_000) }),
    },
  ])("from an object $what are waited for before anything is started: $reason", async ({ reason, spec, given }) => {
    await using scenario = await startScenario();
    await given?.(scenario);
    const run = await scenario.jobRun("once", spec);
    const stalled = await run.reaches("Stalled", { reason });
    expect(kstatusOf(stalled)).toBe("Failed");
    expect(conditionOf(stalled, "Ready")?.message).not.toContain("canary");
    expect(scenario.changes()).toEqual([]);
  });

  test("that were corrected are used at once when a reconcile is requested, else within a minute", async () => {
    await using scenario = await startScenario();
    await scenario.configMap("app", { LEVEL: `canary-${expanded("x")}` });
    const spec = { runtimeEnvironmentFrom: [{ configMapRef: { name: "app" } }] };
    const run = await scenario.jobRun("asked", spec);
    await run.reaches("Stalled", { reason: "SecretInvalid" });
    await scenario.configMap("app", { LEVEL: "info" });
    const startedMs = performance.now();
    await run.reconcileNow();
    await run.reaches("Succeeded");
    expect(performance.now() - startedMs).toBeLessThan(30_000);
    expect(requestOf(scenario)).toEqual({ runtimeEnvironment: { LEVEL: "info" } });

    const patient = await scenario.jobRun("patient", {
      runtimeEnvironmentFrom: [{ configMapKeyRef: { name: "late", key: "k" }, name: "K" }],
    });
    await patient.reaches("Stalled", { reason: "SecretNotFound" });
    await scenario.configMap("late", { k: "v" });
    await patient.reaches("Succeeded");
  });

  test("that Northflank is to expand are sent as they are where allowReferences says so", async () => {
    await using scenario = await startScenario();
    await scenario.configMap("app", { URL: expanded("MY_ADDON.URI") });
    const run = await scenario.jobRun("once", {
      runtimeEnvironmentFrom: [{ configMapRef: { name: "app" } }],
      allowReferences: true,
    });
    await run.reaches("Succeeded");
    expect(requestOf(scenario)).toEqual({ runtimeEnvironment: { URL: expanded("MY_ADDON.URI") } });
  });
});
