import { jsonEqual } from "./equal.ts";
import { ApiError, badRequest } from "./status-errors.ts";
import { isObject, type JsonObject, type Schema } from "./types.ts";

/** RFC 7386. Returns a new value. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

/**
 * RFC 6902. Returns a new value.
 *
 * *Errors*: 400 when the patch is no list of operations, 422 when an operation cannot be carried out.
 */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    throw badRequest(
      `error decoding patch: json: cannot unmarshal ${isObject(patch) ? "object" : typeof patch} into Go value of ` +
        "type []handlers.jsonPatchOp",
    );
  }
  if (patch.length > maxOperations) {
    throw new ApiError({
      code: 413,
      reason: "RequestEntityTooLarge",
      message: `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`,
    });
  }
  const document = { root: structuredClone(target) };
  for (const operation of patch) runOperation(document, operation);
  return document.root;
}

const maxOperations = 10_000;

/**
 * Kubernetes' own patch for built-in types: maps are merged, lists with a merge key are merged item by item, other
 * lists are replaced. Understands `$patch: delete|replace` and `$deleteFromPrimitiveList`, ignores `$setElementOrder`.
 */
export function strategicMergePatch(target: unknown, patch: unknown, schema: Schema): unknown {
  if (!isObject(patch)) return patch;
  if (patch.$patch === "replace") return withoutDirectives(patch);
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith("$")) {
      applyDirective(result, key, value);
      continue;
    }
    const child = fieldSchema(schema, key);
    if (value === null) delete result[key];
    else if (Array.isArray(value)) result[key] = mergeList(result[key], value, child);
    else if (isObject(value) && value.$patch === "delete") delete result[key];
    else result[key] = strategicMergePatch(result[key], value, child);
  }
  return result;
}

function fieldSchema(schema: Schema, key: string): Schema {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, key)) return schema.properties[key] ?? {};
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : {};
}

function withoutDirectives(patch: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(patch).filter(([key]) => !key.startsWith("$")));
}

function applyDirective(result: JsonObject, key: string, value: unknown): void {
  const [directive, field] = key.split("/");
  if (directive !== "$deleteFromPrimitiveList" || field === undefined) return;
  const current = result[field];
  const drop = Array.isArray(value) ? value : [];
  if (Array.isArray(current)) result[field] = current.filter((item) => !drop.some((gone) => jsonEqual(gone, item)));
}

function mergeList(current: unknown, patch: readonly unknown[], schema: Schema): unknown[] {
  const live = Array.isArray(current) ? current : [];
  if (schema["x-kubernetes-patch-strategy"] !== "merge") return patch.filter((item) => !isDirective(item));
  const key = schema["x-kubernetes-patch-merge-key"];
  if (key === undefined) return [...live, ...patch.filter((item) => !live.some((old) => jsonEqual(old, item)))];
  if (patch.some((item) => isObject(item) && item.$patch === "replace"))
    return patch.filter((item) => !isDirective(item));
  const result = [...live];
  for (const item of patch) {
    const at = result.findIndex((old) => isObject(old) && isObject(item) && jsonEqual(old[key], item[key]));
    if (isObject(item) && item.$patch === "delete") {
      if (at >= 0) result.splice(at, 1);
    } else if (at >= 0) {
      result[at] = strategicMergePatch(result[at], item, schema.items ?? {});
    } else {
      result.push(item);
    }
  }
  return result;
}

function isDirective(item: unknown): boolean {
  return isObject(item) && Object.hasOwn(item, "$patch");
}

function rejected(): ApiError {
  const message = "the server rejected our request due to an error in our request";
  return new ApiError({ code: 422, reason: "Invalid", message, details: {} });
}

function runOperation(document: { root: unknown }, operation: unknown): void {
  if (!isObject(operation) || typeof operation.path !== "string") throw rejected();
  const path = parsePointer(operation.path);
  switch (operation.op) {
    case "test":
      if (!jsonEqual(readOrNull(document, path), operation.value)) throw rejected();
      return;
    case "add":
      addAt(document, path, operation.value);
      return;
    case "replace":
      // The real server replaces a field that is missing from an object that is there, too.
      readOrNull(document, path);
      replaceAt(document, path, operation.value);
      return;
    case "remove":
      removeAt(document, path);
      return;
    case "copy":
      addAt(document, path, structuredClone(readAt(document, sourceOf(operation))));
      return;
    case "move": {
      const source = sourceOf(operation);
      const value = readAt(document, source);
      removeAt(document, source);
      addAt(document, path, value);
      return;
    }
    default:
      throw rejected();
  }
}

function sourceOf(operation: JsonObject): readonly string[] {
  if (typeof operation.from !== "string") throw rejected();
  return parsePointer(operation.from);
}

function parsePointer(pointer: string): readonly string[] {
  if (pointer === "") return [];
  if (!pointer.startsWith("/")) throw rejected();
  return pointer
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function readAt(document: { root: unknown }, path: readonly string[]): unknown {
  let value = document.root;
  for (const part of path) value = readChild(value, part);
  return value;
}

/**
 * What a `test` compares with and a `replace` replaces: to the real server a field that is missing from an object that is
 * there is null.
 */
function readOrNull(document: { root: unknown }, path: readonly string[]): unknown {
  const field = path.at(-1);
  if (field === undefined) return document.root;
  const parent = readAt(document, path.slice(0, -1));
  return isObject(parent) && !Object.hasOwn(parent, field) ? null : readChild(parent, field);
}

function readChild(value: unknown, part: string): unknown {
  if (Array.isArray(value)) {
    const index = indexOf(part, value.length - 1);
    return value[index];
  }
  if (isObject(value) && Object.hasOwn(value, part)) return value[part];
  throw rejected();
}

function indexOf(part: string, max: number): number {
  const index = Number(part);
  if (!/^(0|[1-9]\d*)$/.test(part) || index > max) throw rejected();
  return index;
}

function parentOf(document: { root: unknown }, path: readonly string[]): readonly [unknown, string] {
  return [readAt(document, path.slice(0, -1)), path[path.length - 1] ?? ""];
}

function addAt(document: { root: unknown }, path: readonly string[], value: unknown): void {
  if (path.length === 0) {
    document.root = value;
    return;
  }
  const [parent, last] = parentOf(document, path);
  if (Array.isArray(parent)) parent.splice(last === "-" ? parent.length : indexOf(last, parent.length), 0, value);
  else if (isObject(parent)) parent[last] = value;
  else throw rejected();
}

function replaceAt(document: { root: unknown }, path: readonly string[], value: unknown): void {
  if (path.length === 0) {
    document.root = value;
    return;
  }
  const [parent, last] = parentOf(document, path);
  if (Array.isArray(parent)) parent[indexOf(last, parent.length - 1)] = value;
  else if (isObject(parent)) parent[last] = value;
}

function removeAt(document: { root: unknown }, path: readonly string[]): void {
  readAt(document, path);
  const [parent, last] = parentOf(document, path);
  if (Array.isArray(parent)) parent.splice(indexOf(last, parent.length - 1), 1);
  else if (isObject(parent)) delete parent[last];
}
