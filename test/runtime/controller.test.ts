import { describe, expect, test, vi } from "vitest";
import { startHttpServer } from "../../src/http-server.ts";
import { KubeError } from "../../src/kube/errors.ts";
import { type ControllerOptions, createController, type ReconcileContext } from "../../src/runtime/controller.ts";
import type { Outcome } from "../../src/runtime/outcome.ts";
import { WorkQueue, type WorkQueueRate } from "../../src/runtime/work-queue.ts";
import { sleep, systemClock } from "../../src/util/clock.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { fakeLog } from "../support/fake-log.ts";
import { hangingPasses } from "../support/hanging-passes.ts";

interface Pass extends ReconcileContext {
  readonly key: string;
  readonly end: (outcome: Outcome) => void;
  readonly fail: (error: unknown) => void;
}

const settled: Outcome = { kind: "settled" };

/** A controller whose passes last until the test ends them. */
function setUp(changes: Partial<ControllerOptions> = {}) {
  const clock = (changes.clock ?? new FakeClock()) as FakeClock;
  const { log, lines } = fakeLog();
  const queue =
    changes.queue ??
    new WorkQueue({
      clock,
      random: () => 0,
      backoff: { baseMs: 1_000, factor: 2, capMs: 9_000, jitter: 0 },
    });
  const passes: Pass[] = [];
  const heard: string[] = [];
  let drawn = 0;
  const controller = createController({
    name: "pets",
    queue,
    workers: 2,
    reconcile: (key, context) =>
      new Promise((end, fail) => {
        passes.push({ key, ...context, end, fail });
      }),
    clock,
    random: () => (drawn++ % 16) / 16,
    log,
    observer: {
      reconciled: (result, durationMs) => heard.push(`${result} after ${durationMs}`),
      panicked: () => heard.push("panic"),
      timedOut: () => heard.push("timeout"),
      throttled: () => heard.push("throttled"),
      activeWorkers: (count) => heard.push(`active ${count}`),
    },
    ...changes,
  });
  const leadership = new AbortController();
  controller.start(leadership.signal);
  const keys = () => passes.map(({ key }) => key);
  return { clock, queue, controller, passes, keys, lines, heard, leadership };
}

test.each([
  ["is retried, and is not logged where somebody else has", "forbidden", []],
  ["is a warning where the API server cannot be reached", "unavailable", ["warn"]],
  ["is an error and a warning where the API server rejects what is written", "invalid", ["error", "warn"]],
] as const)("a pass that fails %s", async (_, code, levels) => {
  const explain = (error: Error) => ({ text: "no permission", isLogged: error.message.startsWith("[forbidden]") });
  const { queue, passes, lines, clock, keys } = setUp({ explain });
  queue.add("a");
  await settle();
  passes[0]?.fail(new KubeError({ code, step: "patch pets", detail: "no" }));
  await clock.advance(1_000);
  expect(keys()).toEqual(["a", "a"]);
  expect(lines.map(({ level }) => level).filter((level) => level !== "debug")).toEqual(levels);
});

describe("workers", () => {
  test("run as many passes at once as they are, and take the next key when one ends", async () => {
    const { queue, passes, keys, heard } = setUp();
    for (const key of ["a", "b", "c"]) queue.add(key);
    await settle();
    expect(keys()).toEqual(["a", "b"]);
    passes[0]?.end(settled);
    await settle();
    expect(keys()).toEqual(["a", "b", "c"]);
    expect(heard).toEqual(["active 1", "active 2", "success after 0", "active 1", "active 2"]);
  });

  test("never run one key twice at once, and run it again when it was added meanwhile", async () => {
    const { queue, passes, keys } = setUp();
    queue.add("a");
    await settle();
    queue.add("a");
    await settle();
    expect(keys()).toEqual(["a"]);
    passes[0]?.end(settled);
    await settle();
    expect(keys()).toEqual(["a", "a"]);
  });

  test("may be many without Node taking their listeners for a leak", async () => {
    const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    const { queue, keys, leadership } = setUp({ workers: 50 });
    for (let n = 0; n < 30; n++) queue.add(`k${n}`);
    await settle();
    expect(keys()).toHaveLength(30);
    leadership.abort();
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });

  test("wait for usable caches with the key in hand, and not before", async () => {
    let open: () => void = () => undefined;
    const usable = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { queue, keys } = setUp({ whenUsable: () => usable });
    queue.add("a");
    await settle();
    expect(keys()).toEqual([]);
    open();
    await settle();
    expect(keys()).toEqual(["a"]);
  });
});

