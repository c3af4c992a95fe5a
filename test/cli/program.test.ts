import { expect, test } from "vitest";
import { type Commands, runProgram } from "../../src/cli/program.ts";
import type { verbs } from "../../src/cli/verbs/all.ts";

/** Verbs that note what they are called with. */
function verbRuns(ran: string[]): Pick<Commands, keyof typeof verbs> {
  const noted = (name: string) => async (rest: readonly string[]) => {
    ran.push(`${name} ${rest.join(" ")}`);
    return 1 as const;
  };
  return {
    get: noted("get"),
    tree: noted("tree"),
    wait: noted("wait"),
    start: noted("start"),
    reconcile: noted("reconcile"),
    suspend: noted("suspend"),
    resume: noted("resume"),
    abort: noted("abort"),
    resolve: noted("resolve"),
  };
}

function run(...args: string[]) {
  return runAs(undefined, ...args);
}

async function runAs(invokedAs: string | undefined, ...args: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const ran: string[] = [];
  const code = await runProgram({
    args,
    ...(invokedAs === undefined ? {} : { invokedAs }),
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
      diagnose: async () => 0,
      budget: async (rest) => {
        ran.push(`budget ${rest.join(" ")}`);
        return 1;
      },
      ...verbRuns(ran),
      complete: async (words) => {
        ran.push(`complete ${words.join(" ")}`);
        return 0;
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
  [["get", "nfrun", "-A"], 1, ["get nfrun -A"]],
  [["resolve", "a", "--retry"], 1, ["resolve a --retry"]],
])("%j hands over to its command and returns its exit code", async (args, code, ran) => {
  expect(await run(...args)).toMatchObject({ code, ran });
});

test.each([[[]], [["frobnicate"]], [["--", "run"]]])(
  "%j is wrong usage: 2, with the usage on standard error",
  async (args) => {
    const result = await run(...args);
    expect(result).toMatchObject({ code: 2, out: "", ran: [] });
    expect(result.err).toContain("usage: northflank-operator COMMAND");
  },
);

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

test.each([
  [["help", "budget"], ["budget --help"]],
  [["help", "plan", "more"], []],
  [["crds", "--", "-x", "--help"], ["crds -- -x --help"]],
  [["plan", "--nope", "a", "--", "b"], ["plan --nope a -- b"]],
])("%j hands its arguments over as they are", async (args, ran) => {
  expect((await run(...args)).ran).toEqual(ran);
});

test("help of the operator is that of run --help, and nothing runs", async () => {
  expect(await run("help", "run")).toEqual(await run("run", "--help"));
});

test("what is no command is named, with what was meant perhaps, and help of it is wrong usage as well", async () => {
  for (const args of [["plna"], ["help", "plna"]]) {
    const { code, out, err } = await run(...args);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/^northflank-operator: unknown command 'plna' \(Did you mean plan\?\)\n\nusage: /);
  }
});

test.each([["--token=nf-secret"], ["-tnf-secret"]])(
  "%s is an unknown flag, and its value is not printed",
  async (arg) => {
    const { code, err, ran } = await run(arg, "run");
    expect([code, ran]).toEqual([2, []]);
    expect(err).toMatch(/^northflank-operator: unknown flag -(?:-token|t)\n/);
    expect(err).not.toContain("nf-secret");
  },
);

test("an unknown command cannot move a cursor", async () => {
  const { err } = await run("\u001b[2Jx\n::error::y");
  expect(err).not.toContain("\u001b");
  expect(err).not.toMatch(/^::/m);
});

test("as a plugin of kubectl it says what was typed", async () => {
  const typed = (...args: string[]) => runAs("kubectl northflank", ...args);
  expect((await typed("help")).out).toMatch(/^usage: kubectl northflank COMMAND\n/);
  expect((await typed("run", "--help")).out).toMatch(/^usage: kubectl northflank run \[FLAGS\]\n/);
  expect((await typed("run", "--nope")).err).toMatch(/^kubectl northflank run: the configuration is not valid\n/);
  expect((await typed("completion")).err).toContain("usage: kubectl northflank completion bash|zsh|fish\n");
});

test("completion prints the script of a shell, which is wrong usage for any other", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    expect(await run("completion", shell)).toMatchObject({ code: 0, out: expect.stringContaining(shell), err: "" });
  }
  expect(await run("completion", "csh")).toMatchObject({ code: 2, out: "", err: expect.stringContaining("bash, zsh") });
  expect(await run("completion")).toMatchObject({ code: 2, out: "" });
});

test("__complete hands over the words, help and dashes too", async () => {
  expect((await run("__complete", "plan", "--", "--help", "")).ran).toEqual(["complete plan -- --help "]);
});
