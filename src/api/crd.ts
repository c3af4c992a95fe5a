// pure
import { assertNever } from "../util/assert-never.ts";
import type { Column, KindDefinition } from "./kinds.ts";
import { group, schemaVersion, schemaVersionLabel, version } from "./names.ts";
import type { ListSchema, MapSchema, ObjectSchema, Rule, Schema } from "./schema.ts";

/** A rule as the API server sees it. */
type CelRule = Omit<Rule, "name" | "check">;

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** The CustomResourceDefinition of a kind, as `kubectl apply` takes it. Keys are always in the same order. */
export function customResourceDefinition(kind: KindDefinition): { readonly [key: string]: Json } {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${kind.type.plural}.${group}`,
      labels: {
        "app.kubernetes.io/name": "northflank-operator",
        "app.kubernetes.io/part-of": "northflank-operator",
        [schemaVersionLabel]: schemaVersion,
      },
    },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        kind: kind.type.kind,
        listKind: `${kind.type.kind}List`,
        plural: kind.type.plural,
        singular: kind.singular,
        shortNames: [kind.shortName],
        categories: [...kind.categories],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: kind.columns.map(printerColumn),
          selectableFields: kind.selectableFields.map((jsonPath) => ({ jsonPath })),
          schema: { openAPIV3Schema: rootSchema(kind) },
        },
      ],
    },
  };
}

function printerColumn({ name, type, jsonPath, description, wide }: Column): Json {
  return { name, type, jsonPath, description, ...(wide ? { priority: 1 } : {}) };
}

function rootSchema(kind: KindDefinition): Json {
  return {
    type: "object",
    description: kind.description,
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: `${group}/${version}` },
      kind: { type: "string", description: kind.type.kind },
      metadata: { type: "object" },
      spec: structuralSchema(kind.spec),
      status: structuralSchema(kind.status),
    },
  };
}

/** A schema of ours in the words of a CRD: our own keywords become CEL rules, the mirrors of rules are left out. */
export function structuralSchema(schema: Schema): Json {
  const rules = celRules(schema);
  return {
    ...own(schema),
    ...(rules.length === 0 ? {} : { "x-kubernetes-validations": rules.map(celRule) }),
    ...nested(schema),
  };
}

/** The keywords that are the same in both, in a fixed order. */
const sharedKeywords = [
  "type",
  "description",
  "format",
  "nullable",
  "default",
  "enum",
  "minLength",
  "maxLength",
  "pattern",
  "minimum",
  "maximum",
  "minItems",
  "maxItems",
  "maxProperties",
  "required",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
] as const;

function own(schema: Schema): { readonly [key: string]: Json } {
  const entries = new Map<string, unknown>(Object.entries(schema));
  if (entries.has("isPatternInRules")) entries.delete("pattern");
  return Object.fromEntries(
    sharedKeywords.filter((keyword) => entries.has(keyword)).map((keyword) => [keyword, entries.get(keyword) as Json]),
  );
}

function nested(schema: Schema): { readonly [key: string]: Json } {
  if (isMap(schema)) return { additionalProperties: structuralSchema(schema.additionalProperties) };
  switch (schema.type) {
    case "object":
      return {
        properties: Object.fromEntries(
          Object.entries(schema.properties).map(([name, property]) => [name, structuralSchema(property)]),
        ),
      };
    case "array":
      return { items: structuralSchema(schema.items) };
    case "string":
    case "integer":
    case "boolean":
      return {};
    default:
      return assertNever(schema, "schema");
  }
}

/** The rules written at a schema and those its own keywords stand for. */
export function celRules(schema: Schema): readonly CelRule[] {
  const written = schema["x-kubernetes-validations"] ?? [];
  return isMap(schema) ? [...written, keyRule(schema.propertyNames)] : written;
}

function keyRule({ pattern, maxLength }: MapSchema["propertyNames"]): CelRule {
  return {
    rule: `self.all(k, size(k) <= ${maxLength} && k.matches('${pattern.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'))`,
    message: `keys must match ${pattern} and have at most ${maxLength} characters`,
  };
}

function celRule({ rule, message, messageExpression, reason, fieldPath }: CelRule): Json {
  return {
    rule,
    message,
    ...(messageExpression === undefined ? {} : { messageExpression }),
    ...(reason === undefined ? {} : { reason }),
    ...(fieldPath === undefined ? {} : { fieldPath }),
  };
}

export function isMap(schema: Schema): schema is MapSchema {
  return schema.type === "object" && schema.additionalProperties !== undefined;
}

export function isObject(schema: Schema): schema is ObjectSchema {
  return schema.type === "object" && schema.properties !== undefined;
}

export function isList(schema: Schema): schema is ListSchema {
  return schema.type === "array";
}
