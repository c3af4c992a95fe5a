// pure

import { isRecord } from "../util/records.ts";
import { isList } from "./crd.ts";
import type { ListSchema, Rule, Schema } from "./schema.ts";
import { type Path, schemaOf } from "./stored.ts";

export interface BrokenRule {
  readonly path: Path;
  readonly rule: Rule;
  /** What breaks it. */
  readonly value: unknown;
}

/** One value with its schema, and the value it had before. */
export interface Place {
  readonly schema: Schema;
  readonly value: unknown;
  /** Undefined where the API server sees no earlier value either. */
  readonly oldValue: unknown;
}

/**
 * The rules of a schema that a value breaks, judged by their TypeScript mirrors. `value` must be as stored and of the
 * right types.
 */
export function brokenRules(schema: Schema, value: unknown, oldValue?: unknown): readonly BrokenRule[] {
  const broken: BrokenRule[] = [];
  visitPlaces({ schema, value, oldValue }, (place, path) => {
    for (const rule of place.schema["x-kubernetes-validations"] ?? []) {
      if (!applies(rule, place) || rule.check(place.value as never, place.oldValue as never)) continue;
      broken.push({ path: [...path, ...fieldOf(rule)], rule, value: place.value });
    }
  });
  return broken;
}

/** Items that are there already: in lists of type set as a whole, in lists of type map by their keys. */
export function duplicateItems(schema: Schema, value: unknown): readonly Path[] {
  const duplicates: Path[] = [];
  visitPlaces({ schema, value, oldValue: undefined }, (place, path) => {
    if (!isList(place.schema) || !Array.isArray(place.value)) return;
    if (place.schema["x-kubernetes-list-type"] === "atomic") return;
    const seen = new Set<string>();
    for (const [index, identity] of place.value.map(identityOf(place.schema)).entries()) {
      if (seen.has(identity)) duplicates.push([...path, index]);
      seen.add(identity);
    }
  });
  return duplicates;
}

/**
 * Calls `visit` with the value and everything in it that the schema describes, outside in. Earlier values are found where
 * the API server finds them: in objects and maps by key, in lists of type map by their keys, in other lists nowhere.
 *
 * The path is grown and shrunk on the way: whoever keeps it copies it.
 */
export function visitPlaces(place: Place, visit: (place: Place, path: Path) => void): void {
  visitInside(place, [], visit);
}

/** Whether the API server runs the rule: one that reads the earlier value needs one. */
export function applies({ rule }: Rule, { oldValue }: Place): boolean {
  return (oldValue !== undefined && oldValue !== null) || !/\boldSelf\b/.test(rule);
}

function fieldOf({ fieldPath }: Rule): Path {
  return fieldPath === undefined ? [] : fieldPath.slice(1).split(".");
}

function visitInside(place: Place, path: (string | number)[], visit: (place: Place, path: Path) => void): void {
  const { schema, value, oldValue } = place;
  if (value === undefined || value === null) return;
  visit(place, path);
  const enter = (key: string | number, inner: Place): void => {
    path.push(key);
    visitInside(inner, path, visit);
    path.pop();
  };
  if (isList(schema)) {
    if (!Array.isArray(value)) return;
    const oldItemOf = oldItemsOf(schema, oldValue);
    for (const [index, item] of value.entries())
      enter(index, { schema: schema.items, value: item, oldValue: oldItemOf(item) });
    return;
  }
  if (!isRecord(value)) return;
  const old = isRecord(oldValue) ? oldValue : undefined;
  for (const key of Object.keys(value)) {
    const inner = schemaOf(schema, key);
    if (inner === undefined) continue;
    enter(key, { schema: inner, value: value[key], oldValue: old === undefined ? undefined : own(old, key) });
  }
}

/** Finds the earlier value of an item: by its keys in a list of type map, never in others. */
function oldItemsOf(schema: ListSchema, oldValue: unknown): (item: unknown) => unknown {
  if (schema["x-kubernetes-list-type"] !== "map" || !Array.isArray(oldValue)) return () => undefined;
  const identity = identityOf(schema);
  const oldItems = new Map(oldValue.map((item) => [identity(item), item]));
  return (item) => oldItems.get(identity(item));
}

/** What makes an item of a list the same item: its keys in a list of type map, all of it in others. */
function identityOf(schema: ListSchema): (item: unknown) => string {
  const keys = schema["x-kubernetes-list-map-keys"];
  if (keys === undefined) return (item) => JSON.stringify(item);
  return (item) => JSON.stringify(isRecord(item) ? keys.map((key) => own(item, key)) : item);
}

function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
