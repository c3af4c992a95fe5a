import { readFileSync, statSync } from "node:fs";
import { parseAllDocuments, type Tags } from "yaml";
import { type KubeError, kubeconfigError, systemCode } from "./errors.ts";
import { refuse, type Stanza, type StanzaKind } from "./kubeconfig-stanzas.ts";

/** What the files of a kubeconfig say together. */
export interface Kubeconfig {
  /** For messages: the files that were read. */
  readonly origin: string;
  readonly currentContext: string | undefined;
  readonly clusters: ReadonlyMap<string, Stanza>;
  readonly users: ReadonlyMap<string, Stanza>;
  readonly contexts: ReadonlyMap<string, Stanza>;
}

// Large ones have hundreds of clusters and stay below 1 MB. Whatever is larger is another file, named by mistake.
const maxBytes = 16 * 1024 * 1024;

/**
 * Reads and merges the files of a kubeconfig as kubectl does: the first file that has a cluster, a user or a context of
 * some name wins, and so does the first that sets `current-context`. A file that is missing or empty is left out, unless
 * none of them is there.
 *
 * *Errors*: `KubeError` with code `config`, which names the file and never quotes it.
 */
export function readKubeconfig(paths: readonly string[]): Kubeconfig {
  const present = [...new Set(paths)].flatMap((path) => {
    const text = readText(path);
    return text === undefined ? [] : [{ path, text }];
  });
  if (present.length === 0) throw noneThere(paths);
  const files = present.map(({ path, text }) => readFile(path, text));
  const merged = (of: (file: Kubeconfig) => ReadonlyMap<string, Stanza>) =>
    new Map(files.toReversed().flatMap((file) => [...of(file)]));
  return {
    origin: files.map(({ origin }) => origin).join(", "),
    currentContext: files.find(({ currentContext }) => currentContext !== undefined)?.currentContext,
    clusters: merged(({ clusters }) => clusters),
    users: merged(({ users }) => users),
    contexts: merged(({ contexts }) => contexts),
  };
}

/** The text of a file, or `undefined` when there is no such file. */
function readText(path: string): string | undefined {
  try {
    const facts = statSync(path);
    if (facts.isFile() && facts.size > maxBytes) {
      throw kubeconfigError(`read ${path}`, `it is larger than ${maxBytes / 1024 / 1024} MiB and no kubeconfig`);
    }
    return decode(path, readFileSync(path));
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT") return undefined;
    if (code === undefined) throw error;
    throw kubeconfigError(`read ${path}`, code === "EISDIR" ? "EISDIR: it is a folder; name a file in it" : code);
  }
}

function noneThere(paths: readonly string[]): KubeError {
  const tilde = paths.some((path) => path.startsWith("~"));
  const hint = tilde ? '; "~" is not replaced in a quoted path, write the whole path' : "";
  return kubeconfigError(`read ${paths.join(", ")}`, `ENOENT: there is no such file${hint}`);
}

/** PowerShell writes UTF-16: as in kubectl, the byte order mark decides. */
function decode(path: string, bytes: Buffer): string {
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw kubeconfigError(`read ${path}`, "it is not text in UTF-8 or UTF-16; it is not a kubeconfig");
  }
}

function readFile(path: string, text: string): Kubeconfig {
  const content = parse(path, text) ?? {};
  if (typeof content !== "object" || Array.isArray(content)) throw notOne(path, "it is not a map");
  const root = content as Readonly<Record<string, unknown>>;
  if (!isOneOf(root.apiVersion, "v1") || !isOneOf(root.kind, "Config")) {
    throw notOne(path, 'its "apiVersion" and "kind" are not v1 and Config');
  }
  const current = root["current-context"];
  if (!isOneOf(current) && typeof current !== "string") throw notOne(path, '"current-context" is not text in quotes');
  return {
    origin: path,
    currentContext: typeof current === "string" && current !== "" ? current : undefined,
    clusters: readList(path, root.clusters, "cluster"),
    users: readList(path, root.users, "user"),
    contexts: readList(path, root.contexts, "context"),
  };
}

/** Missing, null, empty or this text. */
function isOneOf(value: unknown, wanted?: string): boolean {
  return value === undefined || value === null || value === "" || value === wanted;
}

function parse(path: string, text: string): unknown {
  // kubectl reads YAML 1.1, but leaves 12:30 and dates what they are: text.
  const customTags = (tags: Tags): Tags =>
    tags.filter((tag) => typeof tag === "string" || !(tag.format === "TIME" || /timestamp$/.test(tag.tag)));
  // As kubectl, only the first document counts.
  const documents = parseAllDocuments(text, { version: "1.1", customTags, uniqueKeys: false, logLevel: "silent" });
  const [document] = "empty" in documents ? [] : documents;
  if (document === undefined) return undefined;
  const [error] = document.errors;
  if (error !== undefined) {
    // The reader's own message quotes the file, and the file holds credentials.
    throw notOne(path, `it is not YAML: ${error.code}${error.linePos ? ` in line ${error.linePos[0].line}` : ""}`);
  }
  try {
    return document.toJS();
  } catch {
    throw notOne(path, "its YAML aliases cannot be resolved");
  }
}

function readList(path: string, value: unknown, kind: StanzaKind): ReadonlyMap<string, Stanza> {
  const stanzas = new Map<string, Stanza>();
  if (value === undefined || value === null) return stanzas;
  if (!Array.isArray(value)) throw notOne(path, `"${kind}s" is not a list`);
  for (const [index, entry] of value.entries()) {
    const stanza = readEntry(path, entry, kind);
    if (stanza === undefined) throw notOne(path, `"${kind}s[${index}]" is not a map with a name and a map "${kind}"`);
    if (stanzas.has(stanza.name)) {
      throw refuse(stanza, "the file has two of this name", "Remove or rename one of the two");
    }
    stanzas.set(stanza.name, stanza);
  }
  return stanzas;
}

function readEntry(file: string, entry: unknown, kind: StanzaKind): Stanza | undefined {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return undefined;
  const { name = "", [kind]: body = {} } = entry as Readonly<Record<string, unknown>>;
  if (typeof name !== "string" || (body !== null && typeof body !== "object") || Array.isArray(body)) return undefined;
  return { kind, name, file, body: (body ?? {}) as Readonly<Record<string, unknown>> };
}

function notOne(path: string, why: string): KubeError {
  return kubeconfigError(`read ${path}`, `it is not a kubeconfig: ${why}`);
}
