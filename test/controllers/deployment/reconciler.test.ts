import { beforeEach, describe, expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import { reconcileRequestedAt, revision } from "../../../src/api/names.ts";
import { knownHash } from "../../../src/controllers/deployment/changes.ts";
import type { ReadyState } from "../../../src/controllers/reconcile/ready-state.ts";
import { conflictsMayChange, conflictsOf } from "../../../src/controllers/target/conflicts.ts";
import { correctionsOf } from "../../../src/controllers/target/drift.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import type { Condition } from "../../../src/kube/types.ts";
import type { ServiceView } from "../../../src/northflank/types.ts";
import { deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

const post = 'post api {"external":{"imagePath":"ghcr.io/acme/api:2"}}';
const image = "ghcr.io/acme/api:2";
const settledAt =
  "Ready=True/RolloutComplete Accepted=True/Accepted InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current";

let scene: DeploymentScene;

beforeEach(() => {
  scene = new DeploymentScene();
  scene.northflank.has(service());
});

/** An object whose image is deployed and rolled out; calls, events and metrics so far are taken. */
async function settled(parts: Parameters<typeof deployment>[0] = {}): Promise<void> {
  scene.has(deployment(parts));
  await scene.pass();
  await scene.clock.advance(10_000);
  scene.northflank.rollout("api", "COMPLETED");
  await scene.pass();
  expect(scene.kstatus()).toBe("Current");
  scene.northflank.takeCalls();
  scene.takeEvents();
  scene.metrics.length = 0;
  scene.statusWrites = 0;
}

/** The part of a service that tells its image. */
function running(imagePath: string): Pick<ServiceView, "image" | "external"> {
  return { image: imagePath, external: { imagePath, credentials: undefined, registryProvider: undefined } };
}

async function minutes(count: number): Promise<void> {
  await scene.clock.advance(count * 60_000);
}

describe("a new image", () => {
  test("is read, written once, followed to its end, and settled", async () => {
    scene.has(deployment());
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 10_000, priority: "follow" });
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", post]);
    expect(scene.state()).toBe(
      "Ready=Unknown/RollingOut Reconciling=True/Progressing Accepted=True/Accepted InSync=True/InSync " +
        "RolloutComplete=Unknown/RollingOut -> InProgress",
    );

    await scene.clock.advance(10_000);
    scene.northflank.rollout("api", "IN_PROGRESS");
    expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs: 10_000 });
    await scene.clock.advance(10_000);
    scene.northflank.rollout("api", "COMPLETED");
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 900_000, priority: "resync" });

    expect(scene.northflank.takeCalls()).toEqual(["get api (run)", "get api (run)"]);
    expect(scene.state()).toBe(settledAt);
    expect(scene.takeEvents()).toEqual([
      `Normal ChangeApplied: Set the source to ${image} as declared (it was ghcr.io/acme/api:1).`,
      `Normal RolloutComplete: Northflank has ${image}, and the rollout is complete. It took 20s.`,
    ]);
    expect(scene.metrics).toEqual(["change", "ready after 20 s"]);
    expect(scene.object().status).toMatchObject({
      target: "service/api",
      image,
      changes: [
        {
          generation: 1,
          source: image,
          previousSource: "ghcr.io/acme/api:1",
          cause: "SpecChanged",
          phase: "Complete",
        },
      ],
      nextReconcileTime: "2026-01-01T00:15:20Z",
    });
  });

  test("is measured until Ready also where the spec is edited during the reconcile that makes it Ready", async () => {
    scene.has(deployment());
    await scene.pass();
    await scene.clock.advance(20_000);
    scene.northflank.rollout("api", "COMPLETED");
    scene.duringLook = () => scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    await scene.pass();
    expect(scene.metrics).toEqual(["change", "ready after 20 s"]);
  });

  test("takes two status writes in all, however long the rollout takes and whatever it shows meanwhile", async () => {
    scene.has(deployment());
    for (const state of ["COMPLETED", "PENDING", "IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]) {
      await scene.pass();
      await scene.clock.advance(10_000);
      if (state !== "COMPLETED" || scene.statusWrites > 0) scene.northflank.rollout("api", state);
    }
    await scene.pass();
    expect(scene.state()).toBe(settledAt);
    expect(scene.statusWrites).toBe(2);
  });

  test("is not written when it is there already", async () => {
    scene.northflank.has(service({ imagePath: image }));
    scene.has(deployment());
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
    expect(scene.state()).toBe(settledAt);
    expect(scene.takeEvents()).toEqual([]);
  });

  test("is not taken for rolled out while Northflank still shows the rollout before", async () => {
    scene.has(deployment());
    await scene.pass();
    await scene.clock.advance(10_000);
    await scene.pass();
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    expect(scene.object().status?.image).toBe(image);
  });

  test("is Ready at once when the rollout is not waited for, and costs no further look", async () => {
    scene.has(deployment({ spec: { rollout: { wait: false, timeoutSeconds: 900, onFailure: "Report" } } }));
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 900_000, priority: "resync" });
    expect(scene.state()).toContain("Ready=True/InSync");
    expect(scene.state()).toContain("RolloutComplete=Unknown/RollingOut -> Current");
  });

  test("is polled ever more rarely, up to once a minute, while the rollout goes on", async () => {
    scene.has(deployment({ spec: { rollout: { wait: true, timeoutSeconds: 3_600, onFailure: "Report" } } }));
    await scene.pass();
    scene.northflank.rollout("api", "IN_PROGRESS");
    scene.northflank.takeCalls();
    const pauses: number[] = [];
    for (let elapsedMs = 0; elapsedMs < 600_000; ) {
      const outcome = await scene.pass();
      const afterMs = outcome.kind === "recheck" ? outcome.afterMs : 0;
      pauses.push(afterMs / 1_000);
      elapsedMs += afterMs;
      await scene.clock.advance(afterMs);
    }
    expect(Math.min(...pauses)).toBe(10);
    expect(Math.max(...pauses)).toBe(60);
    expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
    expect(scene.northflank.takeCalls().length).toBeLessThan(25);
    expect(scene.statusWrites).toBe(1);
  });

  test("that was edited while Northflank was being read is not written; the new one is", async () => {
    scene.has(deployment());
    scene.duringLook = () => scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 0, priority: "change" });
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([
      "get api (change)",
      'post api {"external":{"imagePath":"ghcr.io/acme/api:3"}}',
    ]);
  });

  test("of an object that was deleted meanwhile is not written", async () => {
    scene.has(deployment());
    scene.duringLook = () => scene.remove("shop/api");
    await scene.pass();
    expect(await scene.pass()).toEqual({ kind: "settled" });
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
  });

  test("supersedes one that is still rolling out, and the history keeps five", async () => {
    scene.has(deployment());
    await scene.pass();
    for (let tag = 3; tag <= 8; tag++) {
      scene.edit({ deployment: { external: { imagePath: `ghcr.io/acme/api:${tag}` } } });
      await scene.pass();
    }
    const changes = scene.object().status?.changes ?? [];
    expect(changes.map(({ source, phase }) => `${source?.slice(-1)} ${phase}`)).toEqual([
      "8 RollingOut",
      "7 Superseded",
      "6 Superseded",
      "5 Superseded",
      "4 Superseded",
    ]);
  });
});

