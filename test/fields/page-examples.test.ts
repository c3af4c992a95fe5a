import { expect, test } from "vitest";
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
    expect(validator.validateManifest(call.manifest(body))).toEqual([]);
  },
);

test.each(pageExamples)("$name is good when its JSON is pasted into YAML", async ({ call, body }) => {
  const { apiVersion, kind, metadata, spec } = call.manifest(body);
  const fields = Object.entries(spec).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}\n`);
  const yaml = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${metadata.name}}\nspec:\n${fields.join("")}`;
  let told = "";
  const tell = (text: string) => {
    told += text;
  };
  const code = await runValidate(["-"], { out: tell, err: tell, isTerminal: false, readStdin: async () => yaml });
  expect([code, told]).toEqual([0, "1 manifest checked, all good\n"]);
});
