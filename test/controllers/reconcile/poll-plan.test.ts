import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  longestPollMs,
  type Polled,
  type PollPace,
  pollPauseMs,
  steadyPace,
  usableAgeMs,
} from "../../../src/controllers/reconcile/poll-plan.ts";
import { seeded } from "../../support/seeded.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const firstMs = 10 * second;

const polled = (parts: Partial<Polled>): Polled => ({
  elapsedMs: 0,
  firstMs,
  leftMs: Number.POSITIVE_INFINITY,
  earlierMs: [],
  pace: steadyPace,
  ...parts,
});

/** When something that takes so long is polled, until it is seen to be over. In seconds. */
function pollsOf(tookMs: number, earlierMs: readonly number[] = [], pace: PollPace = steadyPace): readonly number[] {
  const times: number[] = [];
  for (let elapsedMs = 0; elapsedMs < tookMs; ) {
    elapsedMs += pollPauseMs(polled({ elapsedMs, earlierMs, pace }));
    times.push(Math.round(elapsedMs / second));
  }
  return times;
}

describe("without earlier durations", () => {
  test("the pause is a quarter of the time, between the first interval and a minute", () => {
    expect(pollsOf(5 * minute)).toEqual([10, 20, 30, 40, 50, 63, 78, 98, 122, 153, 191, 238, 298, 358]);
  });

  test("a long first interval stays", () => {
    expect(pollPauseMs(polled({ firstMs: 2 * minute, elapsedMs: hour }))).toBe(2 * minute);
    expect(pollPauseMs(polled({ firstMs: hour }))).toBe(hour);
  });
});

describe("what took ten minutes before", () => {
  const before = Array<number>(5).fill(10 * minute);

  test("is polled twice: early, and after the expected end", () => {
    expect(pollsOf(10 * minute, before)).toEqual([30, 618]);
  });

  test("is seen soon if it fails at once", () => {
    expect(pollsOf(5 * second, before)).toEqual([30]);
  });

  test("is polled by the minute, and then by a twentieth of its time, if it takes longer", () => {
    expect(pollsOf(20 * minute, before).slice(0, 4)).toEqual([30, 618, 678, 738]);
    expect(pollPauseMs(polled({ elapsedMs: 2 * hour, earlierMs: before }))).toBe(6 * minute);
  });

  test("is polled at most a quarter of an hour apart where it takes hours", () => {
    expect(pollsOf(hour, [hour])).toEqual([60, 960, 1860, 2760, 3660, 3720].slice(0, 5));
  });
});

test("an end that is close is seen by the first polls", () => {
  expect(pollsOf(12 * second, [12 * second])).toEqual([10, 20]);
  expect(pollsOf(25 * second, [25 * second])).toEqual([27]);
  expect(pollsOf(35 * second, [35 * second])).toEqual([10, 37]);
});

/** Draws of how long something takes. */
const kinds: Readonly<Record<string, (random: () => number) => number>> = {
  constant: () => 10 * minute,
  jittered: (random) => 10 * minute * (0.8 + 0.4 * random()),
  bimodal: (random) => (random() < 0.5 ? minute : 20 * minute),
  // Pareto with a shape of 1.5, from two minutes: one in a thousand takes more than three hours.
  "heavy-tailed": (random) => Math.min((2 * minute) / (1 - random()) ** (1 / 1.5), 12 * hour),
};

/** Of a thousand in a row, each polled by the five before it: polls of each, and how late the end is seen. */
function average(draw: (random: () => number) => number, isKnown: boolean) {
  const random = seeded(7);
  let earlierMs: readonly number[] = [];
  let [polls, lateness] = [0, 0];
  const count = 1_000;
  for (let n = 0; n < count; n++) {
    const tookMs = Math.round(draw(random) / second) * second;
    const times = pollsOf(tookMs, isKnown ? earlierMs : []);
    polls += times.length / count;
    lateness += ((times.at(-1) ?? 0) * second - tookMs) / tookMs / count;
    earlierMs = [tookMs, ...earlierMs].slice(0, 5);
  }
  return { polls: Number(polls.toFixed(1)), lateness: Number(lateness.toFixed(3)) };
}

describe("polls of each, and the time from its end to the poll that sees it by its duration", () => {
  test.each(Object.entries(kinds))("%s", (kind, draw) => {
    expect({ before: average(draw, false), now: average(draw, true) }).toEqual(figures[kind]);
  });

  const figures: Readonly<Record<string, object>> = {
    constant: { before: { polls: 19, lateness: 0.097 }, now: { polls: 2, lateness: 0.03 } },
    jittered: { before: { polls: 18.5, lateness: 0.052 }, now: { polls: 3, lateness: 0.092 } },
    bimodal: { before: { polls: 17.1, lateness: 0.049 }, now: { polls: 4.6, lateness: 0.031 } },
    "heavy-tailed": { before: { polls: 13.2, lateness: 0.109 }, now: { polls: 4.7, lateness: 0.229 } },
  };
});

