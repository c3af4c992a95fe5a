import { inspect } from "node:util";
import { beforeEach, describe, expect, test } from "vitest";
import { northflankCallTexts } from "../../scripts/generated/texts/northflank-calls.ts";
import { type ApiCall, createNorthflankApi, type NorthflankApi } from "../../src/northflank/client.ts";
import { NorthflankError, type NorthflankErrorCode } from "../../src/northflank/errors.ts";
import { createLedger, type Ledger } from "../../src/northflank/ledger.ts";
import type { Transport, TransportRequest, TransportResponse } from "../../src/northflank/transport.ts";
import type { RunsNeeded } from "../../src/northflank/types.ts";
import { SecretValue } from "../../src/util/secret-value.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";

const canary = "token-canary-4711";
const envCanary = "env-canary-4712";
const service = { projectId: "shop", serviceId: "api" };
const job = { projectId: "shop", jobId: "migrate" };
const runId = "d34582a4-35bd-4c71-8e7c-e36999b88723";
const run = { ...job, runId };

/** One scripted step: what the far end does with the next request. */
type Step = (request: TransportRequest) => TransportResponse | Promise<TransportResponse>;

let clock: FakeClock;
let ledger: Ledger;
let sent: TransportRequest[];
let script: Step[];
let calls: ApiCall[];
let deferred: unknown[];
let abort: AbortController;

beforeEach(() => {
  clock = new FakeClock();
  ledger = createLedger({ clock, random: () => 0, maxRequestsPerHour: 900 });
  sent = [];
  script = [];
  calls = [];
  deferred = [];
  abort = new AbortController();
});

/** A transport that plays the script and fails on anything beyond it. */
const transport: Transport = {
  send: async (request) => {
    const step = script.shift();
    if (step === undefined) throw new Error(`unexpected request: ${request.method} ${request.path}`);
    sent.push(request);
    return step(request);
  },
  [Symbol.asyncDispose]: async () => undefined,
};

function apiOf(
  options: {
    readonly teamId?: string;
    readonly baseUrl?: string;
    readonly maxRunPages?: number;
    readonly maxBuildPages?: number;
  } = {},
): NorthflankApi {
  return createNorthflankApi({
    transport,
    ledger,
    clock,
    random: () => 0,
    baseUrl: "https://api.northflank.com",
    token: new SecretValue(canary),
    pool: "acme",
    observer: { onCall: (call) => calls.push(call), onDeferred: (which) => deferred.push(which) },
    ...options,
  });
}

const call = () => ({ class: "change", signal: abort.signal }) as const;

const reply =
  (status: number, json?: unknown, headers: Record<string, string> = {}): Step =>
  (request) => {
    request.onSend?.();
    if (json !== undefined) return { status, headers, body: { kind: "json", value: json } };
    const error = new NorthflankError({
      code: "protocol",
      step: request.step,
      detail: "not JSON",
      httpStatus: status,
      sent: true,
    });
    return { status, headers, body: { kind: "unreadable", error } };
  };

const data = (value: unknown, headers?: Record<string, string>): Step => reply(200, { data: value }, headers);

const broken =
  (code: NorthflankErrorCode, isSent: boolean): Step =>
  (request) => {
    if (isSent) request.onSend?.();
    throw new NorthflankError({ code, step: request.step, detail: "broken", sent: isSent });
  };

const refusal = (status: number, message = "no"): Step => reply(status, { error: { status, message } });

async function failureOf(promise: Promise<unknown>): Promise<NorthflankError> {
  const error = await promise.then(
    (value) => expect.fail(`it worked: ${inspect(value)}`),
    (thrown: unknown) => thrown,
  );
  const text = inspect(error, { depth: 20, showHidden: true });
  expect(text).not.toContain(canary);
  expect(text).not.toContain(envCanary);
  if (!(error instanceof NorthflankError)) throw error;
  return error;
}

/** Lets the client wait as long as it wants between tries, and says how long that was. */
async function withWaits<T>(
  promise: Promise<T>,
): Promise<{ readonly outcome: T | NorthflankError; readonly waitedMs: number }> {
  let isOver = false;
  const watched = promise.then(
    (value) => value,
    (error: unknown) => {
      if (error instanceof NorthflankError) return error;
      throw error;
    },
  );
  void watched.finally(() => {
    isOver = true;
  });
  const startMs = clock.monotonic();
  for (let step = 0; step < 500 && !isOver; step++) await clock.advance(50);
  await settle();
  return { outcome: await watched, waitedMs: clock.monotonic() - startMs };
}

