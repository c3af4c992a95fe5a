import { describe, expect, test } from "vitest";
import { mapConcurrently } from "../../src/util/map-concurrently.ts";

describe("mapConcurrently", () => {
  test("does no more than so many at once, each item once, and keeps the order", async () => {
    let active = 0;
    let most = 0;
    const results = await mapConcurrently([5, 1, 4, 2, 3], 2, async (item) => {
      active += 1;
      most = Math.max(most, active);
      for (let turn = 0; turn < item; turn++) await Promise.resolve();
      active -= 1;
      return item * 10;
    });
    expect([results, most]).toEqual([[50, 10, 40, 20, 30], 2]);
  });

  test("of nothing is nothing", async () => {
    expect(await mapConcurrently([], 4, () => Promise.reject(new Error("never called")))).toEqual([]);
  });
});
