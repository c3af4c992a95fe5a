import { describe, expect, test } from "vitest";
import type { NorthflankDeployment, NorthflankDeploymentSpec } from "../../../src/api/deployment.ts";
import { build, deployment, job, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

/*
 * A wall clock that jumps, before each pass of a story in turn: what is sent, and when, must stay the same to the second,
 * because every pause and limit is measured by the clock that does not jump.
 */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

type Spec = Partial<NorthflankDeploymentSpec>;
type Step = readonly [what: (scene: DeploymentScene) => void, forMs: number];

const has = (spec: Spec): Step => [(scene) => scene.has(deployment({ spec })), 15 * second];
const completed: Step = [(scene) => scene.northflank.rollout("api", "COMPLETED"), 30 * second];
const next: Step = [
  (scene) => scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } }),
  15 * second,
];
const restore = { rollout: { wait: true, timeoutSeconds: 900, onFailure: "Restore" } } as const;
const named = { internal: { id: "builder", branch: "main", buildSHA: "b".repeat(40) } };
const theirs = {
  image: "theirs:1",
  external: { imagePath: "theirs:1", credentials: undefined, registryProvider: undefined },
};
const building = (outcome: "active" | "failed" | "succeeded") => (scene: DeploymentScene) =>
  scene.northflank.hasBuilds("builder", [build({ sha: "b".repeat(40), outcome, status: outcome.toUpperCase() })]);

const stories: Readonly<Record<string, readonly Step[]>> = {
  "a rollout that takes 20 s, with Restore": [
    has(restore),
    completed,
    next,
    [(scene) => scene.northflank.rollout("api", "IN_PROGRESS"), 5 * second],
    [(scene) => scene.northflank.rollout("api", "COMPLETED"), hour],
  ],
  "a rollout that is late, and its probes": [
    has({}),
    [(scene) => scene.northflank.rollout("api", "IN_PROGRESS"), 6 * hour],
    completed,
  ],
  "a rollout that is late and put back, and late again": [
    has(restore),
    completed,
    next,
    [(scene) => scene.northflank.rollout("api", "IN_PROGRESS"), 20 * minute],
    [(scene) => scene.northflank.rollout("api", "IN_PROGRESS"), 2 * hour],
  ],
  "a rollout that somebody else began, and that is late": [
    has({}),
    completed,
    [(scene) => scene.northflank.rollout("api", "IN_PROGRESS"), hour],
  ],
  "a service that does not return when states began": [
    [(scene) => scene.northflank.change("api", { rolloutTransitionTime: undefined }), 0],
    [(scene) => scene.has(deployment({ spec: restore })), 2 * minute],
    next,
    [(scene) => scene.northflank.change("api", { rolloutStatus: "FAILED" }), 5 * minute],
  ],
  "a lost answer of a change whose rollout is over": [
    has(restore),
    completed,
    [
      (scene) => scene.northflank.failNext("updateServiceDeployment", northflankError("timeout"), { isDone: true }),
      second,
    ],
    next,
    [() => undefined, 5 * minute],
  ],
  "a build that is waited for, fails, and is repeated": [
    [building("active"), 0],
    [(scene) => scene.has(deployment({ spec: { deployment: named } })), hour],
    [building("failed"), 3 * hour],
    [building("succeeded"), hour],
  ],
  "a change of a job that is not shown": [
    [
      (scene) => {
        const { serviceId: _, ...spec } = deployment().spec;
        scene.has({ ...deployment(), spec: { ...spec, jobId: "etl" } } as NorthflankDeployment);
        scene.told = (view) => ({
          ...view,
          image: "ghcr.io/acme/etl:1",
          external: { ...theirs.external, imagePath: "ghcr.io/acme/etl:1" },
        });
      },
      10 * minute,
    ],
  ],
  "a fight": [
    has({ resyncPeriodSeconds: 300 }),
    completed,
    ...Array.from({ length: 6 }, (): Step => [(scene) => scene.northflank.change("api", theirs), 6 * minute]),
  ],
};

