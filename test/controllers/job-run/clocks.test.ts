import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { RunStory } from "../../support/run-story.ts";

const [second, minute, hour] = [1_000, 60_000, 3_600_000];

let story: RunStory;
beforeEach(() => {
  story = new RunStory();
  story.remote.skewMs = 0;
});
afterEach(() => expect(story.end()).toEqual([]));

const aborts = () => story.remote.calls.filter((call) => call === "abort").length;
const outsideMs = () => story.clock.monotonic();

/** Lets time pass until `isOver`, in steps of five seconds; says when it was, in milliseconds from the beginning. */
async function timeOf(isOver: () => boolean, longestMs: number): Promise<number> {
  while (!isOver() && outsideMs() < longestMs) await story.clock.advance(5 * second);
  return outsideMs();
}

interface Limit {
  readonly name: string;
  readonly spec: Partial<NorthflankJobRun["spec"]>;
  readonly given?: () => void;
  /** When the limit is reached, counted from the creation, where no clock is off. */
  readonly atMs: number;
  readonly isOver: () => boolean;
  /** How much earlier it may be carried out: what began between two passes may have begun right after the first. */
  readonly earlyMs?: number;
}

const isGone = () => story.cluster.read("once") === undefined;
const hasEnded = () => isGone() || story.status().completionTime !== undefined;
const long = () => {
  story.remote.runMs = 24 * hour;
};
const blocked = {
  kind: "blocked",
  readyState: { kind: "stalled", reason: "ConnectionNotFound", message: "gone" },
} as const;

// Of a connection that is there: one that is gone holds nothing for so long.
const unusable = { kind: "stalled", reason: "SecretInvalid", message: "no token" } as const;

/** Every time limit of a run object. */
const limits: readonly Limit[] = [
  {
    name: "startDeadlineSeconds",
    spec: { startDeadlineSeconds: 1_800, suspend: true },
    atMs: 30 * minute,
    isOver: hasEnded,
  },
  {
    name: "activeDeadlineSeconds",
    spec: { activeDeadlineSeconds: 1_800 },
    given: long,
    atMs: 30 * minute,
    isOver: () => aborts() > 0,
  },
  {
    name: "activeDeadlineSeconds without a Date of Northflank",
    spec: { activeDeadlineSeconds: 1_800 },
    given: () => {
      long();
      story.remote.sendsDate = false;
    },
    atMs: 30 * minute,
    isOver: () => aborts() > 0,
  },
  {
    name: "ttlSecondsAfterFinished",
    spec: { ttlSecondsAfterFinished: 1_800 },
    given: () => {
      story.remote.runMs = 20 * second;
    },
    atMs: 30 * minute + 20 * second,
    isOver: isGone,
  },
  {
    name: "the ten minutes of a deletion that cannot abort",
    spec: { deletionPolicy: "Abort" },
    given: () => {
      story = new RunStory({
        account: () =>
          outsideMs() > minute ? { ...blocked, readyState: unusable, recheckAfterMs: minute } : undefined,
      });
      long();
      story.clock.setTimer(() => story.cluster.delete("default/once"), 20 * minute);
    },
    atMs: 30 * minute,
    isOver: isGone,
    earlyMs: minute,
  },
  {
    name: "the pause of 6 min before a further run",
    spec: { backoffLimit: 8 },
    given: () => {
      story.remote.runMs = second;
      story.remote.results.push(...Array.from({ length: 8 }, () => "FAILED"));
    },
    // 10 + 20 + 40 + 80 + 160 + 320 + 360 s of pauses after seven runs of a second.
    atMs: 997 * second,
    isOver: () => story.remote.posts.length >= 8,
  },
];

