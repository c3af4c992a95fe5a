import { expect, test } from "vitest";
import { compareResourceVersions, isNewer, isOlder } from "../../src/runtime/resource-version.ts";

const big = "18446744073709551615";
const bigger = "18446744073709551616";

test.each([
  ["the same", "7", "7", 0],
  ["the same, not a number", "x", "x", 0],
  ["older by value", "99", "100", -1],
  ["newer by value", "101", "100", 1],
  ["older beyond what a double holds", big, bigger, -1],
  ["not a number", "x7", "8", undefined],
  ["negative", "-1", "8", undefined],
  ["a leading zero", "007", "8", undefined],
  ["empty", "", "8", undefined],
])("compares: %s", (_, a, b, expected) => {
  const order = compareResourceVersions(a, b);
  expect(order === undefined ? undefined : Math.sign(order)).toBe(expected);
});

test.each([
  { a: "8", b: "7", newer: true, older: false },
  { a: "7", b: "8", newer: false, older: true },
  { a: "7", b: "7", newer: false, older: false },
  { a: "x", b: "y", newer: true, older: false },
  { a: undefined, b: "7", newer: false, older: false },
  { a: "7", b: undefined, newer: true, older: false },
])("$a against $b: newer $newer, older $older", ({ a, b, newer, older }) => {
  expect({ newer: isNewer(a, b), older: isOlder(a, b) }).toEqual({ newer, older });
});
