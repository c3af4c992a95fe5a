import { Ajv } from "ajv";
import { expect, test } from "vitest";
import { kinds } from "../../src/api/kinds.ts";
import { metadataSchema } from "../../src/api/metadata.ts";

const schemas = [
  ["metadata", metadataSchema],
  ...kinds.flatMap(({ type: { kind }, spec, status }) => [
    [`the spec of ${kind}`, spec] as const,
    [`the status of ${kind}`, status] as const,
  ]),
] as const;

// The validator of the program does not check this: see createAjv in src/api/validate.ts.
test.each(schemas)("%s: the schema follows the draft of JSON Schema", (_, schema) => {
  const ajv = new Ajv({ logger: false });
  expect([ajv.validateSchema(schema), ajv.errors]).toEqual([true, null]);
});

test("a schema that breaks the draft is found", () => {
  expect(new Ajv({ logger: false }).validateSchema({ type: "object", maxLength: "10" })).toBe(false);
});
