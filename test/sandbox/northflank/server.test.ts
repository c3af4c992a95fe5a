import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type NorthflankSandbox, startNorthflank } from "../../../sandbox/northflank/server.ts";

let sandbox: NorthflankSandbox;
let nowMs: number;

beforeEach(async () => {
  nowMs = Date.parse("2026-01-01T00:00:00.500Z");
  sandbox = await startNorthflank({
    now: () => nowMs,
    rolloutMs: 10_000,
    rolloutLagMs: 1_000,
    runMs: 5_000,
    seed: "test",
  });
});

afterEach(() => sandbox.stop());

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests reach into answers of any shape
  readonly json: any;
}

async function call(method: string, path: string, body?: unknown, token = "sandbox-token"): Promise<Reply> {
  const answer = await fetch(`${sandbox.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get("content-type")?.startsWith("application/json") === true;
  return { status: answer.status, headers: answer.headers, text, json: isJson ? JSON.parse(text) : undefined };
}

const shop = "/v1/projects/shop";
const image = (imagePath: string) => ({ external: { imagePath } });

describe("what is judged before the token", () => {
  test.each([
    ["GET", "/"],
    ["GET", "/v1/nothing"],
    ["GET", `${shop}/services/api/containers`],
    ["GET", `${shop}/services/api/builds`],
    ["POST", `${shop}/jobs/migrate/run`],
    ["GET", "/v2/projects"],
    ["GET", "/v1/teams/acme/auth"],
    ["GET", `${shop}/services//deployment`],
  ])("%s %s is an unknown route", async (method, path) => {
    const answer = await call(method, path, undefined, "nobody");
    expect(answer.json).toEqual({ error: { status: 404, message: "Not Found" } });
    expect([answer.status, answer.headers.get("x-ratelimit-limit")]).toEqual([404, null]);
  });

  test.each([
    ["PATCH", `${shop}/services/api`, "GET"],
    ["GET", `${shop}/services/deployment/api`, "PATCH"],
    ["PUT", `${shop}/jobs/migrate/runs`, "GET, POST"],
    ["PUT", `${shop}/jobs/migrate/deployment`, "GET, POST"],
  ])("%s %s is 405 in plain text with Allow", async (method, path, allow) => {
    const answer = await call(method, path, undefined, "nobody");
    expect([answer.status, answer.headers.get("allow"), answer.json]).toEqual([405, allow, undefined]);
    expect(answer.headers.get("content-type")).toContain("text/plain");
  });
});

describe("tokens", () => {
  test("a missing and a bad one look alike", async () => {
    const bad = await call("GET", "/v1/projects", undefined, "bad");
    expect([bad.status, bad.json]).toEqual([401, { error: { status: 401, message: "Unauthorized" } }]);
    const none = await fetch(`${sandbox.url}/v1/projects`);
    expect([none.status, await none.text()]).toEqual([401, bad.text]);
  });

  test("tell who they are and when they end", async () => {
    sandbox.addToken("short", { expiresAtMs: nowMs + 1_000 });
    const answer = await call("GET", "/v1/auth", undefined, "short");
    expect(answer.json.data).toMatchObject({ tokenKind: "api", expiresAt: "2026-01-01T00:00:01.500Z" });
    nowMs += 1_000;
    expect((await call("GET", "/v1/auth", undefined, "short")).status).toBe(401);
  });

  test("can be revoked", async () => {
    sandbox.revokeToken("sandbox-token");
    expect((await call("GET", "/v1/projects")).status).toBe(401);
  });

  test("of one account do not see the projects of another", async () => {
    const other = sandbox.addAccount({ name: "other", tokens: ["other-token"] });
    other.addProject("secret");
    expect((await call("GET", "/v1/projects/secret/services")).status).toBe(404);
    expect((await call("GET", "/v1/projects/secret/services", undefined, "other-token")).status).toBe(200);
    expect((await call("GET", `${shop}/services`, undefined, "other-token")).status).toBe(404);
  });

  test("reach the same objects by the paths of their team, and no other team's", async () => {
    expect((await call("GET", "/v1/teams/acme/projects/shop/services/api")).json.data.id).toBe("api");
    expect((await call("GET", "/v1/teams/acme/projects")).json.data.projects).toHaveLength(2);
    expect((await call("GET", "/v1/teams/evil/projects/shop/services/api")).status).toBe(404);
  });

  test("can lack a permission, which costs one kind of call and is named in a 401", async () => {
    sandbox.addToken("reader", { lacks: ["ps_jobs_general_run-job", "ps_services_general_update"] });
    const refused = await call("POST", `${shop}/jobs/migrate/runs`, {}, "reader");
    expect(refused.json).toEqual({
      error: { status: 401, message: "Unauthorized", details: { requiredPermission: "ps_jobs_general_run-job" } },
    });
    expect(sandbox.runs("shop", "migrate")).toEqual([]);
    const update = await call("POST", `${shop}/services/api/deployment`, image("a.b/c:1"), "reader");
    expect(update.json.error.details).toEqual({ requiredPermission: "ps_services_general_update" });
    for (const path of ["/v1/auth", `${shop}/services/api`, `${shop}/jobs/migrate/runs`]) {
      expect((await call("GET", path, undefined, "reader")).status).toBe(200);
    }
    sandbox.setTokenRights("reader", {});
    expect((await call("POST", `${shop}/jobs/migrate/runs`, {}, "reader")).status).toBe(200);
  });

  test("tell what they may do", async () => {
    const projects = { restrictionMode: "notIn", projects: ["backend"] } as const;
    sandbox.addToken("narrow", { lacks: ["ps_jobs_general_update"], projects });
    const { data } = (await call("GET", "/v1/auth", undefined, "narrow")).json;
    expect(data).toMatchObject({ scope: "role", tokenKind: "api", role: { name: "operator" }, expiresAt: null });
    expect(data.permissions).toEqual({
      orgScope: [],
      teamScope: [],
      projectScope: [
        "ps_jobs_general_read",
        "ps_jobs_general_run-job",
        "ps_projects_manage_read",
        "ps_services_general_read",
        "ps_services_general_update",
      ],
    });
    expect(data.projectRestrictions).toEqual({ enabled: true, ...projects });
    const own = (await call("GET", "/v1/auth")).json.data;
    expect(own.permissions.projectScope).toContain("ps_jobs_general_update");
    expect(own.projectRestrictions).toEqual({ enabled: false, projects: [], restrictionMode: "in" });
  });

  test.each([
    ["in", "shop", "backend"],
    ["notIn", "backend", "shop"],
  ] as const)("can be limited to projects, or kept out of some (%s)", async (restrictionMode, allowed, other) => {
    sandbox.addToken("narrow", { projects: { restrictionMode, projects: ["shop"] } });
    const seen = async (path: string) => (await call("GET", path, undefined, "narrow")).json;
    expect((await seen("/v1/projects")).data.projects.map(({ id }: { id: string }) => id)).toEqual([allowed]);
    expect((await seen(`/v1/projects/${allowed}/services`)).data.services).not.toEqual([]);
    expect((await seen(`/v1/projects/${other}/services`)).error).toMatchObject({
      status: 401,
      details: { requiredPermission: "ps_services_general_read" },
    });
  });

  test("can be good and meet a bare 401 all the same, but not from GET /v1/auth", async () => {
    sandbox.rejectNextRequests();
    expect((await call("GET", "/v1/auth")).status).toBe(200);
    expect((await call("GET", "/v1/projects")).json).toEqual({ error: { status: 401, message: "Unauthorized" } });
    expect((await call("GET", "/v1/projects")).status).toBe(200);
  });

  test("of an account without a feature get a 401 of their own", async () => {
    const path = "/v1/projects/{project}/services/{service}";
    sandbox.setFeature("GET", path, false);
    const answer = await call("GET", `${shop}/services/api`);
    expect([answer.status, answer.json.error.message, "details" in answer.json.error]).toEqual([
      401,
      expect.stringMatching(/^Feature flag is not enabled for your account/),
      false,
    ]);
    expect((await call("GET", `${shop}/services`)).status).toBe(200);
    sandbox.setFeature("GET", path, true);
    expect((await call("GET", `${shop}/services/api`)).status).toBe(200);
  });

  test("GET /v1/auth can be missing, as in older installations", async () => {
    sandbox.settings.hasAuthRoute = false;
    expect((await call("GET", "/v1/auth", undefined, "nobody")).status).toBe(404);
  });
});

