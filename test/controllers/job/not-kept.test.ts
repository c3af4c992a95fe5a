import { beforeEach, describe, expect, test } from "vitest";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { correctionsOf } from "../../../src/controllers/job/machine.ts";
import { jobObject } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { JobScene } from "../../support/job-scene.ts";

/* A Northflank that answers 200 to a patch and keeps only some of its settings. */

const minute = 60_000;
const hour = 60 * minute;
const settings = { description: "New", billing: { deploymentPlan: "nf-compute-20" }, backoffLimit: 2 };
const whole =
  'patch job migrate {"description":"New","billing":{"deploymentPlan":"nf-compute-20"},"settings":{"backoffLimit":2}}';
const alone = 'patch job migrate {"settings":{"backoffLimit":2}}';

let scene: JobScene;
let keepsAlone: boolean;

beforeEach(() => {
  scene = new JobScene();
  keepsAlone = false;
  scene.northflank.hasSettings("migrate", { settings: { backoffLimit: 0 } });
  scene.northflank.keepsSettings = (body) => {
    const { settings: policy, ...rest } = body;
    return keepsAlone && Object.keys(rest).length === 0 ? { settings: policy } : rest;
  };
});

const patches = () => scene.northflank.takeCalls().filter((call) => call.startsWith("patch"));

async function declared(spec = {}): Promise<void> {
  scene.has(jobObject({ spec: { settings, ...spec } }));
  await scene.work(10 * minute);
  expect(patches()).toEqual([whole, alone]);
}

test("settings that are kept when they are sent alone are sent alone once, and all is Ready", async () => {
  keepsAlone = true;
  await declared();
  await scene.work(hour);
  expect(patches()).toEqual([]);
  expect(scene.state()).toContain("Ready=True/InSync");
  const { status } = scene.object();
  expect(status?.notKept).toBeUndefined();
  expect(correctionsOf(scene.object())).toEqual([]);
  expect(status?.changes?.map(({ cause }) => cause)).toEqual(["PartResent", "SpecChanged"]);
});

describe("settings that are not kept alone either", () => {
  test("are named, and not sent again for a week", async () => {
    await declared();
    expect(scene.state()).toContain("Ready=False/ChangeNotKept Stalled=True/ChangeNotKept");
    expect(scene.message()).toContain("backoffLimit is 0, declared is 2");
    await scene.work(7 * 24 * hour);
    const calls = scene.northflank.takeCalls();
    expect(new Set(calls)).toEqual(new Set(["get settings of job migrate (change)"]));
    expect(calls.length).toBeLessThanOrEqual(7 * 24 + 20);
    expect(correctionsOf(scene.object())).toEqual([]);
  });

  test("are sent once more for each reconcile request", async () => {
    await declared();
    for (const request of ["one", "two"]) {
      scene.annotate({ [reconcileRequestedAt]: request });
      await scene.work(hour);
      expect(patches()).toEqual([alone]);
      expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
      expect(scene.object().status?.lastHandledReconcileAt).toBe(request);
    }
    keepsAlone = true;
    scene.annotate({ [reconcileRequestedAt]: "three" });
    await scene.work(hour);
    expect(patches()).toEqual([alone]);
    expect(scene.state()).toContain("Ready=True/InSync");
    expect(scene.object().status?.notKept).toBeUndefined();
  });

  test("are sent with everything, and once alone, after the spec has changed", async () => {
    await declared();
    scene.edit({ settings: { ...settings, description: "Newer" } });
    await scene.work(hour);
    expect(patches()).toEqual([whole.replace("New", "Newer"), alone]);
    expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
  });

  test("stand in no way of a correction of the rest", async () => {
    await declared();
    scene.northflank.patchSettings("migrate", { description: "Theirs" });
    await scene.work(2 * hour);
    expect(patches()).toEqual([whole]);
    expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
  });

  test("are the same under EnforceOnChange", async () => {
    await declared({ managementPolicy: "EnforceOnChange" });
    expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
  });

  test.each([1, 2, 4, 6, 8, 10])(
    "are not sent a third time when pass %i is the last of its process",
    async (passes) => {
      scene.has(jobObject({ spec: { settings } }));
      for (let count = 0; count < passes; count += 1) {
        await scene.pass();
        await scene.clock.advance(30_000);
      }
      scene.restart();
      await scene.work(2 * hour);
      expect(patches()).toEqual([whole, alone]);
      expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
    },
  );

  test("are not sent a third time when the process dies in the call, or its answer is lost", async () => {
    scene.has(jobObject({ spec: { settings } }));
    await scene.pass();
    await scene.clock.advance(61_000);
    scene.northflank.failNext("patchJob", new Error("killed"), { isDone: true });
    await scene.pass();
    scene.restart();
    await scene.work(2 * hour);
    expect(patches()).toEqual([whole, alone]);
    expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
  });

  test("are sent again after they were refused: they never arrived", async () => {
    scene.has(jobObject({ spec: { settings } }));
    await scene.pass();
    await scene.clock.advance(61_000);
    scene.northflank.failNext("patchJob", northflankError("rate_limited", { httpStatus: 429 }));
    await scene.work(2 * hour);
    expect(patches()).toEqual([whole, alone, alone]);
    expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
  });
});
