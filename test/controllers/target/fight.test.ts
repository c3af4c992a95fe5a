import { describe, expect, test } from "vitest";
import type { NorthflankDeploymentSpec } from "../../../src/api/deployment.ts";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { correctionsInRow } from "../../../src/controllers/target/drift.ts";
import { deployment, jobObject, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { JobScene } from "../../support/job-scene.ts";

/* Another client changes a target back each time that it is corrected. */

const second = 1_000;
const minute = 60 * second;
const day = 24 * 60 * minute;

type Scene = DeploymentScene | JobScene;
type Spec = Pick<Partial<NorthflankDeploymentSpec>, "managementPolicy" | "resyncPeriodSeconds">;

interface Kind {
  /** What was declared is in force. */
  readonly begin: (spec: Spec) => Scene;
  readonly declareAnother: (scene: Scene) => void;
  /** Another client sets another value, now and `afterMs` after each change of ours; `undefined`: it has stopped. */
  readonly setBack: (scene: Scene, afterMs: number | undefined) => void;
  /** How soon after a change it is set back; a change that was never found in force is not one that was undone. */
  readonly undoneAfterMs: (periodMs: number) => readonly number[];
}

const theirs = {
  image: "ghcr.io/acme/api:theirs",
  external: { imagePath: "ghcr.io/acme/api:theirs", credentials: undefined, registryProvider: undefined },
};

const kinds: Readonly<Record<string, Kind>> = {
  NorthflankDeployment: {
    begin: (spec) => {
      const scene = new DeploymentScene();
      scene.northflank.has(service());
      scene.has(deployment({ spec }));
      // A rollout takes ten seconds.
      scene.afterWrite = () => scene.clock.setTimer(() => scene.northflank.rollout("api", "COMPLETED"), 10 * second);
      return scene;
    },
    declareAnother: (scene) =>
      (scene as DeploymentScene).edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } }),
    setBack: (scene, afterMs) => {
      const set = () => scene.northflank.rollout("api", "COMPLETED", theirs);
      scene.afterWrite = () => {
        scene.clock.setTimer(() => scene.northflank.rollout("api", "COMPLETED"), 10 * second);
        if (afterMs !== undefined) scene.clock.setTimer(set, afterMs);
      };
      if (afterMs !== undefined) set();
    },
    undoneAfterMs: (periodMs) => [300, 15 * second, 0.75 * periodMs],
  },
  NorthflankJob: {
    begin: (spec) => {
      const scene = new JobScene();
      scene.northflank.hasSettings("migrate", { description: "Old" });
      scene.has(jobObject({ spec: { settings: { description: "Ours" }, ...spec } }));
      return scene;
    },
    declareAnother: (scene) => (scene as JobScene).edit({ settings: { description: "Ours again" } }),
    setBack: (scene, afterMs) => {
      const set = () => scene.northflank.patchSettings("migrate", { description: "Theirs" });
      const again = () => {
        scene.northflank.afterPatch = again;
        if (afterMs !== undefined) scene.clock.setTimer(set, afterMs);
      };
      scene.northflank.afterPatch = again;
      if (afterMs !== undefined) set();
    },
    undoneAfterMs: (periodMs) => [15 * second, 0.75 * periodMs],
  },
};

const writes = (scene: Scene) => scene.northflank.takeCalls().filter((call) => !call.startsWith("get")).length;

const corrections = (scene: Scene) => {
  const { metadata, status } = scene.object();
  return correctionsInRow(status?.changes, metadata.generation);
};

