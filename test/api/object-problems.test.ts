import { expect, test } from "vitest";
import { objectProblems } from "../../src/api/object-problems.ts";
import { createValidator } from "../../src/api/validate.ts";

const validator = createValidator();
const run = { apiVersion: "northflank-operator.io/v1alpha1", kind: "NorthflankJobRun", metadata: { name: "migrate" } };

test("a spec in order has no problems", () => {
  expect(objectProblems(validator, { ...run, spec: { projectId: "shop", jobId: "migrate" } })).toEqual([]);
});

test("a pruned field is a problem that names the field and what was probably meant", () => {
  const object = {
    ...run,
    spec: { projectId: "shop", jobId: "migrate" },
    prunedFields: ['spec.sespend: did you mean "suspend"?'],
  };
  expect(objectProblems(validator, object)).toEqual([
    {
      field: "spec.sespend",
      message: "was applied, but no such field exists, so the API server dropped it",
      remedy: 'did you mean "suspend"?',
    },
  ]);
});

test("a rule that an older CRD did not know is a problem as well", () => {
  const [problem] = objectProblems(validator, { ...run, spec: { projectId: "shop", jobId: "..", backoffLimit: 0 } });
  expect(problem?.field).toBe("spec.jobId");
});