/** What may happen to the clock of the operator in the middle of it; the process itself goes on, or not. */
const mishaps: readonly {
  readonly name: string;
  readonly happens: () => void;
  /** How much later than it should a limit may be carried out; it is never carried out earlier. */
  readonly lateMs: number;
}[] = [
  { name: "nothing", happens: () => undefined, lateMs: 2 * minute },
  { name: "the clock jumps ahead by an hour", happens: () => story.clock.jump(hour), lateMs: 2 * minute },
  { name: "the clock jumps back by an hour", happens: () => story.clock.jump(-hour), lateMs: 2 * minute },
  {
    name: "the clock is an hour ahead for a moment",
    happens: () => {
      story.clock.jump(hour);
      story.clock.setTimer(() => story.clock.jump(-hour), 20 * second);
    },
    lateMs: 2 * minute,
  },
  {
    name: "a new leader comes up with its clock an hour ahead for half a minute",
    happens: () => {
      story.clock.jump(hour);
      story.restart();
      story.clock.setTimer(() => story.clock.jump(-hour), 30 * second);
    },
    lateMs: 2 * minute,
  },
  { name: "a new leader", happens: () => story.restart(), lateMs: 2 * minute },
];

describe("time limits and a clock that is off", () => {
  const table = limits.flatMap((limit) => mishaps.map((mishap) => ({ limit, mishap })));
  test.each(table)("$limit.name; $mishap.name: neither earlier nor much later", async ({ limit, mishap }) => {
    limit.given?.();
    story.remote.skewMs = 0;
    story.clock.setTimer(mishap.happens, limit.atMs / 2);
    await story.run(limit.spec);
    const atMs = await timeOf(limit.isOver, 3 * hour);
    expect(limit.isOver()).toBe(true);
    // Times in a status have whole seconds.
    expect(atMs).toBeGreaterThanOrEqual(limit.atMs - (limit.earlyMs ?? 5 * second));
    expect(atMs).toBeLessThanOrEqual(limit.atMs + mishap.lateMs);
  });
});

describe("the age of a run is told by Northflank's own clock", () => {
  test.each([
    ["a leader whose clock is an hour ahead", hour, 0],
    ["a leader whose clock is an hour behind", -hour, 0],
    ["Northflank an hour behind", 0, -hour],
    ["Northflank an hour ahead", 0, hour],
  ])("%s: aborted at the deadline, as it would be without", async (_, jumpMs, skewMs) => {
    long();
    story.remote.skewMs = skewMs;
    await story.run({ activeDeadlineSeconds: 1_800 }, 2 * minute);
    story.clock.jump(jumpMs);
    story.restart();
    const atMs = await timeOf(() => aborts() > 0, 3 * hour);
    expect(atMs).toBeGreaterThanOrEqual(30 * minute);
    expect(atMs).toBeLessThanOrEqual(31 * minute);
  });

  test.each([-hour, hour])(
    "a run that was found after its answer was lost, Northflank off by %i ms",
    async (skewMs) => {
      long();
      story.remote.skewMs = skewMs;
      story.remote.mode = "answerLost";
      await story.run({ activeDeadlineSeconds: 1_800 });
      const atMs = await timeOf(() => aborts() > 0, 3 * hour);
      expect(atMs).toBeGreaterThanOrEqual(30 * minute - 5 * second);
      expect(atMs).toBeLessThanOrEqual(31 * minute);
    },
  );

  test.each([
    "1970-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "+275760-09-13T00:00:00Z",
    "soon",
    "",
  ])("an absurd start is not believed: %s", async (startedAt) => {
    long();
    const { read } = story.remote;
    story.remote.read = (runId) => {
      const run = read.call(story.remote, runId);
      return run && { ...run, startedAt };
    };
    await story.run({ activeDeadlineSeconds: 1_800 });
    await story.clock.advance(minute);
    story.restart();
    const atMs = await timeOf(() => aborts() > 0, 3 * hour);
    expect(atMs).toBeGreaterThanOrEqual(30 * minute - 5 * second);
    expect(atMs).toBeLessThanOrEqual(32 * minute);
  });

  test("an absurd start of a first run ends neither it nor the run after it", async () => {
    story.remote.runMs = 5 * minute;
    story.remote.results.push("FAILED");
    const { read } = story.remote;
    story.remote.read = (runId) => {
      const run = read.call(story.remote, runId);
      return run && { ...run, startedAt: "1970-01-01T00:00:00Z" };
    };
    await story.run({ activeDeadlineSeconds: 1_800, backoffLimit: 1 }, 6 * minute);
    story.restart();
    await story.clock.advance(8 * minute);
    expect(story.condition("Ready")).toBe("True/RunSucceeded");
    expect(aborts()).toBe(0);
  });

  test("a run that is not followed (suspend) is looked at before it is aborted", async () => {
    long();
    await story.run({ activeDeadlineSeconds: 1_800 }, 2 * minute);
    story.cluster.edit("once", { spec: { suspend: true } });
    await story.clock.advance(minute);
    story.clock.jump(hour);
    story.restart();
    await story.clock.advance(20 * minute);
    expect(aborts()).toBe(0);
    expect(story.condition("Suspended")).toBe("True/Suspended");
    const atMs = await timeOf(() => aborts() > 0, 3 * hour);
    expect(atMs).toBeGreaterThanOrEqual(30 * minute);
    expect(atMs).toBeLessThanOrEqual(31 * minute);
  });
});