describe("a rollout", () => {
  test("that fails is Stalled, told once, and looked at again in an hour", async () => {
    scene.has(deployment());
    await scene.pass();
    await scene.clock.advance(10_000);
    scene.northflank.rollout("api", "FAILED");
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 3_600_000, priority: "resync" });
    expect(scene.state()).toContain("Ready=False/RolloutFailed Stalled=True/RolloutFailed");
    expect(scene.kstatus()).toBe("Failed");
    expect(scene.object().status?.changes?.[0]?.phase).toBe("Failed");
    scene.takeEvents();
    await minutes(60);
    await scene.pass();
    expect(scene.takeEvents()).toEqual([]);
  });

  test("that fails without a change of ours is Stalled too", async () => {
    scene.northflank.has(service({ imagePath: image, rolloutStatus: "FAILED" }));
    scene.has(deployment());
    await scene.pass();
    expect(scene.state()).toContain("Stalled=True/RolloutFailed");
  });

  test("is late after the timeout, not a second before, and complete when it completes after all", async () => {
    scene.has(deployment({ spec: { rollout: { wait: true, timeoutSeconds: 60, onFailure: "Report" } } }));
    await scene.pass();
    scene.northflank.rollout("api", "IN_PROGRESS");
    await scene.clock.advance(59_000);
    expect(await scene.pass()).toMatchObject({ afterMs: 1_000 });
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    await scene.clock.advance(1_000);
    expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs: 300_000 });
    expect(scene.state()).toContain("Ready=False/RolloutTimedOut Stalled=True/RolloutTimedOut");
    expect(scene.object().status?.changes?.[0]?.phase).toBe("TimedOut");

    await minutes(5);
    await scene.pass();
    expect(scene.state()).toContain("Stalled=True/RolloutTimedOut");
    await minutes(5);
    scene.northflank.rollout("api", "COMPLETED");
    await scene.pass();
    expect(scene.state()).toBe(settledAt);
    expect(scene.object().status?.changes?.[0]?.phase).toBe("Complete");
  });

  test("that Northflank starts again on its own has a timeout of its own", async () => {
    await settled();
    await minutes(600);
    scene.northflank.rollout("api", "IN_PROGRESS");
    await scene.pass();
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    await scene.clock.advance(10_000);
    await scene.pass();
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
  });

  test("is not a step of the autoscaler", async () => {
    await settled();
    await minutes(16);
    scene.northflank.rollout("api", "IN_PROGRESS", { rolloutReason: "SCALING" });
    await scene.pass();
    expect(scene.state()).toBe(settledAt);
  });
});

