import { expect, test } from "vitest";
import { joinRepeated, repeated } from "../../../src/cli/verbs/verb-flags.ts";
import { flag } from "../../../src/flags.ts";

const env = flag("env", "X", undefined, repeated, "");
const file = { ...flag("filename", "F", undefined, repeated, ""), short: "f" };

/** The values of `--env` and `--filename`, and what is left. */
function joined(...args: readonly string[]) {
  const all = joinRepeated(args, [env, file]);
  const valuesOf = (name: string) =>
    all.filter((arg) => arg.startsWith(`--${name}=`)).map((arg) => repeated(arg.slice(name.length + 3)));
  const isOwn = (arg: string) => arg.startsWith("--env=") || arg.startsWith("--filename=");
  return { env: valuesOf("env"), filename: valuesOf("filename"), rest: all.filter((arg) => !isOwn(arg)) };
}

test.each([
  [["a", "--env", "A=1", "--env=B=2,3", "b"], { env: [["A=1", "B=2,3"]], filename: [], rest: ["a", "b"] }],
  [["-f", "x", "-fy", "-f=z", "--filename", "-"], { env: [], filename: [["x", "y", "z", "-"]], rest: [] }],
  [["--environment", "A"], { env: [], filename: [], rest: ["--environment", "A"] }],
  [["--other", "x", "--env", "A="], { env: [["A="]], filename: [], rest: ["--other", "x"] }],
  [["--env", "A=1", "--", "--env", "B=2"], { env: [["A=1"]], filename: [], rest: ["--", "--env", "B=2"] }],
  // A value is missing: the parser says so.
  [["--env", "--other"], { env: [], filename: [], rest: ["--env", "--other"] }],
  [["--env"], { env: [], filename: [], rest: ["--env"] }],
] as const)("%j", (args, expected) => {
  expect(joined(...args)).toEqual(expected);
});
