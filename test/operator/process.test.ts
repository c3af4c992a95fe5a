import { describe, expect, test } from "vitest";
import { type Lease, leases } from "../../src/kube/types.ts";
import { type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const image = (tag: string) => ({ deployment: { external: { imagePath: `ghcr.io/acme/api:${tag}` } } });
const api = (tag: string) => ({ projectId: "shop", serviceId: "api", ...image(tag) });

function lease({ cluster, namespace }: Scenario): Promise<Lease> {
  return cluster.client.get<Lease>(leases, { namespace, name: "northflank-operator" });
}

describe("the operator as a process", { concurrent: true, timeout: 200_000 }, () => {
  test("asks for nothing and writes nothing after a restart with settled objects", async () => {
    // All objects first: a connection counts its users when it is reconciled, which is once a minute while it is well. One
    // that was counted between two of them would be written within that minute, by whichever process runs then.
    await using scenario = await startScenario({ isStarted: false });
    const deployment = await scenario.deployment("api", api("1.4.2"));
    const observed = await scenario.deployment("web", {
      projectId: "shop",
      serviceId: "web",
      managementPolicy: "Observe",
      deployment: { external: { imagePath: "ghcr.io/acme/web:9" } },
    });
    const run = await scenario.jobRun("once");
    scenario.northflank.failNextRun("shop", "report");
    const failed = await scenario.jobRun("failed", { jobId: "report" });
    const suspended = await scenario.jobRun("held", { suspend: true });
    await scenario.startOperator().ready();
    await deployment.reaches("Ready");
    await observed.reaches("Ready");
    await run.reaches("Finished");
    await failed.reaches("Finished");
    await suspended.reaches("Suspended");
    await scenario.quiet(1_500);
    await scenario.operator.stop();

    const calls = scenario.northflank.calls.length;
    const writes = (await scenario.writes()).length;
    await scenario.startOperator().ready();
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    const since = scenario.northflank.calls.slice(calls).map(({ method, path }) => `${method} ${path}`);
    expect(since).toEqual([]);
    expect((await scenario.writes()).slice(writes)).toEqual([]);
    // It is at work all the same.
    await deployment.reconcileNow();
    expect(scenario.northflank.calls.length).toBeGreaterThan(calls);
  });

  test("ends with 0 on SIGTERM and gives its Lease away", async () => {
    await using scenario = await startScenario();
    const deployment = await scenario.deployment("api", api("1.4.2"));
    await deployment.reaches("Ready");
    expect((await lease(scenario)).spec?.holderIdentity).not.toBe("");
    scenario.operator.signal("SIGTERM");
    expect(await scenario.operator.exited).toBe(0);
    expect((await lease(scenario)).spec?.holderIdentity ?? "").toBe("");

    // The next one does not have to wait for the Lease to run out.
    await scenario.startOperator().ready();
    await deployment.patch(image("1.5.0"));
    await deployment.reaches("Ready");
    expect(scenario.changes()).toHaveLength(2);
  });

  test("finishes what it has begun on SIGTERM: the run that it is starting is recorded", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    const first = scenario.operator;
    northflank.fault = ({ method }) =>
      method === "POST" ? { kind: "delay", delayMs: 1_000, before: () => first.signal("SIGTERM") } : undefined;
    const run = await scenario.jobRun("once");
    expect(await first.exited).toBe(0);
    const [started] = northflank.runs("shop", "migrate");
    expect((await run.get()).status).toMatchObject({ runId: started?.id });
    northflank.fault = undefined;
    await scenario.startOperator().ready();
    await run.reaches("Succeeded");
    expect(northflank.runs("shop", "migrate")).toHaveLength(1);
  });

  test("is taken over by another replica when it is killed, and nothing is sent twice", async () => {
    const flags = [
      "--leader-elect-lease-duration=6s",
      "--leader-elect-renew-deadline=4s",
      "--leader-elect-retry-period=500ms",
    ];
    await using scenario = await startScenario({ flags, northflank: { rolloutMs: 3_000, runMs: 3_000 } });
    const leader = scenario.operator;
    const standby = scenario.startOperator();
    await standby.ready();
    const before = (await lease(scenario)).spec?.holderIdentity;
    const deployment = await scenario.deployment("api", api("1.4.2"));
    const run = await scenario.jobRun("once");
    await scenario.until("both are on their way", () => scenario.changes().length === 2);
    leader.signal("SIGKILL");
    await leader.exited;
    await deployment.reaches("Ready", { reason: "RolloutComplete" });
    await run.reaches("Succeeded");
    expect((await lease(scenario)).spec?.holderIdentity).not.toBe(before);
    expect(scenario.changes()).toHaveLength(2);
  });

  test("tells its health and its numbers", async () => {
    await using scenario = await startScenario();
    const deployment = await scenario.deployment("api", api("1.4.2"));
    await deployment.reaches("Ready");
    const url = await scenario.operator.ready();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const metrics = await scenario.metrics();
    for (const name of [
      "controller_runtime_reconcile_total",
      "workqueue_depth",
      "rest_client_requests_total",
      "leader_election_master_status",
      "northflank_operator_api_requests_total",
      "northflank_operator_build_info",
    ]) {
      expect(metrics).toContain(`\n${name}{`);
    }
  });
});