describe("a restart", () => {
  test("costs a settled object nothing: no remote call, no write, until the next tick of its period", async () => {
    await settled();
    await minutes(7);
    scene.restart();
    const outcome = await scene.pass();
    expect(outcome).toMatchObject({ kind: "recheck", priority: "resync" });
    expect({ calls: scene.northflank.takeCalls(), writes: scene.statusWrites }).toEqual({ calls: [], writes: 0 });
    await scene.clock.advance(outcome.kind === "recheck" ? outcome.afterMs : 0);
    await scene.pass();
    expect({ calls: scene.northflank.takeCalls(), writes: scene.statusWrites }).toEqual({
      calls: ["get api (observe)"],
      writes: 0,
    });
  });

  test("that is not due is not judged again, and an edit of it is", async () => {
    await settled();
    await scene.pass();
    scene.judged = 0;
    await scene.pass();
    expect(scene.judged).toBe(0);
    scene.edit({ resyncPeriodSeconds: 600 });
    await scene.pass();
    expect(scene.judged).toBe(1);
  });

  test("after days of standstill costs 300 settled objects no call at once, and one each within a period", async () => {
    await settled();
    const { status = { observedGeneration: -1 } } = scene.object();
    for (let n = 0; n < 300; n++) {
      const name = `api-${n}`;
      scene.northflank.has(service({ id: name, imagePath: image }));
      const planned = new Date(Date.parse("2026-01-01T00:15:00Z") + n * 3_000).toISOString();
      scene.has(
        deployment({
          metadata: { name },
          spec: { serviceId: name },
          status: { ...status, nextReconcileTime: planned },
        }),
      );
    }
    await minutes(4_000);
    scene.restart();
    const dues: number[] = [];
    for (let n = 0; n < 300; n++) {
      const outcome = await scene.pass(`shop/api-${n}`);
      dues.push(outcome.kind === "recheck" ? outcome.afterMs : -1);
    }
    expect(scene.northflank.takeCalls()).toEqual([]);
    expect(scene.statusWrites).toBe(0);
    expect(Math.min(...dues)).toBeGreaterThan(0);
    expect(Math.max(...dues)).toBeLessThanOrEqual(900_000);
    expect(new Set(dues).size).toBe(300);
  });

  test("between the change and its status reads back and does not write again", async () => {
    await settled();
    scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    scene.failStatus = new Error("killed");
    await scene.pass();
    expect(scene.northflank.takeCalls()).toHaveLength(2);
    scene.restart();
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    await scene.clock.advance(10_000);
    scene.northflank.rollout("api", "COMPLETED");
    await scene.pass();
    expect(scene.state()).toBe(settledAt);
  });

  test("between the change and its status may write once more where Northflank does not tell what was set", async () => {
    const declared = (tag: number) => ({
      external: { imagePath: `ghcr.io/acme/api:${tag}` },
      docker: { configType: "default" as const },
    });
    await settled({ spec: { deployment: declared(2) } });
    scene.northflank.change("api", { docker: undefined });
    scene.edit({ deployment: declared(3) });
    scene.northflank.failNext("updateServiceDeployment", new Error("killed"), { isDone: true });
    await scene.pass();
    scene.northflank.change("api", { docker: undefined });
    scene.restart();
    await scene.pass();
    scene.northflank.change("api", { docker: undefined });
    scene.restart();
    await scene.clock.advance(10_000);
    await scene.pass();
    expect(scene.northflank.takeCalls().filter((call) => call.startsWith("post"))).toHaveLength(2);
  });

  test("during a rollout goes on following it", async () => {
    scene.has(deployment());
    await scene.pass();
    scene.restart();
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 10_000, priority: "follow" });
    await scene.clock.advance(10_000);
    scene.northflank.rollout("api", "COMPLETED");
    await scene.pass();
    expect(scene.state()).toBe(settledAt);
  });

  test("leaves a stalled object to its slow probe", async () => {
    scene.northflank.failNext("getService", northflankError("forbidden", { httpStatus: 403 }));
    scene.has(deployment());
    await scene.pass();
    scene.northflank.takeCalls();
    await minutes(10);
    scene.restart();
    expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs: 3_000_000 });
    expect(scene.northflank.takeCalls()).toEqual([]);
  });
});

describe("a settled object", () => {
  test("costs nothing however often it is woken", async () => {
    await settled();
    for (let n = 0; n < 10; n++) await scene.pass();
    expect({ calls: scene.northflank.takeCalls(), writes: scene.statusWrites }).toEqual({ calls: [], writes: 0 });
  });

  test("is read once per period, and nothing is written to Kubernetes for it", async () => {
    await settled();
    for (let n = 0; n < 4; n++) {
      await minutes(15);
      await scene.pass();
    }
    expect(scene.northflank.takeCalls()).toEqual(Array.from({ length: 4 }, () => "get api (observe)"));
    expect(scene.statusWrites).toBe(0);
  });

  test("with a period of 0 is never read by itself", async () => {
    await settled({ spec: { resyncPeriodSeconds: 0 } });
    await minutes(10_000);
    expect(await scene.pass()).toEqual({ kind: "settled" });
    expect(scene.northflank.takeCalls()).toEqual([]);
  });

  test("with a period of its own keeps that", async () => {
    await settled({ spec: { resyncPeriodSeconds: 60 } });
    await scene.clock.advance(59_000);
    expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs: 1_000 });
  });
});

describe("a reconcile request", () => {
  test("is answered with one look and its echo", async () => {
    await settled();
    await minutes(1);
    scene.annotate({ [reconcileRequestedAt]: "t1" });
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
    expect(scene.object().status?.lastHandledReconcileAt).toBe("t1");
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([]);
  });

  test.each([
    ["the quota allows no request", northflankError("quota_closed", { sent: false, retryAfterMs: 600_000 })],
    ["Northflank is away", northflankError("unreachable")],
    ["Northflank is slow", northflankError("timeout")],
  ])("stays open while %s, and is answered by the next try, which comes in its time", async (_why, error) => {
    await settled();
    await minutes(1);
    scene.northflank.failNext("getService", error);
    scene.annotate({ [reconcileRequestedAt]: "t1" });
    const outcome = await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
    expect(scene.object().status?.lastHandledReconcileAt).toBeUndefined();
    expect(scene.object().status?.observedGeneration).toBe(scene.object().metadata.generation);
    if (outcome.kind === "recheck") {
      expect(outcome.afterMs).toBe(600_000);
      // Somebody else wakes it meanwhile: the request was tried, and is no reason to ask again every few seconds.
      await minutes(1);
      expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs: 540_000 });
      expect(scene.northflank.takeCalls()).toEqual([]);
      await minutes(9);
    } else {
      // A back-off of the queue, which another outcome would end.
      expect(outcome).toMatchObject({ kind: "retry" });
    }
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
    expect(scene.object().status?.lastHandledReconcileAt).toBe("t1");
  });

  test("that is changed many times a second costs one look in five seconds", async () => {
    await settled();
    await minutes(1);
    for (let n = 0; n < 100; n++) {
      scene.annotate({ [reconcileRequestedAt]: `t${n}` });
      await scene.pass();
      await scene.clock.advance(10);
    }
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
    await scene.clock.advance(5_000);
    await scene.pass();
    expect(scene.object().status?.lastHandledReconcileAt).toBe("t99");
  });

  const blockedBy = (kind: ReadyState["kind"], reason: ReadyState["reason"]) => () => {
    scene.resolution = () => ({
      kind: "blocked",
      readyState: { kind, reason, message: "Why." },
      recheckAfterMs: 1_000,
    });
  };
  test.each([
    ["suspended", () => scene.edit({ suspend: true })],
    ["invalid", () => scene.has({ ...scene.object(), prunedFields: ["spec.sespend: ?"] })],
    ["of an unknown connection", blockedBy("stalled", "ConnectionNotFound")],
    ["of a suspended connection", blockedBy("waiting", "ConnectionSuspended")],
    ["of a missing target", () => scene.northflank.failNext("getService", northflankError("not_found"))],
    ["of a job", () => scene.edit({ serviceId: undefined, jobId: "etl" } as unknown as NorthflankDeployment["spec"])],
  ])("of an object that is %s is echoed as well", async (_sentence, bring) => {
    await settled();
    await minutes(1);
    bring();
    scene.annotate({ [reconcileRequestedAt]: "t1" });
    await scene.pass();
    expect(scene.object().status?.lastHandledReconcileAt).toBe("t1");
    expect(scene.object().status?.observedGeneration).toBe(scene.object().metadata.generation);
  });
});

