import type { ErrorObject } from "ajv";
import { expect, test } from "vitest";
import { problemsOf } from "../../src/api/problem.ts";

/** So many errors of one document, which count how often somebody looks where they are. */
function looksAt(size: number): number {
  let looks = 0;
  const errors = Array.from({ length: size }, (_, index): ErrorObject => {
    const error = {
      keyword: "enum",
      schemaPath: "#",
      params: { allowedValues: ["a", "b"] },
      data: "c",
      instancePath: "",
    };
    return Object.defineProperty(error, "instancePath", {
      get: () => {
        looks += 1;
        return `/list/${index}/word`;
      },
    });
  });
  expect(problemsOf(errors, [])).toHaveLength(size);
  return looks;
}

test("twice as many errors are told apart in twice as many steps", () => {
  expect(looksAt(2_000)).toBe(2 * looksAt(1_000));
});

test("a word of the wrong type is one problem, and so is a number that is too large for its format", () => {
  const error = (keyword: string, instancePath: string, params = {}): ErrorObject => ({
    keyword,
    instancePath,
    params,
    schemaPath: "#",
    data: 5,
  });
  const errors = [
    error("enum", "/a", { allowedValues: ["x"] }),
    error("type", "/a", { type: "string" }),
    error("format", "/b", { format: "int32" }),
    error("maximum", "/b", { limit: 3 }),
    error("enum", "/c", { allowedValues: ["x"] }),
  ];
  expect(problemsOf(errors, []).map(({ field, rule }) => `${field} ${rule}`)).toEqual([
    "a type",
    "b maximum",
    "c enum",
  ]);
});
