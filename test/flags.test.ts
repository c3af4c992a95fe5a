import { describe, expect, test } from "vitest";
import {
  clusterFlags,
  describe as describeFlags,
  type Flag,
  flag,
  formatConfigProblem,
  oneOf,
  positiveDuration,
  readSettings,
  repeatable,
  switchFlag,
  text,
} from "../src/flags.ts";

const output = { ...flag("output", "F", "table", oneOf("table", "json"), "output format"), short: "o" } as const;
const timeout = flag("timeout", "D", undefined, positiveDuration, "how long to wait");
const hosts = flag("hosts", "h[:port],...", undefined, text, "hosts");
const all = { ...switchFlag("all", "all objects"), short: "A" };
const noWait = switchFlag("no-wait", "do not wait");
const flags: readonly Flag<unknown>[] = [output, timeout, hosts, all, noWait];

function read(args: readonly string[], options: { takesFiles?: boolean; env?: Record<string, string> } = {}) {
  const { takesFiles = true, env = {} } = options;
  const settings = readSettings({ command: "get", flags, args, env, takesFiles });
  if (settings.kind === "help") return "help";
  const { of, positionals, problems } = settings;
  return {
    values: [of(output), of(timeout), of(hosts), of(all), of(noWait)],
    positionals,
    problems: problems.map(formatConfigProblem),
  };
}

const nothing = ["table", undefined, undefined, false, false];

describe("a flag is written as people write it", () => {
  test.each([
    ["--output json", ["json", undefined, undefined, false, false]],
    ["--output=json", ["json", undefined, undefined, false, false]],
    ["-o json", ["json", undefined, undefined, false, false]],
    ["-o=json", ["json", undefined, undefined, false, false]],
    ["--hosts==json", ["table", undefined, "=json", false, false]],
    ["-ojson", ["json", undefined, undefined, false, false]],
    ["-Aojson", ["json", undefined, undefined, true, false]],
    ["-A --timeout 1m30s", ["table", 90_000, undefined, true, false]],
    ["--all=true --no-wait=false", ["table", undefined, undefined, true, false]],
    ["--no-wait", ["table", undefined, undefined, false, true]],
    ["--hosts -a", ["table", undefined, "-a", false, false]],
    ["--hosts=--a", nothing, "--hosts: a value is expected"],
    ["--hosts -", ["table", undefined, "-", false, false]],
    ["--hosts=a=b", ["table", undefined, "a=b", false, false]],
  ])("%s", (line, values, ...problems) => {
    expect(read(line.split(" "))).toEqual({ values, positionals: [], problems });
  });

  test("a switch takes no argument beside it", () => {
    expect(read(["-A", "a.yaml", "--no-wait", "b.yaml"])).toMatchObject({ positionals: ["a.yaml", "b.yaml"] });
  });

  test("a placeholder that looks like the syntax of a library changes nothing", () => {
    expect(read(["--hosts", "a", "b"])).toMatchObject({ values: ["table", undefined, "a", false, false] });
    expect(describeFlags([hosts])).toBe("  --hosts h[:port],...  hosts");
  });
});

describe("what is no flag", () => {
  test("is kept in its order, also behind flags and -", () => {
    expect(read(["a", "-o", "json", "-", "b"])).toMatchObject({ positionals: ["a", "-", "b"], problems: [] });
  });

  test("is everything after --", () => {
    const { positionals, problems } = read(["a", "--", "-o", "--help", "--"]) as Exclude<
      ReturnType<typeof read>,
      string
    >;
    expect([positionals, problems]).toEqual([["a", "-o", "--help", "--"], []]);
    expect(read(["--all=true", "a", "--", "-b"])).toMatchObject({ positionals: ["a", "-b"], problems: [] });
  });

  test("is refused where flags only are taken", () => {
    expect(read(["a", "--all", "b"], { takesFiles: false })).toMatchObject({
      problems: ["a: get takes flags only", "b: get takes flags only"],
    });
  });
});

describe("all problems are reported together", () => {
  test("also behind a flag that is unknown, and one at the end without its value", () => {
    const args = ["--nope", "-o", "yaml", "--timeout", "soon", "--all", "--all", "-x", "--hosts"];
    expect(read(args)).toMatchObject({
      problems: [
        '--all="true": the flag is set twice',
        "--hosts: a value is expected",
        "--nope: unknown flag; see get --help",
        "-x: unknown flag; see get --help",
        '--output="yaml": one of table, json is expected',
        '--timeout="soon": a duration above zero such as 15s or 1h30m is expected',
      ],
    });
  });

  test("of variables under their own names, where an empty one counts as unset", () => {
    const env = { NORTHFLANK_OPERATOR_OUTPUT: "", NORTHFLANK_OPERATOR_TIMEOUT: "1", NORTHFLANK_OPERATOR_ALL: "yes" };
    expect(read([], { env })).toMatchObject({
      values: ["table", undefined, undefined, undefined, false],
      problems: [
        'NORTHFLANK_OPERATOR_TIMEOUT="1": a duration above zero such as 15s or 1h30m is expected',
        'NORTHFLANK_OPERATOR_ALL="yes": true or false is expected',
      ],
    });
  });

  test("a flag is set twice by its letter too, and by a switch with a value", () => {
    const env = {};
    expect(read(["-o", "json", "--output", "json"], { env })).toMatchObject({
      problems: ['--output="json": the flag is set twice'],
    });
    expect(read(["-A", "--all=false"])).toMatchObject({ problems: ['--all="false": the flag is set twice'] });
  });
});

