import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { group } from "../../src/api/names.ts";
import { runValidate } from "../../src/cli/validate.ts";
import { markdownFiles, readPage } from "../support/markdown-pages.ts";

// The manifests that README and docs show are those that the operator accepts.

const blocks = markdownFiles(/^(?:README\.md|docs\/)/)
  .flatMap((file) => readPage(file).blocks)
  .filter(({ language }) => language === "yaml");
/** Excerpts of an object begin deeper; a manifest has its version. */
const manifests = blocks.filter(({ text }) => new RegExp(`^apiVersion: ${group}/`, "m").test(text));

test("manifests are found", () => {
  expect(manifests.length).toBeGreaterThan(15);
});

test.each(blocks)("the YAML at $where can be parsed", ({ text }) => {
  expect(parseAllDocuments(text).flatMap((document) => document.errors)).toEqual([]);
});

describe.each(manifests)("the manifest at $where", ({ text }) => {
  test("is valid", async () => {
    // As postBuild of Flux does it.
    const rendered = text.replaceAll(/(?<!\$)\$\{PROJECT\}/g, "shop").replaceAll(/\$\$(?=\{)/g, "$$");
    const printed: string[] = [];
    const say = (part: string) => void printed.push(part);
    const io = { out: say, err: say, readStdin: async () => rendered, isTerminal: false };
    expect(await runValidate(["-"], io), printed.join("")).toBe(0);
  });
});
