import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { git } from "../../../scripts/release/checkout.ts";
import { commitAndTag } from "../../../scripts/release/commit.ts";

let folder: string;
let root: string;
let from: string;
let before: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "commit-"));
  [root, from] = [join(folder, "root"), join(folder, "copy")];
  for (const path of [root, from]) mkdirSync(path);
  git(root, "init", "--quiet", "--initial-branch=main");
  // What the machine's own configuration says does not count.
  const settings = { "user.name": "A", "user.email": "a@example.com", "core.hooksPath": join(root, ".git/hooks") };
  const unsigned = {
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "gpg.format": "openpgp",
    "gpg.program": "false",
  };
  for (const [name, value] of Object.entries({ ...settings, ...unsigned })) git(root, "config", name, value);
  write(root, "0.1.0");
  git(root, "add", "--all");
  git(root, "commit", "--quiet", "--message=before");
  before = git(root, "rev-parse", "HEAD");
  write(from, "0.2.0");
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, version: string): void {
  writeFileSync(join(path, "package.json"), version);
  writeFileSync(join(path, "CHANGELOG.md"), version);
}

function release(): void {
  const changed = ["CHANGELOG.md", "package.json"];
  commitAndTag(root, { from, changed, subject: "release: 0.2.0", tag: "v0.2.0", message: "it 0.2.0" });
}

function hook(name: string, ...lines: readonly string[]): void {
  const path = join(root, ".git/hooks", name);
  mkdirSync(join(root, ".git/hooks"), { recursive: true });
  writeFileSync(path, ["#!/bin/sh", ...lines, ""].join("\n"));
  chmodSync(path, 0o755);
}

function state() {
  return {
    head: git(root, "rev-parse", "HEAD"),
    branch: git(root, "rev-parse", "--abbrev-ref", "HEAD"),
    status: git(root, "status", "--porcelain"),
    tags: git(root, "tag", "--list"),
    version: readFileSync(join(root, "package.json"), "utf8"),
  };
}

const untouched = () => ({ head: before, branch: "main", status: "", tags: "", version: "0.1.0" });

function expectReleased(): void {
  expect(state()).toMatchObject({ branch: "main", status: "", tags: "v0.2.0", version: "0.2.0" });
  expect(git(root, "log", "--format=%s")).toBe("release: 0.2.0\nbefore");
  expect(git(root, "rev-parse", "v0.2.0^{commit}")).toBe(git(root, "rev-parse", "HEAD"));
}

describe("the commit and the tag of a release", () => {
  test("are made together", () => {
    release();
    expectReleased();
  });

  test("are neither there when the tag cannot be signed, and can be made then", () => {
    git(root, "config", "tag.gpgSign", "true");
    expect(release).toThrow(/git tag [\s\S]*\nThe checkout is as it was before\.$/);
    expect(state()).toEqual(untouched());
    git(root, "config", "tag.gpgSign", "false");
    release();
    expectReleased();
  });

  test("are neither there when a hook refuses the commit, and can be made then", () => {
    hook("pre-commit", "echo no commits today >&2", "exit 1");
    expect(release).toThrow(/no commits today\nThe checkout is as it was before\.$/);
    expect(state()).toEqual(untouched());
    rmSync(join(root, ".git/hooks/pre-commit"));
    release();
    expectReleased();
  });

  test("are neither there when a file is missing in the copy", () => {
    rmSync(join(from, "package.json"));
    expect(release).toThrow("as it was before");
    expect(state()).toEqual(untouched());
  });

  test("are neither there when a signal ends them", () => {
    // To git and to this process, as a terminal sends it.
    hook("post-commit", `kill -INT ${process.pid}`);
    git(root, "config", "tag.gpgSign", "true");
    expect(release).toThrow("as it was before");
    expect(state()).toEqual(untouched());
  });

  test("are taken back only as far as they are the release's", () => {
    hook(
      "post-commit",
      "rm .git/hooks/post-commit",
      "git commit --quiet --allow-empty --message=somebody",
      "git tag v0.2.0",
    );
    expect(release).toThrow(
      /already exists[\s\S]*could not be restored to [0-9a-f]{40}: Error: HEAD is [0-9a-f]{40}, which is not/,
    );
    expect(git(root, "log", "--format=%s")).toBe("somebody\nrelease: 0.2.0\nbefore");
    expect(git(root, "tag", "--list")).toBe("v0.2.0");
  });
});
