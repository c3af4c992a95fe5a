import { expect, test } from "vitest";
import { humanDuration } from "../../../sandbox/kubernetes/table.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

test.each([
  [0, "0s"],
  [119 * second, "119s"],
  [120 * second, "2m"],
  [9 * minute + 5 * second, "9m5s"],
  [10 * minute + 5 * second, "10m"],
  [179 * minute, "179m"],
  [3 * hour, "3h"],
  [7 * hour + 30 * minute, "7h30m"],
  [8 * hour + 30 * minute, "8h"],
  [2 * day + 4 * hour, "2d4h"],
  [8 * day + 4 * hour, "8d"],
  [800 * day, "2y70d"],
])("an age of %d ms reads %s", (durationMs, text) => {
  expect(humanDuration(durationMs)).toBe(text);
});
