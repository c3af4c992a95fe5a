import { describe, expect, test } from "vitest";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { correctionsOf } from "../../../src/controllers/deployment/machine.ts";
import { deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";

const second = 1_000;
const minute = 60 * second;
const day = 24 * 60 * minute;
const theirs = "ghcr.io/acme/api:theirs";

type Spec = Partial<ReturnType<typeof deployment>["spec"]>;

/** A service that had settled, and whose rollouts complete after ten seconds. */
async function settled(spec: Spec): Promise<DeploymentScene> {
  const scene = new DeploymentScene();
  scene.northflank.has(service());
  scene.has(deployment({ spec }));
  scene.afterWrite = () => scene.clock.setTimer(() => scene.northflank.rollout("api", "COMPLETED"), 10 * second);
  await scene.work(minute);
  scene.northflank.takeCalls();
  return scene;
}

/** Somebody sets another image, `afterMs` after each change of ours. */
function setBack(scene: DeploymentScene, afterMs: number): void {
  const external = { imagePath: theirs, credentials: undefined, registryProvider: undefined };
  scene.afterWrite = () => {
    scene.clock.setTimer(() => scene.northflank.rollout("api", "COMPLETED"), 10 * second);
    scene.clock.setTimer(() => scene.northflank.rollout("api", "COMPLETED", { image: theirs, external }), afterMs);
  };
  scene.northflank.rollout("api", "COMPLETED", { image: theirs, external });
}

function writes(scene: DeploymentScene): number {
  return scene.northflank.takeCalls().filter((call) => call.startsWith("post")).length;
}

describe.each([
  ["a minute", 60],
  ["a quarter of an hour", 900],
  ["a day", 86_400],
])("at a resync period of %s, somebody who changes the service back", (_name, resyncPeriodSeconds) => {
  const period = resyncPeriodSeconds * second;

  test.each([
    ["before the rollout is over", 300],
    ["right after the rollout", 15 * second],
    ["just before the next check", 0.75 * period],
  ])("%s is found after three corrections", async (_when, afterMs) => {
    const scene = await settled({ resyncPeriodSeconds });
    setBack(scene, afterMs);
    await scene.work(20 * period + minute);
    expect(writes(scene)).toBe(3);
    expect(scene.state()).toContain("Ready=False/FightDetected");
    // The verdict lasts, and a restart does not wipe it.
    scene.restart();
    await scene.work(20 * period);
    expect(writes(scene)).toBe(0);
    expect(scene.state()).toContain("Ready=False/FightDetected");
  });

  test("and that a check has found in force in between is corrected each time", async () => {
    const scene = await settled({ resyncPeriodSeconds });
    setBack(scene, Math.max(2.9 * period, 25 * minute));
    await scene.work(7 * Math.max(3 * period, 26 * minute));
    expect(writes(scene)).toBeGreaterThanOrEqual(6);
    expect(scene.state()).not.toContain("FightDetected");
  });

  test.each(["Observe", "EnforceOnChange"] as const)(
    "is not written against, nor counted, under %s",
    async (policy) => {
      const scene = await settled({ resyncPeriodSeconds });
      scene.edit({ managementPolicy: policy });
      await scene.work(minute);
      scene.northflank.takeCalls();
      setBack(scene, 300);
      await scene.work(6 * period);
      expect(writes(scene)).toBe(0);
      expect(correctionsOf(scene.object())).toHaveLength(0);
      expect(scene.state()).toContain("Ready=True/DriftObserved");
    },
  );

  test("is written against anew after an edit of the spec", async () => {
    const scene = await settled({ resyncPeriodSeconds });
    setBack(scene, 300);
    await scene.work(6 * period + minute);
    expect(writes(scene)).toBe(3);
    scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    await scene.work(6 * period + minute);
    // The change itself, and three corrections of it.
    expect(writes(scene)).toBe(4);
    expect(scene.state()).toContain("Ready=False/FightDetected");
  });
});

test("a request every 2.5 s against somebody who is faster buys one further try, and then one in ten minutes", async () => {
  const scene = await settled({});
  setBack(scene, 300);
  const requestFor = async (forMs: number) => {
    const endMs = scene.clock.monotonic() + forMs;
    while (scene.clock.monotonic() < endMs) {
      scene.annotate({ [reconcileRequestedAt]: `at ${scene.clock.monotonic()}` });
      await scene.work(2_500);
    }
  };
  await requestFor(150 * second);
  expect(writes(scene)).toBe(4);
  expect(scene.state()).toContain("Ready=False/FightDetected");
  await requestFor(60 * minute);
  expect(writes(scene)).toBeLessThanOrEqual(6);
});

test("a request after the other has stopped puts the declared source back, and the next check ends the matter", async () => {
  const scene = await settled({});
  setBack(scene, 300);
  await scene.work(day);
  scene.northflank.takeCalls();
  scene.afterWrite = () => scene.clock.setTimer(() => scene.northflank.rollout("api", "COMPLETED"), 10 * second);
  scene.annotate({ [reconcileRequestedAt]: "the pipeline was switched off" });
  await scene.work(minute);
  expect(writes(scene)).toBe(1);
  expect(scene.state()).toContain("Ready=True/RolloutComplete");
  expect(correctionsOf(scene.object())).toHaveLength(4);
  await scene.work(20 * minute);
  expect(correctionsOf(scene.object())).toHaveLength(0);
});
