import { beforeEach, describe, expect, test } from "vitest";
import { deployment, service } from "../../support/builders.ts";
import { DeploymentScene } from "../../support/deployment-scene.ts";
import { northflankError } from "../../support/fake-northflank.ts";

/*
 * Two or more rollouts under way in one project are polled by one list of its services.
 */

let scene: DeploymentScene;
let due: Map<string, number>;

beforeEach(() => {
  scene = new DeploymentScene();
  due = new Map();
});

const ids = (count: number) => Array.from({ length: count }, (_, n) => `svc-${n}`);
const keyOf = (id: string) => `shop/${id}`;
const minute = 60_000;

/** Deploys a new image to so many services, whose rollouts begin at once. */
async function rollingOut(count: number): Promise<void> {
  for (const id of ids(count)) {
    scene.northflank.has(service({ id }));
    scene.has(deployment({ metadata: { name: id }, spec: { serviceId: id } }));
    due.set(keyOf(id), scene.clock.monotonic());
    await callsWithin(0);
    await scene.clock.advance(100);
    scene.northflank.rollout(id, "IN_PROGRESS");
  }
}

/** Reconciles every object when it is due, for so long; the calls meanwhile. */
async function callsWithin(ms: number): Promise<readonly string[]> {
  const endMs = scene.clock.monotonic() + ms;
  scene.northflank.takeCalls();
  for (;;) {
    const [next] = [...due].sort(([, left], [, right]) => left - right);
    if (next === undefined || next[1] > endMs) break;
    await scene.clock.advance(Math.max(0, next[1] - scene.clock.monotonic()));
    const outcome = await scene.pass(next[0]);
    if (outcome.kind === "settled") due.delete(next[0]);
    else due.set(next[0], scene.clock.monotonic() + (outcome.kind === "retry" ? 2_000 : outcome.afterMs));
  }
  await scene.clock.advance(endMs - scene.clock.monotonic());
  return scene.northflank.takeCalls();
}

const count = (calls: readonly string[], start: string) => calls.filter((call) => call.startsWith(start)).length;
const phaseOf = (id: string) => scene.object(keyOf(id)).status?.changes?.[0]?.phase;

// Twenty reconcilers take their time on a busy machine.
describe("twenty rollouts in one project", { timeout: 60_000 }, () => {
  test("cost one list per poll interval while nothing moves, and a read of each in five minutes", async () => {
    await rollingOut(20);
    await callsWithin(11_000);
    const calls = await callsWithin(4 * minute);
    expect(count(calls, "get")).toBe(0);
    // Every ten seconds at first, and every half minute later.
    expect(count(calls, "list")).toBeLessThanOrEqual(24);
    expect(calls.length).toBe(count(calls, "list"));
    const later = await callsWithin(5 * minute);
    expect(count(later, "get")).toBe(20);
    expect(new Set(ids(20).map(phaseOf))).toEqual(new Set(["RollingOut"]));
  });

  test("are each read once when they move, and end as that read shows", async () => {
    await rollingOut(3);
    await callsWithin(minute);
    scene.northflank.rollout("svc-0", "COMPLETED");
    scene.northflank.rollout("svc-1", "FAILED");
    const calls = await callsWithin(minute);
    expect([count(calls, "get svc-0"), count(calls, "get svc-1")]).toEqual([1, 1]);
    expect(ids(3).map(phaseOf)).toEqual(["Complete", "Failed", "RollingOut"]);
  });
});

test("a single rollout is read alone, and so is the last one that is left", async () => {
  await rollingOut(1);
  expect(count(await callsWithin(minute), "list")).toBe(0);
  scene.northflank.has(service({ id: "other" }));
  scene.has(deployment({ metadata: { name: "other" }, spec: { serviceId: "other" } }));
  due.set(keyOf("other"), scene.clock.monotonic());
  await callsWithin(0);
  scene.northflank.rollout("other", "IN_PROGRESS");
  await callsWithin(11_000);
  expect(count(await callsWithin(minute), "list")).toBeGreaterThan(0);
  scene.northflank.rollout("other", "COMPLETED");
  await callsWithin(minute);
  expect(count(await callsWithin(2 * minute), "list")).toBe(0);
});