describe("the quota", () => {
  test("counts down, ends in 429, and opens an hour after the first request", async () => {
    sandbox.setLimit(2);
    const first = await call("GET", "/v1/projects");
    const headers = (answer: Reply) =>
      ["limit", "remaining", "reset"].map((name) => answer.headers.get(`x-ratelimit-${name}`));
    expect(headers(first)).toEqual(["2", "1", "3600"]);
    nowMs += 10_000;
    expect(headers(await call("GET", "/v1/projects"))).toEqual(["2", "0", "3590"]);
    const refused = await call("GET", "/v1/projects");
    expect([refused.status, headers(refused), refused.headers.get("retry-after")]).toEqual([
      429,
      ["2", "0", "3590"],
      null,
    ]);
    nowMs += 3_589_999;
    expect((await call("GET", "/v1/projects")).status).toBe(429);
    nowMs += 1;
    expect(headers(await call("GET", "/v1/projects"))).toEqual(["2", "1", "3600"]);
  });

  test("is spent by others too, and per account", async () => {
    sandbox.addAccount({ name: "other", tokens: ["other-token"] });
    sandbox.spendQuota(1_000);
    sandbox.settings.sendsRetryAfter = true;
    const refused = await call("GET", "/v1/projects");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "3600"]);
    expect((await call("GET", "/v1/projects", undefined, "other-token")).status).toBe(200);
    expect(sandbox.quota()).toEqual({ limit: 1_000, used: 1_000, resetAtMs: nowMs + 3_600_000 });
  });

  test("is not spent by what is judged before the token", async () => {
    await call("GET", "/v1/nothing");
    await call("PUT", "/v1/projects");
    await call("GET", "/v1/projects", undefined, "bad");
    expect(sandbox.quota().used).toBe(0);
  });
});

describe("reading a service", () => {
  test("form B is shaped like a write", async () => {
    sandbox.addService("shop", { id: "priv", image: "ghcr.io/acme/priv:1", credentials: "ghcr" });
    const { data } = (await call("GET", `${shop}/services/priv`)).json;
    expect(data).toMatchObject({
      id: "priv",
      serviceType: "deployment",
      status: { deployment: { status: "COMPLETED", lastTransitionTime: "2025-12-31T23:00:00.500Z" } },
      deployment: {
        instances: 1,
        external: { imagePath: "ghcr.io/acme/priv:1", credentials: "ghcr" },
        imageUrl: "ghcr.io/acme/priv:1",
        docker: { configType: "default" },
      },
    });
    expect(data).not.toHaveProperty("servicePaused");
  });

  test("form A strips the host, tells the provider and hides the credentials", async () => {
    sandbox.settings.serviceForm = "A";
    const { data } = (await call("GET", `${shop}/services/api`)).json;
    expect(data.deployment.external).toEqual({
      imagePath: "acme/api:1.4.1",
      registryProvider: "github",
      privateImage: false,
    });
    expect([data.servicePaused, data.disabledCD, "imageUrl" in data.deployment]).toEqual([false, false, false]);
    sandbox.settings.tellsImageUrl = true;
    expect((await call("GET", `${shop}/services/api`)).json.data.deployment.imageUrl).toBe("ghcr.io/acme/api:1.4.1");
  });

  test("a list has no deployment in it", async () => {
    const { data } = (await call("GET", `${shop}/services`)).json;
    expect(data.services.map(({ id }: { id: string }) => id)).toEqual(["api", "web", "storefront", "builder"]);
    for (const service of data.services) expect(service).not.toHaveProperty("deployment");
    expect(data.services[0].status.deployment.status).toBe("COMPLETED");
    expect(data.services[3].status).not.toHaveProperty("deployment");
  });

  test.each([
    `${shop}/services/nope`,
    "/v1/projects/nope/services",
    `${shop}/jobs/nope`,
    `${shop}/jobs/migrate/runs/nope`,
  ])("%s is not there", async (path) => {
    const answer = await call("GET", path);
    expect([answer.status, answer.json.error.status]).toEqual([404, 404]);
  });
});

