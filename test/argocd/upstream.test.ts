import { readdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { mergePatch } from "../../sandbox/kubernetes/patch.ts";
import type { NorthflankConnection } from "../../src/api/connection.ts";
import type { NorthflankDeployment } from "../../src/api/deployment.ts";
import type { NorthflankJob } from "../../src/api/job.ts";
import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { reconcileRequestedAt } from "../../src/api/names.ts";
import { createValidator } from "../../src/api/validate.ts";
import { decide } from "../../src/controllers/connection/decide.ts";
import type { Observation } from "../../src/controllers/connection/observation.ts";
import { statusOf } from "../../src/controllers/connection/status.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import { type ArgoHealth, argoHealthOf, customizations } from "../support/argocd.ts";
import { actionNames, actionsOf, patchOf } from "../support/argocd-actions.ts";
import { connection, deployment, jobObject, service } from "../support/builders.ts";
import { DeploymentScene } from "../support/deployment-scene.ts";
import { northflankError } from "../support/fake-northflank.ts";
import { JobScene } from "../support/job-scene.ts";
import { RunStory } from "../support/run-story.ts";
import { always } from "../support/strict-fake.ts";

// The tests that Argo CD's repository asks for beside its scripts: objects in testdata/, and what is expected of them in
// health_test.yaml and actions/action_test.yaml. The objects are what the controllers make of a scene; after a change of a
// message, `npx vitest run --project unit test/argocd/upstream.test.ts -u` writes them anew. What is expected is said here.

const minute = 60_000;
const startMs = Date.parse("2026-01-01T00:00:00Z");

interface Fixture {
  readonly health: ArgoHealth;
  readonly make: () => KubeObject | Promise<KubeObject>;
}

const fixtures: Readonly<Record<string, Readonly<Record<string, Fixture>>>> = {
  NorthflankConnection: {
    progressing_created: { health: "Progressing", make: () => connection() },
    healthy: { health: "Healthy", make: () => seenConnection(accepted) },
    degraded_secretNotFound: {
      health: "Degraded",
      make: () => seenConnection({ ...surroundings, kind: "blocked", readyState: noSecret, recheckAfterMs: minute }),
    },
    progressing_unavailable: {
      health: "Progressing",
      make: () => seenConnection(checked({ kind: "failed", error: unavailable })),
    },
    healthy_suspended: {
      health: "Healthy",
      make: () => suspendedConnection(seenConnection(accepted)),
    },
    suspended: { health: "Suspended", make: () => suspendedConnection(connection()) },
  },
  NorthflankDeployment: {
    progressing_created: { health: "Progressing", make: () => deployment() },
    progressing_rollingOut: { health: "Progressing", make: () => deployed(undefined) },
    healthy: { health: "Healthy", make: () => deployed("COMPLETED") },
    degraded_rolloutFailed: { health: "Degraded", make: () => deployed("FAILED") },
    progressing_newGeneration: {
      health: "Progressing",
      make: async () => {
        const { spec, metadata, ...rest } = await deployed("COMPLETED");
        return { ...rest, metadata: { ...metadata, generation: 2 }, spec: { ...spec, ...newImage } };
      },
    },
    healthy_suspended: {
      health: "Healthy",
      make: async () => {
        const scene = new DeploymentScene();
        await deployed("COMPLETED", scene);
        scene.edit({ suspend: true });
        await scene.pass();
        return scene.object();
      },
    },
    suspended: {
      health: "Suspended",
      make: async () => {
        const scene = new DeploymentScene();
        scene.has(deployment({ spec: { suspend: true } }));
        await scene.pass();
        return scene.object();
      },
    },
  },
  NorthflankJob: {
    progressing_created: { health: "Progressing", make: () => jobObject() },
    healthy: { health: "Healthy", make: () => settings() },
    degraded_secretNotFound: {
      health: "Degraded",
      make: async () => {
        const scene = new JobScene();
        scene.resolution = () => ({ kind: "blocked", readyState: noSecret, recheckAfterMs: minute });
        scene.has(jobObject());
        await scene.pass();
        return scene.object();
      },
    },
    suspended: { health: "Suspended", make: () => settings({ suspend: true }) },
    healthy_suspended: {
      health: "Healthy",
      make: async () => {
        const scene = new JobScene();
        await settings({}, scene);
        scene.edit({ suspend: true });
        await scene.pass();
        return scene.object();
      },
    },
  },
  NorthflankJobRun: {
    progressing_created: { health: "Progressing", make: () => ran({ afterMs: 0 }) },
    progressing_active: { health: "Progressing", make: () => ran({ afterMs: 1_000 }) },
    healthy: { health: "Healthy", make: () => ran({}) },
    degraded_failed: {
      health: "Degraded",
      make: () => ran({ arrange: ({ remote }) => remote.results.push("FAILED") }),
    },
    degraded_aborted: { health: "Degraded", make: () => ran({ spec: { abort: true } }) },
    degraded_secretNotFound: {
      health: "Degraded",
      make: () => ran({ spec: { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] } }),
    },
    // A run may be active: failing the sync would let a retry start a second one.
    progressing_startOutcomeUnknown: {
      health: "Progressing",
      make: () => ran({ afterMs: 5 * minute, arrange: ({ remote }) => (remote.mode = "notApplied") }),
    },
    suspended: { health: "Suspended", make: () => ran({ spec: { suspend: true } }) },
  },
};