describe("every endpoint", () => {
  type Endpoint = [string, (api: NorthflankApi) => Promise<unknown>, string, string, string | undefined];
  const endpoints: Endpoint[] = [
    [
      "listServices",
      (api) => api.listServices(service, call()),
      "GET",
      "/v1/projects/shop/services?per_page=100",
      undefined,
    ],
    ["listJobs", (api) => api.listJobs(service, call()), "GET", "/v1/projects/shop/jobs?per_page=100", undefined],
    ["getService", (api) => api.getService(service, call()), "GET", "/v1/projects/shop/services/api", undefined],
    [
      "updateServiceDeployment",
      (api) => api.updateServiceDeployment(service, { external: { imagePath: "a.b/c:1" } }, call()),
      "POST",
      "/v1/projects/shop/services/api/deployment",
      '{"external":{"imagePath":"a.b/c:1"}}',
    ],
    [
      "restartService",
      (api) => api.restartService(service, call()),
      "POST",
      "/v1/projects/shop/services/api/restart",
      "{}",
    ],
    [
      "patchDeploymentService",
      (api) => api.patchDeploymentService(service, { deployment: { instances: 2 } }, call()),
      "PATCH",
      "/v1/projects/shop/services/deployment/api",
      '{"deployment":{"instances":2}}',
    ],
    [
      "patchCombinedService",
      (api) => api.patchCombinedService(service, { deployment: { docker: { configType: "default" } } }, call()),
      "PATCH",
      "/v1/projects/shop/services/combined/api",
      '{"deployment":{"docker":{"configType":"default"}}}',
    ],
    ["getJob", (api) => api.getJob(job, call()), "GET", "/v1/projects/shop/jobs/migrate", undefined],
    ["getJobSettings", (api) => api.getJobSettings(job, call()), "GET", "/v1/projects/shop/jobs/migrate", undefined],
    ...(["job", "manual", "cron"] as const).map(
      (route): Endpoint => [
        `patchJob (${route})`,
        (api) => api.patchJob(job, route, { description: "d" }, call()),
        "PATCH",
        `/v1/projects/shop/jobs/${route === "job" ? "" : `${route}/`}migrate`,
        '{"description":"d"}',
      ],
    ),
    [
      "getJobDeployment",
      (api) => api.getJobDeployment(job, call()),
      "GET",
      "/v1/projects/shop/jobs/migrate/deployment",
      undefined,
    ],
    [
      "updateJobDeployment",
      (api) => api.updateJobDeployment(job, { external: { imagePath: "a.b/c:1" } }, call()),
      "POST",
      "/v1/projects/shop/jobs/migrate/deployment",
      '{"external":{"imagePath":"a.b/c:1"}}',
    ],
    [
      "getBuild",
      (api) => api.getBuild({ ...service, buildId: "joyous-view-6290" }, call()),
      "GET",
      "/v1/projects/shop/services/api/build/joyous-view-6290",
      undefined,
    ],
    [
      "listBuilds",
      (api) => api.listBuilds(service, call()),
      "GET",
      "/v1/projects/shop/services/api/build?per_page=100",
      undefined,
    ],
    [
      "listBuilds of a job",
      (api) => api.listBuilds(job, call()),
      "GET",
      "/v1/projects/shop/jobs/migrate/build?per_page=100",
      undefined,
    ],
    [
      "listRuns",
      (api) => api.listRuns(job, call()),
      "GET",
      "/v1/projects/shop/jobs/migrate/runs?per_page=100",
      undefined,
    ],
    ["getRun", (api) => api.getRun(run, call()), "GET", `/v1/projects/shop/jobs/migrate/runs/${runId}`, undefined],
    ["startRun", (api) => api.startRun(job, {}, call()), "POST", "/v1/projects/shop/jobs/migrate/runs", "{}"],
    [
      "abortRun",
      (api) => api.abortRun(run, call()),
      "DELETE",
      `/v1/projects/shop/jobs/migrate/runs/${runId}`,
      undefined,
    ],
    ["whoAmI", (api) => api.whoAmI(call()), "GET", "/v1/auth", undefined],
  ];
  const answer = { id: "api", runs: [], builds: [], services: [], jobs: [] };

  test.each(endpoints)("%s goes to its path", async (_name, use, method, path, body) => {
    script = [data(answer)];
    await use(apiOf());
    expect(sent[0]).toMatchObject({ origin: "https://api.northflank.com", method, path, body });
    expect(sent[0]?.token.reveal()).toBe(canary);
  });

  test("an account has connections of its own, and what hangs in one of its projects leaves some to the others", async () => {
    script = [data(answer), data(answer), data(answer)];
    const api = apiOf();
    await api.getService(service, call());
    await api.getService({ ...service, projectId: "other" }, call());
    await api.whoAmI(call());
    expect(sent.map(({ lane, project }) => [lane, project])).toEqual([
      ["acme", "shop"],
      ["acme", "other"],
      ["acme", undefined],
    ]);
  });

  test.each(endpoints)("%s goes to the path of the team, behind the base path", async (_name, use, _method, path) => {
    script = [data(answer)];
    await use(apiOf({ teamId: "acme", baseUrl: "https://api.northflank.com/proxy/" }));
    const scoped = path === "/v1/auth" ? path : path.replace("/v1/", "/v1/teams/acme/");
    expect(sent[0]?.path).toBe(`/proxy${scoped}`);
  });

  test.each(endpoints)("%s that lacks a permission names it, and says nothing of the token", async (_name, use) => {
    script = [
      reply(401, { error: { status: 401, message: "Unauthorized", details: { requiredPermission: "ps_x_y_z" } } }),
    ];
    const outcome = await use(apiOf()).catch((error: unknown) => ({ error }));
    expect(outcome).toMatchObject({
      error: {
        code: "forbidden",
        denial: "permission",
        httpStatus: 401,
        detail: 'status 401, "Unauthorized"; the token lacks the permission ps_x_y_z',
      },
    });
    expect(sent).toHaveLength(1);
  });

  test.each(endpoints)("%s reports one call with its template, never a path", async (_name, use, method) => {
    script = [data(answer)];
    await use(apiOf({ teamId: "acme" }));
    expect(calls).toEqual([
      { pool: "acme", method, route: expect.any(String), code: "200", class: "change", durationMs: 0, retries: 0 },
    ]);
    expect(calls[0]?.route).not.toMatch(/shop|migrate|api\b|teams|d34582a4|joyous/);
    // What a token needs is told from this list.
    expect(Object.values(northflankCallTexts).map(({ request }) => request)).toContain(`${method} ${calls[0]?.route}`);
  });

  test.each(endpoints)("%s is refused by a closed ledger without being sent", async (name, use) => {
    ledger = createLedger({ clock, random: () => 0, maxRequestsPerHour: 0 });
    const outcome = await use(apiOf()).catch((error: unknown) => error);
    const error = name === "startRun" ? (outcome as { readonly error: unknown }).error : outcome;
    expect(error).toMatchObject({ code: "quota_closed", sent: false, retryAfterMs: 3_600_000 });
    expect([sent.length, deferred]).toEqual([0, [{ pool: "acme", class: "change" }]]);
  });

  test.each(endpoints)("%s does not begin when aborted", async (_name, use) => {
    abort.abort(new Error("lease lost"));
    await expect(use(apiOf())).rejects.toThrow("lease lost");
    expect([sent.length, ledger.snapshot().used]).toEqual([0, 0]);
  });

  test.each(endpoints.filter(([name]) => name !== "whoAmI"))(
    "%s never lets a hostile id near a path",
    async (name, use) => {
      for (const hostile of ["..", "a/../b", "%2e%2e", "a?x=1", "a b", "", "x".repeat(300)]) {
        const outcome = await use(apiOf({ teamId: hostile })).catch((error: unknown) => error);
        const error = name === "startRun" ? (outcome as { readonly error: unknown }).error : outcome;
        expect(error).toMatchObject({ code: "rejected", sent: false });
        expect((error as Error).message.length).toBeLessThan(400);
      }
      expect([sent.length, ledger.snapshot().used]).toEqual([0, 0]);
    },
  );
});