describe("updating the deployment of a service", () => {
  const status = async () => {
    const { data } = (await call("GET", `${shop}/services/api`)).json;
    return [data.status.deployment.status, data.status.deployment.lastTransitionTime.slice(14, 23)];
  };

  test("answers with nothing and rolls out in time, the old status first", async () => {
    const answer = await call("POST", `${shop}/services/api/deployment`, image("ghcr.io/acme/api:1.4.2"));
    expect([answer.status, answer.json]).toEqual([200, { data: {} }]);
    expect(sandbox.service("shop", "api").image).toBe("ghcr.io/acme/api:1.4.2");
    expect(await status()).toEqual(["COMPLETED", "00:00.500"]);
    nowMs += 1_000;
    expect(await status()).toEqual(["PENDING", "00:01.500"]);
    nowMs += 2_000;
    expect(await status()).toEqual(["IN_PROGRESS", "00:03.500"]);
    nowMs += 6_999;
    expect(await status()).toEqual(["IN_PROGRESS", "00:03.500"]);
    nowMs += 1;
    expect(await status()).toEqual(["COMPLETED", "00:10.500"]);
  });

  test.each<[string, () => void, string]>([
    ["the script", () => sandbox.failNextRollout("shop", "api"), "ghcr.io/acme/api:2"],
    ["a broken image", () => undefined, "ghcr.io/acme/api:2-broken"],
  ])("fails by %s", async (_what, prepare, path) => {
    prepare();
    await call("POST", `${shop}/services/api/deployment`, image(path));
    nowMs += 10_000;
    expect(await status()).toEqual(["FAILED", "00:10.500"]);
    await call("POST", `${shop}/services/api/deployment`, image("ghcr.io/acme/api:3"));
    nowMs += 10_000;
    expect(await status()).toEqual(["COMPLETED", "00:20.500"]);
  });

  test("can hang until somebody ends it", async () => {
    sandbox.hangNextRollout("shop", "api");
    await call("POST", `${shop}/services/api/deployment`, image("ghcr.io/acme/api:2"));
    nowMs += 86_400_000;
    expect((await status())[0]).toBe("IN_PROGRESS");
    sandbox.finishRollout("shop", "api", "FAILED");
    expect((await status())[0]).toBe("FAILED");
  });

  test("the same image again is another rollout", async () => {
    await call("POST", `${shop}/services/api/deployment`, image("ghcr.io/acme/api:1.4.1"));
    expect(sandbox.service("shop", "api").rolloutCount).toBe(2);
  });

  test("a person in the user interface starts a rollout too", async () => {
    sandbox.setImage("shop", "api", "ghcr.io/acme/api:0.9");
    nowMs += 1_000;
    expect(await status()).toEqual(["PENDING", "00:01.500"]);
  });

  test.each<[string, string, unknown]>([
    ["both sources", "api", { ...image("a.b/c:1"), internal: { id: "builder" } }],
    ["no tag", "api", image("nginx")],
    ["an unknown key", "api", { ...image("a.b/c:1"), instances: 1 }],
    ["a missing conditional field", "api", { docker: { configType: "customCommand" } }],
    ["no body", "api", undefined],
    ["broken JSON", "api", "{"],
    ["a list", "api", []],
    ["an unknown build service", "api", { internal: { id: "nothing" } }],
    ["a commit without a build", "api", { internal: { id: "builder", buildSHA: "f".repeat(40) } }],
    ["an external image for a combined service", "storefront", image("a.b/c:1")],
    ["anything for a build service", "builder", { docker: { configType: "default" } }],
  ])("refuses %s", async (_what, service, body) => {
    const answer = await call("POST", `${shop}/services/${service}/deployment`, body);
    expect([answer.status, answer.json.error.status]).toEqual([400, 400]);
    expect(sandbox.service("shop", service).rolloutCount).toBe(1);
  });

  test("names the fields that are wrong and repeats the values, as the real one does", async () => {
    const answer = await call("POST", `${shop}/services/api/deployment`, { external: { imagePath: "canary" } });
    expect(answer.json.error.id).toBe("nf-invalid-request-body");
    expect(JSON.stringify(answer.json.error.details["external.imagePath"])).toContain("canary");
  });

  test("takes a build", async () => {
    const build = sandbox.addBuild("shop", "builder", { sha: "a".repeat(40) });
    const body = { internal: { id: "builder", branch: "main", buildId: build.id } };
    expect((await call("POST", `${shop}/services/api/deployment`, body)).status).toBe(200);
    expect(sandbox.service("shop", "api")).toMatchObject({
      image: undefined,
      internal: { id: "builder", buildId: build.id },
    });
  });

  test("PATCH needs instances and answers with the service", async () => {
    const path = `${shop}/services/deployment/api`;
    expect((await call("PATCH", path, { deployment: image("a.b/c:1") })).status).toBe(400);
    const answer = await call("PATCH", path, { deployment: { instances: 3, ...image("a.b/c:1") } });
    expect(answer.json.data.deployment).toMatchObject({ instances: 3, external: { imagePath: "a.b/c:1" } });
    expect(sandbox.service("shop", "api")).toMatchObject({ instances: 3, image: "a.b/c:1", rolloutCount: 2 });
    expect(
      (await call("PATCH", `${shop}/services/deployment/storefront`, { deployment: { instances: 1 } })).status,
    ).toBe(400);
  });

  test.each([404, 405, 410] as const)("the deprecated route can be taken away as %i", async (as) => {
    const route = "/v1/projects/{project}/services/{service}/deployment";
    sandbox.removeRoute("POST", route, as);
    expect((await call("POST", `${shop}/services/api/deployment`, image("a.b/c:1"))).status).toBe(as);
    expect((await call("GET", `${shop}/services/api`)).status).toBe(200);
    sandbox.removeRoute("POST", route, undefined);
    expect((await call("POST", `${shop}/services/api/deployment`, image("a.b/c:1"))).status).toBe(200);
  });
});

describe("docker in an update", () => {
  const own = { configType: "customCommand", customCommand: "serve" };
  const other = { configType: "customCommand", customCommand: "serve --port 81" };
  const api = `${shop}/services/api`;
  const docker = async (path = api) => (await call("GET", path)).json.data.deployment.docker;
  const update = async (body: object, path = api) => (await call("POST", `${path}/deployment`, body)).status;

  test.each([api, `${shop}/jobs/migrate`])("of %s is kept when it comes alone", async (path) => {
    expect(await update({ docker: own }, path)).toBe(200);
    expect(await docker(path)).toEqual(own);
    await update(image("a.b/c:2"), path);
    expect(await docker(path)).toEqual(own);
  });

  test.each([api, `${shop}/jobs/migrate`])("of %s is at its default after one with an image", async (path) => {
    await update({ docker: own }, path);
    expect(await update({ ...image("a.b/c:2"), docker: other }, path)).toBe(200);
    expect(await docker(path)).toEqual({ configType: "default" });
  });

  test("of a PATCH goes the same way, as its answer says", async () => {
    const patch = async (deployment: object) =>
      (await call("PATCH", `${shop}/services/deployment/api`, { deployment: { instances: 1, ...deployment } })).json;
    const both = await patch({ ...image("a.b/c:2"), docker: own });
    expect(both.data.deployment).toMatchObject({
      docker: { configType: "default" },
      external: { imagePath: "a.b/c:2" },
    });
    expect((await patch({ docker: own })).data.deployment.docker).toEqual(own);
  });

  test.each([
    ["ignored", own],
    ["kept", other],
  ] as const)("beside an image is %s where that is set", async (dockerBesideImage, after) => {
    sandbox.settings.dockerBesideImage = dockerBesideImage;
    await update({ docker: own });
    await update({ ...image("a.b/c:2"), docker: other });
    expect(await docker()).toEqual(after);
  });
});

