import { expect, test } from "vitest";
import {
  type Figure,
  median,
  meetsTarget,
  missesTarget,
  percentile,
  ratioOf,
  renderFigures,
} from "../../bench/figures.ts";

const controls = { control: [100], "controller-runtime": [400] };
const figure: Figure = { name: "burst", unit: "changes/s", ours: [200], controls };

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
  const rounds = { ...figure, ours: [200, 100, 190], controls: { ...controls, control: [100, 50, 100] } };
  expect(ratioOf(rounds, "control")).toBe(2);
  expect(ratioOf(figure, "controller-runtime")).toBe(0.5);
});

test.each([
  [{ to: "control", relation: ">=", value: 2 }, true],
  [{ to: "control", relation: ">=", value: 2.01 }, false],
  [{ to: "controller-runtime", relation: "<=", value: 0.5 }, true],
  [{ to: "controller-runtime", relation: "<=", value: 0.49 }, false],
  [{ relation: "<=", value: 199 }, false],
  [{ relation: "==", value: 200 }, true],
] as const)("the target %j is judged %s", (target, want) => {
  expect(meetsTarget(figure, target)).toBe(want);
  expect(missesTarget({ ...figure, targets: [target] })).toBe(!want);
});

test("what was not measured is neither met nor missed", () => {
  const target = { to: "controller-runtime", relation: "<=", value: 2 } as const;
  const alone = { ...figure, controls: { ...controls, "controller-runtime": [] }, targets: [target] };
  expect(meetsTarget(alone, target)).toBe(undefined);
  expect(missesTarget(alone)).toBe(false);
});

test("a missed target is said aloud in the table", () => {
  const targets = [
    { to: "control", relation: ">=", value: 3 },
    { to: "controller-runtime", relation: ">=", value: 0.5 },
  ] as const;
  const alone = { ...figure, controls: { ...controls, "controller-runtime": [] }, targets };
  expect(renderFigures([{ ...figure, targets }, alone, figure], ["control", "controller-runtime"]).split("\n")).toEqual(
    [
      "figure            operator  control  ratio  controller-runtime  ratio  target",
      "burst, changes/s       200      100   2.00                 400   0.50  >= 3x control MISSED, >= 0.5x controller-runtime met",
      "burst, changes/s       200      100   2.00                   -      -  >= 3x control MISSED, >= 0.5x controller-runtime",
      "burst, changes/s       200      100   2.00                 400   0.50",
    ],
  );
});

test("against another build only the figures of that and absolute targets are shown", () => {
  const targets = [
    { to: "control", relation: ">=", value: 3 },
    { relation: "<=", value: 300 },
  ] as const;
  const alone = { ...figure, controls: { against: [160] }, targets };
  expect(renderFigures([alone], ["against"]).split("\n")).toEqual([
    "figure            operator  against  ratio  target",
    "burst, changes/s       200      160   1.25  <= 300 met",
  ]);
});
