import { describe, expect, test } from "vitest";
import { type KindDefinition, kinds } from "../../src/api/kinds.ts";
import type { CommandDescription } from "../../src/cli/command.ts";
import { commandTable } from "../../src/cli/command-table.ts";
import { decideCompletion } from "../../src/cli/completion.ts";
import { clusterFlags, flag, oneOf, repeatable, switchFlag, text } from "../../src/flags.ts";

const kind = (name: string): KindDefinition => kinds.find(({ type }) => type.kind === name)!;
const runs = kind("NorthflankJobRun");
const deployments = kind("NorthflankDeployment");

const flags = [
  { ...flag("output", "F", "table", oneOf("table", "json"), "output format"), short: "o" },
  { ...flag("namespace", "NAME", undefined, text, "namespace"), short: "n" },
  { ...switchFlag("all-namespaces", "all of them"), short: "A" },
  flag("timeout", "D", undefined, text, "how long"),
  repeatable(flag("filename", "FILE", undefined, text, "manifests")),
  ...Object.values(clusterFlags),
];
const command = (name: string, takes: CommandDescription["takes"]): CommandDescription => ({
  name,
  group: "objects in the cluster",
  summary: `what ${name} does`,
  flags,
  takes,
});
const commands: readonly CommandDescription[] = [
  command("wait", { kind: "objects", kinds }),
  command("abort", { kind: "objects", kinds: [runs] }),
  command("plan", { kind: "files" }),
  command("crds", { kind: "nothing" }),
  command("help", { kind: "command" }),
];

/** The line up to the cursor, without the program: a blank at its end begins a new word. */
function complete(line: string, env: Record<string, string> = {}) {
  return decideCompletion(line.split(" "), commands, env);
}

function words(line: string): readonly string[] {
  const wanted = complete(line);
  if (wanted.kind !== "words") throw new Error(`no words: ${JSON.stringify(wanted)}`);
  return wanted.words.map(({ value }) => value);
}

const place = { prefix: "", kubeconfig: undefined, context: undefined, namespace: undefined };

describe("commands", () => {
  test("come first, with what they do, and behind help", () => {
    expect(words("")).toEqual(["wait", "abort", "plan", "crds", "help"]);
    expect(complete("")).toMatchObject({ words: [{ description: "what wait does" }, {}, {}, {}, {}] });
    expect(words("help ")).toEqual(words(""));
    expect(words("help wait ")).toEqual([]);
    expect(words("-")).toEqual(["--help", "--version"]);
  });

  test("that do not exist have nothing behind them", () => {
    expect([words("frobnicate "), words("frobnicate --")]).toEqual([[], []]);
  });

  test("that take nothing offer nothing", () => {
    expect(words("crds ")).toEqual([]);
  });
});

describe("flags", () => {
  test("are those of the command that may still be given", () => {
    expect(words("wait -o json -A --timeout=3s --filename a --")).toEqual([
      "--namespace",
      "--filename",
      "--kubeconfig",
      "--context",
      "--help",
    ]);
  });

  test.each([
    ["wait --output ", ["table", "json"]],
    ["wait -o ", ["table", "json"]],
    ["wait -Ao ", ["table", "json"]],
    ["wait --output=", ["--output=table", "--output=json"]],
    ["wait --output=j", ["--output=table", "--output=json"]],
    ["wait --all-namespaces=", ["--all-namespaces=true", "--all-namespaces=false"]],
    ["wait --nope=", []],
    ["wait --timeout ", []],
  ])("%s offers the words of its value", (line, want) => {
    expect(words(line)).toEqual(want);
  });

  test.each([
    ["wait -n ", { kind: "namespaces", ...place }],
    ["wait --namespace=te", { kind: "namespaces", ...place, prefix: "--namespace=" }],
    ["wait --context ", { kind: "contexts", ...place }],
    ["wait --kubeconfig a --context=", { kind: "contexts", ...place, kubeconfig: "a", prefix: "--context=" }],
    ["wait --kubeconfig ", { kind: "files" }],
    ["wait --filename=", { kind: "files" }],
    ["plan a.yaml ", { kind: "files" }],
    ["plan -- --", { kind: "files" }],
  ])("%s asks for names", (line, want) => {
    expect(complete(line)).toEqual(want);
  });

  test("a word after a switch, or after a letter with its value, is no value", () => {
    expect(complete("abort -A ")).toMatchObject({ kind: "objects" });
    expect(complete("abort -ojson ")).toMatchObject({ kind: "objects" });
  });
});

describe("objects", () => {
  test("begin with their kind, unless there is one", () => {
    expect(words("wait ")).toEqual([
      ...["connections", "nfconn", "deployments", "nfdeploy", "jobs", "nfjob", "runs", "nfrun"],
    ]);
    expect(complete("abort ")).toEqual({ kind: "objects", of: runs, ...place });
  });

  test.each([
    ["deployment/", deployments, "deployment/"],
    ["nfdeploy/w", deployments, "nfdeploy/"],
    ["Runs/", runs, "Runs/"],
    ["northflankjobruns ", runs, ""],
    ["runs a ", runs, ""],
    ["-o json runs a ", runs, ""],
    ["deployment/a run/", runs, "run/"],
  ])("wait %s asks for the names of a kind", (line, of, prefix) => {
    expect(complete(`wait ${line}`)).toEqual({ kind: "objects", of, ...place, prefix });
  });

  test("of a kind that the command does not take, or that does not exist, are none", () => {
    expect([words("abort deployment/"), words("wait pod/")]).toEqual([[], []]);
  });

  test("come from where the flags before the cursor, or variables, point", () => {
    expect(complete("wait -n team --context=c --kubeconfig f runs ")).toEqual({
      ...{ kind: "objects", of: runs, prefix: "" },
      ...{ kubeconfig: "f", context: "c", namespace: "team" },
    });
    const env = { NORTHFLANK_OPERATOR_NAMESPACE: "team", KUBECONFIG: "f" };
    expect(complete("abort ", env)).toMatchObject({ kubeconfig: "f", namespace: "team" });
    expect(decideCompletion(["plan", "--connection", ""], commandTable, { KUBECONFIG: "f" })).toMatchObject({
      ...{ kind: "objects", kubeconfig: "f", namespace: undefined },
    });
  });
});

test("the table has each command once, in one line without a period, and flags that commander accepts", () => {
  const names = commandTable.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, summary } of commandTable) {
    expect(summary).not.toMatch(/\n|\.$/);
    expect(decideCompletion([name, "--"], commandTable, {}).kind).toBe("words");
  }
});
