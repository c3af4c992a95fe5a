import { beforeEach, describe, expect, test } from "vitest";
import type { NorthflankDeployment } from "../../../src/api/deployment.ts";
import { reconcileRequestedAt } from "../../../src/api/names.ts";
import type { NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import type { ServiceView } from "../../../src/northflank/types.ts";
import { build, deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

type Spec = Partial<NorthflankDeployment["spec"]>;

const image = (tag: string) => `ghcr.io/acme/api:${tag}`;
const source = (tag: string): Spec => ({ deployment: { external: { imagePath: image(tag) } } });
const rollout = { wait: true, timeoutSeconds: 900, onFailure: "Restore" } as const;
const post = (tag: string) => `post api {"external":{"imagePath":"${image(tag)}"}}`;

const restoring =
  "Ready=False/RolloutFailed Stalled=True/RolloutFailed Accepted=True/Accepted InSync=False/Restoring " +
  "RolloutComplete=False/RolloutFailed Restored=Unknown/Restoring -> Failed";
const restored =
  "Ready=False/RolloutFailed Stalled=True/RolloutFailed Accepted=True/Accepted InSync=False/Restored " +
  "RolloutComplete=False/RolloutFailed Restored=True/Restored -> Failed";
const ready =
  "Ready=True/RolloutComplete Accepted=True/Accepted InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current";

let scene: DeploymentScene;

beforeEach(() => {
  scene = new DeploymentScene();
  scene.northflank.has(service());
});

async function step(state: string): Promise<void> {
  await scene.clock.advance(10_000);
  scene.northflank.rollout("api", state);
  await scene.pass();
}

/** Image 2 is deployed and complete; calls and events so far are taken. */
async function settled(spec: Spec = {}): Promise<void> {
  scene.has(deployment({ spec: { rollout, ...spec } }));
  await scene.pass();
  await step("COMPLETED");
  expect(scene.state()).toBe(ready);
  take();
}

function take() {
  return { calls: scene.northflank.takeCalls(), events: scene.takeEvents() };
}

/** Image 3 is declared, sent, and its rollout fails; the pass that sees it is over. */
async function failing(): Promise<void> {
  await settled();
  scene.edit(source("3"));
  await scene.pass();
  take();
  await step("FAILED");
}

/** A person asks for another try, some time after the last look. */
async function askAgain(): Promise<void> {
  await scene.clock.advance(6_000);
  scene.annotate({ [reconcileRequestedAt]: "again" });
}

const writes = (calls: readonly string[]) => calls.filter((call) => !call.startsWith("get"));

/** An hour and more of looks: nothing is written anywhere. */
async function expectRest(): Promise<void> {
  take();
  scene.statusWrites = 0;
  for (let minute = 0; minute < 130; minute++) {
    await scene.clock.advance(60_000);
    await scene.pass();
  }
  const { calls, events } = take();
  expect({ writes: writes(calls), events, status: scene.statusWrites }).toEqual({ writes: [], events: [], status: 0 });
  expect(calls.length).toBeLessThanOrEqual(10);
}

describe("a rollout that fails under Restore", () => {
  test("is recorded, then replaced by the last good source, once, and all of it is said", async () => {
    await failing();
    expect(scene.state()).toBe(
      "Ready=False/RolloutFailed Stalled=True/RolloutFailed Accepted=True/Accepted InSync=True/InSync " +
        "RolloutComplete=False/RolloutFailed Restored=Unknown/Restoring -> Failed",
    );
    expect(scene.object().status?.changes).toMatchObject([
      { cause: "RolledBack", phase: "Sending", source: image("2") },
      { phase: "Failed", source: image("3") },
      { phase: "Complete", source: image("2") },
    ]);
    const { calls, events } = take();
    expect(writes(calls)).toEqual([]);
    expect(events).toEqual([expect.stringMatching(/^Warning RolloutFailed: .*api:2, .* is being restored/)]);

    expect(await scene.pass()).toMatchObject({ kind: "recheck", afterMs: 10_000 });
    expect(scene.state()).toBe(restoring);
    const sent = take();
    expect(sent.calls).toEqual(["get api (change)", post("2")]);
    expect(sent.events).toEqual([
      `Warning Restored: The rollout of what is declared failed; ${image("2")}, the last source whose rollout was complete, was restored.`,
    ]);
    expect(scene.object().status?.image).toBe(image("2"));

    await step("IN_PROGRESS");
    expect(scene.state()).toBe(restoring);
    await step("COMPLETED");
    expect(scene.state()).toBe(restored);
    expect(take()).toEqual({
      calls: ["get api (run)", "get api (run)"],
      events: [`Normal RolloutComplete: ${image("2")} was restored, and its rollout is complete.`],
    });
    expect(scene.message()).toContain(`The rollout of ${image("3")} failed; ${image("2")}, the last good source`);
    expect(scene.object().status).toMatchObject({
      pendingChanges: [{ path: "deployment.external.imagePath", from: image("2"), to: image("3") }],
      changes: [
        { source: image("2"), cause: "RolledBack", phase: "Complete" },
        { source: image("3"), phase: "Failed" },
        { source: image("2"), cause: "SpecChanged", phase: "Complete" },
      ],
    });
    await expectRest();
    expect(scene.state()).toBe(restored);
  });

  test("is replaced when it is late, too", async () => {
    await settled();
    scene.edit(source("3"));
    await scene.pass();
    scene.northflank.rollout("api", "IN_PROGRESS");
    await scene.clock.advance(899_000);
    await scene.pass();
    expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "SpecChanged", phase: "RollingOut" });
    await scene.clock.advance(1_000);
    await scene.pass();
    expect(scene.object().status?.changes).toMatchObject([
      { cause: "RolledBack", phase: "Sending" },
      { phase: "TimedOut" },
      { phase: "Complete" },
    ]);
    take();
    await scene.pass();
    await step("COMPLETED");
    expect(scene.state()).toContain("Stalled=True/RolloutTimedOut");
    expect(scene.state()).toContain("Restored=True/Restored");
    expect(writes(take().calls)).toEqual([post("2")]);
  });

  test("is not replaced when it completes before anything was sent", async () => {
    await failing();
    take();
    await step("COMPLETED");
    expect(scene.state()).toBe(ready);
    expect(scene.object().status).not.toHaveProperty("restore");
    expect(scene.object().status?.lastGood?.source).toBe(image("3"));
    expect(writes(take().calls)).toEqual([]);
  });

  test("is not replaced once the spec has changed: the new source is sent", async () => {
    await failing();
    take();
    scene.edit(source("4"));
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("4")]);
    expect(scene.object().status).not.toHaveProperty("restore");
    await step("FAILED");
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("2")]);
  });

  test("is not replaced when the spec changes in the very moment before the POST", async () => {
    await failing();
    take();
    scene.duringLook = () => scene.edit(source("4"));
    expect(await scene.pass()).toEqual({ kind: "recheck", afterMs: 0, priority: "change" });
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("4")]);
  });

  test("is followed by a fix: a new source after the good one was put back goes out as usual", async () => {
    await failing();
    await scene.pass();
    await step("COMPLETED");
    take();
    scene.edit(source("4"));
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("4")]);
    await step("COMPLETED");
    expect(scene.state()).toBe(ready);
    expect(scene.object().status).not.toHaveProperty("restore");
  });

  test("is taken back in the spec: what was put back is what is declared, and nothing is sent", async () => {
    await failing();
    await scene.pass();
    await step("COMPLETED");
    take();
    scene.edit(source("2"));
    await scene.pass();
    expect(writes(take().calls)).toEqual([]);
    expect(scene.state()).toBe(ready);
    // And declared again, it is another declaration: tried, and replaced once more.
    scene.edit(source("3"));
    await scene.pass();
    await step("FAILED");
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("3"), post("2")]);
  });

  test("does not make a loop when the good source fails as well", async () => {
    await failing();
    await scene.pass();
    await step("FAILED");
    expect(scene.state()).toContain("Restored=False/RestoreFailed");
    expect(scene.message("Restored")).toContain("failed too");
    expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "RolledBack", phase: "Failed" });
    await expectRest();
  });

  test("does not take the old failure for one of the good source", async () => {
    await failing();
    await scene.pass();
    await scene.clock.advance(10_000);
    await scene.pass();
    expect(scene.state()).toBe(restoring);
  });

  test("gives the good source the same time, and not a second more", async () => {
    await failing();
    await scene.pass();
    scene.northflank.rollout("api", "IN_PROGRESS");
    await scene.clock.advance(899_000);
    expect(await scene.pass()).toMatchObject({ afterMs: 1_000 });
    expect(scene.state()).toBe(restoring);
    await scene.clock.advance(1_000);
    await scene.pass();
    expect(scene.state()).toContain("Restored=False/RestoreFailed");
  });
});

