import { expect, test } from "vitest";
import { isMap } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { metadataSchema } from "../../src/api/metadata.ts";
import type { Schema } from "../../src/api/schema.ts";

// The server's engine is linear whatever the pattern; JavaScript's is not. A pattern is run before or after its length
// is judged, so it has to be linear for any length.

function patternsIn(schema: Schema): readonly string[] {
  if (schema.type === "array") return patternsIn(schema.items);
  if (isMap(schema)) return [schema.propertyNames.pattern, ...patternsIn(schema.additionalProperties)];
  if (schema.type === "object") return Object.values(schema.properties).flatMap(patternsIn);
  return "pattern" in schema && schema.pattern !== undefined ? [schema.pattern] : [];
}

/** The regular expressions that the mirrors of CEL rules use, which are the same ones. */
function expressionsIn(schema: Schema): readonly string[] {
  const own = (schema["x-kubernetes-validations"] ?? []).flatMap(({ rule }) =>
    [...rule.matchAll(/matches\('((?:[^'\\]|\\.)*)'\)/g)].map(([, pattern]) =>
      (pattern ?? "").replaceAll("\\\\", "\\"),
    ),
  );
  if (schema.type === "array") return [...own, ...expressionsIn(schema.items)];
  if (isMap(schema)) return [...own, ...expressionsIn(schema.additionalProperties)];
  if (schema.type === "object") return [...own, ...Object.values(schema.properties).flatMap(expressionsIn)];
  return own;
}

const schemas: readonly Schema[] = [...kinds.flatMap(({ spec, status }) => [spec, status]), metadataSchema];
const patterns = [...new Set([...schemas.flatMap(patternsIn), ...schemas.flatMap(expressionsIn)])].sort();

/** What repeats: every pair of the characters that patterns speak of. */
const characters = ["a", "A", "0", "-", ".", "_", "/", ":", "@", "=", " "];
const pumps = characters.flatMap((first) => characters.map((second) => `${first}${second}`));
const starts = ["", "a", "/", "https://a", "a:", "a/b:1@sha256:"];

test.each(patterns)("takes time in proportion to the text: %s", (pattern) => {
  const expression = new RegExp(pattern, "u");
  const length = 20_000;
  const begin = performance.now();
  for (const start of starts) {
    for (const pump of pumps) expression.test(`${start}${pump.repeat(length / 2)}\n!`);
  }
  // 13 million characters in all: a second at most where each is looked at a few times, minutes where it is quadratic.
  expect(performance.now() - begin).toBeLessThan(5_000);
});
