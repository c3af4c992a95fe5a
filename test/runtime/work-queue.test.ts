import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Priority } from "../../src/runtime/outcome.ts";
import {
  type WorkGroup,
  type WorkItem,
  WorkQueue,
  type WorkQueueGroups,
  type WorkQueueObserver,
  type WorkQueueRate,
} from "../../src/runtime/work-queue.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";

const backoff = { baseMs: 1_000, factor: 2, capMs: 900_000, jitter: 0 };
const priorities: readonly Priority[] = ["change", "follow", "resync"];

function setUp(
  options: {
    agingMs?: number;
    observer?: WorkQueueObserver;
    jitter?: number;
    random?: number;
    groups?: WorkQueueGroups;
    rate?: WorkQueueRate;
  } = {},
) {
  const clock = new FakeClock();
  const queue = new WorkQueue({
    clock,
    random: () => options.random ?? 0.5,
    backoff: { ...backoff, jitter: options.jitter ?? 0 },
    ...(options.agingMs === undefined ? {} : { agingMs: options.agingMs }),
    ...(options.observer === undefined ? {} : { observer: options.observer }),
    ...(options.groups === undefined ? {} : { groups: options.groups }),
    ...(options.rate === undefined ? {} : { rate: options.rate }),
  });
  return { clock, queue };
}

/** Everything that can be had now, in order; all of it is being processed afterwards. */
async function takeAll(queue: WorkQueue): Promise<readonly string[]> {
  const keys: string[] = [];
  for (;;) {
    const item = await takeNow(queue);
    if (item === undefined) return keys;
    keys.push(item.key);
  }
}

async function takeNow(queue: WorkQueue): Promise<WorkItem | undefined> {
  const abort = new AbortController();
  let taken: WorkItem | undefined;
  const waiting = queue.get(abort.signal).then(
    (item) => {
      taken = item;
    },
    () => undefined,
  );
  await settle();
  abort.abort();
  await waiting;
  return taken;
}

describe("adding", () => {
  test("hands a key out once, however often it was added", async () => {
    const { queue } = setUp();
    queue.add("a");
    queue.add("b");
    queue.add("a");
    expect(await takeAll(queue)).toEqual(["a", "b"]);
  });

  test("wakes a worker that is already waiting", async () => {
    const { queue } = setUp();
    const next = queue.get();
    queue.add("a", { priority: "follow" });
    expect(await next).toEqual({ key: "a", priority: "follow" });
  });

  test("hands a key that was added while it is processed out again, after it is done", async () => {
    const { queue } = setUp();
    queue.add("a");
    expect(await takeAll(queue)).toEqual(["a"]);
    queue.add("a");
    expect(await takeAll(queue)).toEqual([]);
    queue.done("a");
    expect(await takeAll(queue)).toEqual(["a"]);
    queue.done("a");
    expect(await takeAll(queue)).toEqual([]);
  });

  test.each([
    ["an earlier add wins over a later one", [5_000, 1_000], 1_000],
    ["a later add does not postpone an earlier one", [1_000, 5_000], 1_000],
    ["an add for now wins over a delayed one", [5_000, 0], 0],
    ["a negative delay is now", [-1], 0],
  ] as const)("%s", async (_, delaysMs, dueMs) => {
    const { clock, queue } = setUp();
    for (const afterMs of delaysMs) queue.add("a", { afterMs });
    if (dueMs > 0) {
      await clock.advance(dueMs - 1);
      expect(await takeAll(queue)).toEqual([]);
      await clock.advance(1);
    }
    expect(await takeAll(queue)).toEqual(["a"]);
    queue.done("a");
    await clock.advance(10_000);
    expect(await takeAll(queue)).toEqual([]);
  });

  test("keeps the earlier of the delays that were asked for during a pass", async () => {
    const { clock, queue } = setUp();
    queue.add("a");
    await takeAll(queue);
    queue.add("a", { afterMs: 60_000 });
    queue.add("a", { afterMs: 2_000 });
    queue.add("a", { afterMs: 30_000 });
    queue.done("a");
    await clock.advance(1_999);
    expect(await takeAll(queue)).toEqual([]);
    await clock.advance(1);
    expect(await takeAll(queue)).toEqual(["a"]);
  });

  test("sets one timer for ten thousand delayed keys, and none when they are brought forward", async () => {
    const { clock, queue } = setUp();
    for (let n = 0; n < 10_000; n++) queue.add(`k${n}`, { afterMs: 10_000 + ((n * 7_919) % 10_000) });
    expect(clock.pendingTimers).toBe(1);
    for (let n = 0; n < 10_000; n++) queue.add(`k${n}`);
    expect(clock.pendingTimers).toBe(0);
    expect(queue.stats().ready.change).toBe(10_000);
  });
});

