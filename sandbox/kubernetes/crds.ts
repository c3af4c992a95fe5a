import { ageColumn, builtin } from "./builtins.ts";
import { compileRules, type RuleCheck, RuleSyntaxError } from "./cel.ts";
import { parseJsonPath } from "./json-path.ts";
import {
  type ApiObject,
  type Column,
  customBehaviour,
  type FieldError,
  isObject,
  type JsonObject,
  type Resource,
  type Schema,
} from "./types.ts";

/** A resource that a CustomResourceDefinition defines, with its compiled rules. */
export interface Defined {
  readonly resource: Resource;
  readonly rules: RuleCheck | undefined;
}

/** The resource `customresourcedefinitions` itself. `nowText` gives the time for conditions. */
export function crdResource(nowText: () => string): Resource {
  return builtin({
    group: "apiextensions.k8s.io",
    plural: "customresourcedefinitions",
    kind: "CustomResourceDefinition",
    shortNames: ["crd", "crds"],
    categories: ["api-extensions"],
    namespaced: false,
    hasStatus: true,
    counted: true,
    schema: crdSchema,
    columns: [
      {
        name: "Created At",
        type: "date",
        description: "",
        value: (object) => object.metadata.creationTimestamp ?? "",
      },
    ],
    behaviour: {
      unconditionalUpdate: false,
      prepare: (object, old) => complete(object, old, nowText()),
      validate: validateDefinition,
    },
  });
}

/** The served versions of a valid definition. */
export function definedBy(crd: ApiObject): readonly Defined[] {
  const spec = crd.spec as DefinitionSpec;
  return spec.versions
    .filter(({ served }) => served)
    .map((version) => ({
      resource: resourceOf(spec, version),
      rules: compileRules(version.schema?.openAPIV3Schema ?? {}),
    }));
}

interface DefinitionSpec {
  readonly group: string;
  readonly scope: "Namespaced" | "Cluster";
  readonly names: {
    readonly plural: string;
    readonly kind: string;
    readonly singular?: string;
    readonly listKind?: string;
    readonly shortNames?: readonly string[];
    readonly categories?: readonly string[];
  };
  readonly versions: readonly DefinitionVersion[];
}

interface DefinitionVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly schema?: { readonly openAPIV3Schema?: Schema };
  readonly subresources?: { readonly status?: object };
  readonly selectableFields?: readonly { readonly jsonPath: string }[];
  readonly additionalPrinterColumns?: readonly (Column & { readonly jsonPath: string })[];
}

function resourceOf(spec: DefinitionSpec, version: DefinitionVersion): Resource {
  const { names, group } = spec;
  return {
    origin: "custom",
    group,
    version: version.name,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    namespaced: spec.scope === "Namespaced",
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    schema: withoutEnvelope(version.schema?.openAPIV3Schema ?? {}),
    hasStatus: version.subresources?.status !== undefined,
    columns: version.additionalPrinterColumns ?? [{ ...ageColumn, type: "date" }],
    selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) => jsonPath.replace(/^\./, "")),
    storage: `${group}/${names.plural}`,
    counted: true,
    behaviour: customBehaviour,
  };
}

/** The server knows `apiVersion`, `kind` and `metadata` by itself. */
function withoutEnvelope(schema: Schema): Schema {
  const { apiVersion: _, kind: __, metadata: ___, ...properties } = schema.properties ?? {};
  return { ...schema, properties };
}

function complete(crd: ApiObject, old: ApiObject | undefined, nowText: string): void {
  const spec = crd.spec;
  if (!isObject(spec) || !isObject(spec.names) || !Array.isArray(spec.versions)) return;
  const names = spec.names;
  names.singular ??= String(names.kind ?? "").toLowerCase();
  names.listKind ??= `${String(names.kind ?? "")}List`;
  spec.conversion ??= { strategy: "None" };
  const storage = spec.versions
    .filter((version: JsonObject) => version.storage)
    .map((version: JsonObject) => version.name);
  const before = old?.status as JsonObject | undefined;
  const stored = (before?.storedVersions ?? []) as unknown[];
  crd.status = {
    conditions: before?.conditions ?? conditions(nowText),
    acceptedNames: names,
    storedVersions: [...new Set([...stored, ...storage])],
  };
}

function conditions(lastTransitionTime: string): readonly JsonObject[] {
  return [
    { type: "NamesAccepted", status: "True", lastTransitionTime, reason: "NoConflicts", message: "no conflicts found" },
    {
      type: "Established",
      status: "True",
      lastTransitionTime,
      reason: "InitialNamesAccepted",
      message: "the initial names have been accepted",
    },
  ];
}

