import { expect, test } from "vitest";
import { FakeClock } from "./fake-clock.ts";
import { Pace, paceLimits } from "./pace.ts";

const repeat = (times: number, work: () => void) => Array.from({ length: times }, work);

test("as many as the limit in a minute are fine, one more is a hot loop that names the object", () => {
  const pace = new Pace(new FakeClock());
  repeat(paceLimits.write, () => pace.count("write", "shop/api"));
  expect(() => pace.count("write", "shop/api")).toThrow('hot loop: 21 times "write" of shop/api within a minute');
});

test("a breach is thrown again by whatever is counted next, so that nothing swallows it", () => {
  const pace = new Pace(new FakeClock());
  expect(() => repeat(paceLimits.write + 1, () => pace.count("write", "shop/api"))).toThrow("hot loop");
  expect(() => pace.count("reconcile", "shop/web")).toThrow("shop/api");
});

test("the minute is a sliding one", async () => {
  const clock = new FakeClock();
  const pace = new Pace(clock);
  for (let minute = 0; minute < 3; minute++) {
    repeat(paceLimits.write, () => pace.count("write", "shop/api"));
    await clock.advance(60_000);
  }
});

test("what happens from outside is credited, what a reconcile does itself is not", () => {
  const pace = new Pace(new FakeClock());
  pace.happened("shop/api");
  repeat(paceLimits.write + 6, () => pace.count("write", "shop/api"));
  pace.own(() => pace.happened("shop/api"));
  expect(() => pace.count("write", "shop/api")).toThrow("hot loop");
});

test("objects that share a key share the sum of their limits", () => {
  const pace = new Pace(new FakeClock());
  repeat(3 * paceLimits["remote call"], () => pace.count("remote call", "migrate", 3));
  expect(() => pace.count("remote call", "migrate", 3)).toThrow("hot loop");
});
