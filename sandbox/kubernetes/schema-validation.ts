import { jsonEqual } from "./equal.ts";
import { matchesFormat } from "./formats.ts";
import { type FieldError, isObject, type Schema } from "./types.ts";

/**
 * Checks a value against a structural schema and words each finding as the real server does. `path` is the dotted path
 * of the value, empty at the top.
 */
export function validateSchema(value: unknown, schema: Schema, path: string): FieldError[] {
  const errors = [...typeErrors(value, schema, path)];
  if (errors.length === 0) {
    errors.push(...enumErrors(value, schema, path));
    if (typeof value === "string") errors.push(...stringErrors(value, schema, path));
    if (typeof value === "number") errors.push(...numberErrors(value, schema, path));
    if (Array.isArray(value)) errors.push(...listErrors(value, schema, path));
    if (isObject(value)) errors.push(...objectErrors(value, schema, path));
    if (value !== null) errors.push(...combinationErrors(value, schema, path));
  }
  return errors;
}

/** Uniqueness of `x-kubernetes-list-type` sets and maps, everywhere in the value. */
export function validateListTypes(value: unknown, schema: Schema, path: string): FieldError[] {
  if (Array.isArray(value)) {
    const items = schema.items ?? {};
    return [
      ...duplicateErrors(value, schema, path),
      ...value.flatMap((item, index) => validateListTypes(item, items, `${path}[${index}]`)),
    ];
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const child = childOf(schema, key);
    return child === undefined ? [] : validateListTypes(item, child, join(path, key));
  });
}

/** The schema of a field or map entry, if the schema says anything about it. */
export function childOf(schema: Schema, key: string): Schema | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, key)) return schema.properties[key];
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined;
}

export function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

function typeErrors(value: unknown, schema: Schema, path: string): FieldError[] {
  const actual = typeName(value);
  if (value === null && schema.nullable === true) return [];
  const wanted = schema["x-kubernetes-int-or-string"] ? "integer,string" : schema.type;
  if (wanted === undefined || wanted.split(",").includes(actual)) return [];
  if (wanted === "number" && actual === "integer") return [];
  const detail = `${path} in body must be of type ${wanted}: ${JSON.stringify(actual)}`;
  const error: FieldError = { kind: "type", path, value: actual, detail };
  if (wanted !== "integer" || actual !== "number") return [error];
  const remark = `Checked value must be of type integer (default format) in ${path}`;
  return [error, { kind: "invalid", path: nowhere, value: "", detail: remark }];
}

const nowhere = "<nil>";

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function enumErrors(value: unknown, schema: Schema, path: string): FieldError[] {
  if (schema.enum === undefined || schema.enum.some((allowed) => jsonEqual(allowed, value))) return [];
  const allowed = schema.enum.map((item) => JSON.stringify(item)).join(", ");
  return [{ kind: "unsupported", path, value, detail: `supported values: ${allowed}` }];
}

function stringErrors(value: string, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const length = [...value].length;
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    errors.push({ kind: "too-long", path, detail: `may not be more than ${schema.maxLength} bytes` });
  }
  if (schema.minLength !== undefined && length < schema.minLength) {
    const detail = `${path} in body should be at least ${schema.minLength} chars long`;
    errors.push({ kind: "invalid", path, value, detail });
  }
  if (schema.pattern !== undefined && !patternOf(schema.pattern).test(value)) {
    errors.push({ kind: "invalid", path, value, detail: `${path} in body should match '${schema.pattern}'` });
  }
  if (schema.format !== undefined && !matchesFormat(schema.format, value)) {
    const detail = `${path} in body must be of type ${schema.format}: ${JSON.stringify(value)}`;
    errors.push({ kind: "type", path, value, detail });
  }
  return errors;
}

const patterns = new Map<string, RegExp>();

function patternOf(source: string): RegExp {
  let pattern = patterns.get(source);
  if (pattern === undefined) {
    pattern = new RegExp(source, "u");
    patterns.set(source, pattern);
  }
  return pattern;
}

