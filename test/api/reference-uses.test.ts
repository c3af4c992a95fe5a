// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what Northflank would expand is the matter here.
import { describe, expect, test } from "vitest";
import { fieldsOf, useOf } from "../../scripts/generated/fields.ts";
import { isMap } from "../../src/api/crd.ts";
import { type KindDefinition, kinds } from "../../src/api/kinds.ts";
import { formatProblem } from "../../src/api/problem.ts";
import { forbiddenReferences, holdsReference, referenceUses } from "../../src/api/reference-uses.ts";
import { brokenRules } from "../../src/api/rules.ts";
import { createValidator } from "../../src/api/validate.ts";
import { jobRun } from "./documents.ts";

const validator = createValidator();

/** A text that holds what Northflank would expand, in the forms that patterns ask for. */
const probes = ["${A}", "/${A}", "a${A}", "a/${A}", "/a/${A}/b", "${A}:1", "https://${A}"];

/** The texts of a spec that reach Northflank and could hold `${`, by the schemas alone. */
function openTexts(kind: KindDefinition): readonly string[] {
  return fieldsOf(kind.spec).flatMap(({ path, schema }) => {
    const { use } = useOf(kind, path);
    if (use.kind === "operator" || use.kind === "path" || use.kind === "request") return [];
    // What names an object of the cluster stays here; what it holds goes out.
    if (use.kind === "source") {
      if (!path.includes("[")) return [path];
      return path.endsWith("[].path") ? [path] : [];
    }
    if (isMap(schema)) {
      const pattern = new RegExp(schema.propertyNames.pattern, "u");
      return probes.some((probe) => pattern.test(probe)) ? [`${path}.#`] : [];
    }
    if (schema.type !== "string" || "enum" in schema) return [];
    if (schema.isBase64) return [path];
    const takes = (probe: string) =>
      (schema.pattern === undefined || new RegExp(schema.pattern, "u").test(probe)) &&
      brokenRules(schema, probe).length === 0;
    return probes.some(takes) ? [path] : [];
  });
}

describe.each(kinds)("$type.kind", (kind) => {
  test("says of every text that reaches Northflank what becomes of ${ in it", () => {
    expect(Object.keys(referenceUses[kind.type.kind] ?? {}).toSorted()).toEqual(openTexts(kind).toSorted());
  });

  const entries = Object.entries(referenceUses[kind.type.kind] ?? {});

  test.each(entries.filter(([, use]) => use.kind === "text"))("refuses ${ in %s by a rule", (path) => {
    const map = path.replace(/\.\*$/, "");
    const rules = (kind.spec["x-kubernetes-validations"] ?? []).filter(({ name }) => name === "references");
    expect(rules.map(({ fieldPath }) => fieldPath)).toContain(`.${map}`);
  });

  test.each(entries.filter(([, use]) => use.kind === "content"))("refuses ${ in what %s stands for", (path) => {
    const at = (data: string) =>
      nested(
        path.split(".").map((part) => (part === "*" ? "/a" : part)),
        data,
      );
    const field = `spec.${path.replace(".*", "[/a]")}`;
    const wrong = { ...at(base64("level=${LEVEL}")) };
    const said = (spec: object) =>
      validator.validateSpec(kind.type.kind, spec).filter(({ rule }) => rule === "references");
    expect(said(wrong).map(formatProblem)).toEqual([
      `${field}: contains \${, which Northflank would expand: set spec.allowReferences: true if that is intended`,
    ]);
    expect(said({ ...wrong, allowReferences: true })).toEqual([]);
    expect(said(at(base64("level=$LEVEL {}")))).toEqual([]);
  });
});

function nested([part, ...rest]: readonly string[], value: string): object {
  return { [part ?? ""]: rest.length === 0 ? value : nested(rest, value) };
}

function base64(content: string | Uint8Array): string {
  return Buffer.from(content).toString("base64");
}

describe("holdsReference", () => {
  const binary = Buffer.from([0x50, 0x4b, 0x03, 0xff, 0x24, 0x7b, 0x00, 0x7d]);
  test.each<[string, string | Uint8Array, boolean]>([
    ["nothing", "", false],
    ["a text without", "log: $LOG_DIR {}", false],
    ["a reference of Northflank", "${refs.database.password}", true],
    ["one that is resolved at runtime", "${{secrets.db.values.URL}}", true],
    ["a placeholder of the program's own", "<file>${LOG_DIR}/app.log</file>", true],
    ["the beginning alone, in a text", "price: ${", true],
    ["a text with a mark before it", `\uFEFF\${A}`, true],
    ["a text in UTF-16", Buffer.from("\uFEFF${A}", "utf16le"), true],
    ["a text in UTF-16, the other order", Buffer.from("\uFEFF${A}", "utf16le").swap16(), true],
    ["an archive in which the two signs turn up", binary, false],
    [
      "a byte that makes a text binary, before a reference",
      Buffer.concat([Buffer.from([0xff]), Buffer.from("${a.b-c}")]),
      true,
    ],
    ["a text in Latin-1", Buffer.from("gr\u00fc\u00dfe ${NAME}", "latin1"), true],
  ])("%s", (_, content, expected) => {
    expect(holdsReference(base64(content))).toBe(expected);
  });

  test("is told of any JSON without throwing", () => {
    for (const spec of [
      undefined,
      null,
      1,
      "x",
      [],
      { runtimeFiles: 1 },
      { runtimeFiles: { "/a": null } },
      { runtimeFiles: { "/a": { data: 1 } } },
    ]) {
      expect(forbiddenReferences("NorthflankJobRun", spec)).toEqual([]);
      expect(forbiddenReferences("constructor", spec)).toEqual([]);
    }
  });
});

test("the manifest of a run is refused with the path of the file", () => {
  const data = base64("<file>${LOG_DIR}/app.log</file> ${refs.database.password}");
  const object = jobRun({ allowReferences: false, runtimeFiles: { "/etc/logback.xml": { data, encoding: "utf-8" } } });
  expect(validator.validateManifest(JSON.parse(JSON.stringify(object)))).toMatchObject([
    { field: "spec.runtimeFiles[/etc/logback.xml].data", rule: "references" },
  ]);
});
