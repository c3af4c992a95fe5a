import { describe, type Flag, formatConfigProblem, readSettings } from "../../flags.ts";
import { isKubeError } from "../../kube/errors.ts";
import type { ExitCode } from "../io.ts";
import { plainLine } from "../printable.ts";
import type { ToolDeps } from "../remote.ts";
import { explained } from "./explained.ts";
import { Refused, Wrong } from "./refused.ts";
import { openSession, type Session } from "./session.ts";
import type { Flags, VerbSettings } from "./verb-flags.ts";

/** A command that works on objects in the cluster. */
export interface Verb<Input = unknown> {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** Everything of its help but the flags. */
  readonly help: string;
  /** What its exit codes mean. */
  readonly exits: string;
  readonly flags: Flags;
  /** Reads the arguments; the strings are problems, each a sentence: wrong usage. Nothing was sent yet. */
  readonly read: (settings: VerbSettings, deps: ToolDeps) => Promise<Input | Wrong> | Input | Wrong;
  /** Does it. What it throws but a {@link Refused} or a `KubeError` is a bug. */
  readonly run: (input: Input, session: Session) => Promise<ExitCode>;
}

/** The flags of a verb, for its help, the reference and completion. */
export function flagsOfVerb({ flags }: Pick<Verb, "flags">): readonly Flag<unknown>[] {
  return Object.values(flags.own);
}

/**
 * Runs a verb: its help, wrong usage (2, all problems together), or the verb itself.
 *
 * *Guarantees*: what does not exist or cannot be done, and a cluster that cannot be reached, is one sentence on standard
 * error and exit code 1; nothing that a server or an object says can control a terminal.
 */
export async function runVerb<Input>(verb: Verb<Input>, args: readonly string[], deps: ToolDeps): Promise<ExitCode> {
  const { io, env } = deps;
  const flags = flagsOfVerb(verb);
  const settings = readSettings({ command: verb.name, flags, args, env, takesFiles: true });
  if (settings.kind === "help") {
    io.out(`${verb.help}\n\n${describe(flags)}\n\nexit codes: ${verb.exits}, 2 wrong usage\n`);
    return 0;
  }
  const secret = new Set(verb.flags.secret.map((flag) => settings.nameOf(flag)));
  const problems = settings.problems.map((problem) =>
    formatConfigProblem(secret.has(problem.name) ? { ...problem, value: undefined } : problem),
  );
  const input = problems.length > 0 ? new Wrong(...problems) : await verb.read(settings, deps);
  if (input instanceof Wrong) {
    io.err(`northflank-operator ${verb.name}: the arguments are not valid\n`);
    for (const problem of input.problems) io.err(`  ${plainLine(problem)}\n`);
    return 2;
  }
  try {
    await using session = await openSession(verb.name, settings, deps);
    return await verb.run(input, session);
  } catch (error) {
    const sentence = error instanceof Refused ? error.message : isKubeError(error) ? explained(error) : undefined;
    if (sentence === undefined) throw error;
    io.err(`northflank-operator ${verb.name}: ${plainLine(sentence)}\n`);
    return 1;
  }
}
