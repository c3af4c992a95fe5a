import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { type GoTool, goTool } from "../support/go-tools.ts";

// Goes before everything else here: a program that does not start explains all other failures.

test.each<[GoTool, readonly string[]]>([
  ["helm", ["version", "--short"]],
  ["kubectl", ["version", "--client"]],
  ["actionlint", ["-version"]],
])("%s starts", (name, args) => {
  expect(execFileSync(goTool(name), args, { encoding: "utf8" })).toMatch(/\d+\.\d+/);
});
