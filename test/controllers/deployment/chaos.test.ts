import { describe, expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { correctionsOf } from "../../../src/controllers/target/drift.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { deployment, job, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { seeded } from "../../support/seeded.ts";

/*
 * Random lives of one object, with a service and with a job as its target: edits, drift, refusals, lost answers, lost status
 * writes, restarts; of a service also rollouts that end or fail; of a job also the deprecated calls that come and go.
 * Afterwards the faults stop, and what the promises say must hold. The seed is in the name of the test.
 */

const seeds = Array.from({ length: 20 }, (_, index) => index + 1);

/** What draws lots in a life: a number, and one of several. */
interface Lots {
  readonly random: () => number;
  readonly pick: <T>(items: readonly T[]) => T;
}

type Steps = Readonly<Record<string, () => void>>;

interface Target {
  /** Image without its tag. */
  readonly image: string;
  readonly begin: (scene: DeploymentScene) => void;
  /** What can happen to this target alone; the order is part of the lives. */
  readonly faults: (scene: DeploymentScene, lots: Lots, common: Steps) => Steps;
  /** From the last request of a person until the object is at rest. */
  readonly recover: (scene: DeploymentScene) => Promise<void>;
  readonly imageOf: (scene: DeploymentScene) => string | undefined;
  readonly state: string;
  /** A request that an object at rest may make. */
  readonly isCheck: (call: string) => boolean;
}

const serviceCodes: readonly NorthflankErrorCode[] = [
  "rate_limited",
  "forbidden",
  "server_error",
  "unreachable",
  "interrupted",
  "timeout",
  "protocol",
  "rejected",
];

const jobCodes: readonly NorthflankErrorCode[] = [
  "not_found",
  "gone",
  "wrong_method",
  "unauthorized",
  "rate_limited",
  "server_error",
  "interrupted",
  "rejected",
];

const theirs = (imagePath: string) => ({
  image: imagePath,
  external: { imagePath, credentials: undefined, registryProvider: undefined },
});

const targets: Readonly<Record<string, Target>> = {
  "a service": {
    image: "ghcr.io/acme/api",
    begin: (scene) => {
      scene.northflank.has(service());
      scene.has(deployment());
    },
    faults: (scene, { random, pick }, { edit, request, statusIsLost, restart }) => {
      let token = 0;
      const { northflank } = scene;
      return {
        edit,
        suspend: () => scene.edit({ suspend: !scene.object().spec.suspend }),
        request,
        drift: () => northflank.rollout("api", "COMPLETED", theirs("ghcr.io/acme/api:999")),
        "rollout runs": () => northflank.rollout("api", "IN_PROGRESS"),
        "rollout ends": () => northflank.rollout("api", "COMPLETED"),
        "rollout fails": () => northflank.rollout("api", "FAILED"),
        "check fails": () => northflank.failNext("getService", northflankError(pick(serviceCodes))),
        "change fails": () => northflank.failNext("updateServiceDeployment", northflankError(pick(serviceCodes))),
        "answer is lost": () =>
          northflank.failNext("updateServiceDeployment", northflankError("interrupted"), { isDone: true }),
        statusIsLost,
        restart,
        redeploy: () => scene.edit({ redeployToken: `t${++token}` }),
        recreated: () => northflank.change("api", { uid: `uid-${++token}` }),
        "paused for a while": () => northflank.change("api", { servicePaused: random() < 0.5 }),
      } as Steps;
    },
    recover: async (scene) => {
      scene.northflank.change("api", { servicePaused: false });
      await scene.clock.advance(6_000);
      await scene.settle(9_999);
      await scene.clock.advance(10_000);
      scene.northflank.rollout("api", "COMPLETED");
      scene.annotate({ [reconcileRequestedAt]: "after the rollout" });
      await scene.settle();
    },
    imageOf: (scene) => scene.northflank.service("api").image,
    state:
      "Ready=True/RolloutComplete Accepted=True/Accepted InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current",
    isCheck: (call) => call.startsWith("get"),
  },
  "a job": {
    image: "ghcr.io/acme/etl",
    begin: (scene) => {
      scene.northflank.hasJob(job());
      const { serviceId: _, ...spec } = deployment().spec;
      const wanted = { jobId: "etl", deployment: { external: { imagePath: "ghcr.io/acme/etl:2" } } };
      scene.has({ ...deployment(), spec: { ...spec, ...wanted } } satisfies NorthflankDeployment);
    },
    faults: (scene, { random, pick }, { edit, request, statusIsLost, restart }) => {
      const { northflank } = scene;
      return {
        edit,
        "suspended for a while": () => scene.edit({ suspend: random() < 0.3 }),
        request,
        drift: () => northflank.changeJob("etl", theirs("ghcr.io/acme/etl:999")),
        "runs by itself": () => northflank.changeJob("etl", { runOnSourceChange: pick(["always", "never"]) }),
        "source is not told": () => northflank.failNext("getJobDeployment", northflankError(pick(jobCodes))),
        "job is not told": () => northflank.failNext("getJob", northflankError(pick(jobCodes))),
        "change fails": () => northflank.failNext("updateJobDeployment", northflankError(pick(jobCodes))),
        "answer is lost": () =>
          northflank.failNext("updateJobDeployment", northflankError("timeout"), { isDone: true }),
        statusIsLost,
        restart,
      } as Steps;
    },
    recover: async (scene) => {
      await scene.clock.advance(61_000);
      await scene.settle();
    },
    imageOf: (scene) => scene.northflank.job("etl").image,
    state:
      "Ready=True/InSync Accepted=True/Accepted InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current",
    isCheck: (call) => call === "get source of job etl (observe)",
  },
};

describe.each(Object.entries(targets))("%s", (_name, target) => {
  test.each(seeds)("after a life of random faults (seed %i) comes to rest as declared", async (seed) => {
    const random = seeded(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const scene = new DeploymentScene();
    target.begin(scene);
    let tag = 2;
    let request = 0;
    const steps = target.faults(
      scene,
      { random, pick },
      {
        edit: () => {
          tag += 1;
          scene.edit({ deployment: { external: { imagePath: `${target.image}:${tag}` } } });
        },
        request: () => scene.annotate({ [reconcileRequestedAt]: `r${++request}` }),
        statusIsLost: () => {
          scene.failStatus = new KubeError({ code: "unavailable", step: "patch", detail: "down" });
        },
        restart: () => scene.restart(),
      },
    );

    for (let n = 0; n < 40; n++) {
      steps[pick(Object.keys(steps))]?.();
      const outcome = await scene.pass();
      const posts = scene.northflank.takeCalls().filter((call) => call.startsWith("post"));
      expect(posts.length).toBeLessThanOrEqual(1);
      const waitMs = outcome.kind === "recheck" && random() < 0.7 ? Math.min(outcome.afterMs, 300_000) : 5_000;
      await scene.clock.advance(waitMs);
    }

    // The faults stop; a person asks once more, as after any incident.
    scene.northflank.clearFailures();
    scene.failStatus = undefined;
    if (scene.object().spec.suspend) scene.edit({ suspend: false });
    scene.annotate({ [reconcileRequestedAt]: "after the faults" });
    await target.recover(scene);

    expect(target.imageOf(scene)).toBe(`${target.image}:${tag}`);
    expect(scene.state()).toBe(target.state);
    const { metadata, status } = scene.object();
    expect(status?.observedGeneration).toBe(metadata.generation);
    expect(status?.lastHandledReconcileAt).toBe(metadata.annotations?.[reconcileRequestedAt]);

    // At rest: an hour and a half of checks, one request each, and not one write anywhere.
    scene.northflank.takeCalls();
    scene.statusWrites = 0;
    // The first check that finds a corrected target as declared ends the row of corrections.
    const counted = correctionsOf(scene.object()).length === 0 ? 0 : 1;
    for (let minute = 0; minute < 90; minute += 1) {
      await scene.clock.advance(60_000);
      await scene.pass();
    }
    const calls = scene.northflank.takeCalls();
    expect(calls.filter((call) => !target.isCheck(call))).toEqual([]);
    expect(calls.length).toBeGreaterThan(0);
    expect(calls.length).toBeLessThanOrEqual(7);
    expect(scene.statusWrites).toBe(counted);
  });
});