test("hostile ids of every kind are refused, and harmless in messages", async () => {
  const api = apiOf();
  const evil = '../"\n\u001b[31m';
  for (const use of [
    api.getService({ projectId: evil, serviceId: "api" }, call()),
    api.getService({ projectId: "shop", serviceId: evil }, call()),
    api.listRuns({ projectId: "shop", jobId: evil }, call()),
    api.getBuild({ ...service, buildId: evil }, call()),
    api.listBuilds({ projectId: "shop", jobId: evil }, call()),
    api.getRun({ ...job, runId: evil }, call()),
    api.abortRun({ ...job, runId: evil }, call()),
  ]) {
    const error = await failureOf(use);
    expect([error.code, error.sent]).toEqual(["rejected", false]);
    expect([...error.message].every((character) => character >= " ")).toBe(true);
  }
});

test("a base URL that is not usable is refused at once, unquoted", () => {
  for (const baseUrl of ["http://api.northflank.com", "https://user:canary@x.example", "nonsense-canary"]) {
    expect(() => apiOf({ baseUrl })).toThrow(NorthflankError);
    expect(() => apiOf({ baseUrl })).not.toThrow(/canary/);
  }
});

describe("an answer that is an error", () => {
  test.each<[number, NorthflankErrorCode]>([
    [301, "redirect"],
    [308, "redirect"],
    [400, "rejected"],
    [401, "unauthorized"],
    [403, "forbidden"],
    [404, "not_found"],
    [405, "wrong_method"],
    [409, "rejected"],
    [410, "gone"],
    [413, "rejected"],
    [418, "rejected"],
    [422, "rejected"],
    [429, "rate_limited"],
  ])("with %i is %s, at once", async (status, code) => {
    script = [refusal(status)];
    const error = await failureOf(apiOf().getService(service, call()));
    expect(error).toMatchObject({ code, httpStatus: status, sent: true });
    expect(error.message).toBe(`[${code}] could not get service "api" of project "shop": status ${status}, "no"`);
    expect(calls.map((seen) => seen.code)).toEqual([String(status)]);
  });

  test.each([
    [
      "names the permission that is missing",
      { message: "Unauthorized", details: { requiredPermission: "ps_services_deployment_view" } },
      'status 401, "Unauthorized"; the token lacks the permission ps_services_deployment_view',
    ],
    [
      "names several permissions",
      {
        message: "Unauthorized.",
        details: { requiredPermission: ["ps_jobs_general_read", "", 7, "ps_jobs_general_update"] },
      },
      'status 401, "Unauthorized"; the token lacks the permissions ps_jobs_general_read, ps_jobs_general_update',
    ],
    [
      "names a feature flag",
      { message: "Feature flag is not enabled for your account" },
      'status 401, "Feature flag is not enabled for your account"',
    ],
  ])("with 401 that %s speaks of this call, not of the token", async (_sentence, error, detail) => {
    script = [reply(401, { error: { status: 401, ...error } })];
    const refused = await failureOf(apiOf().getService(service, call()));
    expect(refused).toMatchObject({ code: "forbidden", httpStatus: 401, detail, fields: [] });
  });

  test.each([{}, { requiredPermission: "" }, { requiredPermission: 7 }, { requiredPermission: [null] }, [], "x", null])(
    "with 401 and the details %j is about the token",
    async (details) => {
      script = [reply(401, { error: { status: 401, message: "Unauthorized", details } })];
      expect(await failureOf(apiOf().getService(service, call()))).toMatchObject({ code: "unauthorized" });
    },
  );

  test("with 401 that names a permission refuses a start for sure", async () => {
    script = [reply(401, { error: { status: 401, details: { requiredPermission: "ps_jobs_run" } } })];
    const result = await apiOf().startRun(job, {}, call());
    expect(result).toMatchObject({ kind: "refused", error: { code: "forbidden" } });
  });

  test("keeps id and fields, and no value that was sent, not even in the message", async () => {
    const message = `the value "${envCanary}" of ${canary} is bad`;
    const details = { "runtimeEnvironment.A": [envCanary], [`x.${envCanary}`]: [] };
    script = [reply(400, { error: { status: 400, message, id: "nf-invalid-request-body", details } })];
    const body = {
      runtimeEnvironment: { A: envCanary, SHORT: "x" },
      runtimeFiles: { "/f": { data: "file-canary", encoding: "utf-8" } },
    };
    const result = await apiOf().startRun(job, body, call());
    if (result.kind !== "refused") throw new Error(result.kind);
    expect(result.error).toMatchObject({
      remoteId: "nf-invalid-request-body",
      fields: ["runtimeEnvironment.A", "x.[redacted]"],
      detail: "status 400, \"the value '[redacted]' of [redacted] is bad\"",
    });
    expect(inspect(result, { depth: 20, showHidden: true })).not.toMatch(/canary/);
  });

  test.each([
    ["escaped as in JSON", 'bad: "canary-1\\ncanary-2"'],
    ["line by line", "canary-1 and canary-2 are bad"],
    ["when one value is a part of another", "canary-1-and-more is bad"],
    ["decoded from a file", "canary-of-a-file is bad"],
    ["too long to be searched", `canary-${"x".repeat(20_000)}`],
  ])("shows no value that was sent, %s", async (_how, message) => {
    script = [reply(400, { error: { message } })];
    const body = {
      runtimeEnvironment: { A: "canary-1\ncanary-2", B: "canary-1-and-more" },
      runtimeFiles: { "/f": { data: Buffer.from("canary-of-a-file").toString("base64"), encoding: "utf-8" } },
    };
    const result = await apiOf().startRun(job, body, call());
    expect(inspect(result, { depth: 20, showHidden: true })).not.toMatch(/canary|-and-more/);
  });

  test("is one printable line of bounded length", async () => {
    script = [reply(403, { error: { message: `a\u0000b\n\u001b[31m${"x".repeat(10_000)}` } })];
    const { detail } = await failureOf(apiOf().getService(service, call()));
    expect(detail).toMatch(/^status 403, "a b \[31mx+…"$/);
    expect(detail.length).toBeLessThan(330);
  });

  test("that is not JSON is judged by its status", async () => {
    script = [reply(405), reply(429)];
    const api = apiOf();
    expect(await failureOf(api.getService(service, call()))).toMatchObject({
      code: "wrong_method",
      detail: "status 405",
    });
    expect(await failureOf(api.getService(service, call()))).toMatchObject({ code: "rate_limited" });
  });

  test.each<[string, unknown]>([
    ["an empty error", { error: {} }],
    ["a list", []],
    ["null", null],
    ["an error that is text", { error: "text" }],
    ["details that are a list", { error: { message: 7, details: ["x"], id: {} } }],
  ])("with %s for a body still is an error", async (_what, json) => {
    script = [reply(400, json)];
    expect(await failureOf(apiOf().getService(service, call()))).toMatchObject({ code: "rejected" });
  });
});

