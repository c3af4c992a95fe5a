import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type IntegrationOptions, startIntegration } from "../../sandbox/northflank/notifications.ts";
import { northflankConnections } from "../../src/api/names.ts";
import { leases } from "../../src/kube/types.ts";
import { type Handle, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

/** Nothing is polled again by itself while a test runs. */
const slowPolls = ["--rollout-poll-interval=1h", "--run-poll-interval=1h", "--resync-period=1h"];

/** An operator that receives notifications for the connection `default`, and the integration that sends them. */
async function notified(
  options: Partial<IntegrationOptions> & {
    readonly flags?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  } = {},
) {
  const { flags = slowPolls, env = {}, ...more } = options;
  const scenario = await startScenario({ flags: ["--webhook-bind-address=127.0.0.1:0", ...flags], env });
  const secret = randomBytes(16).toString("hex");
  await scenario.secret("hook", { secret });
  const connection = await scenario.apply(northflankConnections, "default", {
    tokenSecretRef: { name: "nf-token" },
    apiURL: scenario.northflank.url,
    notifications: { secretRef: { name: "hook" } },
  });
  await connection.reaches("Ready");
  const webhook = `${addressOf(scenario)}/northflank/${scenario.namespace}/default`;
  const integration = startIntegration(scenario.northflank, { webhook, secret, projects: ["shop"], ...more });
  return {
    ...{ scenario, connection, integration, webhook, secret },
    [Symbol.asyncDispose]: async () => {
      await integration.stop();
      await scenario[Symbol.asyncDispose]();
    },
  };
}

function addressOf({ operator }: Scenario): string {
  const line = operator.log.find(({ msg, endpoint }) => msg === "server listening" && endpoint === "webhook");
  return `http://${String(line?.address)}`;
}

async function rollingOut({ northflank, ...scenario }: Scenario): Promise<Handle> {
  northflank.hangNextRollout("shop", "api");
  const object = await scenario.deployment("api", {
    projectId: "shop",
    serviceId: "api",
    deployment: { external: { imagePath: "ghcr.io/acme/api:2.0.0" } },
  });
  await object.reaches("RolloutComplete", { status: "Unknown", reason: "RollingOut" });
  return object;
}

const requests = ({ northflank }: Scenario) => northflank.calls.length;

describe("with notifications", { concurrent: true, timeout: 200_000 }, () => {
  test.each<[string, Partial<IntegrationOptions>]>([
    ["as Northflank sends them", {}],
    ["with the prefix, late and twice", { hasPrefix: true, lateMs: 300, times: 2 }],
  ])("%s, the end of a rollout is seen, and no poll is waited for", async (_, options) => {
    await using at = await notified(options);
    const object = await rollingOut(at.scenario);
    await at.scenario.quiet(1_000);
    at.scenario.northflank.finishRollout("shop", "api", "COMPLETED");
    await object.reaches("Ready");
    expect(at.integration.status).toMatchObject({ disabled: false, numberOfFailedRequests: 0 });
    const lastHintTime = notificationsOf(await at.connection.reconcileNow());
    expect(Date.parse(lastHintTime ?? "")).toBeGreaterThan(Date.now() - 200_000);
  });

  test("the end of a run is seen, and it costs four requests in all", async () => {
    await using at = await notified();
    const { northflank } = at.scenario;
    northflank.hangNextRun("shop", "migrate");
    await at.scenario.quiet(500);
    const before = requests(at.scenario);
    const object = await at.scenario.jobRun("once");
    await object.becomes("started", ({ status }) => status?.phase === "Running");
    await at.scenario.until("its start was notified", () => at.integration.deliveries.length === 1);
    await at.scenario.quiet(6_000);
    northflank.finishRun(northflank.runs("shop", "migrate")[0]?.id ?? "", "SUCCESS");
    await object.reaches("Succeeded");
    expect(requests(at.scenario) - before).toBeLessThanOrEqual(4);
  });

  test("with a wrong token nothing is read, and the integration is switched off", async () => {
    await using at = await notified({ secret: "wrong-secret-of-somebody" });
    const object = await rollingOut(at.scenario);
    await at.scenario.quiet(1_000);
    const before = requests(at.scenario);
    at.scenario.northflank.finishRollout("shop", "api", "COMPLETED");
    await at.scenario.until("deliveries", () => at.integration.deliveries.length > 0);
    for (let n = 0; n < 5; n++) await at.integration.deliver("build:start", about("api"));
    expect(at.integration.status).toMatchObject({ disabled: true });
    expect(new Set(at.integration.deliveries.map(({ status }) => status))).toEqual(new Set([401]));
    await at.scenario.quiet(1_000);
    expect(requests(at.scenario)).toBe(before);
    expect((await object.get()).status?.conditions?.find(({ type }) => type === "Ready")?.status).not.toBe("True");
  });

  test("a flood about a service costs a request in five seconds, and every delivery is handled", async () => {
    await using at = await notified();
    await rollingOut(at.scenario);
    await at.scenario.quiet(6_000);
    const before = requests(at.scenario);
    const startedMs = performance.now();
    for (let n = 0; n < 20; n++) {
      await Promise.all(Array.from({ length: 20 }, () => at.integration.deliver("build:start", about("api"))));
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    expect(new Set(at.integration.deliveries.map(({ status }) => status))).toEqual(new Set([200]));
    await at.scenario.quiet(6_000);
    expect(requests(at.scenario) - before).toBeGreaterThanOrEqual(1);
    expect(requests(at.scenario) - before).toBeLessThanOrEqual(2 + seconds / 5);
  });

  test("a standby forwards them to the leader, which reads", async () => {
    await using at = await notified({ env: { POD_IP: "127.0.0.1" } });
    const leader = at.scenario.operator;
    const object = await rollingOut(at.scenario);
    await at.integration.stop();
    await at.scenario.startOperator().ready();
    await at.scenario.quiet(1_000);
    const webhook = `${addressOf(at.scenario)}/northflank/${at.scenario.namespace}/default`;
    expect(webhook).not.toBe(at.webhook);
    const { northflank } = at.scenario;
    await using standby = startIntegration(northflank, { webhook, secret: at.secret, projects: ["shop"] });
    northflank.finishRollout("shop", "api", "COMPLETED");
    await object.reaches("Ready");
    expect(new Set(standby.deliveries.map(({ status }) => status))).toEqual(new Set([200]));
    await leader.stop();
  });

  test("a standby handles them, and reads nothing", async () => {
    await using at = await notified();
    const leader = at.scenario.operator;
    await at.scenario.startOperator().ready();
    const before = requests(at.scenario);
    const webhook = `${addressOf(at.scenario)}/northflank/${at.scenario.namespace}/default`;
    const { northflank } = at.scenario;
    await using standby = startIntegration(northflank, { webhook, secret: at.secret, projects: ["shop"] });
    expect(await standby.deliver("build:start", about("api"))).toBe(200);
    expect(await standby.deliver("moon:rise", { no: "sense" })).toBe(200);
    expect(requests(at.scenario)).toBe(before);
    expect((await at.scenario.cluster.client.list(leases, { namespace: at.scenario.namespace })).items).toHaveLength(1);
    await leader.stop();
  });
});

const publicUrl = "https://hooks.example.com";

/** An operator that registers the integration of the connection `default` by itself. */
async function registering() {
  // Which port it gets is known only once it listens, so what Northflank sends is led there by the test.
  const scenario = await startScenario({
    flags: ["--webhook-bind-address=127.0.0.1:0", `--webhook-url=${publicUrl}`, ...slowPolls],
  });
  const secret = randomBytes(16).toString("hex");
  await scenario.secret("hook", { secret });
  const connection = await scenario.apply(northflankConnections, "default", {
    tokenSecretRef: { name: "nf-token" },
    apiURL: scenario.northflank.url,
    notifications: { secretRef: { name: "hook" }, register: true },
  });
  await connection.reaches("NotificationsReady", { status: "True", reason: "Registered" });
  return { scenario, connection, secret, [Symbol.asyncDispose]: () => scenario[Symbol.asyncDispose]() };
}

describe("an integration that the operator registers", { concurrent: true, timeout: 200_000 }, () => {
  test("is sent to, replaced when it is disabled, rotated, and deleted with the connection", async () => {
    await using at = await registering();
    const { scenario, connection, secret } = at;
    const { northflank } = scenario;
    const path = `/northflank/${scenario.namespace}/default`;
    const [registered] = northflank.integrations();
    expect(northflank.integrations()).toHaveLength(1);
    expect(registered).toMatchObject({
      webhook: `${publicUrl}${path}`,
      secret,
      type: "RAW_WEBHOOK",
      restricted: false,
    });
    const { id = "" } = registered ?? {};

    // Northflank delivers: the end of a rollout is seen, although no poll is due.
    const object = await rollingOut(scenario);
    await scenario.quiet(1_000);
    northflank.changeIntegration(id, { webhook: `${addressOf(scenario)}${path}` });
    northflank.finishRollout("shop", "api", "COMPLETED");
    await object.reaches("Ready");
    expect(northflank.integration(id)).toMatchObject({ failures: 0 });

    // A request brings it back to what is declared, and replaces it where Northflank has disabled it.
    await connection.reconcileNow();
    await scenario.until("the URL is corrected", () => northflank.integration(id).webhook === `${publicUrl}${path}`);
    northflank.disableIntegration(id);
    await connection.reconcileNow();
    await scenario.until("it is replaced", () => northflank.integrations().every(({ isDisabled }) => !isDisabled));
    const replaced = northflank.integrations();
    expect(replaced.map((one) => [one.id === id, one.secret])).toEqual([[false, secret]]);

    const next = randomBytes(16).toString("hex");
    await scenario.secret("hook", { secret: next });
    await connection.reconcileNow();
    await scenario.until("the secret is rotated", () => northflank.integrations()[0]?.secret === next);
    expect(northflank.integrations().map((one) => one.id)).toEqual(replaced.map((one) => one.id));

    northflank.addIntegration({ name: "of somebody else", webhook: publicUrl, isFollowed: false });
    await connection.delete();
    await scenario.until("it is deleted", () => northflank.integrations().length === 1);
    await connection.isGone();
    expect(northflank.integrations()[0]?.name).toBe("of somebody else");
    for (const canary of [secret, next]) expect(JSON.stringify(scenario.operator.log)).not.toContain(canary);
  });

  test("without the permission only the notifications are not ready; granted, it is registered", async () => {
    await using scenario = await startScenario({
      flags: ["--webhook-bind-address=127.0.0.1:0", `--webhook-url=${publicUrl}`, ...slowPolls],
    });
    scenario.northflank.setTokenRights(scenario.token, { lacks: ["as_observability_notifications_create"] });
    await scenario.secret("hook", { secret: randomBytes(16).toString("hex") });
    const connection = await scenario.apply(northflankConnections, "default", {
      tokenSecretRef: { name: "nf-token" },
      apiURL: scenario.northflank.url,
      notifications: { secretRef: { name: "hook" }, register: true },
    });
    await connection.reaches("NotificationsReady", { status: "False", reason: "PermissionDenied" });
    await connection.reaches("Ready");
    scenario.northflank.setTokenRights(scenario.token, {});
    await connection.reconcileNow();
    await connection.reaches("NotificationsReady", { status: "True", reason: "Registered" });
  });
});

function about(serviceId: string): object {
  return { project: { id: "shop" }, service: { id: serviceId } };
}

function notificationsOf({ status }: { readonly status?: object | undefined }): string | undefined {
  return (status as { readonly notifications?: { readonly lastHintTime?: string } } | undefined)?.notifications
    ?.lastHintTime;
}