describe("another try after a restore", () => {
  test("is made when somebody asks for it, and ends in one more restore when it fails", async () => {
    await failing();
    await scene.pass();
    await step("COMPLETED");
    take();
    await askAgain();
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("3")]);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    await step("FAILED");
    await scene.pass();
    await step("COMPLETED");
    expect(writes(take().calls)).toEqual([post("2")]);
    expect(scene.state()).toBe(restored);
    await expectRest();
  });

  test("is made under EnforceOnChange as well", async () => {
    await failing();
    await scene.pass();
    await step("COMPLETED");
    scene.edit({ managementPolicy: "EnforceOnChange" });
    await scene.pass();
    expect(scene.state()).toBe(restored);
    take();
    await askAgain();
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("3")]);
  });

  test("is not made by a restart, nor by a change of what is not deployed", async () => {
    await failing();
    await scene.pass();
    await step("COMPLETED");
    scene.restart();
    scene.edit({ resyncPeriodSeconds: 120 });
    await scene.pass();
    expect(scene.state()).toBe(restored);
    expect(writes(take().calls)).toEqual([post("2")]);
  });

  test("that was sent and forgotten in a crash keeps its chance: the good source is not put back at once", async () => {
    await failing();
    await scene.pass();
    await step("COMPLETED");
    await askAgain();
    scene.failStatus = new Error("SIGKILL");
    await scene.pass();
    scene.restart();
    take();
    await step("IN_PROGRESS");
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    await step("COMPLETED");
    expect(scene.state()).toBe(ready);
    expect(writes(take().calls)).toEqual([]);
  });
});

