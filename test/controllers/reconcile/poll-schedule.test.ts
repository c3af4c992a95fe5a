import { describe, expect, test } from "vitest";
import { DriftPlan, type PlannedTarget } from "../../../src/controllers/reconcile/drift-plan.ts";
import { PollSchedule, type Scheduled } from "../../../src/controllers/reconcile/poll-schedule.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { always } from "../../support/strict-fake.ts";

const periodMs = 900_000;
const start = Date.parse("2026-01-01T00:00:00Z");

function setUp(draw = 0.5) {
  const clock = new FakeClock();
  return { clock, schedule: new PollSchedule({ clock, random: always(draw) }) };
}

function scheduled(parts: Partial<Scheduled> = {}): Scheduled {
  return { key: "n/a", uid: "u1", isSettled: true, plannedTime: undefined, periodMs, ...parts };
}

function inSeconds(seconds: number): string {
  return new Date(start + seconds * 1_000).toISOString();
}

describe("after a start", () => {
  test("an object that is not settled is due at its planned time, or at once when that is over", () => {
    const { schedule } = setUp();
    const dueOf = (key: string, plannedTime: string | undefined) =>
      schedule.planned(scheduled({ key, isSettled: false, plannedTime })).dueInMs;
    expect(dueOf("n/a", inSeconds(30))).toBe(30_000);
    expect(dueOf("n/b", inSeconds(-30))).toBe(0);
    expect(dueOf("n/c", undefined)).toBe(0);
    expect(dueOf("n/d", inSeconds(1_000_000))).toBe(2 * 3_600_000);
  });

  test.each([
    ["its planned time, when that is to come", inSeconds(600), 600_000],
    ["the next tick, when that is over: never at once", inSeconds(-60), 840_000],
    ["the next tick after days of standstill", inSeconds(-10 * 900 - 100), 800_000],
    ["the next tick, when it would be due this very second", inSeconds(0), 900_000],
    ["any moment of the period, when nothing was planned", undefined, 450_000],
    ["no later than a period and its jitter, when a wrong clock planned it", inSeconds(1_000_000), 1_080_000],
  ])("a settled object is due at %s", (_sentence, plannedTime, dueInMs) => {
    expect(setUp().schedule.planned(scheduled({ plannedTime })).dueInMs).toBe(dueInMs);
  });

  test("a settled object that is never resynced is never due", () => {
    const { schedule } = setUp();
    expect(schedule.planned(scheduled({ periodMs: 0, plannedTime: inSeconds(-60) })).dueInMs).toBe(
      Number.POSITIVE_INFINITY,
    );
    expect(schedule.nextCheckMs({ periodMs: 0 })).toBe(Number.POSITIVE_INFINITY);
  });
});

test("asking does not postpone: the time is the same however often an object is woken", async () => {
  const { clock, schedule } = setUp();
  const object = scheduled({ plannedTime: inSeconds(600) });
  schedule.planned(object);
  await clock.advance(599_000);
  expect(schedule.planned(object).dueInMs).toBe(1_000);
  await clock.advance(1_000);
  expect(schedule.planned(object).dueInMs).toBe(0);
  expect(schedule.planned(object).dueInMs).toBe(0);
});

test("after a look the next one is due when the look said, with the account it was made with", async () => {
  const { clock, schedule } = setUp();
  const object = scheduled();
  expect(schedule.planned(object)).toMatchObject({ sincePollMs: undefined, accountVersion: undefined });
  schedule.polled(object, { nextMs: 10_000, accountVersion: "v1" });
  await clock.advance(4_000);
  expect(schedule.planned(object)).toEqual({ dueInMs: 6_000, sincePollMs: 4_000, accountVersion: "v1" });
});

test("a timer that fires a few milliseconds early still finds its object due", async () => {
  const { clock, schedule } = setUp();
  schedule.polled(scheduled(), { nextMs: 10_000, accountVersion: "v1" });
  await clock.advance(9_949);
  expect(schedule.planned(scheduled()).dueInMs).toBe(51);
  await clock.advance(1);
  expect(schedule.planned(scheduled()).dueInMs).toBe(0);
});

test("a jump of the wall clock moves nothing that is planned", () => {
  const { clock, schedule } = setUp();
  schedule.polled(scheduled(), { nextMs: 10_000, accountVersion: "v1" });
  clock.jump(-3_600_000);
  expect(schedule.planned(scheduled({ plannedTime: inSeconds(10) })).dueInMs).toBe(10_000);
});

test("an object made again under the same name starts anew", () => {
  const { schedule } = setUp();
  schedule.polled(scheduled(), { nextMs: 10_000, accountVersion: "v1" });
  expect(schedule.planned(scheduled({ uid: "u2", isSettled: false }))).toEqual({
    dueInMs: 0,
    sincePollMs: undefined,
    accountVersion: undefined,
  });
});