test("rollouts that are read with different tokens share nothing", async () => {
  await rollingOut(2);
  for (const id of ids(2)) scene.edit({ connectionRef: { name: `of-${id}` } }, keyOf(id));
  await callsWithin(11_000);
  const calls = await callsWithin(minute);
  expect([count(calls, "list"), count(calls, "get") >= 6]).toEqual([0, true]);
});

test("a change of another client that begins no rollout is corrected after a read alone, not by what was read before", async () => {
  await rollingOut(2);
  await callsWithin(11_000);
  scene.northflank.change("svc-0", {
    ...service({ id: "svc-0", imagePath: "ghcr.io/acme/api:9" }),
    rolloutStatus: "IN_PROGRESS",
  });
  scene.northflank.rollout("svc-0", "IN_PROGRESS");
  const calls = await callsWithin(minute);
  const write = calls.findIndex((call) => call.startsWith("post svc-0"));
  expect(calls.slice(0, write).filter((call) => call.startsWith("get svc-0")).length).toBeGreaterThan(0);
});

test("a pause, which the list does not show, is seen within five minutes and a poll interval", async () => {
  await rollingOut(2);
  await callsWithin(11_000);
  scene.northflank.change("svc-0", { servicePaused: true });
  await callsWithin(6 * minute + 5_000);
  expect(phaseOf("svc-0")).toBe("Paused");
});

test("a rollout is not taken for late by a list: the service is read first", async () => {
  await rollingOut(2);
  await callsWithin(14 * minute);
  let calls: readonly string[] = [];
  while (phaseOf("svc-0") === "RollingOut") calls = await callsWithin(500);
  expect(phaseOf("svc-0")).toBe("TimedOut");
  // A list alone would have done for one that is still under way.
  expect(calls.filter((call) => call.includes("svc-0"))).toEqual(["get svc-0 (run)"]);
});

describe("a list that is of no use", () => {
  test("because it cannot be read: each service is read, and the list is not tried for ten minutes", async () => {
    await rollingOut(2);
    await callsWithin(11_000);
    scene.northflank.failAll("listServices", northflankError("forbidden", { httpStatus: 403 }));
    const calls = await callsWithin(5 * minute);
    expect(count(calls, "list")).toBe(1);
    expect(count(calls, "get")).toBeGreaterThan(10);
  });

  test("because it shows other times than a read does: the same", async () => {
    await rollingOut(2);
    const { api } = scene.northflank;
    const seconds = (time: string | undefined) => time?.replace(/\.\d+Z$/, "Z");
    const { resolution } = scene;
    scene.resolution = async (name, projectId) => {
      const found = await resolution(name, projectId);
      if (found.kind !== "usable") return found;
      const listServices: typeof api.listServices = async (project, call) => {
        const { items } = await found.account.api.listServices(project, call);
        const cut = (text: string) => ({ rolloutTransitionTime: `${seconds(text)} ` });
        return { items: items.map((one) => ({ ...one, ...cut(one.rolloutTransitionTime ?? "") })) };
      };
      const { account } = found;
      return { kind: "usable", account: { ...account, api: { ...wrapped(account.api), listServices } } };
    };
    const calls = await callsWithin(5 * minute);
    expect(count(calls, "list")).toBeLessThanOrEqual(2);
    expect(count(calls, "get")).toBeGreaterThan(10);
  });
});

/** The calls that a poll of a service makes. */
function wrapped(api: DeploymentScene["northflank"]["api"]) {
  return new Proxy(api, {
    ownKeys: () => ["getService", "keyedHash"],
    getOwnPropertyDescriptor: (target, key) => ({
      enumerable: true,
      configurable: true,
      value: Reflect.get(target, key),
    }),
  });
}
