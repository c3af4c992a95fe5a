import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

// What the image holds, run the way the image runs it: nothing but dist/ and package.json, a folder that cannot be written,
// a user id that nobody knows, no home directory and an empty environment.

const root = resolve(import.meta.dirname, "../..");
let app: string;

beforeAll(() => {
  app = mkdtempSync(join(tmpdir(), "northflank-operator-image-"));
  build(join(app, "dist"));
  cpSync(join(root, "package.json"), join(app, "package.json"));
  // Node itself may be where another user has no way to, in root's home.
  copyFileSync(process.execPath, join(app, "node"));
  for (const file of readdirSync(app, { recursive: true, encoding: "utf8" })) {
    const path = join(app, file);
    chmodSync(path, statSync(path).isDirectory() || file === "node" ? 0o555 : 0o444);
  }
  chmodSync(app, 0o555);
});
afterAll(() => {
  chmodSync(app, 0o755);
  chmodSync(join(app, "dist"), 0o755);
  rmSync(app, { recursive: true, force: true });
});

function build(folder: string): void {
  execFileSync(process.execPath, ["--import", "tsx", join(root, "scripts/build.ts"), folder], { cwd: root });
}

function runAsImage(...args: readonly string[]) {
  // Another user needs the right to become one; without it the rest is still worth asking.
  const user = process.getuid?.() === 0 ? { uid: 54_321, gid: 54_321 } : {};
  return spawnSync(join(app, "node"), [join(app, "dist/northflank-operator.js"), ...args], {
    cwd: app,
    env: {},
    encoding: "utf8",
    timeout: 30_000,
    ...user,
  });
}

describe("the image's content", () => {
  test("says its version", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const { status, stdout, stderr } = runAsImage("version");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain(version);
  });

  test("prints the CRDs that are committed", () => {
    const files = readdirSync(join(root, "crds")).filter((name) => name.endsWith(".yaml"));
    const { status, stdout } = runAsImage("crds");
    expect(status).toBe(0);
    for (const name of files) expect(stdout).toContain(readFileSync(join(root, "crds", name), "utf8"));
  });

  test("refuses to run without a way to Kubernetes, with exit 2 and what would help", () => {
    const { status, stdout, stderr } = runAsImage("run", "--leader-elect=false");
    expect(`${stdout}${stderr}`).toContain("--kubeconfig");
    expect(status).toBe(2);
  });

  test("is the same, byte by byte, when it is built again", () => {
    const again = mkdtempSync(join(tmpdir(), "northflank-operator-image-again-"));
    try {
      build(again);
      for (const name of readdirSync(join(app, "dist"))) {
        expect(readFileSync(join(again, name)).equals(readFileSync(join(app, "dist", name))), name).toBe(true);
      }
    } finally {
      rmSync(again, { recursive: true, force: true });
    }
  });

  test("names no place of the machine that built it", () => {
    for (const name of readdirSync(join(app, "dist"))) {
      expect(readFileSync(join(app, "dist", name), "utf8").includes(root), name).toBe(false);
    }
  });
});
