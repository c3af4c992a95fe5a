import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { reasonTexts } from "../../scripts/generated/texts/reasons.ts";
import { reasons } from "../../src/api/reasons.ts";

const src = resolve(fileURLToPath(import.meta.url), "../../../src");
const code = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith("reasons.ts"))
  .map((file) => readFileSync(join(src, file), "utf8"))
  .join("\n");

test.each(Object.entries(reasonTexts))("%s is a word that conditions take, with one sentence", (reason, sentence) => {
  expect(reason).toMatch(/^[A-Z][A-Za-z]{3,}$/);
  expect(sentence).toMatch(/^[A-Z].*[^.][.]$/);
});

test.each(reasons)("%s is a reason that something has", (reason) => {
  expect(code).toContain(`"${reason}"`);
});
