import { isList, isMap, isObject } from "../../src/api/crd.ts";
import { type KindDefinition, kinds } from "../../src/api/kinds.ts";
import { metadataSchema } from "../../src/api/metadata.ts";
import { apiVersion, group, version } from "../../src/api/names.ts";
import type { IntegerSchema, Schema } from "../../src/api/schema.ts";
import { assertNever } from "../../src/util/assert-never.ts";
import type { GeneratedFile } from "./file.ts";

type Json = string | number | boolean | null | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [key: string]: Json;
}

const draft = "http://json-schema.org/draft-07/schema#";

/** For files that hold documents of several kinds, also such that are not ours. */
export const editorSchemaOfAll = "northflank-operator.json";

/**
 * JSON Schemas for editors and for tools that know no CRDs: one per kind, named as tools search for
 * them (`northflankjobrun_v1alpha1.json`), and one for all kinds.
 *
 * They say what the CRDs say, but for the rules in CEL, whose messages stand in the descriptions, and they are stricter
 * in one thing: an optional field that is written without a value (null) is underlined, though the API server drops it.
 */
export function editorSchemaFiles(): readonly GeneratedFile[] {
  const each = kinds.map((kind) => ({
    name: editorSchemaName(kind),
    text: print({ $schema: draft, ...rootOf(kind) }),
  }));
  return [...each, { name: editorSchemaOfAll, text: print(schemaOfAll()) }];
}

/** The file of one kind: `northflankjobrun_v1alpha1.json`. */
export function editorSchemaName({ singular }: KindDefinition): string {
  return `${singular}_${version}.json`;
}

function print(schema: JsonObject): string {
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

/** Accepts what is not of our group: a file may hold a Secret beside the objects that use it. */
function schemaOfAll(): JsonObject {
  const ofOurGroup = { type: "string", pattern: `^${group.replaceAll(".", "\\.")}/` };
  const names = kinds.map(({ type }) => type.kind);
  return {
    $schema: draft,
    title: "northflank-operator",
    description: `Objects of the group ${group}. Objects of other groups pass unseen.`,
    if: { type: "object", properties: { apiVersion: ofOurGroup }, required: ["apiVersion"] },
    // biome-ignore lint/suspicious/noThenProperty: this is a word of JSON Schema.
    then: {
      properties: { kind: { enum: names } },
      required: ["kind"],
      allOf: names.map((name) => ({
        if: { properties: { kind: { const: name } } },
        // biome-ignore lint/suspicious/noThenProperty: this is a word of JSON Schema.
        then: { $ref: `#/definitions/${name}` },
      })),
    },
    definitions: Object.fromEntries(kinds.map((kind) => [kind.type.kind, rootOf(kind)])),
  };
}

function rootOf(kind: KindDefinition): JsonObject {
  return {
    title: kind.type.kind,
    description: kind.description,
    type: "object",
    additionalProperties: false,
    required: ["apiVersion", "kind", "metadata", "spec"],
    properties: {
      apiVersion: { description: "Group and version.", enum: [apiVersion] },
      kind: { description: kind.description, enum: [kind.type.kind] },
      metadata: metadata(),
      spec: editorSchema(kind.spec),
      status: { description: "Written by the operator: it has no place in a manifest.", type: "object" },
    },
  };
}

/** What `kubectl get -o yaml` adds is known too: such a document is pasted now and then. */
function metadata(): JsonObject {
  const { properties, ...rest } = metadataSchema;
  const managedFields = { description: "Written by the API server.", type: "array" } as const;
  return { ...editorSchema({ ...rest, properties }), properties: { ...propertiesOf(properties), managedFields } };
}

/** A schema of ours in the words of JSON Schema draft 7, without words of our own. */
export function editorSchema(schema: Schema): JsonObject {
  return {
    description: describe(schema),
    type: schema.nullable === true ? [schema.type, "null"] : schema.type,
    ...("default" in schema && schema.default !== undefined ? { default: schema.default as Json } : {}),
    ...boundsOf(schema),
  };
}

function describe(schema: Schema): string {
  // Rules about changes say nothing about a file.
  const rules = (schema["x-kubernetes-validations"] ?? []).filter(({ rule }) => !/\boldSelf\b/.test(rule));
  return [schema.description, ...new Set(rules.map(({ message }) => `Rule: ${message}.`))].join("\n");
}

function boundsOf(schema: Schema): JsonObject {
  if (isObject(schema)) {
    return {
      properties: propertiesOf(schema.properties),
      additionalProperties: false,
      ...(schema.required === undefined ? {} : { required: schema.required }),
    };
  }
  if (isMap(schema)) {
    const { maxProperties, propertyNames, additionalProperties } = schema;
    return { maxProperties, propertyNames, additionalProperties: editorSchema(additionalProperties) };
  }
  if (isList(schema)) {
    const { minItems, maxItems } = schema;
    const unique = schema["x-kubernetes-list-type"] === "set";
    return {
      ...(minItems === undefined ? {} : { minItems }),
      maxItems,
      ...(unique ? { uniqueItems: true } : {}),
      items: editorSchema(schema.items),
    };
  }
  switch (schema.type) {
    case "string":
      return "enum" in schema
        ? { enum: schema.enum }
        : present(schema, ["minLength", "maxLength", "pattern", "format"]);
    case "integer":
      return rangeOf(schema);
    case "boolean":
      return {};
    default:
      return assertNever(schema, "schema");
  }
}

/** The formats int32 and int64 are no words of JSON Schema. */
function rangeOf({ minimum, maximum, format }: IntegerSchema): JsonObject {
  const bound = maximum ?? (format === "int32" ? 2 ** 31 - 1 : undefined);
  return { minimum, ...(bound === undefined ? {} : { maximum: bound }) };
}

function propertiesOf(properties: Readonly<Record<string, Schema>>): JsonObject {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, editorSchema(schema)]));
}

function present(schema: Schema, keywords: readonly string[]): JsonObject {
  const entries = new Map<string, unknown>(Object.entries(schema));
  return Object.fromEntries(
    keywords.filter((word) => entries.has(word)).map((word) => [word, entries.get(word) as Json]),
  );
}
