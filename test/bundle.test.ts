import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build, transformSync } from "esbuild";
import { expect, test } from "vitest";
import { sourceTexts } from "./support/source-texts.ts";

/*
 * What the published program is made of: everything in src, and nothing that only the documentation needs. Texts of the
 * reference are in scripts/generated/texts.
 */

const root = resolve(import.meta.dirname, "..");

const { metafile, outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: ["src/main.ts"],
  outfile: "bundle.js",
  write: false,
  bundle: true,
  metafile: true,
  packages: "external",
  platform: "node",
  format: "esm",
  charset: "utf8",
});
const bundle = outputFiles[0]?.text ?? "";

const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => `src/${file.replaceAll("\\", "/")}`);

/** Types leave nothing behind when they are taken out. */
function hasTypesOnly(file: string): boolean {
  const { code } = transformSync(readFileSync(join(root, file), "utf8"), { loader: "ts", minifySyntax: true });
  return code.trim() === "";
}

test("every file of src is in the bundle, or holds types only", () => {
  expect(files.length).toBeGreaterThan(200);
  const stray = files.filter((file) => !Object.hasOwn(metafile.inputs, file) && !hasTypesOnly(file));
  expect(stray).toEqual([]);
});

test("no text of the reference is in the bundle", () => {
  // Shorter ones, such as "The object is being deleted.", may be messages of the program as well.
  const texts = sourceTexts(root, "scripts/generated/texts").texts.filter(({ text }) => text.split(" ").length > 5);
  expect(texts.length).toBeGreaterThan(100);
  const shipped = texts.filter(({ text }) => text.split("X").every((part) => bundle.includes(part)));
  expect(shipped.map(({ file, line, text }) => `${file}:${line}: ${text}`)).toEqual([]);
});
