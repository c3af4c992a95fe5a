import { beforeEach, describe, expect, test } from "vitest";
import { toServiceView } from "../../../src/northflank/service-view.ts";
import { deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";

/* A service whose rollouts are gradual: they stay IN_PROGRESS until somebody promotes them. */

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const complete =
  "Ready=True/RolloutComplete Accepted=True/Accepted InSync=True/InSync RolloutComplete=True/RolloutComplete -> Current";
const awaiting =
  "Ready=Unknown/AwaitingPromotion Reconciling=True/Progressing Accepted=True/Accepted InSync=True/InSync " +
  "RolloutComplete=Unknown/AwaitingPromotion -> InProgress";
const restore = { rollout: { wait: true, timeoutSeconds: 900, onFailure: "Restore" } } as const;

let scene: DeploymentScene;

beforeEach(() => {
  scene = new DeploymentScene();
  scene.northflank.has(service({ gradualRolloutStrategyId: "canary" }));
});

const writes = () => scene.northflank.takeCalls().filter((call) => !call.startsWith("get"));

/** The declared source is sent, and its canary waits. */
async function waiting(spec: object = {}): Promise<void> {
  scene.has(deployment({ spec }));
  await scene.pass();
  await scene.clock.advance(5_000);
  scene.northflank.rollout("api", "IN_PROGRESS");
  await scene.work(minute);
  expect(scene.state()).toBe(awaiting);
  scene.northflank.takeCalls();
}

test.each<[string, object, string | undefined]>([
  ["on top", { gradualRolloutStrategyId: "canary" }, "canary"],
  ["in the deployment", { deployment: { gradualRolloutStrategyId: "canary" } }, "canary"],
  ["as null", { deployment: { gradualRolloutStrategyId: null } }, undefined],
  ["nowhere", {}, undefined],
])("a strategy that is told %s", (_where, data, expected) => {
  expect(toServiceView({ id: "api", ...data })?.gradualRolloutStrategyId).toBe(expected);
});

describe.each([
  ["Report", {}],
  ["Restore", restore],
])("under onFailure %s, a gradual rollout", (_policy, spec) => {
  test("waits for days, is not late, and costs few requests and no writes of status", async () => {
    await waiting(spec);
    scene.statusWrites = 0;
    await scene.work(3 * day);
    expect(scene.state()).toBe(awaiting);
    expect(scene.message()).toContain("gradually (strategy canary) and waits for its promotion");
    expect(scene.statusWrites).toBe(0);
    const calls = scene.northflank.takeCalls();
    expect(new Set(calls)).toEqual(new Set(["get api (run)"]));
    expect(calls.length).toBeLessThanOrEqual(3 * 96 + 80);
  });

  test("is complete after its promotion, within a quarter of an hour", async () => {
    await waiting(spec);
    await scene.work(day);
    scene.northflank.rollout("api", "COMPLETED");
    await scene.work(15 * minute);
    expect(scene.state()).toBe(complete);
    expect(scene.object().status?.changes?.[0]?.phase).toBe("Complete");
  });

  test("goes on in any state that is no end", async () => {
    await waiting(spec);
    await scene.work(hour);
    scene.northflank.rollout("api", "PENDING");
    await scene.work(2 * hour);
    expect(scene.state()).toBe(awaiting);
    scene.restart();
    await scene.work(2 * hour);
    expect(scene.state()).toBe(awaiting);
    expect(writes()).toEqual([]);
  });

  test("that another change follows still waits, though Northflank shows the state of the one before", async () => {
    await waiting(spec);
    scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
    await scene.work(day);
    expect(writes()).toEqual(['post api {"external":{"imagePath":"ghcr.io/acme/api:3"}}']);
    expect(scene.state()).toBe(awaiting);
  });

  test("whose strategy is taken away counts its limit from then", async () => {
    await waiting(spec);
    await scene.work(day);
    scene.northflank.change("api", { gradualRolloutStrategyId: undefined });
    do await scene.work(5_000);
    while (scene.state() === awaiting);
    await scene.work(14 * minute);
    expect(scene.state()).toContain("Ready=Unknown/RollingOut");
    await scene.work(2 * minute);
    expect(scene.state()).toContain("RolloutTimedOut");
  });
});

test("a gradual rollout that fails has failed", async () => {
  await waiting();
  scene.northflank.rollout("api", "FAILED");
  await scene.work(minute);
  expect(scene.state()).toContain("Stalled=True/RolloutFailed");
});

test("one that has not begun is late like any other", async () => {
  scene.has(deployment());
  await scene.work(16 * minute);
  expect(scene.state()).not.toContain("AwaitingPromotion");
  scene.northflank.rollout("api", "PENDING");
  await scene.work(hour);
  expect(scene.state()).not.toContain("AwaitingPromotion");
});

test("a good source that is put back gradually is not late either", async () => {
  scene.northflank.has(service({ gradualRolloutStrategyId: "canary", imagePath: "ghcr.io/acme/api:2" }));
  scene.has(deployment({ spec: restore }));
  await scene.work(5 * minute);
  expect(scene.state()).toBe(complete);
  scene.edit({ deployment: { external: { imagePath: "ghcr.io/acme/api:3" } } });
  await scene.pass();
  await scene.clock.advance(10_000);
  scene.northflank.rollout("api", "FAILED");
  await scene.work(5_000);
  expect(scene.northflank.service("api").image).toBe("ghcr.io/acme/api:2");
  scene.northflank.rollout("api", "IN_PROGRESS");
  await scene.work(2 * day);
  expect(scene.state()).toContain("Restored=Unknown/Restoring");
  scene.northflank.rollout("api", "COMPLETED");
  await scene.work(hour);
  expect(scene.state()).toContain("Restored=True/Restored");
});
