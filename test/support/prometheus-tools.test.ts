import { expect, test } from "vitest";
import { prometheusTool } from "./prometheus-tools.ts";

const folder = new URL(".", `file://${process.execPath}`).pathname;

test("a program of Prometheus that is in no folder of PATH is missing", () => {
  expect(prometheusTool("promtool", { PATH: "/nowhere:" })).toBeUndefined();
  expect(prometheusTool("promtool", {})).toBeUndefined();
});

test("a program that is named is used, and is an error where it is not there", () => {
  expect(prometheusTool("promtool", { PROMTOOL: process.execPath, PATH: folder })).toBe(process.execPath);
  expect(() => prometheusTool("promtool", { PROMTOOL: "/nowhere/promtool" })).toThrow(
    "PROMTOOL is /nowhere/promtool, but there is no program to run",
  );
});