describe("builds", () => {
  const sha = "a".repeat(40);
  const follow = { internal: { id: "builder", branch: "main", buildSHA: "latest" } };
  const deploy = async (body: unknown) => (await call("POST", `${shop}/services/api/deployment`, body)).status;
  const api = () => sandbox.service("shop", "api");

  test("take their time and end as planned, and tell the end in seconds", async () => {
    sandbox.settings.buildMs = 10_000;
    const { id } = sandbox.startBuild("shop", "builder", { sha, outcome: "FAILURE" });
    const seen = async () => (await call("GET", `${shop}/services/builder/build/${id}`)).json.data;
    expect(await seen()).toMatchObject({ status: "QUEUED", concluded: false, sha, branch: "main" });
    nowMs += 2_000;
    expect(await seen()).toMatchObject({ status: "BUILDING", concluded: false });
    nowMs += 7_999;
    expect(await seen()).not.toHaveProperty("buildConcludedAt");
    nowMs += 1;
    const buildConcludedAt = Math.floor(nowMs / 1_000);
    expect(await seen()).toMatchObject({ status: "FAILURE", concluded: true, success: false, buildConcludedAt });
  });

  test("are deployed only after success, by commit and by id", async () => {
    const { id } = sandbox.startBuild("shop", "builder", { sha, outcome: "never" });
    const byId = { internal: { id: "builder", buildId: id } };
    const byCommit = { internal: { id: "builder", buildSHA: sha } };
    expect([await deploy(byId), await deploy(byCommit)]).toEqual([400, 400]);
    sandbox.finishBuild("shop", "builder", id, "SUCCESS");
    expect([await deploy(byId), await deploy(byCommit)]).toEqual([200, 200]);
    expect(api()).toMatchObject({ deployedSHA: sha, rolloutCount: 3 });
    sandbox.loseBuild("shop", "builder", id);
    expect(await deploy(byCommit)).toBe(400);
  });

  test("are rolled out one after the other to who follows the latest of the branch", async () => {
    expect(await deploy(follow)).toBe(200);
    expect(api()).toMatchObject({ deployedSHA: "12c15e7ee6a1e6b3b1b7f4a1b9a5b0f1c2d3e4f5", rolloutCount: 2 });
    sandbox.addBuild("shop", "builder", { sha: "b".repeat(40), branch: "other" });
    sandbox.addBuild("shop", "builder", { sha: "c".repeat(40), status: "FAILURE" });
    nowMs += 60_000;
    expect(api().rolloutCount).toBe(2);
    sandbox.startBuild("shop", "builder", { sha });
    nowMs += 60_000;
    expect(api()).toMatchObject({ deployedSHA: sha, rolloutCount: 3, rolloutStatus: "COMPLETED" });
    sandbox.setContinuousDeployment("shop", "api", false);
    sandbox.addBuild("shop", "builder", { sha: "d".repeat(40) });
    expect(api().rolloutCount).toBe(3);
  });

  test("that do not exist yet are no obstacle to following them: nothing is deployed until there is one", async () => {
    sandbox.addService("shop", { id: "fresh", serviceType: "build" });
    expect(await deploy({ internal: { id: "fresh" } })).toBe(200);
    expect(api()).toMatchObject({ deployedSHA: undefined, rolloutCount: 1 });
    sandbox.addBuild("shop", "fresh", { sha });
    expect(api()).toMatchObject({ deployedSHA: sha, rolloutCount: 2 });
  });

  test("are listed for services and jobs, oldest first, and are told by id in the older answer", async () => {
    const { id } = sandbox.addBuild("shop", "builder", { sha });
    const ofService = await call("GET", `${shop}/services/builder/build?per_page=1`);
    expect(ofService.json).toMatchObject({ data: { builds: [{ branch: "main" }] }, pagination: { hasNextPage: true } });
    sandbox.addBuild("shop", "migrate", { sha, status: "UNSCHEDULABLE" });
    const ofJob = await call("GET", `${shop}/jobs/migrate/build`);
    expect(ofJob.json.data.builds).toMatchObject([{ sha, status: "UNSCHEDULABLE", concluded: false }]);
    await deploy({ internal: { id: "builder", buildId: id } });
    const told = (await call("GET", `${shop}/services/api/deployment`)).json.data.internal;
    expect(told).toMatchObject({ nfObjectId: "builder", buildSHA: sha, deployedSHA: sha, buildId: id });
    sandbox.settings.serviceForm = "A";
    expect((await call("GET", `${shop}/services/api`)).json.data.deployment.internal).not.toHaveProperty("buildId");
  });
});