describe("the quota", () => {
  test("is read from every answer, good or bad", async () => {
    script = [
      data({ id: "api" }, { "x-ratelimit-limit": "1000", "x-ratelimit-remaining": "5", "x-ratelimit-reset": "600" }),
      reply(404, {}, { "x-ratelimit-remaining": "4", "x-ratelimit-reset": "600" }),
    ];
    const api = apiOf();
    await api.getService(service, call());
    await failureOf(api.getService(service, call()));
    expect(ledger.snapshot()).toMatchObject({ limit: 1_000, remaining: 4, used: 2 });
  });

  test("closes for everybody after a 429, with the time in both errors", async () => {
    script = [reply(429, {}, { "retry-after": "30" })];
    const api = apiOf();
    expect(await failureOf(api.getService(service, call()))).toMatchObject({
      code: "rate_limited",
      retryAfterMs: 30_000,
    });
    expect(await failureOf(api.listRuns(job, call()))).toMatchObject({ code: "quota_closed", retryAfterMs: 30_000 });
    expect(sent).toHaveLength(1);
    expect(deferred).toHaveLength(1);
  });

  test("is not read from the refusal of a token, which is of no account, and costs one all the same", async () => {
    const spent = { "x-ratelimit-limit": "1", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "3600" };
    script = [data({ id: "api" }, { "x-ratelimit-remaining": "5" }), reply(401, { error: { status: 401 } }, spent)];
    const api = apiOf();
    await api.getService(service, call());
    await failureOf(api.getService(service, call()));
    expect(ledger.snapshot()).toMatchObject({ limit: undefined, remaining: 4, closedUntilMs: undefined, used: 2 });
  });

  test("is read from a 401 that names a permission: the token is known", async () => {
    const error = { status: 401, details: { requiredPermission: "ps_x" } };
    script = [reply(401, { error }, { "x-ratelimit-remaining": "7" })];
    await failureOf(apiOf().getService(service, call()));
    expect(ledger.snapshot().remaining).toBe(7);
  });

  test("is not charged for what never left", async () => {
    script = [broken("tls", false), broken("timeout", true)];
    const api = apiOf();
    await failureOf(api.getService(service, call()));
    expect(ledger.snapshot().used).toBe(0);
    await failureOf(api.getService(service, call()));
    expect(ledger.snapshot().used).toBe(1);
    expect(calls.map(({ code }) => code)).toEqual(["tls", "timeout"]);
  });

  test("can be set aside for a whole run start, whatever others want in between", async () => {
    script = [data({ id: "api" }, { "x-ratelimit-remaining": "3", "x-ratelimit-reset": "600" })];
    const api = apiOf();
    await api.getService(service, call());
    const outcome = api.reserve(3, "change");
    if (outcome.kind === "refused") throw new Error("refused");
    const { reservation } = outcome;
    const pages = [1, 2].map((page) =>
      reply(200, { data: { runs: [] }, pagination: { hasNextPage: page === 1, cursor: "c" } }),
    );
    // The second page is not part of what was set aside, so it has to ask, and is refused: nothing was started yet.
    script = [...pages.slice(0, 1)];
    expect(await failureOf(api.listRuns(job, { ...call(), reservation }))).toMatchObject({ code: "quota_closed" });
    expect(reservation.left).toBe(2);
    script = [data({ id: runId })];
    expect((await api.startRun(job, {}, { ...call(), reservation })).kind).toBe("accepted");
    script = [reply(200, { data: { runs: [] } })];
    await api.listRuns(job, { ...call(), reservation });
    expect(reservation.left).toBe(0);
  });
});

