import { beforeEach, describe, expect, test } from "vitest";
import { correctionsInRow } from "../../../src/controllers/target/drift.ts";
import { sameTarget, targetUidFields } from "../../../src/controllers/target/recreated.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import { deployment, jobObject, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { JobScene } from "../../support/job-scene.ts";

/* A target that is deleted and created again under its id: it has another uid, and nothing that was sent. */

const minute = 60_000;
const hour = 60 * minute;

type Scene = DeploymentScene | JobScene;

interface Kind {
  /** A scene whose target has this uid, and an object that declares something else than it has. */
  readonly begin: () => Scene;
  /** There is a new target, which has nothing of what was declared; `undefined`: an answer that has no uid. */
  readonly recreate: (scene: Scene, uid: string) => void;
  /** The answers have this uid, or none; the target is the same. */
  readonly answersWith: (scene: Scene, uid: string | undefined) => void;
  /** Another client changes the target back after each change of ours; `false`: it has stopped. */
  readonly isFought: (scene: Scene, isFought: boolean) => void;
  readonly change: string;
  readonly read: string;
}

const theirs = { image: "ghcr.io/acme/api:9", external: { imagePath: "ghcr.io/acme/api:9" } as never };
const complete = (scene: DeploymentScene) => () =>
  scene.clock.setTimer(() => scene.northflank.rollout("api", "COMPLETED"), 5_000);

const kinds: Readonly<Record<string, Kind>> = {
  NorthflankDeployment: {
    begin: () => {
      const scene = new DeploymentScene();
      scene.northflank.has(service({ uid: "uid-1" }));
      scene.afterWrite = complete(scene);
      scene.has(deployment());
      return scene;
    },
    recreate: ({ northflank }, uid) => northflank.has(service({ uid })),
    answersWith: ({ northflank }, uid) => northflank.change("api", { uid }),
    isFought: (scene, isFought) => {
      const set = () => scene.northflank.rollout("api", "COMPLETED", theirs);
      scene.afterWrite = isFought ? set : complete(scene as DeploymentScene);
      if (isFought) set();
    },
    change: 'post api {"external":{"imagePath":"ghcr.io/acme/api:2"}}',
    read: "get api",
  },
  NorthflankJob: {
    begin: () => {
      const scene = new JobScene();
      scene.northflank.hasSettings("migrate", { description: "Old" }, "manual", "uid-1");
      scene.has(jobObject({ spec: { settings: { description: "New" } } }));
      return scene;
    },
    recreate: ({ northflank }, uid) => northflank.hasSettings("migrate", { description: "Old" }, "manual", uid),
    answersWith: ({ northflank }, uid) => northflank.hasSettings("migrate", { description: "New" }, "manual", uid),
    isFought: (scene, isFought) => {
      const set = () => scene.northflank.patchSettings("migrate", { description: "Theirs" });
      const again = () => {
        if (!isFought) return;
        scene.northflank.afterPatch = again;
        // A change that was never found in force is not one that was undone.
        scene.clock.setTimer(set, 10_000);
      };
      scene.northflank.afterPatch = again;
      if (isFought) set();
    },
    change: 'patch job migrate {"description":"New"}',
    read: "get settings of job migrate",
  },
};