describe("runs", () => {
  const runs = `${shop}/jobs/migrate/runs`;
  const start = async (body: unknown = {}): Promise<string> => (await call("POST", runs, body)).json.data.id;

  test("run and end", async () => {
    const answer = await call("POST", runs, { runtimeEnvironment: { LOG_LEVEL: "debug" } });
    const { id, runName } = answer.json.data;
    expect([answer.status, id, runName]).toEqual([
      200,
      expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/),
      expect.stringMatching(/^migrate-[0-9a-f]{24}$/),
    ]);
    expect((await call("GET", `${runs}/${id}`)).json.data).toMatchObject({
      id,
      runName,
      status: "RUNNING",
      concluded: false,
      startedAt: "2026-01-01T00:00:00Z",
      concludedAt: "",
    });
    nowMs += 5_000;
    expect((await call("GET", `${runs}/${id}`)).json.data).toMatchObject({
      status: "SUCCESS",
      concluded: true,
      concludedAt: "2026-01-01T00:00:05Z",
    });
    expect(sandbox.runs("shop", "migrate")[0]).toMatchObject({
      startedBy: "api",
      request: { runtimeEnvironment: { LOG_LEVEL: "debug" } },
    });
  });

  test("fail by script and by a broken image, and hang until somebody ends them", async () => {
    sandbox.failNextRun("shop", "migrate");
    const scripted = await start();
    const broken = await start({ deployment: image("a.b/c:broken") });
    sandbox.hangNextRun("shop", "migrate");
    const hanging = await start();
    nowMs += 86_400_000;
    const state = (id: string) => sandbox.runs("shop", "migrate").find((run) => run.id === id)?.status;
    expect([scripted, broken, hanging].map(state)).toEqual(["FAILED", "FAILED", "RUNNING"]);
    sandbox.finishRun(hanging, "SUCCESS");
    expect(state(hanging)).toBe("SUCCESS");
  });

  test("can be aborted once", async () => {
    const id = await start();
    expect((await call("DELETE", `${runs}/${id}`)).json).toEqual({ data: {} });
    expect(sandbox.runs("shop", "migrate")[0]).toMatchObject({ status: "FAILED", concluded: true, wasAborted: true });
    expect((await call("DELETE", `${runs}/${id}`)).status).toBe(409);
  });

  test("can be missing from the list for a while", async () => {
    sandbox.settings.runListLagMs = 20_000;
    const id = await start();
    sandbox.injectRun("shop", "migrate");
    const listed = async () => (await call("GET", runs)).json.data.runs.map((run: { id: string }) => run.id);
    expect(await listed()).toHaveLength(1);
    expect((await call("GET", `${runs}/${id}`)).status).toBe(200);
    nowMs += 20_000;
    expect(await listed()).toContain(id);
  });

  test("can be lost", async () => {
    const id = await start();
    sandbox.loseRun(id);
    expect((await call("GET", `${runs}/${id}`)).status).toBe(404);
  });

  test.each<[string, unknown]>([
    ["no body", undefined],
    ["an unknown key", { name: "mine" }],
    ["an image without a tag", { deployment: image("nginx") }],
    ["a number as a value of a file", { runtimeFiles: { "/a": { data: 1 } } }],
  ])("are refused for %s, and nothing starts", async (_what, body) => {
    expect((await call("POST", runs, body)).status).toBe(400);
    expect(sandbox.runs("shop", "migrate")).toEqual([]);
  });

  test("need something to run: from the job, from the run itself, or from a build of the job", async () => {
    sandbox.addJob("shop", { id: "empty" });
    const empty = `${shop}/jobs/empty/runs`;
    const answer = await call("POST", empty, { runtimeEnvironment: { A: "b" } });
    expect(answer.json).toEqual({ error: { status: 409, message: "No deployment configured" } });
    expect(sandbox.runs("shop", "empty")).toEqual([]);
    expect((await call("POST", empty, { deployment: image("a.b/c:1") })).status).toBe(200);
    sandbox.addBuild("shop", "empty", { sha: "a".repeat(40) });
    expect((await call("POST", empty, {})).status).toBe(200);
  });

  test("of a build are refused until it has succeeded", async () => {
    const { id, sha } = sandbox.startBuild("shop", "builder", { sha: "b".repeat(40), outcome: "never" });
    const byCommit = { deployment: { internal: { id: "builder", buildSHA: sha } } };
    const byId = { deployment: { internal: { id: "builder", buildId: id } } };
    for (const body of [byCommit, byId]) expect((await call("POST", runs, body)).status).toBe(400);
    expect(sandbox.runs("shop", "migrate")).toEqual([]);
    sandbox.finishBuild("shop", "builder", id, "SUCCESS");
    for (const body of [byCommit, byId]) expect((await call("POST", runs, body)).status).toBe(200);
  });

  test("are listed in pages by cursor", async () => {
    for (let count = 0; count < 5; count++) sandbox.injectRun("shop", "migrate", { startedMs: nowMs - count * 1_000 });
    const seen: string[] = [];
    let query = "?per_page=2";
    for (let page = 0; page < 3; page++) {
      const { data, pagination } = (await call("GET", `${runs}${query}`)).json;
      seen.push(...data.runs.map((run: { id: string }) => run.id));
      expect(pagination).toMatchObject({ hasNextPage: page < 2, count: page < 2 ? 2 : 1 });
      query = `?per_page=2&cursor=${encodeURIComponent(pagination.cursor)}`;
    }
    expect(seen).toEqual(sandbox.runs("shop", "migrate").map(({ id }) => id));
    expect((await call("GET", `${runs}?per_page=2&page=3`)).json.data.runs).toHaveLength(1);
    expect((await call("GET", `${runs}?per_page=101`)).status).toBe(400);
    expect((await call("GET", `${runs}?cursor=bogus`)).status).toBe(400);
  });
});

