import { expect, test } from "vitest";
import { type Figure, meetsTarget, percentile, renderFigures } from "../../bench/figures.ts";

const figure: Figure = { name: "burst", unit: "changes/s", ours: 200, control: 100 };

test("percentiles are nearest ranks, and of nothing there is none", () => {
  expect(percentile([4, 1, 3, 2], 0.5)).toBe(2);
  expect(percentile([4, 1, 3, 2], 0.99)).toBe(4);
  expect(percentile([], 0.5)).toBeNaN();
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
  expect(meetsTarget({ ...figure, control: Number.NaN, target: { of: "ratio", relation: "<=", value: 2 } })).toBe(
    undefined,
  );
});

test("a missed target is said aloud in the table", () => {
  const table = renderFigures([{ ...figure, target: { of: "ratio", relation: ">=", value: 3 } }, figure]);
  expect(table.split("\n")).toEqual([
    "figure            operator  control  ratio      target",
    "burst, changes/s       200      100   2.00  ratio >= 3  MISSED",
    "burst, changes/s       200      100   2.00",
  ]);
});
