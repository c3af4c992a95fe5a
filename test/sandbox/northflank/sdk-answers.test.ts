import { Ajv2020, type ErrorObject } from "ajv/dist/2020.js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { keyOf } from "../../../sandbox/northflank/router.ts";
import { routes } from "../../../sandbox/northflank/routes.ts";
import { sdkCallOf, sdkCalls } from "../../../sandbox/northflank/sdk-calls.ts";
import { type NorthflankSandbox, startNorthflank } from "../../../sandbox/northflank/server.ts";

/*
 * Every answer of the sandbox fits what Northflank's own SDK says of the call: what it requires is there, in its type, and
 * nothing is there that it does not know. The list comes from the SDK by scripts/northflank-sdk-calls.py.
 */

let sandbox: NorthflankSandbox;
let nowMs: number;
const sha = "a".repeat(40);

beforeEach(async () => {
  nowMs = Date.parse("2026-01-01T00:00:00Z");
  sandbox = await startNorthflank({ now: () => nowMs, seed: "sdk" });
});

afterEach(() => sandbox.stop());

// biome-ignore lint/suspicious/noExplicitAny: answers of any shape
type Body = any;

async function call(method: string, path: string, body?: object): Promise<Body> {
  const answer = await fetch(`${sandbox.url}${path}`, {
    method,
    headers: { authorization: "Bearer sandbox-token", ...(body && { "content-type": "application/json" }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  expect(answer.status, `${method} ${path}`).toBe(200);
  return answer.json();
}

const project = "/v1/projects/{project}";
const service = `${project}/services/{service}`;
const job = `${project}/jobs/{job}`;
const shop = "/v1/projects/shop";
const services = `${shop}/services`;
const jobs = `${shop}/jobs`;
const image = (imagePath: string) => ({ external: { imagePath } });
const docker = { docker: { configType: "customCommand", customCommand: "serve" } };
const followsBuilds = { internal: { id: "builder", branch: "main", buildSHA: "latest" } };

async function aCanary(): Promise<string> {
  sandbox.setGradualRollout("shop", "api", "careful");
  await call("POST", `${services}/api/deployment`, image("a.b/c:2"));
  return `${services}/api/rollout`;
}

async function aRun(): Promise<string> {
  return (await call("POST", `${jobs}/migrate/runs`, {})).data.id;
}

const integrations = "/v1/integrations/notifications";
const hook = {
  name: "by API",
  type: "RAW_WEBHOOK",
  webhook: "http://127.0.0.1:1/",
  events: { "trigger:build:start": true },
};
const anIntegration = async (): Promise<string> => (await call("POST", integrations, hook)).data.id;

/** Calls of each route, in the states that change what is answered. */
const probes: Readonly<Record<string, Readonly<Record<string, () => Promise<Body>>>>> = {
  "GET /v1/auth": {
    "of a token with everything": () => call("GET", "/v1/auth"),
    "of one with little, that ends": () => {
      sandbox.addToken("sandbox-token", {
        expiresAtMs: nowMs + 1,
        lacks: ["ps_jobs_general_update"],
        projects: { restrictionMode: "in", projects: ["shop"] },
      });
      return call("GET", "/v1/auth");
    },
  },
  "GET /v1/projects": { "of all": () => call("GET", "/v1/projects") },
  [`GET ${project}`]: { "with all kinds of things in it": () => call("GET", shop) },
  [`GET ${project}/services`]: {
    "of all types": () => {
      sandbox.startBuild("shop", "builder", { sha });
      return call("GET", services);
    },
  },
  [`GET ${service}`]: {
    "with an external image": () => call("GET", `${services}/api`),
    "with credentials": () => {
      sandbox.addService("shop", { id: "private", image: "a.b/c:1", credentials: "mine" });
      return call("GET", `${services}/private`);
    },
    combined: () => call("GET", `${services}/storefront`),
    build: () => call("GET", `${services}/builder`),
    "with a build": async () => {
      await call("POST", `${services}/api/deployment`, followsBuilds);
      return call("GET", `${services}/api`);
    },
    "with a command": async () => {
      await call("POST", `${services}/api/deployment`, docker);
      return call("GET", `${services}/api`);
    },
    paused: async () => {
      await call("POST", `${services}/api/pause`);
      return call("GET", `${services}/api`);
    },
    "with a canary": async () => {
      await aCanary();
      return call("GET", `${services}/api`);
    },
    "after a patch": async () => {
      await call("PATCH", `${services}/deployment/api`, { tags: ["one"], runtimeEnvironment: { LOG_LEVEL: "debug" } });
      return call("GET", `${services}/api`);
    },
  },
  [`GET ${service}/deployment`]: {
    "of an external image": () => call("GET", `${services}/api/deployment`),
    "of a build": async () => {
      await call("POST", `${services}/api/deployment`, followsBuilds);
      return call("GET", `${services}/api/deployment`);
    },
  },
  [`POST ${service}/deployment`]: {
    "of an image": () => call("POST", `${services}/api/deployment`, image("a.b/c:2")),
  },
  [`PATCH ${project}/services/deployment/{service}`]: {
    "of an image": () =>
      call("PATCH", `${services}/deployment/api`, { deployment: { instances: 1, ...image("a.b/c:2") } }),
    "of a setting": () => call("PATCH", `${services}/deployment/api`, { tags: ["one"] }),
  },
  [`PATCH ${project}/services/combined/{service}`]: {
    "of a command": () => call("PATCH", `${services}/combined/storefront`, { deployment: docker }),
  },
  [`POST ${service}/pause`]: { "of a service": () => call("POST", `${services}/api/pause`) },
  [`POST ${service}/resume`]: {
    "of a paused one": async () => {
      await call("POST", `${services}/api/pause`);
      return call("POST", `${services}/api/resume`, {});
    },
  },
  [`POST ${service}/restart`]: { "of a service": () => call("POST", `${services}/api/restart`) },
  [`GET ${service}/deployments`]: {
    "of images and builds": async () => {
      await call("POST", `${services}/api/deployment`, image("a.b/c:2"));
      await call("POST", `${services}/api/deployment`, followsBuilds);
      return call("GET", `${services}/api/deployments`);
    },
  },
  [`GET ${service}/rollout`]: {
    "under way": async () => call("GET", await aCanary()),
    promoted: async () => {
      await aCanary();
      sandbox.promoteRollout("shop", "api");
      return call("GET", `${services}/api/rollout`);
    },
  },
  [`POST ${service}/rollout/promote`]: { once: async () => call("POST", `${await aCanary()}/promote`) },
  [`POST ${service}/rollout/configuration`]: {
    "half and half": async () =>
      call("POST", `${await aCanary()}/configuration`, { canaryPercentage: 50, stablePercentage: 50 }),
  },
  [`POST ${service}/rollout/rollback`]: {
    "to the first": async () => {
      const rollout = await aCanary();
      const { deployments } = (await call("GET", `${services}/api/deployments`)).data;
      return call("POST", `${rollout}/rollback`, { deployment: deployments.at(-1).id });
    },
  },
  [`GET ${service}/build`]: { "of a service": () => call("GET", `${services}/builder/build`) },
  [`GET ${service}/build/{build}`]: {
    "that is over": () => {
      const { id } = sandbox.addBuild("shop", "builder", { sha });
      return call("GET", `${services}/builder/build/${id}`);
    },
    "under way": () => {
      const { id } = sandbox.startBuild("shop", "builder", { sha });
      return call("GET", `${services}/builder/build/${id}`);
    },
  },
  [`GET ${project}/jobs`]: { "of all types": () => call("GET", jobs) },
  [`GET ${job}`]: {
    manual: () => call("GET", `${jobs}/migrate`),
    cron: () => call("GET", `${jobs}/report`),
    "after a patch": async () => {
      await call("PATCH", `${jobs}/report`, { tags: ["one"], settings: { cron: { suspended: true } } });
      return call("GET", `${jobs}/report`);
    },
  },
  [`PATCH ${job}`]: {
    cron: () => call("PATCH", `${jobs}/report`, { description: "Reports", settings: { backoffLimit: 1 } }),
    manual: () => call("PATCH", `${jobs}/migrate`, { settings: { backoffLimit: 1 } }),
  },
  [`PATCH ${project}/jobs/manual/{job}`]: {
    "of a manual job": () => call("PATCH", `${jobs}/manual/migrate`, { backoffLimit: 1 }),
  },
  [`PATCH ${project}/jobs/cron/{job}`]: {
    "of a cron job": () => call("PATCH", `${jobs}/cron/report`, { suspended: true, concurrencyPolicy: "replace" }),
  },
  [`GET ${job}/build`]: {
    "of a job": () => {
      sandbox.startBuild("shop", "migrate", { sha });
      return call("GET", `${jobs}/migrate/build`);
    },
  },
  [`GET ${job}/build/{build}`]: {
    "of a job": () => {
      const { id } = sandbox.addBuild("shop", "migrate", { sha, status: "FAILURE" });
      return call("GET", `${jobs}/migrate/build/${id}`);
    },
  },
  [`GET ${job}/deployment`]: {
    "of an external image": () => call("GET", `${jobs}/migrate/deployment`),
    "of a build": async () => {
      const { id: buildId } = sandbox.addBuild("shop", "builder", { sha });
      await call("POST", `${jobs}/migrate/deployment`, { internal: { id: "builder", branch: "main", buildId } });
      return call("GET", `${jobs}/migrate/deployment`);
    },
  },
  [`POST ${job}/deployment`]: {
    "of an image": () => call("POST", `${jobs}/migrate/deployment`, image("a.b/c:2")),
  },
  [`GET ${job}/runs`]: {
    "in every state": async () => {
      const ids = [await aRun(), await aRun(), await aRun(), await aRun()];
      sandbox.finishRun(ids[0] ?? "", "SUCCESS");
      sandbox.finishRun(ids[1] ?? "", "FAILED");
      sandbox.abortRun(ids[2] ?? "");
      return call("GET", `${jobs}/migrate/runs`);
    },
  },
  [`POST ${job}/runs`]: { "of a job": () => call("POST", `${jobs}/migrate/runs`, {}) },
  [`GET ${job}/runs/{run}`]: {
    "under way": async () => call("GET", `${jobs}/migrate/runs/${await aRun()}`),
    "that is over": async () => {
      const id = await aRun();
      sandbox.finishRun(id, "SUCCESS");
      return call("GET", `${jobs}/migrate/runs/${id}`);
    },
  },
  [`DELETE ${job}/runs/{run}`]: { "under way": async () => call("DELETE", `${jobs}/migrate/runs/${await aRun()}`) },
  [`GET ${integrations}`]: {
    "of all states": async () => {
      await anIntegration();
      sandbox.disableIntegration(await anIntegration());
      return call("GET", integrations);
    },
  },
  [`POST ${integrations}`]: { "of a project": () => call("POST", integrations, { ...hook, projects: ["shop"] }) },
  [`GET ${integrations}/{integration}`]: {
    "that works": async () => call("GET", `${integrations}/${await anIntegration()}`),
    "that is switched off": async () => {
      const id = await anIntegration();
      sandbox.disableIntegration(id);
      return call("GET", `${integrations}/${id}`);
    },
  },
  [`POST ${integrations}/{integration}`]: {
    "of a secret": async () => call("POST", `${integrations}/${await anIntegration()}`, { secret: "other" }),
  },
  [`DELETE ${integrations}/{integration}`]: {
    "of one": async () => call("DELETE", `${integrations}/${await anIntegration()}`),
  },
};

/** Where the SDK must be wrong: it is made from the vendor's document, which contradicts itself there. */
const exceptions: Readonly<Record<string, readonly string[]>> = {
  // Of the two types of a job its answer names the last one only.
  [`PATCH ${job}: manual`]: ["/jobType enum"],
};

test("every route of the sandbox is called here, and is a call of the SDK", () => {
  expect(Object.keys(probes).sort()).toEqual(routes.map(keyOf).sort());
  expect(routes.filter((route) => sdkCallOf(route) === undefined)).toEqual([]);
  expect(sdkCalls().source).toMatchObject({ package: "northflank", version: "2.1.0" });
});

describe.each(routes.map((route) => [keyOf(route), route] as const))("%s", (key, route) => {
  test.each(Object.entries(probes[key] ?? {}))("%s", async (name, probe) => {
    const { data, pagination, ...rest } = await probe();
    const known = sdkCallOf(route)!;
    expect(problemsOf(known.data, data)).toEqual(exceptions[`${key}: ${name}`] ?? []);
    expect(rest).toEqual({});
    const page = { hasNextPage: false, count: Object.values(data as object).at(0)?.length };
    expect(pagination).toEqual(known.isPaginated ? page : undefined);
  });
});

test("what is required, of another type, or unknown is noticed", () => {
  const { data } = sdkCallOf({ method: "GET", path: `${job}/runs/{run}` })!;
  const problems = problemsOf(data, { id: 1, runName: "r", status: "DONE", concluded: null, extra: true });
  expect(problems).toEqual(
    expect.arrayContaining(["/id type", "/status enum", "/concluded type", "/startedAt required", "/extra unknown"]),
  );
});

/** Where a value does not fit, as `/place keyword`. */
function problemsOf(schema: object, value: unknown): readonly string[] {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
  const check = ajv.compile(closed(schema) as object);
  return check(value) ? [] : (check.errors ?? []).map(problemOf);
}

function problemOf({ instancePath, keyword, params }: ErrorObject): string {
  if (keyword === "required") return `${instancePath}/${params.missingProperty} required`;
  if (keyword === "additionalProperties") return `${instancePath}/${params.additionalProperty} unknown`;
  return `${instancePath} ${keyword}`;
}

/** The schema with no place for what it does not name. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).map(([key, value]) => [key, key === "enum" ? value : closed(value)]);
  const isClosed = "properties" in schema && !("additionalProperties" in schema);
  return Object.fromEntries(isClosed ? [...entries, ["additionalProperties", false]] : entries);
}
