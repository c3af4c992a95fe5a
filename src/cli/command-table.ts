import { kinds } from "../api/kinds.ts";
import { northflankJobRuns, northflankJobs } from "../api/names.ts";
import { flagsOfRun } from "../config.ts";
import { flagsOfBudget } from "./budget.ts";
import type { CommandDescription, Takes } from "./command.ts";
import { shells } from "./completion-scripts.ts";
import { flagsOfDiagnose } from "./diagnose.ts";
import { flagsOfImport } from "./import.ts";
import { flagsOfPlan } from "./plan.ts";
import { flagsOfValidate } from "./validate.ts";
import { verbs } from "./verbs/all.ts";
import { kindNamed } from "./verbs/objects.ts";

const nothing: Takes = { kind: "nothing" };
const files: Takes = { kind: "files" };
const objects: Takes = { kind: "objects", kinds };
const runs: Takes = { kind: "objects", kinds: [kindNamed(northflankJobRuns.kind)] };
const jobs: Takes = { kind: "objects", kinds: [kindNamed(northflankJobs.kind)] };

/** The row of a verb. */
function verb<const N extends keyof typeof verbs>(name: N, takes: Takes) {
  const { summary, flags } = verbs[name];
  return { name, group: "objects in the cluster", summary, flags, takes } as const;
}

/** Every command but the hidden ones. The list of commands, completion and the reference come from here. */
export const commandTable = [
  verb("get", objects),
  verb("tree", objects),
  verb("wait", objects),
  verb("start", jobs),
  verb("reconcile", objects),
  verb("suspend", objects),
  verb("resume", objects),
  verb("abort", runs),
  verb("resolve", runs),
  {
    name: "budget",
    group: "objects in the cluster",
    summary: "show who spends the hourly quota of Northflank",
    flags: flagsOfBudget,
    takes: nothing,
  },
  {
    name: "diagnose",
    group: "the operator",
    summary: "collect what a report about the operator needs, without secrets",
    flags: flagsOfDiagnose,
    takes: nothing,
  },
  {
    name: "validate",
    group: "manifests",
    summary: "check manifests offline",
    flags: flagsOfValidate,
    takes: files,
  },
  {
    name: "plan",
    group: "manifests",
    summary: "show what manifests would change at Northflank",
    flags: flagsOfPlan,
    takes: files,
  },
  {
    name: "import",
    group: "manifests",
    summary: "print manifests for what a Northflank project has",
    flags: flagsOfImport,
    takes: nothing,
  },
  {
    name: "run",
    group: "the operator",
    summary: "run the operator in or against a cluster",
    flags: flagsOfRun(),
    takes: nothing,
  },
  {
    name: "crds",
    group: "the operator",
    summary: "print the CustomResourceDefinitions",
    flags: [],
    takes: nothing,
  },
  {
    name: "completion",
    group: "other commands",
    summary: "print a completion script for a shell: bash, zsh or fish",
    flags: [],
    takes: { kind: "words", words: shells },
  },
  {
    name: "version",
    group: "other commands",
    summary: "print the version",
    flags: [],
    takes: nothing,
  },
  {
    name: "help",
    group: "other commands",
    summary: "show the help of a command",
    flags: [],
    takes: { kind: "command" },
  },
] as const satisfies readonly CommandDescription[];
