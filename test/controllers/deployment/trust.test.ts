import { beforeEach, describe, expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import { deployment, job, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

/* What the reconciler must not take for granted: its own status, its lease, that a rollout begins, that "now" ends. */

const minute = 60_000;
const restore = { rollout: { wait: true, timeoutSeconds: 900, onFailure: "Restore" } } as const;

let scene: DeploymentScene;

beforeEach(() => {
  scene = new DeploymentScene();
  scene.northflank.has(service());
  scene.northflank.hasJob(job());
});

async function settled(spec: Partial<NorthflankDeployment["spec"]> = {}): Promise<void> {
  scene.has(deployment({ spec }));
  await scene.work(15_000);
  scene.northflank.rollout("api", "COMPLETED");
  await scene.work(30_000);
  expect(scene.kstatus()).toBe("Current");
  scene.northflank.takeCalls();
}

const posts = () => scene.northflank.takeCalls().filter((call) => call.startsWith("post"));

describe("a status without its record, after a restart", () => {
  type Status = NonNullable<NorthflankDeployment["status"]>;

  async function restartedWith(change: (status: Status) => Status): Promise<readonly string[]> {
    const object = scene.object();
    scene.has({ ...object, status: change(object.status as Status) });
    scene.restart();
    await scene.work(1_000);
    return scene.northflank.takeCalls();
  }

  const without =
    (...names: (keyof Status)[]) =>
    (status: Status): Status =>
      Object.fromEntries(Object.entries(status).filter(([name]) => !names.includes(name as keyof Status))) as Status;
  const at = "2026-01-01T00:00:00Z";
  const elsewhere = {
    generation: 1,
    specHash: "0".repeat(32),
    cause: "SpecChanged",
    phase: "Complete",
    time: at,
    since: at,
  } as const;

  test.each<[string, (status: Status) => Status]>([
    ["that has nothing but its conditions", ({ conditions }) => ({ conditions, observedGeneration: 1 }) as Status],
    ["that has no record of what was sent", without("changes")],
    ["and without a time for the next check", without("changes", "nextReconcileTime")],
    [
      "and with an absurd time for it",
      (status) => ({ ...without("changes")(status), nextReconcileTime: "2099-01-01T00:00:00Z" }),
    ],
    ["whose record is of another declaration", (status) => ({ ...status, changes: [elsewhere] })],
  ])("%s confirms nothing: the service is read at once", async (_name, change) => {
    await settled();
    expect(await restartedWith(change)).toEqual(["get api (change)"]);
  });

  test("costs one look at once and no more, also where the record cannot be stored", async () => {
    await settled();
    scene.prunes = ["changes"];
    expect(await restartedWith(without("changes"))).toHaveLength(1);
    for (let n = 0; n < 20; n += 1) await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([]);
  });

  test.each<[string, (status: Status) => Status, number]>([
    ["what was seen, is looked at at once", without("observed"), 1],
    ["what was sent, is at rest", without("changes"), 0],
  ])("that only observes, and has no record of %s", async (_name, change, calls) => {
    await settled({ managementPolicy: "Enforce" });
    scene.edit({ managementPolicy: "Observe" });
    await scene.work(minute);
    scene.northflank.takeCalls();
    expect(await restartedWith(change)).toHaveLength(calls);
  });

  test.each<[string, (status: Status) => Status]>([
    ["as it was written", (status) => status],
    ["without a time for the next check", without("nextReconcileTime")],
    ["with an absurd time for it", (status) => ({ ...status, nextReconcileTime: "2099-01-01T00:00:00Z" })],
  ])("is not what a status is %s: no request", async (_name, change) => {
    await settled();
    expect(await restartedWith(change)).toEqual([]);
  });
});

describe("a process that does not lead any more", () => {
  test("sends no change when it goes on after it was frozen", async () => {
    scene.has(deployment());
    scene.duringLook = () => {
      scene.isLeaderFor = (durationMs) => durationMs < 1_000;
    };
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 1_000, priority: "change" });
    expect(posts()).toEqual([]);
  });

  test("writes no status over that of its successor", async () => {
    await settled();
    scene.northflank.rollout("api", "FAILED");
    await scene.clock.advance(20 * minute);
    scene.statusWrites = 0;
    scene.duringLook = () => {
      scene.isLeaderFor = () => false;
    };
    expect(await scene.pass()).toMatchObject({ kind: "retry" });
    expect(scene.statusWrites).toBe(0);
  });
});