test("resyncs are spread by ±20 %", () => {
  expect([0, 0.5, 1].map((draw) => setUp(draw).schedule.nextCheckMs({ periodMs }))).toEqual([
    720_000, 900_000, 1_080_000,
  ]);
});

test("what is gone is forgotten", () => {
  const { schedule } = setUp();
  schedule.planned(scheduled());
  expect(schedule.size).toBe(1);
  schedule.forget("n/a");
  expect(schedule.size).toBe(0);
});

describe("of an account with more settled targets than its checks suffice for", () => {
  const hour = 3_600_000;
  const checksPerHour = 200;

  /** One schedule over as many targets; the account has requests for 50 of them at their own period. */
  function crowded(others: number, { isListed = true } = {}) {
    const clock = new FakeClock();
    const driftPlan = new DriftPlan({ listPeriodMs: periodMs });
    const target: Omit<PlannedTarget, "periodMs"> = { pool: "account", projectId: "shop", isListed };
    for (let index = 0; index < others; index++) driftPlan.set(`other-${index}`, { ...target, periodMs });
    const schedule = new PollSchedule({ clock, random: always(0.5), driftPlan });
    const object = scheduled({ share: { ...target, checksPerHour } });
    return { clock, driftPlan, schedule, object };
  }

  /** The checks of so many hours, each when it is due. */
  async function checksIn(hours: number, { clock, schedule, object }: ReturnType<typeof crowded>) {
    const kinds = { read: 0, list: 0, rest: 0 };
    const endMs = clock.monotonic() + hours * hour;
    for (;;) {
      const { dueInMs } = schedule.planned(object);
      if (clock.monotonic() + dueInMs > endMs) return kinds;
      await clock.advance(dueInMs);
      const due = schedule.checkOf(object);
      const check = due.kind === "list" && due.isReadDue ? ({ kind: "read" } as const) : due;
      kinds[check.kind] += 1;
      const nextMs = schedule.nextCheckMs(object);
      if (check.kind === "read") {
        schedule.read(object);
        schedule.polled(object, { nextMs, accountVersion: "v1" });
      }
      if (check.kind === "list") schedule.checkedByList(object, { ageMs: 0, maxAgeMs: check.maxAgeMs });
    }
  }

  test("each check is a read while they suffice", async () => {
    expect(await checksIn(24, crowded(49))).toEqual({ read: 96, list: 0, rest: 0 });
  });

  test("200 in one project: a list every 15 minutes, and a read about every 61 minutes", async () => {
    const { read, list, rest } = await checksIn(24, crowded(199));
    expect(read).toBeGreaterThanOrEqual(22);
    expect(read).toBeLessThanOrEqual(26);
    expect(read + list).toBeGreaterThanOrEqual(92);
    expect(read + list).toBeLessThanOrEqual(96);
    expect(rest).toBe(0);
  });

  test("what no list shows is read that rarely, and rests in between", async () => {
    const { read, list } = await checksIn(24, crowded(199, { isListed: false }));
    expect(read).toBeGreaterThanOrEqual(22);
    expect(read).toBeLessThanOrEqual(26);
    expect(list).toBe(0);
  });

  test("a program that is restarted every hour reads it as often", async () => {
    const { clock, driftPlan } = crowded(199);
    let read = 0;
    for (let start = 0; start < 48; start++) {
      const schedule = new PollSchedule({ clock, random: always(0.5), driftPlan });
      const object = scheduled({ share: { pool: "account", projectId: "shop", isListed: true, checksPerHour } });
      read += (await checksIn(1, { clock, driftPlan, schedule, object })).read;
      await clock.advance(60_000);
    }
    expect(read).toBeGreaterThanOrEqual(36);
    expect(read).toBeLessThanOrEqual(60);
  });

  test("an object that is gone, unsettled, never checked or made again has no part in the share", () => {
    const { driftPlan, schedule, object } = crowded(0);
    const partAfter = (parts: Partial<Scheduled>) => {
      schedule.planned(object);
      schedule.planned({ ...object, ...parts });
      return driftPlan.size;
    };
    expect(partAfter({})).toBe(1);
    expect(partAfter({ isSettled: false })).toBe(0);
    expect(partAfter({ periodMs: 0 })).toBe(0);
    expect(partAfter({ share: undefined })).toBe(0);
    expect(partAfter({ uid: "u2" })).toBe(1);
    schedule.forget(object.key);
    expect(driftPlan.size).toBe(0);
  });

  test("what a list shows is news until the target was read, and not where that was after the list", async () => {
    const { clock, schedule, object } = crowded(199);
    schedule.planned(object);
    schedule.read(object);
    await clock.advance(1_000);
    const isNews = (shown: string) => schedule.isNews(object, { shown, readAtMs: clock.monotonic() });
    expect(schedule.isNews(object, { shown: "a", readAtMs: clock.monotonic() - 2_000 })).toBe(false);
    expect(isNews("a")).toBe(true);
    // Refused for the quota: the target was not read.
    schedule.polled(object, { nextMs: 0, accountVersion: "v1" });
    await clock.advance(1_000);
    expect(isNews("a")).toBe(true);
    schedule.read(object);
    await clock.advance(1_000);
    expect(isNews("a")).toBe(false);
    expect(isNews("b")).toBe(true);
  });

  test("what a list showed before is news again once a list has shown the target as it is", async () => {
    const { clock, schedule, object } = crowded(199);
    schedule.planned(object);
    const isNews = (shown: string | undefined, ageMs = 0) =>
      schedule.isNews(object, { shown, readAtMs: clock.monotonic() - ageMs });
    expect(isNews("missing")).toBe(true);
    schedule.read(object);
    await clock.advance(1_000);
    expect(isNews("missing")).toBe(false);
    // From before the read, so that it says nothing of what lists show since.
    expect(isNews(undefined, 2_000)).toBe(false);
    expect(isNews("missing")).toBe(false);
    expect(isNews(undefined)).toBe(false);
    expect(isNews("missing")).toBe(true);
  });

  test("a read that was refused is due again, and not a period later", async () => {
    const scene = crowded(199, { isListed: false });
    const { clock, schedule, object } = scene;
    for (;;) {
      await clock.advance(schedule.planned(object).dueInMs);
      if (schedule.checkOf(object).kind === "read") break;
    }
    schedule.polled(object, { nextMs: 60_000, accountVersion: "v1" });
    await clock.advance(60_000);
    expect(schedule.planned(object).dueInMs).toBe(0);
    expect(schedule.checkOf(object)).toEqual({ kind: "read" });
  });
});