describe("retries", () => {
  test("of a read: three tries, then the last error; every one passes the ledger", async () => {
    script = [refusal(503), broken("interrupted", true), broken("unreachable", false)];
    const { outcome } = await withWaits(apiOf().getService(service, call()));
    expect(outcome).toMatchObject({ code: "unreachable", sent: true });
    expect(calls.map(({ code, retries }) => [code, retries])).toEqual([
      ["503", 0],
      ["interrupted", 1],
      ["unreachable", 2],
    ]);
    expect(calls.map(({ retryCause }) => retryCause)).toEqual([undefined, "503", "interrupted"]);
    expect([ledger.snapshot().used, clock.pendingTimers]).toEqual([2, 0]);
  });

  test("of an update end in success without a trace", async () => {
    script = [broken("interrupted", true), data({})];
    const { outcome, waitedMs } = await withWaits(apiOf().updateServiceDeployment(service, {}, call()));
    expect([outcome, waitedMs]).toEqual([undefined, 100]);
    expect(sent.map(({ body }) => body)).toEqual(["{}", "{}"]);
  });

  test("of an update whose answer was lost: once more, no more", async () => {
    script = [broken("interrupted", true), broken("interrupted", true)];
    expect((await withWaits(apiOf().updateServiceDeployment(service, {}, call()))).outcome).toMatchObject({
      code: "interrupted",
      sent: true,
    });
  });

  test.each<[string, (api: NorthflankApi) => Promise<void>]>([
    [
      "an update that is to be made once",
      (api) => api.updateServiceDeployment(service, {}, { ...call(), isOnce: true }),
    ],
    ["a restart", (api) => api.restartService(service, call())],
  ])("of %s: none", async (_what, send) => {
    script = [broken("interrupted", true), data({})];
    expect((await withWaits(send(apiOf()))).outcome).toMatchObject({ code: "interrupted", sent: true });
    expect(sent).toHaveLength(1);
  });

  test("wait as long as a 503 asks, but never long", async () => {
    script = [reply(503, {}, { "retry-after": "2" }), data({ id: "api" }), reply(503, {}, { "retry-after": "60" })];
    const api = apiOf();
    expect((await withWaits(api.getService(service, call()))).waitedMs).toBe(2_000);
    const { outcome, waitedMs } = await withWaits(api.getService(service, call()));
    expect(outcome).toMatchObject({ code: "server_error", retryAfterMs: 60_000 });
    expect(waitedMs).toBeLessThanOrEqual(50);
  });

  test("stop when somebody gives up, with his reason and no timer left", async () => {
    script = [refusal(503)];
    const call1 = apiOf().getService(service, call());
    call1.catch(() => undefined);
    await settle();
    expect(clock.pendingTimers).toBe(1);
    const reason = { not: "an error" };
    abort.abort(reason);
    await expect(call1).rejects.toBe(reason);
    expect([clock.pendingTimers, sent.length]).toEqual([0, 1]);
  });

  test("hand on the reason of the transport as it is", async () => {
    const reason = { not: "an error" };
    script = [
      () => {
        abort.abort(reason);
        throw reason;
      },
    ];
    await expect(apiOf().getService(service, call())).rejects.toBe(reason);
  });

  test("run dry when every other call fails, instead of tripling the load", async () => {
    const api = apiOf();
    for (let count = 0; count < 30; count++) {
      script = [data({ id: "api" }), refusal(500), refusal(500), refusal(500)];
      await api.getService(service, call());
      await withWaits(api.getService(service, call()));
    }
    // 60 first tries, ten retries in hand, and five earned on the way.
    expect(sent.length).toBe(75);
  });

  test("stop with the tenth failure in a row: one request in a while probes then, and one response is enough", async () => {
    const api = apiOf();
    for (let count = 0; count < 30; count++) {
      script = [refusal(500), refusal(500), refusal(500)];
      expect((await api.startRun(job, {}, call())).kind).not.toBe("accepted");
    }
    expect(sent.length).toBe(10);
    const start = await api.startRun(job, {}, call());
    expect(start).toMatchObject({ kind: "refused", error: { code: "server_error", sent: false, retryAfterMs: 5_000 } });
    await clock.advance(5_000);
    script = [data({ id: "r1" })];
    expect(await api.startRun(job, {}, call())).toMatchObject({ kind: "accepted" });
    script = [data({ id: "r2" })];
    expect(await api.startRun(job, {}, call())).toMatchObject({ kind: "accepted" });
  });

  test("a mistake of ours is not retried", async () => {
    script = [
      () => {
        throw new TypeError("fetch failed");
      },
    ];
    await expect(apiOf().getService(service, call())).rejects.toThrow("fetch failed");
    expect(sent).toHaveLength(1);
  });
});

