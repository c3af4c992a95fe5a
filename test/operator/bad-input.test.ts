import { describe, expect, test } from "vitest";
import { northflankDeployments } from "../../src/api/names.ts";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

// What the API server lets in and what Secrets may hold, through the whole program.
describe("odd input", { concurrent: true, timeout: 200_000 }, () => {
  test("names of parts of every object, other scripts and control characters arrive as they are", async () => {
    await using scenario = await startScenario();
    const environment = JSON.parse(
      '{"__proto__": "a", "constructor": "b", "toString": "c", "ODD": "😀 \\u202e שלום \\u001b[31m\\t\\r\\n\\u2028"}',
    ) as object;
    await scenario.secret("odd", { ["__proto__"]: "from a Secret", hasOwnProperty: "from a Secret too" });
    const object = await scenario.jobRun("odd", {
      runtimeEnvironment: environment,
      runtimeEnvironmentFrom: [{ secretRef: { name: "odd" } }],
    });
    await object.reaches("Finished");
    const [post] = scenario.changes().filter(({ path }) => path.endsWith("/runs"));
    const { runtimeEnvironment } = JSON.parse(post?.body ?? "") as { readonly runtimeEnvironment: object };
    // What is written in the object wins over what is referred to.
    expect(Object.fromEntries(Object.entries(runtimeEnvironment))).toEqual(
      Object.fromEntries([["hasOwnProperty", "from a Secret too"], ...Object.entries(environment)]),
    );
  });

  test.each<[string, Readonly<Record<string, string>>, string]>([
    ["10,000 variables", Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`V${n}`, "x"])), "InvalidSpec"],
    ["variables of a megabyte", { A: "x".repeat(900_000) }, "InvalidSpec"],
    ["a value with NUL", { A: "canary-\u0000" }, "SecretInvalid"],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what Northflank would expand.
    ["a value that Northflank would expand", { A: "canary-${SECRET}" }, "SecretInvalid"],
  ])("a Secret with %s starts nothing, and the reason tells no value", async (_, values, reason) => {
    await using scenario = await startScenario();
    await scenario.configMap("odd", values);
    const object = await scenario.jobRun("odd", { runtimeEnvironmentFrom: [{ configMapRef: { name: "odd" } }] });
    const stalled = await object.reaches("Stalled", { reason });
    expect(kstatusOf(stalled)).toBe("Failed");
    expect(scenario.changes()).toEqual([]);
    const message = conditionOf(stalled, "Stalled")?.message ?? "";
    expect([message, message.includes("canary"), message.length < 4_096]).toEqual([message, false, true]);
  });

  test("a status that another client filled up is the operator's again after one reconcile", async () => {
    await using scenario = await startScenario();
    const object = await scenario.deployment("api", {
      projectId: "shop",
      serviceId: "api",
      deployment: { external: { imagePath: "ghcr.io/acme/api:1.4.2" } },
    });
    const before = await object.reaches("Ready");
    const at = "2020-01-01T00:00:00Z";
    const condition = (type: string) => ({
      type,
      status: "True",
      reason: "Forged",
      message: "x".repeat(30_000),
      lastTransitionTime: at,
    });
    const forged = {
      conditions: ["Ready", "Stalled", ...Array.from({ length: 20 }, (_, n) => `Forged${n}`)].map(condition),
      changes: Array.from({ length: 5 }, () => ({
        specHash: "x".repeat(128),
        generation: 1,
        cause: "SpecChanged",
        phase: "Failed",
        time: at,
        since: at,
        source: "x".repeat(1_000),
      })),
      failure: { class: "Terminal", count: 9, firstTime: at, lastTime: at, message: "forged" },
      observedGeneration: 0,
    };
    const { group, version, plural } = northflankDeployments;
    const path = `/apis/${group}/${version}/namespaces/${scenario.namespace}/${plural}/api/status`;
    const contentType = "application/merge-patch+json";
    const answer = await scenario.cluster.request("PATCH", path, { contentType, body: { status: forged } });
    expect([answer.status, JSON.stringify(answer.body).slice(0, 500)]).toEqual([200, expect.anything()]);
    const after = await object.becomes(
      "free of what was forged",
      ({ status }) => !JSON.stringify(status).includes("orged"),
    );
    expect(kstatusOf(after)).toBe("Current");
    expect(after.status?.conditions?.map(({ type, status, reason }) => [type, status, reason])).toEqual(
      before.status?.conditions?.map(({ type, status, reason }) => [type, status, reason]),
    );
    expect(JSON.stringify(after.status).length).toBeLessThan(10_000);
    expect(scenario.changes()).toHaveLength(1);
  });

  test("what looks like a secret in a literal goes to Northflank and nowhere else", async () => {
    await using scenario = await startScenario();
    const literal = "ghp_0123456789abcdef0123456789abcdef0123";
    scenario.keepSecret(literal);
    const object = await scenario.jobRun("literal", { runtimeEnvironment: { TOKEN: literal } });
    await object.reaches("Finished");
    expect(scenario.changes().map(({ body }) => body.includes(literal))).toEqual([true]);
  });
});
