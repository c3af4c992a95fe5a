// pure

import { isSameJson } from "./same-json.ts";

/**
 * The JSON merge patch (RFC 7396) that turns `from` into `to`; `undefined` when they are the same. A field that `to` lacks
 * becomes `null`, which removes it; lists are replaced whole, as such patches know no other way. A field whose value is
 * `undefined` counts as missing. Neither side may contain `null`, which such a patch cannot set.
 */
export function mergePatchBetween(from: object, to: object): object | undefined {
  const patch: Record<string, unknown> = {};
  for (const [key, wanted] of Object.entries(to)) {
    if (wanted === undefined) continue;
    const known = fieldOf(from, key);
    if (!isPlain(known) || !isPlain(wanted)) {
      if (!isSameJson(known, wanted)) setField(patch, key, wanted);
      continue;
    }
    const inner = mergePatchBetween(known, wanted);
    if (inner !== undefined) setField(patch, key, inner);
  }
  for (const [key, known] of Object.entries(from)) {
    if (known !== undefined && fieldOf(to, key) === undefined) setField(patch, key, null);
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldOf(value: object, key: string): unknown {
  return Object.hasOwn(value, key) ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}

/** Names such as `__proto__` are fields like any other. */
function setField(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
