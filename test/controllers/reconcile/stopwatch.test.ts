import { expect, test } from "vitest";
import { Stopwatch } from "../../../src/controllers/reconcile/stopwatch.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const object = { key: "shop/api", uid: "u" };
const hour = 3_600_000;
const at = (clock: FakeClock, agoMs = 0) => new Date(clock.now() - agoMs).toISOString();

test.each([0, hour, -hour, 24 * hour, -24 * hour])("a jump of %i ms changes no age that is measured", async (byMs) => {
  const clock = new FakeClock();
  const stopwatch = new Stopwatch(clock);
  const [written, found] = [at(clock), at(clock, 5_000)];
  stopwatch.ages(object, [written, found]);
  await clock.advance(10_000);
  clock.jump(byMs);
  const ages = stopwatch.ages(object, [found, written]);
  expect(ages.get(written)).toEqual({ elapsedMs: 10_000, seenMs: 10_000 });
  expect(ages.get(found)).toEqual({ elapsedMs: 15_000, seenMs: 10_000 });
});

test("a process that has just started has seen nothing, and takes no time for one in the future", () => {
  const clock = new FakeClock();
  const [past, future] = [at(clock, hour), at(clock, -hour)];
  const ages = new Stopwatch(clock).ages(object, [past, future, undefined, "soon"]);
  expect([past, future, "soon"].map((time) => ages.get(time))).toEqual([
    { elapsedMs: hour, seenMs: 0 },
    { elapsedMs: 0, seenMs: 0 },
    undefined,
  ]);
});

test("what a status no longer says, an object that is gone, and one made again are measured anew", async () => {
  const clock = new FakeClock();
  const stopwatch = new Stopwatch(clock);
  const time = at(clock);
  const seenMs = (uid = "u") => stopwatch.ages({ ...object, uid }, [time]).get(time)?.seenMs;
  seenMs();
  await clock.advance(1_000);
  expect(seenMs()).toBe(1_000);
  stopwatch.ages(object, []);
  expect(seenMs()).toBe(0);
  await clock.advance(1_000);
  stopwatch.forget(object.key);
  expect(seenMs()).toBe(0);
  await clock.advance(1_000);
  expect(seenMs("another")).toBe(0);
});
