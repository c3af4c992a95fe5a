import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isMap } from "../../src/api/crd.ts";
import { kinds } from "../../src/api/kinds.ts";
import { formatPath, type Problem } from "../../src/api/problem.ts";
import type { Schema } from "../../src/api/schema.ts";
import { createValidator } from "../../src/api/validate.ts";
import { pages, propertyCases } from "./cases.ts";
import { propertiesOf } from "./json-schema.ts";
import { leftOut, narrower } from "./left-out.ts";
import { bodyOfTomorrow, isOpenEnum, judgeOf, placeOf } from "./values.ts";

// Every property of every documented request body, at any depth: a manifest takes it, or it is left out on purpose; and
// where it has the wrong shape, the manifest is refused with a message that helps.

const validator = createValidator();

/** The message of a rule of ours says what to do: it is all that the API server shows. */
function isHelpful({ rule, message, remedy }: Problem): boolean {
  return message !== "" && (remedy !== "" || ownRules.has(rule));
}

const ownRules = new Set(kinds.flatMap(({ spec }) => rulesIn(spec)));

function rulesIn(schema: Schema): readonly string[] {
  const own = (schema["x-kubernetes-validations"] ?? []).map(({ name }) => name);
  if (schema.type === "array") return [...own, ...rulesIn(schema.items)];
  if (isMap(schema)) return [...own, ...rulesIn(schema.additionalProperties)];
  return schema.type === "object" ? [...own, ...Object.values(schema.properties).flatMap(rulesIn)] : own;
}

describe.each(pages)("$name", (page) => {
  const { call, schema } = page;
  const properties = propertyCases(page);

  test.each(properties)("$name is taken by a manifest", ({ good }) => {
    const isGood = judgeOf(schema);
    expect(good.filter(({ body }) => !isGood(body))).toEqual([]);
    expect(good.length).toBeGreaterThan(0);
    const judged = good.map(({ title, body }) => [title, validator.validateManifest(call.manifest(body))]);
    expect(judged).toEqual(good.map(({ title }) => [title, []]));
  });

  test.each(properties)("$name of the wrong shape is refused, with field, rule and remedy", ({ path, bad }) => {
    expect(bad.length).toBeGreaterThan(2);
    const place = formatPath(placeOf(call.field(path)));
    for (const { title, body } of bad) {
      const problems = validator.validateManifest(call.manifest(body));
      const isNamed = problems.some(({ field }) => field.startsWith(place));
      expect([title, isNamed, problems]).toEqual([title, true, problems]);
      expect(problems.filter((problem) => !isHelpful(problem))).toEqual([]);
    }
  });

  test.each(properties.filter(isOpenEnum))("$name takes what Northflank may offer tomorrow", (property) => {
    expect(validator.validateManifest(call.manifest(bodyOfTomorrow(schema, property)))).toEqual([]);
  });
});

test.each(narrower)("$property: $value is refused by $rule, although the page takes it", ({ call, body, rule }) => {
  const page = pages.find((one) => one.call.name === call && judgeOf(one.schema)(body));
  expect(page).toBeDefined();
  const problems = page === undefined ? [] : validator.validateManifest(page.call.manifest(body));
  expect(problems.map((problem) => problem.rule)).toContain(rule);
});

test("what is left out is in a request body, once", () => {
  const known = (call: string) =>
    pages.filter((page) => page.call.name === call).flatMap((page) => propertiesOf(page.schema));
  const strangers = leftOut.filter(({ call, property }) => !known(call).some(({ name }) => name === property));
  expect(strangers).toEqual([]);
  expect(new Set(leftOut.map(({ call, property }) => `${call} ${property}`)).size).toBe(leftOut.length);
});

test("docs/reference/left-out.md lists the same", () => {
  const page = readFileSync(new URL("../../docs/reference/left-out.md", import.meta.url), "utf8");
  const [properties = "", values = ""] = page.split("## Values");
  expect(rowsOf(properties)).toEqual(leftOut.map(({ call, property, reason }) => [call, `\`${property}\``, reason]));
  expect(rowsOf(values)).toEqual(
    narrower.map(({ call, property, value, reason }) => [call, `\`${property}\``, value, reason]),
  );
});

/** The cells of a table, without its head. */
function rowsOf(text: string): readonly (readonly string[])[] {
  const lines = text.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}