describe.each(Object.entries(kinds))("a %s", (_kind, { begin, recreate, answersWith, isFought, change, read }) => {
  let scene: Scene;
  const writes = () => scene.northflank.takeCalls().filter((call) => !call.startsWith("get"));

  /** What is declared is in force, and the uid is known. */
  beforeEach(async () => {
    scene = begin();
    await scene.work(20 * minute);
    expect(scene.state()).toContain("Ready=True/");
    expect(scene.object().status?.targetUid).toBe("uid-1");
    scene.northflank.takeCalls();
    scene.takeEvents();
    scene.statusWrites = 0;
  });

  function forgetUid(): void {
    const { targetUid: _, ...before } = scene.object().status ?? {};
    (scene as DeploymentScene).has({ ...(scene as DeploymentScene).object(), status: before as never });
  }

  test("that knew no uid adopts the first one, which costs one status", async () => {
    forgetUid();
    await scene.work(2 * hour);
    expect([scene.object().status?.targetUid, scene.statusWrites, writes()]).toEqual(["uid-1", 1, []]);
  });

  test("is not changed by an answer without a uid", async () => {
    answersWith(scene, undefined);
    await scene.work(2 * hour);
    expect([scene.object().status?.targetUid, scene.statusWrites, writes()]).toEqual(["uid-1", 0, []]);
  });

  test("starts its status anew, and reads the target in full before it sends anything", async () => {
    recreate(scene, "uid-2");
    await scene.clock.advance(20 * minute);
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 0, priority: "change" });
    expect(scene.state()).toContain("Ready=Unknown/TargetRecreated");
    const { status = {} } = scene.object();
    const ofObject = ["conditions", "observedGeneration", "nextReconcileTime", "target"];
    expect(Object.keys(status).filter((field) => !ofObject.includes(field))).toEqual(["targetUid"]);
    expect(scene.object().status?.targetUid).toBe("uid-2");
    expect(scene.takeEvents().join()).toContain("its uid is uid-2, and was uid-1");
    expect(scene.metrics).not.toContain("drift");
    await scene.work(20 * minute);
    expect(scene.northflank.takeCalls().slice(0, 3)).toEqual([`${read} (observe)`, `${read} (change)`, change]);
    expect(scene.state()).toContain("Ready=True/");
    expect(scene.object().status?.changes?.map(({ cause }) => cause)).toEqual(["SpecChanged"]);
  });

  test.each(["before its status is written", "after it"])(
    "sends what is declared once when a process ends %s",
    async (when) => {
      recreate(scene, "uid-2");
      await scene.clock.advance(20 * minute);
      if (when.startsWith("before")) {
        scene.failStatus = new KubeError({ code: "unavailable", step: "patch", detail: "down" });
      }
      await scene.pass();
      scene.restart();
      await scene.work(hour);
      expect(writes()).toEqual([change]);
      expect(scene.state()).toContain("Ready=True/");
      expect(scene.object().status?.targetUid).toBe("uid-2");
    },
  );

  test("counts no correction of the target before", async () => {
    isFought(scene, true);
    await scene.work(2 * hour);
    expect(scene.state()).toContain("Stalled=True/FightDetected");
    scene.northflank.takeCalls();
    isFought(scene, false);
    recreate(scene, "uid-2");
    await scene.work(hour);
    expect(writes()).toEqual([change]);
    const { metadata, status } = scene.object();
    expect(correctionsInRow(status?.changes, metadata.generation)).toEqual([]);
  });

  test("is read, and not written to, under Observe", async () => {
    scene.edit({ managementPolicy: "Observe" });
    await scene.work(hour);
    recreate(scene, "uid-2");
    await scene.work(hour);
    expect(writes()).toEqual([]);
    expect(scene.state()).toContain("Ready=True/DriftObserved");
    expect(scene.object().status?.targetUid).toBe("uid-2");
  });

  test("is a new target under EnforceOnChange too", async () => {
    scene.edit({ managementPolicy: "EnforceOnChange" });
    await scene.work(hour);
    recreate(scene, "uid-2");
    await scene.work(hour);
    expect(writes()).toEqual([change]);
  });

  test("whose answers have two uids in turn is not read without end", async () => {
    let turn = 0;
    scene.beforePass = () => {
      turn += 1;
      answersWith(scene, `uid-${turn % 2}`);
    };
    await scene.work(4 * hour);
    expect(scene.northflank.takeCalls().length).toBeLessThanOrEqual(20);
  });
});

/** What happens between the two times that a target is created again, and when it is read after the second. */
const between: Readonly<Record<string, readonly [happens: (scene: Scene) => unknown, afterMs: number]>> = {
  "nothing else": [() => undefined, 48_000],
  "an edit of the spec": [(scene) => scene.edit({ resyncPeriodSeconds: 1_200 }), 0],
  "a time without an account": [
    async (scene) => {
      const { resolution } = scene;
      const readyState = { kind: "stalled", reason: "SecretNotFound", message: "None." } as const;
      scene.resolution = () => ({ kind: "blocked", readyState, recheckAfterMs: minute });
      await scene.pass();
      expect(scene.state()).toContain("SecretNotFound");
      scene.resolution = resolution;
    },
    0,
  ],
  "a read that fails": [
    async (scene) => {
      const read = scene instanceof DeploymentScene ? "getService" : "getJobSettings";
      scene.northflank.failNext(read, northflankError("server_error", { httpStatus: 503 }));
      expect(await scene.pass()).toMatchObject({ kind: "retry" });
      await scene.clock.advance(20 * minute);
    },
    0,
  ],
};

describe.each(Object.entries(kinds))("a %s that is created again twice", (_kind, { begin, recreate, change }) => {
  test.each(Object.entries(between))("with %s in between", async (_what, [happens, afterMs]) => {
    const scene = begin();
    await scene.work(20 * minute);
    recreate(scene, "uid-2");
    await scene.clock.advance(20 * minute);
    expect(await scene.pass()).toMatchObject({ afterMs: 0 });
    await happens(scene);
    recreate(scene, "uid-3");
    scene.northflank.takeCalls();
    expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs });
    expect(scene.object().status?.targetUid).toBe("uid-3");
    await scene.work(5 * minute);
    expect(scene.northflank.takeCalls()).toContain(change);
    expect(scene.state()).toContain("Ready=True/");
  });
});

test.each<[string, string | undefined, string | undefined, boolean]>([
  ["the recorded uid", "u-1", "u-1", true],
  ["another uid", "u-1", "u-2", false],
  ["no recorded uid", undefined, "u-1", true],
  ["no uid in the answer", "u-1", undefined, true],
  ["neither", undefined, undefined, true],
  ["a uid that is longer than status keeps", targetUidFields("x".repeat(200)).targetUid, "x".repeat(200), true],
])("sameTarget with %s", (_name, recorded, read, expected) => {
  expect(sameTarget(recorded, read)).toBe(expected);
});

test("an answer without a uid states none, so that the recorded one stays", () => {
  expect([targetUidFields(undefined), targetUidFields("u-1")]).toEqual([{}, { targetUid: "u-1" }]);
});
