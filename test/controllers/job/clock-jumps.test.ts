import { describe, expect, test } from "vitest";
import { jobObject } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { JobScene } from "../../support/job-scene.ts";

/*
 * The wall clock jumps; the time that passes is the same. What is asked of Northflank, and when, must not move.
 */

const minute = 60_000;
const hour = 60 * minute;
const jumps = [hour, -hour, 24 * hour, -24 * hour];

/** A story in two halves: the clock jumps between them. */
interface Story {
  readonly before: (scene: JobScene) => Promise<void>;
  readonly after: (scene: JobScene) => Promise<void>;
}

const undo = (scene: JobScene) => scene.northflank.patchSettings("migrate", { description: "Theirs" });

const stories: Readonly<Record<string, Story>> = {
  "a change that Northflank shows late": {
    before: async (scene) => {
      scene.northflank.afterPatch = () => undo(scene);
      await scene.work(10_000);
    },
    after: async (scene) => {
      await scene.work(30_000);
      scene.northflank.patchSettings("migrate", { description: "Ours" });
      await scene.work(minute);
    },
  },
  "a change that Northflank never shows": {
    before: async (scene) => {
      const again = () => {
        undo(scene);
        scene.northflank.afterPatch = again;
      };
      scene.northflank.afterPatch = again;
      await scene.work(10_000);
    },
    after: (scene) => scene.work(20 * minute),
  },
  resyncs: { before: (scene) => scene.work(5 * minute), after: (scene) => scene.work(3 * hour) },
  "a fight": {
    before: async (scene) => {
      await scene.work(minute);
      undo(scene);
      await scene.work(18 * minute);
      undo(scene);
      await scene.work(18 * minute);
    },
    after: async (scene) => {
      for (let round = 0; round < 4; round += 1) {
        undo(scene);
        await scene.work(18 * minute);
      }
    },
  },
  "probes of a job that is not there": {
    before: async (scene) => {
      scene.northflank.jobSettings.delete("migrate");
      await scene.work(5 * minute);
    },
    after: (scene) => scene.work(hour),
  },
  "a quota that is spent for half an hour": {
    before: async (scene) => {
      const spent = northflankError("quota_closed", { retryAfterMs: 30 * minute, sent: false });
      scene.northflank.failNext("getJobSettings", spent);
      await scene.work(10 * minute);
    },
    after: (scene) => scene.work(hour),
  },
  "a Secret that changes": {
    before: async (scene) => {
      scene.hasSecret("db", { url: "one" });
      scene.edit({ settings: { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] } });
      await scene.work(5 * minute);
    },
    after: async (scene) => {
      scene.hasSecret("db", { url: "two" });
      await scene.work(10 * minute);
    },
  },
};

/** Each call, with the time that had passed. */
async function play({ before, after }: Story, jumpMs: number) {
  const scene = new JobScene();
  scene.northflank.hasSettings("migrate", { description: "Old" }, "manual");
  scene.has(jobObject({ spec: { settings: { description: "Ours" } } }));
  const calls: string[] = [];
  const push = scene.northflank.calls.push.bind(scene.northflank.calls);
  scene.northflank.calls.push = (...made: string[]) => {
    calls.push(...made.map((call) => `${Math.round(scene.clock.monotonic() / 1_000)} s: ${call}`));
    return push(...made);
  };
  await before(scene);
  scene.clock.jump(jumpMs);
  await after(scene);
  return { calls, state: scene.state(), causes: scene.object().status?.changes?.map(({ cause }) => cause) };
}

describe.each(Object.entries(stories))("%s", (_name, story) => {
  test.each(jumps)("does the same, at the same time, when the wall clock jumps by %i ms", async (jumpMs) => {
    expect(await play(story, jumpMs)).toEqual(await play(story, 0));
  });
});

test.each(jumps)("a process on a node whose clock is off by %i ms looks within one period", async (jumpMs) => {
  const scene = new JobScene();
  scene.northflank.hasSettings("migrate", { description: "Old" }, "manual");
  scene.has(jobObject({ spec: { settings: { description: "Ours" } } }));
  await scene.work(5 * minute);
  scene.northflank.takeCalls();
  scene.clock.jump(jumpMs);
  scene.restart();
  await scene.work(20 * minute);
  const looks = scene.northflank.takeCalls().length;
  expect(looks).toBeGreaterThanOrEqual(1);
  expect(looks).toBeLessThanOrEqual(2);
});