function validateDefinition(crd: ApiObject): FieldError[] {
  const spec = crd.spec as DefinitionSpec | undefined;
  if (!isObject(spec) || !Array.isArray(spec.versions) || !isObject(spec.names)) return [];
  const errors: FieldError[] = [];
  const name = `${spec.names.plural}.${spec.group}`;
  if (crd.metadata.name !== name) {
    const detail = `must be spec.names.plural+"."+spec.group`;
    errors.push({ kind: "invalid", path: "metadata.name", value: crd.metadata.name, detail });
  }
  if (spec.versions.filter(({ storage }) => storage).length !== 1) {
    const detail = "must have exactly one version marked as storage version";
    errors.push({ kind: "invalid", path: "spec.versions", value: spec.versions.map(({ name }) => name), detail });
  }
  for (const [index, version] of spec.versions.entries()) {
    // With one version the real server speaks of the schema as if it stood at the top.
    const at = spec.versions.length === 1 ? "spec.validation" : `spec.versions[${index}].schema`;
    errors.push(...validateVersion(version, `spec.versions[${index}]`, at));
  }
  return errors;
}

function validateVersion(version: DefinitionVersion, path: string, schemaPath: string): FieldError[] {
  const schema = version.schema?.openAPIV3Schema;
  const at = `${schemaPath}.openAPIV3Schema`;
  if (schema === undefined) return [{ kind: "required", path: at, detail: "schemas are required" }];
  const structural = structuralErrors(schema, at);
  return [
    ...(schema.type === "object"
      ? []
      : [
          {
            kind: "invalid" as const,
            path: `${at}.type`,
            value: schema.type ?? "",
            detail: "must be object at the root",
          },
        ]),
    ...(structural.length > 0 ? structural : ruleErrors(schema, schemaPath)),
    ...(version.additionalPrinterColumns ?? []).flatMap(({ jsonPath }, index) =>
      pathErrors(jsonPath, `${path}.additionalPrinterColumns[${index}].jsonPath`),
    ),
    ...(version.selectableFields ?? []).flatMap(({ jsonPath }, index) =>
      selectableErrors(jsonPath, schema, `${path}.selectableFields[${index}].jsonPath`),
    ),
  ];
}

function ruleErrors(schema: Schema, path: string): readonly FieldError[] {
  try {
    compileRules(schema);
    return [];
  } catch (error) {
    if (!(error instanceof RuleSyntaxError)) throw error;
    return error.findings.map((finding) => ({ ...finding, path: `${path}.${finding.path}` }));
  }
}

function pathErrors(jsonPath: string, path: string): FieldError[] {
  try {
    parseJsonPath(jsonPath);
    return [];
  } catch (error) {
    return [{ kind: "invalid", path, value: jsonPath, detail: error instanceof Error ? error.message : String(error) }];
  }
}

function selectableErrors(jsonPath: string, schema: Schema, path: string): FieldError[] {
  let found: Schema | undefined = schema;
  for (const name of jsonPath.replace(/^\./, "").split(".")) found = found?.properties?.[name];
  const selectable = found?.type === "string" || found?.type === "integer" || found?.type === "boolean";
  if (selectable && !jsonPath.startsWith(".metadata")) return [];
  const detail = "is an invalid path: must point to a field of type string, boolean or integer outside of metadata";
  return [{ kind: "invalid", path, value: jsonPath, detail }];
}

function structuralErrors(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const open = schema["x-kubernetes-int-or-string"] === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (schema.type === undefined && !open) {
    errors.push({ kind: "required", path: `${path}.type`, detail: "must not be empty for specified object fields" });
  }
  if (schema.additionalProperties !== undefined && schema.properties !== undefined) {
    const detail = "additionalProperties and properties are mutual exclusive";
    errors.push({ kind: "forbidden", path: `${path}.additionalProperties`, detail });
  }
  if (schema.type === "array" && schema.items === undefined) {
    errors.push({ kind: "required", path: `${path}.items`, detail: "must be specified" });
  }
  errors.push(...listTypeErrors(schema, path));
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    if (path.endsWith("openAPIV3Schema") && name === "metadata") continue;
    errors.push(...structuralErrors(child, `${path}.properties[${name}]`));
  }
  if (schema.items !== undefined) errors.push(...structuralErrors(schema.items, `${path}.items`));
  if (typeof schema.additionalProperties === "object") {
    errors.push(...structuralErrors(schema.additionalProperties, `${path}.additionalProperties`));
  }
  return errors;
}

