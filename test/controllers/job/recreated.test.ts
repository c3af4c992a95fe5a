import { beforeEach, expect, test } from "vitest";
import { jobObject } from "../../support/builders.ts";
import { JobScene } from "../../support/job-scene.ts";

/* A job that is deleted and created again under its id: it has another uid, and none of the values that were sent. */

const minute = 60_000;
const hour = 60 * minute;
const settings = { description: "New", runtimeEnvironment: { LOG_LEVEL: "debug" } };
const patch = 'patch job migrate {"description":"New","runtimeEnvironment":{"LOG_LEVEL":"debug"}}';

let scene: JobScene;

beforeEach(() => {
  scene = new JobScene();
  scene.northflank.hasSettings("migrate", { description: "Old" }, "manual", "uid-1");
});

const writes = () => scene.northflank.takeCalls().filter((call) => !call.startsWith("get"));

async function settled(spec = {}): Promise<void> {
  scene.has(jobObject({ spec: { settings, ...spec } }));
  await scene.work(20 * minute);
  expect(scene.state()).toContain("Ready=True/InSync");
  expect(scene.object().status?.targetUid).toBe("uid-1");
  scene.northflank.takeCalls();
}

test.each(["Enforce", "EnforceOnChange"] as const)(
  "under %s the job that is there is sent everything, also what nobody could see to be missing",
  async (managementPolicy) => {
    await settled({ managementPolicy });
    // What is told is as declared: only the uid tells that the environment is gone.
    scene.northflank.hasSettings("migrate", { description: "New" }, "manual", "uid-2");
    await scene.work(hour);
    expect(writes()).toEqual([patch]);
    expect(scene.state()).toContain("Ready=True/InSync");
    expect(scene.object().status).toMatchObject({ targetUid: "uid-2" });
    expect(scene.object().status?.changes?.map(({ cause }) => cause)).toEqual(["SpecChanged"]);
    expect(scene.takeEvents().join()).toContain("its uid is uid-2, and was uid-1");
  },
);

test("under Observe nothing is sent, and nothing is claimed of what nobody can see", async () => {
  await settled();
  scene.edit({ managementPolicy: "Observe" });
  await scene.work(hour);
  scene.northflank.hasSettings("migrate", { description: "New" }, "manual", "uid-2");
  await scene.work(hour);
  expect(writes()).toEqual([]);
  expect(scene.state()).toContain("Ready=True/Observed");
  expect(scene.state()).toContain("InSync=Unknown/Observed");
});
