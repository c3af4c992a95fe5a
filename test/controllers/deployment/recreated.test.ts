import { beforeEach, describe, expect, test } from "vitest";
import { correctionsOf } from "../../../src/controllers/deployment/machine.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import type { ServiceView } from "../../../src/northflank/types.ts";
import { deployment, job, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";

/* A service or job that is deleted and created again under its id: it has another uid. */

const minute = 60_000;
const hour = 60 * minute;
const post = 'post api {"external":{"imagePath":"ghcr.io/acme/api:2"}}';
const complete =
  "Ready=True/RolloutComplete Accepted=True/Accepted InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current";

let scene: DeploymentScene;

beforeEach(() => {
  scene = new DeploymentScene();
  scene.northflank.has(service({ uid: "uid-1" }));
  scene.afterWrite = () => scene.clock.setTimer(() => scene.northflank.rollout("api", "COMPLETED"), 5_000);
});

const writes = () => scene.northflank.takeCalls().filter((call) => !call.startsWith("get"));

async function settled(spec = {}): Promise<void> {
  scene.has(deployment({ spec }));
  await scene.work(20 * minute);
  expect(scene.state()).toBe(complete);
  expect(scene.object().status?.targetUid).toBe("uid-1");
  scene.northflank.takeCalls();
  scene.takeEvents();
}

test("the uid of the first look is adopted by an object that knew none, and costs one status", async () => {
  await settled();
  const { targetUid: _, ...before } = scene.object().status ?? {};
  scene.has({ ...scene.object(), status: before as never });
  scene.statusWrites = 0;
  await scene.work(2 * hour);
  expect(scene.object().status?.targetUid).toBe("uid-1");
  expect([scene.statusWrites, writes()]).toEqual([1, []]);
});

test("an answer without a uid changes nothing", async () => {
  await settled();
  scene.northflank.change("api", { uid: undefined });
  scene.statusWrites = 0;
  await scene.work(2 * hour);
  expect([scene.object().status?.targetUid, scene.statusWrites, writes()]).toEqual(["uid-1", 0, []]);
});

test("another uid is another target: the status starts anew, and it is read in full before anything is sent", async () => {
  await settled();
  scene.northflank.has(service({ uid: "uid-2" }));
  await scene.clock.advance(20 * minute);
  expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs: 0 });
  expect(scene.state()).toContain("Ready=Unknown/TargetRecreated");
  const { conditions: _, observedGeneration, nextReconcileTime, target, ...rest } = scene.object().status ?? {};
  expect(rest).toEqual({ targetUid: "uid-2" });
  expect(scene.takeEvents().join()).toContain("its uid is uid-2, and was uid-1");
  expect(scene.metrics).not.toContain("drift");
  await scene.work(20 * minute);
  expect(scene.northflank.takeCalls().slice(0, 3)).toEqual(["get api (observe)", "get api (change)", post]);
  expect(scene.state()).toBe(complete);
  expect(scene.object().status?.changes?.map(({ cause }) => cause)).toEqual(["SpecChanged"]);
  expect(correctionsOf(scene.object())).toEqual([]);
});

test("a target that has what is declared is not written to", async () => {
  await settled();
  scene.northflank.has(service({ uid: "uid-2", imagePath: "ghcr.io/acme/api:2" }));
  await scene.work(hour);
  expect(writes()).toEqual([]);
  expect(scene.state()).toBe(complete);
  expect(scene.object().status?.changes).toMatchObject([{ cause: "Adopted", phase: "Complete" }]);
});

test.each(["before its status is written", "after it"])(
  "a process that ends %s changes nothing of that",
  async (when) => {
    await settled();
    scene.northflank.has(service({ uid: "uid-2" }));
    await scene.clock.advance(20 * minute);
    if (when.startsWith("before")) {
      scene.failStatus = new KubeError({ code: "unavailable", step: "patch", detail: "down" });
    }
    await scene.pass();
    scene.restart();
    await scene.work(hour);
    expect(writes()).toEqual([post]);
    expect(scene.state()).toBe(complete);
    expect(scene.object().status?.targetUid).toBe("uid-2");
  },
);

