import { expect, test } from "vitest";
import { RequeueFloor } from "../../src/runtime/requeue-floor.ts";
import { FakeClock } from "../support/fake-clock.ts";

function setUp() {
  const clock = new FakeClock();
  return { clock, floor: new RequeueFloor(clock) };
}

test.each([0, -1, 1e-11, 99])("%d ms is granted once, and then rises to five seconds", (wishMs) => {
  const { floor } = setUp();
  const granted = Array.from({ length: 9 }, () => floor.raise("a", wishMs));
  expect(granted).toEqual([wishMs, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
});

test("100 ms is a pause, which starts the count anew", () => {
  const { floor } = setUp();
  expect([0, 0, 0, 100, 0, 0].map((wishMs) => floor.raise("a", wishMs))).toEqual([0, 100, 200, 100, 0, 100]);
});

test("a key that asks for nothing starts anew, and keys do not count for one another", () => {
  const { floor } = setUp();
  floor.raise("a", 0);
  expect(floor.raise("b", 0)).toBe(0);
  floor.reset("a");
  expect(floor.raise("a", 0)).toBe(0);
});

test("the count outlives the longest floor", async () => {
  const { clock, floor } = setUp();
  for (let n = 0; n < 10; n++) floor.raise("a", 0);
  await clock.advance(5_000);
  expect(floor.raise("a", 0)).toBe(5_000);
});
