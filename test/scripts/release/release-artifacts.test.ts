import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

// What npm run release:artifacts refuses before it builds anything.

const root = resolve(import.meta.dirname, "../../..");

function artifacts(into: string, env: NodeJS.ProcessEnv = {}) {
  const command = ["--import", "tsx", "scripts/release-artifacts.ts", "--into", into];
  const options = { cwd: root, env: { ...process.env, ...env }, encoding: "utf8" } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, command, options);
  return { status, stdout, stderr };
}

test("release:artifacts deletes nothing of others, and reads no wrong time", () => {
  const folder = mkdtempSync(join(tmpdir(), "release-artifacts-"));
  try {
    writeFileSync(join(folder, "thesis.txt"), "");
    expect(artifacts(folder)).toEqual({
      status: 1,
      stdout: "",
      stderr: `not built: ${folder} is not empty and holds no release; choose another folder\n`,
    });
    expect(readdirSync(folder)).toEqual(["thesis.txt"]);
    expect(artifacts(join(folder, "new"), { SOURCE_DATE_EPOCH: "abc" })).toEqual({
      status: 1,
      stdout: "",
      stderr: 'not built: SOURCE_DATE_EPOCH is "abc"; a number of seconds since 1970 is expected\n',
    });
    expect(readdirSync(folder)).toEqual(["thesis.txt"]);
    expect(artifacts(root)).toMatchObject({ status: 1, stderr: expect.stringContaining("contains the checkout") });
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);
