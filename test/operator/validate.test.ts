import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { operatorProgram } from "../support/build-operator.ts";

// `northflank-operator validate` as a pipeline has it: the built file, started by a shell.

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "validate-program-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const run = "apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankJobRun\nmetadata: {name: migrate}\n";

test("judges the examples, and standard input beside them", async () => {
  const command = `cat bad.yaml | "${process.execPath}" "${operatorProgram}" validate "${join(root, "examples")}" - --output json`;
  writeFileSync(join(folder, "bad.yaml"), `${run}spec: {projectId: shop, jobId: migrate, sespend: true}\n`);
  const { code, out } = await shell(command);
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject([{ file: "-", line: 4, column: 41, rule: "unknown-field" }]);
});

test("reads a folder with more files than a process may hold open", async () => {
  for (let index = 0; index < 300; index += 1) {
    writeFileSync(join(folder, `${index}.yaml`), `${run}spec: {projectId: shop, jobId: migrate}\n`);
  }
  const { code, out } = await shell(`ulimit -n 100 && "${process.execPath}" "${operatorProgram}" validate .`);
  expect([code, out]).toEqual([0, "300 manifests checked, all good\n"]);
});

function shell(command: string): Promise<{ readonly code: number; readonly out: string }> {
  return new Promise((done) => {
    execFile("sh", ["-c", command], { cwd: folder }, (error, stdout) => {
      done({ code: error === null ? 0 : Number(error.code), out: stdout });
    });
  });
}