test("a run that ended by itself just before its deadline is not aborted any more", async () => {
  story.remote.runMs = 30 * minute - 10 * second;
  await story.run({ activeDeadlineSeconds: 1_800 }, 31 * minute);
  expect(story.condition("Ready")).toBe("True/RunSucceeded");
  expect(aborts()).toBe(0);
});

test("a run that was aborted at its deadline is told as that by a process that starts later", async () => {
  long();
  story.remote.sendsDate = false;
  story.remote.abort = () => undefined;
  await story.run({ activeDeadlineSeconds: 1_800, backoffLimit: 1 }, second);
  await timeOf(() => story.condition("Ready") === "Unknown/Aborting", hour);
  expect(aborts()).toBe(1);
  // By Northflank's clock it took a second less than the deadline.
  const { read } = story.remote;
  story.restart();
  story.remote.read = (runId) => {
    const run = read.call(story.remote, runId);
    return run && { ...run, status: "FAILED", concluded: true, concludedAt: "2026-01-01T00:29:59Z" };
  };
  await story.clock.advance(3 * minute);
  expect(story.condition("Ready")).toBe("False/DeadlineExceeded");
  expect(story.remote.posts).toHaveLength(1);
});

describe("a process that is restarted every two minutes", () => {
  const restartEveryTwoMinutes = () => {
    story.clock.setTimer(() => {
      story.restart();
      restartEveryTwoMinutes();
    }, 2 * minute);
  };

  test.each(limits)("carries out $name all the same", async (limit) => {
    limit.given?.();
    story.remote.skewMs = 0;
    restartEveryTwoMinutes();
    await story.run(limit.spec);
    const atMs = await timeOf(limit.isOver, 3 * hour);
    expect(limit.isOver()).toBe(true);
    expect(atMs).toBeLessThanOrEqual(limit.atMs + 5 * minute);
  });
});

describe("startDeadlineSeconds, seen by a process that has just started", () => {
  const spec = { startDeadlineSeconds: 600, suspend: true } as const;

  test("with its clock 15 min ahead until the API server has answered: the run is started", async () => {
    await story.run(spec, minute);
    story.clock.jump(15 * minute);
    story.restart();
    story.cluster.edit("once", { spec: { suspend: false } });
    await story.clock.advance(10 * second);
    expect(story.status().completionTime).toBeUndefined();
    expect(story.remote.posts).toHaveLength(0);
    story.clock.jump(-15 * minute);
    await story.clock.advance(2 * minute);
    expect(story.remote.posts).toHaveLength(1);
  });

  test("after it is over: nothing is started, and the object ends within a minute or so", async () => {
    await story.run(spec, minute);
    story.process.kill();
    story.cluster.edit("once", { spec: { suspend: false } });
    await story.clock.advance(hour);
    story.restart();
    await story.clock.advance(55 * second);
    expect(story.status().completionTime).toBeUndefined();
    await story.clock.advance(10 * second);
    expect(story.condition("Ready")).toBe("False/StartDeadlineExceeded");
    expect(story.remote.posts).toHaveLength(0);
  });
});

