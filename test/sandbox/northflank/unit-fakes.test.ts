import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defaultToken, type NorthflankSandbox, startNorthflank } from "../../../sandbox/northflank/server.ts";
import { createNorthflankApi, type NorthflankApi } from "../../../src/northflank/client.ts";
import { isNorthflankError } from "../../../src/northflank/errors.ts";
import { createLedger } from "../../../src/northflank/ledger.ts";
import { createTransport, type Transport } from "../../../src/northflank/transport.ts";
import { systemClock } from "../../../src/util/clock.ts";
import { SecretValue } from "../../../src/util/secret-value.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { FakeNorthflank } from "../../support/fake-northflank.ts";
import { RunRemote } from "../../support/run-remote.ts";

// The fakes of unit tests answer as the client on the sandbox does: the same conversation with both comes to the same.

const call = { class: "change", signal: new AbortController().signal } as const;
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

beforeEach(async () => {
  sandbox = await startNorthflank({ now: clock.now, runMs });
  transport = createTransport({ clock: systemClock, allowedHosts: [new URL(sandbox.url).host], userAgent: "test/0" });
  const common = { transport, clock: systemClock, random: () => 0, teamId: undefined, pool: "acme" };
  const ledger = createLedger({ clock: systemClock, random: () => 0, maxRequestsPerHour: 10_000 });
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
  const fake = new FakeNorthflank(clock.now);
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

describe("RunRemote", () => {
  /** Of a run, what does not depend on its random name; times from now, in seconds. */
  async function answersOf(remote: {
    start: () => Promise<{ readonly kind: string; readonly runId?: string }>;
    list: () => Promise<Awaited<ReturnType<Api["listRuns"]>>>;
    read: (id: string) => Promise<Awaited<ReturnType<Api["getRun"]>>>;
    abort: (id: string) => Promise<void>;
  }): Promise<readonly unknown[]> {
    const ids: string[] = [];
    const told = (run: Awaited<ReturnType<typeof remote.read>>) => {
      if (run === undefined) return "none";
      const since = (time: string | undefined) => time && Math.round((Date.parse(time) - clock.now()) / 1_000);
      const { status, concluded, startedAt, concludedAt } = run;
      return { run: ids.indexOf(run.id), status, concluded, at: [since(startedAt), since(concludedAt)] };
    };
    const start = async () => {
      const answer = remote.start();
      await clock.advance(200);
      const { kind, runId = "" } = await answer;
      ids.push(runId);
      return kind;
    };
    const all = async () => (await remote.list()).runs.map(told);
    // The fake tells whole seconds.
    await clock.advance(1_000 - (clock.now() % 1_000));
    const first = await start();
    await clock.advance(2_000);
    const answers: unknown[] = [first, await start(), await all()];
    await clock.advance(3_000);
    const [one = "", other = ""] = ids;
    await remote.abort(other);
    answers.push(told(await remote.read(other)), told(await remote.read(one)));
    await clock.advance(runMs);
    answers.push(await all());
    // What is over, and what does not exist, counts as aborted.
    await remote.abort(one);
    await remote.abort("none");
    return [...answers, told(await remote.read(one)), told(await remote.read("none"))];
  }

  test("tells the runs of a job as the client on the sandbox does", async () => {
    const known = new Set((await real.listRuns(job, call)).runs.map(({ id }) => id));
    const expected = await answersOf({
      start: () => real.startRun(job, {}, call),
      list: async () => {
        const { runs, ...rest } = await real.listRuns(job, call);
        return { ...rest, runs: runs.filter(({ id }) => !known.has(id)) };
      },
      read: (runId) => real.getRun({ ...job, runId }, call),
      abort: (runId) => real.abortRun({ ...job, runId }, call),
    });
    const remote = new RunRemote(clock);
    remote.skewMs = 0;
    remote.runMs = runMs;
    const answers = await answersOf({
      start: () => remote.post(job.jobId, {}),
      list: async () => remote.list(job.jobId),
      read: async (runId) => remote.read(runId),
      abort: async (runId) => remote.abort(runId),
    });
    expect(answers).toEqual(expected);
  });
});
