import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findGoControl } from "../../bench/go-control.ts";

let directory: string;
let said: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "go-control-test-"));
  said = [];
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Finds it where the only `go` there is does what `commands` say. */
function find(commands?: Readonly<Record<"build" | "list", string>>): Promise<string | undefined> {
  const bin = join(directory, "bin");
  mkdirSync(bin);
  if (commands !== undefined) {
    const script = `case "$1" in env) echo go1.26.0;; build) ${commands.build};; list) ${commands.list};; esac`;
    writeFileSync(join(bin, "go"), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, "go"), 0o755);
  }
  const env = { PATH: `${bin}:/usr/bin:/bin`, XDG_CACHE_HOME: join(directory, "cache"), HOME: directory };
  return findGoControl({ env, say: (line) => said.push(line) });
}

test("it is built into the project's cache", async () => {
  const leave = 'for last in "$@"; do case "$prev" in -o) out="$last";; esac; prev="$last"; done; cp "$0" "$out"';
  const path = await find({ build: `${leave}controller-runtime`, list: "exit 1" });
  expect(path).toMatch(/\/northflank-operator\/bench\/v0\.\d+\.\d+-[0-9a-f]{12}\/controller-runtime$/);
});

test("without Go it is left out with one sentence", async () => {
  expect(await find()).toBe(undefined);
  expect(said).toEqual([expect.stringMatching(/^controller-runtime is not measured: .* there is no Go to build/)]);
});

test("where its modules cannot be downloaded it is left out, too", async () => {
  const offline = "echo 'dial tcp: no route to host' >&2; exit 1";
  expect(await find({ build: offline, list: offline })).toBe(undefined);
  expect(said.at(-1)).toMatch(/^controller-runtime is not measured: .* could not be built\. Install Go/);
});

test("code that does not compile is an error", async () => {
  const finding = find({ build: "echo 'syntax error' >&2; exit 1", list: "true" });
  await expect(finding).rejects.toMatchObject({ cause: { message: expect.stringContaining("syntax error") } });
});
