import { describe, expect, test } from "vitest";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import { deployment, jobObject, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { JobScene } from "../../support/job-scene.ts";

/* A change is sent only where the read before it and the write fit into what is left of the quota. */

const hour = 3_600_000;

interface Kind {
  readonly begin: () => DeploymentScene | JobScene;
  readonly edit: (scene: DeploymentScene | JobScene) => void;
}

const kinds: Readonly<Record<string, Kind>> = {
  NorthflankDeployment: {
    begin: () => {
      const scene = new DeploymentScene();
      scene.northflank.has(service());
      scene.has(deployment());
      return scene;
    },
    edit: (scene) => (scene as DeploymentScene).edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } }),
  },
  NorthflankJob: {
    begin: () => {
      const scene = new JobScene();
      scene.northflank.hasSettings("migrate", { description: "Old" });
      scene.has(jobObject({ spec: { settings: { description: "Ours" } } }));
      return scene;
    },
    edit: (scene) => (scene as JobScene).edit({ settings: { description: "Ours again" } }),
  },
};

describe.each(Object.entries(kinds))("a change of a %s", (_kind, { begin, edit }) => {
  const sent = async (scene: DeploymentScene | JobScene) => {
    scene.northflank.takeCalls();
    await scene.pass();
    return scene.northflank.takeCalls().length;
  };
  const readyReason = (scene: DeploymentScene | JobScene) =>
    scene.object().status?.conditions?.find(({ type }) => type === "Ready")?.reason;

  test("waits without a read where one request is left, and is sent with two", async () => {
    for (const left of [1, 2]) {
      const scene = begin();
      scene.northflank.quota.limitPerHour = 2 + left;
      expect(await sent(scene)).toBe(2);
      edit(scene);
      expect(await sent(scene)).toBe(left === 1 ? 0 : 2);
      expect(readyReason(scene) === "WaitingForQuota").toBe(left === 1);
    }
  });

  test("gives back what was set aside for a write that was not needed", async () => {
    const scene = begin();
    scene.northflank.quota.limitPerHour = 6;
    expect(await sent(scene)).toBe(2);
    // Requested, so that it is read as if a user waited; nothing is to be written.
    for (const time of ["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"]) {
      await scene.clock.advance(hour / 60);
      scene.annotate({ [reconcileRequestedAt]: time });
      expect(await sent(scene)).toBe(1);
    }
    edit(scene);
    expect(await sent(scene)).toBe(2);
  });

  test("is read with the last request where nothing is written", async () => {
    const scene = begin();
    scene.northflank.quota.limitPerHour = 3;
    expect(await sent(scene)).toBe(2);
    (scene as DeploymentScene).edit({ managementPolicy: "Observe" });
    expect(await sent(scene)).toBe(1);
    expect(readyReason(scene)).not.toBe("WaitingForQuota");
  });

  test("gives back what was set aside for a read that failed", async () => {
    const scene = begin();
    scene.northflank.quota.limitPerHour = 3;
    for (const method of ["getService", "getJobSettings"] as const) {
      scene.northflank.failNext(method, northflankError("unreachable", { sent: false }));
    }
    expect(await sent(scene)).toBe(1);
    expect(await sent(scene)).toBe(2);
  });
});
