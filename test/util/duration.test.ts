import { expect, test } from "vitest";
import { formatDuration, parseDurationMs } from "../../src/util/duration.ts";

test.each([
  ["15s", 15_000],
  ["1h30m", 5_400_000],
  ["500ms", 500],
  ["1.5h", 5_400_000],
  ["0", 0],
  ["0s", 0],
])("reads %s", (text, want) => {
  expect(parseDurationMs(text)).toBe(want);
});

test.each(["", "15", "s", "15 s", "-1s", "1d", "1h30", `${"1".repeat(70)}s`])("refuses %j", (text) => {
  expect(parseDurationMs(text)).toBeUndefined();
});

test.each([
  [850, "850ms"],
  [42_400, "42s"],
  [90_000, "1m30s"],
  [7_200_000, "2h"],
])("writes %i ms as %s", (durationMs, want) => {
  expect(formatDuration(durationMs)).toBe(want);
});
