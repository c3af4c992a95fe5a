import { fitTo } from "../api/fit.ts";
import type { KindDefinition } from "../api/kinds.ts";
import type { Misfit } from "../api/misfits.ts";
import type { CachedObject } from "../api/project-object.ts";
import type { KubeObject } from "../kube/types.ts";
import { type ObjectKey, objectKey } from "../runtime/outcome.ts";
import { isRecord } from "../util/records.ts";

/*
 * All objects are in memory, and one may hold a megabyte of files. A namespace full of such objects must not end the
 * process for the others: the size of the specs of one namespace and kind is limited, and an object beyond the limit is
 * cached without its large values.
 *
 *   spec of an object:  |-- free: the first 4 KiB --|-- excess: counts for its namespace ----------------|
 *   of a namespace:     the sum of all excess, at most 16 MiB; the object that would exceed it is InvalidSpec
 *
 * Promises:
 *  1. Other namespaces, and objects of ordinary size, notice nothing.
 *  2. The status says what is left out; the object is measured again with its next change.
 *  3. A run that was started is followed and aborted all the same: ids, deadlines and switches are kept.
 */

const freeLength = 4_096;
const defaultLimit = 16 * 1024 * 1024;

// Ids, deadlines and switches are shorter.
const longestKept = 256;
const maxDepth = 64;

/** The sizes of the specs of one kind, by namespace. Its promises stand at the top of this file. */
export class SpecSizeLimit {
  readonly #kind: KindDefinition;
  readonly #limit: number;
  readonly #sizes = new Map<ObjectKey, number>();
  readonly #sums = new Map<string, number>();

  /** `limit`: characters for each namespace. */
  constructor(kind: KindDefinition, limit = defaultLimit) {
    this.#kind = kind;
    this.#limit = limit;
  }

  /** The object as it may be cached: itself, or without what is too much for its namespace. */
  admit<T extends KubeObject>(object: T & CachedObject): T {
    const key = objectKey(object.metadata);
    this.forget(key);
    const size = lengthOf(object.spec) - freeLength;
    if (size <= 0) return object;
    const namespace = object.metadata.namespace ?? "";
    const sum = (this.#sums.get(namespace) ?? 0) + size;
    if (sum > this.#limit) return this.#without(object);
    this.#sizes.set(key, size);
    this.#sums.set(namespace, sum);
    return object;
  }

  /** The object is gone: others of its namespace may have its place. */
  forget(key: ObjectKey): void {
    const size = this.#sizes.get(key);
    if (size === undefined) return;
    this.#sizes.delete(key);
    const namespace = key.slice(0, Math.max(0, key.indexOf("/")));
    const sum = (this.#sums.get(namespace) ?? 0) - size;
    if (sum > 0) this.#sums.set(namespace, sum);
    else this.#sums.delete(namespace);
  }

  #without<T extends KubeObject>(object: T & CachedObject): T {
    const { spec, misfits } = object;
    const kept = Object.entries(isRecord(spec) ? spec : {}).filter(
      ([name, value]) => name === "connectionRef" || isShort(value),
    );
    const fitted = fitTo(this.#kind.spec, structuredClone(Object.fromEntries(kept)), ["spec"]).value;
    const reason: Misfit = {
      path: ["spec"],
      field: "spec",
      rule: "size",
      message:
        `is too large: the specs of the ${this.#kind.type.kind}s of this namespace take more than ` +
        `${this.#limit / (1024 * 1024)}Mi`,
      remedy: "Delete objects that are not needed, or move contents into Secrets, then request a reconcile",
    };
    return { ...object, spec: fitted, misfits: { spec: [reason], status: misfits?.status ?? [] } };
  }
}

function isShort(value: unknown): boolean {
  return typeof value === "string" ? value.length <= longestKept : typeof value !== "object";
}

/** The characters of all names and texts inside. */
function lengthOf(value: unknown, depth = 0): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null || depth > maxDepth) return 0;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + 8 + lengthOf(item, depth + 1), 0);
  let sum = 0;
  // Parsed JSON: it has no names but its own.
  for (const name in value) sum += name.length + 8 + lengthOf(Reflect.get(value, name), depth + 1);
  return sum;
}
