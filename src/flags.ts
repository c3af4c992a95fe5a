import { Command, Help, Option } from "commander";
import { isAllowedOrigin, parseApiUrl } from "./northflank/api-origin.ts";
import { nameProblem } from "./northflank/names.ts";
import { parseDurationMs } from "./util/duration.ts";

/** One setting of a command: its flag, and how its text is read. Names and defaults are a contract with users. */
export interface Flag<T> {
  readonly name: string;
  /** One letter that stands for the name: `-o`. */
  readonly short?: string;
  /** What stands for the value in the help; empty for a switch, which takes none. */
  readonly placeholder: string;
  /** Text that counts when none was given; `undefined`: the setting is then missing. */
  readonly fallback: string | undefined;
  /** A further variable that is read when ours is not set. */
  readonly alsoEnv?: string;
  readonly meaning: string;
  /** It may be given more than once, see {@link repeatable}. */
  readonly repeats?: true;
  readonly parse: Parse<T>;
}

/** Reads the text of a value. What it takes is data too where a schema has to say the same. */
export type Parse<T> = ((text: string) => T | Refusal) & {
  /** The least and the greatest whole number. */
  readonly range?: readonly [number, number];
  /** The only texts. */
  readonly words?: readonly string[];
};

/** What {@link Flag.parse} returns for a text that is no value: what would have been one. */
export class Refusal {
  readonly expectation: string;
  constructor(expectation: string) {
    this.expectation = expectation;
  }
}

/** What the values of a flag are. */
export type ValueOf<F> = F extends Flag<infer T> ? Exclude<T, Refusal> : never;

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** Where the value came from: `--workers` or `NORTHFLANK_OPERATOR_WORKERS`. */
  readonly name: string;
  /** The value as given; `undefined` when the problem is that there is none, or that there must not be one. */
  readonly value: string | undefined;
  readonly expectation: string;
}

/** What the flags and the environment say. */
export type Settings =
  | { readonly kind: "help" }
  | {
      readonly kind: "settings";
      /** The value of a flag; `undefined` when there is none, or when it was refused. */
      readonly of: <F extends Flag<unknown>>(flag: F) => ValueOf<F>;
      /** Where the value of a flag came from, for problems. */
      readonly nameOf: (flag: Flag<unknown>) => string;
      readonly positionals: readonly string[];
      readonly problems: readonly ConfigProblem[];
    };

/**
 * Reads the settings of a command from flags and environment. A flag wins over its variable (`--api-url` over
 * `NORTHFLANK_OPERATOR_API_URL`), which wins over the default.
 *
 * `command` is for messages; `takesFiles` says whether arguments that are no flags are expected.
 *
 * *Guarantees*: all problems are reported together. Variables that begin like ours but name no flag are ignored.
 */
