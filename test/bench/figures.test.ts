import { expect, test } from "vitest";
import { type Figure, median, meetsTarget, percentile, ratioOf, renderFigures } from "../../bench/figures.ts";

const figure: Figure = { name: "burst", unit: "changes/s", ours: [200], control: [100] };

test("percentiles are nearest ranks, and of nothing there is none", () => {
  expect(percentile([4, 1, 3, 2], 0.5)).toBe(2);
  expect(percentile([4, 1, 3, 2], 0.99)).toBe(4);
  expect(percentile([], 0.5)).toBeNaN();
});

test("a median of an even number of values is the mean of the two in the middle", () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 3, 2])).toBe(2.5);
  expect(median([])).toBeNaN();
});

test("the ratio is the median of the rounds' ratios, so that a slow round does not count for one side only", () => {
  expect(ratioOf({ ...figure, ours: [200, 100, 190], control: [100, 50, 100] })).toBe(2);
});

test.each([
  [{ of: "ratio", relation: ">=", value: 2 }, true],
  [{ of: "ratio", relation: ">=", value: 2.01 }, false],
  [{ of: "ours", relation: "<=", value: 199 }, false],
  [{ of: "ours", relation: "==", value: 200 }, true],
] as const)("the target %j is judged %s", (target, want) => {
  expect(meetsTarget({ ...figure, target })).toBe(want);
});

test("what was not measured is neither met nor missed", () => {
  expect(meetsTarget({ ...figure, control: [], target: { of: "ratio", relation: "<=", value: 2 } })).toBe(undefined);
});

test("a missed target is said aloud in the table", () => {
  const table = renderFigures([{ ...figure, target: { of: "ratio", relation: ">=", value: 3 } }, figure]);
  expect(table.split("\n")).toEqual([
    "figure            operator  control  ratio      target",
    "burst, changes/s       200      100   2.00  ratio >= 3  MISSED",
    "burst, changes/s       200      100   2.00",
  ]);
});