interface Played {
  readonly sent: readonly string[];
  readonly state: string;
  readonly passes: number;
}

/** Plays a story; `before` runs before each pass, with its number. */
async function play(steps: readonly Step[], before: (scene: DeploymentScene, pass: number) => void): Promise<Played> {
  const scene = new DeploymentScene();
  const sent: string[] = [];
  let passes = 0;
  scene.northflank.has(service());
  scene.northflank.hasJob(job());
  scene.northflank.calls.push = (...calls) =>
    sent.push(...calls.map((call) => `${Math.round(scene.clock.monotonic() / second)} s: ${call}`));
  scene.beforePass = () => before(scene, passes++);
  for (const [what, forMs] of steps) {
    what(scene);
    if (forMs > 0) await scene.work(forMs);
  }
  return { sent, state: scene.state(), passes };
}

const jumps = { "an hour ahead": hour, "an hour back": -hour, "a day ahead": 24 * hour, "a day back": -24 * hour };

describe.each(Object.entries(stories))("%s", (_name, steps) => {
  test("is the same to the second when the clock jumps", async () => {
    const { passes, ...undisturbed } = await play(steps, () => undefined);
    expect(passes).toBeGreaterThan(4);
    // Each jump at its own passes, so that together they cover the story.
    for (const [index, byMs] of Object.values(jumps).entries()) {
      for (let at = 1 + index; at < passes; at += Math.max(4, Math.ceil(passes / 3))) {
        const { sent, state } = await play(steps, (scene, pass) => pass === at && scene.clock.jump(byMs));
        expect({ sent, state }, `a jump of ${byMs / hour} h before pass ${at}`).toEqual(undisturbed);
      }
    }
  });
});

describe("another process, whose clock is another one, takes over", () => {
  const takesOver = (at: number, byMs: number) => (scene: DeploymentScene, pass: number) => {
    if (pass !== at) return;
    scene.clock.jump(byMs);
    scene.restart();
  };

  test.each(Object.entries(jumps))("%s, and undoes no rollout that is well under way", async (_jump, byMs) => {
    const steps: readonly Step[] = [
      has(restore),
      completed,
      next,
      [(scene) => scene.northflank.rollout("api", "IN_PROGRESS"), 3 * minute],
      [(scene) => scene.northflank.rollout("api", "COMPLETED"), 10 * minute],
    ];
    const { passes } = await play(steps, () => undefined);
    for (let at = 1; at < passes; at += 1) {
      const { sent, state } = await play(steps, takesOver(at, byMs));
      const posts = sent.filter((call) => call.includes("post"));
      expect(
        posts.filter((call) => call.includes("api:3")),
        `before pass ${at}`,
      ).toHaveLength(1);
      expect(posts, `before pass ${at}`).toHaveLength(2);
      expect(state, `before pass ${at}`).toContain("Ready=True/RolloutComplete");
    }
  });

  test.each(Object.entries(jumps))(
    "%s, and puts back what is late once it has seen a part of that",
    async (_jump, byMs) => {
      const steps = stories["a rollout that is late and put back, and late again"] as readonly Step[];
      const { passes } = await play(steps, () => undefined);
      for (let at = 1; at < passes; at += 5) {
        const { sent } = await play(steps, takesOver(at, byMs));
        const posts = sent.filter((call) => call.includes("post"));
        const failed = posts.findIndex((call) => call.includes("api:3"));
        const back = posts.slice(failed + 1).map((call) => Number.parseInt(call, 10));
        expect(back, `before pass ${at}`).toHaveLength(1);
        // Never before a quarter of the time, and at the latest when the other process has seen all of it.
        expect(back[0]).toBeGreaterThanOrEqual(225);
        expect(back[0]).toBeLessThanOrEqual(45 + 900 + 900 + 300);
      }
    },
  );
});