export function readSettings(options: {
  readonly command: string;
  readonly flags: readonly Flag<unknown>[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly takesFiles?: boolean;
}): Settings {
  const { flags, env } = options;
  const problems: ConfigProblem[] = [];
  const { given, positionals } = readFlags(options, problems);
  if (given.has("help")) return { kind: "help" };
  const values = new Map<string, unknown>();
  const names = new Map<string, string>();
  for (const flag of flags) {
    const fromFlag = given.get(flag.name);
    const variable = environmentName(flag.name);
    const fromEnv = env[variable] ?? (flag.alsoEnv === undefined ? undefined : env[flag.alsoEnv]);
    // An empty variable counts as unset: manifests often leave `value: ""` behind.
    const text = fromFlag ?? (fromEnv === "" ? undefined : fromEnv) ?? flag.fallback;
    const name = fromFlag === undefined && fromEnv !== undefined ? variable : `--${flag.name}`;
    names.set(flag.name, name);
    if (text === undefined) continue;
    const parsed = flag.parse(text);
    if (parsed instanceof Refusal) problems.push({ name, value: shown(text), expectation: parsed.expectation });
    else values.set(flag.name, parsed);
  }
  return {
    kind: "settings",
    // The cast is sound: a flag's value comes from its own `parse`.
    of: <F extends Flag<unknown>>(flag: F) => values.get(flag.name) as ValueOf<F>,
    nameOf: ({ name }) => names.get(name) ?? `--${name}`,
    positionals,
    problems,
  };
}

/** The flags with their defaults and meanings, as text for `--help`: lines of at most 120 characters. */
export function describe(flags: readonly Flag<unknown>[]): string {
  const command = commandWith(flags);
  const help = new Help();
  help.prepareContext({ helpWidth });
  const placeholders = new Map(flags.map(({ name, placeholder }) => [name, placeholder]));
  const indent = flags.some(({ short }) => short !== undefined) ? "    " : "";
  help.optionTerm = (option) =>
    `${option.short === undefined ? indent : ""}${option.flags.replace(anyValue, placeholders.get(option.name()) ?? "")}`;
  const width = help.longestOptionTermLength(command, help);
  const rows = help.visibleOptions(command);
  return rows.map((option) => help.formatItem(help.optionTerm(option), width, option.description, help)).join("\n");
}

/** The variable of a flag. */
export function environmentName(flag: string): string {
  return `NORTHFLANK_OPERATOR_${flag.replaceAll("-", "_").toUpperCase()}`;
}

/** One line: name, value and expectation. */
export function formatConfigProblem({ name, value, expectation }: ConfigProblem): string {
  return value === undefined ? `${name}: ${expectation}` : `${name}=${JSON.stringify(value)}: ${expectation}`;
}

/** A flag, in one line of a table. */
export function flag<T>(
  name: string,
  placeholder: string,
  fallback: string | undefined,
  parse: Flag<T>["parse"],
  meaning: string,
  alsoEnv?: string,
): Flag<T> {
  return { name, placeholder, fallback, parse, meaning, ...(alsoEnv === undefined ? {} : { alsoEnv }) };
}

// No argument of a program can hold it.
const betweenValues = "\0";

/** The same flag where it may be given more than once. Its value is the list; in its variable there is one. */
export function repeatable<T>(base: Flag<T>): Flag<readonly Exclude<T, Refusal>[]> {
  const parse = (value: string): readonly Exclude<T, Refusal>[] | Refusal => {
    const values = value.split(betweenValues).map(base.parse);
    const refusal = values.find((each) => each instanceof Refusal);
    // The cast is sound: none is a refusal.
    return refusal instanceof Refusal ? refusal : (values as readonly Exclude<T, Refusal>[]);
  };
  const { words } = base.parse;
  return { ...base, repeats: true, parse: words === undefined ? parse : Object.assign(parse, { words }) };
}

/** The text of a value, for a message. */
function shown(text: string): string {
  return text.replaceAll(betweenValues, ",");
}

/** A flag that takes no value: `--observe`. Its variable takes true or false. */
export function switchFlag(name: string, meaning: string): Flag<boolean> {
  return flag(name, "", "false", boolean, meaning);
}

// ---- what a text may be ----

export const text = (value: string): string => value;

/** Which cluster a command talks to. */
export const clusterFlags = {
  kubeconfig: flag(
    "kubeconfig",
    "PATH",
    undefined,
    text,
    "path of a kubeconfig or of several; by default the pod's service account, else ~/.kube/config",
    "KUBECONFIG",
  ),
  context: flag("context", "NAME", undefined, text, "kubeconfig context to use; by default the current one"),
} as const;

/** Milliseconds, above zero. */
export const positiveDuration = (value: string): number | Refusal => {
  const durationMs = parseDurationMs(value);
  return durationMs !== undefined && durationMs > 0
    ? durationMs
    : new Refusal("a duration above zero such as 15s or 1h30m is expected");
};

export const integer = (min: number, max: number): Parse<number> => {
  const parse = (value: string): number | Refusal => {
    const number = /^\d{1,12}$/.test(value) ? Number(value) : Number.NaN;
    return number >= min && number <= max ? number : new Refusal(`a whole number from ${min} to ${max} is expected`);
  };
  return Object.assign(parse, { range: [min, max] as const });
};

export const boolean = (value: string): boolean | Refusal => {
  if (value === "true") return true;
  return value === "false" ? false : new Refusal("true or false is expected");
};

export const oneOf = <const T extends readonly string[]>(...words: T): Parse<T[number]> => {
  const parse = (value: string): T[number] | Refusal =>
    words.find((word) => word === value) ?? new Refusal(`one of ${words.join(", ")} is expected`);
  return Object.assign(parse, { words });
};

/** The parts of `a,b`, without empty ones. */
export const list = (value: string): readonly string[] =>
  value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part.length > 0);

