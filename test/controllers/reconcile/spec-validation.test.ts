import { describe, expect, test } from "vitest";
import {
  cachedValidation,
  invalidSpecMessage,
  prunedProblems,
} from "../../../src/controllers/reconcile/spec-validation.ts";

test("every problem is told with field, rule and remedy", () => {
  const problems = [
    { field: "spec.serviceId", message: "is required", remedy: "add it" },
    { field: "spec.deployment", message: "must not be empty", remedy: "" },
  ];
  expect(invalidSpecMessage(problems)).toBe(
    "The spec is invalid, and nothing is sent. spec.serviceId: is required (add it); spec.deployment: must not be empty.",
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

const object = (uid: string | undefined, generation: number | undefined) => ({
  metadata: { ...(uid === undefined ? {} : { uid }), ...(generation === undefined ? {} : { generation }) },
});

function counting(capacity?: number) {
  const judged: string[] = [];
  const judge = cachedValidation((one: ReturnType<typeof object>) => {
    const name = `${one.metadata.uid}@${one.metadata.generation}`;
    judged.push(name);
    return `verdict on ${name}`;
  }, capacity);
  return { judge, judged };
}

describe("an object", () => {
  test("is judged once for each generation", () => {
    const { judge, judged } = counting();
    const readyStates = [1, 1, 2, 2].map((generation) => judge(object("a", generation)));
    expect(judged).toEqual(["a@1", "a@2"]);
    expect(readyStates).toEqual(["verdict on a@1", "verdict on a@1", "verdict on a@2", "verdict on a@2"]);
  });

  test.each([
    [undefined, 1],
    ["a", undefined],
  ])("without a uid or a generation (%s, %s) is judged each time", (uid, generation) => {
    const { judge, judged } = counting();
    judge(object(uid, generation));
    judge(object(uid, generation));
    expect(judged).toHaveLength(2);
  });

  test("is forgotten after at most twice as many others as are remembered, and not before as many", () => {
    const { judge, judged } = counting(2);
    for (const uid of ["a", "b", "c", "a"]) judge(object(uid, 1));
    expect(judged).toEqual(["a@1", "b@1", "c@1"]);
    for (const uid of ["d", "e", "a"]) judge(object(uid, 1));
    expect(judged).toEqual(["a@1", "b@1", "c@1", "d@1", "e@1", "a@1"]);
  });
});
