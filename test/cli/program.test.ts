import { expect, test } from "vitest";
import { runProgram } from "../../src/cli/program.ts";

async function run(...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const ran: string[] = [];
  const code = await runProgram({
    args,
    env: {},
    io: {
      out: (text) => out.push(text),
      err: (text) => err.push(text),
      isTerminal: false,
      readStdin: () => Promise.reject(new Error("nothing reads standard input here")),
    },
    commands: {
      run: async ({ workers }) => {
        ran.push(`run ${workers}`);
        return 0;
      },
      validate: async (rest) => {
        ran.push(`validate ${rest.join(" ")}`);
        return 1;
      },
      import: async (rest) => {
        ran.push(`import ${rest.join(" ")}`);
        return 1;
      },
      plan: async (rest) => {
        ran.push(`plan ${rest.join(" ")}`);
        return 3;
      },
      budget: async (rest) => {
        ran.push(`budget ${rest.join(" ")}`);
        return 1;
      },
      crds: (rest) => {
        ran.push(`crds ${rest.join(" ")}`);
        return 0;
      },
    },
  });
  return { code, out: out.join(""), err: err.join(""), ran };
}

test.each([
  [["run", "--workers", "4"], 0, ["run 4"]],
  [["validate", "a.yaml", "--output", "json"], 1, ["validate a.yaml --output json"]],
  [["crds"], 0, ["crds "]],
  [["plan", "a.yaml"], 3, ["plan a.yaml"]],
  [["budget", "-o", "json"], 1, ["budget -o json"]],
  [["import", "--project=shop"], 1, ["import --project=shop"]],
])("%j hands over to its command and returns its exit code", async (args, code, ran) => {
  expect(await run(...args)).toMatchObject({ code, ran });
});

test.each([[[]], [["frobnicate"]]])("%j is wrong usage: 2, with the usage on standard error", async (args) => {
  const result = await run(...args);
  expect(result).toMatchObject({ code: 2, out: "", ran: [] });
  expect(result.err).toContain("usage: northflank-operator COMMAND");
});

test.each([["help"], ["--help"], ["-h"]])("%s prints the usage and is no failure", async (args) => {
  expect(await run(args)).toMatchObject({ code: 0, err: "" });
});

test("a configuration that cannot be used is 2, every problem on a line of its own, and nothing runs", async () => {
  const { code, err, ran } = await run("run", "--workers", "0", "--nonsense=x");
  expect([code, ran]).toEqual([2, []]);
  expect(err.split("\n").slice(1, 3)).toEqual([
    "  --nonsense: unknown flag; see run --help",
    '  --workers="0": a whole number from 1 to 256 is expected',
  ]);
});

test("run --help lists the flags without running", async () => {
  const { code, out, ran } = await run("run", "--help");
  expect([code, ran]).toEqual([0, []]);
  expect(out).toContain("--leader-elect-retry-period D");
});

test("version prints one line", async () => {
  expect((await run("version")).out).toMatch(/^northflank-operator \S+ \(\S+\)\n$/);
});
