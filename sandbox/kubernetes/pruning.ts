import { isObject, type JsonObject, type Schema } from "./types.ts";

/**
 * Removes from `object` (in place) what the schema does not know and returns the dotted paths of what was removed, in
 * alphabetical order. `apiVersion`, `kind` and `metadata` at the top are not touched.
 */
export function prune(object: JsonObject, schema: Schema): string[] {
  const removed: string[] = [];
  const { apiVersion, kind, metadata, ...rest } = object;
  pruneObject(rest, schema, "", removed);
  for (const key of Object.keys(object)) {
    if (key !== "apiVersion" && key !== "kind" && key !== "metadata" && !Object.hasOwn(rest, key)) delete object[key];
  }
  return removed.sort();
}

function pruneValue(value: unknown, schema: Schema, path: string, removed: string[]): void {
  if (Array.isArray(value)) {
    if (schema.items === undefined) return;
    for (const [index, item] of value.entries()) pruneValue(item, schema.items, `${path}[${index}]`, removed);
    return;
  }
  if (isObject(value)) pruneObject(value, schema, path, removed);
}

function pruneObject(value: JsonObject, schema: Schema, path: string, removed: string[]): void {
  const embedded = schema["x-kubernetes-embedded-resource"] === true;
  for (const key of Object.keys(value)) {
    if (embedded && (key === "apiVersion" || key === "kind" || key === "metadata")) continue;
    const child = childSchema(schema, key);
    const childPath = path === "" ? key : `${path}.${key}`;
    if (child === "drop") {
      removed.push(childPath);
      delete value[key];
    } else if (child !== "keep") {
      pruneValue(value[key], child, childPath, removed);
    }
  }
}

function childSchema(schema: Schema, key: string): Schema | "keep" | "drop" {
  const own = schema.properties;
  if (own !== undefined && Object.hasOwn(own, key)) return own[key] ?? "drop";
  const extra = schema.additionalProperties;
  if (typeof extra === "object") return extra;
  if (extra === true || schema["x-kubernetes-preserve-unknown-fields"] === true) return "keep";
  return "drop";
}