describe("a change for which Northflank begins no rollout", () => {
  const credentials = { deployment: { external: { imagePath: "ghcr.io/acme/api:2", credentials: "ghcr" } } };

  test.each(["Report", "Restore"] as const)(
    "is Ready after the time that a rollout has, under %s",
    async (onFailure) => {
      await settled({ rollout: { ...restore.rollout, onFailure } });
      scene.edit(credentials);
      await scene.work(14 * minute);
      expect(scene.state()).toContain("Ready=Unknown/RollingOut");
      await scene.work(2 * minute);
      expect(scene.message()).toContain("began no rollout for it within 15m; the last rollout is complete");
      expect(posts()).toHaveLength(1);
      const state = scene.state();
      expect(state).toContain("Ready=True/RolloutComplete");
      expect(scene.object().status?.changes?.[0]?.phase).toBe("Complete");
      scene.restart();
      await scene.work(60 * minute);
      expect(scene.state()).toBe(state);
      expect(posts()).toEqual([]);
    },
  );

  test("is late, and not undone, where the rollout before it had failed", async () => {
    await settled(restore);
    scene.northflank.rollout("api", "FAILED");
    await scene.work(20 * minute);
    const before = scene.northflank.takeCalls().filter((call) => call.startsWith("post"));
    scene.edit(credentials);
    await scene.work(20 * minute);
    expect(scene.state()).toContain("Stalled=True/RolloutTimedOut");
    expect(scene.message()).toContain("; nothing is restored, because Northflank began no rollout for it.");
    expect([before, posts()]).toEqual([[], [expect.stringContaining("credentials")]]);
  });

  test("is not undone for the failure of the rollout before it, where the answer was lost", async () => {
    await settled(restore);
    scene.northflank.rollout("api", "FAILED");
    await scene.work(20 * minute);
    scene.northflank.takeCalls();
    scene.northflank.failNext("updateServiceDeployment", northflankError("timeout"), { isDone: true });
    scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    await scene.work(20 * minute);
    expect(posts()).toEqual([expect.stringContaining("api:3")]);
    expect(scene.message()).toContain("; nothing is restored, because Northflank began no rollout for it.");
  });

  test("is late, and not undone, where Northflank returns no state", async () => {
    await settled(restore);
    scene.northflank.change("api", { rolloutStatus: undefined, rolloutTransitionTime: undefined });
    scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    await scene.work(60 * minute);
    expect(scene.message()).toContain(
      "; nothing is restored, because Northflank does not return how far the rollout is.",
    );
    expect(posts()).toHaveLength(1);
  });
});

/*
 * Every "now" of the reconciler, and why it ends:
 *
 * | where | why the next pass is another one |
 * |---|---|
 * | requeueAtOnce after the read, or the record | the object in the store is another one than was read |
 * | restore: the intent is recorded | the record is in the status, so that the next pass sends; else back-off |
 * | a pause until a deadline | never under 100 ms |
 */
describe('"now" ends', () => {
  test("where an object is edited in each look: as often as it is edited", async () => {
    scene.has(deployment());
    let edits = 0;
    const edit = () => {
      if (edits++ < 5) scene.duringLook = edit;
      scene.edit({ deployment: { external: { imagePath: `ghcr.io/acme/api:${edits + 2}` } } });
    };
    scene.duringLook = edit;
    for (let n = 0; n < 30; n += 1) await scene.pass();
    const calls = scene.northflank.takeCalls();
    expect(calls.filter((call) => call.startsWith("get"))).toHaveLength(edits + 1);
    expect(calls.filter((call) => call.startsWith("post"))).toHaveLength(1);
  });

  test("where the object was deleted and the watch has not said so", async () => {
    await settled();
    // A change of what Northflank does not return is recorded before it is sent.
    scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:2", credentials: "ghcr" } } });
    scene.failStatus = new KubeError({ code: "not_found", step: "patch", detail: "gone", httpStatus: 404 });
    expect(await scene.pass()).toEqual({ kind: "settled" });
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
  });

  test("where the record of a rollback is not stored", async () => {
    await settled(restore);
    scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    await scene.pass();
    scene.prunes = ["changes"];
    scene.northflank.rollout("api", "FAILED");
    await scene.clock.advance(minute);
    const unstored = { kind: "retry", error: { message: expect.stringContaining("apply the CRDs") } };
    expect(await scene.pass()).toMatchObject(unstored);
    for (let n = 0; n < 5; n += 1) {
      // Without any record the failed rollout counts from each look, and is nothing to undo.
      const outcome = await scene.pass();
      expect(outcome.kind === "recheck" && outcome.afterMs >= 10_000, JSON.stringify(outcome)).toBe(true);
    }
    expect(posts()).toEqual([expect.stringContaining("api:3")]);
  });
});