describe("a flag that may be given more than once", () => {
  const file = { ...repeatable(flag("filename", "FILE", undefined, text, "manifests")), short: "f" };
  const kind = repeatable(flag("kind", "K", "job", oneOf("job", "run"), "kinds"));
  function readBoth(args: readonly string[], env: Record<string, string> = {}) {
    const settings = readSettings({ command: "get", flags: [file, kind], args, env, takesFiles: true });
    if (settings.kind === "help") return "help";
    return [settings.of(file), settings.of(kind), settings.positionals, settings.problems.map(formatConfigProblem)];
  }

  test.each([
    [[], [undefined, ["job"], [], []]],
    [
      ["-f", "a"],
      [["a"], ["job"], [], []],
    ],
    [
      ["-f", "a", "x", "--filename=b", "-fc", "--kind=run"],
      [["a", "b", "c"], ["run"], ["x"], []],
    ],
    [
      ["-f", "", "-f", "", "-f", "a,b"],
      [["", "", "a,b"], ["job"], [], []],
    ],
    [
      ["--kind", "run", "--kind", "pod", "-f"],
      [undefined, undefined, [], ["--filename: a value is expected", '--kind="run,pod": one of job, run is expected']],
    ],
  ])("%j has its values in their order", (args, want) => {
    expect(readBoth(args)).toEqual(want);
  });

  test("has one value in its variable, and the words of each", () => {
    expect(readBoth([], { NORTHFLANK_OPERATOR_FILENAME: "a,b" })).toEqual([["a,b"], ["job"], [], []]);
    expect(kind.parse.words).toEqual(["job", "run"]);
  });
});

describe("help", () => {
  test.each([["--help"], ["-h"], ["-Ah"], ["--nope --help"], ["--output=x -h"]])("is asked for by %s", (line) => {
    expect(read(line.split(" "))).toBe("help");
  });

  test("is not asked for where it stands for a value", () => {
    expect(read(["--output", "--help"])).toMatchObject({ problems: ["--output: a value is expected"] });
  });

  test("has letter, placeholder, default and further variables, aligned, and lines of at most 120 characters", () => {
    const long = flag("long", "X", undefined, text, `${"word ".repeat(30)}end`);
    expect(describeFlags([output, all, clusterFlags.kubeconfig, long])).toBe(`\
  -o, --output F         output format (default table)
  -A, --all              all objects
      --kubeconfig PATH  path of a kubeconfig or of several; by default the pod's service account, else ~/.kube/config
                         (also read: KUBECONFIG)
      --long X           ${"word ".repeat(19).trim()}
                         ${"word ".repeat(11)}end`);
  });

  test("of flags without letters has no room for them", () => {
    expect(describeFlags([timeout])).toBe("  --timeout D  how long to wait");
  });
});

test("two flags of one name or letter are a mistake in the table, and found at once", () => {
  expect(() => describeFlags([output, output])).toThrow("output");
  expect(() => describeFlags([output, { ...timeout, short: "o" }])).toThrow("-o");
});

describe("the value of a flag that does not exist may be a secret:", () => {
  const secret = "nf-secret";
  const names = ["--tokn", "-t", "--api-token", "-T"];
  const shapes: readonly ((name: string) => readonly string[])[] = [
    (name) => [name, secret],
    (name) => [`${name}=${secret}`],
    (name) => ["-A", name, secret],
    (name) => ["--all=true", name, secret],
    (name) => ["a.yaml", name, secret, "-o", "json"],
    (name) => ["--nope", "1", name, secret],
  ];
  const clusters = [[`-t${secret}`], [`-At${secret}`], ["-A", `-T=${secret}`]];
  const cases = [...names.flatMap((name) => shapes.map((shape) => shape(name))), ...clusters];

  test.each(cases.map((args) => [args] as const))("%j never prints it", (args) => {
    const found = read(args, { takesFiles: false });
    expect(JSON.stringify(found)).toContain("unknown flag");
    expect(JSON.stringify(found)).not.toContain(secret);
  });
});
