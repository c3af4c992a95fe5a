// pure
import { isList, isMap, isObject } from "./crd.ts";
import type { Schema } from "./schema.ts";

export type Path = readonly (string | number)[];

/** What the API server makes of a value before it validates it. */
export interface Stored {
  readonly value: unknown;
  /** Fields the schema does not know. The server prunes them or, asked for strict validation, refuses them. */
  readonly unknownFields: readonly UnknownField[];
}

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
export function asStored(schema: Schema, value: unknown): Stored {
  const unknownFields: UnknownField[] = [];
  return { value: stored(schema, value, [], unknownFields), unknownFields };
}

function stored(schema: Schema, value: unknown, path: Path, unknownFields: UnknownField[]): unknown {
  if (isList(schema)) {
    if (!Array.isArray(value)) return value;
    return value.map((item, index) => stored(schema.items, item, [...path, index], unknownFields));
  }
  if (!isRecord(value)) return value;
  if (isMap(schema)) {
    const entries = present(value, () => schema.additionalProperties);
    return Object.fromEntries(
      entries.map(([key, item]) => [key, stored(schema.additionalProperties, item, [...path, key], unknownFields)]),
    );
  }
  if (!isObject(schema)) return value;
  const { properties } = schema;
  const known = Object.keys(properties);
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(properties, key)) unknownFields.push({ path: [...path, key], known });
  }
  const entries = present(value, (key) => ownProperty(properties, key));
  return Object.fromEntries([
    ...entries.map(([key, item]) => [
      key,
      stored(ownProperty(properties, key) as Schema, item, [...path, key], unknownFields),
    ]),
    ...defaults(properties, new Set(entries.map(([key]) => key))),
  ]);
}

/** The entries that stay: known to the schema, and null only where null is a value. */
function present(
  value: Readonly<Record<string, unknown>>,
  schemaOf: (key: string) => Schema | undefined,
): readonly (readonly [string, unknown])[] {
  return Object.entries(value).filter(([key, item]) => {
    const schema = schemaOf(key);
    return schema !== undefined && (item !== null || schema.nullable === true);
  });
}

function defaults(
  properties: Readonly<Record<string, Schema>>,
  set: ReadonlySet<string>,
): readonly (readonly [string, unknown])[] {
  return Object.entries(properties)
    .filter(([key]) => !set.has(key))
    .flatMap(([key, schema]) => ("default" in schema ? [[key, schema.default] as const] : []));
}

function ownProperty(properties: Readonly<Record<string, Schema>>, key: string): Schema | undefined {
  return Object.hasOwn(properties, key) ? properties[key] : undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
