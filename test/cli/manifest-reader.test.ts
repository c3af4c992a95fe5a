import fc from "fast-check";
import { expect, test } from "vitest";
import { isDocument, parseAllDocuments, stringify, visit } from "yaml";
import { readManifests } from "../../src/cli/manifest-reader.ts";

function values(text: string): readonly unknown[] {
  return readManifests(text).map(({ value }) => value);
}

function problems(text: string): readonly string[] {
  return readManifests(text).flatMap(({ problems }) =>
    problems.map(({ position, path, rule }) => `${position.line}:${position.column} ${path.join("/")} ${rule}`),
  );
}

// The values were read off `kubectl create --dry-run=client -o json` (1.32).
test.each<[string, unknown]>([
  ["yes: 1", { true: 1 }],
  ["1: a", { 1: "a" }],
  ["010: a", { 8: "a" }],
  ["1.5: a", { 1.5: "a" }],
  ["1e3: a", { 1000: "a" }],
  ["0x1F: a", { 31: "a" }],
  ["'yes': a", { yes: "a" }],
  ["a: {p: 2, <<: {p: 1}}", { a: { p: 1 } }],
  ["a: {<<: {p: 1}, p: 2}", { a: { p: 2 } }],
  ["a: &x {p: 1}\nb: {<<: *x, q: 2}", { a: { p: 1 }, b: { p: 1, q: 2 } }],
  ["b: {<<: [{p: 1}, {p: 2, r: 3}], q: 2}", { b: { p: 1, q: 2, r: 3 } }],
  ["a: &x [1, 2]\nb: *x", { a: [1, 2], b: [1, 2] }],
  ["a: !!str 5", { a: "5" }],
  ["a: !!int '5'", { a: 5 }],
  ["a: !!bool yes", { a: true }],
  ["a: !!binary aGVsbG8=", { a: "hello" }],
  ["a: 'yes'", { a: "yes" }],
  ['a: "010"', { a: "010" }],
  ["a: |\n  yes\n", { a: "yes\n" }],
  ['{"a": 10, "b": "\\u00e9\\/"}', { a: 10, b: "é/" }],
])("reads %j as kubectl does", (text, value) => {
  expect(values(text)).toEqual([value]);
  expect(problems(text)).toEqual([]);
});

test.each<[string, string, readonly string[]]>([
  ["a key twice", "a: 1\nb: 2\na: 3", ["3:1 a duplicate-key"]],
  ["a key twice inside a list", "a:\n- b: 1\n  b: 2", ["3:3 a/0/b duplicate-key"]],
  ["a key twice in two spellings", "yes: 1\n'true': 2", ["2:1 true duplicate-key"]],
  ["a key twice in JSON", '{"a": 1, "a": 1}', ["1:10 a duplicate-key"]],
  ["a key that is null", "~: a", ["1:1  key"]],
  ["a key that is a list", "? [a]\n: b", ["1:3  key"]],
  ["a tag without meaning", "a: !foo bar", ["1:9 a tag"]],
  ["an alias of nothing", "a: *x", ["1:4 a alias"]],
  ["a bracket that is not closed", "a: [1", ["1:6  syntax"]],
  ["a tab for indentation", "a:\n\tb: 1", ["2:1  syntax"]],
])("finds %s", (_, text, expected) => {
  expect(problems(text)).toEqual(expected);
});

test("splits documents and leaves empty ones out", () => {
  expect(values("---\n# nothing\n---\na: 1\n---\n---\nb: 2\n...\n")).toEqual([{ a: 1 }, { b: 2 }]);
});

test("tells where a path is written, or the nearest thing around it", () => {
  const [document] = readManifests("x: 0\na:\n  b:\n  - c: 1\n  - d\n  on: 2\n");
  const at = (...path: (string | number)[]) => Object.values(document?.locate(path) ?? {}).join(":");
  expect([at(), at("a"), at("a", "b", 0, "c"), at("a", "b", 1), at("a", "true"), at("a", "missing", "x")]).toEqual([
    "1:1",
    "2:1",
    "4:5",
    "5:5",
    "6:3",
    "2:1",
  ]);
});

test("keys named like parts of a JavaScript object are keys", () => {
  const [value] = values("__proto__: {a: 1}\nconstructor: 2\n");
  expect(Object.entries(value as object)).toEqual([
    ["__proto__", { a: 1 }],
    ["constructor", 2],
  ]);
  expect(Object.hasOwn(Object.prototype, "a")).toBe(false);
});

test("aliases that multiply are cut off", () => {
  const level = (n: number) =>
    `a${n}: &a${n} [${Array(10)
      .fill(`*a${n - 1}`)
      .join(", ")}]`;
  const bomb = ["a0: &a0 x", ...Array.from({ length: 9 }, (_, n) => level(n + 1))].join("\n");
  expect(problems(bomb).map((problem) => problem.split(" ").at(-1))).toEqual(["alias"]);
});

test("a hundred thousand brackets are refused, not a crash", () => {
  expect(readManifests("[".repeat(100_000)).flatMap((document) => document.problems)).toHaveLength(1);
});

