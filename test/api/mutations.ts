import fc from "fast-check";
import { documents } from "./documents.ts";

/** One thing that goes wrong with a manifest. `at` picks the place: the nth field or item of the whole document. */
interface Mutation {
  readonly kind: "remove" | "replace" | "add";
  readonly at: number;
  readonly name: string;
  readonly value: unknown;
}

/** Large ones cost time and nothing else, and what is in an owner the sandbox drops where a real server refuses it. */
const good = Object.values(documents)
  .filter(({ old, problems }) => old === undefined && problems.length === 0)
  .map(({ object }) => JSON.stringify(object))
  .filter((text) => text.length < 10_000 && !text.includes("ownerReferences"));

/** Values that are right somewhere and wrong elsewhere. */
const values: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1, 59, 60, 1.5, 2 ** 31, 1e30],
  ...["", "a", "abc", "A-b", "a--b", "1ab", "é", "\u0000", "x".repeat(60), "x".repeat(600), "😀".repeat(30)],
  ...["nginx:1", "latest", "default", "customCommand", "Forbid", "https://nf.dev", "2026-01-01T00:00:00Z"],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what Northflank would expand.
  ...["${SECRET}", [], {}, [null], [""], ["a", "a"], { name: "x" }, { a: "b" }],
];

const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom("remove", "replace", "replace", "add"),
  at: fc.nat(200),
  name: fc.constantFrom("foo", "name", "Suspend", "", "a.b", "spec", "key", "optional", "external", "__proto__"),
  value: fc.constantFrom(...values),
});

/** Good documents with one or two things wrong, most of them bad, some still good. Kind and version stay. */
export const nearlyGood: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc
  .tuple(fc.constantFrom(...good), fc.array(mutation, { minLength: 1, maxLength: 2 }))
  .map(([text, mutations]) => {
    const document = JSON.parse(text);
    for (const each of mutations) mutate(document, each);
    return document;
  });

function mutate(document: object, { kind, at, name, value }: Mutation): void {
  const places = placesIn(document).filter(({ key }) => key !== "kind" && key !== "apiVersion");
  const place = places[at % places.length];
  if (place === undefined) return;
  const { container, key } = place;
  const copy: unknown = JSON.parse(JSON.stringify(value));
  if (kind === "remove" && !Array.isArray(container)) Reflect.deleteProperty(container, key);
  else if (kind === "add" && Array.isArray(container)) container.push(copy);
  else Object.defineProperty(container, kind === "add" ? name : key, { value: copy, enumerable: true, writable: true, configurable: true }); // biome-ignore format: one thing
}

interface Place {
  readonly container: object;
  readonly key: string;
}

function placesIn(value: unknown): readonly Place[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.keys(value).flatMap((key) => [{ container: value, key }, ...placesIn(Reflect.get(value, key))]);
}
