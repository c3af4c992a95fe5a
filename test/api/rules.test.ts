import { describe, expect, test } from "vitest";
import { celEnvironment } from "../../sandbox/kubernetes/cel-environment.ts";
import { celRules, isMap } from "../../src/api/crd.ts";
import { findKind, kinds } from "../../src/api/kinds.ts";
import { applies, brokenRules, type Place, visitPlaces } from "../../src/api/rules.ts";
import type { Rule, Schema } from "../../src/api/schema.ts";
import { asStored } from "../../src/api/stored.ts";
import { createValidator } from "../../src/api/validate.ts";
import { type Document, documents } from "./documents.ts";

const environment = celEnvironment();
const programs = new Map<string, (context: object) => unknown>();

/** What the API server's language says about a rule. Its integers are 64 bits wide. */
function evaluate(rule: string, self: unknown, oldSelf: unknown): unknown {
  const program = programs.get(rule) ?? environment.parse(rule);
  programs.set(rule, program);
  return program({ self: cel(self), oldSelf: cel(oldSelf) });
}

function cel(value: unknown): unknown {
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value);
  if (Array.isArray(value)) return value.map(cel);
  if (typeof value !== "object" || value === null) return value;
  // Maps, because cel-js takes an object with a key named `constructor` for something else.
  const entries = Object.entries(value).filter(([, item]) => item !== null); // has() of the API server is false for null.
  return new Map(entries.map(([key, item]) => [key, cel(item)]));
}

/** Every place of a document at which rules can stand, once its types are right. */
function placesOf({ object, old }: Document): readonly Place[] {
  const { kind, spec } = plain(object);
  const schema = findKind(String(kind))?.spec;
  const isTyped = createValidator()
    .validateSpec(String(kind), spec)
    .every(({ rule }) => rule !== "type" && rule !== "required" && rule !== "kind");
  if (schema === undefined || !isTyped) return [];
  const value = asStored(schema, spec);
  const oldValue = old === undefined ? undefined : asStored(schema, plain(old).spec);
  const places: Place[] = [];
  visitPlaces({ schema, value, oldValue }, (place) => places.push(place));
  return places;
}

function plain(value: unknown): Readonly<Record<string, unknown>> {
  return JSON.parse(JSON.stringify(value));
}

const judged = Object.entries(documents).map(([name, document]) => ({ name, places: placesOf(document) }));

test.each(judged)("CEL and its mirror agree: $name", ({ places }) => {
  for (const place of places) {
    for (const rule of (place.schema["x-kubernetes-validations"] ?? []).filter((each) => applies(each, place))) {
      const mirror = rule.check(place.value as never, place.oldValue as never);
      expect([rule.rule, evaluate(rule.rule, place.value, place.oldValue)]).toEqual([rule.rule, mirror]);
    }
  }
});

test.each(judged)("the rule for the keys of a map says what propertyNames says: $name", ({ places }) => {
  for (const { schema, value } of places) {
    if (!isMap(schema)) continue;
    const { pattern, maxLength } = schema.propertyNames;
    const isFine = Object.keys(Object(value)).every(
      (key) => new RegExp(pattern, "u").test(key) && [...key].length <= maxLength,
    );
    const rule = celRules(schema).at(-1)?.rule ?? "";
    expect([rule, evaluate(rule, value, undefined)]).toEqual([rule, isFine]);
  }
});

describe("the table of documents", () => {
  const all = kinds.flatMap(({ type, spec }) => rulesOf(spec).map((rule) => ({ kind: type.kind, rule })));

  test.each(all)("has a document that keeps and one that breaks: $kind $rule.name $rule.message", ({ rule }) => {
    const answers = judged
      .flatMap(({ places }) => places)
      .filter((place) => place.schema["x-kubernetes-validations"]?.includes(rule) && applies(rule, place))
      .map((place) => rule.check(place.value as never, place.oldValue as never));
    expect(new Set(answers)).toEqual(new Set([true, false]));
  });
});

function rulesOf(schema: Schema): readonly Rule[] {
  const here = schema["x-kubernetes-validations"] ?? [];
  if (schema.type === "array") return [...here, ...rulesOf(schema.items)];
  if (schema.type !== "object") return here;
  if (isMap(schema)) return [...here, ...rulesOf(schema.additionalProperties)];
  return [...here, ...Object.values(schema.properties).flatMap(rulesOf)];
}

describe("brokenRules", () => {
  const keepsValue: Rule = {
    name: "keeps",
    rule: "self == oldSelf",
    message: "must stay",
    check: (self: unknown, oldSelf: unknown) => self === oldSelf,
  };
  const value = { type: "string", maxLength: 9, description: "v", "x-kubernetes-validations": [keepsValue] } as const;
  const name = { type: "string", maxLength: 9, description: "n" } as const;
  const item = { type: "object", description: "i", properties: { name, value } } as const;
  const list = { type: "array", maxItems: 9, description: "l", items: item } as const;

  test("compares items of a list of type map by their keys, whatever their order", () => {
    const schema: Schema = { ...list, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] };
    const before = [{ name: "a", value: "1" }, { name: "b", value: "2" }]; // biome-ignore format: one line each
    const after = [
      { name: "b", value: "2" },
      { name: "a", value: "x" },
      { name: "c", value: "3" },
    ];
    expect(brokenRules(schema, after, before).map(({ path }) => path)).toEqual([[1, "value"]]);
  });

  test("does not compare items of other lists, and new fields with nothing", () => {
    const schema: Schema = { ...list, "x-kubernetes-list-type": "atomic" };
    expect(brokenRules(schema, [{ value: "x" }], [{ value: "y" }])).toEqual([]);
    expect(brokenRules(item, { value: "x" }, {})).toEqual([]);
    expect(brokenRules(item, { value: "x" })).toEqual([]);
  });
});
