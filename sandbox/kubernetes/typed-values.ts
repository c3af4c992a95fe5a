import { jsonEqual } from "./equal.ts";
import { FieldSet, FieldSetBuilder } from "./field-set.ts";
import { isObject, type JsonObject, type Schema } from "./types.ts";

/**
 * Values seen through their schema, the way server-side apply sees them: which parts are one piece ("atomic"), which
 * items of a list have an identity, what two versions of an object differ in, and what remains when paths are taken out.
 */

/** What two versions of an object differ in. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** Every path that the object sets. */
export function fieldsOf(value: unknown, schema: Schema): FieldSet {
  const into = new FieldSetBuilder();
  collect(value, schema, [], into);
  return into.build();
}

export function compare(left: unknown, right: unknown, schema: Schema): Comparison {
  const into = { added: new FieldSetBuilder(), modified: new FieldSetBuilder(), removed: new FieldSetBuilder() };
  compareValues(left, right, schema, [], into);
  return { added: into.added.build(), modified: into.modified.build(), removed: into.removed.build() };
}

/** Lays `applied` over `live`: atomic parts are replaced, the rest is merged. Neither is changed. */
export function merge(live: unknown, applied: unknown, schema: Schema): unknown {
  const shape = shapeOf(schema, applied);
  if (live === undefined || live === null || applied === null || shapeOf(schema, live) !== shape) return applied;
  switch (shape) {
    case "leaf":
      return applied;
    case "map":
      return mergeMaps(live as JsonObject, applied as JsonObject, schema);
    case "list":
      return mergeLists(live as readonly unknown[], applied as readonly unknown[], schema);
  }
}

/** A copy of `value` without the paths of `removed` (and what is below them). What is emptied by that becomes null. */
export function removePaths(value: unknown, removed: FieldSet, schema: Schema): unknown {
  if (removed.isEmpty) return value;
  switch (shapeOf(schema, value)) {
    case "leaf":
      return value;
    case "map":
      return removeFromMap(value as JsonObject, removed, schema);
    case "list":
      return removeFromList(value as readonly unknown[], removed, schema);
  }
}

/** Adds to the set every declared field that has something below it, so that an emptied struct goes as a whole. */
export function withNamedParents(set: FieldSet, schema: Schema): FieldSet {
  const members = new Set(set.members);
  const children = new Map<string, FieldSet>();
  for (const [element, child] of set.children) {
    const name = element.slice(2);
    if (element.startsWith("f:") && schema.properties !== undefined && Object.hasOwn(schema.properties, name)) {
      members.add(element);
    }
    children.set(element, withNamedParents(child, childSchema(schema, element)));
  }
  return new FieldSet(members, children);
}

/**
 * Findings that make a configuration unfit for apply: undeclared fields, wrong types, list items without or with
 * equal keys. Worded as the real server words them.
 */
export function typingErrors(value: unknown, schema: Schema, path = ""): string[] {
  const wrong = wrongType(value, schema);
  if (wrong !== undefined) return [`${path}: ${wrong}`];
  if (Array.isArray(value)) return listTypingErrors(value, schema, path);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const child = fieldSchema(schema, key);
    if (child === undefined) return [`${path}.${key}: field not declared in schema`];
    return typingErrors(item, child, `${path}.${key}`);
  });
}

/** Item identity in a list set or map, in wire form; `undefined` when a list map item lacks all its keys. */
export function elementOf(item: unknown, schema: Schema): string | undefined {
  if (schema["x-kubernetes-list-type"] === "set") return `v:${JSON.stringify(item)}`;
  const object = isObject(item) ? item : {};
  const key: JsonObject = {};
  for (const name of [...(schema["x-kubernetes-list-map-keys"] ?? [])].sort()) {
    const value = object[name] ?? schema.items?.properties?.[name]?.default;
    if (value !== undefined) key[name] = value;
  }
  return Object.keys(key).length === 0 ? undefined : `k:${JSON.stringify(key)}`;
}

type Shape = "leaf" | "map" | "list";

const untyped: Schema = { "x-kubernetes-preserve-unknown-fields": true };

