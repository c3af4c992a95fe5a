import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defaultToken, type NorthflankSandbox, startNorthflank } from "../../../sandbox/northflank/server.ts";
import { createNorthflankApi, type NorthflankApi } from "../../../src/northflank/client.ts";
import { createLedger, type Ledger } from "../../../src/northflank/ledger.ts";
import { sameImage } from "../../../src/northflank/remote-image.ts";
import { remoteImageOf } from "../../../src/northflank/source-view.ts";
import { createTransport, type Transport } from "../../../src/northflank/transport.ts";
import { systemClock } from "../../../src/util/clock.ts";
import { parseImageReference } from "../../../src/util/image-reference.ts";
import { SecretValue } from "../../../src/util/secret-value.ts";

const service = { projectId: "shop", serviceId: "api" };
const job = { projectId: "shop", jobId: "migrate" };
const call = { class: "change", signal: new AbortController().signal } as const;

let sandbox: NorthflankSandbox;
let transport: Transport;
let ledger: Ledger;
let nowMs: number;

beforeEach(async () => {
  nowMs = Date.parse("2026-01-01T00:00:00Z");
  sandbox = await startNorthflank({ now: () => nowMs, rolloutMs: 1_000, rolloutLagMs: 100, runMs: 1_000 });
  transport = createTransport({ clock: systemClock, allowedHosts: [new URL(sandbox.url).host], userAgent: "test/0" });
  ledger = createLedger({ clock: systemClock, random: () => 0, maxRequestsPerHour: 10_000 });
});

afterEach(async () => {
  await transport[Symbol.asyncDispose]();
  await sandbox.stop();
});

function apiOf(options: { readonly token?: string; readonly teamId?: string | undefined } = {}): NorthflankApi {
  return createNorthflankApi({
    transport,
    ledger,
    clock: systemClock,
    random: () => 0,
    baseUrl: sandbox.url,
    teamId: options.teamId,
    token: new SecretValue(options.token ?? defaultToken),
    pool: "acme",
  });
}

describe("a notification integration", () => {
  const settings = {
    name: "northflank-operator-1",
    webhook: "https://hooks.example.com/northflank/shop/acme",
    secret: new SecretValue("a-secret-of-the-webhook"),
    restricted: true,
    projects: ["shop"],
    events: ["trigger:build:success", "trigger:job-run:start"],
  };

  test.each(["acme", undefined])("is created, found, changed and deleted, of team %s", async (teamId) => {
    const api = apiOf({ teamId });
    const made = await api.createIntegration(settings, call);
    const { secret: _secret, ...shown } = settings;
    const item = { id: made.id, name: shown.name, type: "RAW_WEBHOOK", webhook: shown.webhook, createdAtMs: nowMs };
    expect(made).toEqual({ ...item, isDisabled: false, disabledReason: undefined });
    expect(await api.listIntegrations(call)).toEqual({ items: [made] });
    expect(await api.getIntegration({ integrationId: made.id }, call)).toEqual({ ...made, ...shown });
    expect(sandbox.integration(made.id)).toMatchObject({ secret: "a-secret-of-the-webhook" });

    const changed = { ...settings, secret: new SecretValue("another-secret-of-it"), restricted: false, projects: [] };
    await api.updateIntegration({ integrationId: made.id }, changed, call);
    expect(sandbox.integration(made.id)).toMatchObject({ secret: "another-secret-of-it", restricted: false });
    sandbox.disableIntegration(made.id);
    expect(await api.getIntegration({ integrationId: made.id }, call)).toMatchObject({ isDisabled: true });

    await api.deleteIntegration({ integrationId: made.id }, call);
    await api.deleteIntegration({ integrationId: made.id }, call);
    expect(sandbox.integrations()).toEqual([]);
    expect(await api.getIntegration({ integrationId: made.id }, call)).toBeUndefined();
  });

  test("is created with one request, whatever becomes of its answer", async () => {
    sandbox.fault = ({ method }) => (method === "POST" ? { kind: "reset-after" } : undefined);
    await expect(apiOf().createIntegration(settings, call)).rejects.toMatchObject({ code: "interrupted", sent: true });
    expect(sandbox.integrations()).toHaveLength(1);
    const [found] = (await apiOf().listIntegrations(call)).items;
    sandbox.fault = undefined;
    expect(found?.name).toBe(settings.name);
  });

  test("all pages are read, the oldest come first", async () => {
    for (let n = 0; n < 150; n++) {
      nowMs -= 1_000;
      sandbox.addIntegration({ name: `number ${n}`, webhook: "https://example.com", isFollowed: false });
    }
    const { items, ...rest } = await apiOf().listIntegrations(call);
    expect([items.length, items[0]?.name, items.at(-1)?.name, rest]).toEqual([150, "number 149", "number 0", {}]);
  });

  test("a refusal never repeats the secret", async () => {
    const refused = apiOf().createIntegration({ ...settings, projects: ["a-secret-of-the-webhook"] }, call);
    await expect(refused).rejects.toMatchObject({ code: "rejected", fields: ["projects"] });
    await refused.catch((error: Error) =>
      expect(JSON.stringify({ ...error, m: error.message })).not.toContain("a-secret"),
    );
    sandbox.fault = () => ({
      kind: "answer",
      answer: { status: 400, body: { error: { status: 400, message: 'secret "a-secret-of-the-webhook" is bad' } } },
    });
    const quoted = await apiOf()
      .createIntegration(settings, call)
      .catch((error: Error) => error.message);
    expect(quoted).toContain("secret '[redacted]' is bad");
  });
});

