import { expect, test } from "vitest";
import {
  connectionGroups,
  type ProjectObject,
  projectGroups,
} from "../../../src/controllers/account/concurrency-groups.ts";
import { WorkQueue } from "../../../src/runtime/work-queue.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";
import { hangingPasses } from "../../support/hanging-passes.ts";

/** `n/dead1.p3.7` is an object of the namespace `n`, its connection `dead1` and its project `p3`. */
function objectOf(key: string): ProjectObject {
  const [namespace = "", name = ""] = key.split("/");
  const [connection = "", projectId = ""] = name.split(".");
  return { metadata: { namespace }, spec: { connectionRef: { name: connection }, projectId } };
}

const spread = (count: number, key: (n: number) => string) => Array.from({ length: count }, (_, n) => key(n));

function setUp(hangs: (key: string) => boolean) {
  const clock = new FakeClock();
  const queue = new WorkQueue({ clock, random: () => 0, groups: projectGroups({ get: objectOf }, 8) });
  return { clock, queue, ...hangingPasses(queue, clock, hangs) };
}

const isDead = (key: string) => key.includes("dead");

test.each([
  ["one hanging project", spread(40, (n) => `n/one.dead.${n}`), "n/one.healthy.1"],
  ["ten hanging projects", spread(400, (n) => `n/one.dead${n % 10}.${n}`), "n/one.healthy.1"],
  ["one hanging connection of 12 projects", spread(120, (n) => `n/dead.p${n % 12}.${n}`), "n/two.p.1"],
  ["three hanging connections", spread(240, (n) => `n/dead${n % 3}.p${n % 12}.${n}`), "n/two.p.1"],
  ["50 hanging connections", spread(4_000, (n) => `n/dead${n % 50}.p${n % 12}.${n}`), "n/two.p.1"],
  ["50 hanging connections in 50 namespaces", spread(4_000, (n) => `n${n % 50}/dead.p${n % 12}.${n}`), "n/two.p.1"],
  ["150 hanging connections in 150 namespaces", spread(900, (n) => `n${n % 150}/dead.p.${n}`), "n7/two.p.1"],
  ["a namespace of 500 hanging connections", spread(2_000, (n) => `evil/dead${n % 500}.p.${n}`), "n/two.p.1"],
  [
    "ten namespaces of 100 hanging connections",
    spread(4_000, (n) => `evil${n % 10}/dead${n % 100}.p${n % 12}.${n}`),
    "n/two.p.1",
  ],
])("%s keep no place from others once their passes are set aside", async (_, hanging, healthy) => {
  const { clock, queue, controller, started, passed } = setUp(isDead);
  for (const key of hanging) queue.add(key);
  controller.start(new AbortController().signal);
  // Long enough for all places that the hanging ones can get, and shorter than their time limit.
  for (let second = 0; second < 40; second++) await clock.advance(1_000);
  // What bounds the memory of what hangs.
  expect(started.length).toBeLessThan(192);
  queue.add(healthy);
  await settle();
  expect(passed).toEqual([healthy]);
  await controller.drain(AbortSignal.abort());
});

test.each([
  ["one connection", 1, 2],
  ["50 connections", 50, 8],
])(
  "%s that hang from the start hold up 40 objects of another one for a second per eight connections",
  async (_, dead, seconds) => {
    const { clock, queue, controller, passed } = setUp(isDead);
    for (const key of spread(40 * dead, (n) => `n/dead${n % dead}.p${n % 12}.${n}`)) queue.add(key);
    const healthy = spread(40, (n) => `n/alive.p${n % 12}.${n}`);
    for (const key of healthy) queue.add(key);
    controller.start(new AbortController().signal);
    for (let second = 0; second < seconds; second++) await clock.advance(1_000);
    expect([...passed].sort()).toEqual([...healthy].sort());
    await controller.drain(AbortSignal.abort());
  },
);

