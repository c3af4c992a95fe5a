import { expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { deployment, job } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

/*
 * Random lives of one object with a job as its target, as those of services in chaos.test.ts: the deprecated calls come
 * and go, the job too, answers and status writes are lost. Afterwards the faults stop. The seed is in the name of the test.
 */

const seeds = Array.from({ length: 20 }, (_, index) => index + 1);

const codes: readonly NorthflankErrorCode[] = [
  "not_found",
  "gone",
  "wrong_method",
  "unauthorized",
  "rate_limited",
  "server_error",
  "interrupted",
  "rejected",
];

test.each(seeds)("after a life of random faults (seed %i) the job has what is declared", async (seed) => {
  const random = generator(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const scene = new DeploymentScene();
  scene.northflank.hasJob(job());
  scene.has(jobDeployment());
  let tag = 2;
  let request = 0;

  const steps: Readonly<Record<string, () => void>> = {
    edit: () => {
      tag += 1;
      scene.edit({ deployment: { external: { imagePath: `ghcr.io/acme/etl:${tag}` } } });
    },
    "suspended for a while": () => scene.edit({ suspend: random() < 0.3 }),
    request: () => scene.annotate({ [reconcileRequestedAt]: `r${++request}` }),
    drift: () => scene.northflank.changeJob("etl", { image: theirs, external: { ...nothing, imagePath: theirs } }),
    "runs by itself": () => scene.northflank.changeJob("etl", { runOnSourceChange: pick(["always", "never"]) }),
    "source is not told": () => scene.northflank.failNext("getJobDeployment", northflankError(pick(codes))),
    "job is not told": () => scene.northflank.failNext("getJob", northflankError(pick(codes))),
    "change fails": () => scene.northflank.failNext("updateJobDeployment", northflankError(pick(codes))),
    "answer is lost": () =>
      scene.northflank.failNext("updateJobDeployment", northflankError("timeout"), { isDone: true }),
    "status is lost": () => {
      scene.failStatus = new KubeError({ code: "unavailable", step: "patch", detail: "down" });
    },
    restart: () => scene.restart(),
  };

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
  await scene.clock.advance(61_000);
  await scene.settle();
  expect(scene.northflank.job("etl").image).toBe(`ghcr.io/acme/etl:${tag}`);
  expect(scene.state()).toBe(
    "Ready=True/InSync Accepted=True/Accepted InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current",
  );

  // At rest: an hour and a half of looks, one request each, and not one write anywhere.
  scene.northflank.takeCalls();
  scene.statusWrites = 0;
  // The first check that finds a corrected target as declared ends the row of corrections.
  const counted = scene.object().status?.corrections === undefined ? 0 : 1;
  for (let minute = 0; minute < 90; minute += 1) {
    await scene.clock.advance(60_000);
    await scene.pass();
  }
  const calls = scene.northflank.takeCalls();
  expect(new Set(calls)).toEqual(new Set(["get source of job etl (observe)"]));
  expect(calls.length).toBeLessThanOrEqual(7);
  expect(scene.statusWrites).toBe(counted);
});

const theirs = "ghcr.io/acme/etl:999";
const nothing = { credentials: undefined, registryProvider: undefined };

function jobDeployment(): NorthflankDeployment {
  const { serviceId: _, ...spec } = deployment().spec;
  return {
    ...deployment(),
    spec: { ...spec, jobId: "etl", deployment: { external: { imagePath: "ghcr.io/acme/etl:2" } } },
  };
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
