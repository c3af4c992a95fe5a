import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { buildArtifacts } from "../../../scripts/release/artifacts.ts";
import { problemOfTarget, replaceRelease } from "../../../scripts/release/target.ts";

let folder: string;
let checkout: string;
let into: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "target-"));
  checkout = join(folder, "work/checkout");
  into = join(folder, "into");
  mkdirSync(checkout, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, text = ""): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function writeRelease(names: readonly string[] = ["install.yaml", "crds.yaml", "chart-1.tgz"]): void {
  for (const name of [...names, "RELEASE-NOTES.md"]) write(join(into, name));
  write(join(into, "SHA256SUMS"), names.map((name) => `${"0".repeat(64)}  ${name}\n`).join(""));
}

describe("the folder for the files of a release", () => {
  test("may be missing, empty, or hold an earlier release", () => {
    expect(problemOfTarget(into, checkout)).toBeUndefined();
    mkdirSync(into);
    expect(problemOfTarget(into, checkout)).toBeUndefined();
    writeRelease();
    expect(problemOfTarget(into, checkout)).toBeUndefined();
    expect(problemOfTarget(join(checkout, "dist/release"), checkout)).toBeUndefined();
    expect(problemOfTarget(join(checkout, "..new"), checkout)).toBeUndefined();
  });

  test("may not hold anything else", () => {
    write(join(into, "thesis.txt"));
    expect(problemOfTarget(into, checkout)).toBe(`${into} is not empty and holds no release; choose another folder`);
    write(join(into, "SHA256SUMS"), `${"0".repeat(64)}  thesis.txt\n`);
    expect(problemOfTarget(into, checkout)).toMatch("holds no release");
    writeRelease();
    expect(problemOfTarget(into, checkout)).toMatch('holds "thesis.txt", which is not part of the release there');
    rmSync(join(into, "thesis.txt"));
    mkdirSync(join(into, "SHA256SUMS.sigstore.json"));
    expect(problemOfTarget(into, checkout)).toMatch('holds "SHA256SUMS.sigstore.json"');
  });

  test("holds no release when SHA256SUMS names files elsewhere", () => {
    writeRelease(["install.yaml", "crds.yaml", "../precious"]);
    expect(problemOfTarget(into, checkout)).toMatch("holds no release");
  });

  test("may not be a file", () => {
    write(into);
    expect(problemOfTarget(into, checkout)).toBe(`${into} is not a folder`);
  });

  test("may not be the checkout or contain it, by whatever name", () => {
    symlinkSync(join(folder, "work"), join(folder, "link"));
    for (const path of ["work/checkout", "work", ".", "..", "link", "link/checkout", "work/checkout/../checkout/"]) {
      expect(problemOfTarget(join(folder, path), checkout), path).toMatch("contains the checkout");
    }
    expect(problemOfTarget("/", checkout)).toMatch("contains the checkout");
  });

  test("loses the files of the earlier release alone", () => {
    writeRelease();
    write(join(into, "precious/notes.txt"), "precious");
    write(join(folder, "new/install.yaml"), "new");
    replaceRelease(into, join(folder, "new"));
    expect(readdirSync(into).toSorted()).toEqual(["install.yaml", "precious"]);
    expect(readFileSync(join(into, "install.yaml"), "utf8")).toBe("new");
    expect(readFileSync(join(into, "precious/notes.txt"), "utf8")).toBe("precious");
  });

  test("is refused before anything is built", () => {
    write(join(into, "thesis.txt"));
    expect(() => buildArtifacts({ checkout, into, revision: "unknown", time: new Date(0) })).toThrow(
      "holds no release; choose another folder",
    );
    expect(readdirSync(into)).toEqual(["thesis.txt"]);
  });
});