describe("priorities", () => {
  test("a more urgent class goes first, and within a class who came first", async () => {
    const { queue } = setUp();
    queue.add("r1", { priority: "resync" });
    queue.add("f1", { priority: "follow" });
    queue.add("c1", { priority: "change" });
    queue.add("f2", { priority: "follow" });
    queue.add("c2");
    queue.add("r2", { priority: "resync" });
    expect(await takeAll(queue)).toEqual(["c1", "c2", "f1", "f2", "r1", "r2"]);
  });

  test("5,000 objects of one namespace hold up one of another by as many passes as it came later, not by 5,000", async () => {
    const { clock, queue } = setUp();
    await takeNow(queue);
    const crowd = Array.from({ length: 5_000 }, (_, n) => `tenant/k${n}`);
    for (const key of crowd) queue.add(key);
    await clock.advance(1_000);
    queue.add("other/x");
    const order = await takeAll(queue);
    expect(order.indexOf("other/x")).toBe(101);
    expect(order.filter((key) => key !== "other/x")).toEqual(crowd);
  });

  test("two crowds take turns, and a namespace that was alone is not held back for it afterwards", async () => {
    const { clock, queue } = setUp();
    await takeNow(queue);
    for (let n = 0; n < 3; n++) queue.add(`a/${n}`);
    for (let n = 0; n < 3; n++) queue.add(`b/${n}`);
    expect(await takeAll(queue)).toEqual(["a/0", "b/0", "a/1", "b/1", "a/2", "b/2"]);
    for (let n = 0; n < 1_000; n++) queue.add(`alone/${n}`);
    await takeAll(queue);
    queue.add("alone/x");
    await clock.advance(1);
    queue.add("b/x");
    expect(await takeAll(queue)).toEqual(["alone/x", "b/x"]);
  });

  test("adding a waiting key again raises its class but never lowers it", async () => {
    const { queue } = setUp();
    queue.add("first", { priority: "follow" });
    queue.add("raised", { priority: "resync" });
    queue.add("kept", { priority: "change" });
    queue.add("raised", { priority: "change" });
    queue.add("kept", { priority: "resync" });
    expect(await takeAll(queue)).toEqual(["raised", "kept", "first"]);
  });

  test.each([
    { waitedMs: 9_999, by: "follow", against: "change", first: "fresh" },
    { waitedMs: 10_001, by: "follow", against: "change", first: "old" },
    { waitedMs: 9_999, by: "resync", against: "follow", first: "fresh" },
    { waitedMs: 10_001, by: "resync", against: "follow", first: "old" },
    { waitedMs: 19_999, by: "resync", against: "change", first: "fresh" },
    { waitedMs: 20_001, by: "resync", against: "change", first: "old" },
  ] as const)("a $by key that waited $waitedMs ms against a fresh $against key: $first first", async (row) => {
    const { clock, queue } = setUp();
    await takeNow(queue);
    queue.add("old", { priority: row.by });
    await clock.advance(row.waitedMs);
    queue.add("fresh", { priority: row.against });
    expect((await takeNow(queue))?.key).toBe(row.first);
  });

  test("what waited before anybody worked has not aged", async () => {
    const { clock, queue } = setUp();
    queue.add("old", { priority: "resync" });
    await clock.advance(3_600_000);
    expect(queue.oldestDueMs()).toBe(0);
    queue.add("fresh", { priority: "change" });
    expect(await takeAll(queue)).toEqual(["fresh", "old"]);
  });
});

