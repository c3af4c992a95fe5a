import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defaultToken, type NorthflankSandbox, startNorthflank } from "../../../sandbox/northflank/server.ts";
import { createNorthflankApi, type NorthflankApi } from "../../../src/northflank/client.ts";
import { isNorthflankError, type NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { createLedger } from "../../../src/northflank/ledger.ts";
import { createTransport, type Transport } from "../../../src/northflank/transport.ts";
import type { JobRunView } from "../../../src/northflank/types.ts";
import { systemClock } from "../../../src/util/clock.ts";
import { SecretValue } from "../../../src/util/secret-value.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeNorthflank, northflankError } from "../../support/fake-northflank.ts";

// The fakes of unit tests answer as the client on the sandbox does: the same conversation with both comes to the same.

const spender = { kind: "NorthflankDeployment", namespace: "shop", name: "web" };
const call = { class: "change", spender, signal: new AbortController().signal } as const;
const service = { projectId: "shop", serviceId: "api" };
const combined = { projectId: "shop", serviceId: "storefront" };
const job = { projectId: "shop", jobId: "migrate" };
const [noService, noJob] = [
  { ...service, serviceId: "none" },
  { ...job, jobId: "none" },
];
const runMs = 25_000;

let sandbox: NorthflankSandbox;
let transport: Transport;
let real: NorthflankApi;
const clock = new FakeClock();
/** What happens to each request on its way to the sandbox, or to its answer on the way back. */
let fault: { code: NorthflankErrorCode; httpStatus: number | undefined; isDone: boolean } | undefined;

/** Loses requests and answers as `fault` says. */
const faulty = (): Transport => ({
  send: async (request) => {
    if (fault === undefined) return await transport.send(request);
    const { code, httpStatus, isDone } = fault;
    request.onSend?.();
    const answer = isDone ? await transport.send(request) : undefined;
    if (httpStatus === undefined || answer === undefined) throw northflankError(code);
    return { ...answer, status: httpStatus };
  },
  [Symbol.asyncDispose]: async () => undefined,
});

beforeEach(async () => {
  fault = undefined;
  sandbox = await startNorthflank({ now: clock.now, runMs });
  transport = createTransport({ clock: systemClock, allowedHosts: [new URL(sandbox.url).host], userAgent: "test/0" });
  const common = { transport: faulty(), clock: systemClock, random: () => 0, teamId: undefined, pool: "acme" };
  const ledger = createLedger({ clock: systemClock, random: () => 0, maxRequestsPerHour: 1_000 });
  real = createNorthflankApi({ ...common, ledger, baseUrl: sandbox.url, token: new SecretValue(defaultToken) });
});

afterEach(async () => {
  await transport[Symbol.asyncDispose]();
  await sandbox.stop();
});

/** What a call comes to: its answer, or the code of its error. */
async function answerOf(ask: () => Promise<unknown>): Promise<unknown> {
  try {
    return (await ask()) ?? "nothing";
  } catch (error) {
    if (!isNorthflankError(error)) throw error;
    return error.code;
  }
}

type Api = NorthflankApi;

/** What is deployed, without its build and the state of its rollout: these are what a test says. */
async function sourceOf(ask: Promise<Awaited<ReturnType<Api["getService"] | Api["getJobDeployment"]>>>) {
  const { image, external, internal, ...rest } = await ask;
  const { docker, buildpack } = { docker: undefined, buildpack: undefined, ...rest };
  const { id, branch, buildSHA } = internal ?? {};
  return {
    // Where the API leaves out the host of an image depends on the form of its answer, which remote-image.ts is about.
    image: image?.replace("ghcr.io/", ""),
    credentials: external?.credentials,
    ...{ docker, buildpack },
    internal: internal && { id, branch, buildSHA },
  };
}

type Question = (api: Api) => Promise<unknown>;

const readService: Question = (api) => sourceOf(api.getService(service, call));
const readJob: Question = (api) => sourceOf(api.getJobDeployment(job, call));
const readJobItself: Question = (api) => api.getJob(job, call);
const readSettings: Question = async (api) => (await api.getJobSettings(job, call)).settings;
const deploy =
  (body: Parameters<Api["updateServiceDeployment"]>[1]): Question =>
  (api) =>
    api.updateServiceDeployment(service, body, call);

const docker = { configType: "customCommand", customCommand: "serve" };
const image = { imagePath: "ghcr.io/acme/api:2" };
const build = { id: "builder", branch: "main", buildSHA: "12c15e7ee6a1e6b3b1b7f4a1b9a5b0f1c2d3e4f5" };

const conversations: Readonly<Record<string, readonly Question[]>> = {
  "the image of a service": [
    readService,
    deploy({ external: image }),
    readService,
    deploy({ external: { ...image, credentials: "ghcr" } }),
    readService,
    (api) => api.patchDeploymentService(service, { deployment: { external: image, instances: 2 } }, call),
    readService,
  ],
  "what is started in a service": [
    deploy({ docker }),
    readService,
    deploy({ external: image }),
    readService,
    (api) => api.patchCombinedService(combined, { deployment: { docker } }, call),
    (api) => sourceOf(api.getService(combined, call)),
  ],
  "the build of a service": [deploy({ internal: build }), readService, deploy({ external: image }), readService],
  "the image of a job": [
    readJob,
    (api) => api.updateJobDeployment(job, { external: image }, call),
    readJob,
    readJobItself,
    (api) => api.updateJobDeployment(job, { internal: build, docker }, call),
    readJob,
    readJobItself,
  ],
  "the settings of a job": [
    readSettings,
    (api) => api.patchJob(job, "job", { description: "ours", settings: { backoffLimit: 3 } }, call),
    readSettings,
    (api) => api.patchJob(job, "job", { settings: { activeDeadlineSeconds: 600 } }, call),
    readSettings,
    (api) => api.patchJob(job, "manual", { backoffLimit: 4, runtimeEnvironment: { A: "1" } }, call),
    readSettings,
  ],
  "what does not exist": [
    (api) => api.getService(noService, call),
    (api) => api.updateServiceDeployment(noService, { external: image }, call),
    (api) => api.restartService(noService, call),
    (api) => api.getJob(noJob, call),
    (api) => api.getJobDeployment(noJob, call),
    (api) => api.updateJobDeployment(noJob, { external: image }, call),
    (api) => api.getJobSettings(noJob, call),
    (api) => api.patchJob(noJob, "job", { description: "ours" }, call),
    (api) => api.listBuilds(noService, call),
    (api) => api.getBuild({ ...service, buildId: "none" }, call),
  ],
};

/** A fake that has what the sandbox has. */
async function fakeLikeSandbox(): Promise<FakeNorthflank> {
  const fake = new FakeNorthflank(clock);
  for (const name of [service, combined]) fake.has(await real.getService(name, call));
  fake.hasJob({ ...(await real.getJob(job, call)), ...(await real.getJobDeployment(job, call)) });
  const { settings, jobType } = await real.getJobSettings(job, call);
  fake.hasSettings(job.jobId, settings, jobType);
  return fake;
}

test.each(Object.entries(conversations))("FakeNorthflank: %s", async (_, questions) => {
  const { api } = await fakeLikeSandbox();
  for (const [index, ask] of questions.entries()) {
    const expected = await answerOf(() => ask(real));
    expect(await answerOf(() => ask(api)), `question ${index + 1}`).toEqual(expected);
  }
});

/** What a start comes to: whether it is known, and the code of its error. */
const start =
  (of: typeof job, body: Parameters<Api["startRun"]>[1] = {}): Question =>
  async (api) => {
    const answer = api.startRun(of, body, call);
    await clock.advance(200);
    const outcome = await answer;
    return outcome.kind === "accepted" ? outcome.kind : [outcome.kind, outcome.error.code, outcome.error.httpStatus];
  };

/** Of runs, what does not depend on their random ids; times from now, in seconds. */
function told(runs: readonly JobRunView[]) {
  const since = (time: string | undefined) => time && Math.round((Date.parse(time) - clock.now()) / 1_000);
  return runs.map(({ status, concluded, startedAt, concludedAt }) => ({
    ...{ status, concluded },
    at: [since(startedAt), since(concludedAt)],
  }));
}

const list: Question = async (api) => {
  const { runs, ...rest } = await api.listRuns(job, call);
  return { ...rest, runs: told(runs) };
};

/** Asks about the run that was started as the `index`th, counted from the latest. */
const ofRun =
  (index: number, ask: (api: Api, runId: string) => Promise<unknown>): Question =>
  async (api) =>
    ask(api, (await api.listRuns(job, call)).runs[index]?.id ?? "none");

const readRun = async (api: Api, runId: string, of = job) => {
  const { serverTimeMs, ...run } = (await api.getRun({ ...of, runId }, call)) ?? {};
  return "id" in run ? { serverTimeMs, run: told([run as JobRunView]) } : "none";
};
const abortRun = (api: Api, runId: string, of = job) => api.abortRun({ ...of, runId }, call);
const passes =
  (ms: number): Question =>
  async () =>
    clock.advance(ms);

const otherJob = { ...job, jobId: "report" };
const unbuilt = { ...build, buildSHA: "f".repeat(40) };

/** Conversations about runs. Time passes in each of them, so that one is over before the other begins. */
const runConversations: Readonly<Record<string, readonly Question[]>> = {
  "runs from their start to their end": [
    list,
    start(job),
    passes(2_000),
    start(job),
    list,
    passes(3_000),
    ofRun(0, abortRun),
    ofRun(0, readRun),
    ofRun(1, readRun),
    list,
    passes(runMs),
    list,
  ],
  "what is over, or no run of this job": [
    start(job),
    passes(runMs),
    ofRun(0, abortRun),
    ofRun(0, readRun),
    ofRun(0, (api, runId) => readRun(api, runId, otherJob)),
    ofRun(0, (api, runId) => abortRun(api, runId, otherJob)),
    ofRun(0, (api, runId) => readRun(api, runId, noJob)),
    (api) => readRun(api, "none"),
    (api) => abortRun(api, "none"),
    (api) => readRun(api, "no/id"),
    (api) => abortRun(api, "no/id"),
    (api) => api.listRuns(noJob, call),
    (api) => api.listRuns(otherJob, call),
  ],
  "starts that are refused": [
    start(noJob),
    start(job, { billing: { deploymentPlan: "no plan" } }),
    start(job, { deployment: { external: image, internal: build } }),
    start(job, { deployment: { internal: unbuilt } }),
    start(job, { deployment: { internal: { id: "builder", buildId: "none" } } }),
    start({ ...job, jobId: "sourceless" }),
    list,
  ],
  "starts with a source of their own": [
    start({ ...job, jobId: "sourceless" }, { deployment: { external: image } }),
    start(job, { deployment: { docker, external: image } }),
    start(job, { deployment: { internal: { ...build, buildSHA: "latest" } } }),
    start(job, { deployment: { internal: build } }),
    list,
  ],
};

/** A fake with the runs of the sandbox: none. */
async function fakeWithoutRuns(): Promise<FakeNorthflank> {
  for (const { id } of sandbox.runs(job.projectId, job.jobId)) sandbox.loseRun(id);
  sandbox.addJob(job.projectId, { id: "sourceless" });
  const fake = await fakeLikeSandbox();
  fake.hasJob({ ...fake.job(job.jobId), id: otherJob.jobId });
  const none = { image: undefined, external: undefined, internal: undefined };
  fake.hasJob({ ...fake.job(job.jobId), id: "sourceless", ...none });
  const { builds = [] } = (await real.listBuilds({ ...service, serviceId: build.id }, call)) ?? {};
  fake.hasBuilds(build.id, builds);
  fake.runs.skewMs = 0;
  fake.runs.runMs = runMs;
  fake.quota.spentByOthers(sandbox.quota().used);
  return fake;
}

async function answersTo(questions: readonly Question[], api: Api): Promise<readonly unknown[]> {
  // Times of runs are whole seconds.
  await clock.advance(1_000 - (clock.now() % 1_000));
  const answers: unknown[] = [];
  for (const ask of questions) answers.push(await answerOf(() => ask(api)));
  return answers;
}

describe("FakeNorthflank and runs", () => {
  test.each(Object.entries(runConversations))("%s", async (_, questions) => {
    const fake = await fakeWithoutRuns();
    const expected = await answersTo(questions, real);
    expect(withoutTimes(await answersTo(questions, fake.api))).toEqual(withoutTimes(expected));
  });

  test("tells Northflank's time beside a run and a list", async () => {
    const fake = await fakeWithoutRuns();
    for (const api of [real, fake.api]) {
      await start(job)(api);
      const { runs, serverTimeMs } = await api.listRuns(job, call);
      const run = await api.getRun({ ...job, runId: runs[0]?.id ?? "" }, call);
      const now = Math.floor(clock.now() / 1_000) * 1_000;
      expect([serverTimeMs, run?.serverTimeMs]).toEqual([now, now]);
    }
  });

  test("a start that is not waited for any more", async () => {
    const fake = await fakeWithoutRuns();
    sandbox.settings.latencyMs = 200;
    for (const api of [real, fake.api]) {
      const stop = new AbortController();
      const answer = api.startRun(job, {}, { ...call, signal: stop.signal });
      await new Promise((resolve) => setTimeout(resolve, 50));
      stop.abort();
      expect(await answer).toMatchObject({ kind: "unknown", error: { code: "interrupted", sent: true } });
      await expect(api.startRun(job, {}, { ...call, signal: stop.signal })).rejects.toThrow();
    }
  });

  test.each([
    ["answerLost", "interrupted", undefined, 1],
    ["failedAfterApplying", "server_error", 503, 1],
    ["notApplied", "timeout", undefined, 0],
  ] as const)("a start without an answer: %s", async (mode, code, httpStatus, runs) => {
    const fake = await fakeWithoutRuns();
    fake.runs.mode = mode;
    fake.runs.timeoutMs = 150;
    fault = { code, httpStatus, isDone: runs > 0 };
    expect(await start(job)(fake.api)).toEqual(["unknown", code, httpStatus]);
    expect(await start(job)(real)).toEqual(["unknown", code, httpStatus]);
    fault = undefined;
    for (const api of [real, fake.api]) expect((await api.listRuns(job, call)).runs).toHaveLength(runs);
  });

  test("an abort without an answer, again and again: it is an error, and the run is over", async () => {
    const fake = await fakeWithoutRuns();
    const abort = ofRun(0, async (api, runId) => {
      fault = { code: "interrupted", httpStatus: undefined, isDone: true };
      fake.failNext("abortRun", northflankError("interrupted"), { isDone: true });
      return await answerOf(() => abortRun(api, runId)).finally(() => {
        fault = undefined;
      });
    });
    const questions = [start(job), abort, list];
    const expected = await answersTo(questions, real);
    expect(expected[1]).toBe("interrupted");
    expect(withoutTimes(await answersTo(questions, fake.api))).toEqual(withoutTimes(expected));
  });

  test("a list on more pages than are read: the runs of the last ones are missing", async () => {
    const fake = await fakeWithoutRuns();
    for (let count = 150; count > 0; count--) {
      sandbox.injectRun(job.projectId, job.jobId, { startedMs: clock.now() - count * 60_000 });
      fake.runs.startForeign(job.jobId, count * 60_000);
    }
    for (const maxPages of [1, 2]) {
      const needs = { maxPages, isEnough: () => true };
      const runs = async (api: Api) => {
        const answer = await api.listRuns(job, { ...call, needs });
        return { ...answer, serverTimeMs: 0, runs: told(answer.runs).map(({ at }) => at[0]) };
      };
      const expected = await runs(real);
      expect(expected.truncated).toBe(maxPages === 1 ? true : undefined);
      expect(await runs(fake.api)).toEqual(expected);
    }
    expect(fake.runs.calls).toEqual(["list", "list", "list"]);
  });

  test("the quota: what another client of the account has spent is refused, then not even sent", async () => {
    const fake = await fakeWithoutRuns();
    const api = fake.connect();
    await list(api);
    await list(real);
    sandbox.spendQuota(1_000);
    fake.quota.spentByOthers(1_000);
    const questions = [
      start(job),
      start(job),
      list,
      (asked: Api) => readRun(asked, "none"),
      (asked: Api) => abortRun(asked, "none"),
      async (asked: Api) => asked.reserve(3, "run").kind,
    ];
    const expected = await answersTo(questions, real);
    expect(expected.slice(0, 3)).toEqual([
      ["refused", "rate_limited", 429],
      ["refused", "quota_closed", undefined],
      "quota_closed",
    ]);
    expect(await answersTo(questions, api)).toEqual(expected);
  });

  test("the quota: what one process has set aside is not granted to its other requests", async () => {
    const fake = await fakeWithoutRuns();
    sandbox.setLimit(40);
    fake.quota.limitPerHour = 40;
    const spend = async (api: Api) => {
      await list(api);
      const reserved = api.reserve(3, "run");
      const codes: unknown[] = [reserved.kind];
      for (let count = 0; count < 40; count++) codes.push(await answerOf(() => readRun(api, "none")));
      if (reserved.kind === "reserved") {
        const { reservation } = reserved;
        codes.push((await api.startRun(job, {}, { ...call, reservation })).kind, reservation.left);
      }
      return codes;
    };
    const expected = await spend(real);
    expect(expected).toContain("quota_closed");
    const answer = spend(fake.connect());
    await clock.advance(200);
    expect(await answer).toEqual(expected);
  });
});

/** By the clock of the conversation, which is later for the second one. */
function withoutTimes(answers: readonly unknown[]): unknown {
  return JSON.parse(JSON.stringify(answers), (key, value) => (key === "serverTimeMs" ? typeof value : value));
}
