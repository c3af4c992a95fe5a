import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isSameJson } from "../../src/util/same-json.ts";

describe("two values", () => {
  const cases: Readonly<Record<string, readonly [unknown, unknown, boolean]>> = {
    "are the same in any order of keys": [{ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }, true],
    "differ in the order of a list": [[1, 2], [2, 1], false],
    "differ in length": [[1], [1, 2], false],
    "differ by a key": [{ a: 1 }, { a: 1, b: 2 }, false],
    "differ by a key of the same count": [{ a: 1 }, { b: 1 }, false],
    "are the same when a key is undefined on one side": [{ a: 1, b: undefined }, { a: 1 }, true],
    "differ between null and nothing": [{ a: null }, {}, false],
    "differ between an empty list and an empty object": [[], {}, false],
    "differ between a number and its text": [1, "1", false],
    "differ for an inherited name": [{ toString: 1 }, {}, false],
  };
  test.each(Object.entries(cases))("%s", (_sentence, [left, right, expected]) => {
    expect([isSameJson(left, right), isSameJson(right, left)]).toEqual([expected, expected]);
  });

  test("are the same exactly when one is a copy of the other", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (left, right) => {
        expect(isSameJson(left, JSON.parse(JSON.stringify(left)))).toBe(true);
        if (isSameJson(left, right))
          expect(JSON.parse(JSON.stringify(right))).toEqual(JSON.parse(JSON.stringify(left)));
      }),
    );
  });
});
