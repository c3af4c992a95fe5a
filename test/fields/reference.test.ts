import { expect, test } from "vitest";
import { fieldsOf, useOf } from "../../scripts/generated/fields.ts";
import { northflankCallTexts } from "../../scripts/generated/texts/northflank-calls.ts";
import { isMap } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import type { Schema } from "../../src/api/schema.ts";
import { calls } from "./calls.ts";
import { isLeftOut } from "./cases.ts";
import { propertiesOf } from "./json-schema.ts";

// What docs/reference says becomes of every field, held against the documented request bodies.

const sent = kinds.flatMap((kind) => fieldsOf(kind.spec).flatMap(({ path }) => useOf(kind, path).sent));

test.each(calls.filter(({ name }) => Object.hasOwn(northflankCallTexts, name)))(
  "$name: the reference names every property that is not left out, and no other",
  ({ name, schemas }) => {
    const documented = Object.values(schemas).flatMap((schema) =>
      propertiesOf(schema).map((property) => property.name),
    );
    const named = sent.filter(({ call, property }) => call === name && property !== "").map(({ property }) => property);
    const wanted = documented.filter((property) => !isLeftOut(name, property));
    // The pages describe environments as an object, and nothing in it.
    const more = named.filter((property) => !property.endsWith("Environment.*") && !property.endsWith("Arguments.*"));
    expect(new Set(more)).toEqual(new Set(wanted));
  },
);

test("no enum of a manifest has what Northflank sells or changes: plans, sizes, builders, regions", () => {
  const enums = kinds.flatMap(({ type, spec }) => enumsIn(spec).map((value) => `${type.kind} ${value}`));
  expect(enums.length).toBeGreaterThan(10);
  expect(
    enums.filter((value) => /nf-|compute|HEROKU|PAKETO|CNB|GOOGLE|kaniko|buildkit|europe|us-|asia|\d/.test(value)),
  ).toEqual([]);
});

function enumsIn(schema: Schema): readonly string[] {
  if ("enum" in schema) return schema.enum;
  if (schema.type === "array") return enumsIn(schema.items);
  if (isMap(schema)) return enumsIn(schema.additionalProperties);
  return schema.type === "object" ? Object.values(schema.properties).flatMap(enumsIn) : [];
}