describe("another try that cannot be made at once", () => {
  /** What stands in the way, and how it goes away. */
  const hindrances: Readonly<Record<string, readonly [() => void, () => void, string | undefined]>> = {
    "Northflank does not answer": [
      () => scene.northflank.failNext("getService", northflankError("server_error", { httpStatus: 503 })),
      () => undefined,
      undefined,
    ],
    "the object is suspended": [() => scene.edit({ suspend: true }), () => scene.edit({ suspend: false }), "again"],
  };

  test.each(Object.entries(hindrances))("because %s is made later, once", async (_why, [begin, end, handled]) => {
    await failing();
    await scene.pass();
    await step("COMPLETED");
    begin();
    await askAgain();
    take();
    await scene.pass();
    expect(writes(take().calls)).toEqual([]);
    expect(scene.object().status?.lastHandledReconcileAt).toBe(handled);
    end();
    await scene.clock.advance(4_400_000);
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("3")]);
    expect(scene.object().status?.lastHandledReconcileAt).toBe("again");
    await step("FAILED");
    await scene.pass();
    await step("COMPLETED");
    expect(writes(take().calls)).toEqual([post("2")]);
    expect(scene.state()).toBe(restored);
  });

  test("because its build is not over is made when it is", async () => {
    const builder = { id: "builder", branch: "main" };
    await settled();
    scene.northflank.hasBuilds("builder", [build({ id: "build-2" })]);
    scene.edit({ deployment: { internal: { ...builder, buildId: "build-2" } } });
    await scene.pass();
    await step("FAILED");
    await scene.pass();
    await step("COMPLETED");
    expect(scene.state()).toContain("Restored=True/Restored");
    scene.northflank.hasBuilds("builder", [build({ id: "build-2", outcome: "active", status: "RUNNING" })]);
    await askAgain();
    take();
    await scene.pass();
    expect(scene.state()).toContain("Ready=Unknown/WaitingForBuild");
    expect(writes(take().calls)).toEqual([]);
    scene.northflank.hasBuilds("builder", [build({ id: "build-2" })]);
    await scene.clock.advance(300_000);
    await scene.pass();
    expect(writes(take().calls)).toEqual([expect.stringContaining("build-2")]);
  });
});

