import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../../src/kube/types.ts";
import { isRecord } from "../../src/util/records.ts";
import { customizations } from "./argocd.ts";
import { runLua } from "./argocd-lua.ts";

/** What the user interface of Argo CD offers for an object. */
export interface OfferedAction {
  readonly name: string;
  readonly disabled: boolean;
  readonly iconClass: string;
}

/** The actions that `discovery.lua` of the kind offers for the object. */
export function actionsOf(object: KubeObject): readonly OfferedAction[] {
  const found = runLua(scriptOf(object.kind, "discovery.lua"), object);
  if (!isRecord(found)) throw new Error(`not a table of actions: ${JSON.stringify(found)}`);
  return Object.entries(found).map(([name, action]) => ({ name, ...(action as Omit<OfferedAction, "name">) }));
}

/** Names of the actions of a kind, as the folders say. */
export function actionNames(kind: string): readonly string[] {
  const entries = readdirSync(join(customizations, kind, "actions"), { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory() && entry.name !== "testdata").map(({ name }) => name);
}

/**
 * The merge patch that Argo CD sends to the API server for an action: what differs between the object and what the script
 * returns. Lua does not tell an empty map from an empty list; Argo CD takes such a list back where the object had a map.
 */
export function patchOf(object: KubeObject, action: string): object {
  const returned = runLua(scriptOf(object.kind, action, "action.lua"), object);
  return difference(object, cleaned(returned, object)) as object;
}

function scriptOf(kind: string, ...path: readonly string[]): string {
  return readFileSync(join(customizations, kind, "actions", ...path), "utf8");
}

/** As `cleanReturnedObj` of Argo CD's util/lua. */
function cleaned(returned: unknown, before: unknown): unknown {
  if (Array.isArray(returned)) {
    if (isRecord(before)) return returned.length === 0 ? {} : returned;
    return returned.map((item, index) => (Array.isArray(before) ? cleaned(item, before[index]) : item));
  }
  if (!isRecord(returned) || !isRecord(before)) return returned;
  return Object.fromEntries(Object.entries(returned).map(([key, value]) => [key, cleaned(value, before[key])]));
}

/** An RFC 7396 patch that makes `after` of `before`; `{}` where they are equal. */
function difference(before: unknown, after: unknown): unknown {
  if (!isRecord(before) || !isRecord(after)) return after;
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  const patch: Record<string, unknown> = {};
  for (const key of keys) {
    if (!(key in after)) {
      if (before[key] !== undefined) patch[key] = null;
    } else if (!isDeepStrictEqual(before[key], after[key])) {
      patch[key] = difference(before[key], after[key]);
    }
  }
  return patch;
}
