import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { TopCounts } from "../../src/northflank/top-counts.ts";

/** What is counted, and the same without a bound. */
function counted(places: number, keys: readonly string[]) {
  const counts = new TopCounts<string>(places);
  const exact = new Map<string, number>();
  for (const key of keys) {
    counts.add(key, key);
    exact.set(key, (exact.get(key) ?? 0) + 1);
  }
  return { counts, exact };
}

// Few letters and a skewed choice, so that keys repeat and places run out.
const keysOf = fc.array(
  fc.oneof(fc.constantFrom("a", "b"), fc.string({ minLength: 1, maxLength: 2, unit: "grapheme-ascii" })),
  {
    maxLength: 300,
  },
);

function holds(counts: TopCounts<string>, exact: ReadonlyMap<string, number>, places: number): void {
  const total = [...exact.values()].reduce((sum, count) => sum + count, 0);
  const top = counts.top(Number.POSITIVE_INFINITY);
  expect(counts.total).toBe(total);
  expect(top.length).toBeLessThanOrEqual(places);
  expect(top.reduce((sum, { count }) => sum + count, 0)).toBe(total);
  for (const { value, count, error } of top) {
    const real = exact.get(value) ?? 0;
    expect(count).toBeGreaterThanOrEqual(real);
    expect(count - error).toBeLessThanOrEqual(real);
  }
  const shown = new Set(top.map(({ value }) => value));
  for (const [key, real] of exact) if (real > total / places) expect(shown).toContain(key);
}

describe("counts in bounded memory", () => {
  test("are exact while there are places", () => {
    fc.assert(
      fc.property(keysOf, (keys) => {
        const { counts, exact } = counted(keys.length + 1, keys);
        const top = counts.top(Number.POSITIVE_INFINITY);
        expect(new Map(top.map(({ value, count }) => [value, count]))).toEqual(exact);
        expect(top.every(({ error }) => error === 0)).toBe(true);
      }),
    );
  });

  test("beyond them add up, are never too low, and have each key that was counted often", () => {
    fc.assert(
      fc.property(keysOf, fc.integer({ min: 1, max: 12 }), (keys, places) => {
        const { counts, exact } = counted(places, keys);
        holds(counts, exact, places);
        for (const { error } of counts.top(places)) expect(error).toBeLessThanOrEqual(keys.length / places);
      }),
    );
  });

  test("that absorb others add up, and are never too low for what has a place in both", () => {
    fc.assert(
      fc.property(keysOf, keysOf, (left, right) => {
        const places = left.length + right.length + 1;
        const { counts } = counted(places, left);
        counts.absorb(counted(places, right).counts);
        holds(counts, counted(places, [...left, ...right]).exact, places);
      }),
    );
  });

  test("keep a bound on the error through an absorption of counts that had no places left", () => {
    fc.assert(
      fc.property(keysOf, keysOf, fc.integer({ min: 1, max: 6 }), (left, right, places) => {
        const { counts } = counted(places, left);
        counts.absorb(counted(places, right).counts);
        const { exact } = counted(1_000, [...left, ...right]);
        expect(counts.top(places).reduce((sum, { count }) => sum + count, 0)).toBe(left.length + right.length);
        for (const { value, count, error } of counts.top(places)) {
          expect(count - error).toBeLessThanOrEqual(exact.get(value) ?? 0);
        }
      }),
    );
  });
});

test("the top is sorted by what is sure of a count, then by key, and cut", () => {
  const { counts } = counted(10, ["c", "b", "b", "a", "d", "d", "d"]);
  expect(counts.top(3).map(({ value, count }) => [value, count])).toEqual([
    ["d", 3],
    ["b", 2],
    ["a", 1],
  ]);
});

test("a key that finds no place takes that of the least counted one, with its count as the error", () => {
  const { counts } = counted(2, ["a", "a", "a", "b", "b", "c"]);
  expect(counts.top(2)).toEqual([
    { value: "a", count: 3, error: 0 },
    { value: "c", count: 3, error: 2 },
  ]);
});

test("after clear nothing is left", () => {
  const { counts } = counted(2, ["a", "b", "c"]);
  counts.clear();
  expect([counts.total, counts.top(9)]).toEqual([0, []]);
});