describe("drift", () => {
  async function drift(): Promise<void> {
    scene.northflank.rollout("api", "COMPLETED", running("ghcr.io/acme/api:9"));
  }

  test("is corrected at the next resync, counted and told", async () => {
    await settled();
    await minutes(15);
    await drift();
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (observe)", post]);
    expect(scene.metrics).toEqual(["drift", "change"]);
    expect(scene.takeEvents()).toEqual([
      `Normal ChangeApplied: Set the source to ${image} because it had been changed elsewhere (it was ghcr.io/acme/api:9).`,
    ]);
    expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "DriftCorrected", phase: "RollingOut" });
    expect(correctionsOf(scene.object())).toHaveLength(1);
  });

  async function fight(): Promise<void> {
    await settled({ spec: { resyncPeriodSeconds: 60 } });
    for (let n = 0; n < 3; n++) {
      await minutes(1);
      await drift();
      await scene.pass();
    }
    await minutes(1);
    await drift();
    scene.northflank.takeCalls();
    await scene.pass();
  }

  test("that comes back after three corrections within ten minutes is a fight: no fourth write", async () => {
    await fight();
    expect(scene.northflank.takeCalls()).toEqual(["get api (run)"]);
    expect(scene.state()).toContain("Ready=False/FightDetected Stalled=True/FightDetected");
    await minutes(30);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([expect.stringMatching(/^get/)]);
    expect(scene.state()).toContain("Stalled=True/FightDetected");
  });

  test.each([
    ["a reconcile request", () => scene.annotate({ [reconcileRequestedAt]: "again" })],
    ["another spec", () => scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } })],
  ])("that was a fight is written against again after %s", async (_sentence, act) => {
    await fight();
    scene.northflank.takeCalls();
    await minutes(1);
    act();
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", expect.stringMatching(/^post api/)]);
  });

  test("that was a fight is over when the other gives in", async () => {
    await fight();
    await minutes(1);
    scene.northflank.rollout("api", "COMPLETED", running(image));
    await scene.pass();
    expect(scene.state()).toBe(settledAt);
  });

  test("that comes back after a check that found none is corrected each time", async () => {
    await settled();
    for (let n = 0; n < 5; n++) {
      await minutes(15);
      await scene.pass();
      await minutes(15);
      await drift();
      await scene.settle(60_000 - 1).catch(() => undefined);
      scene.northflank.rollout("api", "COMPLETED");
      // The rollouts before it took four minutes.
      await scene.settle(300_000);
    }
    expect(scene.metrics.filter((metric) => metric === "drift")).toHaveLength(5);
    expect(scene.state()).toBe(settledAt);
  });

  test("under EnforceOnChange is shown, Ready stays True, and nothing is written", async () => {
    await settled({ spec: { managementPolicy: "EnforceOnChange" } });
    await minutes(15);
    await drift();
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (observe)"]);
    expect(scene.state()).toContain("Ready=True/DriftObserved");
    expect(scene.state()).toContain("InSync=False/DriftObserved");
    expect(scene.kstatus()).toBe("Current");
    expect(scene.object().status?.pendingChanges).toEqual([
      { path: "deployment.external.imagePath", from: "ghcr.io/acme/api:9", to: image },
    ]);
    expect(scene.metrics).toEqual(["drift"]);
    await minutes(15);
    await scene.pass();
    expect(scene.metrics).toEqual(["drift"]);
    expect(scene.statusWrites).toBe(1);
  });

  test("under EnforceOnChange is written over when the spec changes", async () => {
    await settled({ spec: { managementPolicy: "EnforceOnChange" } });
    await drift();
    scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", expect.stringContaining("api:3")]);
  });

  test("under Observe is shown field by field and never written", async () => {
    scene.has(deployment({ spec: { managementPolicy: "Observe" } }));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
    expect(scene.state()).toContain("Ready=True/DriftObserved");
    expect(scene.object().status?.pendingChanges).toEqual([
      { path: "deployment.external.imagePath", from: "ghcr.io/acme/api:1", to: image },
    ]);
    scene.northflank.has(service({ imagePath: image }));
    await minutes(15);
    await scene.pass();
    expect(scene.state()).toContain("Ready=True/Observed");
    expect(scene.object().status?.pendingChanges).toBeUndefined();
  });
});

