import { isList, isMap, isObject } from "../../src/api/crd.ts";
import type { KindDefinition } from "../../src/api/kinds.ts";
import type { NorthflankCall } from "../../src/api/northflank-calls.ts";
import type { Schema } from "../../src/api/schema.ts";
import { type FieldUse, fieldUses } from "./texts/field-uses.ts";

/** One field of a spec or status, wherever it stands. */
export interface Field {
  /** From the spec or status on: `waitFor[].jobRunRef.name`, `runtimeFiles.*.data`. */
  readonly path: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
}

/** Every field in an object, items of lists and values of maps included, in the order of the schema. */
export function fieldsOf(schema: Schema, path = ""): readonly Field[] {
  return childrenOf(schema, path).flatMap((field) => [field, ...fieldsOf(field.schema, field.path)]);
}

/** The fields right in an object; for a list its items, for a map its values. */
export function childrenOf(schema: Schema, path: string): readonly Field[] {
  if (isList(schema)) return [{ path: `${path}[]`, schema: schema.items, isRequired: false }];
  if (isMap(schema)) return [{ path: `${path}.*`, schema: schema.additionalProperties, isRequired: false }];
  if (!isObject(schema)) return [];
  return Object.entries(schema.properties).map(([name, inner]) => ({
    path: path === "" ? name : `${path}.${name}`,
    schema: inner,
    isRequired: schema.required?.includes(name) ?? false,
  }));
}

/** A property of a request body that a field becomes. */
export interface Sent {
  readonly call: NorthflankCall;
  /** Dotted; empty for the body itself. */
  readonly property: string;
}

/** What becomes of one field at Northflank, with the properties that it becomes itself. */
export interface UseOfField {
  readonly use: FieldUse;
  readonly sent: readonly Sent[];
}

/**
 * What becomes of the field at `path` of the spec.
 *
 * *Errors*: throws when the table of `src/api/field-uses.ts` does not know the field.
 */
export function useOf({ type }: KindDefinition, path: string): UseOfField {
  const found = useIn(fieldUses[type.kind] ?? {}, path);
  if (found !== undefined) return found;
  throw new Error(`src/api/field-uses.ts does not say what becomes of spec.${path} of ${type.kind}`);
}

function useIn(uses: Readonly<Record<string, FieldUse>>, path: string): UseOfField | undefined {
  const [, name = path, rest = ""] = /^([^.[]+)(.*)$/.exec(path) ?? [];
  const use = uses[name];
  if (use === undefined) return undefined;
  const inner = rest.replace(/^\./, "");
  if (use.kind === "body") return { use, sent: sentOf(use.properties, inner) };
  if (use.kind === "parts") return inner === "" ? { use, sent: sentOf(use.properties, "") } : useIn(use.parts, inner);
  const isKnown = inner === "" || ("inner" in use && use.inner.includes(inner));
  if (!isKnown) return undefined;
  return { use, sent: use.kind === "source" ? sentOf(use.properties, "") : [] };
}

function sentOf(properties: Readonly<Partial<Record<NorthflankCall, string>>>, inner: string): readonly Sent[] {
  return Object.entries(properties).map(([call, property]) => ({
    call: call as NorthflankCall,
    property: property === "" || inner === "" || inner.startsWith("[") ? `${property}${inner}` : `${property}.${inner}`,
  }));
}