describe("what a jump of the clock by an hour, either way, makes no difference to", () => {
  test.each([hour, -hour])("the poll interval (%i ms)", async (jumpMs) => {
    const gets = () => story.remote.calls.filter((call) => call === "get").length;
    long();
    await story.run({}, 20 * minute);
    const before = gets();
    await story.clock.advance(20 * minute);
    const without = gets() - before;
    story.clock.jump(jumpMs);
    await story.clock.advance(20 * minute);
    expect(Math.abs(gets() - before - 2 * without)).toBeLessThanOrEqual(1);
  });

  test.each([hour, -hour])("the watch for a duplicate (%i ms)", async (jumpMs) => {
    story.remote.mode = "appliedLate";
    story.remote.lateMs = 9 * minute;
    story.remote.runMs = 5 * minute;
    await story.run({ startGuarantee: "AtLeastOnce" }, 4 * minute);
    story.clock.jump(jumpMs);
    await story.clock.advance(16 * minute);
    expect(story.status().duplicateRunId).toBe("run-2");
    const { length } = story.remote.calls;
    await story.clock.advance(3 * hour);
    expect(story.remote.calls.length - length).toBeLessThanOrEqual(1);
  });
});

describe("the end of a run, by our own clock", () => {
  test.each([-hour, 0, hour])("Northflank off by %i ms: written down as it was", async (skewMs) => {
    story.remote.skewMs = skewMs;
    story.remote.runMs = 10 * minute;
    await story.run({ ttlSecondsAfterFinished: 600 }, 12 * minute);
    const overMs = Date.parse(story.status().completionTime ?? "") - Date.parse("2026-01-01T00:00:00Z");
    expect(Math.abs(overMs - 10 * minute)).toBeLessThanOrEqual(2 * second);
    await story.clock.advance(7 * minute);
    expect(isGone()).toBe(false);
    await story.clock.advance(2 * minute);
    expect(isGone()).toBe(true);
  });
});

describe("on a node whose clock is off for good, where the API server's answers tell the time", () => {
  test.each([15 * minute, -15 * minute, 24 * hour, -24 * hour])(
    "by %i ms: startDeadlineSeconds keeps nobody from starting",
    async (byMs) => {
      story.end();
      story = new RunStory({ isServerHeard: true });
      story.clock.jump(byMs);
      story.cluster.create("once", { startDeadlineSeconds: 600, concurrencyPolicy: "Forbid" });
      await story.clock.advance(minute);
      expect(story.remote.posts).toHaveLength(1);
      expect(story.condition("Ready")).toBe("True/RunSucceeded");
    },
  );

  test.each([2 * hour, -2 * hour])("by %i ms: startDeadlineSeconds ends the wait when it is over", async (byMs) => {
    story.end();
    story = new RunStory({ isServerHeard: true });
    story.clock.jump(byMs);
    story.remote.runMs = hour;
    story.cluster.create("once", { startDeadlineSeconds: 600, concurrencyPolicy: "Forbid" });
    story.remote.startForeign();
    await story.clock.advance(595 * second);
    expect(story.condition("Ready")).toBe("Unknown/WaitingForConcurrency");
    await story.clock.advance(35 * second);
    expect(story.condition("Ready")).toBe("False/StartDeadlineExceeded");
    expect(story.remote.posts).toEqual([]);
  });
});

describe("Northflank tells no Date, and the object waited long for its start", () => {
  test.each([
    ["an hour behind", -hour],
    ["an hour ahead", hour],
    ["right", 0],
  ])("its clock is %s: a run that was found has all of its deadline", async (_, skewMs) => {
    long();
    story.remote.sendsDate = false;
    story.remote.skewMs = skewMs;
    story.remote.nextMode = "answerLost";
    await story.run({ suspend: true, activeDeadlineSeconds: 900 }, 20 * minute);
    story.cluster.edit("once", { spec: { suspend: false } });
    const endMs = await timeOf(() => aborts() > 0, 60 * minute);
    expect(endMs).toBeGreaterThanOrEqual(35 * minute);
    expect(endMs).toBeLessThanOrEqual(38 * minute);
    expect(story.condition("Ready")).toBe("False/DeadlineExceeded");
    expect(story.status().completionTime).toMatch(/^2026-01-01T00:3/);
  });

  test("our clock was behind when the run was started: it is no older than its object", async () => {
    long();
    story.remote.sendsDate = false;
    story.clock.jump(-hour);
    await story.run({ activeDeadlineSeconds: 900 }, 30 * second);
    story.clock.jump(hour);
    story.restart();
    expect(await timeOf(() => aborts() > 0, 60 * minute)).toBeGreaterThanOrEqual(15 * minute - second);
  });
});
