import fc from "fast-check";
import { expect, test } from "vitest";
import {
  firstOf,
  lentToObserve,
  observeRate,
  requestClasses,
  reservedForChanges,
  upTo,
  windowMs,
} from "../../src/northflank/ledger-shares.ts";

test.each<[string, Parameters<typeof reservedForChanges>[0], number]>([
  ["a fifth at the beginning", { total: 900, rest: 1, usedByChanges: 0 }, 180],
  ["half of it in the middle", { total: 900, rest: 0.5, usedByChanges: 0 }, 90],
  ["nothing at the end", { total: 900, rest: 0, usedByChanges: 0 }, 0],
  ["less by what they have used", { total: 900, rest: 1, usedByChanges: 100 }, 80],
  ["nothing when they have used more", { total: 900, rest: 0.5, usedByChanges: 500 }, 0],
])("changes have reserved: %s", (_what, facts, expected) => expect(reservedForChanges(facts)).toBe(expected));

test.each<[string, Parameters<typeof observeRate>[0], number]>([
  ["a fifth of the window's rate while it is unspent", { share: 0.2, total: 900, left: 900, restMs: windowMs }, 180],
  ["no more when little time is left for much", { share: 0.2, total: 900, left: 900, restMs: 60_000 }, 180],
  ["less when people and CI have spent the rest", { share: 0.2, total: 900, left: 300, restMs: windowMs }, 60],
  ["nothing when nothing is left", { share: 0.2, total: 900, left: 0, restMs: 60_000 }, 0],
])("checks for drift earn per hour: %s", (_what, facts, expected) =>
  expect(observeRate(facts) * windowMs).toBeCloseTo(expected, 6),
);

test.each<[string, number, number | undefined, number]>([
  ["nothing while 20 requests a second could spend it", 900, 45_000, 0],
  ["what they could not spend", 900, 44_000, 20],
  ["nothing where the end is not known", 900, undefined, 0],
  ["nothing in the last two seconds", 900, 1_999, 0],
  ["nearly all just before", 900, 2_000, 860],
])("lent to checks for drift is %s", (_what, left, restMs, expected) =>
  expect(lentToObserve(left, restMs)).toBe(expected),
);

test("the first requests of a class are never none", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 100_000 }), (total) => {
      for (const one of requestClasses) expect(firstOf(one, total)).toBeGreaterThanOrEqual(1);
    }),
  );
  expect(requestClasses.map((one) => firstOf(one, 900))).toEqual([900, 90, 9]);
});

test("a class comes after all that are more urgent", () => {
  expect(requestClasses.map(upTo)).toEqual([["change"], ["change", "run"], ["change", "run", "observe"]]);
});
