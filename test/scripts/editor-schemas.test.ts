import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { describe, expect, test } from "vitest";
import { editorSchemaFiles, editorSchemaName, editorSchemaOfAll } from "../../scripts/generated/editor-schemas.ts";
import { kinds } from "../../src/api/kinds.ts";
import { isRecord } from "../../src/util/records.ts";
import { connection, deployment, documents, jobRun } from "../api/documents.ts";
import { readManifests } from "../support/manifests.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const examples = join(root, "examples");

/** As any validator would: nothing registered, nothing unknown tolerated. */
const ajv = new Ajv({ strict: true, strictTypes: false, allErrors: true });
addFormats.default(ajv);

const compiled = new Map<string, ValidateFunction>(
  editorSchemaFiles().map(({ name, text }) => [name, ajv.compile(JSON.parse(text))]),
);

function isValid(name: string, value: unknown): boolean {
  const validate = compiled.get(name);
  if (validate === undefined) throw new Error(`no schema ${name}`);
  return validate(value) as boolean;
}

/** By the schema of its own kind, and by the one for all. */
function readyStates(value: unknown): readonly boolean[] {
  const kind = kinds.find(({ type }) => isRecord(value) && type.kind === value.kind);
  if (kind === undefined) return [isValid(editorSchemaOfAll, value)];
  return [isValid(editorSchemaName(kind), value), isValid(editorSchemaOfAll, value)];
}

test.each(editorSchemaFiles())("schemas/$name is what src/api says now (else: npm run generate)", ({ name, text }) => {
  expect(readFileSync(join(root, "schemas", name), "utf8")).toBe(text);
});

test.each(
  readdirSync(examples)
    .filter((name) => name.endsWith(".yaml"))
    .sort(),
)("examples/%s is valid", (file) => {
  for (const object of readManifests(join(examples, file))) {
    expect([object.kind, ...readyStates(object)]).not.toContain(false);
  }
});

/** Rules in CEL and the order of things are beyond JSON Schema: only these problems are seen in an editor. */
const visible = ["type", "required", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "maxItems"];
/** Rules that stand for a pattern, which editors have. */
const inPatterns = ["unreplaced", "quotes", "blanks", "characters", "scheme", "registry", "repository", "upper-case"];
const inVersions = ["tag", "tag-slash", "two-tags", "digest", "digest-sign"];
const inWords = ["maxProperties", "unknown-field", "kind", "api-version", "duplicate"];
const seen = new Set([...visible, ...inPatterns, ...inVersions, ...inWords]);

describe("the table of documents", () => {
  const judged = Object.entries(documents)
    .map(([name, { object, problems }]) => ({ name, object: withoutNulls(plain(object)), problems }))
    // A status is not looked at, and a kind that does not exist has no schema of its own.
    .filter(({ problems }) => !problems.some((problem) => problem.startsWith("status.")));

  test.each(judged)("$name", ({ object, problems }) => {
    const isSeen = problems.some((problem) => seen.has(problem.split(" ").at(-1) ?? ""));
    expect(readyStates(object)).toEqual(readyStates(object).map(() => !isSeen));
  });
});

test.each([
  ["a misspelt field", jobRun({ sespend: true })],
  ["a misspelt field deep inside", deployment({ deployment: { docker: { configTyp: "default" } } })],
  ["a misspelt field of metadata", connection({}, { metadata: { name: "a", label: {} } })],
])("%s is refused", (_, object) => {
  expect(readyStates(plain(object))).toEqual([false, false]);
});

test("a kind that our group does not have is refused, other groups pass", () => {
  expect(readyStates({ apiVersion: "northflank-operator.io/v1alpha1", kind: "NorthflankAddon" })).toEqual([false]);
  expect(readyStates({ apiVersion: "v1", kind: "Secret", anything: true })).toEqual([true]);
});

test("what hovers over a field says its meaning and the rules that no schema can hold", () => {
  const schema = JSON.parse(
    editorSchemaFiles().find(({ name }) => name.startsWith("northflankdeployment"))?.text ?? "",
  );
  expect(schema.properties.spec.description).toContain("Rule: set exactly one of serviceId and jobId.");
  expect(schema.properties.spec.description).not.toContain("immutable");
});

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** The editor's schema underlines a field without a value; the API server drops it. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isRecord(value)) return value;
  const kept = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutNulls(item)]));
}
