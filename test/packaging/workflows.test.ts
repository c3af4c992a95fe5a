import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { goTool } from "../support/go-tools.ts";

const root = resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "workflows-"));
afterAll(() => rmSync(folder, { recursive: true }));

function lint(...files: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(goTool("actionlint"), ["-no-color", ...files], {
    cwd: root,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test("actionlint has nothing to say of the workflows", () => {
  const files = readdirSync(join(root, ".github/workflows")).map((file) => join(root, ".github/workflows", file));
  expect(files.length).toBeGreaterThan(1);
  expect(lint(...files)).toEqual({ status: 0, stdout: "", stderr: "" });
});

test("actionlint is one that finds mistakes", () => {
  const path = join(folder, "wrong.yaml");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: an expression of GitHub's, in a workflow.
  writeFileSync(path, "on: push\njobs: {a: {runs-on: ubuntu-24.04, steps: [{run: 'echo ${{ nothing.here }}'}]}}\n");
  const { status, stdout } = lint(path);
  expect(status).toBe(1);
  expect(stdout).toContain('undefined variable "nothing"');
});
