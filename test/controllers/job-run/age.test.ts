import { describe, expect, test } from "vitest";
import { ageAt, observedOrigin, ownPartMs, provenMs, untilMs } from "../../../src/controllers/job-run/age.ts";

const [minute, hour] = [60_000, 3_600_000];

describe("the age of what a clock has dated", () => {
  test.each<readonly [string, readonly (readonly [atMs: number, elapsedMs: number])[], number, object]>([
    ["is what the clock says at first", [[1_000, 500]], 1_000, { elapsedMs: 500, seenMs: 0 }],
    ["goes on with the monotonic clock", [[1_000, 500]], 3_000, { elapsedMs: 2_500, seenMs: 2_000 }],
    [
      "does not jump ahead with the clock",
      [
        [0, 0],
        [1_000, hour],
      ],
      1_000,
      { elapsedMs: 1_000, seenMs: 1_000 },
    ],
    [
      "falls back when the clock turns out to have been ahead",
      [
        [0, hour],
        [1_000, 5_000],
      ],
      1_000,
      { elapsedMs: 5_000, seenMs: 1_000 },
    ],
    [
      "does not fall below what this process has seen",
      [
        [0, minute],
        [1_000, -hour],
      ],
      1_000,
      { elapsedMs: 1_000, seenMs: 1_000 },
    ],
    ["is nothing for a time in the future", [[0, -hour]], 2_000, { elapsedMs: 2_000, seenMs: 2_000 }],
  ])("%s", (_, seen, atMs, age) => {
    const origin = seen.reduce<ReturnType<typeof observedOrigin> | undefined>(
      (before, [seenAtMs, elapsedMs]) => observedOrigin(before, { atMs: seenAtMs, elapsedMs }),
      undefined,
    );
    expect(origin && ageAt(origin, atMs)).toEqual(age);
  });
});

describe("how much of an age may be acted upon", () => {
  test.each<readonly [elapsedMs: number, seenMs: number, limitMs: number | undefined, provenMs: number]>([
    [hour, 0, undefined, hour],
    [hour, 0, 2 * hour, hour],
    [hour, 0, hour, hour - ownPartMs],
    [hour, ownPartMs - 1, hour, hour - 1],
    [hour, ownPartMs, hour, hour],
    [hour, Number.POSITIVE_INFINITY, hour, hour],
    // Of a short limit all of it.
    [hour, 9_999, 10_000, 9_999],
    [hour, 10_000, 10_000, 10_000],
    [hour, 0, 0, 0],
  ])("%i ms, %i ms of them seen, of %s ms: %i ms", (elapsedMs, seenMs, limitMs, proven) => {
    expect(provenMs({ elapsedMs, seenMs }, limitMs)).toBe(proven);
  });
});

describe("the wait until a limit", () => {
  test.each([
    [0, 1_000, 1_000],
    [999, 1_000, 1],
    [1_000, 1_000, undefined],
    [5_000, 1_000, undefined],
    [0, 0, undefined],
    [5_000, undefined, undefined],
  ])("after %i ms of %s: %s", (elapsedMs, limitMs, leftMs) => {
    expect(untilMs(elapsedMs, limitMs)).toBe(leftMs);
  });
});