describe("suspend", () => {
  test("from the beginning: nothing is read, Ready is False, InProgress", async () => {
    scene.has(deployment({ spec: { suspend: true } }));
    expect(await scene.pass()).toEqual({ kind: "settled" });
    expect(scene.northflank.takeCalls()).toEqual([]);
    expect(scene.state()).toMatch(/^Ready=False\/Suspended Suspended=True\/Suspended .* -> InProgress$/);
  });

  test("with an applied spec leaves Ready as it was", async () => {
    await settled();
    scene.edit({ suspend: true });
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([]);
    expect(scene.state()).toBe(settledAt.replace(" Accepted", " Suspended=True/Suspended Accepted"));
    await scene.pass();
    expect(scene.kstatus()).toBe("Current");
    expect(scene.statusWrites).toBe(1);
  });

  test("with an edited spec is Ready=False", async () => {
    await settled();
    scene.edit({ suspend: true, deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    await scene.pass();
    expect(scene.state()).toMatch(/^Ready=False\/Suspended/);
    expect(scene.state()).toContain("InSync=Unknown/Suspended");
  });

  test("that ends is followed by a look at once", async () => {
    scene.has(deployment({ spec: { suspend: true } }));
    await scene.pass();
    scene.edit({ suspend: false });
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", post]);
  });
});

describe("two objects with one target", () => {
  const older = () => deployment({ metadata: { name: "older", creationTimestamp: "2025-12-31T22:00:00Z" } });

  test("the older one wins, the other sends nothing and says who wins", async () => {
    scene.has(older());
    scene.has(deployment());
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([]);
    expect(scene.state()).toContain("Stalled=True/TargetConflict Accepted=False/TargetConflict");
    expect(scene.message()).toContain("older NorthflankDeployment shop/older");
    await scene.pass("shop/older");
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", post]);
  });

  test("with one age, namespace and name decide", async () => {
    scene.has(deployment({ metadata: { name: "aaa" } }));
    scene.has(deployment());
    await scene.pass();
    expect(scene.state()).toContain("TargetConflict");
    await scene.pass("shop/aaa");
    expect(scene.state("shop/aaa")).toContain("RollingOut");
  });

  test("the heir takes over within one pass once the winner goes", async () => {
    const owner = older();
    scene.has(owner);
    scene.has(deployment());
    await scene.pass();
    scene.remove("shop/older");
    expect(conflictsOf(scene.store, owner)).toEqual(["shop/api"]);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", post]);
  });

  test("a winner that is being deleted is none", async () => {
    scene.has(deployment({ metadata: { name: "older", deletionTimestamp: "2026-01-01T00:00:00Z" } }));
    scene.has(deployment());
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", post]);
  });

  test("one that only observes holds nothing and waits for nobody, whichever is older", async () => {
    const observed = { managementPolicy: "Observe" } as const;
    scene.has(deployment({ metadata: { name: "older", creationTimestamp: "2025-12-31T22:00:00Z" }, spec: observed }));
    scene.has(deployment({ spec: { deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } } }));
    const younger = { name: "younger", creationTimestamp: "2026-01-01T00:00:00Z" };
    scene.has(deployment({ metadata: younger, spec: observed }));
    for (const key of ["shop/older", "shop/younger", "shop/api"]) await scene.pass(key);
    expect(scene.northflank.takeCalls()).toEqual([
      "get api (change)",
      "get api (change)",
      "get api (change)",
      'post api {"external":{"imagePath":"ghcr.io/acme/api:3"}}',
    ]);
    expect(scene.state("shop/older")).toContain("Ready=True/DriftObserved");
    expect(scene.state("shop/younger")).toContain("Ready=True/DriftObserved");
    expect(scene.state()).toContain("RollingOut");
  });

  test("change places with the policy: who begins to write by age, who observes at once", async () => {
    scene.has({ ...older(), spec: { ...older().spec, managementPolicy: "Observe" } });
    scene.has(deployment({ spec: { deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } } }));
    await scene.pass("shop/older");
    await scene.pass();
    scene.northflank.takeCalls();

    const observing = scene.object("shop/older");
    scene.edit({ managementPolicy: "EnforceOnChange" }, "shop/older");
    expect(conflictsMayChange(observing, scene.object("shop/older"))).toBe(true);
    expect(conflictsOf(scene.store, scene.object("shop/older"))).toEqual(["shop/api"]);
    await scene.pass("shop/older");
    await scene.pass();
    expect(scene.state()).toContain("Stalled=True/TargetConflict");
    expect(scene.message()).toContain("or set spec.managementPolicy of one to Observe");
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", post]);

    scene.edit({ managementPolicy: "Observe" }, "shop/older");
    expect(conflictsOf(scene.store, scene.object("shop/older"))).toEqual(["shop/api"]);
    await scene.pass();
    expect(scene.state()).toContain("RollingOut");
    scene.remove("shop/older");
    await scene.settle();
    expect(scene.state()).not.toContain("TargetConflict");
  });

  test("in different accounts are no rivals; in one account through two connections they are", async () => {
    scene.has({ ...older(), spec: { ...older().spec, connectionRef: { name: "other" } } });
    scene.has(deployment());
    await scene.pass();
    expect(scene.state()).toContain("RollingOut");
    scene.resolution = () => ({
      kind: "usable",
      account: { api: scene.northflank.api, pool: "one", address: "https://api.northflank.com", version: "1" },
    });
    scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    await scene.pass();
    expect(scene.state()).toContain("TargetConflict");
  });
});

