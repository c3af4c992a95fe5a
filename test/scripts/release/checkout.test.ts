import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { changedFiles, copyCheckout, git, ownFiles } from "../../../scripts/release/checkout.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "checkout-"));
  git(root, "init", "--quiet");
  write("kept.txt");
  write(".gitignore", "node_modules/\n");
  git(root, "add", "--all");
  write("untracked.txt");
  write("node_modules/a/index.js");
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text = ""): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

test("a copy has the files of a checkout, tracked or not, and the packages that are installed", () => {
  expect(ownFiles(root)).toEqual([".gitignore", "kept.txt", "untracked.txt"]);
  using copy = copyCheckout(root);
  expect(changedFiles(root, copy.folder)).toEqual([]);
  expect(existsSync(join(copy.folder, "node_modules/a/index.js"))).toBe(true);
});

test("a repository inside a checkout, and a link to a folder, are not copied", () => {
  write("nested/file.txt");
  git(join(root, "nested"), "init", "--quiet");
  symlinkSync("nested", join(root, "link"));
  expect(git(root, "status", "--porcelain")).toContain("?? nested/");
  using copy = copyCheckout(root);
  expect(existsSync(join(copy.folder, "nested"))).toBe(false);
  expect(existsSync(join(copy.folder, "link"))).toBe(false);
  expect(changedFiles(root, copy.folder)).toEqual([]);
});
