import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { northflankConnections } from "../../src/api/names.ts";
import { secrets } from "../../src/kube/types.ts";
import { kstatusOf } from "../support/kstatus.ts";
import { conditionOf, type Handle, type Scenario, scenarios } from "../support/operator-scenario.ts";

const startScenario = scenarios();

const image = (tag: string) => ({ deployment: { external: { imagePath: `ghcr.io/acme/api:${tag}` } } });
const api = (tag: string, more: object = {}) => ({ projectId: "shop", serviceId: "api", ...image(tag), ...more });

/** A second account at the same address, with its own token, team, quota and the project `mill` with the service `api`. */
async function addRival(scenario: Scenario, limitPerHour = 1_000): Promise<Handle> {
  const rival = scenario.northflank.addAccount({ name: "rival", tokens: ["nf-rival-canary"], limitPerHour });
  rival.addProject("mill");
  rival.addService("mill", { id: "api", image: "ghcr.io/acme/api:1.0.0" });
  await scenario.secret("rival-token", { token: "nf-rival-canary" });
  return await connection(scenario, "rival", { tokenSecretRef: { name: "rival-token" } });
}

async function connection(scenario: Scenario, name: string, spec: object): Promise<Handle> {
  return await scenario.apply(northflankConnections, name, { apiURL: scenario.northflank.url, ...spec });
}

const own = { tokenSecretRef: { name: "nf-token" } };

describe("one account", { concurrent: true, timeout: 300_000 }, () => {
  test("whose project hangs with 40 services holds up neither its other projects nor other accounts", async () => {
    await using scenario = await startScenario({ flags: ["--request-timeout=40s"] });
    await addRival(scenario);
    const hanging = () => scenario.northflank.calls.filter(({ path }) => path.includes("/projects/slow/"));
    scenario.northflank.fault = ({ path }) => (path.includes("/projects/slow/") ? { kind: "hang" } : undefined);
    const slow = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        scenario.deployment(`slow-${n}`, { ...api("1.4.2"), projectId: "slow", serviceId: `api-${n}` }),
      ),
    );
    await scenario.until("six calls that hang: all connections that a project may have", () => hanging().length === 6);
    const same = await scenario.deployment("api", api("1.4.2"));
    const other = await scenario.deployment("mill", {
      ...api("1.4.2", { projectId: "mill" }),
      connectionRef: { name: "rival" },
    });
    const run = await scenario.jobRun("once");
    for (const object of [same, other]) await object.reaches("Ready");
    await run.reaches("Succeeded");
    // All of that while none of the six had its answer, nor ran out of time.
    expect(hanging()).toHaveLength(6);

    scenario.northflank.fault = undefined;
    scenario.northflank.dropConnections();
    for (const object of slow) await object.reaches("Stalled", { reason: "TargetNotFound" });
  });

  test("whose token is refused slows no other account", async () => {
    await using scenario = await startScenario();
    await addRival(scenario);
    scenario.northflank.revokeToken(scenario.token);
    const broken = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        scenario.deployment(`broken-${n}`, { ...api("1.4.2"), serviceId: `api-${n}` }),
      ),
    );
    const other = await scenario.deployment("mill", {
      ...api("1.4.2", { projectId: "mill" }),
      connectionRef: { name: "rival" },
    });
    await other.reaches("Ready");
    for (const object of broken) await object.reaches("Stalled", { reason: "AuthenticationFailed" });
    expect(scenario.northflank.calls.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(9);
    await other.patch(image("1.4.3"));
    await other.reaches("Ready");
  });

  test("has one ledger for all its connections; another one has its own", async () => {
    await using scenario = await startScenario({ connection: "none" });
    await scenario.secret("nf-token", { token: scenario.token });
    const budget = { maxRequestsPerHour: 3 };
    // The same token: the same account, whatever the connection is called. Each has it checked once.
    for (const name of ["default", "second"]) {
      const handle = await connection(scenario, name, { ...own, budget });
      await handle.reaches("Ready", { reason: "Valid" });
    }
    await addRival(scenario);
    const observe = { projectId: "shop", managementPolicy: "Observe" };
    const first = await scenario.deployment("api", { ...observe, serviceId: "api", ...image("1.4.1") });
    await first.reaches("Ready");
    const second = { ...observe, serviceId: "web", ...image("1.4.1"), connectionRef: { name: "second" } };
    const held = await (await scenario.deployment("web", second)).reaches("Ready", {
      status: "Unknown",
      reason: "WaitingForQuota",
    });
    expect(kstatusOf(held)).toBe("InProgress");
    const mine = scenario.northflank.calls.filter(
      ({ headers }) => headers.authorization === `Bearer ${scenario.token}`,
    );
    expect(mine).toHaveLength(3);

    const other = await scenario.deployment("mill", {
      ...api("1.4.2", { projectId: "mill" }),
      connectionRef: { name: "rival" },
    });
    await other.reaches("Ready");
  });
});

