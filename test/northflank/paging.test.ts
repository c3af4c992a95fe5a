import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cameNewestFirst } from "../../src/northflank/paging.ts";

describe("an order of times", () => {
  test.each<readonly [string, readonly (number | undefined)[], boolean]>([
    ["newest first", [900, 500, 100], true],
    ["newest first, with one that tells nothing", [900, undefined, 100], true],
    ["newest first, but for a little", [900, 905, 500, 508, 100], true],
    ["oldest first", [100, 500, 900], false],
    ["newest first, and then not", [900, 500, 100, 800], false],
    ["all at about the same time", [900, 895, 891], false],
    ["one entry", [900], false],
    ["nothing told", [undefined, undefined], false],
    ["nothing", [], false],
  ])("%s", (_, times, isNewestFirst) => expect(cameNewestFirst(times, 10)).toBe(isNewestFirst));

  test("is never taken for newest first where the newest is not at the beginning, but for the tolerance", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1_000 }), { maxLength: 30 }), (times) => {
        if (cameNewestFirst(times, 10)) expect(Math.max(...times) - (times[0] ?? 0)).toBeLessThanOrEqual(10);
      }),
    );
  });
});