export const teamId = (value: string): string | Refusal =>
  nameProblem("team", value) === undefined
    ? value
    : new Refusal("a team ID is expected: letters, digits and single hyphens");

export const hosts = (value: string): readonly string[] | Refusal => {
  const names = list(value.toLowerCase());
  const wrong = names.find((name) => !/^(?:[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/.test(name));
  if (wrong !== undefined) return new Refusal(`host or host:port is expected, ${JSON.stringify(wrong)} is neither`);
  return names.length > 0 ? names : new Refusal("at least one host is expected");
};

export const apiUrl = (value: string): URL | Refusal => {
  const parsed = parseApiUrl(value);
  return parsed.kind === "valid"
    ? new URL(value)
    : new Refusal(`a URL such as https://api.northflank.com is expected, but ${parsed.problem}`);
};

/** The base of a public URL, without a slash at its end. */
export const publicUrl = (value: string): string | Refusal => {
  const parsed = parseApiUrl(value);
  // It is stored in a status, with a path behind it.
  if (value.length > 1_024) return new Refusal(`at most 1024 characters are expected, there are ${value.length}`);
  return parsed.kind === "valid"
    ? `${parsed.origin}${parsed.basePath}`
    : new Refusal(`a URL such as https://hooks.example.com is expected, but ${parsed.problem}`);
};

/** What is said of an API whose host may not see a token; `undefined` when it may, or when either was refused before. */
export function hostProblem(
  name: string,
  url: URL | undefined,
  allowedHosts: readonly string[] | undefined,
): ConfigProblem | undefined {
  if (url === undefined || allowedHosts === undefined || isAllowedOrigin(url.origin, allowedHosts)) return undefined;
  const expectation = `--allowed-api-hosts must name ${url.host}; it names ${allowedHosts.join(", ")}`;
  return { name, value: url.href, expectation };
}

/** Whether a flag takes no value. */
export function isSwitch({ placeholder }: Flag<unknown>): boolean {
  return placeholder === "";
}

// Any width is right for some terminal; this is that of the texts around the flags.
const helpWidth = 120;

// Commander reads brackets and dots of a placeholder as "optional" and "several": ours are put in for the help only.
const anyValue = "<value>";

/** The flags as options of commander, which refuses a table where two have one name or letter. */
function commandWith(flags: readonly Flag<unknown>[]): Command {
  const command = new Command().helpOption(false);
  for (const flag of flags) {
    const letter = flag.short === undefined ? "" : `-${flag.short}, `;
    const value = isSwitch(flag) ? "" : ` ${anyValue}`;
    command.addOption(new Option(`${letter}--${flag.name}${value}`, descriptionOf(flag)));
  }
  return command;
}

function descriptionOf(flag: Flag<unknown>): string {
  const { meaning, fallback, alsoEnv } = flag;
  const byDefault = isSwitch(flag) || !fallback ? "" : ` (default ${fallback})`;
  return `${meaning}${byDefault}${alsoEnv === undefined ? "" : ` (also read: ${alsoEnv})`}`;
}

interface Given {
  readonly given: ReadonlyMap<string, string>;
  readonly positionals: readonly string[];
}

// No argument of a program can hold it. A flag at the end that lacks its value gets it, so that commander, which ends at
// the first such problem, reads everything.
const endOfArguments = "\0";

/**
 * Commander takes the arguments apart and finds the flags; it says what it found by events. Its own checks are not used:
 * they end at the first problem, and quote what may be a secret.
 */
function readFlags(options: Parameters<typeof readSettings>[0], problems: ConfigProblem[]): Given {
  const { command, flags, takesFiles = false } = options;
  const given = new Map<string, string>();
  const positionals: string[] = [];
  const refuse = (name: string, expectation: string, value?: string) => problems.push({ name, value, expectation });
  const repeats = new Set(flags.filter((flag) => flag.repeats).map(({ name }) => name));
  const set = (name: string, value: string) => {
    const before = given.get(name);
    if (name === helpFlag.name || before === undefined) given.set(name, value);
    else if (repeats.has(name)) given.set(name, `${before}${betweenValues}${value}`);
    else refuse(`--${name}`, "the flag is set twice", value);
  };
  const all = [...flags, helpFlag];
  const parser = commandWith(all);
  for (const flag of all) {
    parser.on(`option:${flag.name}`, (value?: string) => {
      if (isSwitch(flag)) set(flag.name, "true");
      else if (value === undefined || isNoValue(value)) refuse(`--${flag.name}`, "a value is expected");
      // `-o=json`, as kubectl takes it; no flag with a letter has values that begin like this.
      else set(flag.name, flag.short === undefined ? value : value.replace(/^=/, ""));
    });
  }
  const { operands, unknown } = parser.parseOptions([...options.args, endOfArguments]);
  const take = (value: string, shown = value) => {
    if (takesFiles) positionals.push(value);
    else refuse(shown, `${command} takes flags only`);
  };
  for (const value of operands) if (value !== endOfArguments) take(value);
  const switches = new Set(all.filter(isSwitch).map(({ name }) => name));
  const isPair = (flag: string, value: string) =>
    options.args.some((arg, index) => arg === value && options.args[index - 1] === flag);
  for (const each of readUnknown(unknown, switches)) {
    if (each.kind === "switch") set(each.name, each.value);
    else if (each.kind === "flag") refuse(shownFlag(each.arg), `unknown flag; see ${command} --help`);
    // What follows a flag that does not exist may be its value, and a secret.
    else if (each.after === undefined || !isPair(each.after, each.value)) take(each.value);
    else take(each.value, `the argument after ${shownFlag(each.after)}`);
  }
  return { given, positionals };
}

const helpFlag: Flag<boolean> = { ...switchFlag("help", "print this help"), short: "h" };

function isNoValue(value: string): boolean {
  return value === endOfArguments || /^--\w/.test(value);
}

type Unknown =
  /** `--observe=false`: commander knows switches without a value only. */
  | { readonly kind: "switch"; readonly name: string; readonly value: string }
  | { readonly kind: "flag"; readonly arg: string }
  | { readonly kind: "positional"; readonly value: string; readonly after: string | undefined };

/** What commander did not take: everything that is no flag of ours, from the first argument on that looks like one. */
function* readUnknown(args: readonly string[], switches: ReadonlySet<string>): Generator<Unknown> {
  let after: string | undefined;
  let onlyPositionals = false;
  for (const arg of args) {
    if (arg === endOfArguments) continue;
    if (onlyPositionals || arg === "-" || !arg.startsWith("-")) {
      yield { kind: "positional", value: arg, after };
      after = undefined;
      continue;
    }
    after = undefined;
    if (arg === "--") {
      onlyPositionals = true;
      continue;
    }
    const [, name = "", value] = /^--([^=]+)=(.*)$/s.exec(arg) ?? [];
    if (value !== undefined && switches.has(name)) yield { kind: "switch", name, value };
    else {
      after = arg;
      yield { kind: "flag", arg };
    }
  }
}

/** Without its value, which may be a secret: of `-tSECRET` the letter. */
function shownFlag(arg: string): string {
  return arg.startsWith("--") ? arg.replace(/=.*$/s, "") : arg.slice(0, 2);
}