test("corrections of the service before are no fight about the one that is there", async () => {
  await settled();
  const theirs = {
    image: "ghcr.io/acme/api:9",
    external: { imagePath: "ghcr.io/acme/api:9" } as ServiceView["external"],
  };
  scene.afterWrite = () => scene.northflank.rollout("api", "COMPLETED", theirs);
  scene.northflank.change("api", theirs);
  await scene.work(2 * hour);
  expect(scene.state()).toContain("Stalled=True/FightDetected");
  scene.northflank.takeCalls();
  scene.afterWrite = undefined;
  scene.northflank.has(service({ uid: "uid-2" }));
  await scene.work(hour);
  expect(writes()).toEqual([post]);
  expect(correctionsOf(scene.object())).toEqual([]);
});

test("the last good source of the service before is not put into the one that is there", async () => {
  const rollout = { wait: true, timeoutSeconds: 900, onFailure: "Restore" } as const;
  await settled({ rollout });
  scene.afterWrite = undefined;
  scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
  await scene.pass();
  scene.northflank.has(service({ uid: "uid-2", imagePath: "ghcr.io/acme/api:3", rolloutStatus: "FAILED" }));
  await scene.clock.advance(10_000);
  scene.northflank.takeCalls();
  await scene.work(hour);
  expect(writes()).toEqual([]);
  expect(scene.state()).toContain("Stalled=True/RolloutFailed");
  expect(scene.state()).toContain("Restored=False/NothingToRestore");
});

test("a restore that was recorded for the service before is not sent to the one that is there", async () => {
  const rollout = { wait: true, timeoutSeconds: 900, onFailure: "Restore" } as const;
  await settled({ rollout });
  scene.afterWrite = undefined;
  scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
  await scene.pass();
  await scene.clock.advance(10_000);
  scene.northflank.rollout("api", "FAILED");
  await scene.pass();
  expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "RolledBack", phase: "Sending" });
  scene.northflank.takeCalls();
  scene.northflank.has(service({ uid: "uid-2", imagePath: "ghcr.io/acme/api:3", rolloutStatus: "FAILED" }));
  await scene.work(hour);
  expect(writes()).toEqual([]);
  expect(scene.object().status?.changes?.map(({ cause }) => cause)).toEqual(["Adopted"]);
});

test("under Observe it is read, and under EnforceOnChange it is a target that is new", async () => {
  await settled({ managementPolicy: "Observe", deployment: { external: { imagePath: "ghcr.io/acme/api:1" } } }).catch(
    () => undefined,
  );
  scene.northflank.has(service({ uid: "uid-2", imagePath: "ghcr.io/acme/api:7" }));
  await scene.work(hour);
  expect(writes()).toEqual([]);
  expect(scene.state()).toContain("Ready=True/DriftObserved");
  expect(scene.object().status?.targetUid).toBe("uid-2");
});

test("two answers that take turns are not read without end", async () => {
  await settled();
  let turn = 0;
  scene.told = (view) => {
    turn += 1;
    return { ...view, uid: `uid-${turn % 2}` };
  };
  await scene.work(4 * hour);
  expect(scene.northflank.takeCalls().length).toBeLessThanOrEqual(20);
});

describe("a job", () => {
  test("that was created again is read in full where its settings are read, and is sent what is declared", async () => {
    const docker = { configType: "customCommand", customCommand: "run" } as const;
    scene.northflank.hasJob(job({ uid: "uid-1", docker: { configType: "default" } }));
    const { serviceId: _, ...spec } = deployment({ spec: { jobId: "etl", deployment: { docker } } }).spec;
    scene.has({ ...deployment(), spec });
    await scene.work(hour);
    expect(scene.object().status?.targetUid).toBe("uid-1");
    scene.northflank.takeCalls();
    scene.northflank.hasJob(job({ uid: "uid-2", docker: { configType: "default" } }));
    await scene.work(hour);
    expect(writes()).toEqual([`post job etl ${JSON.stringify({ docker })}`]);
    expect(scene.object().status).toMatchObject({ targetUid: "uid-2" });
    expect(scene.object().status?.changes?.map(({ cause }) => cause)).toEqual(["SpecChanged"]);
  });
});
