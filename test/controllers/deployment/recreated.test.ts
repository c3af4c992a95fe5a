import { beforeEach, describe, expect, test } from "vitest";
import { deployment, job, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";

/* A service or job that is deleted and created again under its id: it has another uid. */

const minute = 60_000;
const hour = 60 * minute;
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

test("a target that has what is declared is not written to", async () => {
  await settled();
  scene.northflank.has(service({ uid: "uid-2", imagePath: "ghcr.io/acme/api:2" }));
  await scene.work(hour);
  expect(writes()).toEqual([]);
  expect(scene.state()).toBe(complete);
  expect(scene.object().status?.changes).toMatchObject([{ cause: "Adopted", phase: "Complete" }]);
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
