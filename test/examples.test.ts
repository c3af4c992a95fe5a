import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { kinds } from "../src/api/kinds.ts";
import { readManifests } from "./support/manifests.ts";

const folder = resolve(fileURLToPath(import.meta.url), "../../examples");
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".yaml"))
  .sort();

test.each(files)("examples/%s begins by saying what it is for", (file) => {
  expect(readFileSync(join(folder, file), "utf8")).toMatch(/^# [A-Z]/);
});

/** What is written about each kind, with the lines that are commented out as if they were not. */
function textOf(kind: string): string {
  return files
    .filter((file) => readManifests(join(folder, file)).some((object) => object.kind === kind))
    .map((file) => readFileSync(join(folder, file), "utf8").replaceAll(/^(\s*)# ?/gm, "$1"))
    .join("\n");
}

const shown = kinds.map((kind) => ({ kind, text: textOf(kind.type.kind) })).filter(({ text }) => text !== "");

describe.each(shown)("the examples of $kind.type.kind", ({ kind, text }) => {
  test.each(Object.keys(kind.spec.properties))("show spec.%s", (field) => {
    expect(text).toMatch(new RegExp(`^\\s+${field}:`, "m"));
  });
});
