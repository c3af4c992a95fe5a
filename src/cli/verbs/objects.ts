// pure
import { findKind, type KindDefinition, kinds } from "../../api/kinds.ts";
import {
  group,
  northflankConnections,
  northflankDeployments,
  northflankJobRuns,
  northflankJobs,
} from "../../api/names.ts";

/** An object that was asked for by name. */
export interface NamedObject {
  readonly kind: KindDefinition;
  readonly name: string;
}

/** Which objects a verb is for. */
export type Selection =
  /** `namespace` is missing where it is the session's. */
  | { readonly kind: "objects"; readonly objects: readonly (NamedObject & { readonly namespace?: string })[] }
  | {
      readonly kind: "kinds";
      readonly kinds: readonly KindDefinition[];
      readonly selector?: string;
      readonly isEveryNamespace: boolean;
    };

/** What the arguments of a verb ask for: objects by name, or kinds of which all or some are meant. */
export type AskedObjects =
  | { readonly kind: "objects"; readonly objects: readonly NamedObject[] }
  | { readonly kind: "kinds"; readonly kinds: readonly KindDefinition[] }
  /** One sentence. */
  | { readonly kind: "problem"; readonly problem: string };

/** Words for a kind besides those that its CRD declares, for people; the first one is offered by completion. */
const plainWords: Readonly<Record<string, readonly string[]>> = {
  [northflankConnections.kind]: ["connections", "connection", "conn"],
  [northflankDeployments.kind]: ["deployments", "deployment", "deploy"],
  [northflankJobs.kind]: ["jobs", "job"],
  [northflankJobRuns.kind]: ["runs", "run", "jobruns", "jobrun"],
};

/** The word for a kind that people read: `runs`. */
export function plainWordOf({ type }: KindDefinition): string {
  return plainWords[type.kind]?.[0] ?? type.plural;
}

/** Every word that means a kind: plural, singular, short name, and plain words. Case does not count. */
export function wordsOfKind({ type, singular, shortName }: KindDefinition): readonly string[] {
  return [type.plural, singular, shortName, ...(plainWords[type.kind] ?? [])];
}

/** The kind that a word means, also with the group behind it, as kubectl prints it; `undefined` for any other word. */
export function kindOfWord(word: string): KindDefinition | undefined {
  const lower = word.toLowerCase();
  const plain = lower.replace(new RegExp(`\\.(?:[a-z0-9]+\\.)?${group.replaceAll(".", "\\.")}$`), "");
  return kinds.find((kind) => wordsOfKind(kind).includes(plain));
}

/** The kind of this name, which exists. */
export function kindNamed(name: string): KindDefinition {
  const kind = findKind(name);
  if (kind === undefined) throw new TypeError(`${name} is no kind of this operator`);
  return kind;
}

const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Whether a text can be the name of an object. */
export function isObjectName(text: string): boolean {
  return text.length <= 253 && dnsSubdomain.test(text);
}

/**
 * Reads the arguments of a verb as kubectl does: `KIND/NAME ...`, `KIND NAME ...`, `KIND[,KIND]`, or nothing, which means
 * every kind of `allowed`. A verb of one kind takes `NAME ...` as well. An object that is named twice counts once.
 */
export function parseObjects(args: readonly string[], allowed: readonly KindDefinition[]): AskedObjects {
  if (args.length === 0) return { kind: "kinds", kinds: allowed };
  if (args.some((arg) => arg.includes("/"))) return parsePairs(args, allowed);
  const [first = "", ...names] = args;
  const [only, ...others] = allowed;
  if (only !== undefined && others.length === 0) {
    const isKind = names.length > 0 && kindOfWord(first) === only;
    return objectsOf(only, isKind ? names : args);
  }
  const found: KindDefinition[] = [];
  for (const word of first.split(",")) {
    const kind = readKind(word, allowed);
    if (typeof kind === "string") return { kind: "problem", problem: kind };
    if (!found.includes(kind)) found.push(kind);
  }
  if (names.length === 0) return { kind: "kinds", kinds: found };
  const [kind, ...more] = found;
  if (kind === undefined || more.length > 0) {
    return { kind: "problem", problem: "several kinds cannot be given with names; write KIND/NAME for each object" };
  }
  return objectsOf(kind, names);
}

function parsePairs(args: readonly string[], allowed: readonly KindDefinition[]): AskedObjects {
  const objects: NamedObject[] = [];
  for (const arg of args) {
    const [word = "", name = "", ...rest] = arg.split("/");
    if (name === "" || rest.length > 0) {
      return { kind: "problem", problem: `KIND/NAME is expected for each object, ${JSON.stringify(arg)} is not` };
    }
    const kind = readKind(word, allowed);
    if (typeof kind === "string") return { kind: "problem", problem: kind };
    const parsed = objectsOf(kind, [name]);
    if (parsed.kind !== "objects") return parsed;
    objects.push(...parsed.objects);
  }
  return { kind: "objects", objects: withoutTwins(objects) };
}

function objectsOf(kind: KindDefinition, names: readonly string[]): AskedObjects {
  const wrong = names.find((name) => !isObjectName(name));
  if (wrong !== undefined) return { kind: "problem", problem: `${JSON.stringify(wrong)} is not the name of an object` };
  return { kind: "objects", objects: withoutTwins(names.map((name) => ({ kind, name }))) };
}

function withoutTwins(objects: readonly NamedObject[]): readonly NamedObject[] {
  return [...new Map(objects.map((object) => [`${object.kind.type.kind}/${object.name}`, object])).values()];
}

/** The kind, or what is wrong with the word. */
function readKind(word: string, allowed: readonly KindDefinition[]): KindDefinition | string {
  const kind = kindOfWord(word);
  if (kind !== undefined && allowed.includes(kind)) return kind;
  const words = allowed.map(({ singular, shortName }) => `${singular} (${shortName})`).join(", ");
  const what = kind === undefined ? "is not a kind of this operator" : "cannot be used here";
  return `${JSON.stringify(word)} ${what}; use ${words}`;
}