describe("starting a run", () => {
  const start = (body = {}) => apiOf().startRun(job, body, call());

  test("is accepted by an answer with an id", async () => {
    script = [data({ id: runId, runName: "migrate-1" })];
    expect(await start()).toEqual({ kind: "accepted", runId, runName: "migrate-1" });
  });

  test.each<[string, Step]>([
    ["400", refusal(400)],
    ["401", refusal(401)],
    ["403", refusal(403)],
    ["404", refusal(404)],
    ["405 in plain text", reply(405)],
    ["409", refusal(409)],
    ["413", refusal(413)],
    ["422", refusal(422)],
    ["429", refusal(429)],
    ["no connection", broken("unreachable", false)],
    ["a bad certificate", broken("tls", false)],
    ["no time left in the queue", broken("timeout", false)],
  ])("is refused for sure by %s", async (_what, step) => {
    script = [step];
    expect(await start()).toMatchObject({ kind: "refused", error: expect.any(NorthflankError) });
    expect(sent).toHaveLength(1);
  });

  test.each<[string, Step]>([
    ["a reset after sending", broken("interrupted", true)],
    ["no response in time", broken("timeout", true)],
    ["an answer that is not HTTP", broken("protocol", true)],
    ["500", refusal(500)],
    ["502 in HTML", reply(502)],
    ["503 that asks to wait", reply(503, {}, { "retry-after": "1" })],
    ["504", refusal(504)],
    ["408", refusal(408)],
    ["a redirect", reply(307)],
    ["200 in HTML", reply(200)],
    ["200 without data", reply(200, {})],
    ["200 without an id", data({})],
    ["200 with an id that is no id", data({ id: "../x" })],
    ["200 with a number for an id", data({ id: 7 })],
    ["204", reply(204)],
  ])("is unknown after %s, and never sent again", async (_what, step) => {
    script = [step];
    expect(await start()).toMatchObject({ kind: "unknown", error: { sent: true } });
    await clock.advance(600_000);
    expect([sent.length, clock.pendingTimers]).toEqual([1, 0]);
  });

  test("is unknown when given up after the first byte, an exception before it", async () => {
    const reason = new Error("lease lost");
    script = [
      (request) => {
        request.onSend?.();
        throw reason;
      },
      () => {
        throw reason;
      },
    ];
    expect(await start()).toMatchObject({ kind: "unknown", error: { code: "interrupted", sent: true } });
    await expect(start()).rejects.toBe(reason);
  });
});

describe("listing runs", () => {
  const page = (ids: readonly string[], pagination?: object): Step =>
    reply(200, {
      data: { runs: ids.map((id, index) => ({ id, startedAt: `2026-01-01T00:00:0${index}Z` })) },
      pagination,
    });
  const list = (options = {}) => apiOf(options).listRuns(job, call());

  test("follows the cursor to the last page, newest first, each run once, with the server's time", async () => {
    const item = (id: string, startedAt: string | undefined, status = "RUNNING") => ({ id, startedAt, status });
    script = [
      reply(200, {
        data: { runs: [item("a", "2026-01-01T00:00:01Z"), item("b", "2026-01-01T00:00:03Z")] },
        pagination: { hasNextPage: true, cursor: "c 1'&" },
      }),
      reply(
        200,
        {
          data: { runs: [item("c", undefined), item("a", "2026-01-01T00:00:01Z", "SUCCESS")] },
          pagination: { hasNextPage: false },
        },
        { date: "Thu, 01 Jan 2026 10:00:00 GMT" },
      ),
    ];
    const { runs, serverTimeMs, truncated } = await list();
    expect(runs.map(({ id, status }) => `${id} ${status}`)).toEqual(["b RUNNING", "a SUCCESS", "c RUNNING"]);
    expect([serverTimeMs, truncated]).toEqual([Date.parse("2026-01-01T10:00:00Z"), undefined]);
    expect(new URL(`https://x${sent[1]?.path}`).searchParams.get("cursor")).toBe("c 1'&");
    // What we build must be what a URL parser makes of it, or the transport refuses it.
    expect(new URL(`https://x${sent[1]?.path}`).href).toBe(`https://x${sent[1]?.path}`);
  });

  test.each<[string, readonly Step[], number, object]>([
    [
      "a cursor that leads in a circle",
      [1, 2, 3].map((n) => page([`r${n}`], { hasNextPage: true, cursor: `${n % 2}` })),
      3,
      {},
    ],
    ["a next page without a cursor", [page(["r1"], { hasNextPage: true })], 1, {}],
    [
      "more pages than we read",
      [1, 2].map((n) => page([`r${n}`], { hasNextPage: true, cursor: `${n}` })),
      2,
      { maxRunPages: 2 },
    ],
  ])("stops at %s, and says that it is not everything", async (_what, steps, requests, options) => {
    script = [...steps];
    expect(await list(options)).toMatchObject({ truncated: true });
    expect(sent).toHaveLength(requests);
  });

  describe("of a job with 2,500 runs, one every ten minutes", () => {
    const newestMs = Date.parse("2026-03-01T00:00:00Z");
    const all = Array.from({ length: 2_500 }, (_, n) => ({
      id: `r${n}`,
      startedAt: new Date(newestMs - n * 600_000).toISOString(),
    }));
    /** As many pages as are asked for. */
    const serve = (runs: readonly object[]) => {
      script = Array.from({ length: 25 }, () => (request) => {
        const at = Number(new URL(`https://x${request.path}`).searchParams.get("cursor") ?? 0);
        const pagination = { hasNextPage: at + 100 < runs.length, cursor: String(at + 100) };
        return reply(200, { data: { runs: runs.slice(at, at + 100) }, pagination })(request);
      });
    };
    const newest = (needs: RunsNeeded) => apiOf().listRuns(job, { ...call(), needs });
    const recent: RunsNeeded["isEnough"] = (runs) =>
      runs.some(({ startedAt = "" }) => Date.parse(startedAt) < newestMs);

    test("one request is enough where the newest come first, and the list says nothing of being cut", async () => {
      serve(all);
      const { runs, truncated } = await newest({ isEnough: recent, maxPages: 3 });
      expect([sent.length, runs[0]?.id, truncated]).toEqual([1, "r0", undefined]);
    });

    test("certain runs are found in a list of whatever order", async () => {
      serve(all.toReversed());
      const isEnough: RunsNeeded["isEnough"] = (runs) => runs.some(({ id }) => id === "r2350");
      const { truncated } = await newest({ isEnough, isAnyOrder: true, maxPages: 3 });
      expect([sent.length, truncated]).toEqual([2, undefined]);
    });

    test("a list in another order is read as far as is allowed, and says that it is cut", async () => {
      serve(all.toReversed());
      const { runs, truncated } = await newest({ isEnough: recent, maxPages: 3 });
      expect([sent.length, truncated, runs.some(({ id }) => id === "r0")]).toEqual([3, true, false]);
    });

    test("nobody may ask for more pages than the client reads", async () => {
      serve(all.toReversed());
      expect(await newest({ isEnough: () => true, maxPages: 100 })).toMatchObject({ truncated: true });
      expect(sent).toHaveLength(20);
    });

    test("it is read on while what came is not enough", async () => {
      serve(all);
      await newest({ isEnough: (runs) => runs.length >= 250 });
      expect(sent).toHaveLength(3);
    });
  });

  test("does without pagination and without a Date", async () => {
    script = [page(["r1"])];
    expect(await list()).toEqual({ runs: [expect.objectContaining({ id: "r1" })], serverTimeMs: undefined });
  });

  test.each<[string, unknown]>([
    ["no runs", { data: {} }],
    ["null", null],
    ["runs that are no list", { data: { runs: {} } }],
  ])("is a protocol error with %s", async (_what, json) => {
    script = [reply(200, json)];
    expect(await failureOf(list())).toMatchObject({ code: "protocol", sent: true });
  });
});

