import { describe, expect, test } from "vitest";
import type { Fault } from "../../sandbox/http.ts";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, type Handle, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const api = { projectId: "shop", serviceId: "api", deployment: { external: { imagePath: "ghcr.io/acme/api:1.4.2" } } };

/** Every call about projects fails like this; whose token it is may still be asked. */
function failWith(scenario: Scenario, fault: Fault): void {
  scenario.northflank.fault = ({ path }) => (path.includes("/projects/") ? fault : undefined);
}

function readyStates(object: Handle): ReadonlySet<string | undefined> {
  return new Set(object.versions().map((version) => conditionOf(version, "Ready")?.status));
}

describe("Northflank that answers strangely", { concurrent: true, timeout: 200_000 }, () => {
  const html = { "content-type": "text/html" };
  const json = { "content-type": "application/json" };
  const secretPage = "<html>canary-of-a-body</html>";
  test.each<{ readonly what: string; readonly answer: NonNullable<Fault["answer"]> }>([
    { what: "HTML with 200", answer: { status: 200, headers: html, body: secretPage } },
    { what: "half a JSON document", answer: { status: 200, headers: json, body: '{"data": {"canary-of-a-body": ' } },
    { what: "an empty body", answer: { status: 200, headers: json, body: "" } },
    { what: "JSON of another shape", answer: { status: 200, body: ["canary-of-a-body"] } },
    { what: "405", answer: { status: 405, headers: html, body: secretPage } },
  ])("with $what is called RemoteMisconfigured, and the body is shown nowhere", async ({ answer }) => {
    await using scenario = await startScenario({ flags: ["--log-level=debug"] });
    scenario.keepSecret("canary-of-a-body");
    failWith(scenario, { kind: "answer", answer });
    const deployment = await scenario.deployment("api", api);
    const run = await scenario.jobRun("once");
    const stalled = await deployment.reaches("Stalled", { reason: "RemoteMisconfigured" });
    expect(kstatusOf(stalled)).toBe("Failed");
    await run.reaches("Stalled", { reason: "RemoteMisconfigured" });
    await scenario.quiet(1_000);
    expect(scenario.changes()).toEqual([]);

    scenario.northflank.fault = undefined;
    await deployment.reconcileNow();
    await run.reconcileNow();
    await deployment.reaches("Ready");
    await run.reaches("Succeeded");
  });

  test("with a redirect is called RemoteMisconfigured, and nobody else gets the token", async () => {
    await using scenario = await startScenario();
    await using elsewhere = await startScenario({ isStarted: false, connection: "none" });
    const location = `${elsewhere.northflank.url}/v1/projects/shop/services/api`;
    failWith(scenario, { kind: "answer", answer: { status: 302, headers: { location } } });
    const deployment = await scenario.deployment("api", api);
    await deployment.reaches("Stalled", { reason: "RemoteMisconfigured" });
    expect(elsewhere.northflank.calls).toEqual([]);
  });

  test.each<{ readonly what: string; readonly fault: Fault; readonly reason: string }>([
    { what: "an answer that breaks off", fault: { kind: "truncate" }, reason: "RemoteUnavailable" },
    { what: "a broken connection", fault: { kind: "reset-before" }, reason: "RemoteUnavailable" },
    { what: "503", fault: { kind: "answer", answer: { status: 503 } }, reason: "RemoteUnavailable" },
    { what: "silence", fault: { kind: "hang" }, reason: "RequestTimeout" },
  ])("with $what is retried, and objects continue by themselves", async ({ fault, reason }) => {
    await using scenario = await startScenario({ flags: ["--request-timeout=1s"] });
    failWith(scenario, fault);
    const deployment = await scenario.deployment("api", api);
    const retrying = await deployment.reaches("Ready", { status: "False", reason });
    expect(kstatusOf(retrying)).toBe("InProgress");
    expect(conditionOf(retrying, "Reconciling")?.reason).toBe("ProgressingWithRetry");
    scenario.northflank.fault = undefined;
    await deployment.reaches("Ready");
    expect(scenario.northflank.service("shop", "api").image).toBe("ghcr.io/acme/api:1.4.2");
  });

  test("with 429 is waited for: Ready is never False, and all continues by itself", async () => {
    await using scenario = await startScenario();
    let refusals = 0;
    scenario.northflank.fault = ({ path }) => {
      if (!path.includes("/projects/") || refusals > 0) return undefined;
      refusals += 1;
      return { kind: "answer", answer: { status: 429, headers: { "retry-after": "1" }, body: {} } };
    };
    const deployment = await scenario.deployment("api", api);
    await deployment.reaches("Ready");
    expect(refusals).toBe(1);
    expect(readyStates(deployment)).not.toContain("False");
  });

  test("whose quota is spent is left alone: what was ready stays Ready, what is new waits", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    const settled = await scenario.deployment("api", api);
    await settled.reaches("Ready");
    northflank.spendQuota(1_000);
    const before = northflank.calls.length;
    await settled.annotate({ "northflank-operator.io/reconcile-requested-at": "now" });
    await scenario.until("Northflank was asked", () => northflank.calls.length > before);
    await settled.reaches("Ready");
    const waiting = await scenario.deployment("web", { ...api, serviceId: "web" });
    const run = await scenario.jobRun("once");
    for (const object of [waiting, run]) {
      const held = await object.reaches("Ready", { status: "Unknown", reason: "WaitingForQuota" });
      expect(kstatusOf(held)).toBe("InProgress");
    }
    await scenario.quiet(1_500);
    const refused = northflank.calls.slice(before).filter(({ status }) => status === 429);
    expect(refused.length).toBeLessThanOrEqual(2);
    for (const object of [settled, waiting, run]) expect(readyStates(object)).not.toContain("False");
    expect(kstatusOf(await settled.get())).toBe("Current");
    // What was asked for is still to come.
    expect((await settled.get()).status?.lastHandledReconcileAt).toBeUndefined();
  });
});
