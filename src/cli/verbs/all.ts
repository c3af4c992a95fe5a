import type { Flag } from "../../flags.ts";
import type { ExitCode } from "../io.ts";
import type { ToolDeps } from "../remote.ts";
import { abortVerb, reconcileVerb, resolveVerb, resumeVerb, suspendVerb } from "./edit-verbs.ts";
import { getVerb } from "./get.ts";
import { startVerb } from "./start.ts";
import { treeVerb } from "./tree.ts";
import { flagsOfVerb, runVerb, type Verb } from "./verb.ts";
import { waitVerb } from "./wait.ts";

/** A verb, for the table of commands, the reference and completion. */
interface Command {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly flags: readonly Flag<unknown>[];
  readonly run: (args: readonly string[], deps: ToolDeps) => Promise<ExitCode>;
}

function commandOf<Input>(verb: Verb<Input>): Command {
  const { name, summary } = verb;
  return { name, summary, flags: flagsOfVerb(verb), run: (args, deps) => runVerb(verb, args, deps) };
}

/** The commands that work on objects in the cluster, in the order of the help. */
export const verbs = {
  get: commandOf(getVerb),
  tree: commandOf(treeVerb),
  wait: commandOf(waitVerb),
  start: commandOf(startVerb),
  reconcile: commandOf(reconcileVerb),
  suspend: commandOf(suspendVerb),
  resume: commandOf(resumeVerb),
  abort: commandOf(abortVerb),
  resolve: commandOf(resolveVerb),
} as const;