describe("a refusal", () => {
  test("of the token is met with another read of the Secret, and the look goes on with a rotated one", async () => {
    scene.northflank.failNext("getService", northflankError("unauthorized", { httpStatus: 401 }));
    scene.has(deployment());
    await scene.pass();
    expect(scene.rejectedTokens).toBe(1);
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", "get api (change)", post]);
  });

  test("of the token twice in a row is AuthenticationFailed, without a third try", async () => {
    const refused = northflankError("unauthorized", { httpStatus: 401 });
    scene.northflank.failNext("getService", refused);
    scene.northflank.failNext("getService", refused);
    scene.has(deployment());
    await scene.pass();
    expect(scene.northflank.takeCalls()).toHaveLength(2);
    expect(scene.state()).toContain("Stalled=True/AuthenticationFailed");
    expect(scene.object().status?.failure).toMatchObject({ class: "Terminal", httpStatus: 401, count: 1 });
  });

  test("for quota waits, and Ready is Unknown while the spec was never applied", async () => {
    scene.northflank.failNext("getService", northflankError("quota_closed", { retryAfterMs: 600_000, sent: false }));
    scene.has(deployment());
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 600_000, priority: "follow" });
    expect(scene.state()).toMatch(/^Ready=Unknown\/WaitingForQuota Reconciling=True\/Progressing .* InProgress$/);
    expect(scene.object().status?.failure).toBeUndefined();
  });

  test("for quota at a resync leaves Ready True", async () => {
    await settled();
    await minutes(15);
    scene.northflank.failNext("getService", northflankError("rate_limited", { retryAfterMs: 600_000 }));
    await scene.pass();
    expect(scene.state()).toBe(settledAt);
    expect(scene.statusWrites).toBe(0);
  });

  test("that may pass is retried with the queue's back-off, and Ready says so", async () => {
    scene.northflank.failNext("getService", northflankError("server_error", { httpStatus: 502, retryAfterMs: 7_000 }));
    scene.has(deployment());
    expect(await scene.pass()).toMatchObject({ kind: "retry", notBeforeMs: 7_000 });
    expect(scene.state()).toMatch(/^Ready=False\/RemoteUnavailable Reconciling=True\/ProgressingWithRetry/);
    expect(scene.object().status?.failure).toMatchObject({ class: "Transient", reason: "RemoteUnavailable", count: 1 });
    await scene.pass();
    expect(scene.state()).toContain("RollingOut");
    expect(scene.object().status?.failure).toBeUndefined();
  });

  test("of a target that is missing is looked for again after 15 s, 30 s, 60 s", async () => {
    scene.has(deployment({ spec: { serviceId: "not-there" } }));
    const pauses: number[] = [];
    for (let n = 0; n < 3; n++) {
      const outcome = await scene.pass();
      const afterMs = outcome.kind === "recheck" ? outcome.afterMs : 0;
      pauses.push(afterMs / 1_000);
      await scene.clock.advance(afterMs);
    }
    expect(pauses).toEqual([15, 30, 60]);
    expect(scene.state()).toContain("Stalled=True/TargetNotFound");
    expect(scene.takeEvents()).toHaveLength(1);
  });

  test("is not repeated while its time has not come, but at once when the connection changed", async () => {
    scene.northflank.failNext("getService", northflankError("forbidden", { httpStatus: 403 }));
    scene.has(deployment());
    await scene.pass();
    scene.northflank.takeCalls();
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([]);
    scene.accountVersion = "2";
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", post]);
  });

  test("of the change itself ends at RequestRejected, with what is pending in sight", async () => {
    const error = northflankError("rejected", { httpStatus: 400, fields: ["external.imagePath"] });
    scene.northflank.failNext("updateServiceDeployment", error);
    scene.has(deployment());
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 3_600_000, priority: "resync" });
    expect(scene.state()).toContain("Stalled=True/RequestRejected");
    expect(scene.state()).toContain("InSync=False/RequestRejected");
    expect(scene.object().status?.pendingChanges).toHaveLength(1);
    expect(scene.message()).toContain("external.imagePath");
  });

  test("that loses the answer to a change is followed by a read, not by another change", async () => {
    scene.northflank.failNext("updateServiceDeployment", northflankError("interrupted"), { isDone: true });
    scene.has(deployment());
    expect(await scene.pass()).toMatchObject({ kind: "retry" });
    scene.northflank.takeCalls();
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
  });
});