describe("the client on the sandbox", () => {
  test.each(["A", "B"] as const)("moves a service to another image and sees it there, in form %s", async (form) => {
    sandbox.settings.serviceForm = form;
    const api = apiOf({ teamId: "acme" });
    const parsed = parseImageReference("ghcr.io/acme/api:1.4.2");
    if (parsed.kind === "problem") throw new Error(parsed.message);
    const isThere = async () => {
      const remote = remoteImageOf(await api.getService(service, call));
      return remote !== undefined && sameImage(parsed.image, remote);
    };
    const before = await api.getService(service, call);
    expect([await isThere(), before.rolloutStatus]).toEqual([false, "COMPLETED"]);
    await api.updateServiceDeployment(service, { external: { imagePath: "ghcr.io/acme/api:1.4.2" } }, call);
    const written = await api.getService(service, call);
    expect([await isThere(), written.rolloutTransitionTime === before.rolloutTransitionTime]).toEqual([true, true]);
    nowMs += 1_000;
    const after = await api.getService(service, call);
    expect([after.rolloutStatus, after.rolloutTransitionTime]).toEqual(["COMPLETED", "2026-01-01T00:00:01.000Z"]);
  });

  test("falls back to PATCH with the instances that it has read", async () => {
    const api = apiOf();
    sandbox.removeRoute("POST", "/v1/projects/{project}/services/{service}/deployment", 410);
    const update = { external: { imagePath: "ghcr.io/acme/web:2.1.0" } };
    const name = { ...service, serviceId: "web" };
    await expect(api.updateServiceDeployment(name, update, call)).rejects.toMatchObject({ code: "gone" });
    const { instances = 0 } = await api.getService(name, call);
    await api.patchDeploymentService(name, { deployment: { ...update, instances } }, call);
    expect(sandbox.service("shop", "web")).toMatchObject({ instances: 2, image: "ghcr.io/acme/web:2.1.0" });
  });

  test("moves a job to another image, and sees it and its settings there", async () => {
    const api = apiOf({ teamId: "acme" });
    await api.updateJobDeployment(job, { external: { imagePath: "ghcr.io/acme/migrate:1.4.2" } }, call);
    const source = await api.getJobDeployment(job, call);
    const wanted = parseImageReference("ghcr.io/acme/migrate:1.4.2");
    const remote = remoteImageOf(source);
    expect(wanted.kind === "image" && remote !== undefined && sameImage(wanted.image, remote)).toBe(true);
    const told = await api.getJob(job, call);
    expect(told).toMatchObject({ id: "migrate", jobType: "manual", runOnSourceChange: undefined });
    sandbox.settings.tellsRunOnSourceChange = true;
    expect(await api.getJob(job, call)).toEqual({ ...told, runOnSourceChange: "never" });
  });

  test("does not send a change of a job's source twice when the answer is lost", async () => {
    sandbox.fault = ({ method }) => (method === "POST" ? { kind: "reset-after" } : undefined);
    await expect(apiOf().updateJobDeployment(job, { docker: { configType: "default" } }, call)).rejects.toThrow();
    expect(sandbox.calls.filter(({ method }) => method === "POST")).toHaveLength(1);
  });

  test("tells a deprecated route that is gone from a job that is", async () => {
    const api = apiOf();
    sandbox.removeRoute("GET", "/v1/projects/{project}/jobs/{job}/deployment", 404);
    await expect(api.getJobDeployment(job, call)).rejects.toMatchObject({ code: "not_found" });
    expect(await api.getJob(job, call)).toMatchObject({ id: "migrate" });
    await expect(api.getJob({ ...job, jobId: "nowhere" }, call)).rejects.toMatchObject({ code: "not_found" });
  });

  test("patches what a combined service starts, which is no source of it", async () => {
    const api = apiOf();
    const name = { ...service, serviceId: "storefront" };
    const docker = { configType: "customCommand", customCommand: "serve" };
    await api.patchCombinedService(name, { deployment: { docker } }, call);
    expect(sandbox.service("shop", "storefront")).toMatchObject({ docker });
    sandbox.settings.serviceForm = "B";
    expect(await api.getService(name, call)).toMatchObject({ serviceType: "combined", internal: undefined, docker });
    await expect(api.patchCombinedService(service, { deployment: { docker } }, call)).rejects.toMatchObject({
      code: "rejected",
    });
  });

  test("follows a run to its end, aborts another, and finds all of 250 over three pages", async () => {
    const api = apiOf();
    const started = await api.startRun(job, { runtimeEnvironment: { A: "b" } }, call);
    if (started.kind !== "accepted") throw new Error(started.kind);
    const run = { ...job, runId: started.runId };
    expect(await api.getRun(run, call)).toMatchObject({ status: "RUNNING", concluded: false, concludedAt: undefined });
    nowMs += 1_000;
    expect(await api.getRun(run, call)).toMatchObject({ status: "SUCCESS", concluded: true });
    await api.abortRun(run, call);
    expect(await api.getRun({ ...job, runId: "nope" }, call)).toBeUndefined();

    for (let count = 1; count < 250; count++) sandbox.injectRun("shop", "migrate", { startedMs: nowMs + count });
    nowMs += 3_600_000;
    const { runs, serverTimeMs, truncated } = await api.listRuns(job, call);
    expect([new Set(runs.map(({ id }) => id)).size, serverTimeMs, truncated]).toEqual([250, nowMs, undefined]);
    expect(runs.at(-1)?.id).toBe(started.runId);
    expect(sandbox.calls.filter(({ query }) => query.get("per_page") === "100")).toHaveLength(3);
  });

  test("never sends a start twice, whatever happens to it", async () => {
    const api = apiOf();
    const kinds: string[] = [];
    for (const kind of ["reset-before", "reset-after", "truncate"] as const) {
      sandbox.fault = ({ method }) => (method === "POST" ? { kind } : undefined);
      kinds.push((await api.startRun(job, {}, call)).kind);
    }
    sandbox.fault = () => ({ kind: "answer-after", answer: { status: 503, headers: { "retry-after": "1" } } });
    kinds.push((await api.startRun(job, {}, call)).kind);
    expect(kinds).toEqual(["unknown", "unknown", "unknown", "unknown"]);
    expect(sandbox.calls).toHaveLength(4);
    expect(sandbox.runs("shop", "migrate")).toHaveLength(3);
  });

  test("repeats a read and an update that were cut off", async () => {
    const api = apiOf();
    sandbox.fault = ({ number }) => (number % 2 === 1 ? { kind: "reset-after" } : undefined);
    await api.getService(service, call);
    await api.updateServiceDeployment(service, { external: { imagePath: "ghcr.io/acme/api:9" } }, call);
    expect(sandbox.calls.map(({ method }) => method)).toEqual(["GET", "GET", "POST", "POST"]);
  });

  test("stops at the end of the quota, which people have eaten: no request is refused by the API", async () => {
    const api = apiOf();
    sandbox.spendQuota(990);
    const outcomes: string[] = [];
    for (let count = 0; count < 50; count++) {
      outcomes.push(
        await api.getService(service, call).then(
          () => "done",
          (error: { code: string }) => error.code,
        ),
      );
    }
    expect(outcomes.filter((outcome) => outcome === "done")).toHaveLength(10);
    expect(new Set(outcomes.slice(10))).toEqual(new Set(["quota_closed"]));
    expect(sandbox.calls.filter(({ status }) => status === 429)).toHaveLength(0);
  });

  test("asks the API no more after the first 429, but for what was in flight", async () => {
    const api = apiOf();
    sandbox.spendQuota(1_000);
    await Promise.allSettled(Array.from({ length: 8 }, () => api.getService(service, call)));
    await Promise.allSettled(Array.from({ length: 50 }, () => api.getService(service, call)));
    // What is left is not known before the first answer, so that no more than two are in flight.
    expect(sandbox.calls).toHaveLength(2);
  });

  test("names a bad token, and knows a good one where the route exists", async () => {
    await expect(apiOf({ token: "wrong" }).getService(service, call)).rejects.toMatchObject({ code: "unauthorized" });
    expect(await apiOf().whoAmI(call)).toMatchObject({ expiresAt: undefined, permissions: expect.any(Set) });
    sandbox.settings.hasAuthRoute = false;
    expect(await apiOf().whoAmI(call)).toBeUndefined();
  });

  test("reads builds, all pages of them, and says that there are none of what does not exist", async () => {
    const api = apiOf({ teamId: "acme" });
    const builder = { projectId: "shop", serviceId: "builder" };
    for (let index = 0; index < 120; index++) {
      nowMs += 1_000;
      sandbox.addBuild("shop", "builder", { sha: index.toString(16).padStart(40, "0") });
    }
    nowMs += 1_000;
    const build = sandbox.addBuild("shop", "builder", { sha: "a".repeat(40), status: "BUILDING" });
    const list = await api.listBuilds(builder, call);
    expect([list?.builds.length, list?.truncated, list?.builds[0]?.id]).toEqual([122, undefined, build.id]);
    expect(await api.getBuild({ ...builder, buildId: build.id }, call)).toMatchObject({ outcome: "active" });
    sandbox.finishBuild("shop", "builder", build.id, "SUCCESS");
    const concludedAtMs = Math.floor(nowMs / 1_000) * 1_000;
    expect(await api.getBuild({ ...builder, buildId: build.id }, call)).toMatchObject({
      outcome: "succeeded",
      concludedAtMs,
    });
    expect(await api.getBuild({ ...builder, buildId: "nothing" }, call)).toBeUndefined();
    expect(await api.listBuilds({ projectId: "shop", serviceId: "nothing" }, call)).toBeUndefined();
  });

  test("lists all services and jobs of a project, over several pages", async () => {
    for (let count = 0; count < 120; count++) sandbox.addService("shop", { id: `svc-${count}`, image: "nginx:1" });
    const { items } = await apiOf().listServices({ projectId: "shop" }, call);
    expect([items.length, sandbox.calls.length]).toEqual([124, 2]);
    const uid = expect.any(String);
    expect(items.find(({ id }) => id === "builder")).toEqual({ id: "builder", type: "build", disabledCD: false, uid });
    expect(items.find(({ id }) => id === "svc-0")).toMatchObject({
      uid,
      rolloutStatus: "COMPLETED",
      rolloutTransitionTime: expect.stringMatching(/^20/),
    });
    expect(await apiOf({ teamId: "acme" }).listJobs({ projectId: "shop" }, call)).toMatchObject({
      items: [
        { id: "migrate", type: "manual", disabledCD: false, uid },
        { id: "report", type: "cron", disabledCD: false, uid },
      ],
    });
  });
});
