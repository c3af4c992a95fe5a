import { expect, test } from "vitest";
import { formatMicroTime } from "../../src/runtime/micro-time.ts";

test.each([
  ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"],
  ["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678000Z"],
])("%s is written as %s", (time, expected) => {
  expect(formatMicroTime(Date.parse(time))).toBe(expected);
});
