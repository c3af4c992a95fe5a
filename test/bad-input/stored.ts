import { findKind } from "../../src/api/kinds.ts";
import type { Schema } from "../../src/api/schema.ts";

/** A random number generator that makes the same numbers for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** What an older or looser CRD, a script or a restore could have stored anywhere. `undefined`: nothing at all. */
const oddities: readonly unknown[] = [
  undefined,
  null,
  "",
  "x",
  "__proto__",
  "2026-99-99T00:00:00Z",
  "9999-12-31T23:59:59Z",
  "0000-00-00",
  "\u0000\u202e",
  0,
  -1,
  7,
  0.5,
  1e300,
  2 ** 53,
  true,
  [],
  [null],
  [[]],
  ["x", 7, { type: "Ready" }],
  {},
  { a: null },
  { name: 7 },
  JSON.parse('{"__proto__": {"toString": 1}, "constructor": null}'),
];

/** A value of the schema with every field there is, so that something can be put in the place of each. */
export function everyField(schema: Schema): unknown {
  if (schema.type === "array") return [everyField(schema.items)];
  if (schema.type === "integer") return Math.max(schema.minimum, 1);
  if (schema.type === "boolean") return false;
  if (schema.type === "string") {
    if ("enum" in schema) return schema.enum[0];
    return schema.format === "date-time" ? "2025-12-31T23:30:00Z" : "abc";
  }
  if (schema.additionalProperties !== undefined) return { abc: everyField(schema.additionalProperties) };
  return Object.fromEntries(Object.entries(schema.properties).map(([key, inner]) => [key, everyField(inner)]));
}

/** The status of a kind with every field. */
export function fullStatus(kind: string): unknown {
  const definition = findKind(kind);
  if (definition === undefined) throw new Error(kind);
  return everyField(definition.status);
}

/** The spec of a kind with every field, which together may break rules. */
export function fullSpec(kind: string): object {
  const definition = findKind(kind);
  if (definition === undefined) throw new Error(kind);
  return everyField(definition.spec) as object;
}

/** Puts one oddity somewhere under `root` of the object, in place. */
export function disturb(object: Record<string, unknown>, root: "spec" | "status", random: () => number): void {
  let parent: object = object;
  let key: string = root;
  for (;;) {
    const inner: unknown = Reflect.get(parent, key);
    const keys = typeof inner === "object" && inner !== null ? Object.keys(inner) : [];
    // One in four stays where it is: shallow places break more.
    if (keys.length === 0 || random() < 0.25) break;
    parent = inner as object;
    key = keys[Math.floor(random() * keys.length)] as string;
  }
  const oddity = oddities[Math.floor(random() * oddities.length)];
  if (oddity === undefined && !Array.isArray(parent)) Reflect.deleteProperty(parent, key);
  else Reflect.set(parent, key, structuredClone(oddity ?? null));
}
