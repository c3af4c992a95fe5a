import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { crdFiles, runCrds } from "../../src/cli/crds.ts";
import type { ExitCode } from "../../src/cli/io.ts";

const folder = resolve(dirname(fileURLToPath(import.meta.url)), "../../crds");

function crds(...args: string[]): { code: ExitCode; out: string; err: string } {
  const texts = { out: "", err: "" };
  const code = runCrds(args, {
    out: (text) => {
      texts.out += text;
    },
    err: (text) => {
      texts.err += text;
    },
    isTerminal: false,
    readStdin: () => Promise.reject(new Error("nothing is read from standard input")),
  });
  return { code, ...texts };
}

test.each(crdFiles())("crds/$name is what the schemas say now (else: npm run generate)", ({ name, text }) => {
  expect(readFileSync(join(folder, name), "utf8")).toBe(text);
});

test.each(["--help", "-h"])("%s prints the usage, and is no failure", (flag) => {
  const { code, out, err } = crds(flag);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/^usage: northflank-operator crds\n/);
});

test("prints every definition as a document of its own", () => {
  const { code, out, err } = crds();
  expect([code, err]).toEqual([0, ""]);
  expect(parseAllDocuments(out).map((document) => document.toJS().spec.names.kind)).toEqual([
    "NorthflankConnection",
    "NorthflankDeployment",
    "NorthflankJob",
    "NorthflankJobRun",
  ]);
});

test("takes no arguments", () => {
  expect(crds("--help-me")).toEqual({
    code: 2,
    out: "",
    err: "northflank-operator crds: takes no arguments, got --help-me\n",
  });
});
