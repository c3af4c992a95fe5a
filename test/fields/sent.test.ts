import { describe, expect, test } from "vitest";
import { deploymentSpec } from "../../src/api/deployment.ts";
import { jobSpec } from "../../src/api/job.ts";
import { jobRunSpec } from "../../src/api/job-run.ts";
import { asStored } from "../../src/api/stored.ts";
import type { AccountResolution } from "../../src/controllers/account/accounts.ts";
import { deployment, jobObject } from "../support/builders.ts";
import { DeploymentScene } from "../support/deployment-scene.ts";
import { JobScene } from "../support/job-scene.ts";
import { recordingApi, type SentRequest } from "../support/recording-transport.ts";
import { RunStory } from "../support/run-story.ts";
import type { CallName } from "./calls.ts";
import { pages, propertyCases } from "./cases.ts";

// What a manifest declares leaves the machine as it was written: the reconcilers and the client as they are, on a wire
// that writes everything down.

/** A service that has nothing of what the tables declare. */
const unlike = {
  id: "api",
  serviceType: "deployment",
  disabledCD: true,
  deployment: {
    instances: 3,
    internal: { id: "unlike", branch: "unlike", buildSHA: "f".repeat(40), buildId: "unlike" },
    docker: { configType: "customCommand", customCommand: "unlike" },
    buildpack: { configType: "originalEntrypointCustomCommand", customCommand: "unlike" },
  },
  status: { deployment: { status: "COMPLETED", lastTransitionTime: "2025-12-31T23:00:00.000Z" } },
};

/** The requests with a body that one manifest comes to. `body` is what the manifest stands for. */
type Carry = (spec: Readonly<Record<string, unknown>>, body: unknown) => Promise<readonly SentRequest[]>;

const carriers: Readonly<Record<CallName, { readonly request: string; readonly carry: Carry }>> = {
  "update service deployment": {
    request: "POST /v1/projects/shop/services/api/deployment",
    carry: (spec) => carryDeployment(spec, 200),
  },
  "update job deployment": {
    request: "POST /v1/projects/shop/jobs/migrate/deployment",
    carry: (spec) => carryDeployment({ serviceId: undefined, ...spec }, 200),
  },
  "patch deployment service": {
    request: "PATCH /v1/projects/shop/services/deployment/api",
    carry: async (spec) => (await carryDeployment(spec, 410)).slice(1),
  },
  "run job": { request: "POST /v1/projects/shop/jobs/migrate/runs", carry: carryRun },
  "patch job": {
    request: "PATCH /v1/projects/shop/jobs/migrate",
    carry: (spec) => carryJob(spec, "cron"),
  },
  "patch manual job": {
    request: "PATCH /v1/projects/shop/jobs/manual/migrate",
    carry: (spec) => carryJob(spec, "manual"),
  },
  "patch cron job": {
    request: "PATCH /v1/projects/shop/jobs/cron/migrate",
    carry: (spec) => carryJob(spec, "cron"),
  },
};

describe.each(pages)("$name", (page) => {
  const { call } = page;
  const { request, carry } = carriers[call.name];

  test.each(propertyCases(page))("$name is sent as it is written", async ({ good }) => {
    for (const { body } of good) {
      const sent = await carry(call.manifest(body).spec, body);
      expect(sent.map(({ method, path }) => `${method} ${path}`)).toEqual([request]);
      expect(JSON.parse(sent[0]?.body ?? "")).toEqual(asSent(call.name, body));
    }
  });
});

/** The number of instances is not declared: it is what the service had right before. */
function asSent(call: CallName, body: unknown): unknown {
  if (call !== "patch deployment service") return body;
  const { deployment: declared } = body as { readonly deployment: object };
  return { deployment: { ...declared, instances: unlike.deployment.instances } };
}

async function carryDeployment(spec: object, statusOfPost: number): Promise<readonly SentRequest[]> {
  const scene = new DeploymentScene();
  // The token may not look at builds, so that any build is sent for Northflank to judge.
  const statusOf = ({ method, path }: SentRequest) => (method === "POST" ? statusOfPost : isBuild(path) ? 403 : 200);
  const answer = (request: SentRequest) => ({
    status: statusOf(request),
    body: { data: request.method === "GET" ? answerOf(request.path) : {} },
  });
  const { api, sent } = recordingApi({ clock: scene.clock, answer });
  scene.resolution = () => ({
    kind: "usable",
    account: { api, pool: "acme", address: "https://api.northflank.com", version: "1" },
  });
  scene.has(deployment({ spec: asStored(deploymentSpec, spec) as object }));
  await scene.pass();
  return sent.filter(({ body }) => body !== undefined);
}

/** A job tells its source by a call of its own. */
function answerOf(path: string): object {
  return path.endsWith("/deployment") ? unlike.deployment : unlike;
}

function isBuild(path: string): boolean {
  return path.includes("/build");
}

/** A job that tells nothing of what the tables declare. */
async function carryJob(spec: object, jobType: string): Promise<readonly SentRequest[]> {
  const scene = new JobScene();
  const answer = () => ({ status: 200, body: { data: { id: "migrate", jobType } } });
  const { api, sent } = recordingApi({ clock: scene.clock, answer });
  scene.resolution = () => ({
    kind: "usable",
    account: { api, pool: "acme", address: "https://api.northflank.com", version: "1" },
  });
  scene.has(jobObject({ spec: asStored(jobSpec, spec) as object }));
  await scene.pass();
  return sent.filter(({ body }) => body !== undefined);
}

async function carryRun(spec: object): Promise<readonly SentRequest[]> {
  // One account for the whole story: another one each time would be a new connection each time.
  const account = { kind: "usable", account: { pool: "acme", address: "https://api.northflank.com", version: "1" } };
  const story = new RunStory({ account: () => account as AccountResolution });
  const answer = ({ method, path }: SentRequest) => ({
    // As above: Northflank judges the build.
    status: isBuild(path) ? 403 : 200,
    body: { data: method === "POST" ? { id: "run-1", runName: "migrate-1" } : { runs: [] } },
  });
  const wire = recordingApi({ clock: story.clock, answer });
  Object.assign(account.account, { api: wire.api });
  await story.run(asStored(jobRunSpec, spec) as object, 1_000);
  expect(story.end()).toEqual([]);
  return wire.sent.filter(({ body }) => body !== undefined);
}
