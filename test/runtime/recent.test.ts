import { expect, test } from "vitest";
import { Recent } from "../../src/runtime/recent.ts";
import { FakeClock } from "../support/fake-clock.ts";

test("a value is there for its time, whenever it was set, and gone after twice that", async () => {
  for (const startMs of [0, 1, 500, 999, 1_000, 1_500]) {
    const clock = new FakeClock();
    const recent = new Recent<string>(clock, 1_000);
    await clock.advance(startMs);
    recent.set("a", "x");
    await clock.advance(999);
    expect(recent.get("a")).toBe("x");
    await clock.advance(1_001);
    expect(recent.get("a")).toBeUndefined();
  }
});

test("setting a value again keeps it, and the newer one counts", async () => {
  const clock = new FakeClock();
  const recent = new Recent<number>(clock, 1_000);
  for (let n = 0; n < 10; n++) {
    recent.set("a", n);
    await clock.advance(700);
    expect(recent.get("a")).toBe(n);
  }
});

test("a deleted value is gone, however old it is", async () => {
  const clock = new FakeClock();
  const recent = new Recent<number>(clock, 1_000);
  recent.set("a", 1);
  await clock.advance(1_200);
  expect(recent.get("a")).toBe(1);
  recent.set("a", 2);
  recent.delete("a");
  expect(recent.get("a")).toBeUndefined();
});

test("nothing that is long past is kept when nobody has asked meanwhile", async () => {
  const clock = new FakeClock();
  const recent = new Recent<number>(clock, 1_000);
  recent.set("a", 1);
  await clock.advance(1_000_000);
  expect(recent.get("a")).toBeUndefined();
});

test("what is known is searched, each key once with its newest value, until one suits", async () => {
  const clock = new FakeClock();
  const recent = new Recent<number>(clock, 1_000);
  recent.set("a", 1);
  recent.set("b", 2);
  await clock.advance(1_200);
  recent.set("a", 3);
  const seen: unknown[] = [];
  expect(recent.some((value, key) => seen.push([key, value]) < 0)).toBe(false);
  expect(seen).toEqual([
    ["a", 3],
    ["b", 2],
  ]);
  expect([recent.some((value) => value === 2), recent.some((value) => value === 1)]).toEqual([true, false]);
  await clock.advance(1_000);
  expect([recent.some((value) => value === 3), recent.some((value) => value === 2)]).toEqual([true, false]);
  await clock.advance(2_000);
  expect(recent.some(() => true)).toBe(false);
});
