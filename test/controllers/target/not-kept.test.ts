import { beforeEach, describe, expect, test } from "vitest";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { correctionsInRow } from "../../../src/controllers/target/drift.ts";
import { deployment, jobObject, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { JobScene } from "../../support/job-scene.ts";

/* A Northflank that answers 200 to a body with several parts and keeps only some of them. */

const minute = 60_000;
const hour = 60 * minute;

type Scene = DeploymentScene | JobScene;

/** What Northflank keeps of the last part: always, only where it is sent alone, or never. */
type Keeps = "always" | "alone" | "never";

interface Kind {
  /** Nothing is declared yet, and Northflank has nothing of what will be. */
  readonly begin: () => Scene;
  readonly keeps: (scene: Scene, keeps: Keeps) => void;
  readonly declare: (scene: Scene, spec?: { readonly managementPolicy?: "EnforceOnChange" }) => void;
  /** The spec is edited: another value of the part that is kept. */
  readonly edit: (scene: Scene) => void;
  /** Another client changes the part that is kept. */
  readonly change: (scene: Scene) => void;
  readonly failNext: (scene: Scene, error: Error, options?: { readonly isDone: boolean }) => void;
  readonly whole: string;
  readonly wholeEdited: string;
  readonly alone: string;
  readonly read: string;
  readonly difference: string;
  /** A change is read back for so long before a part counts as not kept. */
  readonly readBackMs: number;
}

const external = { imagePath: "ghcr.io/acme/inference:2" };
const docker = { configType: "customEntrypoint", customEntrypoint: "bash -c start" } as const;
const image3 = { imagePath: "ghcr.io/acme/inference:3" };
const plain = { description: "New", billing: { deploymentPlan: "nf-compute-20" } };
const policy = { backoffLimit: 2 };

const kinds: Readonly<Record<string, Kind>> = {
  NorthflankDeployment: {
    begin: () => {
      const scene = new DeploymentScene();
      scene.northflank.has(service({ docker: { configType: "default" } }));
      scene.afterWrite = () => scene.clock.setTimer(() => scene.northflank.rollout("api", "COMPLETED"), 5_000);
      return scene;
    },
    keeps: ({ northflank }, keeps) => {
      northflank.keeps = (body) => {
        const { docker: _, ...rest } = body;
        return keeps === "always" || (keeps === "alone" && Object.keys(rest).length === 0) ? body : rest;
      };
    },
    declare: (scene, spec = {}) =>
      (scene as DeploymentScene).has(deployment({ spec: { deployment: { external, docker }, ...spec } })),
    edit: (scene) => (scene as DeploymentScene).edit({ deployment: { external: image3, docker } }),
    change: ({ northflank }) =>
      northflank.change("api", { image: "ghcr.io/acme/x:9", external: { imagePath: "ghcr.io/acme/x:9" } as never }),
    failNext: ({ northflank }, ...failure) => northflank.failNext("updateServiceDeployment", ...failure),
    whole: `post api ${JSON.stringify({ external, docker })}`,
    wholeEdited: `post api ${JSON.stringify({ external: image3, docker })}`,
    alone: `post api ${JSON.stringify({ docker })}`,
    read: "get api",
    difference: "deployment.docker.configType is default, declared is customEntrypoint",
    readBackMs: 10_000,
  },
  NorthflankJob: {
    begin: () => {
      const scene = new JobScene();
      scene.northflank.hasSettings("migrate", { settings: { backoffLimit: 0 } });
      return scene;
    },
    keeps: ({ northflank }, keeps) => {
      northflank.keepsSettings = (body) => {
        const { settings: _, ...rest } = body;
        return keeps === "always" || (keeps === "alone" && Object.keys(rest).length === 0) ? body : rest;
      };
    },
    declare: (scene, spec = {}) =>
      (scene as JobScene).has(jobObject({ spec: { settings: { ...plain, ...policy }, ...spec } })),
    edit: (scene) => (scene as JobScene).edit({ settings: { ...plain, ...policy, description: "Newer" } }),
    change: ({ northflank }) => northflank.patchSettings("migrate", { description: "Theirs" }),
    failNext: ({ northflank }, ...failure) => northflank.failNext("patchJob", ...failure),
    whole: `patch job migrate ${JSON.stringify({ ...plain, settings: policy })}`,
    wholeEdited: `patch job migrate ${JSON.stringify({ ...plain, description: "Newer", settings: policy })}`,
    alone: `patch job migrate ${JSON.stringify({ settings: policy })}`,
    read: "get settings of job migrate",
    difference: "backoffLimit is 0, declared is 2",
    readBackMs: 61_000,
  },
};

describe.each(Object.entries(kinds))("a %s", (_kind, kind) => {
  const { keeps, declare, whole, alone } = kind;
  let scene: Scene;

  beforeEach(() => {
    scene = kind.begin();
    keeps(scene, "never");
  });

  const writes = () => scene.northflank.takeCalls().filter((call) => !call.startsWith("get"));

  const corrections = () => {
    const { metadata, status } = scene.object();
    return correctionsInRow(status?.changes, metadata.generation);
  };

  function request(value: string): void {
    scene.annotate({ [reconcileRequestedAt]: value });
  }

  test("whose part is kept when it is sent alone sends it alone once, and is Ready", async () => {
    keeps(scene, "alone");
    declare(scene);
    await scene.work(2 * hour);
    expect(writes()).toEqual([whole, alone]);
    expect(scene.state()).toContain("Ready=True/");
    const { status } = scene.object();
    expect([status?.notKept, corrections()]).toEqual([undefined, []]);
    expect(status?.changes?.map(({ cause }) => cause)).toEqual(["PartResent", "SpecChanged"]);
  });

  describe("whose part is not kept when it is sent alone either", () => {
    async function stalled(spec = {}): Promise<void> {
      declare(scene, spec);
      await scene.work(10 * minute);
      expect(writes()).toEqual([whole, alone]);
      expect(scene.state()).toContain("Ready=False/ChangeNotKept Stalled=True/ChangeNotKept");
      expect(scene.state()).toContain("InSync=False/ChangeNotKept");
    }

    test("names it, and does not send it again for a week", async () => {
      await stalled();
      expect(scene.message()).toContain(kind.difference);
      expect(scene.object().status?.pendingChanges).toHaveLength(1);
      await scene.work(7 * 24 * hour);
      const calls = scene.northflank.takeCalls();
      expect(new Set(calls)).toEqual(new Set([`${kind.read} (change)`]));
      expect(calls.length).toBeLessThanOrEqual(7 * 24 + 20);
      expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
      expect(corrections()).toEqual([]);
      expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "PartResent", phase: "NotKept" });
    });

    test("sends it once more for each reconcile request, alone, and is Ready when it is kept", async () => {
      await stalled();
      for (const value of ["one", "two"]) {
        request(value);
        await scene.work(hour);
        expect(writes()).toEqual([alone]);
        expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
        expect(scene.object().status?.lastHandledReconcileAt).toBe(value);
      }
      keeps(scene, "always");
      request("three");
      await scene.work(hour);
      expect(writes()).toEqual([alone]);
      expect(scene.state()).toContain("Ready=True/");
      expect(scene.object().status?.notKept).toBeUndefined();
    });

    test("sends everything, and the part once alone, after the spec has changed", async () => {
      await stalled();
      kind.edit(scene);
      await scene.work(hour);
      expect(writes()).toEqual([kind.wholeEdited, alone]);
      expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
    });

    test("corrects the rest", async () => {
      await stalled();
      kind.change(scene);
      await scene.work(2 * hour);
      // Both differ.
      expect(writes()).toEqual([whole]);
      expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
    });

    test("is the same under EnforceOnChange, and writes nothing under Observe", async () => {
      await stalled({ managementPolicy: "EnforceOnChange" });
      scene.edit({ managementPolicy: "Observe" });
      await scene.work(hour);
      request("one");
      await scene.work(hour);
      expect(writes()).toEqual([]);
      expect(scene.state()).toContain("Ready=True/DriftObserved");
    });

    test.each([1, 2, 3, 4, 5, 6, 8, 10])(
      "does not send it a third time when reconcile %i is the last of its process",
      async (reconciles) => {
        declare(scene);
        for (let count = 0; count < reconciles; count += 1) {
          await scene.pass();
          await scene.clock.advance(kind.readBackMs / 2);
        }
        scene.restart();
        await scene.work(2 * hour);
        expect(writes()).toEqual([whole, alone]);
        expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
      },
    );

    /** The part is about to be sent alone. */
    async function readBack(): Promise<void> {
      declare(scene);
      await scene.pass();
      await scene.clock.advance(kind.readBackMs);
    }

    test.each<[string, Error]>([
      ["the process dies in the call", new Error("killed")],
      ["its answer is lost", northflankError("interrupted")],
    ])("does not send it a third time when %s", async (_what, error) => {
      await readBack();
      kind.failNext(scene, error, { isDone: true });
      await scene.pass();
      scene.restart();
      await scene.work(2 * hour);
      expect(writes()).toEqual([whole, alone]);
      expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
    });

    test("does not send it before its record is stored", async () => {
      await readBack();
      scene.failStatusIn = 0;
      await scene.pass();
      expect(writes()).toEqual([whole]);
      await scene.work(hour);
      expect(writes()).toEqual([alone]);
    });

    test("does not send it where its record is not stored", async () => {
      scene.prunes = ["notKept"];
      declare(scene);
      await scene.work(5 * hour);
      expect(writes()).toEqual([whole]);
      expect(scene.state()).toContain("Stalled=True/StatusNotStored");
    });

    test("sends it again after it was refused: it never arrived", async () => {
      await readBack();
      kind.failNext(scene, northflankError("rate_limited", { httpStatus: 429 }));
      await scene.work(2 * hour);
      expect(writes()).toEqual([whole, alone, alone]);
      expect(scene.state()).toContain("Stalled=True/ChangeNotKept");
    });
  });
});