describe("another try whose answer is lost", () => {
  test.each([true, false])("is a try all the same (it arrived: %s), and is put back when it fails", async (isDone) => {
    await failing();
    await scene.pass();
    await step("COMPLETED");
    await askAgain();
    scene.northflank.failNext("updateServiceDeployment", northflankError("interrupted"), { isDone });
    await scene.pass();
    take();
    await scene.clock.advance(10_000);
    scene.northflank.rollout("api", isDone ? "IN_PROGRESS" : "COMPLETED");
    await scene.pass();
    expect(writes(take().calls)).toEqual(isDone ? [] : [post("3")]);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    await step("FAILED");
    await scene.pass();
    await step("COMPLETED");
    expect(scene.state()).toBe(restored);
    expect(writes(take().calls)).toEqual([post("2")]);
  });
});

describe("a program that dies", () => {
  /** What is lost, and how many POSTs of the good source may follow: sent twice they lead to the same state. */
  const deaths: Readonly<Record<string, readonly [() => Promise<void>, readonly string[]]>> = {
    "before the intent is recorded": [
      async () => {
        await settled();
        scene.edit(source("3"));
        await scene.pass();
        take();
        scene.failStatus = new Error("SIGKILL");
        await step("FAILED");
      },
      [post("2")],
    ],
    "after the intent, before the POST": [failing, [post("2")]],
    "in the POST, before it arrives": [
      async () => {
        await failing();
        scene.northflank.failNext("updateServiceDeployment", new Error("SIGKILL"));
        await scene.pass();
      },
      [post("2"), post("2")],
    ],
    "in the POST, after it arrived": [
      async () => {
        await failing();
        scene.northflank.failNext("updateServiceDeployment", new Error("SIGKILL"), { isDone: true });
        await scene.pass();
      },
      [post("2")],
    ],
    "after the POST, before its status": [
      async () => {
        await failing();
        scene.failStatus = new Error("SIGKILL");
        await scene.pass();
      },
      [post("2")],
    ],
    "while the good source rolls out": [
      async () => {
        await failing();
        await scene.pass();
      },
      [post("2")],
    ],
  };
  test.each(Object.entries(deaths))("%s is followed by one that finishes the job", async (_when, [die, expected]) => {
    await die();
    scene.restart();
    await scene.pass();
    await scene.pass();
    await step("COMPLETED");
    expect(scene.state()).toBe(restored);
    const { calls, events } = take();
    expect(writes(calls)).toEqual(expected);
    expect(events.filter((event) => event.startsWith("Warning Restored"))).toHaveLength(1);
    expect(scene.object().status?.changes?.map(({ cause, phase }) => `${cause} ${phase}`)).toEqual([
      "RolledBack Complete",
      "SpecChanged Failed",
      "SpecChanged Complete",
    ]);
    await expectRest();
  });
});

describe("a restore that Northflank does not take", () => {
  test.each<[NorthflankErrorCode, object]>([
    ["server_error", { httpStatus: 503 }],
    ["interrupted", {}],
    ["rejected", { httpStatus: 400, detail: "no such image" }],
    ["forbidden", { httpStatus: 403 }],
    ["rate_limited", { httpStatus: 429, retryAfterMs: 60_000 }],
  ])("(%s) stays the failure that it is, and is tried again later", async (code, facts) => {
    await failing();
    scene.northflank.failNext("updateServiceDeployment", northflankError(code, facts));
    const outcome = await scene.pass();
    expect(outcome).toMatchObject(outcome.kind === "retry" ? { kind: "retry" } : { kind: "recheck" });
    expect(outcome.kind === "recheck" ? outcome.afterMs : 1).toBeGreaterThan(0);
    expect(scene.state()).toContain("Stalled=True/RolloutFailed");
    expect(scene.state()).toContain("Restored=Unknown/Restoring");
    expect(scene.message()).toContain("could not be restored yet");
    expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "RolledBack", phase: "Sending" });
    await scene.clock.advance(4_400_000);
    await scene.pass();
    await step("COMPLETED");
    expect(scene.state()).toBe(restored);
    expect(scene.object().status).not.toHaveProperty("failure");
  });

  test("because its route is gone goes by the other route", async () => {
    await failing();
    take();
    scene.northflank.failNext("updateServiceDeployment", northflankError("gone", { httpStatus: 410 }));
    await scene.pass();
    expect(writes(take().calls)).toEqual([
      post("2"),
      `patch api {"external":{"imagePath":"${image("2")}"},"instances":2}`,
    ]);
    await step("COMPLETED");
    expect(scene.state()).toBe(restored);
  });
});