function shapeOf(schema: Schema, value: unknown): Shape {
  if (Array.isArray(value)) {
    const kind = schema["x-kubernetes-list-type"];
    return kind === "set" || kind === "map" ? "list" : "leaf";
  }
  if (isObject(value)) return schema["x-kubernetes-map-type"] === "atomic" ? "leaf" : "map";
  return "leaf";
}

function isDeclared(schema: Schema, key: string): boolean {
  return schema.properties !== undefined && Object.hasOwn(schema.properties, key);
}

function fieldSchema(schema: Schema, key: string): Schema | undefined {
  if (isDeclared(schema, key)) return schema.properties?.[key];
  if (typeof schema.additionalProperties === "object") return schema.additionalProperties;
  const open = schema.additionalProperties === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
  return open ? untyped : undefined;
}

function childSchema(schema: Schema, element: string): Schema {
  const child = element.startsWith("f:") ? fieldSchema(schema, element.slice(2)) : schema.items;
  return child ?? untyped;
}

function collect(value: unknown, schema: Schema, path: readonly string[], into: FieldSetBuilder): void {
  switch (shapeOf(schema, value)) {
    case "leaf":
      into.insert(path);
      return;
    case "map":
      for (const [key, item] of Object.entries(value as JsonObject)) {
        const below = [...path, `f:${key}`];
        collect(item, childSchema(schema, `f:${key}`), below, into);
        const empty = isObject(item) && Object.keys(item).length === 0;
        if (item === null || empty || !isDeclared(schema, key)) into.insert(below);
      }
      return;
    case "list":
      for (const item of value as readonly unknown[]) {
        const element = elementOf(item, schema);
        if (element === undefined) continue;
        const below = [...path, element];
        collect(item, schema.items ?? untyped, below, into);
        into.insert(below);
      }
  }
}

interface ComparisonBuilder {
  readonly added: FieldSetBuilder;
  readonly modified: FieldSetBuilder;
  readonly removed: FieldSetBuilder;
}

function compareValues(
  left: unknown,
  right: unknown,
  schema: Schema,
  path: readonly string[],
  into: ComparisonBuilder,
): void {
  if (left === right) return;
  // Null takes the shape of what it is compared with.
  const shape = shapeOf(schema, left === undefined || left === null ? right : left);
  if (left !== undefined && right !== undefined && right !== null && shapeOf(schema, right) !== shape) {
    compareValues(left, undefined, schema, path, into);
    compareValues(undefined, right, schema, path, into);
    return;
  }
  if (shape === "leaf" || (isBare(left) && isBare(right))) {
    if (left === undefined) into.added.insert(path);
    else if (right === undefined) into.removed.insert(path);
    else if (!jsonEqual(left, right)) into.modified.insert(path);
    return;
  }
  for (const [element, [before, after]] of pairs(left, right, schema)) {
    compareValues(before, after, childSchema(schema, element), [...path, element], into);
  }
  if (left === undefined) into.added.insert(path);
  else if (right === undefined) into.removed.insert(path);
}

function isBare(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}

function pairs(left: unknown, right: unknown, schema: Schema): Map<string, [unknown, unknown]> {
  const found = new Map<string, [unknown, unknown]>();
  for (const [element, value] of elements(left, schema)) found.set(element, [value, undefined]);
  for (const [element, value] of elements(right, schema)) {
    const pair = found.get(element);
    if (pair === undefined) found.set(element, [undefined, value]);
    else pair[1] = value;
  }
  return found;
}

function elements(value: unknown, schema: Schema): [string, unknown][] {
  if (isObject(value)) return Object.entries(value).map(([key, item]) => [`f:${key}`, item]);
  const items = Array.isArray(value) ? value : [];
  return items.map((item): [string, unknown] => [elementOf(item, schema) ?? "", item]).filter(([key]) => key !== "");
}

function mergeMaps(live: JsonObject, applied: JsonObject, schema: Schema): JsonObject {
  const merged: JsonObject = { ...live };
  for (const [key, item] of Object.entries(applied)) {
    merged[key] = merge(live[key], item, childSchema(schema, `f:${key}`));
  }
  return merged;
}

