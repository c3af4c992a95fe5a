import { expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import { deployment, job, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

/*
 * Each status write of a story fails once. What the story comes to is the same, and soon: a status, its history, the count
 * of corrections and the Events must not depend on the API server having been there at the right moment.
 */

const minute = 60_000;
const source = (imagePath: string) => ({ deployment: { external: { imagePath } } });
const theirs = { external: { imagePath: "theirs:1", credentials: undefined, registryProvider: undefined } };
const restore = { wait: true, timeoutSeconds: 900, onFailure: "Restore" } as const;

/** What happens, and how long the operator is at work after it. */
type Step = readonly [what: (scene: DeploymentScene) => void, forMs: number];

const created: Step = [(scene) => scene.has(deployment()), 15_000];
const completed: Step = [(scene) => scene.northflank.rollout("api", "COMPLETED"), 30_000];
const drifted: Step = [(scene) => scene.northflank.change("api", { image: "theirs:1", ...theirs }), 18 * minute];

const stories: Readonly<Record<string, readonly Step[]>> = {
  "a change that completes": [created, completed],
  "two changes, the second of which fails": [
    created,
    completed,
    [(scene) => scene.edit(source("ghcr.io/acme/api:3")), 15_000],
    [(scene) => scene.northflank.rollout("api", "FAILED"), 30_000],
  ],
  "a rollout that fails long after it was complete": [
    created,
    completed,
    [(scene) => scene.northflank.rollout("api", "FAILED"), 20 * minute],
  ],
  "a change made elsewhere that is corrected": [created, completed, drifted, completed],
  "corrections that become a fight": [created, completed, drifted, drifted, drifted, drifted],
  "a failed rollout that is put back": [
    [(scene) => scene.has(deployment({ spec: { rollout: restore } })), 15_000],
    completed,
    [(scene) => scene.edit(source("ghcr.io/acme/api:3")), 15_000],
    [(scene) => scene.northflank.rollout("api", "FAILED"), 30_000],
    completed,
  ],
  "a change whose answer is lost": [
    created,
    completed,
    [
      (scene) => {
        scene.northflank.failNext("updateServiceDeployment", northflankError("timeout"), { isDone: true });
        scene.edit(source("ghcr.io/acme/api:3"));
      },
      minute,
    ],
    [(scene) => scene.northflank.rollout("api", "COMPLETED"), 90_000],
  ],
  "a change that is held back, and goes on": [
    created,
    completed,
    [(scene) => scene.edit({ ...source("ghcr.io/acme/api:3"), suspend: true }), minute],
    [(scene) => scene.edit({ suspend: false }), 15_000],
    completed,
  ],
  "a job that takes a change": [
    [
      (scene) => {
        const { serviceId: _, ...spec } = deployment().spec;
        scene.has({ ...deployment(), spec: { ...spec, jobId: "etl" } } as NorthflankDeployment);
      },
      minute,
    ],
    [(scene) => scene.edit(source("ghcr.io/acme/etl:3")), minute],
  ],
};

async function play(steps: readonly Step[], failStatusIn: number): Promise<DeploymentScene> {
  const scene = new DeploymentScene();
  scene.northflank.has(service());
  scene.northflank.hasJob(job());
  scene.failStatusIn = failStatusIn;
  for (const [what, forMs] of steps) {
    what(scene);
    await scene.work(forMs);
  }
  return scene;
}

/** Everything that does not move with the clock. */
function told(scene: DeploymentScene): unknown {
  const { nextReconcileTime: _, ...status } = scene.object().status ?? {};
  const text = JSON.stringify({ status, events: scene.events }, (key, value) =>
    /time$/i.test(key) ? "a time" : key === "corrections" ? value.length : value,
  );
  const flat = text
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "a time")
    .replaceAll(/It took [\w ]+\./g, "It took a while.");
  return JSON.parse(flat);
}

test.each(Object.entries(stories))("%s: no status write that fails once is missed", async (_name, steps) => {
  const undisturbed = await play(steps, Number.POSITIVE_INFINITY);
  const writes = undisturbed.statusWrites;
  expect(writes).toBeGreaterThan(1);
  for (let index = 0; index < writes; index += 1) {
    const scene = await play(steps, index);
    expect(told(scene), `write ${index + 1} of ${writes} failed`).toEqual(told(undisturbed));
  }
});
