// pure
import { isRecord, setOwn } from "../util/records.ts";
import { isList, isMap, isObject } from "./crd.ts";
import type { ObjectSchema, Schema } from "./schema.ts";

/** Where something is in an object: keys, and indexes of lists. */
export type Path = readonly (string | number)[];

export interface UnknownField {
  readonly path: Path;
  /** The names that are known at that place. */
  readonly known: readonly string[];
}

/**
 * The value as the API server would store it: unknown fields and nulls of fields that are not nullable are dropped,
 * defaults are filled in. Values of the wrong type stay as they are, for validation to report.
 *
 * *Guarantees*: the input is not changed; a key named `__proto__` or `constructor` is a key like any other.
 */
export function asStored(schema: Schema, value: unknown): unknown {
  if (isList(schema)) return Array.isArray(value) ? value.map((item) => asStored(schema.items, item)) : value;
  if (!isRecord(value)) return value;
  const stored: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const item = value[key];
    const inner = schemaOf(schema, key);
    // Null is a value only where the schema says so.
    if (inner === undefined || (item === null && inner.nullable !== true)) continue;
    setOwn(stored, key, asStored(inner, item));
  }
  if (isObject(schema)) fillIn(stored, schema);
  return stored;
}

/** Fields the schema does not know. The server prunes them or, asked for strict validation, refuses them. */
export function unknownFields(schema: Schema, value: unknown): readonly UnknownField[] {
  const found: UnknownField[] = [];
  collectUnknown(schema, value, [], found);
  return found;
}

/** The schema of a field or of the values of a map; nothing for a field that is not known. */
export function schemaOf(schema: Schema, key: string): Schema | undefined {
  if (isMap(schema)) return schema.additionalProperties;
  return isObject(schema) && Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
}

function collectUnknown(schema: Schema, value: unknown, path: (string | number)[], found: UnknownField[]): void {
  if (typeof value !== "object" || value === null) return;
  // One path is grown and shrunk on the way: this runs for every event of a watch.
  const visit = (key: string | number, inner: Schema, item: unknown): void => {
    path.push(key);
    collectUnknown(inner, item, path, found);
    path.pop();
  };
  if (Array.isArray(value)) {
    if (isList(schema)) for (const [index, item] of value.entries()) visit(index, schema.items, item);
    return;
  }
  if (!isMap(schema) && !isObject(schema)) return;
  for (const key of Object.keys(value)) {
    const inner = schemaOf(schema, key);
    if (inner !== undefined) visit(key, inner, Reflect.get(value, key));
    else found.push({ path: [...path, key], known: Object.keys(schema.properties ?? {}) });
  }
}

function fillIn(stored: Record<string, unknown>, { properties }: ObjectSchema): void {
  for (const key of Object.keys(properties)) {
    const schema = properties[key];
    if (schema !== undefined && "default" in schema && !Object.hasOwn(stored, key)) setOwn(stored, key, schema.default);
  }
}
