// pure
import { setOwn } from "./records.ts";

/** The same fields without those that are `undefined`, as they go over the wire. */
export type Present<T> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
} & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Leaves out the fields that are `undefined`. */
export function present<T extends object>(fields: T): Present<T> {
  return overlaid(fields) as Present<T>;
}

/**
 * The fields of all layers in one object: a field of a later layer replaces that of an earlier one, and `undefined` removes
 * it. In one go, because a status is put together in every reconcile.
 */
export function overlaid(...layers: readonly object[]): Readonly<Record<string, unknown>> {
  const fields: Record<string, unknown> = {};
  for (const [index, layer] of layers.entries()) {
    for (const key of Object.keys(layer)) {
      const value: unknown = Reflect.get(layer, key);
      if (value === undefined || isReplaced(layers, index, key)) continue;
      setOwn(fields, key, value);
    }
  }
  return fields;
}

function isReplaced(layers: readonly object[], index: number, key: string): boolean {
  for (let later = index + 1; later < layers.length; later++) if (Object.hasOwn(layers[later] ?? {}, key)) return true;
  return false;
}