describe("there is nothing to put back", () => {
  /** The first change ever of an object with this service, failed. */
  async function firstFails(view: Partial<ServiceView>): Promise<void> {
    scene.northflank.has(service(view));
    scene.has(deployment({ spec: { rollout } }));
    await scene.pass();
    take();
    await step("FAILED");
  }

  test.each<[string, Partial<ServiceView>]>([
    ["an image whose host and credentials Northflank does not tell", form("A")],
    ["an image that was failing before", { rolloutStatus: "FAILED" }],
    ["nothing", { image: undefined, external: undefined, rolloutStatus: "COMPLETED" }],
    ["a build of whom only a database id is told", internal("5f6e7a8b9c0d1e2f3a4b5c6d")],
  ])("when the first change fails on a service that had %s", async (_what, view) => {
    await firstFails(view);
    expect(scene.state()).toContain("Stalled=True/RolloutFailed");
    expect(scene.state()).toContain("Restored=False/NothingToRestore");
    expect(scene.message()).toContain("; nothing is restored, because no source of this service is known");
    expect(scene.object().status).not.toHaveProperty("restore");
    await expectRest();
  });

  test.each<[string, Partial<ServiceView>, string]>([
    ["an image", form("B"), post("1")],
    [
      "an image with credentials",
      { external: { imagePath: image("1"), credentials: "ghcr", registryProvider: undefined } },
      `post api {"external":{"imagePath":"${image("1")}","credentials":"ghcr"}}`,
    ],
    ["a build", internal("builder"), 'post api {"internal":{"id":"builder","branch":"main","buildSHA":"latest"}}'],
  ])(
    "but for what the service had before the first change, if that is told in full: %s",
    async (_what, view, expected) => {
      await firstFails(view);
      await scene.pass();
      expect(writes(take().calls)).toEqual([expected]);
      await step("COMPLETED");
      expect(scene.state()).toBe(restored);
    },
  );

  test("when the source that fails is itself the last good one", async () => {
    await settled();
    await scene.clock.advance(1_200_000);
    scene.northflank.rollout("api", "FAILED");
    await scene.pass();
    expect(scene.state()).toContain("Restored=False/NothingToRestore");
    expect(scene.message()).toContain("it is itself the last one");
    await expectRest();
  });

  test("when somebody damaged the record of it", async () => {
    await failing();
    const object = scene.object();
    const { lastGood: _gone, ...status } = object.status ?? { observedGeneration: 1 };
    scene.has({ ...object, status });
    take();
    await scene.pass();
    expect(writes(take().calls)).toEqual([]);
    expect(scene.state()).toContain("Restored=False/NothingToRestore");
  });

  test("under Report: the failed source stays, and no good one is remembered", async () => {
    await settled({ rollout: { ...rollout, onFailure: "Report" } });
    scene.edit(source("3"));
    await scene.pass();
    await step("FAILED");
    expect(scene.state()).not.toContain("Restored");
    expect(scene.object().status).not.toHaveProperty("lastGood");
    await expectRest();
  });
});