describe("the usual route", () => {
  const gone = [northflankError("not_found"), northflankError("wrong_method"), northflankError("gone")];

  test.each(gone)(
    "that answers $code is replaced by a patch with the instances as read, and that is told",
    async (error) => {
      scene.northflank.failNext("updateServiceDeployment", error);
      scene.has(deployment());
      await scene.pass();
      expect(scene.northflank.takeCalls()).toEqual([
        "get api (change)",
        post,
        'patch api {"external":{"imagePath":"ghcr.io/acme/api:2"},"instances":2}',
      ]);
      expect(scene.takeEvents().map((event) => event.split(":")[0])).toEqual([
        "Normal ChangeApplied",
        "Warning FallbackUsed",
      ]);
    },
  );

  test.each([["the instances are not told", { instances: undefined }]])(
    "that is gone ends at UnsupportedTarget where %s",
    async (_sentence, view) => {
      scene.northflank.has(service(view));
      scene.northflank.failNext("updateServiceDeployment", northflankError("gone"));
      scene.has(deployment({ spec: { deployment: { docker: { configType: "customCommand", customCommand: "x" } } } }));
      scene.northflank.change("api", { docker: { configType: "default" } });
      expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 3_600_000, priority: "resync" });
      expect(scene.state()).toContain("Stalled=True/UnsupportedTarget");
    },
  );

  test("of a combined service is replaced by its own patch, which takes no source", async () => {
    const docker = { configType: "customCommand", customCommand: "serve" } as const;
    scene.northflank.has(
      service({ serviceType: "combined", external: undefined, image: undefined, instances: undefined }),
    );
    scene.northflank.change("api", { docker: { configType: "default" } });
    scene.northflank.failNext("updateServiceDeployment", northflankError("gone"));
    scene.has(deployment({ spec: { deployment: { docker } } }));
    await scene.pass();
    expect(scene.northflank.takeCalls().at(-1)).toBe(`patch combined api ${JSON.stringify({ docker })}`);
    expect(scene.takeEvents().map((event) => event.split(":")[0])).toContain("Warning FallbackUsed");
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
  });

  test("of a combined service has no other for a build", async () => {
    const internal = { id: "api", branch: "main", buildSHA: undefined, buildId: undefined, deployedSHA: undefined };
    scene.northflank.has(service({ serviceType: "combined", external: undefined, image: undefined, internal }));
    scene.northflank.failNext("updateServiceDeployment", northflankError("gone"));
    scene.has(deployment({ spec: { deployment: { internal: { branch: "next" } } } }));
    await scene.pass();
    expect(scene.northflank.takeCalls().filter((call) => call.startsWith("patch"))).toEqual([]);
    expect(scene.state()).toContain("Stalled=True/UnsupportedTarget");
  });

  test("is not gone where a 404 names what the change names", async () => {
    scene.northflank.has(service());
    const missing = { httpStatus: 404, fields: ["external.credentials"] };
    scene.northflank.failNext("updateServiceDeployment", northflankError("not_found", missing));
    scene.has(deployment({ spec: { deployment: { external: { imagePath: image, credentials: "ghcr" } } } }));
    await scene.pass();
    expect(scene.northflank.takeCalls().filter((call) => call.startsWith("patch"))).toEqual([]);
    expect(scene.state()).not.toContain("UnsupportedTarget");
    expect(scene.takeEvents().map((event) => event.split(":")[0])).not.toContain("Warning FallbackUsed");
  });

  test("that is gone together with the patch ends at UnsupportedTarget, not in a loop", async () => {
    scene.northflank.failNext("updateServiceDeployment", northflankError("gone"));
    scene.northflank.failNext("patchDeploymentService", northflankError("wrong_method"));
    scene.has(deployment());
    expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs: 3_600_000 });
    expect(scene.state()).toContain("Stalled=True/UnsupportedTarget");
  });
});

describe("what this version cannot do is refused, before any call", () => {
  test.each([
    ["a broken image", { deployment: { external: { imagePath: "nginx" } } }, "InvalidSpec", "imagePath"],
    ["two targets", { serviceId: "api", jobId: "etl" }, "InvalidSpec", "exactly one of serviceId and jobId"],
  ])("%s", async (_sentence, spec, reason, said) => {
    scene.has(deployment({ spec: spec as unknown as Partial<NorthflankDeployment["spec"]> }));
    expect(await scene.pass()).toEqual({ kind: "settled" });
    expect(scene.northflank.takeCalls()).toEqual([]);
    expect(scene.state()).toContain(`Stalled=True/${reason} Accepted=False/${reason}`);
    expect(scene.message()).toContain(said);
    expect(scene.takeEvents()).toHaveLength(1);
  });

  test("a field that the API server dropped", async () => {
    scene.has({ ...deployment(), prunedFields: ['spec.sespend: did you mean "suspend"?'] });
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([]);
    expect(scene.message()).toContain(
      'spec.sespend: is not a field, and the API server dropped it (did you mean "suspend"?)',
    );
  });

  test("a build service, and an image on a combined one, once they were seen", async () => {
    for (const serviceType of ["build", "combined"]) {
      scene = new DeploymentScene();
      scene.northflank.has(service({ serviceType }));
      scene.has(deployment());
      await scene.pass();
      expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
      expect(scene.state()).toContain("Stalled=True/UnsupportedTarget");
    }
  });
});

describe("a combined service whose source is not told", () => {
  const internal = { branch: "main" };
  const storefront = service({ serviceType: "combined", external: undefined, image: undefined, instances: undefined });

  test("is sent the declared one once, and again only when the declaration changes", async () => {
    scene.northflank.has(storefront);
    scene.has(deployment({ spec: { deployment: { internal } } }));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", `post api ${JSON.stringify({ internal })}`]);
    scene.northflank.has(storefront);
    await scene.clock.advance(10_000);
    scene.northflank.rollout("api", "COMPLETED");
    await scene.pass();
    expect(scene.state()).toBe(settledAt);
    scene.northflank.takeCalls();
    await minutes(16);
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (observe)"]);
    scene.edit({ deployment: { internal: { branch: "next" } } });
    await scene.pass();
    expect(scene.northflank.takeCalls()).toContain('post api {"internal":{"branch":"next"}}');
  });

  const next: Partial<NorthflankDeployment["spec"]> = { deployment: { internal: { branch: "next" } } };
  const untold = { internal: undefined, image: undefined, external: undefined } as const;

  test.each<[string, Error, "known" | "in doubt"]>([
    ["the answer is lost", northflankError("interrupted"), "in doubt"],
    ["something in front of the API answers", northflankError("server_error", { httpStatus: 502 }), "in doubt"],
    ["the program dies", new Error("SIGKILL"), "in doubt"],
    ["it is refused", northflankError("rejected", { httpStatus: 400 }), "known"],
  ])("is sent again when the change is taken back after %s, if it may have arrived", async (_what, error, state) => {
    scene.northflank.has(storefront);
    scene.has(deployment({ spec: { deployment: { internal } } }));
    await scene.pass();
    scene.northflank.change("api", untold);
    await scene.clock.advance(10_000);
    scene.northflank.rollout("api", "COMPLETED");
    await scene.pass();
    scene.edit(next);
    scene.northflank.failNext("updateServiceDeployment", error, { isDone: state === "in doubt" });
    await scene.pass();
    expect(knownHash(scene.object().status) === undefined).toBe(state === "in doubt");
    scene.northflank.change("api", untold);
    scene.restart();
    scene.edit({ deployment: { internal } });
    scene.northflank.takeCalls();
    await scene.pass();
    const sent = scene.northflank.takeCalls().filter((call) => call.startsWith("post"));
    expect(sent).toEqual(state === "in doubt" ? [`post api ${JSON.stringify({ internal })}`] : []);
  });

  test("cannot be observed, and is not called different", async () => {
    scene.northflank.has(storefront);
    scene.has(deployment({ spec: { deployment: { internal }, managementPolicy: "Observe" } }));
    await scene.pass();
    expect(scene.state()).toContain("Ready=True/Observed");
  });
});

