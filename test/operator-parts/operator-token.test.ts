import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type Config, parseConfig } from "../../src/config.ts";
import { operatorToken } from "../../src/operator/operator-token.ts";

const folder = mkdtempSync(join(tmpdir(), "operator-token-"));
const file = join(folder, "token");

afterAll(() => rmSync(folder, { recursive: true }));

function config(...args: string[]): Config {
  const result = parseConfig({ args, env: {} });
  if (result.kind !== "config") throw new Error("the flags of this test are wrong");
  return result.config;
}

test("without file and variable there is none", () => {
  expect(operatorToken(config(), undefined)).toBeUndefined();
  expect(operatorToken(config(), "")).toBeUndefined();
});

test("the variable is used where there is no file", async () => {
  const token = operatorToken(config("--default-token-namespaces=a,b", "--default-team-id=acme"), "from-env");
  expect([await token?.read(), token?.namespaces, token?.teamId]).toEqual(["from-env", ["a", "b"], "acme"]);
});

test("the file wins, and is read again each time, so that a rotated token is seen", async () => {
  writeFileSync(file, "one\n");
  const token = operatorToken(config(`--default-token-file=${file}`), "from-env");
  expect(await token?.read()).toBe("one\n");
  writeFileSync(file, "two\n");
  expect(await token?.read()).toBe("two\n");
});

test("a file that cannot be read is no token, and no crash", async () => {
  const token = operatorToken(config(`--default-token-file=${join(folder, "missing")}`), undefined);
  expect(await token?.read()).toBeUndefined();
});