describe("a connection", { concurrent: true, timeout: 300_000 }, () => {
  test("for some projects refuses the others, and lets them in when it names them", async () => {
    await using scenario = await startScenario({ connection: "none" });
    await scenario.secret("nf-token", { token: scenario.token });
    const guard = await connection(scenario, "default", { ...own, allowedProjects: ["staging-*"] });
    const object = await scenario.deployment("api", api("1.4.2"));
    const run = await scenario.jobRun("once");
    for (const refused of [object, run]) await refused.reaches("Stalled", { reason: "ProjectNotAllowed" });
    expect(scenario.northflank.calls.filter(({ path }) => path.includes("/projects/"))).toEqual([]);
    await guard.patch({ allowedProjects: ["staging-*", "sh*p"] });
    await object.reaches("Ready");
    await run.reaches("Succeeded");
  });

  test("that is suspended holds back everything that uses it, and counts it", async () => {
    await using scenario = await startScenario({ connection: "none" });
    await scenario.secret("nf-token", { token: scenario.token });
    const handle = await connection(scenario, "default", { ...own, suspend: true });
    const object = await scenario.deployment("api", api("1.4.2"));
    const run = await scenario.jobRun("once");
    for (const held of [object, run]) {
      const waiting = await held.reaches("Ready", { status: "Unknown", reason: "ConnectionSuspended" });
      expect(kstatusOf(waiting)).toBe("InProgress");
    }
    expect(scenario.northflank.calls).toEqual([]);
    await handle.patch({ suspend: false });
    await object.reaches("Ready");
    await run.reaches("Succeeded");
    await handle.becomes("counts two dependents", ({ status }) => status?.dependents === 2);
    await object.delete();
    await object.isGone();
    await handle.reconcileNow();
    await handle.becomes("counts one dependent", ({ status }) => status?.dependents === 1);
  });

  test("with a team calls the paths of the team", async () => {
    await using scenario = await startScenario({ connection: "none" });
    await scenario.secret("nf-token", { token: scenario.token });
    await connection(scenario, "default", { ...own, teamId: "acme" });
    const object = await scenario.deployment("api", api("1.4.2"));
    const run = await scenario.jobRun("once");
    await object.reaches("Ready");
    await run.reaches("Succeeded");
    const paths = scenario.northflank.calls.map(({ path }) => path).filter((path) => path.includes("/projects/"));
    expect(paths.filter((path) => !path.startsWith("/v1/teams/acme/projects/shop/"))).toEqual([]);
  });

  test("takes a token that was rotated at the very moment the old one is refused", async () => {
    await using scenario = await startScenario();
    const { northflank } = scenario;
    const object = await scenario.deployment("api", api("1.4.2"));
    await object.reaches("Ready");
    northflank.addToken("nf-rotated-canary");
    await scenario.secret("nf-token", { token: "nf-rotated-canary" });
    northflank.revokeToken(scenario.token);
    await object.patch(image("1.4.3"));
    await object.reaches("Ready");
    expect(northflank.service("shop", "api").image).toBe("ghcr.io/acme/api:1.4.3");
    expect(object.versions().filter((version) => conditionOf(version, "Stalled") !== undefined)).toEqual([]);
    // The call, and the check that confirms it.
    expect(northflank.calls.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(2);
  });

  test("reads its Secret at once when a reconcile is requested", async () => {
    await using scenario = await startScenario({ connection: "none" });
    await scenario.secret("nf-token", { token: scenario.token });
    const handle = await connection(scenario, "default", own);
    await handle.reaches("Ready", { reason: "Valid" });
    scenario.northflank.addToken("nf-rotated-canary");
    await scenario.secret("nf-token", { token: "nf-rotated-canary" });
    const startedMs = performance.now();
    await handle.reconcileNow();
    await scenario.until("a check with the new token", () =>
      scenario.northflank.calls.some(({ headers }) => headers.authorization === "Bearer nf-rotated-canary"),
    );
    // Nobody had to wait for the minute to be over.
    expect(performance.now() - startedMs).toBeLessThan(30_000);
  });

  test("that is led to another account in mid-run ends no run, and the run is followed when it leads back", async () => {
    await using scenario = await startScenario({ connection: "none", northflank: { runMs: 8_000 } });
    await scenario.secret("nf-token", { token: scenario.token });
    const handle = await connection(scenario, "default", own);
    const run = await scenario.jobRun("once");
    await run.becomes("runs", ({ status }) => status?.runId !== undefined);
    await handle.patch({ teamId: "strangers" });
    const held = await run.reaches("Stalled", { reason: "AccountChanged" });
    expect(kstatusOf(held)).toBe("Failed");
    expect(conditionOf(held, "Finished")).toBeUndefined();
    await handle.patch({ teamId: null });
    await run.reaches("Succeeded");
    expect(scenario.northflank.runs("shop", "migrate")).toHaveLength(1);
  });

  test("with a credential of the cluster is refused, and nothing of it is sent", async () => {
    await using scenario = await startScenario({ connection: "none" });
    const secret = "bootstrap-canary-value";
    scenario.keepSecret(secret);
    await scenario.cluster.client.apply(
      secrets,
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "bootstrap-token-abcdef", namespace: scenario.namespace },
        type: "bootstrap.kubernetes.io/token",
        stringData: { token: secret },
      } as never,
      { fieldManager: "kubectl" },
    );
    const handle = await connection(scenario, "default", { tokenSecretRef: { name: "bootstrap-token-abcdef" } });
    await handle.reaches("Stalled", { reason: "SecretInvalid" });
    const object = await scenario.deployment("api", api("1.4.2"));
    await object.reaches("Stalled", { reason: "SecretInvalid" });
    expect(scenario.northflank.calls).toEqual([]);
  });
});

test("the operator-wide token serves the namespaces it was told to serve, and no other", {
  timeout: 300_000,
}, async () => {
  await using scenario = await startScenario({ connection: "none", isStarted: false });
  const file = join(await mkdtemp(join(tmpdir(), "operator-token-")), "token");
  await writeFile(file, `${scenario.token}\n`);
  const operator = scenario.startOperator([
    `--default-token-file=${file}`,
    "--default-token-namespaces=somewhere-else",
  ]);
  await operator.ready();
  const object = await scenario.deployment("api", api("1.4.2"));
  await object.reaches("Stalled", { reason: "ConnectionNotFound" });
  expect(scenario.northflank.calls).toEqual([]);
  await operator.stop();

  await scenario
    .startOperator([`--default-token-file=${file}`, `--default-token-namespaces=somewhere-else,${scenario.namespace}`])
    .ready();
  await object.reaches("Ready");
});
