import { clusterFlags, type Flag, flag, Refusal, type Settings, switchFlag, text } from "../../flags.ts";
import { parseDurationMs } from "../../util/duration.ts";

/** What the arguments of a verb say. */
export type VerbSettings = Settings & { readonly kind: "settings" };

/** The name of a namespace, as the value of a flag. */
export const namespaceName = (value: string): string | Refusal =>
  /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value) ? value : new Refusal("the name of a namespace is expected");

// A text of the command line cannot hold it.
const separator = "\0";

/** Values of a flag that may be given more than once, see {@link joinRepeated}. */
export const repeated = (value: string): readonly string[] => value.split(separator);

/**
 * Makes one of each of these flags that is given more than once: a setting has one value, and {@link repeated} splits it.
 */
export function joinRepeated(args: readonly string[], flags: readonly Flag<unknown>[]): readonly string[] {
  const values = new Map<string, string[]>();
  const rest: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (arg === "--") {
      rest.push(...args.slice(index));
      break;
    }
    const own = flags.find(({ name, short }) => isFlag(arg, name, short));
    const next = args[index + 1];
    const isWhole = own !== undefined && hasValue(arg, own.short);
    if (own === undefined || (!isWhole && (next === undefined || next.startsWith("--")))) {
      rest.push(arg);
      continue;
    }
    if (!isWhole) index += 1;
    values.set(own.name, [...(values.get(own.name) ?? []), isWhole ? valueIn(arg) : (next ?? "")]);
  }
  return [...[...values].map(([name, all]) => `--${name}=${all.join(separator)}`), ...rest];
}

function isFlag(arg: string, name: string, short: string | undefined): boolean {
  if (arg === `--${name}` || arg.startsWith(`--${name}=`)) return true;
  return short !== undefined && (arg === `-${short}` || (arg.startsWith(`-${short}`) && !arg.startsWith("--")));
}

function hasValue(arg: string, short: string | undefined): boolean {
  return arg.startsWith("--") ? arg.includes("=") : arg !== `-${short}`;
}

function valueIn(arg: string): string {
  if (arg.startsWith("--")) return arg.slice(arg.indexOf("=") + 1);
  return arg.slice(2).replace(/^=/, "");
}

/** Zero, or a duration. */
const timeout = (value: string): number | Refusal =>
  parseDurationMs(value) ?? new Refusal("a duration such as 90s or 1h30m is expected, or 0 to read once");

const namespace = {
  ...flag("namespace", "NAME", undefined, namespaceName, "namespace; by default that of the kubeconfig context"),
  short: "n",
};

const selector = {
  ...flag("selector", "L", undefined, text, "only objects with these labels: app=shop,tier!=test"),
  short: "l",
};

const filename = {
  ...flag(
    "filename",
    "FILE",
    undefined,
    repeated,
    "the objects of manifests: a file, a directory or -; may be repeated",
  ),
  short: "f",
};

/** Which cluster, and which namespace of it. */
export const placeFlags = { namespace, ...clusterFlags } as const;

/** The namespace of `-n`. That of the variable is a default, as that of the kubeconfig: anything else may name another. */
export function givenNamespace(settings: VerbSettings): string | undefined {
  return settings.nameOf(namespace).startsWith("--") ? settings.of(namespace) : undefined;
}

/** Which objects, besides those that the arguments name. */
export const selectionFlags = {
  selector,
  filename,
  all: switchFlag("all", "all objects of the kinds in the namespace"),
} as const;

/** How long a verb waits. */
export const timeoutFlag = flag(
  "timeout",
  "D",
  undefined,
  timeout,
  // 30 s of kubectl would end before most runs and rollouts do, and they have limits of their own.
  "how long to wait; by default until the object is ready or has failed, which activeDeadlineSeconds and rollout.timeoutSeconds limit",
);

/** The flags of a verb, by the names that its code uses. */
export interface Flags {
  readonly own: Readonly<Record<string, Flag<unknown>>>;
  /** Those that may be given more than once. */
  readonly repeatable: readonly Flag<unknown>[];
  /** Those whose values may be secrets: no message shows them. */
  readonly secret: readonly Flag<unknown>[];
}