const newImage = { deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } };
const surroundings = { dependents: 2, quota: undefined } as const;
const noSecret = { kind: "stalled", reason: "SecretNotFound", message: 'Secret "nf-token" does not exist.' } as const;
const unavailable = northflankError("server_error", { step: "check the token", detail: "HTTP 503", httpStatus: 503 });
const accepted = checked({ kind: "accepted", token: undefined });

function checked(check: Extract<Observation, { readonly kind: "checked" }>["check"]): Observation {
  return { ...surroundings, kind: "checked", check, secretResourceVersion: "1" };
}

function seenConnection(observation: Observation, object = connection()): NorthflankConnection {
  const random = always(0.5);
  const decision = decide({ object, observation, now: startMs, random, validationPeriodMs: 60 * minute });
  return { ...object, status: statusOf(object, decision, startMs) };
}

function suspendedConnection({ metadata, spec, ...rest }: NorthflankConnection): NorthflankConnection {
  const object = { ...rest, metadata: { ...metadata, generation: 2 }, spec: { ...spec, suspend: true } };
  return seenConnection({ ...surroundings, kind: "suspended" }, object);
}

async function deployed(
  rollout: "COMPLETED" | "FAILED" | undefined,
  scene = new DeploymentScene(),
): Promise<NorthflankDeployment> {
  scene.northflank.has(service());
  scene.has(deployment());
  await scene.pass();
  await scene.clock.advance(10_000);
  if (rollout !== undefined) scene.northflank.rollout("api", rollout);
  await scene.pass();
  return scene.object();
}

async function settings(spec: Partial<NorthflankJob["spec"]> = {}, scene = new JobScene()): Promise<NorthflankJob> {
  scene.northflank.hasSettings("migrate", { description: "Old", settings: {} }, "manual");
  scene.has(jobObject({ spec }));
  await scene.settle();
  return scene.object();
}

async function ran(options: {
  readonly spec?: Partial<NorthflankJobRun["spec"]>;
  readonly afterMs?: number;
  readonly arrange?: (story: RunStory) => unknown;
}): Promise<NorthflankJobRun> {
  const story = new RunStory();
  options.arrange?.(story);
  await story.run(options.spec, options.afterMs ?? minute);
  const object = story.object();
  expect(story.end()).toEqual([]);
  return object;
}

const validator = createValidator();

describe.each(Object.keys(fixtures))("%s", (kind) => {
  const made = new Map<string, KubeObject>();

  beforeAll(async () => {
    for (const [name, { make }] of Object.entries(fixtures[kind] ?? {})) made.set(name, await make());
  });

  test("testdata/ holds what the controllers make, nothing else, and the schema takes it", async () => {
    for (const [name, object] of made) {
      await expect(stringify(object, { lineWidth: 0 })).toMatchFileSnapshot(pathOf(kind, "testdata", `${name}.yaml`));
      expect(validator.validateManifest(object)).toEqual([]);
    }
    expect(readdirSync(pathOf(kind, "testdata")).sort()).toEqual([...made.keys()].map((name) => `${name}.yaml`).sort());
  });

  test("health_test.yaml expects of each what is expected here, and the script says it", async () => {
    const tests = [...made].map(([name, object]) => {
      const { message } = argoHealthOf(object);
      const status = fixtures[kind]?.[name]?.health;
      return { healthStatus: { status, message }, inputPath: `testdata/${name}.yaml` };
    });
    await expect(stringify({ tests }, { lineWidth: 0 })).toMatchFileSnapshot(pathOf(kind, "health_test.yaml"));
    for (const [name, object] of made) {
      expect([name, argoHealthOf(object).status]).toEqual([name, fixtures[kind]?.[name]?.health]);
    }
  });

  test("actions/action_test.yaml expects which actions each is offered, and what an action makes of it", async () => {
    const discoveryTests = [...made].map(([name, object]) => ({
      inputPath: `../testdata/${name}.yaml`,
      result: [...actionsOf(object)].sort((a, b) => a.name.localeCompare(b.name)),
    }));
    const actionTests = [];
    for (const action of actionNames(kind)) {
      const [name, object] = [...made].find(([, one]) => isOffered(one, action)) ?? [];
      if (object === undefined) throw new Error(`no testdata of ${kind} is offered ${action}`);
      const output = mergePatch(object as never, patchOf(object, action) as never);
      const path = join("testdata", `${action}.yaml`);
      await expect(stringify(atNoTime(output), { lineWidth: 0 })).toMatchFileSnapshot(pathOf(kind, "actions", path));
      actionTests.push({ action, inputPath: `../testdata/${name}.yaml`, expectedOutputPath: path });
    }
    const text = stringify({ discoveryTests, actionTests }, { lineWidth: 0 });
    await expect(text).toMatchFileSnapshot(pathOf(kind, "actions", "action_test.yaml"));
  });
});

function isOffered(object: KubeObject, action: string): boolean {
  return actionsOf(object).some(({ name, disabled }) => name === action && !disabled);
}

/** As the tests of Argo CD do it, because the time of an action varies. */
function atNoTime(object: unknown): unknown {
  const text = JSON.stringify(object);
  return JSON.parse(text.replace(new RegExp(`("${reconcileRequestedAt}":)"[^"]+"`), '$1"0001-01-01T00:00:00Z"'));
}

function pathOf(kind: string, ...path: readonly string[]): string {
  return join(customizations, kind, ...path);
}
