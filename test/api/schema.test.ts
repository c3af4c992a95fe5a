import { expect, expectTypeOf, test } from "vitest";
import type { NorthflankDeployment, NorthflankDeploymentSpec } from "../../src/api/deployment.ts";
import type { NorthflankJobRunSpec } from "../../src/api/job-run.ts";
import type { Infer, Schema } from "../../src/api/schema.ts";

test("enums, required, optional, default, nullable, maps and lists are inferred", () => {
  expectTypeOf<NorthflankDeploymentSpec["managementPolicy"]>().toEqualTypeOf<
    "Enforce" | "EnforceOnChange" | "Observe"
  >();
  expectTypeOf<NorthflankDeploymentSpec["projectId"]>().toEqualTypeOf<string>();
  expectTypeOf<NorthflankDeploymentSpec["serviceId"]>().toEqualTypeOf<string | undefined>();
  expectTypeOf<NorthflankDeploymentSpec["rollout"]["timeoutSeconds"]>().toEqualTypeOf<number>();
  expectTypeOf<NorthflankJobRunSpec["ttlSecondsAfterFinished"]>().toEqualTypeOf<number | null | undefined>();
  expectTypeOf<NorthflankJobRunSpec["runtimeEnvironment"]>().toEqualTypeOf<
    Readonly<Record<string, string>> | undefined
  >();
  expectTypeOf<NonNullable<NorthflankJobRunSpec["runtimeFilesFrom"]>[number]["path"]>().toEqualTypeOf<string>();
  expectTypeOf<NonNullable<NorthflankDeployment["status"]>["observedGeneration"]>().toEqualTypeOf<number>();
});

test("inferred objects are closed", () => {
  const schema = {
    type: "object",
    description: "x",
    properties: { a: { type: "boolean", description: "x" } },
  } as const satisfies Schema;
  // @ts-expect-error no such field
  const value: Infer<typeof schema> = { a: true, b: 1 };
  expect(value.a).toBe(true);
});

test("what a CRD refuses does not compile", () => {
  const schemas: readonly Schema[] = [
    // @ts-expect-error a string needs a bound
    { type: "string", description: "x" },
    // @ts-expect-error a description is required
    { type: "string", maxLength: 1 },
    // @ts-expect-error a list needs a bound
    {
      type: "array",
      description: "x",
      "x-kubernetes-list-type": "atomic",
      items: { type: "boolean", description: "x" },
    },
    // @ts-expect-error a map needs a bound
    { type: "object", description: "x", additionalProperties: { type: "boolean", description: "x" } },
    // @ts-expect-error patternProperties is no keyword of CRDs
    { type: "object", description: "x", properties: {}, patternProperties: {} },
    // @ts-expect-error properties and additionalProperties exclude each other
    { type: "object", description: "x", properties: {}, additionalProperties: false },
    // @ts-expect-error const is no keyword of CRDs
    { type: "string", description: "x", maxLength: 1, const: "a" },
  ];
  expect(schemas).toHaveLength(7);
});
