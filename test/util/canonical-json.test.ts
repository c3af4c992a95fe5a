import { expect, test } from "vitest";
import { canonicalJson } from "../../src/util/canonical-json.ts";

test.each<[string, unknown, string]>([
  ["sorts keys at every depth", { b: [{ d: 1, c: 2 }], a: null }, '{"a":null,"b":[{"c":2,"d":1}]}'],
  ["leaves out what is undefined", { a: undefined, b: { c: undefined } }, '{"b":{}}'],
  ["keeps the places of a list", ["b", undefined, "a"], '["b",null,"a"]'],
  ["writes a text as JSON does", 'a "b"', '"a \\"b\\""'],
])("it %s", (_what, value, expected) => {
  expect(canonicalJson(value)).toBe(expected);
});