describe("outcomes", () => {
  test("settled: nothing follows, and earlier failures are forgotten", async () => {
    const { clock, queue, passes, keys } = setUp();
    queue.add("a");
    await settle();
    passes[0]?.end({ kind: "retry", error: new Error("no") });
    await clock.advance(1_000);
    expect(passes[1]?.failures).toBe(1);
    passes[1]?.end(settled);
    await clock.advance(1_000_000);
    expect(keys()).toEqual(["a", "a"]);
    expect(queue.failures("a")).toBe(0);
  });

  test("recheck: comes back after its time in its class, and earlier failures are forgotten", async () => {
    const { clock, queue, passes, keys, heard } = setUp();
    queue.retry("a");
    await clock.advance(1_000);
    passes[0]?.end({ kind: "recheck", afterMs: 30_000, priority: "follow" });
    await clock.advance(29_999);
    expect(keys()).toEqual(["a"]);
    await clock.advance(1);
    expect(keys()).toEqual(["a", "a"]);
    expect(queue.failures("a")).toBe(0);
    expect(heard).toContain("requeue_after after 0");
  });

  test.each([
    ["its own back-off", undefined, 1_000],
    ["not before it was told", 5_000, 5_000],
  ])("retry: comes back after %s", async (_, notBeforeMs, delayMs) => {
    const { clock, queue, passes, keys, heard } = setUp();
    queue.add("a");
    await settle();
    passes[0]?.end({ kind: "retry", error: new Error("no"), ...(notBeforeMs === undefined ? {} : { notBeforeMs }) });
    await clock.advance(delayMs - 1);
    expect(keys()).toEqual(["a"]);
    await clock.advance(1);
    expect(keys()).toEqual(["a", "a"]);
    expect(heard).toContain("error after 0");
  });
});

test.each([
  ["429", { code: "throttled", httpStatus: 429, retryAfterMs: 20_000 }, [20_000, 40_000]],
  ["503", { code: "unavailable", httpStatus: 503, retryAfterMs: 20_000 }, [20_000, 40_000]],
  ["a wait that no API server means", { code: "unavailable", retryAfterMs: 7_200_000 }, [300_000, 600_000]],
  ["no wait", { code: "throttled", httpStatus: 429 }, [1_000, 1_000]],
] as const)(
  "a write that the API server turns away with %s is tried when it says, spread",
  async (_, facts, bounds) => {
    const waits: number[] = [];
    for (let count = 0; count < 8; count += 1) {
      const { clock, queue, passes } = setUp({ random: () => count / 8 });
      queue.add("a");
      await settle();
      passes[0]?.fail(new KubeError({ step: "patch pets shop/a", detail: "too many requests", ...facts }));
      const startMs = clock.monotonic();
      while (passes.length < 2) await clock.advance(500);
      waits.push(clock.monotonic() - startMs);
    }
    const [leastMs, mostMs] = bounds;
    expect(Math.min(...waits)).toBe(leastMs);
    expect(Math.max(...waits)).toBeLessThanOrEqual(mostMs);
    expect(new Set(waits).size).toBe(leastMs === mostMs ? 1 : 8);
  },
);

