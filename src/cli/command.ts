import type { KindDefinition } from "../api/kinds.ts";
import type { Flag } from "../flags.ts";

/** What the arguments of a command are that are no flags. Whatever is there more than once is of the same kind. */
export type Takes =
  | { readonly kind: "nothing" }
  /** Manifests: files, folders, or `-`. */
  | { readonly kind: "files" }
  /** One of these words. */
  | { readonly kind: "words"; readonly words: readonly string[] }
  /** The name of a command. */
  | { readonly kind: "command" }
  /** Objects in the cluster, as `KIND/NAME` or `KIND NAME`; by their names alone where there is one kind. */
  | { readonly kind: "objects"; readonly kinds: readonly KindDefinition[] };

/** The headings of the list of commands, in its order. */
export const commandGroups = ["objects in the cluster", "manifests", "the operator", "other commands"] as const;

/** A command as people see it: in the list of commands, in completion and in the reference. */
export interface CommandDescription {
  readonly name: string;
  readonly group: (typeof commandGroups)[number];
  /** One line, without a period. */
  readonly summary: string;
  readonly flags: readonly Flag<unknown>[];
  readonly takes: Takes;
}
