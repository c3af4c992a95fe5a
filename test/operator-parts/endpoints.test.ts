import { afterEach, expect, test } from "vitest";
import { createMetrics } from "../../src/metrics.ts";
import { startEndpoints } from "../../src/operator/endpoints.ts";
import type { Check, ManagedController } from "../../src/runtime/manager.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { fakeLog } from "../support/fake-log.ts";

const anyPort = { host: "127.0.0.1", port: 0 };
let running: AsyncDisposable | undefined;

afterEach(async () => {
  await running?.[Symbol.asyncDispose]();
  running = undefined;
});

async function start(
  options: {
    readonly checks?: readonly Check[];
    readonly isMetricsOff?: boolean;
    /** Called when the objects are counted, which takes as many milliseconds as it says. */
    readonly counting?: () => number;
  } = {},
) {
  const { log, lines } = fakeLog();
  const clock = new FakeClock();
  const stats = {
    ready: { change: 2, follow: 0, resync: 5 },
    delayed: 1,
    processing: 1,
    unfinishedMs: 4_000,
    longestRunningMs: 3_000,
  };
  const queue = { stats: () => stats, oldestDueMs: () => 7_000 };
  let spentMs = 0;
  const counted = () => {
    spentMs += options.counting?.() ?? 0;
    return [stalled, ready, ready];
  };
  running = await startEndpoints({
    config: { healthBindAddress: anyPort, metricsBindAddress: options.isMetricsOff ? undefined : anyPort },
    manager: { checks: () => options.checks ?? [] },
    connections: {
      list: () => [
        { metadata: { namespace: "shop", name: "main" }, status: { tokenExpirationTime: "2026-03-01T00:00:00Z" } },
      ],
    },
    caches: [
      {
        resource: { kind: "NorthflankDeployment", plural: "northflankdeployments" },
        store: { list: counted },
        silentMs: () => 12_000,
      },
    ],
    controllers: [{ controller: { name: "deployment", queue }, reads: [] } as unknown as ManagedController],
    apis: {
      pools: () => [
        [
          "team acme",
          {
            limit: 1_000,
            remaining: 900,
            resetAtMs: clock.now() + 60_000,
            closedUntilMs: undefined,
            used: 9,
            usedBy: { change: 4, run: 3, observe: 2 },
            deferredBy: { change: 0, run: 0, observe: 7 },
            waiting: 7,
            closedBy: undefined,
          },
        ],
      ],
      stretch: (pool) => (pool === "team acme" ? 2.5 : 1),
      spending: (pool) => ({
        total: 9,
        kinds: [["NorthflankJob", 9]],
        namespaces: [["shop", 9]],
        spenders: [[{ kind: "NorthflankJob", namespace: "shop", name: `etl of ${pool}` }, 9]],
      }),
    },
    checkStretch: (pool) => (pool === "team acme" ? 7 : 1),
    metrics: createMetrics({ version: "1", revision: "r", nodeVersion: "v20" }),
    clock: {
      now: () => clock.now(),
      monotonic: () => clock.monotonic() + spentMs,
      setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs),
    },
    log,
  });
  const address = (endpoint: string) => lines.find(({ fields }) => fields.endpoint === endpoint)?.fields.address;
  const get = async (endpoint: string, path: string) => {
    const answer = await fetch(`http://${address(endpoint)}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  return { get, lines, clock };
}

const ready = { status: { conditions: [{ type: "Ready", status: "True" }] } };
const stalled = {
  status: {
    conditions: [
      { type: "Ready", status: "False" },
      { type: "Stalled", status: "True" },
      { type: "SomebodyElses", status: "True" },
    ],
  },
};

const synced: Check = { name: "cache northflankjobruns", ok: true, reason: "" };
const silent: Check = { name: "cache northflankdeployments", ok: false, reason: "nothing heard for 200 s" };

test("healthy is whoever answers", async () => {
  const { get } = await start({ checks: [silent] });
  expect(await get("health", "/healthz")).toEqual({ status: 200, text: "ok\n" });
});

test("ready when every check is, and each is named when asked", async () => {
  const { get } = await start({ checks: [synced] });
  expect(await get("health", "/readyz")).toEqual({ status: 200, text: "ok\n" });
  expect((await get("health", "/readyz?verbose")).text).toBe("[+]cache northflankjobruns ok\nok\n");
});

test("not ready names what is wrong, without being asked", async () => {
  const { get } = await start({ checks: [synced, silent] });
  expect(await get("health", "/readyz")).toEqual({
    status: 503,
    text: "[-]cache northflankdeployments nothing heard for 200 s\nnot ready\n",
  });
});

test("metrics show the queues and ledgers as they are at the scrape", async () => {
  const { get } = await start();
  const { text } = await get("metrics", "/metrics");
  const labels = 'name="deployment",controller="deployment"';
  expect(text).toContain(`workqueue_depth{${labels},priority="resync"} 5`);
  expect(text).toContain(`workqueue_longest_running_processor_seconds{${labels}} 3`);
  expect(text).toContain('northflank_operator_oldest_due_object_seconds{controller="deployment"} 7');
  expect(text).toContain('northflank_operator_watch_silent_seconds{resource="northflankdeployments"} 12');
  expect(text).toContain('northflank_operator_api_ratelimit_reset_seconds{pool="team acme"} 60');
  expect(text).toContain('northflank_operator_api_budget_poll_stretch{pool="team acme"} 2.5');
  expect(text).toContain('northflank_operator_api_budget_check_stretch{pool="team acme"} 7');
  const spender = 'pool="team acme",kind="NorthflankJob",namespace="shop",name="etl of team acme"';
  expect(text).toContain(`northflank_operator_api_budget_used_by_object{${spender}} 9`);
});

test("metrics count the objects by condition, and leave out conditions that are not ours", async () => {
  const { get } = await start();
  const { text } = await get("metrics", "/metrics");
  const condition = (type: string, status: string) =>
    `northflank_operator_resource_condition{kind="NorthflankDeployment",type="${type}",status="${status}"}`;
  expect(text).toContain(`${condition("Ready", "True")} 2`);
  expect(text).toContain(`${condition("Ready", "Unknown")} 0`);
  expect(text).toContain(`${condition("Stalled", "True")} 1`);
  expect(text).not.toContain("SomebodyElses");
});

test("metrics are gathered for a twentieth of the time at most, however many ask", async () => {
  let count = 0;
  const { get, clock } = await start({
    counting: () => {
      count += 1;
      return 50;
    },
  });
  for (let n = 0; n < 20; n++) expect((await get("metrics", "/metrics")).status).toBe(200);
  expect(count).toBe(1);
  await clock.advance(900);
  await get("metrics", "/metrics");
  expect(count).toBe(1);
  await clock.advance(100);
  await get("metrics", "/metrics");
  expect(count).toBe(2);
});

test("what is switched off does not listen", async () => {
  const { lines } = await start({ isMetricsOff: true });
  expect(lines.map(({ fields }) => fields.endpoint)).toEqual(["health"]);
});

test("what is missing beside a good check is named to who asks, and makes nothing unready", async () => {
  const reason = 'namespace "b": cannot list: missing the permission';
  const { get } = await start({ checks: [{ name: "cache/pets", ok: true, reason }] });
  expect(await get("health", "/readyz?verbose")).toEqual({
    status: 200,
    text: `[!]cache/pets: ${reason}\nok\n`,
  });
});
