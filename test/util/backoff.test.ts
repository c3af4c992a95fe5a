import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { backoffDelayMs, jittered } from "../../src/util/backoff.ts";

const policy = { baseMs: 800, factor: 2, capMs: 30_000, jitter: 0 };

describe("backoffDelayMs", () => {
  test.each([
    [1, 800],
    [2, 1_600],
    [6, 25_600],
    [7, 30_000],
    [5_000, 30_000],
  ])("after %i failures waits %i ms", (failures, want) => {
    expect(backoffDelayMs(policy, failures, () => 0.5)).toBe(want);
  });

  test("stays within 0 and the cap for any number of failures and any draw", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e9 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (failures, draw) => {
          const delayMs = backoffDelayMs({ ...policy, jitter: 1 }, failures, () => draw);
          return delayMs >= 0 && delayMs <= policy.capMs;
        },
      ),
    );
  });
});

test("jittered spreads over both sides of the period", () => {
  expect(jittered(1_000, 0.2, () => 0)).toBe(800);
  expect(jittered(1_000, 0.2, () => 0.5)).toBe(1_000);
});
