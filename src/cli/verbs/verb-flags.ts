import { clusterFlags, type Flag, flag, Refusal, repeatable, type Settings, switchFlag, text } from "../../flags.ts";
import { parseDurationMs } from "../../util/duration.ts";

/** What the arguments of a verb say. */
export type VerbSettings = Settings & { readonly kind: "settings" };

/** The name of a namespace, as the value of a flag. */
export const namespaceName = (value: string): string | Refusal =>
  /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value) ? value : new Refusal("the name of a namespace is expected");

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

const filename = repeatable({
  ...flag("filename", "FILE", undefined, text, "the objects of manifests: a file, a directory or -; may be repeated"),
  short: "f",
});

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
  /** Those whose values may be secrets: no message shows them. */
  readonly secret: readonly Flag<unknown>[];
}