describe("a key that never rests", () => {
  const now: Outcome = { kind: "recheck", afterMs: 0, priority: "change" };

  /** A controller whose reconciles of `busy` return at once; how often each key was reconciled is counted. */
  function counting(changes: { readonly busy: (queue: WorkQueue) => Outcome; readonly rate?: WorkQueueRate }) {
    const counts: Record<string, number> = {};
    const clock = new FakeClock();
    const queue = new WorkQueue({ clock, random: () => 0, ...(changes.rate && { rate: changes.rate }) });
    const scene = setUp({
      clock,
      queue,
      reconcile: async (key) => {
        counts[key] = (counts[key] ?? 0) + 1;
        return key.startsWith("busy") ? changes.busy(queue) : settled;
      },
    });
    return { ...scene, clock, queue, counts };
  }

  test("and asks for the next reconcile at once, always, is reconciled 26 times in its first 100 seconds", async () => {
    const { clock, queue, counts, lines, heard } = counting({ busy: () => now });
    const fired: number[] = [];
    for (const atMs of [1, 10, 1_000, 60_000]) clock.setTimer(() => fired.push(atMs), atMs);
    queue.add("busy");
    await clock.advance(0);
    expect(counts.busy).toBe(2);
    queue.add("other");
    await clock.advance(0);
    expect(counts.other).toBe(1);
    await clock.advance(100_000);
    expect(fired).toEqual([1, 10, 1_000, 60_000]);
    expect(counts.busy).toBe(26);
    expect(lines.filter(({ level }) => level === "warn")).toMatchObject([
      { message: "reconciles are too frequent, throttling", fields: { controller: "pets", object: "busy" } },
    ]);
    expect(heard.filter((word) => word === "throttled")).toHaveLength(25);
  });

  test.each([
    ["settles", settled],
    ["asks for the next one at once", now],
    ["asks for the next one in 100 ms", { kind: "recheck", afterMs: 100, priority: "change" }],
    ["fails", { kind: "retry", error: new Error("no") }],
  ] satisfies readonly (readonly [string, Outcome])[])(
    "because each reconcile wakes it, and %s, is reconciled 20 times at once and then twice a second",
    async (_, outcome) => {
      const { clock, queue, counts, lines } = counting({
        busy: (its) => {
          its.add("busy");
          return outcome;
        },
      });
      queue.add("busy");
      await clock.advance(0);
      expect(counts.busy).toBe(20);
      await clock.advance(60_000);
      expect(counts.busy).toBe(140);
      expect(lines.filter(({ message }) => message.includes("too frequent"))).toHaveLength(1);
    },
  );

  test("is served within half a second when somebody changes it, though its floor is five", async () => {
    const { clock, queue, counts } = counting({ busy: () => now });
    queue.add("busy");
    await clock.advance(60_000);
    const before = counts.busy ?? 0;
    await clock.advance(1_000);
    queue.add("busy");
    await clock.advance(500);
    expect(counts.busy).toBeGreaterThan(before);
  });

  test("is told of again after a minute of rest, and not before", async () => {
    let rests = false;
    const { clock, queue, lines } = counting({ busy: () => (rests ? settled : now) });
    const warnings = () => lines.filter(({ message }) => message.includes("too frequent")).length;
    const episode = async () => {
      rests = false;
      queue.add("busy");
      await clock.advance(1_000);
      rests = true;
      await clock.advance(10_000);
    };
    await episode();
    await episode();
    expect(warnings()).toBe(1);
    await clock.advance(120_000);
    await episode();
    expect(warnings()).toBe(2);
  });

  test.each([
    ["no number", Number.NaN],
    ["for ever", Number.POSITIVE_INFINITY],
    ["less than for ever", Number.NEGATIVE_INFINITY],
  ])("a wait that is %s is a failed reconcile with its back-off", async (_, afterMs) => {
    for (const outcome of [
      { kind: "recheck", afterMs, priority: "change" },
      { kind: "retry", error: new Error("no"), notBeforeMs: afterMs },
    ] satisfies readonly Outcome[]) {
      const { clock, queue, passes, keys, heard } = setUp();
      queue.add("a");
      await settle();
      passes[0]?.end(outcome);
      await clock.advance(999);
      expect([heard.includes("panic"), queue.failures("a"), keys()]).toEqual([true, 1, ["a"]]);
      await clock.advance(1);
      expect(keys()).toEqual(["a", "a"]);
    }
  });

  test("leaves the event loop its turns, however many such keys there are: timers fire, the health port answers", async () => {
    // Without a limit of its rate each key is ready again when its reconcile ends, and none waits for anything.
    const queue = new WorkQueue({
      clock: systemClock,
      random: () => 0,
      rate: { burst: Number.POSITIVE_INFINITY, intervalMs: 1 },
    });
    const limit = 50_000;
    let reconciles = 0;
    const controller = createController({
      name: "pets",
      queue,
      workers: 8,
      reconcile: async (key) => {
        reconciles += 1;
        // Ends in the end, so that this test fails rather than hangs.
        if (reconciles < limit) queue.add(key);
        return settled;
      },
      clock: systemClock,
      random: () => 0,
      log: fakeLog().log,
    });
    const server = await startHttpServer({
      host: "127.0.0.1",
      port: 0,
      routes: { "/healthz": () => ({ status: 200, body: "ok\n" }) },
      onError: () => {},
    });
    const leadership = new AbortController();
    for (let n = 0; n < 100; n++) queue.add(`busy${n}`);
    controller.start(leadership.signal);
    expect((await fetch(`http://${server.address}/healthz`)).status).toBe(200);
    expect(reconciles).toBeLessThan(limit);
    const before = reconciles;
    await sleep(systemClock, 1);
    expect(reconciles).toBeGreaterThan(before);
    expect(reconciles).toBeLessThan(limit);
    leadership.abort();
    await controller.drain(AbortSignal.abort());
    await server.stop();
  });
});

