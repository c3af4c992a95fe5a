import { expect, test } from "vitest";
import { invalidSpecMessage, prunedProblems } from "../../../src/controllers/reconcile/spec-problem.ts";

test("every problem is told with field, rule and remedy", () => {
  const problems = [
    { field: "spec.serviceId", message: "is required", remedy: "add it" },
    { field: "spec.deployment", message: "must not be empty", remedy: "" },
  ];
  expect(invalidSpecMessage(problems)).toBe(
    "The spec is refused, nothing is sent. spec.serviceId: is required (add it); spec.deployment: must not be empty.",
  );
});

test("of many problems five are told, and how many more there are", () => {
  const problems = Array.from({ length: 7 }, (_, index) => ({ field: `f${index}`, message: "m", remedy: "" }));
  expect(invalidSpecMessage(problems)).toMatch(/f4: m; and 2 more\.$/);
  expect(invalidSpecMessage(problems.slice(0, 5))).toMatch(/f4: m\.$/);
});

test("a field that the API server dropped is a problem with what was probably meant", () => {
  expect(prunedProblems(['spec.sespend: did you mean "suspend"?'])).toEqual([
    {
      field: "spec.sespend",
      message: "is not a field, and the API server dropped it",
      remedy: 'did you mean "suspend"?',
    },
  ]);
  expect(prunedProblems(undefined)).toEqual([]);
});