/** The order of structured-merge-diff: items that only `live` has stay where they are, as far as that can be said. */
function mergeLists(live: readonly unknown[], applied: readonly unknown[], schema: Schema): unknown[] {
  const [before, after] = [elements(live, schema), elements(applied, schema)];
  const [liveItems, appliedItems] = [new Map(before), new Map(after)];
  const shared = after.map(([element]) => element).filter((element) => liveItems.has(element));
  const merged: unknown[] = [];
  const taken = new Set<string>();
  const takeApplied = (element: string) => {
    taken.add(element);
    merged.push(merge(liveItems.get(element), appliedItems.get(element), schema.items ?? untyped));
    if (shared[0] === element) shared.shift();
  };
  for (let left = 0, right = 0; left < before.length || right < after.length; ) {
    const [own, ownItem] = before[left] ?? [undefined, undefined];
    const next = after[right]?.[0];
    if (own !== undefined && own === next) {
      takeApplied(own);
      left++;
      right++;
    } else if (
      own !== undefined &&
      next !== undefined &&
      appliedItems.has(own) &&
      shared.length > 0 &&
      shared[0] !== own
    ) {
      // Shared, but not the one whose turn it is.
      left++;
    } else if (own !== undefined && !appliedItems.has(own)) {
      merged.push(ownItem);
      left++;
    } else {
      if (own !== undefined && taken.has(own)) left++;
      if (next !== undefined) {
        takeApplied(next);
        right++;
      }
    }
  }
  return merged;
}

function removeFromMap(value: JsonObject, removed: FieldSet, schema: Schema): JsonObject | null {
  const rest: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    const element = `f:${key}`;
    if (removed.members.has(element)) continue;
    const below = removed.children.get(element);
    rest[key] = below === undefined ? item : removePaths(item, below, childSchema(schema, element));
  }
  return Object.keys(rest).length === 0 ? null : rest;
}

function removeFromList(value: readonly unknown[], removed: FieldSet, schema: Schema): unknown[] | null {
  const rest: unknown[] = [];
  for (const item of value) {
    const element = elementOf(item, schema) ?? "";
    if (removed.members.has(element)) continue;
    const below = removed.children.get(element);
    rest.push(below === undefined ? item : removePaths(item, below, schema.items ?? untyped));
  }
  return rest.length === 0 ? null : rest;
}

function wrongType(value: unknown, schema: Schema): string | undefined {
  if (value === null || schema["x-kubernetes-int-or-string"] === true) return undefined;
  const actual = Array.isArray(value) ? "list" : isObject(value) ? "map" : typeof value;
  switch (schema.type) {
    case "object":
      return actual === "map" ? undefined : `expected map, got &{${String(value)}}`;
    case "array":
      return actual === "list" ? undefined : `expected list, got &{${String(value)}}`;
    case "string":
      return actual === "string" ? undefined : `expected string, got &value.valueUnstructured{Value:${String(value)}}`;
    case "integer":
    case "number":
      return actual === "number" ? undefined : `expected numeric (int or float), got ${actual}`;
    case "boolean":
      return actual === "boolean" ? undefined : `expected boolean, got ${actual}`;
    default:
      return undefined;
  }
}

function listTypingErrors(value: readonly unknown[], schema: Schema, path: string): string[] {
  const errors: string[] = [];
  const seen = new Set<string>();
  const identified = shapeOf(schema, value) === "list";
  for (const [index, item] of value.entries()) {
    const element = identified ? elementOf(item, schema) : `${index}`;
    if (element === undefined) {
      const keys = (schema["x-kubernetes-list-map-keys"] ?? []).map((key) => JSON.stringify(key)).join(" ");
      errors.push(
        `${path}: element ${index}: associative list with keys has an element that omits all key fields [${keys}] ` +
          "(and doesn't have default values for any key fields)",
      );
      continue;
    }
    if (seen.has(element)) errors.push(`${path}: duplicate entries for key ${printKey(element)}`);
    seen.add(element);
    errors.push(
      ...typingErrors(item, schema.items ?? untyped, `${path}${identified ? printKey(element) : `[${index}]`}`),
    );
  }
  return errors;
}

function printKey(element: string): string {
  if (element.startsWith("v:")) return `[=${element.slice(2)}]`;
  const keys = Object.entries(JSON.parse(element.slice(2)) as JsonObject);
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(",")}]`;
}