test.each<[string, string, number]>([
  ["blank lines", `${"\n".repeat(100_000)}a: 1`, 1],
  ["lines of comments", `${"# no\n".repeat(100_000)}a: 1`, 1],
  ["spaces", `${" ".repeat(1_000_000)}\na: 1`, 1],
  ["a long text in JSON", JSON.stringify({ a: "x".repeat(5_000_000) }), 1],
  ["a long text of escapes in JSON", JSON.stringify({ a: '"'.repeat(1_000_000) }), 1],
  ["JSON that breaks off in a long text", `{"a": "${"x".repeat(1_000_000)}`, 1],
  ["JSON objects, one after the other", '{"a": 1}\n'.repeat(5_000), 5_000],
  ["brackets that are never closed", "{".repeat(100_000), 1],
  ["braces that were never opened", `{}${"}".repeat(10_000)}`, 1],
  ["backslashes", `a: "😀${"\\\\".repeat(100_000)}"`, 1],
])("reads %s in time that grows with the text", (_, text, count) => {
  const started = performance.now();
  expect(readManifests(text)).toHaveLength(count);
  expect(performance.now() - started).toBeLessThan(5_000);
});

test("never throws, and reads back what was written in quotes", () => {
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => void readManifests(text)));
  fc.assert(fc.property(fc.json(), fc.string(), (json, text) => void readManifests(`{"a": ${json}}${text}`)));
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), (value) => {
      const text = stringify(value, { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "QUOTE_DOUBLE" });
      expect(JSON.stringify(values(text)[0])).toBe(JSON.stringify(value));
    }),
  );
});

/** What reading a text takes, and finding everything in it that a report may point at. */
function stepsFor(text: string, paths: readonly (readonly (string | number)[])[] = []): number {
  const work = { steps: 0 };
  const documents = readManifests(text, work);
  for (const path of paths) documents[0]?.locate(path);
  return work.steps;
}

test.each<[string, (size: number) => string]>([
  ["an open string of escaped quotes, as JSON", (size) => `{"a":"${'\\"'.repeat(size)}`],
  ["an open string that ends in a backslash, as JSON", (size) => `{"a":"${'\\"'.repeat(size)}\\`],
  ["strings that are never closed, as JSON", (size) => `{${'"a": \\"'.repeat(size)}`],
  ["objects one after the other, as JSON", (size) => '{"a": [1, {"b": "}"}]}\n'.repeat(size)],
  ["brackets, as JSON", (size) => `{"a":${"[".repeat(size)}`],
  ["aliases", (size) => `a: &x 1\nb: [${Array.from({ length: size }, () => "*x").join(", ")}]`],
  ["aliases of different anchors", (size) => list(size, (n) => `- &x${n} ${n}\n- *x${n}`)],
  ["aliases as keys", (size) => list(size, (n) => `- &k${n} key${n}\n- {*k${n} : 1}`)],
  ["anchors that are written again and again", (size) => list(size, () => "- &x 1\n- *x")],
  ["merges", (size) => `a: &x {p: 1}\nb: {${Array.from({ length: size }, () => "<<: *x").join(", ")}}`],
  ["keys", (size) => list(size, (n) => `k${n}: 1`)],
  ["the same key", (size) => list(size, () => "k: 1")],
  ["documents", (size) => "a: 1\n---\n".repeat(size)],
])("reading twice as many of these takes twice as many steps: %s", (_what, textOf) => {
  const [once, twice, four] = [500, 1_000, 2_000].map((size) => stepsFor(textOf(size)));
  expect(twice).toBeLessThanOrEqual(2.1 * (once ?? 0) + 20);
  expect(four).toBeLessThanOrEqual(2.1 * (twice ?? 0) + 20);
});

test("finding the places of all keys of a map takes one walk through it", () => {
  const steps = (size: number) => {
    const names = Array.from({ length: size }, (_, index) => `k${index}`);
    const text = names.map((name) => `${name}: {a: 1}`).join("\n");
    return stepsFor(
      text,
      names.map((name) => [name, "a"]),
    );
  };
  expect(steps(2_000)).toBeLessThanOrEqual(2.1 * steps(1_000));
});

test("finding the places of many aliases takes one walk through the document", () => {
  const steps = (size: number) => {
    const text = `x: &x {a: 1}\nitems: [${Array.from({ length: size }, () => "*x").join(", ")}]`;
    return stepsFor(
      text,
      Array.from({ length: size }, (_, index) => ["items", index, "a"]),
    );
  };
  expect(steps(2_000)).toBeLessThanOrEqual(2.1 * steps(1_000));
});

function list(size: number, line: (index: number) => string): string {
  return Array.from({ length: size }, (_, index) => line(index)).join("\n");
}

test("aliases mean what the YAML library takes them to mean", () => {
  const anchors = fc.constantFrom("x", "y", "z");
  const item = fc.oneof(
    anchors.map((anchor) => `&${anchor} {p: of-${anchor}, q: [1]}`),
    fc.tuple(anchors, fc.nat({ max: 99 })).map(([anchor, value]) => `&${anchor} "v${value}"`),
    anchors.map((anchor) => `*${anchor}`),
  );
  fc.assert(
    fc.property(fc.array(item, { minLength: 1, maxLength: 12 }), (items) => {
      const text = `[${items.join(", ")}]`;
      const [document] = parseAllDocuments(text, { schema: "failsafe", logLevel: "silent" });
      if (!isDocument(document)) throw new Error("no document");
      let isResolved = true;
      visit(document, {
        Alias: (_key, alias) => {
          if (alias.resolve(document) === undefined) isResolved = false;
        },
      });
      if (!isResolved) {
        expect(problems(text).every((problem) => problem.endsWith(" alias") || problem.endsWith(" syntax"))).toBe(true);
        return;
      }
      // Numbers are text in that schema.
      expect(JSON.stringify(values(text)[0]).replaceAll("[1]", '["1"]')).toBe(JSON.stringify(document.toJS()));
    }),
    { numRuns: 300 },
  );
});
