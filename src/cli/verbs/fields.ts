// pure
import type { Condition, KubeObject } from "../../kube/types.ts";
import { isRecord } from "../../util/records.ts";

/** An object as a server sent it: what stands in spec and status is not believed. */
export interface ReadObject extends KubeObject {
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** What stands at a path; `undefined` where something on the way is missing or of another type. */
export function valueAt(object: unknown, ...path: readonly (string | number)[]): unknown {
  let value: unknown = object;
  for (const key of path) {
    if (typeof key === "number") value = Array.isArray(value) ? value[key] : undefined;
    else value = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }
  return value;
}

/** A text that is not empty. */
export function textAt(object: unknown, ...path: readonly (string | number)[]): string | undefined {
  const value = valueAt(object, ...path);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A number. */
export function numberAt(object: unknown, ...path: readonly (string | number)[]): number | undefined {
  const value = valueAt(object, ...path);
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** A time in milliseconds since the epoch. */
export function timeAt(object: unknown, ...path: readonly (string | number)[]): number | undefined {
  const timeMs = Date.parse(textAt(object, ...path) ?? "");
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/** A condition as far as it is readable. */
export type ReadCondition = Pick<Condition, "status"> & { readonly reason: string; readonly message: string };

/** The condition of a type, if the object has it. */
export function conditionAt(object: ReadObject, type: string): ReadCondition | undefined {
  const conditions = valueAt(object, "status", "conditions");
  if (!Array.isArray(conditions)) return undefined;
  const found: unknown = conditions.find((condition) => valueAt(condition, "type") === type);
  const status = textAt(found, "status");
  if (status !== "True" && status !== "False" && status !== "Unknown") return undefined;
  return { status, reason: textAt(found, "reason") ?? "", message: textAt(found, "message") ?? "" };
}

/** Whether the status was written for the present spec: any other says nothing of it. */
export function isObserved(object: ReadObject): boolean {
  const observed = numberAt(object, "status", "observedGeneration");
  return observed !== undefined && observed === object.metadata.generation;
}