describe.each(Object.entries(kinds))("a %s", (_kind, { begin, declareAnother, setBack, undoneAfterMs }) => {
  async function settled(spec: Spec = {}): Promise<Scene> {
    const scene = begin(spec);
    await scene.work(minute);
    expect(scene.state()).toContain("Ready=True");
    scene.northflank.takeCalls();
    return scene;
  }

  const soon = undoneAfterMs(minute)[0] ?? 0;

  describe.each([60, 900, 3_600, 86_400])("that another client changes back, at a resync period of %i s", (seconds) => {
    const period = seconds * second;

    test.each(undoneAfterMs(period))("%i ms after each change, is corrected three times", async (afterMs) => {
      const scene = await settled({ resyncPeriodSeconds: seconds });
      setBack(scene, afterMs);
      await scene.work(20 * period + minute);
      expect(writes(scene)).toBe(3);
      expect(scene.state()).toContain("Stalled=True/FightDetected");
      // The verdict lasts, and a restart does not wipe it.
      scene.restart();
      await scene.work(20 * period);
      expect(writes(scene)).toBe(0);
      expect(scene.state()).toContain("Stalled=True/FightDetected");
    });

    test("is corrected three times also when each correction is made by another process", async () => {
      const scene = await settled({ resyncPeriodSeconds: seconds });
      setBack(scene, soon);
      for (let count = 0; count < 6; count += 1) {
        scene.restart();
        await scene.work(1.3 * period);
      }
      expect(writes(scene)).toBe(3);
      expect(scene.state()).toContain("Stalled=True/FightDetected");
    });

    test("is corrected each time where a check has found it in force in between", async () => {
      const scene = await settled({ resyncPeriodSeconds: seconds });
      setBack(scene, Math.max(2.9 * period, 25 * minute));
      await scene.work(7 * Math.max(3 * period, 26 * minute));
      expect(writes(scene)).toBeGreaterThanOrEqual(6);
      expect(scene.state()).not.toContain("FightDetected");
    });

    test.each(["Observe", "EnforceOnChange"] as const)("is not corrected, nor counted, under %s", async (policy) => {
      const scene = await settled({ resyncPeriodSeconds: seconds });
      scene.edit({ managementPolicy: policy });
      await scene.work(minute);
      scene.northflank.takeCalls();
      setBack(scene, soon);
      await scene.work(6 * period);
      expect(writes(scene)).toBe(0);
      expect(corrections(scene)).toEqual([]);
      expect(scene.state()).toContain("Ready=True/DriftObserved");
    });

    test("is corrected anew after an edit of the spec", async () => {
      const scene = await settled({ resyncPeriodSeconds: seconds });
      setBack(scene, soon);
      await scene.work(6 * period + minute);
      expect(writes(scene)).toBe(3);
      declareAnother(scene);
      await scene.work(6 * period + minute);
      // The change itself, and three corrections of it.
      expect(writes(scene)).toBe(4);
      expect(scene.state()).toContain("Stalled=True/FightDetected");
    });
  });

  test("is corrected once more for requests every 2.5 s, and then no more than once in ten minutes", async () => {
    const scene = await settled();
    setBack(scene, soon);
    const requestFor = async (forMs: number) => {
      const endMs = scene.clock.monotonic() + forMs;
      while (scene.clock.monotonic() < endMs) {
        scene.annotate({ [reconcileRequestedAt]: `at ${scene.clock.monotonic()}` });
        await scene.work(2_500);
      }
    };
    await requestFor(150 * second);
    expect(writes(scene)).toBe(4);
    expect(scene.state()).toContain("Stalled=True/FightDetected");
    await requestFor(20 * minute);
    const further = writes(scene);
    expect(further).toBeGreaterThanOrEqual(1);
    expect(further).toBeLessThanOrEqual(2);
  });

  test("is corrected for a request after the other client has stopped, and the next check ends the matter", async () => {
    const scene = await settled();
    setBack(scene, soon);
    await scene.work(day);
    scene.northflank.takeCalls();
    setBack(scene, undefined);
    scene.annotate({ [reconcileRequestedAt]: "the pipeline was switched off" });
    await scene.work(minute);
    expect(writes(scene)).toBe(1);
    expect(scene.state()).toContain("Ready=True/");
    expect(corrections(scene)).toHaveLength(4);
    await scene.work(20 * minute);
    expect(corrections(scene)).toEqual([]);
  });
});
