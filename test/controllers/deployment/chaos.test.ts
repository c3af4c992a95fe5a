import { expect, test } from "vitest";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

/*
 * Random lives of one object: edits, drift, refusals, lost answers, lost status writes, restarts, rollouts that end or
 * fail. Afterwards the faults stop, and what the promises say must hold. The seed is in the name of the test.
 */

const seeds = Array.from({ length: 20 }, (_, index) => index + 1);

const codes: readonly NorthflankErrorCode[] = [
  "rate_limited",
  "forbidden",
  "server_error",
  "unreachable",
  "interrupted",
  "timeout",
  "protocol",
  "rejected",
];

test.each(seeds)("after a life of random faults (seed %i) the object comes to rest as declared", async (seed) => {
  const random = generator(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const scene = new DeploymentScene();
  scene.northflank.has(service());
  scene.has(deployment());
  let tag = 2;
  let request = 0;
  let token = 0;

  const steps: Readonly<Record<string, () => void>> = {
    edit: () => {
      tag += 1;
      scene.edit({ deployment: { external: { imagePath: `ghcr.io/acme/api:${tag}` } } });
    },
    suspend: () => scene.edit({ suspend: !scene.object().spec.suspend }),
    request: () => scene.annotate({ [reconcileRequestedAt]: `r${++request}` }),
    drift: () => scene.northflank.rollout("api", "COMPLETED", running("ghcr.io/acme/api:999")),
    "rollout runs": () => scene.northflank.rollout("api", "IN_PROGRESS"),
    "rollout ends": () => scene.northflank.rollout("api", "COMPLETED"),
    "rollout fails": () => scene.northflank.rollout("api", "FAILED"),
    "look fails": () => scene.northflank.failNext("getService", northflankError(pick(codes))),
    "change fails": () => scene.northflank.failNext("updateServiceDeployment", northflankError(pick(codes))),
    "answer is lost": () =>
      scene.northflank.failNext("updateServiceDeployment", northflankError("interrupted"), { isDone: true }),
    "status is lost": () => {
      scene.failStatus = new KubeError({ code: "unavailable", step: "patch", detail: "down" });
    },
    restart: () => scene.restart(),
    redeploy: () => scene.edit({ redeployToken: `t${++token}` }),
    recreated: () => scene.northflank.change("api", { uid: `uid-${++token}` }),
    "paused for a while": () => scene.northflank.change("api", { servicePaused: random() < 0.5 }),
  };

  for (let n = 0; n < 40; n++) {
    steps[pick(Object.keys(steps))]?.();
    const outcome = await scene.pass();
    const waitMs = outcome.kind === "recheck" && random() < 0.7 ? Math.min(outcome.afterMs, 300_000) : 5_000;
    await scene.clock.advance(waitMs);
  }

  // The faults stop; a person asks once more, as after any incident.
  scene.northflank.clearFailures();
  scene.failStatus = undefined;
  scene.northflank.change("api", { servicePaused: false });
  if (scene.object().spec.suspend) scene.edit({ suspend: false });
  scene.annotate({ [reconcileRequestedAt]: "after the faults" });
  await scene.clock.advance(6_000);
  await scene.settle(9_999);
  await scene.clock.advance(10_000);
  scene.northflank.rollout("api", "COMPLETED");
  scene.annotate({ [reconcileRequestedAt]: "after the rollout" });
  await scene.settle();

  expect(scene.northflank.service("api").image).toBe(`ghcr.io/acme/api:${tag}`);
  expect(scene.state()).toBe(
    "Ready=True/RolloutComplete Accepted=True/Accepted InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current",
  );
  expect(scene.object().status).toMatchObject({ observedGeneration: scene.object().metadata.generation });
  expect(scene.object().status?.lastHandledReconcileAt).toBe("after the rollout");

  // At rest: an hour and a half of looks, and not one write anywhere.
  scene.northflank.takeCalls();
  scene.statusWrites = 0;
  // The first check that finds a corrected target as declared ends the row of corrections.
  const counted = scene.object().status?.corrections === undefined ? 0 : 1;
  for (let minute = 0; minute < 90; minute += 1) {
    await scene.clock.advance(60_000);
    await scene.pass();
  }
  const calls = scene.northflank.takeCalls();
  expect(calls.filter((call) => !call.startsWith("get"))).toEqual([]);
  expect(calls.length).toBeLessThanOrEqual(7);
  expect(scene.statusWrites).toBe(counted);
});

function running(imagePath: string) {
  return { image: imagePath, external: { imagePath, credentials: undefined, registryProvider: undefined } };
}

/** A small generator of numbers in [0, 1), the same for the same seed. */
function generator(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