describe("a pass that misbehaves", () => {
  test.each([
    ["throws", (pass: Pass | undefined) => pass?.fail(new TypeError("undefined is not a function"))],
    ["throws something that is no error", (pass: Pass | undefined) => pass?.fail("nonsense")],
    ["returns nothing", (pass: Pass | undefined) => pass?.end(undefined as unknown as Outcome)],
    ["returns nonsense", (pass: Pass | undefined) => pass?.end({ kind: "never" } as unknown as Outcome)],
  ])("and %s is counted as a panic and retried; other keys go on", async (_, misbehave) => {
    const { clock, queue, passes, keys, heard, lines } = setUp({ workers: 1 });
    queue.add("a");
    queue.add("b");
    await settle();
    misbehave(passes[0]);
    await settle();
    expect(keys()).toEqual(["a", "b"]);
    passes[1]?.end(settled);
    await clock.advance(1_000);
    expect(keys()).toEqual(["a", "b", "a"]);
    expect(heard.filter((word) => word === "panic")).toEqual(["panic"]);
    expect(lines.some(({ level, fields }) => level === "error" && fields.err instanceof Error)).toBe(true);
  });

  test("synchronously is contained as well", async () => {
    const { clock, queue, heard } = setUp({
      reconcile: () => {
        throw new Error("at once");
      },
    });
    queue.add("a");
    await settle();
    expect(heard).toContain("panic");
    expect(queue.failures("a")).toBe(1);
    await clock.advance(1_000);
    expect(queue.failures("a")).toBe(2);
  });
});