describe("jobs", () => {
  test("are read without their source, which only the deprecated route tells", async () => {
    const { data } = (await call("GET", `${shop}/jobs/migrate`)).json;
    expect(data).toMatchObject({ jobType: "manual", settings: { backoffLimit: 0 } });
    expect(JSON.stringify(data)).not.toContain("acme/migrate");
    expect((await call("GET", `${shop}/jobs/migrate/deployment`)).json.data).toEqual({
      external: { imagePath: "acme/migrate:1.4.1", registryProvider: "github", privateImage: false },
    });
  });

  test("take a new image by the deprecated POST, and start a run when told to", async () => {
    sandbox.addJob("shop", { id: "auto", image: "a.b/c:1", runOnSourceChange: "always" });
    for (const job of ["auto", "migrate"]) await call("POST", `${shop}/jobs/${job}/deployment`, image("a.b/c:2"));
    expect(sandbox.job("shop", "auto").image).toBe("a.b/c:2");
    expect(sandbox.runs("shop", "auto").map(({ startedBy }) => startedBy)).toEqual(["other"]);
    expect(sandbox.runs("shop", "migrate")).toEqual([]);
  });

  test("PATCH changes what it names, and takes no deployment", async () => {
    const path = `${shop}/jobs/report`;
    expect((await call("PATCH", path, { deployment: image("a.b/c:1") })).status).toBe(400);
    const answer = await call("PATCH", path, { settings: { cron: { concurrencyPolicy: "replace" } } });
    expect(answer.json.data.settings.cron).toEqual({ schedule: "0 3 * * *", concurrencyPolicy: "replace" });
    expect(answer.json.data.deployment.external).toEqual({ imagePath: "ghcr.io/acme/report:2.0.0" });
    expect(sandbox.job("shop", "report").settings).toMatchObject({ settings: { activeDeadlineSeconds: 600 } });
  });

  test("PATCH manual has its policy on top", async () => {
    const answer = await call("PATCH", `${shop}/jobs/manual/migrate`, { backoffLimit: 2 });
    expect(answer.json.data).toMatchObject({ backoffLimit: 2, activeDeadlineSeconds: 600 });
    expect((await call("PATCH", `${shop}/jobs/manual/migrate`, { settings: {} })).status).toBe(400);
    expect((await call("PATCH", `${shop}/jobs/manual/report`, { backoffLimit: 2 })).status).toBe(400);
  });

  test("PATCH cron has its schedule and suspended on top, in the answer too", async () => {
    const answer = await call("PATCH", `${shop}/jobs/cron/report`, { suspended: true });
    expect(answer.json.data).toMatchObject({ schedule: "0 3 * * *", concurrencyPolicy: "forbid", suspended: true });
    expect(answer.json.data).not.toHaveProperty("cron");
    expect((await call("PATCH", `${shop}/jobs/manual/migrate`, { suspended: true })).status).toBe(400);
  });

  test.each([
    ["/jobs/cron/report", (suspended: boolean) => ({ suspended })],
    ["/jobs/report", (suspended: boolean) => ({ settings: { cron: { suspended } } })],
  ])("PATCH %s suspends the schedule, as get and list tell", async (path, body) => {
    const told = async () => [
      (await call("GET", `${shop}/jobs/report`)).json.data.suspended,
      (await call("GET", `${shop}/jobs`)).json.data.jobs[1].suspended,
    ];
    expect(await told()).toEqual([false, false]);
    expect((await call("PATCH", `${shop}${path}`, body(true))).status).toBe(200);
    expect(await told()).toEqual([true, true]);
    await call("PATCH", `${shop}${path}`, body(false));
    expect(await told()).toEqual([false, false]);
  });
});

test("the Date header follows the API's clock", async () => {
  expect((await call("GET", "/v1/projects")).headers.get("date")).toBe("Thu, 01 Jan 2026 00:00:00 GMT");
});

test("one-shot faults and the call log work as in every sandbox server", async () => {
  sandbox.fault = (seen) => (seen.number === 1 ? { kind: "answer-after", answer: { status: 503 } } : undefined);
  expect((await call("POST", `${shop}/jobs/migrate/runs`, {})).status).toBe(503);
  expect(sandbox.runs("shop", "migrate")).toHaveLength(1);
  expect((await call("GET", `${shop}/jobs/migrate/runs`)).status).toBe(200);
  expect(sandbox.calls.map(({ method, status }) => `${method} ${status}`)).toEqual(["POST 503", "GET 200"]);
});

test("a handler that throws answers 500 with the text", async () => {
  Object.defineProperty(sandbox.settings, "serviceForm", {
    get: () => {
      throw new Error("no form");
    },
  });
  const answer = await call("GET", `${shop}/services/api`);
  expect([answer.status, answer.json]).toEqual([500, { error: { status: 500, message: "no form" } }]);
});

test("a control that names what does not exist says so, instead of doing nothing", () => {
  expect(() => sandbox.setImage("shop", "nope", "a.b/c:1")).toThrow("no service nope in project shop");
  expect(() => sandbox.addJob("nope", { id: "job" })).toThrow("no project nope");
  expect(() => sandbox.finishRun("nope", "SUCCESS")).toThrow("no run nope");
  expect(() => sandbox.account("nope")).toThrow("no account nope");
  expect(() => sandbox.removeRoute("POST", "/v1/nope", 404)).toThrow("no route POST /v1/nope");
  expect(() => sandbox.setFeature("POST", "/v1/nope", false)).toThrow("no route POST /v1/nope");
  expect(() => sandbox.addToken("t", { lacks: ["ps_nope"] })).toThrow("no permission ps_nope");
  expect(() => sandbox.setTokenRights("nope", {})).toThrow("no such token");
});

describe("a paused service", () => {
  const api = `${shop}/services/api`;
  const read = async () => (await call("GET", api)).json.data;
  const state = () => sandbox.service("shop", "api");

  test("has no instances, and is otherwise as before", async () => {
    const before = await read();
    expect((await call("POST", `${api}/pause`)).json).toEqual({ data: {} });
    expect(await read()).toEqual({ ...before, deployment: { ...before.deployment, instances: 0 } });
    expect((await call("POST", `${api}/resume`, {})).json).toEqual({ data: {} });
    expect((await read()).deployment.instances).toBe(1);
    expect(state()).toMatchObject({ isPaused: false, rolloutCount: 2 });
  });

  test("has the flag servicePaused in the older form, and its instances", async () => {
    sandbox.settings.serviceForm = "A";
    sandbox.pauseService("shop", "web", true);
    const web = async () => (await call("GET", `${shop}/services/web`)).json.data;
    expect(await web()).toMatchObject({ servicePaused: true, deployment: { instances: 2 } });
    sandbox.settings.pauseSign = "instances";
    expect(await web()).toMatchObject({ deployment: { instances: 0 } });
    expect(await web()).not.toHaveProperty("servicePaused");
  });

  test("takes an update without a rollout, and starts with it after the resume", async () => {
    await call("POST", `${api}/pause`);
    const answer = await call("POST", `${api}/deployment`, image("ghcr.io/acme/api:2"));
    expect([answer.status, answer.json]).toEqual([200, { data: {} }]);
    expect((await read()).deployment).toMatchObject({ instances: 0, external: { imagePath: "ghcr.io/acme/api:2" } });
    nowMs += 60_000;
    expect(state()).toMatchObject({ rolloutCount: 1, rolloutStatus: "COMPLETED" });
    await call("POST", `${api}/resume`, { instances: 3 });
    expect(state()).toMatchObject({ rolloutCount: 2, instances: 3, image: "ghcr.io/acme/api:2" });
  });

  test("is resumed by an update where that is set", async () => {
    sandbox.settings.updateResumes = true;
    await call("POST", `${api}/pause`);
    await call("POST", `${api}/deployment`, image("ghcr.io/acme/api:2"));
    expect(state()).toMatchObject({ isPaused: false, rolloutCount: 2 });
  });

  test("stays paused by a PATCH with no instances, and is resumed by one with some", async () => {
    await call("POST", `${api}/pause`);
    const patch = (instances: number) =>
      call("PATCH", `${shop}/services/deployment/api`, { deployment: { instances, ...image("a.b/c:1") } });
    expect((await patch(0)).json.data.deployment.instances).toBe(0);
    expect(state()).toMatchObject({ isPaused: true, rolloutCount: 1 });
    expect((await patch(2)).json.data.deployment.instances).toBe(2);
    expect(state()).toMatchObject({ isPaused: false, rolloutCount: 2 });
  });

  test("follows no builds until it is resumed, and then rolls out once", async () => {
    const sha = "a".repeat(40);
    await call("POST", `${api}/deployment`, { internal: { id: "builder", branch: "main", buildSHA: "latest" } });
    await call("POST", `${api}/pause`);
    sandbox.addBuild("shop", "builder", { sha });
    expect(state()).toMatchObject({ rolloutCount: 2 });
    await call("POST", `${api}/resume`, {});
    expect(state()).toMatchObject({ deployedSHA: sha, rolloutCount: 3 });
  });

  test("is the only one that can be resumed", async () => {
    expect((await call("POST", `${api}/resume`, {})).status).toBe(409);
    expect((await call("POST", `${api}/resume`, { instances: "1" })).status).toBe(400);
  });

  test("a restart is a rollout of what is there", async () => {
    expect((await call("POST", `${api}/restart`)).json).toEqual({ data: {} });
    expect(state()).toMatchObject({ image: "ghcr.io/acme/api:1.4.1", rolloutCount: 2 });
  });
});

