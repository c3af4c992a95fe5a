import { expect, test } from "vitest";
import type { NorthflankJob } from "../../../src/api/job.ts";
import { correctionsOf } from "../../../src/controllers/target/drift.ts";
import { jobObject } from "../../support/builders.ts";
import { JobScene } from "../../support/job-scene.ts";

async function settled(): Promise<JobScene> {
  const scene = new JobScene();
  scene.northflank.hasSettings("migrate", { description: "Migrates the database" });
  scene.has(jobObject());
  await scene.settle();
  scene.northflank.takeCalls();
  return scene;
}

test("a correction whose status could not be written is written by the next reconcile, and not sent again", async () => {
  const scene = await settled();
  scene.northflank.patchSettings("migrate", { description: "theirs" });
  await scene.clock.advance(1_200_000);
  scene.failStatus = new Error("the API server is away");
  expect(await scene.pass()).toMatchObject({ kind: "retry" });
  expect(scene.northflank.takeCalls().filter((call) => call.startsWith("patch"))).toHaveLength(1);
  await scene.pass();
  expect(scene.northflank.takeCalls().filter((call) => call.startsWith("patch"))).toEqual([]);
  expect(correctionsOf(scene.object())).toHaveLength(1);
  expect(scene.object().status?.changes?.[0]?.cause).toBe("DriftCorrected");
});

test.each<[string, (status: NonNullable<NorthflankJob["status"]>) => NorthflankJob["status"], number]>([
  [
    "that has nothing but its conditions is read at once",
    ({ conditions = [] }) => ({ conditions, observedGeneration: 1 }),
    1,
  ],
  ["as it was written is at rest", (status) => status, 0],
])("after a restart, a settled job whose status %s", async (_name, change, requests) => {
  const scene = await settled();
  const object = scene.object();
  const status = change(object.status ?? { observedGeneration: -1 });
  scene.has({ ...object, ...(status && { status }) });
  scene.restart();
  await scene.pass();
  expect(scene.northflank.takeCalls().filter((call) => call.startsWith("get settings"))).toHaveLength(requests);
});