describe("an account that runs short of requests", () => {
  const pace = { stretch: 4, isHinted: false };

  test("has longer pauses, and fewer polls where several ends are expected", () => {
    expect(pollsOf(5 * minute, [], pace)).toEqual([40, 80, 160, 320]);
    const before = [8, 9, 10, 11].map((minutes) => minutes * minute);
    expect(pollsOf(11 * minute, before)).toEqual([24, 494, 556, 680]);
    expect(pollsOf(11 * minute, before, pace)).toEqual([40, 680]);
  });

  test("has the poll at the expected end where it was: it costs one request whenever it comes", () => {
    expect(pollsOf(10 * minute, [10 * minute], pace)).toEqual([40, 618]);
  });
});

describe("where Northflank reports ends by itself", () => {
  const pace = { stretch: 1, isHinted: true };

  test("there is one poll in a quarter of an hour, and ever fewer of what takes long", () => {
    expect(pollsOf(3 * hour, [], pace)).toEqual([900, 1980, 4356, 7956, 11556]);
    expect(pollsOf(10 * minute, Array<number>(5).fill(10 * minute), pace)).toEqual([900]);
    expect(pollsOf(hour - 1, [hour], pace)).toEqual([3600]);
  });

  test("but none passes a deadline", () => {
    expect(pollPauseMs(polled({ leftMs: 42_000, pace }))).toBe(42_000);
  });
});

const durations = fc.array(
  fc.oneof(
    fc.double({ min: 0, max: 10 * hour }),
    fc.constantFrom(Number.NaN, -1, 0, 1e300, Number.POSITIVE_INFINITY, 365 * 24 * hour),
  ),
  { maxLength: 10 },
);
const anyPolled = fc.record({
  elapsedMs: fc.double({ min: 0, max: 1e9, noNaN: true }),
  firstMs: fc.integer({ min: 1_000, max: 2 * hour }),
  leftMs: fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.double({ min: 0, max: 1e9, noNaN: true })),
  earlierMs: durations,
  pace: fc.record({ stretch: fc.double({ min: 1, max: 100, noNaN: true }), isHinted: fc.boolean() }),
});

describe("whatever is known", () => {
  test("a pause is whole, never at once, never past the deadline, and bounded", () => {
    fc.assert(
      fc.property(anyPolled, (any) => {
        const pauseMs = pollPauseMs(any);
        const longestMs = Math.max(any.firstMs, any.pace.isHinted ? hour : longestPollMs);
        expect(Number.isInteger(pauseMs)).toBe(true);
        expect(pauseMs).toBeGreaterThanOrEqual(Math.min(any.firstMs, Math.max(100, Math.floor(any.leftMs))));
        expect(pauseMs).toBeLessThanOrEqual(Math.max(100, Math.min(longestMs, Math.ceil(any.leftMs))));
      }),
    );
  });

  test("a poll that is due is served by a read that is younger than its pause: no two polls follow each other at once", () => {
    fc.assert(
      fc.property(anyPolled, fc.double({ min: 0, max: 1, noNaN: true }), (any, share) => {
        const readAgeMs = share * usableAgeMs(any);
        expect(readAgeMs).toBeLessThanOrEqual(any.elapsedMs + any.pace.stretch * any.firstMs + 1);
        fc.pre(any.leftMs > any.firstMs && share < 0.9);
        expect(pollPauseMs({ ...any, readAgeMs })).toBeGreaterThanOrEqual(0.1 * any.firstMs - 1);
      }),
    );
  });

  test("five durations before cost no more than five polls beyond those of none", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_600 }), durations, (tookSeconds, earlierMs) => {
        const tookMs = tookSeconds * second;
        const known = pollsOf(tookMs, earlierMs.slice(0, 5)).length;
        expect(known).toBeLessThanOrEqual(pollsOf(tookMs).length + 5);
      }),
    );
  });
});

describe("a read of others serves a poll", () => {
  const earlierMs = [10 * minute];

  test("at the expected end only if it could have seen it", () => {
    const dueMs = 618 * second;
    expect(usableAgeMs(polled({ elapsedMs: dueMs, earlierMs }))).toBe(18 * second);
  });

  test("only if it is from after the beginning, also where pauses are stretched", () => {
    const pace = { stretch: 10, isHinted: false };
    expect(usableAgeMs(polled({ elapsedMs: 240 * second, pace }))).toBe(240 * second);
    fc.assert(fc.property(anyPolled, (any) => usableAgeMs(any) <= any.elapsedMs));
  });

  test("early up to two thirds of the time that has passed", () => {
    expect(usableAgeMs(polled({ elapsedMs: 30 * second, earlierMs }))).toBe(20 * second);
  });

  test("otherwise while it is younger than the pause", () => {
    expect(usableAgeMs(polled({ elapsedMs: 2 * minute }))).toBe(30 * second);
    expect(usableAgeMs(polled({ elapsedMs: 20 * minute, earlierMs }))).toBe(minute);
  });
});