describe("a hint", () => {
  const poll = { nextMs: 600_000, accountVersion: "1" };

  test("makes due at its time, once, and says so until the poll", async () => {
    const { clock, schedule } = setUp();
    const object = scheduled();
    schedule.polled(object, poll);
    schedule.hinted(object.key, 5_000);
    expect(schedule.planned(object)).toMatchObject({ dueInMs: 600_000, isHinted: undefined });
    await clock.advance(5_000);
    for (let n = 0; n < 2; n++) expect(schedule.planned(object)).toMatchObject({ dueInMs: 0, isHinted: true });
    schedule.polled(object, poll);
    expect(schedule.planned(object)).toMatchObject({ dueInMs: 600_000, isHinted: undefined });
  });

  test("that comes during a poll makes due once more", () => {
    const { schedule } = setUp();
    const object = scheduled();
    schedule.polled(object, { ...poll, nextMs: 0 });
    expect(schedule.planned(object).dueInMs).toBe(0);
    schedule.hinted(object.key, 0);
    schedule.polled(object, poll);
    expect(schedule.planned(object)).toMatchObject({ dueInMs: 0, isHinted: true });
  });

  test("does not postpone what is due sooner, and makes due what never is", async () => {
    const { clock, schedule } = setUp();
    const [soon, never] = [scheduled(), scheduled({ key: "n/never" })];
    schedule.polled(soon, { ...poll, nextMs: 1_000 });
    schedule.polled(never, { ...poll, nextMs: Number.POSITIVE_INFINITY });
    for (const { key } of [soon, never]) schedule.hinted(key, 5_000);
    await clock.advance(1_000);
    expect(schedule.planned(soon)).toMatchObject({ dueInMs: 0, isHinted: undefined });
    await clock.advance(4_000);
    expect(schedule.planned(never)).toMatchObject({ dueInMs: 0, isHinted: true });
  });

  test("about an object that was never planned, or is gone, leaves nothing behind", () => {
    const { schedule } = setUp();
    const object = scheduled({ plannedTime: inSeconds(600) });
    schedule.hinted(object.key, 0);
    expect(schedule.planned(object).dueInMs).toBe(600_000);
    schedule.hinted(object.key, 0);
    schedule.forget(object.key);
    expect(schedule.planned(object).dueInMs).toBe(600_000);
  });
});

describe("what Northflank is trusted to report", () => {
  const rolling = (isEndReported: boolean) => scheduled({ isSettled: false, isFollowed: true, isEndReported });

  test("is due when it was planned, and as without that trust once it is over", async () => {
    const { clock, schedule } = setUp();
    schedule.planned(rolling(true));
    schedule.polled(rolling(true), { nextMs: 900_000, unhintedMs: 60_000, accountVersion: "1" });
    await clock.advance(40_000);
    expect(schedule.planned(rolling(true)).dueInMs).toBe(860_000);
    expect(schedule.planned(rolling(false)).dueInMs).toBe(20_000);
    await clock.advance(40_000);
    expect(schedule.planned(rolling(false)).dueInMs).toBe(0);
    schedule.polled(rolling(false), { nextMs: 60_000, accountVersion: "1" });
    expect(schedule.planned(rolling(false)).dueInMs).toBe(60_000);
  });
});