describe("the time limit of a pass", () => {
  test("ends the work, then leaves a grace for the status", async () => {
    const { clock, queue, passes, heard } = setUp({ reconcileTimeoutMs: 60_000, statusGraceMs: 30_000 });
    queue.add("a");
    await clock.advance(59_999);
    expect(passes[0]?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(passes[0]?.signal.aborted).toBe(true);
    await clock.advance(29_999);
    expect(passes[0]?.statusSignal.aborted).toBe(false);
    passes[0]?.end({ kind: "recheck", afterMs: 5_000, priority: "change" });
    await settle();
    expect(heard).toEqual(["active 1", "active 0", "timeout", "requeue_after after 89999"]);
  });

  test("is known to a pass that asks only when it is over", async () => {
    const seen: boolean[] = [];
    const { clock, queue } = setUp({
      reconcile: async (_, context) => {
        await sleep(clock, 60_001);
        seen.push(context.signal.aborted, context.statusSignal.aborted);
        return settled;
      },
    });
    queue.add("a");
    await clock.advance(60_001);
    expect(seen).toEqual([true, false]);
  });

  test("a rejection after it is a timeout, not a panic", async () => {
    const { clock, queue, passes, heard } = setUp();
    queue.add("a");
    await clock.advance(60_000);
    passes[0]?.fail(passes[0].signal.reason);
    await settle();
    expect(heard).toEqual(["active 1", "active 0", "timeout", "error after 60000"]);
  });

  test("a pass that ignores both limits loses its worker, but keeps its key until it returns", async () => {
    const { clock, queue, passes, keys, lines } = setUp({ workers: 1, maxSetAside: 0 });
    queue.add("hangs");
    queue.add("other");
    await clock.advance(90_999);
    expect(keys()).toEqual(["hangs"]);
    await clock.advance(1);
    expect(keys()).toEqual(["hangs", "other"]);
    expect(lines.map(({ message }) => message)).toContain("reconcile hangs, worker released");
    queue.add("hangs");
    passes[1]?.end(settled);
    await settle();
    expect(keys()).toEqual(["hangs", "other"]);
    passes[0]?.end(settled);
    await settle();
    expect(keys()).toEqual(["hangs", "other", "hangs"]);
  });

  test("leaves no timer behind", async () => {
    const { clock, queue, passes } = setUp();
    queue.add("a");
    await settle();
    passes[0]?.end(settled);
    await settle();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("a pass that takes long", () => {
  test("goes on without its worker after a second", async () => {
    const { clock, queue, passes, keys, heard } = setUp({ workers: 1 });
    queue.add("slow");
    queue.add("other");
    await clock.advance(999);
    expect(keys()).toEqual(["slow"]);
    await clock.advance(1);
    expect(keys()).toEqual(["slow", "other"]);
    passes[0]?.end({ kind: "recheck", afterMs: 5_000, priority: "follow" });
    await settle();
    expect(heard).toContain("requeue_after after 1000");
    await clock.advance(5_000);
    expect(keys()).toEqual(["slow", "other", "slow"]);
  });

  test("keeps its worker where as many as may be have been set aside", async () => {
    const { clock, queue, passes, keys } = setUp({ workers: 1, maxSetAside: 2 });
    for (const key of ["a", "b", "c", "d"]) queue.add(key);
    await clock.advance(10_000);
    expect(keys()).toEqual(["a", "b", "c"]);
    passes[2]?.end(settled);
    await settle();
    expect(keys()).toEqual(["a", "b", "c", "d"]);
  });

  test("is aborted with the leadership, and waited for when draining", async () => {
    const { clock, controller, queue, passes, leadership } = setUp({ workers: 1 });
    queue.add("slow");
    await clock.advance(1_000);
    leadership.abort(new Error("lease lost"));
    expect(passes[0]?.signal.aborted).toBe(true);
    let isDrained = false;
    const drained = controller.drain(new AbortController().signal).then(() => {
      isDrained = true;
    });
    await settle();
    expect(isDrained).toBe(false);
    passes[0]?.end(settled);
    await drained;
    expect(clock.pendingTimers).toBe(0);
  });

  test("and never ends is given up when draining, too", async () => {
    const { clock, controller, queue, lines } = setUp({ workers: 1 });
    queue.add("slow");
    await clock.advance(1_000);
    const drained = controller.drain(AbortSignal.abort(new Error("grace period over")));
    await clock.advance(1_000);
    await drained;
    expect(lines.map(({ message }) => message)).toContain("reconcile hangs, worker released");
  });

  test.each([
    ["of one account", 1],
    ["of three accounts", 3],
  ])("40 objects %s that hang hold up those of another one for a moment only", async (_, accounts) => {
    const clock = new FakeClock();
    const groups = (key: string) => [{ name: key.split("/")[0] ?? "", limit: 8 }];
    const queue = new WorkQueue({ clock, random: () => 0, groups });
    const { controller, started, passed } = hangingPasses(queue, clock, (key) => !key.startsWith("healthy/"));
    const leadership = new AbortController();
    for (let n = 0; n < 40; n++) queue.add(`slow${n % accounts}/${n}`);
    controller.start(leadership.signal);
    await settle();
    for (let n = 0; n < 40; n++) queue.add(`healthy/${n}`);
    await clock.advance(accounts * 1_000);
    expect(passed).toHaveLength(40);
    // Of a slow account never more than 8 are under way.
    for (let n = 0; n < accounts; n++) {
      expect(started.filter((key) => key.startsWith(`slow${n}/`)).length).toBeLessThanOrEqual(8);
    }
    leadership.abort();
    await controller.drain(AbortSignal.abort());
  });
});

test("every line of a pass carries its reconcile id, and no two passes share one", async () => {
  const { queue, passes, lines } = setUp();
  queue.add("a");
  queue.add("b");
  await settle();
  passes[0]?.log.info({ fact: 1 }, "hello");
  passes[1]?.log.info({}, "hello");
  expect(lines.map(({ fields }) => fields)).toEqual([
    { controller: "pets", object: "a", reconcileId: passes[0]?.reconcileId, fact: 1 },
    { controller: "pets", object: "b", reconcileId: passes[1]?.reconcileId },
  ]);
  expect(passes[0]?.reconcileId).toMatch(/^[0-9a-f]{12}$/);
  expect(passes[0]?.reconcileId).not.toBe(passes[1]?.reconcileId);
});

describe("stopping", () => {
  test("draining takes no further key and waits for the passes under way", async () => {
    const { clock, controller, queue, passes, keys } = setUp({ workers: 1 });
    queue.add("a");
    queue.add("b");
    await settle();
    let isDrained = false;
    const drained = controller.drain(new AbortController().signal).then(() => {
      isDrained = true;
    });
    await settle();
    expect([isDrained, passes[0]?.signal.aborted]).toEqual([false, false]);
    passes[0]?.end({ kind: "recheck", afterMs: 0, priority: "change" });
    await drained;
    expect(keys()).toEqual(["a"]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("when the time for draining is up, passes are aborted, and given up if they ignore it", async () => {
    const { clock, controller, queue, passes } = setUp();
    queue.add("a");
    await settle();
    const deadline = new AbortController();
    const drained = controller.drain(deadline.signal);
    deadline.abort(new Error("grace period over"));
    expect(passes[0]?.signal.reason).toEqual(new Error("grace period over"));
    expect(passes[0]?.statusSignal.aborted).toBe(true);
    await clock.advance(1_000);
    await drained;
  });

  test("losing the leadership aborts every pass at once, status included, and no key is taken", async () => {
    const { queue, passes, keys, leadership, heard } = setUp();
    queue.add("a");
    await settle();
    leadership.abort(new Error("lease lost"));
    expect([passes[0]?.signal.aborted, passes[0]?.statusSignal.aborted]).toEqual([true, true]);
    queue.add("b");
    passes[0]?.fail(passes[0].signal.reason);
    await settle();
    expect(keys()).toEqual(["a"]);
    expect(heard).not.toContain("panic");
  });

  test("a worker that waits for caches stops too, and gives its key back", async () => {
    const { controller, queue } = setUp({
      whenUsable: (signal) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    });
    queue.add("a");
    await settle();
    await controller.drain(new AbortController().signal);
    await queue.drained();
  });

  test("draining what was never started is immediate", async () => {
    const { controller } = setUp({ workers: 0 });
    await controller.drain(AbortSignal.abort());
  });
});