describe("retrying", () => {
  test("forget starts the back-off over", async () => {
    const { clock, queue } = setUp();
    for (let n = 0; n < 5; n++) queue.retry("a");
    expect(queue.failures("a")).toBe(5);
    queue.forget("a");
    expect(queue.failures("a")).toBe(0);
    queue.retry("b");
    await clock.advance(1_000);
    expect(await takeAll(queue)).toEqual(["a", "b"]);
  });

  test.each([
    [1, 1_000],
    [2, 2_000],
    [3, 4_000],
    [10, 512_000],
    [11, 900_000],
    [12, 900_000],
  ])("failure %i in a row waits %i ms", async (failures, delayMs) => {
    const { clock, queue } = setUp();
    queue.add("a");
    await takeAll(queue);
    for (let n = 1; n < failures; n++) {
      queue.retry("a");
      queue.add("a");
      queue.done("a");
      await takeAll(queue);
    }
    queue.retry("a");
    queue.done("a");
    await clock.advance(delayMs - 1);
    expect(await takeAll(queue)).toEqual([]);
    await clock.advance(1);
    expect(await takeAll(queue)).toEqual(["a"]);
  });

  test.each([
    ["waits at least as long as it was told", 5_000, 5_000],
    ["waits its own back-off when that is longer", 10, 1_000],
  ])("%s", async (_, notBeforeMs, dueMs) => {
    const { clock, queue } = setUp();
    queue.add("a");
    await takeAll(queue);
    queue.retry("a", { notBeforeMs });
    queue.done("a");
    await clock.advance(dueMs - 1);
    expect(await takeAll(queue)).toEqual([]);
    await clock.advance(1);
    expect(await takeAll(queue)).toEqual(["a"]);
  });

  test("spreads what failed together", async () => {
    const { clock, queue } = setUp({ jitter: 0.5, random: 0 });
    queue.add("a");
    await takeAll(queue);
    queue.retry("a");
    queue.done("a");
    await clock.advance(500);
    expect(await takeAll(queue)).toEqual(["a"]);
  });

  test("keeps the class of the pass that failed", async () => {
    const { clock, queue } = setUp();
    queue.add("a", { priority: "resync" });
    await takeAll(queue);
    queue.retry("a");
    queue.done("a");
    await clock.advance(1_000);
    expect(await takeNow(queue)).toEqual({ key: "a", priority: "resync" });
  });

  test("a change brings a retry forward and keeps the count of failures", async () => {
    const { queue } = setUp();
    queue.add("a");
    await takeAll(queue);
    queue.retry("a");
    queue.done("a");
    queue.add("a");
    expect(await takeAll(queue)).toEqual(["a"]);
    expect(queue.failures("a")).toBe(1);
  });
});

