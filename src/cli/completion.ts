// pure
import type { KindDefinition } from "../api/kinds.ts";
import { northflankConnections } from "../api/names.ts";
import { type Flag, isSwitch, readSettings } from "../flags.ts";
import type { CommandDescription } from "./command.ts";
import { kindNamed, kindOfWord, plainWordOf } from "./verbs/objects.ts";

/** One word that may stand at the cursor. */
export interface Candidate {
  readonly value: string;
  readonly description?: string;
}

/** What may stand at the cursor: words that are known here, or names that have to be read. */
export type Wanted =
  | { readonly kind: "words"; readonly words: readonly Candidate[] }
  | { readonly kind: "files" }
  | ({ readonly kind: "namespaces" | "contexts" } & Place)
  | ({ readonly kind: "objects"; readonly of: KindDefinition } & Place);

/** Where names are read, and what stands before each: `--context=`, `deployments/`. */
interface Place {
  readonly prefix: string;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** That of the context when missing. */
  readonly namespace: string | undefined;
}

/**
 * Decides what may stand at the cursor. `words` are what follows the program's name up to the cursor; the last one is
 * unfinished, and may be empty. Variables count as for the command itself.
 */
export function decideCompletion(
  words: readonly string[],
  commands: readonly CommandDescription[],
  env: Readonly<Record<string, string | undefined>>,
): Wanted {
  const current = words.at(-1) ?? "";
  const [name, ...args] = words.slice(0, -1);
  if (name === undefined) return wordsOf(current.startsWith("-") ? globalFlags : commands.map(candidateOf));
  const command = commands.find((each) => each.name === name);
  if (command === undefined) return none;
  const at = { command, args, env };
  if (args.includes("--")) return decidePositional(current, at, commands);
  const [, inline, value] = /^--([^=]+)=(.*)$/s.exec(current) ?? [];
  if (inline !== undefined && value !== undefined) {
    const flag = command.flags.find((each) => each.name === inline);
    return flag === undefined ? none : decideValue(flag, `--${inline}=`, at);
  }
  const pending = pendingFlag(args.at(-1), command.flags);
  if (pending !== undefined) return decideValue(pending, "", { ...at, args: args.slice(0, -1) });
  if (current.startsWith("-") && current !== "-") return decideFlag(at);
  return decidePositional(current, at, commands);
}

interface At {
  readonly command: CommandDescription;
  /** Between the name of the command and the cursor. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

const none: Wanted = { kind: "words", words: [] };

const globalFlags: readonly Candidate[] = [
  { value: "--help", description: "print the help" },
  { value: "--version", description: "print the version" },
];

function wordsOf(words: readonly Candidate[]): Wanted {
  return { kind: "words", words };
}

function candidateOf({ name, summary }: CommandDescription): Candidate {
  return { value: name, description: summary };
}

/** The flag that takes the word after this one: `--output`, `-o`, or `-Ao`. */
function pendingFlag(word: string | undefined, flags: readonly Flag<unknown>[]): Flag<unknown> | undefined {
  if (word === undefined) return undefined;
  const isFor = ({ name, short }: Flag<unknown>): boolean => {
    if (word === `--${name}`) return true;
    if (short === undefined || !/^-\w+$/.test(word) || !word.endsWith(short)) return false;
    // The letters before it must be switches: in `-ojson` they are none, and `json` is the value.
    return [...word.slice(1, -1)].every((letter) => flags.some((each) => each.short === letter && isSwitch(each)));
  };
  return flags.find((flag) => !isSwitch(flag) && isFor(flag));
}

function decideValue(flag: Flag<unknown>, prefix: string, at: At): Wanted {
  const { words } = flag.parse;
  if (words !== undefined) return wordsOf(words.map((word) => ({ value: `${prefix}${word}` })));
  if (isSwitch(flag)) return wordsOf(["true", "false"].map((word) => ({ value: `${prefix}${word}` })));
  switch (flag.name) {
    case "namespace":
    case "leader-elect-namespace":
      return { kind: "namespaces", ...placeOf(prefix, at) };
    case "context":
      return { kind: "contexts", ...placeOf(prefix, at) };
    case "connection":
      return { kind: "objects", of: kindNamed(northflankConnections.kind), ...placeOf(prefix, at) };
    default:
      return /^(?:PATH|FILE|FOLDER)/.test(flag.placeholder) ? { kind: "files" } : none;
  }
}

function decideFlag({ command, args }: At): Wanted {
  const given = new Set(args.map((arg) => arg.replace(/=.*$/s, "")));
  const isGiven = ({ name, short, repeats }: Flag<unknown>) =>
    repeats !== true && (given.has(`--${name}`) || given.has(`-${short}`));
  const flags = command.flags.filter((flag) => !isGiven(flag));
  return wordsOf([
    ...flags.map(({ name, meaning }) => ({ value: `--${name}`, description: meaning })),
    { value: "--help", description: "print the help" },
  ]);
}

function decidePositional(current: string, at: At, commands: readonly CommandDescription[]): Wanted {
  const { takes } = at.command;
  const before = positionalsOf(at);
  switch (takes.kind) {
    case "nothing":
      return none;
    case "files":
      return { kind: "files" };
    case "words":
      return before.length > 0 ? none : wordsOf(takes.words.map((value) => ({ value })));
    case "command":
      return before.length > 0 ? none : wordsOf(commands.map(candidateOf));
    case "objects":
      return decideObject(current, { at, before, kinds: takes.kinds });
  }
}

function decideObject(
  current: string,
  { at, before, kinds: taken }: { at: At; before: readonly string[]; kinds: readonly KindDefinition[] },
): Wanted {
  const objects = (of: KindDefinition | undefined, prefix: string): Wanted =>
    of === undefined || !taken.includes(of) ? none : { kind: "objects", of, ...placeOf(prefix, at) };
  const slash = current.indexOf("/");
  if (slash >= 0) return objects(kindOfWord(current.slice(0, slash)), current.slice(0, slash + 1));
  const [first] = before;
  // KIND NAME NAME, where the kind was said once.
  if (first !== undefined && !first.includes("/")) {
    const spoken = kindOfWord(first);
    if (spoken !== undefined) return objects(spoken, "");
  }
  const [only, ...others] = taken;
  if (others.length === 0) return objects(only, "");
  return wordsOf(
    taken.flatMap((kind) =>
      [plainWordOf(kind), kind.shortName].map((value) => ({ value, description: kind.type.kind })),
    ),
  );
}

/** The arguments before the cursor, read as the command reads them. What is wrong with them is said when it runs. */
function settingsOf({ command: { name, flags }, args, env }: At) {
  const settings = readSettings({ command: name, flags, args, env, takesFiles: true });
  return settings.kind === "help" ? undefined : settings;
}

function positionalsOf(at: At): readonly string[] {
  return settingsOf(at)?.positionals ?? [];
}

function placeOf(prefix: string, at: At): Place {
  const settings = settingsOf(at);
  const textOf = (name: string): string | undefined => {
    const flag = at.command.flags.find((each) => each.name === name);
    const value: unknown = flag === undefined ? undefined : settings?.of(flag);
    return typeof value === "string" ? value : undefined;
  };
  return {
    prefix,
    // A command without a cluster, whose arguments name objects of one, has no flag for it.
    kubeconfig: textOf("kubeconfig") ?? at.env.KUBECONFIG,
    context: textOf("context"),
    namespace: textOf("namespace"),
  };
}