describe("a run that is waited for", () => {
  const waitFor = [{ jobRunRef: { name: "migrate" } }];
  const run = (status: Condition["status"]) => {
    const succeeded = {
      type: "Succeeded",
      status,
      reason: "R",
      message: "m",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    };
    scene.runs.set("shop/migrate", { status: { conditions: [succeeded] } });
  };

  test("holds the change back while it is missing or active, without a call each time it is woken", async () => {
    scene.has(deployment({ spec: { waitFor } }));
    await scene.pass();
    expect(scene.state()).toContain("Ready=Unknown/WaitingForDependency Reconciling=True/Progressing");
    expect(scene.message()).toContain("migrate (missing)");
    scene.northflank.takeCalls();
    run("Unknown");
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([]);
    run("True");
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)", post]);
  });

  test("that failed stops the change", async () => {
    run("False");
    scene.has(deployment({ spec: { waitFor } }));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
    expect(scene.state()).toContain("Stalled=True/DependencyFailed");
    run("True");
    await scene.pass();
    expect(scene.northflank.takeCalls()).toContain(post);
  });
});

describe("a run that is left over from another revision", () => {
  const of = (value: string) => ({ [revision]: value });
  const waitFor = [{ jobRunRef: { name: "migrate" } }];
  const ended = (status: Condition["status"], annotations: Readonly<Record<string, string>>) => {
    const facts = { reason: "R", message: "m", lastTransitionTime: "2026-01-01T00:00:00Z" };
    const conditions = [{ type: "Succeeded", status, ...facts }];
    scene.runs.set("shop/migrate", { metadata: { annotations }, status: { conditions } });
  };

  test.each(["True", "False", "Unknown"] as const)(
    "is waited for whatever became of it (Succeeded=%s), until one of this revision has succeeded",
    async (status) => {
      ended(status, of("3f2b"));
      scene.has(deployment({ metadata: { annotations: of("3f2c") }, spec: { waitFor } }));
      await scene.pass();
      expect(scene.northflank.takeCalls()).toEqual(["get api (change)"]);
      expect(scene.state()).toContain("Ready=Unknown/WaitingForDependency Reconciling=True/Progressing");
      expect(scene.message()).toContain("migrate (of another revision)");
      ended("Unknown", of("3f2c"));
      await scene.pass();
      expect(scene.northflank.takeCalls()).toEqual([]);
      ended("True", of("3f2c"));
      await scene.pass();
      expect(scene.northflank.takeCalls()).toEqual(["get api (change)", post]);
    },
  );

  test.each([
    ["the run names none", of("3f2c"), {}],
    ["the deployment names none", {}, of("3f2b")],
    ["both name the same", of("3f2c"), of("3f2c")],
  ])("is not one where %s", async (_where, annotations, ofRun) => {
    ended("True", ofRun);
    scene.has(deployment({ metadata: { annotations }, spec: { waitFor } }));
    await scene.pass();
    expect(scene.northflank.takeCalls()).toContain(post);
  });
});

describe("Kubernetes", () => {
  test("that cannot take the status fails the pass; the next one writes it and asks Northflank nothing", async () => {
    scene.has(deployment());
    scene.failStatus = new KubeError({ code: "unavailable", step: "patch", detail: "down" });
    expect(await scene.pass()).toMatchObject({ kind: "retry" });
    expect(scene.takeEvents()).toEqual([]);
    scene.northflank.takeCalls();
    await scene.pass();
    expect(scene.northflank.takeCalls()).toEqual([]);
    expect(scene.takeEvents()).toEqual([expect.stringContaining("Normal ChangeApplied")]);
    expect(scene.object().status?.changes).toHaveLength(1);
  });

  test("where the object was made again under its name gets no old status", async () => {
    scene.has(deployment());
    scene.duringLook = () => {
      scene.remove("shop/api");
      scene.has(deployment({ metadata: { uid: "uid-again" } }));
    };
    await scene.pass();
    expect(scene.object().status).toEqual({ observedGeneration: -1 });
  });

  test("that is deleting the object is left alone", async () => {
    scene.has(deployment({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["other/one"] } }));
    expect(await scene.pass()).toEqual({ kind: "settled" });
    expect({ calls: scene.northflank.takeCalls(), writes: scene.statusWrites }).toEqual({ calls: [], writes: 0 });
  });
});

test("what Northflank tells in a strange way never makes a status that the server refuses", async () => {
  scene.northflank.has(
    service({
      image: `ghcr.io/acme/${"a".repeat(5_000)}:1`,
      rolloutStatus: "X".repeat(5_000),
      rolloutReason: "Y".repeat(5_000),
      rolloutTransitionTime: "yesterday",
      buildStatus: "Z".repeat(5_000),
    }),
  );
  scene.has(deployment());
  await scene.pass();
  expect(scene.state()).toContain("RollingOut");
  scene.northflank.change("api", {
    image,
    external: { imagePath: image, credentials: undefined, registryProvider: undefined },
  });
  await scene.clock.advance(10_000);
  await scene.pass();
  expect(scene.state()).toContain("RollingOut");
});