describe("builds", () => {
  const page = (ids: readonly string[], pagination?: object): Step =>
    reply(200, {
      data: { builds: ids.map((id, index) => ({ id, createdAt: `2026-01-01T00:00:0${index}Z` })) },
      pagination,
    });
  const more = (cursor: string) => ({ hasNextPage: true, cursor });

  test("are read page by page, newest first, until there are enough", async () => {
    script = [page(["a", "b"], more("1")), page(["c"], more("2"))];
    const isEnough = (builds: readonly { readonly id: string }[]) => builds.some(({ id }) => id === "c");
    const list = await apiOf().listBuilds(service, { ...call(), isEnough });
    expect(list).toMatchObject({ builds: [{ id: "b" }, { id: "a" }, { id: "c" }] });
    expect(list).not.toHaveProperty("truncated");
    expect(sent.map(({ path }) => path.split("?")[1])).toEqual(["per_page=100", "per_page=100&cursor=1"]);
  });

  test.each<[string, readonly Step[], number, object]>([
    ["a cursor that leads in a circle", [1, 2, 3].map((n) => page([`b${n}`], more(`${n % 2}`))), 3, {}],
    ["a next page without a cursor", [page(["b1"], { hasNextPage: true })], 1, {}],
    ["more pages than we read", [1, 2].map((n) => page([`b${n}`], more(`${n}`))), 2, { maxBuildPages: 2 }],
  ])("stop at %s, and say that they are not all", async (_what, steps, requests, options) => {
    script = [...steps];
    expect(await apiOf(options).listBuilds(service, call())).toMatchObject({ truncated: true });
    expect(sent).toHaveLength(requests);
  });

  test("are undefined when there is no such service, and one is when there is no such build", async () => {
    script = [refusal(404), refusal(404)];
    expect(await apiOf().listBuilds(service, call())).toBeUndefined();
    expect(await apiOf().getBuild({ ...service, buildId: "b1" }, call())).toBeUndefined();
  });

  test.each([
    ["list", () => apiOf().listBuilds(service, call())],
    ["build", () => apiOf().getBuild({ ...service, buildId: "b1" }, call())],
  ])("are a protocol error when the answer is no %s", async (_what, use) => {
    script = [data({})];
    expect(await failureOf(use())).toMatchObject({ code: "protocol", sent: true });
  });
});

