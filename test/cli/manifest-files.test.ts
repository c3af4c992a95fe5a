import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findManifestFiles } from "../../src/cli/manifest-files.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "manifests-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function hasFile(path: string): void {
  writeFileSync(join(root, path), "{}");
}

function hasLink(path: string, target: string): void {
  symlinkSync(join(root, target), join(root, path));
}

/** Names below the root, and how many folders were listed and files read. */
async function found(folder = "."): Promise<{ readonly names: readonly string[]; readonly reads: number }> {
  let reads = 0;
  const io = {
    readStdin: async () => "",
    onRead: () => {
      reads += 1;
    },
  };
  const result = await findManifestFiles([join(root, folder)], io);
  if (result.kind === "problems") throw new Error(result.problems.join());
  return { names: result.files.map(({ name }) => relative(root, name)), reads };
}

/** So many folders with a file each, and a link from each to every other one. */
async function readsAmong(folders: number): Promise<number> {
  const names = Array.from({ length: folders }, (_, index) => `of-${folders}-${index}`);
  for (const name of names) {
    mkdirSync(join(root, name));
    hasFile(join(name, "a.yaml"));
  }
  for (const name of names) {
    for (const other of names) if (other !== name) hasLink(join(name, `to-${other}`), other);
  }
  const { reads } = await found();
  for (const name of names) rmSync(join(root, name), { recursive: true });
  return reads;
}

test("links among folders cost nothing but the folders and files themselves", async () => {
  // The root, and a folder and a file each.
  expect([await readsAmong(4), await readsAmong(8), await readsAmong(16)]).toEqual([9, 17, 33]);
});

test("what is reached by a link and without one is shown as it lies there, whatever comes first", async () => {
  mkdirSync(join(root, "team"));
  hasFile("team/job.yaml");
  hasLink("another", "team");
  hasLink("again.yaml", "team/job.yaml");
  expect((await found()).names).toEqual(["team/job.yaml"]);
});

test("what is reached by links only is shown once, under the first of them", async () => {
  mkdirSync(join(root, "set"));
  mkdirSync(join(root, "elsewhere"));
  hasFile("elsewhere/job.yaml");
  hasFile("elsewhere/run.json");
  hasLink("set/b", "elsewhere");
  hasLink("set/a", "elsewhere");
  hasLink("set/job.yaml", "elsewhere/job.yaml");
  expect((await found("set")).names).toEqual(["set/a/job.yaml", "set/a/run.json"]);
});

test("the order is that of the names, folder by folder", async () => {
  mkdirSync(join(root, "a"));
  mkdirSync(join(root, "b"));
  for (const name of ["a.yaml", "a/2.yaml", "a/1.yaml", "a-b.yaml", "b/x.json", "notes.txt"]) hasFile(name);
  expect((await found()).names).toEqual(["a/1.yaml", "a/2.yaml", "a-b.yaml", "a.yaml", "b/x.json"]);
});