function listTypeErrors(schema: Schema, path: string): FieldError[] {
  if (schema["x-kubernetes-list-type"] !== "map") return [];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  if (keys.length === 0) {
    const detail = "must not be empty if x-kubernetes-list-type is map";
    return [{ kind: "required", path: `${path}.x-kubernetes-list-map-keys`, detail }];
  }
  return keys.flatMap((key, index): FieldError[] => {
    const child = schema.items?.properties?.[key];
    const required = schema.items?.required?.includes(key) === true || child?.default !== undefined;
    if (child !== undefined && required) return [];
    const detail = "entries must all be names of required or defaulted item properties";
    return [{ kind: "invalid", path: `${path}.x-kubernetes-list-map-keys[${index}]`, value: key, detail }];
  });
}

const text: Schema = { type: "string" };
const textList: Schema = { type: "array", items: text };
const anything: Schema = { "x-kubernetes-preserve-unknown-fields": true };

/** What a schema inside a definition may say. It contains itself, so it is tied together afterwards. */
const schemaOfSchemas: { -readonly [Key in keyof Schema]: Schema[Key] } = { type: "object" };
const schemaList: Schema = { type: "array", items: schemaOfSchemas };
const schemaMap: Schema = { type: "object", additionalProperties: schemaOfSchemas };
schemaOfSchemas.properties = {
  ...Object.fromEntries(
    ["description", "type", "format", "title", "pattern", "x-kubernetes-list-type", "x-kubernetes-map-type"].map(
      (name) => [name, text],
    ),
  ),
  ...Object.fromEntries(
    ["maximum", "minimum", "multipleOf"].map((name) => [name, { type: "number" } satisfies Schema]),
  ),
  ...Object.fromEntries(
    ["maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"].map((name) => [
      name,
      { type: "integer" } satisfies Schema,
    ]),
  ),
  ...Object.fromEntries(
    [
      "exclusiveMaximum",
      "exclusiveMinimum",
      "uniqueItems",
      "nullable",
      "x-kubernetes-preserve-unknown-fields",
      "x-kubernetes-embedded-resource",
      "x-kubernetes-int-or-string",
    ].map((name) => [name, { type: "boolean" } satisfies Schema]),
  ),
  default: anything,
  example: anything,
  enum: { type: "array", items: anything },
  required: textList,
  "x-kubernetes-list-map-keys": textList,
  properties: schemaMap,
  additionalProperties: anything,
  items: schemaOfSchemas,
  allOf: schemaList,
  anyOf: schemaList,
  oneOf: schemaList,
  not: schemaOfSchemas,
  externalDocs: anything,
  "x-kubernetes-validations": {
    type: "array",
    items: {
      type: "object",
      required: ["rule"],
      properties: {
        rule: text,
        message: text,
        messageExpression: text,
        reason: {
          type: "string",
          enum: ["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate"],
        },
        fieldPath: text,
        optionalOldSelf: { type: "boolean" },
      },
    },
  },
};

const namesSchema: Schema = {
  type: "object",
  required: ["plural", "kind"],
  properties: {
    plural: text,
    singular: text,
    kind: text,
    listKind: text,
    shortNames: textList,
    categories: textList,
  },
};

const crdSchema: Schema = {
  type: "object",
  description: "CustomResourceDefinition represents a resource that should be exposed on the API server.",
  required: ["spec"],
  properties: {
    spec: {
      type: "object",
      required: ["group", "names", "scope", "versions"],
      properties: {
        group: text,
        scope: { type: "string", enum: ["Cluster", "Namespaced"] },
        names: namesSchema,
        conversion: { type: "object", properties: { strategy: { type: "string", enum: ["None"] } } },
        preserveUnknownFields: { type: "boolean", enum: [false] },
        versions: {
          type: "array",
          items: {
            type: "object",
            required: ["name", "served", "storage"],
            properties: {
              name: text,
              served: { type: "boolean" },
              storage: { type: "boolean" },
              deprecated: { type: "boolean" },
              deprecationWarning: text,
              schema: { type: "object", properties: { openAPIV3Schema: schemaOfSchemas } },
              subresources: {
                type: "object",
                properties: { status: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
              },
              selectableFields: {
                type: "array",
                items: { type: "object", required: ["jsonPath"], properties: { jsonPath: text } },
              },
              additionalPrinterColumns: {
                type: "array",
                items: {
                  type: "object",
                  required: ["name", "type", "jsonPath"],
                  properties: {
                    name: text,
                    type: { type: "string", enum: ["integer", "number", "string", "boolean", "date"] },
                    format: text,
                    description: text,
                    priority: { type: "integer" },
                    jsonPath: text,
                  },
                },
              },
            },
          },
        },
      },
    },
    status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  },
};
