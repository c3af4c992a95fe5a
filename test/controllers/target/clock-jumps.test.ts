import { describe, expect, test } from "vitest";
import type { NorthflankDeployment, NorthflankDeploymentSpec } from "../../../src/api/deployment.ts";
import { build, deployment, job, jobObject, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { JobScene } from "../../support/job-scene.ts";

/*
 * A wall clock that jumps, before each pass of a story in turn: what is sent, and when, must stay the same to the second,
 * because every pause and limit is measured by the clock that does not jump.
 */

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

type Scene = DeploymentScene | JobScene;
type Spec = Partial<NorthflankDeploymentSpec>;
/** What happens, and how long the operator is at work after it. */
type Step<S extends Scene = DeploymentScene> = readonly [what: (scene: S) => void, forMs: number];

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

const ofDeployments: Readonly<Record<string, readonly Step[]>> = {
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

const declared: Step<JobScene> = [
  (scene) => scene.has(jobObject({ spec: { settings: { description: "Ours" } } })),
  10 * second,
];
const sets =
  (description: string) =>
  ({ northflank }: JobScene): void =>
    northflank.patchSettings("migrate", { description });
const undo = sets("Theirs");
const undoneAtOnce = (scene: JobScene): void => {
  scene.northflank.afterPatch = () => {
    undo(scene);
    undoneAtOnce(scene);
  };
};

const ofJobs: Readonly<Record<string, readonly Step<JobScene>[]>> = {
  "a change that Northflank shows late": [
    [
      (scene) => {
        scene.northflank.afterPatch = () => undo(scene);
      },
      0,
    ],
    declared,
    [() => undefined, 30 * second],
    [sets("Ours"), minute],
  ],
  "a change that Northflank never shows": [[undoneAtOnce, 0], declared, [() => undefined, 20 * minute]],
  resyncs: [declared, [() => undefined, 3 * hour]],
  "a fight": [declared, ...Array.from({ length: 6 }, (): Step<JobScene> => [undo, 18 * minute])],
  "probes of a job that is not there": [
    declared,
    [(scene) => scene.northflank.jobSettings.delete("migrate"), 65 * minute],
  ],
  "a quota that is spent for half an hour": [
    [
      (scene) => {
        const spent = northflankError("quota_closed", { retryAfterMs: 30 * minute, sent: false });
        scene.northflank.failNext("getJobSettings", spent);
      },
      0,
    ],
    declared,
    [() => undefined, hour],
  ],
  "a Secret that changes": [
    [(scene) => scene.hasSecret("db", { url: "one" }), 0],
    declared,
    [(scene) => scene.edit({ settings: { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] } }), 5 * minute],
    [(scene) => scene.hasSecret("db", { url: "two" }), 10 * minute],
  ],
};

interface Played {
  readonly sent: readonly string[];
  readonly state: string;
  readonly causes: readonly string[];
  readonly passes: number;
}

function deploymentScene(): DeploymentScene {
  const scene = new DeploymentScene();
  scene.northflank.has(service());
  scene.northflank.hasJob(job());
  return scene;
}

function jobScene(): JobScene {
  const scene = new JobScene();
  scene.northflank.hasSettings("migrate", { description: "Old" });
  return scene;
}

/** Plays a story; `before` runs before each pass, with its number. */
async function play<S extends Scene>(
  scene: S,
  steps: readonly Step<S>[],
  before: (scene: S, pass: number) => void,
): Promise<Played> {
  let passes = 0;
  scene.northflank.takeCalls();
  scene.beforePass = () => before(scene, passes++);
  for (const [what, forMs] of steps) {
    what(scene);
    if (forMs > 0) await scene.work(forMs);
  }
  const causes = (scene.object().status?.changes ?? []).map(({ cause }) => cause);
  const sent = scene.northflank.noted.map(({ atMs, text }) => `${Math.round(atMs / second)} s: ${text}`);
  return { sent, state: scene.state(), causes, passes };
}

const jumps = { "an hour ahead": hour, "an hour back": -hour, "a day ahead": 24 * hour, "a day back": -24 * hour };

function isTheSameWhenTheClockJumps<S extends Scene>(
  begin: () => S,
  stories: Readonly<Record<string, readonly Step<S>[]>>,
) {
  test.each(Object.entries(stories))("%s is the same to the second when the clock jumps", async (_name, steps) => {
    const { passes, ...undisturbed } = await play(begin(), steps, () => undefined);
    expect(passes).toBeGreaterThan(4);
    // Each jump at its own passes, so that together they cover the story.
    for (const [index, byMs] of Object.values(jumps).entries()) {
      for (let at = 1 + index; at < passes; at += Math.max(4, Math.ceil(passes / 3))) {
        const disturbed = await play(begin(), steps, (scene, pass) => pass === at && scene.clock.jump(byMs));
        const { passes: _, ...rest } = disturbed;
        expect(rest, `a jump of ${byMs / hour} h before pass ${at}`).toEqual(undisturbed);
      }
    }
  });
}

describe("of a NorthflankDeployment", () => isTheSameWhenTheClockJumps(deploymentScene, ofDeployments));

describe("of a NorthflankJob", () => isTheSameWhenTheClockJumps(jobScene, ofJobs));

test.each<[string, () => Scene, (scene: Scene) => void]>([
  ["NorthflankDeployment", deploymentScene, (scene) => (scene as DeploymentScene).has(deployment())],
  ["NorthflankJob", jobScene, (scene) => (scene as JobScene).has(jobObject())],
])("a process on a node with another clock reads a settled %s within one period", async (_kind, begin, declare) => {
  for (const byMs of Object.values(jumps)) {
    const scene = begin();
    scene.afterWrite = () => scene.northflank.rollout("api", "COMPLETED");
    declare(scene);
    await scene.work(5 * minute);
    expect(scene.state()).toContain("Ready=True/");
    scene.northflank.takeCalls();
    scene.clock.jump(byMs);
    scene.restart();
    await scene.work(20 * minute);
    const reads = scene.northflank.takeCalls().length;
    expect(reads).toBeGreaterThanOrEqual(1);
    expect(reads).toBeLessThanOrEqual(2);
  }
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
    const { passes } = await play(deploymentScene(), steps, () => undefined);
    for (let at = 1; at < passes; at += 1) {
      const { sent, state } = await play(deploymentScene(), steps, takesOver(at, byMs));
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
      const steps = ofDeployments["a rollout that is late and put back, and late again"] as readonly Step[];
      const { passes } = await play(deploymentScene(), steps, () => undefined);
      for (let at = 1; at < passes; at += 5) {
        const { sent } = await play(deploymentScene(), steps, takesOver(at, byMs));
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