describe("a gradual rollout", () => {
  const api = `${shop}/services/api`;
  const rollout = `${api}/rollout`;
  const update = (path: string) => call("POST", `${api}/deployment`, image(path));
  const status = () => sandbox.service("shop", "api").rolloutStatus;
  const deployments = async (query = "") => (await call("GET", `${api}/deployments${query}`)).json.data.deployments;

  beforeEach(() => sandbox.setGradualRollout("shop", "api", "careful"));

  test("is told by the service, and keeps an update IN_PROGRESS until it is promoted", async () => {
    expect((await call("GET", api)).json.data.deployment.gradualRolloutStrategyId).toBe("careful");
    expect((await call("GET", rollout)).status).toBe(404);
    await update("a.b/c:2");
    nowMs += 86_400_000;
    expect(status()).toBe("IN_PROGRESS");
    expect((await call("GET", rollout)).json.data).toMatchObject({
      type: "canary",
      strategyId: "careful",
      promoted: false,
      details: { canaryStrategy: "percentage", config: { canaryPercentage: 10, stablePercentage: 90 } },
      stableDeployment: { releaseType: "stable", image: { imagePath: "ghcr.io/acme/api:1.4.1" } },
      canaryDeployment: { releaseType: "canary", image: { imagePath: "a.b/c:2" } },
    });
    for (const _twice of [1, 2]) {
      expect((await call("POST", `${rollout}/promote`)).json).toEqual({ data: {} });
      expect(status()).toBe("COMPLETED");
      expect((await call("GET", rollout)).json.data).toMatchObject({ promoted: true, canaryDeployment: null });
    }
    await update("a.b/c:3");
    expect((await call("GET", rollout)).json.data.stableDeployment.image.imagePath).toBe("a.b/c:2");
  });

  test("keeps its stable deployment when another update comes before the promotion", async () => {
    await update("a.b/c:2");
    await update("a.b/c:3");
    const { data } = (await call("GET", rollout)).json;
    expect([data.stableDeployment.image.imagePath, data.canaryDeployment.image.imagePath]).toEqual([
      "ghcr.io/acme/api:1.4.1",
      "a.b/c:3",
    ]);
  });

  test("splits the traffic as it is told, and is promoted by all of it", async () => {
    await update("a.b/c:2");
    const split = (canaryPercentage: number, stablePercentage: number) =>
      call("POST", `${rollout}/configuration`, { canaryPercentage, stablePercentage });
    expect((await split(50, 40)).status).toBe(400);
    expect((await split(50, 50)).json.data).toMatchObject({
      promoted: false,
      details: { config: { canaryPercentage: 50, stablePercentage: 50 } },
      history: [{ config: { canaryPercentage: 10, stablePercentage: 90 } }],
    });
    nowMs += 60_000;
    expect(status()).toBe("IN_PROGRESS");
    expect((await split(100, 0)).json.data.promoted).toBe(true);
    expect(status()).toBe("COMPLETED");
    expect((await split(50, 50)).status).toBe(409);
  });

  test("goes back to an older deployment, at once", async () => {
    await update("a.b/c:2");
    const [, stable] = await deployments();
    expect((await call("POST", `${rollout}/rollback`, { deployment: "nope" })).status).toBe(404);
    const { id } = (await call("POST", `${rollout}/rollback`, { deployment: stable.id })).json.data;
    expect((await deployments())[0]).toMatchObject({ id, image: { imagePath: "ghcr.io/acme/api:1.4.1" } });
    nowMs += 60_000;
    expect(status()).toBe("COMPLETED");
    expect((await call("GET", rollout)).status).toBe(404);
    expect((await deployments("?releaseType=canary")).map(({ image: of }: { image: object }) => of)).toEqual([
      { imagePath: "a.b/c:2" },
    ]);
  });

  test("of an image that cannot start fails, and cannot be promoted", async () => {
    await update("a.b/c:broken");
    nowMs += 60_000;
    expect(status()).toBe("FAILED");
    expect((await call("POST", `${rollout}/promote`)).status).toBe(409);
  });

  test("can be promoted by a person, and be switched on and off by a PATCH", async () => {
    await update("a.b/c:2");
    sandbox.promoteRollout("shop", "api");
    expect(status()).toBe("COMPLETED");
    const patch = (gradualRolloutStrategyId: string | null) =>
      call("PATCH", `${shop}/services/deployment/api`, { deployment: { instances: 1, gradualRolloutStrategyId } });
    expect((await patch(null)).json.data.deployment).not.toHaveProperty("gradualRolloutStrategyId");
    await update("a.b/c:3");
    nowMs += 60_000;
    expect(status()).toBe("COMPLETED");
  });
});