function numberErrors(value: number, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (detail: string) => errors.push({ kind: "invalid", path, value, detail: `${path} in body ${detail}` });
  const { minimum, maximum, multipleOf } = schema;
  if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum)) {
    refuse(`should be greater than ${schema.exclusiveMinimum ? "" : "or equal to "}${minimum}`);
  }
  if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum)) {
    refuse(`should be less than ${schema.exclusiveMaximum ? "" : "or equal to "}${maximum}`);
  }
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf))
    refuse(`should be a multiple of ${multipleOf}`);
  return errors;
}

function listErrors(value: readonly unknown[], schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    errors.push({ kind: "too-many", path, value: value.length, detail: `must have at most ${schema.maxItems} items` });
  }
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    const detail = `${path} in body should have at least ${schema.minItems} items`;
    errors.push({ kind: "invalid", path, value: value.length, detail });
  }
  const items = schema.items;
  if (items === undefined) return errors;
  return [...errors, ...value.flatMap((item, index) => validateSchema(item, items, `${path}[${index}]`))];
}

function objectErrors(value: { readonly [key: string]: unknown }, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const names = Object.keys(value);
  if (schema.maxProperties !== undefined && names.length > schema.maxProperties) {
    const detail = `must have at most ${schema.maxProperties} items`;
    errors.push({ kind: "too-many", path, value: names.length, detail });
  }
  if (schema.minProperties !== undefined && names.length < schema.minProperties) {
    const detail = `${path} in body should have at least ${schema.minProperties} properties`;
    errors.push({ kind: "invalid", path, value: names.length, detail });
  }
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) errors.push({ kind: "required", path: join(path, name), detail: "" });
  }
  for (const name of names) {
    const child = childOf(schema, name);
    if (child !== undefined) errors.push(...validateSchema(value[name], child, join(path, name)));
  }
  return errors;
}

function combinationErrors(value: unknown, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (detail: string) => errors.push({ kind: "invalid", path: nowhere, value: "", detail });
  const intOrString = schema["x-kubernetes-int-or-string"] === true;
  for (const part of schema.allOf ?? []) errors.push(...validateSchema(value, part, path));
  if (schema.anyOf !== undefined && !intOrString) {
    const results = schema.anyOf.map((part) => validateSchema(value, part, path));
    if (!results.some((found) => found.length === 0)) {
      refuse(`"${path}" must validate at least one schema (anyOf)`);
      errors.push(...closest(results));
    }
  }
  if (schema.oneOf !== undefined) {
    const results = schema.oneOf.map((part) => validateSchema(value, part, path));
    const valid = results.filter((found) => found.length === 0).length;
    const found = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
    if (valid !== 1) refuse(`"${path}" must validate one and only one schema (oneOf). ${found}`);
    if (valid === 0) errors.push(...closest(results));
  }
  if (schema.not !== undefined && validateSchema(value, schema.not, path).length === 0) {
    refuse(`"${path}" must not validate the schema (not)`);
  }
  return errors;
}

/** The real server adds the findings of the first alternative that failed with the fewest. */
function closest(results: readonly FieldError[][]): FieldError[] {
  return results.reduce<FieldError[]>(
    (best, found) => (best.length === 0 || found.length < best.length ? found : best),
    [],
  );
}

function duplicateErrors(value: readonly unknown[], schema: Schema, path: string): FieldError[] {
  const kind = schema["x-kubernetes-list-type"];
  if (kind !== "set" && kind !== "map") return [];
  const seen = new Set<string>();
  const errors: FieldError[] = [];
  for (const [index, item] of value.entries()) {
    const key = kind === "set" ? item : mapKey(item, schema);
    const text = canonical(key);
    if (seen.has(text)) errors.push({ kind: "duplicate", path: `${path}[${index}]`, value: key, detail: "" });
    seen.add(text);
  }
  return errors;
}

function mapKey(item: unknown, schema: Schema): unknown {
  const keys = [...(schema["x-kubernetes-list-map-keys"] ?? [])].sort();
  const object = isObject(item) ? item : {};
  return Object.fromEntries(keys.filter((key) => Object.hasOwn(object, key)).map((key) => [key, object[key]]));
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}
