import { describe, expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import { deployment, job, jobObject, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { JobScene } from "../../support/job-scene.ts";

/*
 * Each status write of a story fails once. What the story comes to is the same, and soon: a status, its history, the count
 * of corrections, the Events and what Northflank has must not depend on the API server having been there at the right
 * moment.
 */

const minute = 60_000;

/** What happens, and how long the operator is at work after it. */
type Step<S> = readonly [what: (scene: S) => void, forMs: number];
type Stories<S> = Readonly<Record<string, readonly Step<S>[]>>;

interface Kind<S> {
  /** A scene before anything was declared. */
  readonly begin: () => S;
  readonly remote: (scene: S) => unknown;
  readonly stories: Stories<S>;
}

function everyWriteFailsOnce<S extends DeploymentScene | JobScene>({ begin, remote, stories }: Kind<S>): void {
  async function play(steps: readonly Step<S>[], failStatusIn: number): Promise<S> {
    const scene = begin();
    scene.failStatusIn = failStatusIn;
    for (const [what, forMs] of steps) {
      what(scene);
      if (forMs > 0) await scene.work(forMs);
    }
    return scene;
  }

  /** Everything that does not move with the clock. */
  function shown(scene: S): unknown {
    const { nextReconcileTime: _, ...status } = scene.object().status ?? {};
    const text = JSON.stringify({ status, events: scene.events, remote: remote(scene) }, (key, value) =>
      /time$|^rolloutSeconds$/i.test(key) ? "a time" : key === "corrections" ? value.length : value,
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
      expect(shown(scene), `write ${index + 1} of ${writes} failed`).toEqual(shown(undisturbed));
    }
  });
}

describe("a NorthflankDeployment", () => {
  const source = (imagePath: string) => ({ deployment: { external: { imagePath } } });
  const theirs = { external: { imagePath: "theirs:1", credentials: undefined, registryProvider: undefined } };
  const restore = { wait: true, timeoutSeconds: 900, onFailure: "Restore" } as const;
  const created: Step<DeploymentScene> = [(scene) => scene.has(deployment()), 15_000];
  const completed: Step<DeploymentScene> = [(scene) => scene.northflank.rollout("api", "COMPLETED"), 30_000];
  const drifted: Step<DeploymentScene> = [
    (scene) => scene.northflank.change("api", { image: "theirs:1", ...theirs }),
    18 * minute,
  ];

  const stories: Stories<DeploymentScene> = {
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

  everyWriteFailsOnce({
    begin: () => {
      const scene = new DeploymentScene();
      scene.northflank.has(service());
      scene.northflank.hasJob(job());
      return scene;
    },
    remote: ({ northflank }) => [northflank.service("api"), northflank.job("etl")],
    stories,
  });
});

describe("a NorthflankJob", () => {
  const fromSecret = { runtimeEnvironmentFrom: [{ secretRef: { name: "db" } }] };
  const created: Step<JobScene> = [(scene) => scene.has(jobObject()), minute];
  const createdWithSecret = (spec: { readonly resyncPeriodSeconds?: number } = {}): Step<JobScene> => [
    (scene) => {
      scene.hasSecret("db", { url: "one" });
      scene.has(jobObject({ spec: { settings: { description: "New", ...fromSecret }, ...spec } }));
    },
    minute,
  ];
  const drifted: Step<JobScene> = [
    (scene) => scene.northflank.patchSettings("migrate", { description: "Theirs" }),
    18 * minute,
  ];
  const newPassword: Step<JobScene> = [(scene) => scene.hasSecret("db", { url: "two" }), 3 * minute];
  const failsNext = (...facts: Parameters<typeof northflankError>): Step<JobScene> => [
    (scene) => scene.northflank.failNext("patchJob", northflankError(...facts)),
    0,
  ];

  const stories: Stories<JobScene> = {
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

  everyWriteFailsOnce({
    begin: () => {
      const scene = new JobScene();
      scene.northflank.hasSettings("migrate", { description: "Old", settings: { backoffLimit: 1 } }, "manual");
      return scene;
    },
    remote: ({ northflank }) => northflank.jobSettings.get("migrate"),
    stories,
  });
});
