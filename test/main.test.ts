import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = mkdtempSync(join(tmpdir(), "main-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The exit code of the program when nobody reads one of its streams, which is closed before anything is written. */
async function exitCodeWithout(stream: "stdout" | "stderr", args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, ["--import", "tsx", join(root, "src/main.ts"), ...args], { cwd: root });
  child[stream].destroy();
  child[stream === "stdout" ? "stderr" : "stdout"].resume();
  const [code] = await once(child, "close");
  return code;
}

/** A manifest with a problem in each of so many documents: more text than a pipe holds. */
function badFile(documents: number): string {
  const path = join(folder, "bad.yaml");
  const one = "apiVersion: northflank-operator.io/v1alpha1\nkind: NorthflankJobRun\nmetadata: {name: a}\nspec: {}\n";
  writeFileSync(path, Array(documents).fill(one).join("---\n"));
  return path;
}

describe("the exit code stands when the reader has enough:", () => {
  test("of validate, 1 for a bad manifest", async () => {
    expect(await exitCodeWithout("stdout", ["validate", badFile(1_000)])).toBe(1);
  }, 30_000);

  test("of a command that prints and is done, 0", async () => {
    expect(await exitCodeWithout("stdout", ["crds"])).toBe(0);
  }, 30_000);

  test("of wrong usage whose message nobody reads, 2", async () => {
    expect(await exitCodeWithout("stderr", ["validate", "--frobnicate"])).toBe(2);
  }, 30_000);
});
