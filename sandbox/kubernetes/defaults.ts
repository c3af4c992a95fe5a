import { isObject, type Schema } from "./types.ts";

/**
 * Fills in the schema's defaults, in place: absent fields, and fields that are null although the schema does not allow
 * null. Such a null without a default is dropped, as the real server does on decoding; what apply leaves is not decoded
 * again, and keeps it with `keepsNulls`.
 */
export function applyDefaults(value: unknown, schema: Schema, { keepsNulls = false } = {}): void {
  if (Array.isArray(value)) {
    if (schema.items === undefined) return;
    for (const [index, item] of value.entries()) {
      if (item === null && schema.items.nullable !== true && schema.items.default !== undefined) {
        value[index] = structuredClone(schema.items.default);
      }
      applyDefaults(value[index], schema.items, { keepsNulls });
    }
    return;
  }
  if (!isObject(value)) return;
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    const isDropped = child.default !== undefined || !keepsNulls;
    if (value[name] === null && child.nullable !== true && isDropped) delete value[name];
    if (!Object.hasOwn(value, name)) {
      if (child.default === undefined) continue;
      value[name] = structuredClone(child.default);
    }
    applyDefaults(value[name], child, { keepsNulls });
  }
  const extra = schema.additionalProperties;
  if (typeof extra !== "object") return;
  for (const [name, item] of Object.entries(value)) {
    if (item === null && extra.nullable !== true) {
      if (extra.default === undefined) {
        if (keepsNulls) continue;
        delete value[name];
        continue;
      }
      value[name] = structuredClone(extra.default);
    }
    applyDefaults(value[name], extra, { keepsNulls });
  }
}