describe("while a restore is pending or done", () => {
  test("suspend holds it back, and it goes on afterwards", async () => {
    await failing();
    scene.edit({ suspend: true });
    take();
    await scene.pass();
    expect(scene.state()).toContain("Suspended=True/Suspended");
    await scene.clock.advance(3_600_000);
    await scene.pass();
    expect(take().calls).toEqual([]);
    scene.edit({ suspend: false });
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("2")]);
  });

  test("suspend of one that was put back changes nothing", async () => {
    await failing();
    await scene.pass();
    await step("COMPLETED");
    scene.edit({ suspend: true });
    await scene.pass();
    expect(scene.state()).toContain("Restored=True/Restored");
    scene.edit({ suspend: false });
    take();
    await scene.pass();
    expect(writes(take().calls)).toEqual([]);
    expect(scene.state()).toBe(restored);
  });

  test("Observe sends nothing, and tells of the difference", async () => {
    await failing();
    scene.edit({ managementPolicy: "Observe" });
    take();
    await scene.pass();
    await scene.clock.advance(4_400_000);
    await scene.pass();
    expect(writes(take().calls)).toEqual([]);
    expect(scene.state()).toContain("Stalled=True/RolloutFailed");
    scene.edit({ managementPolicy: "Enforce" });
    await scene.pass();
    await step("COMPLETED");
    expect(scene.state()).toBe(restored);
    scene.edit({ managementPolicy: "Observe" });
    await scene.pass();
    expect(scene.state()).toContain("Ready=True/DriftObserved");
    scene.edit({ managementPolicy: "Enforce" });
    take();
    await scene.pass();
    expect(scene.state()).toBe(restored);
    expect(writes(take().calls)).toEqual([]);
  });

  test("a paused service is left alone", async () => {
    await failing();
    scene.northflank.change("api", { servicePaused: true });
    take();
    await scene.pass();
    expect(writes(take().calls)).toEqual([]);
    expect(scene.state()).toContain("Ready=True/ServicePaused");
    scene.northflank.change("api", { servicePaused: false });
    await scene.clock.advance(900_000);
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("2")]);
  });

  test("runs of waitFor do not hold it back, and do not hold back another try", async () => {
    const succeeded = { status: { conditions: [condition("True")] } };
    scene.runs.set("shop/migrate", succeeded);
    await settled();
    scene.edit({ ...source("3"), waitFor: [{ jobRunRef: { name: "migrate" } }] });
    await scene.pass();
    scene.runs.delete("shop/migrate");
    await step("FAILED");
    take();
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("2")]);
    await step("COMPLETED");
    expect(scene.state()).toBe(restored);
    await askAgain();
    take();
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("3")]);
  });

  test("what somebody else sets is left alone, and told", async () => {
    await failing();
    await scene.pass();
    await step("COMPLETED");
    scene.northflank.rollout("api", "COMPLETED", running(image("hotfix")));
    await scene.clock.advance(4_400_000);
    await scene.pass();
    expect(scene.state()).toContain("Restored=False/RestoreFailed");
    expect(scene.message()).toContain("another client has replaced it");
    await expectRest();
  });

  test("the failed source, set again by somebody, is not replaced twice, and is Ready when it works", async () => {
    await failing();
    await scene.pass();
    await step("COMPLETED");
    await scene.clock.advance(1_000);
    scene.northflank.rollout("api", "FAILED", running(image("3")));
    await scene.clock.advance(4_400_000);
    await scene.pass();
    expect(scene.state()).toContain("Stalled=True/RolloutFailed");
    expect(scene.state()).toContain("Restored=False/RestoreFailed");
    await expectRest();
    scene.northflank.rollout("api", "COMPLETED");
    await scene.clock.advance(4_400_000);
    await scene.pass();
    expect(scene.state()).toBe(ready);
  });

  test("Report instead of Restore sends what is declared again: nothing is kept back any more", async () => {
    await failing();
    await scene.pass();
    await step("COMPLETED");
    scene.edit({ rollout: { ...rollout, onFailure: "Report" } });
    take();
    await scene.pass();
    expect(writes(take().calls)).toEqual([post("3")]);
    expect(scene.object().status).not.toHaveProperty("restore");
  });

  test("what the new declaration changed beside the image is put back as well", async () => {
    scene.northflank.has(service({ imagePath: image("2"), docker: { configType: "default", customCommand: "old" } }));
    await settled();
    const docker = { configType: "customCommand", customCommand: "serve --fast" } as const;
    scene.edit({ deployment: { external: { imagePath: image("3") }, docker } });
    await scene.pass();
    take();
    await step("FAILED");
    await scene.pass();
    expect(writes(take().calls)).toEqual([
      `post api {"external":{"imagePath":"${image("2")}"},"docker":{"configType":"default"}}`,
    ]);
  });
});