describe("the controls over HTTP", () => {
  const control = (name: string, ...parameters: unknown[]) => call("POST", `/sandbox/${name}`, parameters, "nobody");

  test("are listed, with the settings", async () => {
    const { data } = (await call("GET", "/sandbox", undefined, "nobody")).json;
    expect(Object.keys(data.controls)).toEqual(
      expect.arrayContaining(["pauseService", "remakeJob", "rejectNextRequests"]),
    );
    expect(data.controls.pauseService).toEqual({
      does: "pauses a service, or resumes it with a rollout",
      parameters: ["projectId", "serviceId", "isPaused"],
      example: `curl ${sandbox.url}/sandbox/pauseService -d '["shop","api",true]'`,
    });
    expect(data.settings).toMatchObject({ rolloutMs: 10_000, dockerBesideImage: "reset" });
    expect(sandbox.quota().used).toBe(0);
  });

  test("are all listed, and each of their examples works", async () => {
    const listed: Readonly<Record<string, { readonly example: string }>> = (await call("GET", "/sandbox")).json.data
      .controls;
    expect(Object.keys(listed)).toEqual(Object.keys(sandbox.account("acme")).sort());
    // Each on its own: some take away what others name.
    for (const [name, { example }] of Object.entries(listed)) {
      const fresh = await startNorthflank({ now: () => nowMs });
      try {
        const build = fresh.startBuild("shop", "builder", { sha: "a".repeat(40), outcome: "never" });
        const run = fresh.injectRun("shop", "migrate");
        const integration = fresh.addIntegration({ name: "by hand", webhook: fresh.url, isFollowed: false });
        fresh.setGradualRollout("shop", "api", name === "promoteRollout" ? "careful" : undefined);
        fresh.setImage("shop", "api", "ghcr.io/acme/api:2");
        const body = /-d '(.*)'$/
          .exec(example)?.[1]
          ?.replace("RUN_ID", run.id)
          .replace("BUILD_ID", build.id)
          .replace("INTEGRATION_ID", integration.id);
        const response = await fetch(`${fresh.url}/sandbox/${name}`, { method: "POST", ...(body && { body }) });
        expect([name, response.status, await response.text()]).toEqual([name, 200, expect.any(String)]);
      } finally {
        await fresh.stop();
      }
    }
  });

  test("do what they do for tests, and answer with what they return", async () => {
    expect((await control("pauseService", "shop", "api", true)).json).toEqual({ data: {} });
    expect(sandbox.service("shop", "api").isPaused).toBe(true);
    const { uid } = sandbox.service("shop", "web");
    await control("remakeService", "shop", "web");
    const told = (await control("service", "shop", "web")).json.data;
    expect(told).toEqual(JSON.parse(JSON.stringify(sandbox.service("shop", "web"))));
    expect(told.uid).not.toBe(uid);
    await control("setGradualRollout", "shop", "api", "careful");
    await control("setGradualRollout", "shop", "api", null);
    await control("pauseService", "shop", "api", false);
    nowMs += 60_000;
    expect(sandbox.service("shop", "api").rolloutStatus).toBe("COMPLETED");
    sandbox.addAccount({ name: "other", tokens: ["t"] }).addProject("secret");
    expect((await call("POST", "/sandbox/services?account=other", ["secret"])).json).toEqual({ data: [] });
  });

  test("change the settings", async () => {
    expect((await call("PATCH", "/sandbox/settings", { updateResumes: true })).status).toBe(200);
    expect(sandbox.settings.updateResumes).toBe(true);
    expect((await call("PATCH", "/sandbox/settings", { nope: 1 })).json.error.message).toBe("no setting nope");
  });

  test.each<[string, string, string, unknown]>([
    ["an unknown one", "POST", "/sandbox/constructor", []],
    ["one that names what does not exist", "POST", "/sandbox/pauseService", ["shop", "nope", true]],
    ["parameters that are no list", "POST", "/sandbox/pauseService", { a: 1 }],
    ["another method", "DELETE", "/sandbox/pauseService", undefined],
    ["another account", "POST", "/sandbox/services?account=nope", ["shop"]],
  ])("refuse %s with the text", async (_what, method, path, body) => {
    const answer = await call(method, path, body);
    expect([answer.status, typeof answer.json.error.message]).toEqual([400, "string"]);
  });
});

describe("uids", () => {
  const uidOf = async (path: string): Promise<string> => (await call("GET", `${shop}${path}`)).json.data.uid;

  test.each([
    ["/services/api", () => sandbox.remakeService("shop", "api", { image: "a.b/c:2" })],
    ["/jobs/migrate", () => sandbox.remakeJob("shop", "migrate")],
  ])("%s keeps its own through changes, and has another one when it is made again", async (path, remake) => {
    const before = await uidOf(path);
    expect(before).toMatch(/^[0-9a-f-]{36}$/);
    await call("POST", `${shop}${path}/deployment`, image("a.b/c:1"));
    expect(await uidOf(path)).toBe(before);
    remake();
    const after = await uidOf(path);
    expect(after).not.toBe(before);
    expect(await uidOf(path)).toBe(after);
    const list = (await call("GET", `${shop}${path.slice(0, path.lastIndexOf("/"))}`)).json.data;
    const items = (Object.values(list)[0] as { id: string; uid: string }[]).filter(({ id }) => path.endsWith(`/${id}`));
    expect(items.map(({ uid }) => uid)).toEqual([after]);
  });

  test("what is made again has the source of before, a first rollout, and no runs and builds", async () => {
    sandbox.addBuild("shop", "api", { sha: "a".repeat(40) });
    sandbox.injectRun("shop", "report");
    sandbox.remakeService("shop", "api");
    sandbox.remakeJob("shop", "report");
    expect(sandbox.service("shop", "api")).toMatchObject({ image: "ghcr.io/acme/api:1.4.1", rolloutCount: 1 });
    expect((await call("GET", `${shop}/services/api/build`)).json.data.builds).toEqual([]);
    expect(sandbox.job("shop", "report")).toMatchObject({ image: "ghcr.io/acme/report:2.0.0" });
    expect(sandbox.runs("shop", "report")).toEqual([]);
    expect((await call("GET", `${shop}/jobs/report`)).json.data).toMatchObject({ jobType: "cron" });
  });

  test("are those of the resource, not of its id", async () => {
    const { data } = (await call("GET", shop)).json;
    expect(data.services[0].uid).toBe(await uidOf("/services/api"));
    expect(data.jobs[0].uid).toBe(await uidOf("/jobs/migrate"));
    expect(new Set([data.uid, ...[...data.services, ...data.jobs].map(({ uid }) => uid)]).size).toBe(7);
    expect((await call("GET", "/v1/projects")).json.data.projects[0].uid).toBe(data.uid);
  });
});
