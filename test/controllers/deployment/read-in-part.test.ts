import { describe, expect, test } from "vitest";
import type { NorthflankDeploymentSpec } from "../../../src/api/deployment.ts";
import { knownHash } from "../../../src/controllers/deployment/changes.ts";
import { desireOf } from "../../../src/controllers/deployment/desired.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import type { SourceView } from "../../../src/northflank/types.ts";
import { build, deployment, job, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

type Declared = NorthflankDeploymentSpec["deployment"];

const one = "a".repeat(40);

const images: readonly Declared[] = [
  { external: { imagePath: "gcr.io/acme/api:1" } },
  { external: { imagePath: "europe-docker.pkg.dev/acme/api:1" } },
  { external: { imagePath: "old.example/acme/api:1" } },
  { external: { imagePath: "new.example:5000/acme/api:1" } },
  { external: { imagePath: "new.example:5000/acme/api:2" } },
  { external: { imagePath: "new.example:5000/acme/api:1", credentials: "first" } },
  { external: { imagePath: "new.example:5000/acme/api:1", credentials: "second" } },
];

const builds: readonly Declared[] = [
  { internal: { id: "builder", branch: "main", buildSHA: "latest" } },
  { internal: { id: "old-tools/builder", branch: "main", buildSHA: "latest" } },
  { internal: { id: "new-tools/builder", branch: "main", buildSHA: "latest" } },
  { internal: { id: "builder", branch: "main", buildSHA: one } },
  { internal: { id: "builder", branch: "dev", buildId: "build-one" } },
  { internal: { id: "builder", branch: "dev", buildId: "build-one-again" } },
];

const commands: readonly Declared[] = [
  { docker: { configType: "default" } },
  { docker: { configType: "default", customCommand: "unused" } },
  { docker: { configType: "customCommand", customCommand: "serve" } },
  { docker: { configType: "customEntrypointCustomCommand", customEntrypoint: "tini", customCommand: "serve" } },
];

const pairs = [images, builds, commands].flatMap((pool) =>
  pool.flatMap((from) => pool.filter((to) => to !== from).map((to) => [from, to] as const)),
);

/** Answers, from the one that leaves nothing out to the one that leaves out most. */
const answers = {
  whole: (view) => view,
  older: ({ external, internal, ...view }) => {
    const path = external?.imagePath?.replace(/^[^/]*[.:][^/]*\//, "");
    const stripped = { imagePath: path, credentials: undefined, registryProvider: "custom" };
    return {
      ...view,
      image: external === undefined ? undefined : path,
      external: external && stripped,
      internal: internal && {
        ...internal,
        id: internal.id?.split("/").at(-1),
        buildId: undefined,
        buildSHA: internal.buildId === undefined ? internal.buildSHA : undefined,
        deployedSHA: internal.buildId === undefined ? internal.deployedSHA : one,
      },
    };
  },
  sparse: ({ external, internal, ...view }) => ({
    ...view,
    external: external && { ...external, credentials: undefined },
    internal: internal && { ...internal, id: undefined, buildId: undefined },
    docker: view.docker && { configType: view.docker.configType },
  }),
} as const satisfies Readonly<Record<string, (view: SourceView) => SourceView>>;

type Answer = keyof typeof answers;

type Kind = "service" | "job";

/** An object whose first declaration was sent, whatever there was before. */
async function applied(declared: Declared, answer: Answer, kind: Kind) {
  const scene = new DeploymentScene();
  scene.told = answers[answer] as unknown as DeploymentScene["told"];
  scene.northflank.has(service({ imagePath: "before:1", docker: { configType: "customEntrypoint" } }));
  scene.northflank.hasJob(job({ imagePath: "before:1", docker: { configType: "customEntrypoint" } }));
  const succeeded = [build({ id: "build-one", sha: one }), build({ id: "build-one-again", sha: one })];
  scene.northflank.hasBuilds("builder", succeeded);
  const rollout = { wait: false, timeoutSeconds: 900, onFailure: "Report" } as const;
  const { serviceId, ...spec } = { ...deployment().spec, deployment: declared, rollout };
  scene.has({
    ...deployment(),
    spec: { ...spec, ...(kind === "job" ? { jobId: "etl" } : { serviceId: serviceId ?? "" }) },
  });
  await scene.settle();
  return scene;
}

/** What the declaration leaves open is left out of what Northflank really has. */
function inForce(scene: DeploymentScene, declared: Declared, kind: Kind): unknown {
  const view = kind === "job" ? scene.northflank.job("etl") : scene.northflank.service("api");
  const narrowed = (["external", "internal", "docker", "buildpack"] as const).flatMap((part) => {
    const wanted = declared[part];
    if (wanted === undefined) return [];
    const has = view[part] as Readonly<Record<string, unknown>> | undefined;
    return [[part, Object.fromEntries(Object.keys(wanted).map((key) => [key, has?.[key]]))]];
  });
  return Object.fromEntries(narrowed);
}

function hashOf(declared: Declared): string {
  const read = desireOf(deployment({ spec: { deployment: declared } }).spec);
  return read.kind === "desire" ? read.desire.hash : "";
}

const everywhere: readonly (readonly [Answer, Kind])[] = [
  ["whole", "service"],
  ["older", "service"],
  ["sparse", "service"],
  ["older", "job"],
];

describe.each(everywhere)("where the answer is %s, about a %s", (answer, kind) => {
  test.each(["Enforce", "EnforceOnChange"] as const)("%s: a changed declaration is in force", async (policy) => {
    for (const [from, to] of pairs) {
      const scene = await applied(from, answer, kind);
      scene.edit({ deployment: to, managementPolicy: policy });
      await scene.settle();
      expect(inForce(scene, to, kind), JSON.stringify([from, to])).toEqual(to);
      expect(knownHash(scene.object().status)).toBe(hashOf(to));
      const writes = scene.northflank.takeCalls().filter((call) => call.startsWith("post")).length;
      scene.restart();
      await scene.clock.advance(3_600_000);
      await scene.settle();
      const later = scene.northflank.takeCalls().filter((call) => call.startsWith("post"));
      // A field that is no longer declared is left alone: that alone is nothing to send.
      expect([1, 2]).toContain(writes);
      expect(later, JSON.stringify([from, to])).toEqual([]);
    }
  });

  test("Observe: nothing is claimed that was neither sent nor read", async () => {
    for (const [from, to] of pairs) {
      const scene = await applied(from, answer, kind);
      scene.northflank.takeCalls();
      scene.edit({ deployment: to, managementPolicy: "Observe" });
      await scene.settle();
      expect(scene.northflank.takeCalls().filter((call) => call.startsWith("post"))).toEqual([]);
      if (JSON.stringify(inForce(scene, to, kind)) === JSON.stringify(to)) continue;
      expect(scene.state(), JSON.stringify([from, to])).toContain("Ready=True/DriftObserved");
      expect(knownHash(scene.object().status)).toBe(hashOf(from));
    }
  });
});

describe.each(["service", "job"] as const)("where the answer is older, about a %s", (kind) => {
  const answer = "older";

  test.each(["arrived", "did not arrive"] as const)(
    "a change whose answer was lost and that %s, and that is taken back, is not in force",
    async (what) => {
      for (const [from, to] of pairs) {
        const scene = await applied(from, answer, kind);
        const method = kind === "job" ? "updateJobDeployment" : "updateServiceDeployment";
        scene.northflank.failNext(method, northflankError("timeout"), { isDone: what === "arrived" });
        scene.edit({ deployment: to });
        await scene.pass();
        scene.edit({ deployment: from });
        await scene.settle();
        expect(inForce(scene, from, kind), JSON.stringify([from, to])).toEqual(from);
      }
    },
  );

  test("a change after which the process dies, and that is taken back, is not in force", async () => {
    for (const [from, to] of pairs) {
      const scene = await applied(from, answer, kind);
      scene.edit({ deployment: to });
      scene.afterWrite = () => {
        scene.failStatus = new KubeError({ code: "unavailable", step: "patch", detail: "HTTP 503" });
        scene.afterWrite = undefined;
      };
      await scene.pass();
      scene.restart();
      scene.edit({ deployment: from });
      await scene.settle();
      expect(inForce(scene, from, kind), JSON.stringify([from, to])).toEqual(from);
    }
  });
});

test("what is found in force without having been read in full is not called verified, nor put back later", async () => {
  const scene = new DeploymentScene();
  scene.told = answers.older as unknown as DeploymentScene["told"];
  scene.northflank.has(service({ imagePath: "old.example/acme/api:1" }));
  const rollout = { wait: true, timeoutSeconds: 900, onFailure: "Restore" } as const;
  scene.has(deployment({ spec: { deployment: { external: { imagePath: "new.example/acme/api:1" } }, rollout } }));
  await scene.settle();
  expect(scene.message()).toContain("Not verified: Northflank does not return deployment.external.imagePath in full");
  expect(scene.object().status?.lastGood).toBeUndefined();
  scene.northflank.takeCalls();
  scene.edit({ deployment: { external: { imagePath: "newer.example/acme/api:1" } } });
  await scene.pass();
  expect(scene.northflank.takeCalls()).toContain('post api {"external":{"imagePath":"newer.example/acme/api:1"}}');
  expect(scene.message()).not.toContain("Not verified");
});

describe("a rollback where the host of an image is not returned", () => {
  const rollout = { wait: true, timeoutSeconds: 900, onFailure: "Restore" } as const;
  const image = (imagePath: string) => ({ deployment: { external: { imagePath } } });

  /** `old.example/acme/api:1` was sent, and its rollout is complete; then another one fails. */
  async function failedAfter(imagePath: string): Promise<DeploymentScene> {
    const scene = new DeploymentScene();
    scene.told = answers.older as unknown as DeploymentScene["told"];
    scene.northflank.has(service({ imagePath: "before:1" }));
    scene.has(deployment({ spec: { ...image("old.example/acme/api:1"), rollout } }));
    await scene.work(15_000);
    scene.northflank.rollout("api", "COMPLETED");
    await scene.work(30_000);
    scene.edit(image(imagePath));
    await scene.work(15_000);
    scene.northflank.takeCalls();
    scene.northflank.rollout("api", "FAILED");
    await scene.work(60_000);
    return scene;
  }

  test("sends the last good source, with its host, after another tag failed", async () => {
    const scene = await failedAfter("new.example/acme/api:2");
    expect(scene.northflank.takeCalls()).toContain('post api {"external":{"imagePath":"old.example/acme/api:1"}}');
    expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "RolledBack", phase: "RollingOut" });
  });

  test("is not made where nobody could tell which of the two is in force", async () => {
    const scene = await failedAfter("new.example/acme/api:1");
    expect(scene.northflank.takeCalls().filter((call) => call.startsWith("post"))).toEqual([]);
    expect(scene.state()).toContain("Restored=False/NothingToRestore");
  });
});