describe("a source that Northflank does not tell", () => {
  const untold = { image: undefined, external: undefined, internal: undefined } as const;
  const buildOf = (branch: string): Spec => ({ deployment: { internal: { branch } } });
  const told = (buildSHA: string): Partial<ServiceView> => ({
    internal: { id: "builder", branch: "main", buildSHA, buildId: undefined, deployedSHA: buildSHA },
  });
  const [oldCommit, newCommit] = ["a".repeat(40), "b".repeat(40)] as const;

  /** One step after which Northflank shows the service as given, whatever was sent. */
  async function stepShowing(state: string, view: Partial<ServiceView>): Promise<void> {
    scene.northflank.change("api", view);
    await step(state);
  }

  test("of a combined service is not put back, and the one that failed is never called good", async () => {
    scene.northflank.has(service({ serviceType: "combined", ...untold }));
    scene.has(deployment({ spec: { rollout, ...buildOf("main") } }));
    await scene.pass();
    await stepShowing("COMPLETED", untold);
    expect(scene.state()).toBe(ready);
    scene.edit(buildOf("next"));
    await scene.pass();
    take();
    await stepShowing("FAILED", untold);
    expect(scene.state()).toContain("Stalled=True/RolloutFailed");
    expect(scene.state()).toContain("Restored=False/NothingToRestore");
    expect(scene.message()).toContain("Northflank does not return which of the two sources it has");
    expect(scene.object().status?.lastGood?.deployment).toEqual(buildOf("main").deployment);
    await expectRest();
  });

  /** A commit is the good source, and a build whose commit nobody knows fails: only one of the two is told. */
  async function failingBuild(): Promise<void> {
    const builder = { id: "builder", branch: "main" };
    scene.northflank.has(service({ image: undefined, external: undefined, ...told(oldCommit) }));
    scene.has(deployment({ spec: { rollout, deployment: { internal: { ...builder, buildSHA: oldCommit } } } }));
    await scene.pass();
    expect(scene.state()).toBe(ready);
    scene.northflank.failNext("getBuild", northflankError("forbidden", { httpStatus: 403 }));
    scene.edit({ deployment: { internal: { ...builder, buildId: "build-2" } } });
    await scene.pass();
    take();
    await stepShowing("FAILED", told(newCommit));
    expect(scene.object().status?.changes?.[0]).toMatchObject({ cause: "RolledBack", phase: "Sending" });
  }

  test.each([false, true])("is not taken for what was put back in its place (status lost: %s)", async (isLost) => {
    await failingBuild();
    if (isLost) scene.failStatus = new Error("SIGKILL");
    await scene.pass();
    if (isLost) scene.restart();
    await stepShowing("IN_PROGRESS", told(oldCommit));
    await stepShowing("COMPLETED", told(oldCommit));
    expect(scene.state()).toBe(restored);
    expect(scene.object().status?.lastGood?.deployment?.internal?.buildSHA).toBe(oldCommit);
    expect(writes(take().calls)).toHaveLength(1);
    await expectRest();
  });

  test("is sent again when somebody asks for another try, although it looks like what was put back", async () => {
    await failingBuild();
    await scene.pass();
    await stepShowing("COMPLETED", told(oldCommit));
    expect(scene.state()).toBe(restored);
    take();
    await askAgain();
    scene.northflank.failNext("getBuild", northflankError("forbidden", { httpStatus: 403 }));
    await scene.pass();
    expect(writes(take().calls)).toEqual([expect.stringContaining('"buildId":"build-2"')]);
    expect(scene.object().status?.lastGood?.deployment?.internal?.buildSHA).toBe(oldCommit);
  });
});

function form(which: "A" | "B"): Partial<ServiceView> {
  if (which === "B") return running(image("1"));
  const external = { imagePath: "acme/api:1", credentials: undefined, registryProvider: "github" };
  return { image: "acme/api:1", external };
}

function internal(id: string): Partial<ServiceView> {
  const source = { id, branch: "main", buildSHA: "latest", buildId: undefined, deployedSHA: undefined };
  return { image: undefined, external: undefined, internal: source };
}

function running(imagePath: string): Partial<ServiceView> {
  return { image: imagePath, external: { imagePath, credentials: undefined, registryProvider: undefined } };
}

function condition(status: "True" | "False") {
  const lastTransitionTime = "2025-12-31T23:59:00Z";
  return { type: "Succeeded", status, reason: "RunSucceeded", message: "m", lastTransitionTime, observedGeneration: 1 };
}