/** The table of docs/decisions/0016: what hangs, the places it takes, and how many newcomers of which kind find one. */
test.each([
  ["1 project", (n: number) => `n/c.p.${n}`, 8, "projects", 11],
  ["4 projects of a connection", (n: number) => `n/c.p${n % 4}.${n}`, 15, "projects", 4],
  ["18 projects of a connection", (n: number) => `n/c.p${n % 18}.${n}`, 18, "projects", 1],
  ["1 connection of many projects", (n: number) => `n/c.p${n % 50}.${n}`, 19, "connections", 77],
  ["10 connections of a namespace", (n: number) => `n/c${n % 10}.p${n % 49}.${n}`, 69, "connections", 27],
  ["50 connections of a namespace", (n: number) => `n/c${n % 50}.p${n % 49}.${n}`, 89, "connections", 7],
  ["95 connections of a namespace", (n: number) => `n/c${n % 95}.p${n % 49}.${n}`, 95, "connections", 1],
  ["1 namespace of 100 connections", (n: number) => `n/c${n % 100}.p.${n}`, 96, "namespaces", 96],
  [
    "10 namespaces of 100 connections",
    (n: number) => `n${n % 10}/c${((n / 10) % 100) | 0}.p.${n}`,
    175,
    "namespaces",
    17,
  ],
  ["50 namespaces of 1 connection", (n: number) => `n${n % 50}/c.p${n % 49}.${n}`, 158, "namespaces", 34],
  ["190 namespaces of 1 connection", (n: number) => `n${n % 190}/c.p${n % 49}.${n}`, 190, "namespaces", 2],
] as const)("%s that hang take their places, and leave places to others", async (_, hanging, places, others, left) => {
  const newcomers = {
    projects: (n: number) => `n/c.new${n}.1`,
    connections: (n: number) => `n/new${n}.p.1`,
    namespaces: (n: number) => `new${n}/c.p.1`,
  };
  const queue = new WorkQueue({ clock: new FakeClock(), random: () => 0, groups: projectGroups({ get: objectOf }, 8) });
  const takers = Array.from({ length: 500 }, () => queue.get());
  const taken = () => queue.stats().processing;
  for (const key of spread(5_000, hanging)) queue.add(key);
  const got = taken();
  for (const key of spread(200, newcomers[others])) queue.add(key);
  expect([got, taken() - got]).toEqual([places, left]);
  queue.shutDown();
  await Promise.all(takers);
});

test("of many connections that hang each has a place, and none has many", async () => {
  const { clock, queue, controller, started } = setUp(isDead);
  for (const key of spread(4_000, (n) => `n/dead${n % 50}.p${n % 12}.${n}`)) queue.add(key);
  controller.start(new AbortController().signal);
  for (let second = 0; second < 40; second++) await clock.advance(1_000);
  const places = spread(50, (n) => String(started.filter((key) => key.startsWith(`n/dead${n}.`)).length));
  expect([...new Set(places)].sort()).toEqual(["1", "2"]);
  await controller.drain(AbortSignal.abort());
});

test("when all that hangs comes back to life, all of it is reconciled", async () => {
  let isBack = false;
  const { clock, queue, controller, passed } = setUp((key) => isDead(key) && !isBack);
  for (const key of spread(1_000, (n) => `n${n % 5}/dead${n % 50}.p${n % 12}.${n}`)) queue.add(key);
  controller.start(new AbortController().signal);
  await clock.advance(50_000);
  isBack = true;
  for (let second = 0; second < 120; second++) await clock.advance(1_000);
  expect(new Set(passed).size).toBe(1_000);
  expect(queue.stats()).toMatchObject({ processing: 0, ready: { change: 0, follow: 0, resync: 0 } });
  await controller.drain(AbortSignal.abort());
});

test("300 connections of a namespace whose addresses hang leave places to the connections of other namespaces", async () => {
  const clock = new FakeClock();
  const queue = new WorkQueue({ clock, random: () => 0, groups: connectionGroups(8) });
  const { controller, started, passed } = hangingPasses(queue, clock, isDead);
  for (const key of spread(300, (n) => `evil/dead${n}`)) queue.add(key);
  controller.start(new AbortController().signal);
  for (let second = 0; second < 40; second++) await clock.advance(1_000);
  expect(started).toHaveLength(96);
  queue.add("n/alive");
  await settle();
  expect(passed).toEqual(["n/alive"]);
  await controller.drain(AbortSignal.abort());
});

test("an object that is gone is in no group", () => {
  expect(projectGroups({ get: () => undefined }, 8)("n/gone")).toEqual([]);
});
