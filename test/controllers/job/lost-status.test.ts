import { expect, test } from "vitest";
import { jobObject } from "../../support/builders.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { JobScene } from "../../support/job-scene.ts";

/*
 * Each status write of a story fails once. What the story comes to is the same, and soon.
 */

const minute = 60_000;

/** What happens, and how long the operator is at work after it. */
type Step = readonly [what: (scene: JobScene) => void, forMs: number];

const fromSecret = { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] };
const created: Step = [(scene) => scene.has(jobObject()), minute];
const createdWithSecret = (spec: { readonly resyncPeriodSeconds?: number } = {}): Step => [
  (scene) => {
    scene.hasSecret("db", { url: "one" });
    scene.has(jobObject({ spec: { settings: { description: "New", ...fromSecret }, ...spec } }));
  },
  minute,
];
const drifted: Step = [(scene) => scene.northflank.patchSettings("migrate", { description: "Theirs" }), 18 * minute];
const newPassword: Step = [(scene) => scene.hasSecret("db", { url: "two" }), 3 * minute];
const failsNext = (...facts: Parameters<typeof northflankError>): Step => [
  (scene) => scene.northflank.failNext("patchJob", northflankError(...facts)),
  0,
];

const stories: Readonly<Record<string, readonly Step[]>> = {
  "settings that are sent": [created],
  "settings that are edited twice": [
    created,
    [(scene) => scene.edit({ settings: { description: "Second" } }), minute],
    [(scene) => scene.edit({ settings: { backoffLimit: 4 } }), minute],
  ],
  "values of a Secret that change": [createdWithSecret(), newPassword],
  "values of a Secret that change, without a resync": [createdWithSecret({ resyncPeriodSeconds: 0 }), newPassword],
  "settings that were changed elsewhere": [created, drifted],
  "corrections that become a fight": [created, drifted, drifted, drifted, drifted],
  "settings that are refused, and repaired": [
    failsNext("rejected", { httpStatus: 422 }),
    created,
    [(scene) => scene.edit({ settings: { description: "Better" } }), minute],
  ],
  "a job that is not there, and is made": [
    [
      (scene) => {
        scene.northflank.jobSettings.delete("migrate");
        scene.has(jobObject());
      },
      minute,
    ],
    [(scene) => scene.northflank.hasSettings("migrate", { description: "Old" }, "manual"), 10 * minute],
  ],
  "settings that are held back, and let go": [
    created,
    [(scene) => scene.edit({ suspend: true, settings: { description: "Second" } }), minute],
    [(scene) => scene.edit({ suspend: false }), minute],
  ],
  "a look under Observe": [
    [(scene) => scene.has(jobObject({ spec: { managementPolicy: "Observe" } })), minute],
    [(scene) => scene.northflank.patchSettings("migrate", { description: "Theirs" }), 18 * minute],
  ],
  "a spec that is not valid, and is mended": [
    [(scene) => scene.has(jobObject({ spec: { settings: { backoffLimit: -1 } } })), minute],
    [(scene) => scene.edit({ settings: { backoffLimit: 1 } }), minute],
  ],
};

async function play(steps: readonly Step[], failStatusIn: number): Promise<JobScene> {
  const scene = new JobScene();
  scene.northflank.hasSettings("migrate", { description: "Old", settings: { backoffLimit: 1 } }, "manual");
  scene.failStatusIn = failStatusIn;
  for (const [what, forMs] of steps) {
    what(scene);
    if (forMs > 0) await scene.work(forMs);
  }
  return scene;
}

/** Everything that does not move with the clock. */
function told(scene: JobScene): unknown {
  const { nextReconcileTime: _, ...status } = scene.object().status ?? {};
  const remote = scene.northflank.jobSettings.get("migrate");
  const text = JSON.stringify({ status, events: scene.events, remote }, (key, value) =>
    /time$/i.test(key) ? "a time" : key === "corrections" ? value.length : value,
  );
  return JSON.parse(text.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "a time"));
}

test.each(Object.entries(stories))("%s: no status write that fails once is missed", async (_name, steps) => {
  const undisturbed = await play(steps, Number.POSITIVE_INFINITY);
  const writes = undisturbed.statusWrites;
  expect(writes).toBeGreaterThan(0);
  for (let index = 0; index < writes; index += 1) {
    const scene = await play(steps, index);
    expect(told(scene), `write ${index + 1} of ${writes} failed`).toEqual(told(undisturbed));
  }
});