describe("one run", () => {
  test("is undefined when there is none", async () => {
    script = [refusal(404)];
    expect(await apiOf().getRun(run, call())).toBeUndefined();
  });

  test.each([
    ["Thu, 01 Jan 2026 10:00:00 GMT", Date.parse("2026-01-01T10:00:00Z")],
    ["tomorrow", undefined],
    [undefined, undefined],
  ])("comes with Northflank's clock: %s", async (date, serverTimeMs) => {
    script = [data({ id: "r1", status: "RUNNING" }, date === undefined ? {} : { date })];
    const read = await apiOf().getRun(run, call());
    expect(read).toMatchObject({ id: "r1", status: "RUNNING" });
    expect(read?.serverTimeMs).toBe(serverTimeMs);
  });

  test("is a protocol error when the answer is none", async () => {
    script = [data({ id: "../x" })];
    expect(await failureOf(apiOf().getRun(run, call()))).toMatchObject({ code: "protocol" });
  });

  test.each([404, 409])("that is gone or over (%i) counts as aborted", async (status) => {
    script = [refusal(status)];
    await apiOf().abortRun(run, call());
    expect(sent).toHaveLength(1);
  });

  test("cannot be aborted by a token that may not", async () => {
    script = [refusal(403)];
    expect(await failureOf(apiOf().abortRun(run, call()))).toMatchObject({ code: "forbidden" });
  });
});

describe("who am I", () => {
  test.each<[string, Step, unknown]>([
    ["tells when the token ends", data({ expiresAt: "2026-02-01T00:00:00Z" }), { expiresAt: "2026-02-01T00:00:00Z" }],
    ["tells nothing of a token without an end", data({ expiresAt: null }), { expiresAt: undefined }],
    ["is undefined where the route is missing", refusal(404), undefined],
  ])("%s", async (_what, step, expected) => {
    script = [step];
    expect(await apiOf().whoAmI(call())).toEqual(expected);
  });

  test("rejects a bad token", async () => {
    script = [refusal(401, "Unauthorized")];
    expect(await failureOf(apiOf().whoAmI(call()))).toMatchObject({ code: "unauthorized" });
  });
});

test("a service that is none is a protocol error, and 204 is enough for a write", async () => {
  script = [data([]), reply(204)];
  expect(await failureOf(apiOf().getService(service, call()))).toMatchObject({ code: "protocol" });
  await apiOf().updateServiceDeployment(service, {}, call());
});

describe("services and jobs of a project", () => {
  const page = (ids: readonly string[], pagination?: object): Step =>
    reply(200, { data: { services: ids.map((id) => ({ id, serviceType: "deployment" })) }, pagination });

  test("are read from all pages, each once, in the order of their ids", async () => {
    script = [page(["web", "api"], { hasNextPage: true, cursor: "1" }), page(["web", "cart"])];
    expect(await apiOf().listServices(service, call())).toEqual({
      items: ["api", "cart", "web"].map((id) => ({ id, type: "deployment" })),
    });
    expect(sent.map(({ path }) => path.split("?")[1])).toEqual(["per_page=100", "per_page=100&cursor=1"]);
  });

  test.each<[string, readonly Step[], number]>([
    [
      "a cursor that leads in a circle",
      [1, 2, 3].map((n) => page([`s${n}`], { hasNextPage: true, cursor: `${n % 2}` })),
      3,
    ],
    ["a next page without a cursor", [page(["s1"], { hasNextPage: true })], 1],
  ])("stop at %s, and say that they are not all", async (_what, steps, requests) => {
    script = [...steps];
    expect(await apiOf().listServices(service, call())).toMatchObject({ truncated: true });
    expect(sent).toHaveLength(requests);
  });

  test("have what the list shows of their state", async () => {
    const rollout = { status: "COMPLETED", reason: "DEPLOYING", lastTransitionTime: "2026-01-01T00:00:00.624Z" };
    const web = { id: "web", uid: "u1", serviceType: "combined", disabledCD: true, status: { deployment: rollout } };
    const odd = { id: "odd", uid: 7, serviceType: null, disabledCD: "no", status: { deployment: "x".repeat(200) } };
    const long = { id: "long", uid: "u".repeat(200), status: { deployment: { status: 1, lastTransitionTime: {} } } };
    script = [reply(200, { data: { services: [web, odd, long] } })];
    expect((await apiOf().listServices(service, call())).items).toEqual([
      { id: "long", type: undefined, uid: "u".repeat(128) },
      { id: "odd", type: undefined },
      {
        id: "web",
        type: "combined",
        uid: "u1",
        disabledCD: true,
        rolloutStatus: "COMPLETED",
        rolloutTransitionTime: "2026-01-01T00:00:00.624Z",
      },
    ]);
    script = [reply(200, { data: { jobs: [{ ...web, jobType: "cron", suspended: true }] } })];
    expect((await apiOf().listJobs(service, call())).items).toEqual([
      { id: "web", type: "cron", uid: "u1", disabledCD: true, suspended: true },
    ]);
  });

  test("keep ids that could not be asked for, and drop what has none", async () => {
    script = [reply(200, { data: { jobs: [{ id: "../x", jobType: "manual" }, {}, null, { id: 7 }] } })];
    expect(await apiOf().listJobs(service, call())).toEqual({ items: [{ id: "../x", type: "manual" }] });
  });

  test("are a protocol error when the answer is no list", async () => {
    script = [data({ services: {} })];
    expect(await failureOf(apiOf().listServices(service, call()))).toMatchObject({ code: "protocol", sent: true });
  });
});

describe("keyedHash", () => {
  const hashWith = (token: string, text: string) =>
    createNorthflankApi({
      transport,
      ledger,
      clock,
      random: () => 0,
      baseUrl: "https://api.northflank.com",
      token: new SecretValue(token),
      pool: "acme",
    }).keyedHash(text);

  test("is equal for equal texts under one token, and for nothing else", () => {
    const hashes = [hashWith("a", "x"), hashWith("a", "y"), hashWith("b", "x")];
    expect(new Set(hashes).size).toBe(3);
    expect(hashWith("a", "x")).toBe(hashes[0]);
    expect(hashes[0]).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });
});
