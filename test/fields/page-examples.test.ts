import { expect, test } from "vitest";
import { forbiddenReferences } from "../../src/api/reference-uses.ts";
import { createValidator } from "../../src/api/validate.ts";
import { runValidate } from "../../src/cli/validate.ts";
import { pageExamples } from "./page-examples.ts";
import { judgeOf } from "./values.ts";

// Whoever has read a page of Northflank's documentation can paste its example into a manifest.

const validator = createValidator();

test.each(pageExamples)(
  "$name is good as it stands, for the documented schemas and in a manifest",
  ({ call, body }) => {
    for (const schema of Object.values(call.schemas)) expect(judgeOf(schema)(body)).toBe(true);
    expect(validator.validateManifest(pasted({ call, body }))).toEqual([]);
  },
);

test("files of two examples hold a reference, which is refused unless it is allowed", () => {
  const refused = pageExamples.filter(({ call, body }) => validator.validateManifest(call.manifest(body)).length > 0);
  expect(refused.map(({ name }) => name)).toEqual(["run-job, example 1", "patch-manual-job, example 1"]);
  const rules = refused.flatMap(({ call, body }) => validator.validateManifest(call.manifest(body)));
  expect(new Set(rules.map(({ rule }) => rule))).toEqual(new Set(["references"]));
});

/** The manifest of an example; where its files hold a reference of Northflank, references are allowed. */
function pasted({ call, body }: Pick<(typeof pageExamples)[number], "call" | "body">) {
  const manifest = call.manifest(body);
  const holdsSome = forbiddenReferences(manifest.kind, manifest.spec).length > 0;
  return holdsSome ? { ...manifest, spec: { ...manifest.spec, allowReferences: true } } : manifest;
}

test.each(pageExamples)("$name is good when its JSON is pasted into YAML", async ({ call, body }) => {
  const { apiVersion, kind, metadata, spec } = pasted({ call, body });
  const fields = Object.entries(spec).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}\n`);
  const yaml = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${metadata.name}}\nspec:\n${fields.join("")}`;
  let told = "";
  const tell = (text: string) => {
    told += text;
  };
  const code = await runValidate(["-"], { out: tell, err: tell, isTerminal: false, readStdin: async () => yaml });
  expect([code, told]).toEqual([0, "1 manifest checked, all good\n"]);
});