describe("shutting down", () => {
  test("idle workers get nothing, adds are ignored, no timer stays", async () => {
    const { clock, queue } = setUp();
    queue.add("later", { afterMs: 1_000 });
    const idle = [queue.get(), queue.get()];
    queue.shutDown();
    queue.add("a");
    queue.retry("b");
    expect(await Promise.all([...idle, queue.get()])).toEqual([undefined, undefined, undefined]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("drained waits for the passes under way, and does not hand out what they asked for", async () => {
    const { queue } = setUp();
    queue.add("a");
    queue.add("b");
    await takeAll(queue);
    queue.add("a");
    queue.shutDown();
    let isDrained = false;
    const drained = queue.drained().then(() => {
      isDrained = true;
    });
    queue.done("a");
    await settle();
    expect(isDrained).toBe(false);
    queue.done("b");
    await drained;
    expect(await queue.get()).toBeUndefined();
  });

  test("drained is immediate when nothing is under way", async () => {
    const { queue } = setUp();
    await queue.drained();
  });

  test("an aborted wait rejects with the reason and loses no key", async () => {
    const { queue } = setUp();
    const abort = new AbortController();
    const waiting = queue.get(abort.signal);
    abort.abort(new Error("stop"));
    await expect(waiting).rejects.toThrow("stop");
    await expect(queue.get(abort.signal)).rejects.toThrow("stop");
    queue.add("a");
    expect(await takeAll(queue)).toEqual(["a"]);
  });

  test("done for a key that nobody works on is a mistake and says so", () => {
    const { queue } = setUp();
    expect(() => queue.done("a")).toThrow('"a" is not being processed');
  });
});

describe("figures", () => {
  test("the oldest due key counts from when it was due, also while its pass is under way", async () => {
    const { clock, queue } = setUp();
    queue.add("a");
    await takeAll(queue);
    await clock.advance(1_000);
    queue.add("a");
    await clock.advance(4_000);
    expect(queue.oldestDueMs()).toBe(4_000);
    queue.done("a");
    queue.add("b", { afterMs: 60_000 });
    await clock.advance(1_000);
    expect(queue.oldestDueMs()).toBe(5_000);
    await takeAll(queue);
    expect(queue.oldestDueMs()).toBe(0);
  });

  test("stats tell what waits, what is delayed and how long passes have been running", async () => {
    const { clock, queue } = setUp();
    queue.add("a");
    queue.add("b");
    await takeNow(queue);
    await clock.advance(2_000);
    await takeNow(queue);
    await clock.advance(1_000);
    queue.add("c", { priority: "resync" });
    queue.add("d", { afterMs: 1_000 });
    expect(queue.stats()).toEqual({
      ready: { change: 0, follow: 0, resync: 1 },
      delayed: 1,
      processing: 2,
      unfinishedMs: 4_000,
      longestRunningMs: 3_000,
    });
  });

  test("the observer hears of adds, starts, ends and retries", async () => {
    const heard: string[] = [];
    const { clock, queue } = setUp({
      observer: {
        added: () => heard.push("added"),
        retried: () => heard.push("retried"),
        started: (waitedMs) => heard.push(`started after ${waitedMs}`),
        finished: (workedMs) => heard.push(`finished after ${workedMs}`),
      },
    });
    await takeNow(queue);
    queue.add("a");
    queue.add("a");
    await clock.advance(20);
    await takeAll(queue);
    await clock.advance(30);
    queue.retry("a");
    queue.done("a");
    expect(heard).toEqual(["added", "started after 20", "retried", "added", "finished after 30"]);
  });
});

describe("a wait that was calculated wrongly", () => {
  test.each([Number.NaN, Number.NEGATIVE_INFINITY, -1, 1e-11])("of %d ms is none", async (afterMs) => {
    const { queue } = setUp();
    queue.add("a", { afterMs: 5 });
    queue.add("b", { afterMs });
    expect(await takeAll(queue)).toEqual(["b"]);
  });

  test("without end is ended by the next add", async () => {
    const { clock, queue } = setUp();
    queue.add("a", { afterMs: Number.POSITIVE_INFINITY });
    await clock.advance(1_000_000_000);
    expect(await takeAll(queue)).toEqual([]);
    queue.add("a");
    expect(await takeAll(queue)).toEqual(["a"]);
    queue.done("a");
  });

  test("does not replace the back-off of a failure", async () => {
    const { clock, queue } = setUp();
    queue.retry("a", { notBeforeMs: Number.NaN });
    await clock.advance(999);
    expect(await takeAll(queue)).toEqual([]);
    await clock.advance(1);
    expect(await takeAll(queue)).toEqual(["a"]);
  });
});

describe("for any order of adds, passes and waits", () => {
  const key = fc.constantFrom("a", "b", "c", "d", "e");
  const priority = fc.constantFrom(...priorities);
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), key, priority, afterMs: fc.constantFrom(0, 1, 500, 5_000) }),
    fc.record({ kind: fc.constant("take" as const) }),
    fc.record({ kind: fc.constant("done" as const), retry: fc.boolean() }),
    fc.record({ kind: fc.constant("wait" as const), forMs: fc.constantFrom(1, 499, 1_000, 12_000) }),
  );

  test("no key is handed out twice at once, none is early, and every add is followed by a pass", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { clock, queue } = setUp();
        const model = new Map<string, number>();
        const running: string[] = [];
        const takeInto = (item: WorkItem | undefined) => {
          if (item === undefined) return;
          expect(running).not.toContain(item.key);
          // Wanted, and not before its time.
          expect(model.get(item.key)).toBeLessThanOrEqual(clock.monotonic());
          model.delete(item.key);
          running.push(item.key);
        };
        const want = (name: string, dueMs: number) =>
          model.set(name, Math.min(dueMs, model.get(name) ?? Number.POSITIVE_INFINITY));
        for (const one of steps) {
          switch (one.kind) {
            case "add":
              want(one.key, clock.monotonic() + one.afterMs);
              queue.add(one.key, one);
              break;
            case "take":
              takeInto(await takeNow(queue));
              break;
            case "done": {
              const ended = running.shift();
              if (ended === undefined) break;
              if (one.retry) {
                queue.retry(ended);
                want(ended, clock.monotonic() + backoff.baseMs * 2 ** (queue.failures(ended) - 1));
              }
              queue.done(ended);
              break;
            }
            case "wait":
              await clock.advance(one.forMs);
              break;
          }
        }
        for (const name of running.splice(0)) queue.done(name);
        await clock.advance(100_000_000);
        for (let item = await takeNow(queue); item !== undefined; item = await takeNow(queue)) takeInto(item);
        expect([...model.keys()]).toEqual([]);
        expect(clock.pendingTimers).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test("no key is handed out more often than its rate allows, and each in the end", async () => {
    const rate = { burst: 3, intervalMs: 500 };
    const steps = fc.array(
      fc.record({ key: fc.constantFrom("a", "b"), afterMs: fc.constantFrom(0, 0, 0, 300, 900), waitMs: fc.nat(400) }),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (list, isAddedWhileTaken) => {
        const { clock, queue } = setUp({ rate });
        const taken = new Map<string, number[]>([
          ["a", []],
          ["b", []],
        ]);
        const takeAllNow = async () => {
          for (let item = await takeNow(queue); item !== undefined; item = await takeNow(queue)) {
            const times = taken.get(item.key) ?? [];
            times.push(clock.monotonic());
            const first = times.at(-1 - rate.burst);
            if (first !== undefined) expect(clock.monotonic() - first).toBeGreaterThanOrEqual(rate.intervalMs);
            if (isAddedWhileTaken && times.length < 20) queue.add(item.key);
            queue.done(item.key);
          }
        };
        for (const { key: name, afterMs, waitMs } of list) {
          queue.add(name, { afterMs });
          await takeAllNow();
          await clock.advance(waitMs);
        }
        for (let round = 0; round < 25; round++) {
          await clock.advance(500);
          await takeAllNow();
        }
        expect(queue.stats()).toMatchObject({ ready: { change: 0, follow: 0, resync: 0 }, delayed: 0, processing: 0 });
      }),
      { numRuns: 40 },
    );
  });

  test("nothing is overtaken by what became ready two and a half aging steps later", async () => {
    const arrivals = fc.array(fc.record({ gapMs: fc.integer({ min: 0, max: 9_000 }), priority }), {
      minLength: 2,
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(arrivals, async (list) => {
        const agingMs = 5_000;
        const { clock, queue } = setUp({ agingMs });
        await takeNow(queue);
        const readyAtMs = new Map<string, number>();
        for (const [n, { gapMs, priority: wanted }] of list.entries()) {
          await clock.advance(gapMs);
          readyAtMs.set(`k${n}`, clock.monotonic());
          queue.add(`k${n}`, { priority: wanted });
        }
        const order = (await takeAll(queue)).map((name) => readyAtMs.get(name) ?? Number.NaN);
        for (const [place, atMs] of order.entries()) {
          for (const laterMs of order.slice(place + 1)) expect(atMs - laterMs).toBeLessThanOrEqual(2.5 * agingMs);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("groups", () => {
  /** `a:1` is of group `a`; `free` is of none. */
  const groupOf = (key: string) => (key.includes(":") ? key.split(":")[0] : undefined);
  const limited =
    (limit: number, of: (key: string) => string | undefined = groupOf): WorkQueueGroups =>
    (key) => {
      const name = of(key);
      return name === undefined ? [] : [{ name, limit }];
    };
  const groups = limited(2);

  test("of which enough is processed are passed over; one that is done makes room for the next", async () => {
    const { queue } = setUp({ groups });
    for (const key of ["a:1", "a:2", "a:3", "a:4", "b:1", "free", "free2", "free3"]) queue.add(key);
    expect(await takeAll(queue)).toEqual(["a:1", "a:2", "b:1", "free", "free2", "free3"]);
    queue.done("a:2");
    expect(await takeAll(queue)).toEqual(["a:3"]);
    queue.done("b:1");
    expect(await takeAll(queue)).toEqual([]);
    queue.done("a:1");
    queue.done("a:3");
    expect(await takeAll(queue)).toEqual(["a:4"]);
  });

  test("wake a worker that waits when they have room again", async () => {
    const { queue } = setUp({ groups });
    for (const key of ["a:1", "a:2", "a:3"]) queue.add(key);
    await takeAll(queue);
    const next = queue.get();
    queue.done("a:1");
    expect((await next)?.key).toBe("a:3");
  });

  test("keep the order and the class of what waits, also of what becomes more urgent meanwhile", async () => {
    const { queue } = setUp({ groups });
    queue.add("a:1");
    queue.add("a:2");
    await takeAll(queue);
    queue.add("a:3", { priority: "resync" });
    queue.add("a:4", { priority: "follow" });
    queue.add("a:5", { priority: "resync" });
    expect(await takeAll(queue)).toEqual([]);
    expect(queue.stats().ready).toEqual({ change: 0, follow: 1, resync: 2 });
    queue.add("a:5", { priority: "change" });
    const order: (string | undefined)[] = [];
    for (const done of ["a:1", "a:5", "a:4"]) {
      queue.done(done);
      order.push(...(await takeAll(queue)));
    }
    expect(order).toEqual(["a:5", "a:4", "a:3"]);
  });

  test("are not kept full by a key that is added again and again", async () => {
    const { queue } = setUp({ groups: limited(1) });
    queue.add("a:1");
    queue.add("a:2");
    expect(await takeAll(queue)).toEqual(["a:1"]);
    queue.add("a:1");
    const next = queue.get();
    queue.done("a:1");
    expect((await next)?.key).toBe("a:2");
    queue.done("a:2");
    expect(await takeAll(queue)).toEqual(["a:1"]);
  });

  test("have room again when a pass was given up, whose key stays locked; its end makes no further room", async () => {
    const { queue } = setUp({ groups: limited(1) });
    for (const key of ["a:1", "a:2", "a:3"]) queue.add(key);
    expect(await takeAll(queue)).toEqual(["a:1"]);
    queue.giveUp("a:1");
    queue.add("a:1");
    expect(await takeAll(queue)).toEqual(["a:2"]);
    queue.done("a:1");
    expect(await takeAll(queue)).toEqual([]);
    queue.done("a:2");
    expect(await takeAll(queue)).toEqual(["a:3"]);
  });

  test("that a key has left meanwhile do not hold it, nor those behind it", async () => {
    const moved = new Set<string>();
    const of = (key: string) => (moved.has(key) ? "elsewhere" : groupOf(key));
    const { queue } = setUp({ groups: limited(1, of) });
    for (const key of ["a:1", "a:2", "a:3"]) queue.add(key);
    expect(await takeAll(queue)).toEqual(["a:1"]);
    moved.add("a:2");
    queue.done("a:1");
    expect(await takeAll(queue)).toEqual(["a:2", "a:3"]);
  });

  test.each([
    ["was deleted", undefined],
    ["moved to a group with room", "b"],
    ["moved to a full group", "full"],
  ])("offer a free place to the next one when the object it was offered to %s before its turn came", async (_, to) => {
    const moved = new Map<string, string | undefined>();
    const of = (key: string) => (moved.has(key) ? moved.get(key) : groupOf(key));
    const { queue } = setUp({ groups: limited(1, of) });
    for (const key of ["full:1", "a:1", "a:2", "a:3"]) queue.add(key);
    expect(await takeAll(queue)).toEqual(["full:1", "a:1"]);
    queue.done("a:1");
    moved.set("a:2", to);
    expect(await takeAll(queue)).toEqual(to === "full" ? ["a:3"] : ["a:2", "a:3"]);
  });

  test("let go of a key that is added again after it has left, with its place in the order", async () => {
    const moved = new Map<string, string>();
    const { clock, queue } = setUp({ groups: limited(1, (key) => moved.get(key) ?? groupOf(key)) });
    for (const key of ["a:1", "a:2", "b:1"]) queue.add(key);
    expect(await takeAll(queue)).toEqual(["a:1", "b:1"]);
    await clock.advance(1_000);
    queue.add("b:2");
    expect(await takeAll(queue)).toEqual([]);
    moved.set("a:2", "b");
    queue.add("a:2");
    expect(await takeAll(queue)).toEqual([]);
    queue.done("b:1");
    expect(await takeAll(queue)).toEqual(["a:2"]);
  });

  test("may lie in wider ones: a full wide one holds what its narrow ones have room for, and they catch up", async () => {
    const nested: WorkQueueGroups = (key) => [
      { name: key.slice(0, 2), limit: 2 },
      { name: key.slice(0, 1), limit: 3 },
    ];
    const { queue } = setUp({ groups: nested });
    for (const key of ["a1:1", "a1:2", "a1:3", "a1:4", "a2:1", "a2:2", "b1:1"]) queue.add(key);
    expect(await takeAll(queue)).toEqual(["a1:1", "a1:2", "a2:1", "b1:1"]);
    queue.done("a2:1");
    expect(await takeAll(queue)).toEqual(["a2:2"]);
    queue.done("a1:1");
    queue.done("a1:2");
    expect(await takeAll(queue)).toEqual(["a1:3", "a1:4"]);
  });

  test("with a share have a part of what the wider one has left, one place in any case", async () => {
    const nested: WorkQueueGroups = (key) => [
      { name: key.slice(0, 1), limit: 4, share: 0.5 },
      { name: "all", limit: 7 },
    ];
    const { queue } = setUp({ groups: nested });
    for (const letter of ["a", "b", "c", "d", "e", "f"]) for (let n = 0; n < 5; n++) queue.add(`${letter}:${n}`);
    // 7 left: 3 for a. As a takes them it leaves 6, 5, 4; and 2 of these are fewer than the 3 it has.
    expect(await takeAll(queue)).toEqual(["a:0", "a:1", "b:0", "b:1", "c:0", "d:0", "e:0"]);
    queue.done("a:0");
    expect(await takeAll(queue)).toEqual(["f:0"]);
  });

  test("with a share get more places when others leave, in the order in which their keys came", async () => {
    const nested: WorkQueueGroups = (key) => [
      { name: key.slice(0, 1), limit: 4, share: 0.5 },
      { name: "all", limit: 6 },
    ];
    const { queue } = setUp({ groups: nested });
    for (const key of ["b:0", "b:1", "b:2", "a:0", "a:1", "a:2", "a:3"]) queue.add(key);
    expect(await takeAll(queue)).toEqual(["b:0", "b:1", "a:0"]);
    for (const key of ["b:0", "b:1"]) queue.done(key);
    expect(await takeAll(queue)).toEqual(["b:2"]);
    queue.done("b:2");
    // Whoever comes now lets those before it go first, for which there are two places by now.
    queue.add("a:4");
    expect(await takeAll(queue)).toEqual(["a:1"]);
    queue.done("a:0");
    expect(await takeAll(queue)).toEqual(["a:2"]);
    queue.done("a:1");
    queue.done("a:2");
    expect(await takeAll(queue)).toEqual(["a:3", "a:4"]);
  });

  test("with a share that have more places by now fill them two for each that becomes free", async () => {
    const nested: WorkQueueGroups = (key) => [
      { name: key.slice(0, 1), limit: 4, share: 0.5 },
      { name: "all", limit: 9 },
    ];
    const { queue } = setUp({ groups: nested });
    for (const key of ["b:0", "c:0", "d:0", "e:0", "f:0", "g:0", "a:0", "a:1", "a:2", "a:3"]) queue.add(key);
    expect((await takeAll(queue)).filter((key) => key.startsWith("a"))).toEqual(["a:0"]);
    for (const letter of ["b", "c", "d", "e", "f", "g"]) queue.done(`${letter}:0`);
    expect(await takeAll(queue)).toEqual([]);
    queue.done("a:0");
    expect(await takeAll(queue)).toEqual(["a:1", "a:2"]);
    queue.done("a:1");
    expect(await takeAll(queue)).toEqual(["a:3"]);
  });

  test("that are slow together tell of it as long as one of their keys takes long", async () => {
    const { queue } = setUp({ groups: (key) => [{ name: key.slice(0, 1), limit: 9, isSlowTogether: true }] });
    queue.add("a:1");
    await takeAll(queue);
    queue.takesLong("a:1");
    queue.takesLong("a:1");
    queue.add("a:2");
    queue.add("b:1");
    expect([await takeNow(queue), await takeNow(queue)]).toEqual([
      { key: "a:2", priority: "change", isSlow: true },
      { key: "b:1", priority: "change" },
    ]);
    queue.done("a:1");
    queue.add("a:3");
    expect(await takeNow(queue)).toEqual({ key: "a:3", priority: "change" });
  });

  test("with shares are never exceeded, leave a place to whoever has none, and lose no key, whatever is added, done or given up", async () => {
    const keys = ["a1:1", "a1:2", "a1:3", "a1:4", "a2:1", "a2:2", "b1:1", "b1:2", "b1:3", "c1:1", "c1:2", "d1:1"];
    const groupsOf = (one: string): readonly Required<Pick<WorkGroup, "name" | "limit" | "share">>[] => [
      { name: one.slice(0, 2), limit: 3, share: 0.5 },
      { name: one.slice(0, 1), limit: 4, share: 0.5 },
      { name: "all", limit: 6, share: Number.POSITIVE_INFINITY },
    ];
    const step = fc.record({
      do: fc.constantFrom("add", "add", "add", "take", "take", "done", "give up"),
      key: fc.constantFrom(...keys),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const { queue } = setUp({ groups: groupsOf, rate: { burst: 1_000, intervalMs: 1 } });
        const wanted = new Set<string>();
        const processing = new Map<string, readonly string[]>();
        const busy = (name: string) => [...processing.values()].filter((names) => names.includes(name)).length;
        /** From the widest group inwards: what each has left. */
        const isBlocked = (one: string) =>
          groupsOf(one).reduceRight(
            ({ left, blocked }, { name, limit, share }) => {
              const free = Math.min(limit, Math.max(1, Math.floor(left * share))) - busy(name);
              return { left: free, blocked: blocked || free <= 0 };
            },
            { left: 1, blocked: false },
          ).blocked;
        const take = async () => {
          const item = await takeNow(queue);
          if (item === undefined) return false;
          expect([isBlocked(item.key), processing.has(item.key)]).toEqual([false, false]);
          wanted.delete(item.key);
          processing.set(
            item.key,
            groupsOf(item.key).map(({ name }) => name),
          );
          return true;
        };
        const end = (one: string) => {
          if (processing.delete(one)) queue.done(one);
        };
        for (const { do: action, key } of steps) {
          if (action === "take") await take();
          else if (action === "done") end(key);
          else if (action === "give up") {
            queue.giveUp(key);
            if (processing.has(key)) processing.set(key, []);
          } else {
            queue.add(key);
            wanted.add(key);
          }
        }
        while (await take());
        const hasNone = (one: string) => !processing.has(one) && busy(one.slice(0, 1)) === 0 && busy("all") < 6;
        expect([...wanted].filter(hasNone)).toEqual([]);
        for (let round = 0; round < 20 && wanted.size > 0; round++) {
          for (const one of [...processing.keys()]) end(one);
          while (await take());
        }
        expect([...wanted]).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  test("do not make what they hold count as overdue, but the pass in its way as running", async () => {
    const { clock, queue } = setUp({ groups: limited(1) });
    queue.add("a:1");
    queue.add("a:2");
    await takeAll(queue);
    await clock.advance(400_000);
    expect(queue.oldestDueMs()).toBe(0);
    expect(queue.stats().longestRunningMs).toBe(400_000);
  });

  test("lose no key and are never exceeded, whatever is added and done", async () => {
    const key = fc.constantFrom("a:1", "a:2", "a:3", "a:4", "b:1", "b:2", "b:3", "free");
    const step = fc.oneof(
      fc.record({ do: fc.constant("add" as const), key }),
      fc.record({ do: fc.constant("take" as const), key }),
      fc.record({ do: fc.constant("done" as const), key }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (taken) => {
        const { queue } = setUp({ groups });
        const wanted = new Set<string>();
        const processing = new Set<string>();
        const take = async () => {
          const item = await takeNow(queue);
          if (item === undefined) return false;
          expect(processing.has(item.key)).toBe(false);
          wanted.delete(item.key);
          processing.add(item.key);
          const busy = [...processing].filter((other) => groupOf(other) === groupOf(item.key));
          if (groupOf(item.key) !== undefined) expect(busy.length).toBeLessThanOrEqual(2);
          return true;
        };
        const end = (ended: string) => {
          if (processing.delete(ended)) queue.done(ended);
        };
        for (const { do: action, key: about } of taken) {
          if (action === "take") await take();
          else if (action === "done") end(about);
          else {
            queue.add(about);
            wanted.add(about);
          }
        }
        for (let round = 0; round < 20 && wanted.size > 0; round++) {
          while (await take());
          for (const ended of processing) end(ended);
        }
        expect([...wanted]).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  test("have parked keys only while full, and are never exceeded, whatever is added, done, given up, deleted or moved", async () => {
    const keys = ["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"];
    const key = fc.constantFrom(...keys);
    const step = fc.oneof(
      fc.record({ do: fc.constantFrom("add", "add", "take", "take", "done", "give up"), key }),
      fc.record({ do: fc.constant("move"), key, to: fc.constantFrom(undefined, "a1", "a2", "b1") }),
    );
    const limits = { narrow: 1, wide: 2 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const places = new Map<string, string | undefined>(keys.map((one, n) => [one, n < 5 ? "a1" : "a2"]));
        const groupsOf = (one: string) => {
          const project = places.get(one);
          if (project === undefined) return [];
          return [
            { name: project, limit: limits.narrow },
            { name: project.slice(0, 1), limit: limits.wide },
          ];
        };
        const { queue } = setUp({ groups: groupsOf });
        const wanted = new Set<string>();
        /** The groups that each pass under way counts for. */
        const processing = new Map<string, readonly string[]>();
        const busy = (name: string) => [...processing.values()].filter((names) => names.includes(name)).length;
        const isBlocked = (one: string) => groupsOf(one).some(({ name, limit }) => busy(name) >= limit);
        const take = async () => {
          const item = await takeNow(queue);
          if (item === undefined) return false;
          expect(isBlocked(item.key)).toBe(false);
          wanted.delete(item.key);
          const names = groupsOf(item.key).map(({ name }) => name);
          processing.set(item.key, names);
          return true;
        };
        const end = (one: string) => {
          if (processing.delete(one)) queue.done(one);
        };
        for (const one of steps) {
          if (one.do === "take") await take();
          else if (one.do === "done") end(one.key);
          else if (one.do === "give up") {
            queue.giveUp(one.key);
            if (processing.has(one.key)) processing.set(one.key, []);
          } else {
            // As from a watch: what changes is added.
            if ("to" in one) places.set(one.key, one.to);
            queue.add(one.key);
            wanted.add(one.key);
          }
        }
        while (await take());
        expect([...wanted].filter((one) => !processing.has(one) && !isBlocked(one))).toEqual([]);
        for (let round = 0; round < 20 && wanted.size > 0; round++) {
          for (const one of [...processing.keys()]) end(one);
          while (await take());
        }
        expect([...wanted]).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
