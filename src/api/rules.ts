// pure
import { isList } from "./crd.ts";
import type { ListSchema, Rule, Schema } from "./schema.ts";
import { isRecord, type Path, schemaOf } from "./stored.ts";

export interface BrokenRule {
  readonly path: Path;
  readonly rule: Rule;
}

/** One value with its schema, its place, and the value it had before. */
export interface Node {
  readonly path: Path;
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
  return nodes({ schema, value, oldValue, path: [] }).flatMap((node) =>
    (node.schema["x-kubernetes-validations"] ?? [])
      .filter((rule) => applies(rule, node) && !rule.check(node.value as never, node.oldValue as never))
      .map((rule) => ({ path: [...node.path, ...fieldOf(rule)], rule })),
  );
}

/** Items that are there already: in lists of type set as a whole, in lists of type map by their keys. */
export function duplicateItems(schema: Schema, value: unknown): readonly Path[] {
  return nodes({ schema, value, oldValue: undefined, path: [] }).flatMap((node) => {
    if (!isList(node.schema) || !Array.isArray(node.value) || node.schema["x-kubernetes-list-type"] === "atomic")
      return [];
    const seen = new Set<string>();
    return node.value.map(identityOf(node.schema)).flatMap((identity, index) => {
      const isDuplicate = seen.has(identity);
      seen.add(identity);
      return isDuplicate ? [[...node.path, index]] : [];
    });
  });
}

/**
 * The value and everything in it that the schema describes, outside in. Earlier values are found where the API server
 * finds them: in objects and maps by key, in lists of type map by their keys, in other lists nowhere.
 */
export function nodes(node: Node): readonly Node[] {
  const found: Node[] = [];
  collect(node, found);
  return found;
}

/** Whether the API server runs the rule: one that reads the earlier value needs one. */
export function applies({ rule }: Rule, { oldValue }: Node): boolean {
  return (oldValue !== undefined && oldValue !== null) || !/\boldSelf\b/.test(rule);
}

function fieldOf({ fieldPath }: Rule): Path {
  return fieldPath === undefined ? [] : fieldPath.slice(1).split(".");
}

function collect(node: Node, found: Node[]): void {
  const { schema, value, oldValue, path } = node;
  if (value === undefined || value === null) return;
  found.push(node);
  if (isList(schema)) {
    if (Array.isArray(value)) for (const item of items(schema, value, oldValue, path)) collect(item, found);
    return;
  }
  if (!isRecord(value)) return;
  const old = isRecord(oldValue) ? oldValue : {};
  for (const key of Object.keys(value)) {
    const inner = schemaOf(schema, key);
    if (inner === undefined) continue;
    collect({ path: [...path, key], schema: inner, value: value[key], oldValue: own(old, key) }, found);
  }
}

function items(schema: ListSchema, value: readonly unknown[], oldValue: unknown, path: Path): readonly Node[] {
  const isCorrelated = schema["x-kubernetes-list-type"] === "map" && Array.isArray(oldValue);
  const identity = identityOf(schema);
  const oldItems = new Map(isCorrelated ? oldValue.map((item) => [identity(item), item]) : []);
  return value.map((item, index) => ({
    path: [...path, index],
    schema: schema.items,
    value: item,
    oldValue: oldItems.get(identity(item)),
  }));
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
