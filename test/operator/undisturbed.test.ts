import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { kstatusOf } from "../support/kstatus.ts";
import { type Scenario, scenarios } from "../support/operator-scenario.ts";

// The built program, and one object, one request or one right that could stop it: everything else keeps running.

const startScenario = scenarios();

/** The other work of the scenario: it is done while something is wrong beside it, and the probes are answered. */
async function expectOthersServed(scenario: Scenario): Promise<void> {
  const other = await scenario.jobRun("beside", { jobId: "reindex", projectId: "backend" });
  await other.reaches("Finished");
  expect((await fetch(`${await scenario.operator.ready()}/healthz`)).status).toBe(200);
}

describe("a run past its deadline", { concurrent: true, timeout: 200_000 }, () => {
  test("whose abort is refused is polled to its end, for a few requests", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    northflank.hangNextRun("shop", "migrate");
    const refusal = { status: 403, body: { error: { status: 403, message: "Missing permission" } } };
    northflank.fault = ({ method }) => (method === "DELETE" ? { kind: "answer", answer: refusal } : undefined);
    const late = await scenario.jobRun("late", { activeDeadlineSeconds: 1 });
    const refused = await late.reaches("Ready", { status: "False", reason: "PermissionDenied" });
    expect(kstatusOf(refused)).toBe("Failed");
    await expectOthersServed(scenario);
    const [run] = northflank.runs("shop", "migrate");
    northflank.finishRun(run?.id ?? "", "SUCCESS");
    await late.reaches("Succeeded");
    expect(northflank.calls.filter(({ method }) => method === "DELETE").length).toBeLessThanOrEqual(3);
  });

  test("while the quota of its account is spent keeps nobody from being served", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    northflank.hangNextRun("shop", "migrate");
    const late = await scenario.jobRun("late", { activeDeadlineSeconds: 2 });
    await scenario.until("the run is there", () => northflank.runs("shop", "migrate").length === 1);
    northflank.spendQuota(1_000);
    await late.becomes("waits for the quota", ({ status }) =>
      (status?.conditions ?? []).some(({ reason }) => reason === "WaitingForQuota"),
    );
    const writes = (await scenario.writes()).length;
    await new Promise((resolve) => setTimeout(resolve, 4_000));
    expect((await scenario.writes()).length - writes).toBeLessThanOrEqual(3);
    expect((await fetch(`${await scenario.operator.ready()}/healthz`)).status).toBe(200);
    expect((await fetch(`${await scenario.operator.ready()}/readyz`)).status).toBe(200);
  });
});

test("no line of a request ends the process", { timeout: 100_000 }, async () => {
  await using scenario = await startScenario();
  for (const address of [await scenario.operator.ready(), await scenario.operator.metricsUrl()]) {
    const { hostname, port } = new URL(address);
    for (const line of [
      "GET // HTTP/1.1",
      "GET http://[ HTTP/1.1",
      "CONNECT / HTTP/1.1",
      "\u0000\u0001",
      "GET /\\ HTTP/9.9",
    ]) {
      const socket = connect(Number(port), hostname);
      socket.on("error", () => undefined);
      socket.end(`${line}\r\nHost: x\r\n\r\n`);
      await new Promise((resolve) => socket.resume().on("close", resolve));
    }
  }
  await expectOthersServed(scenario);
});
