import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseAllDocuments,
  Scalar,
  visit,
  type YAMLMap,
} from "yaml";
import type { Path } from "../api/stored.ts";
import { formatKey, resolvePlainScalar } from "./manifest-scalars.ts";

/** A place in a text. */
export interface Position {
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
}

/** Something that kubectl would not read, or not read as it is meant. */
export interface ReadProblem {
  readonly position: Position;
  readonly path: Path;
  readonly rule: "syntax" | "duplicate-key" | "tag" | "key" | "alias" | "character";
  readonly message: string;
  readonly remedy: string;
}

/** One document of a file, as kubectl would read it. */
export interface ManifestDocument {
  /** The value that kubectl would send. Undefined when the document cannot be read. */
  readonly value: unknown;
  readonly problems: readonly ReadProblem[];
  /** Where the value at a path is written, or the nearest thing around it. */
  readonly locate: (path: Path) => Position;
}

/** What reading has cost, in steps that each take about the same time: for tests of how it grows. */
export interface ReadingWork {
  steps: number;
}

/** More nodes than this that come from aliases is an attack and no manifest. */
const maxAliasedNodes = 250_000;

/**
 * The documents of a YAML or JSON text, with the values that kubectl would make of them. Empty documents are left out.
 *
 * *Guarantees*: never throws; work grows with the text and no faster, but for aliases that multiply, where it is bounded.
 */
export function readManifests(given: string, work: ReadingWork = { steps: 0 }): readonly ManifestDocument[] {
  const text = withoutMarks(given);
  const control = rawControl.exec(text);
  if (control !== null) return [unprintable(text, control)];
  const lines = lineStarts(text);
  // kubectl takes a file for JSON by how it begins. Two braces are a template that was not rendered.
  const isJson = /^\s*\{(?!\{)/.test(text);
  const separator = isJson ? null : /^---[^\S\n]*[^\s#]/m.exec(text);
  if (separator !== null) {
    return [unread({ line: lines.linePos(separator.index).line, column: 1 }, separatorProblem)];
  }
  const pieces = isJson ? jsonValues(text, work) : [{ text, offset: 0 }];
  const documents = pieces.flatMap((piece) => readPiece({ ...piece, isJson, lines, work }));
  return documents.filter(({ value, problems }) => value !== null || problems.length > 0);
}

/**
 * The text without the byte order marks that stand at the beginning of a document, where files were joined, and with the
 * line breaks that YAML knows. Each other character keeps its line.
 */
function withoutMarks(text: string): string {
  const begun = text.startsWith("\uFEFF") ? text.slice(1) : text;
  const unmarked = begun.includes("\uFEFF") ? begun.replace(/^(---[^\S\n]*(?:#[^\n]*)?\n)\uFEFF/gm, "$1") : begun;
  return unmarked.includes("\r") ? unmarked.replace(/\r(?!\n)/g, "\n") : unmarked;
}

/** kubectl parts a file by these lines itself. */
const separatorProblem = {
  rule: "syntax",
  message: "has text after ---, which kubectl rejects",
  remedy: "write it on the next line",
} as const;

/** A part of a text that is parsed by itself. */
interface Piece {
  readonly text: string;
  /** Where it begins in the whole text. */
  readonly offset: number;
}

/** What is needed to read a document and to locate values in it. */
interface Source extends Piece {
  readonly isJson: boolean;
  /** Of the whole text. */
  readonly lines: LineCounter;
  readonly work: ReadingWork;
}

function readPiece(source: Source): readonly ManifestDocument[] {
  const fault = source.isJson ? jsonFault(source.text) : undefined;
  if (fault !== undefined) return [unread(positionAt(source, fault.offset), fault)];
  const directive = source.isJson ? null : /^(?:[^\S\n]*(?:#[^\n]*)?\n)*%/.exec(source.text);
  if (directive !== null) return [unread(positionAt(source, directive[0].length - 1), directiveProblem)];
  try {
    const parsed = parseAllDocuments(source.text, {
      schema: "failsafe",
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: "silent",
    });
    const documents = Array.isArray(parsed) ? parsed : [];
    return documents.map((document) => readDocument(document, source));
  } catch (error) {
    // The parser gives up, for example on a hundred thousand brackets.
    const message = error instanceof RangeError ? "is nested too deeply" : "cannot be read as YAML";
    return [unread({ line: 1, column: 1 }, { rule: "syntax", message, remedy: "" })];
  }
}

/** kubectl parts a file before it reads it, and then finds the directive alone. */
const directiveProblem = {
  rule: "syntax",
  message: "begins with a YAML directive, which kubectl cannot read",
  remedy: "remove the line",
} as const;

/** A document of which nothing is known but what is wrong. */
function unread(position: Position, problem: Omit<ReadProblem, "position" | "path">): ManifestDocument {
  return { value: undefined, problems: [{ ...problem, position, path: [] }], locate: () => position };
}

/** JSON objects that stand one after the other, as `jq` prints them. All of the text as one if it is anything else. */
function jsonValues(text: string, work: ReadingWork): readonly Piece[] {
  const whole = [{ text, offset: 0 }];
  const pieces: Piece[] = [];
  let depth = 0;
  let offset = 0;
  for (let at = 0; at < text.length; at += 1) {
    work.steps += 1;
    const character = text.charAt(at);
    if (depth === 0) {
      if (isBlank(character)) continue;
      if (character !== "{") return whole;
      offset = at;
    }
    if (character === '"') at = endOfString(text, at, work);
    if (character === "{" || character === "[") depth += 1;
    if (character === "}" || character === "]") depth -= 1;
    if (depth > 0) continue;
    if (character !== "}") return whole;
    pieces.push({ text: text.slice(offset, at + 1), offset });
  }
  return depth === 0 ? pieces : whole;
}

interface JsonFault extends Omit<ReadProblem, "position" | "path"> {
  /** In the piece. */
  readonly offset: number;
}

/** What keeps kubectl from reading a text as JSON; it reads YAML in braces no other way. */
function jsonFault(text: string): JsonFault | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    const [, place] = /position (\d+)/.exec(error instanceof Error ? error.message : "") ?? [];
    const offset = Math.min(Number(place ?? text.length), text.length);
    const message = "is not JSON, although it begins with {";
    return { rule: "syntax", message, remedy: jsonRemedy(text, offset), offset };
  }
}

function jsonRemedy(text: string, offset: number): string {
  const sign = text.charAt(offset);
  if (/[}\]]/.test(sign) && /,\s*$/.test(text.slice(0, offset))) return "remove the comma before it";
  if (sign === "/" || sign === "#") return "remove the comment, which JSON does not allow";
  if (sign === "'") return "write \" in place of '";
  if (sign === "-") return "write the values one after the other, without --- between them, or begin the file with ---";
  if (/[A-Za-z_]/.test(sign)) return 'put texts and names in "double quotes"';
  return sign === "" ? "something is missing at its end" : "";
}

function isBlank(character: string): boolean {
  return /^\s$/.test(character);
}

/** Where the quote stands that ends the string which begins at `start`; the end of the text when none does. */
function endOfString(text: string, start: number, work: ReadingWork): number {
  let at = start + 1;
  while (at < text.length && text.charAt(at) !== '"') {
    work.steps += 1;
    at += text.charAt(at) === "\\" ? 2 : 1;
  }
  return at;
}

/** Control characters that neither YAML nor JSON may hold as they are. */
const rawControl = /[^\P{Cc}\t\n\r\u007f-\u009f]/u;

/** kubectl refuses the whole file, whatever else is in it. */
function unprintable(text: string, { 0: character, index }: RegExpExecArray): ManifestDocument {
  const before = text.slice(0, index).split("\n");
  const position = { line: before.length, column: (before.at(-1) ?? "").length + 1 };
  const code = character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
  const message = `has the control character U+${code}`;
  return unread(position, {
    rule: "character",
    message,
    remedy: `remove it, or write it as "\\u${code}" in double quotes`,
  });
}

function readDocument(document: Document.Parsed, source: Source): ManifestDocument {
  const [error] = document.errors;
  if (error !== undefined) {
    const message = `cannot be read as YAML: ${firstLine(error.message)}`;
    return unread(positionAt(source, error.pos[0]), { rule: "syntax", message, remedy: "" });
  }
  const problems: ReadProblem[] = [];
  const lookup = new Lookup(document, source.work);
  const reader = new ValueReader({ lookup, source }, (problem, node) => {
    problems.push({ ...problem, position: positionOf(source, node) });
  });
  const value = reader.read(document.contents, []);
  return { value, problems, locate: (path) => positionOf(source, nodeAt({ document, lookup }, path)) };
}

/** `\\ud83d`, but not the text of a backslash and what follows. */
const surrogateEscape = /(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]/;

type Report = (problem: Omit<ReadProblem, "position">, node: Node) => void;

/**
 * Finds what an alias stands for and the pair of a key. Each answer costs a walk through the document or the map when it
 * is searched alone, so that there is one walk for all.
 */
class Lookup {
  readonly #document: Document.Parsed;
  readonly #work: ReadingWork;
  readonly #pairs = new Map<YAMLMap, ReadonlyMap<string, Pair>>();
  #targets: ReadonlyMap<Alias, Node | undefined> | undefined;

  constructor(document: Document.Parsed, work: ReadingWork) {
    this.#document = document;
    this.#work = work;
  }

  /** The node with the anchor that was written last before the alias. */
  target(alias: Alias): Node | undefined {
    this.#targets ??= this.#allTargets();
    return this.#targets.get(alias);
  }

  /** The key of a pair, as kubectl takes it. */
  keyOf({ key }: Pair): string | undefined {
    const node = isAlias(key) ? this.target(key) : key;
    if (!isScalar(node) || typeof node.value !== "string") return undefined;
    const isPlain = node.type === Scalar.PLAIN && node.tag === undefined;
    return formatKey(isPlain ? resolvePlainScalar(node.value) : node.value);
  }

  /** The last pair of a map with this key. */
  pair(map: YAMLMap, key: string): Pair | undefined {
    const known = this.#pairs.get(map) ?? this.#pairsOf(map);
    this.#pairs.set(map, known);
    return known.get(key);
  }

  #pairsOf(map: YAMLMap): ReadonlyMap<string, Pair> {
    const pairs = new Map<string, Pair>();
    for (const pair of map.items) {
      this.#work.steps += 1;
      const key = this.keyOf(pair);
      if (key !== undefined) pairs.set(key, pair);
    }
    return pairs;
  }

  #allTargets(): ReadonlyMap<Alias, Node | undefined> {
    const anchors = new Map<string, Node>();
    const targets = new Map<Alias, Node | undefined>();
    visit(this.#document, {
      Node: (_key, node) => {
        this.#work.steps += 1;
        if (isAlias(node)) targets.set(node, anchors.get(node.source));
        else if (node.anchor !== undefined) anchors.set(node.anchor, node);
      },
    });
    return targets;
  }
}

/** Reads one document. Holds the count of nodes seen through aliases, and the aliases it is inside of. */
class ValueReader {
  readonly #lookup: Lookup;
  readonly #source: Source;
  readonly #report: Report;
  readonly #open = new Set<Node>();
  #aliased = 0;

  constructor(read: { readonly lookup: Lookup; readonly source: Source }, report: Report) {
    this.#lookup = read.lookup;
    this.#source = read.source;
    this.#report = report;
  }

  read(node: unknown, path: Path): unknown {
    if (!isNode(node)) return null;
    this.#source.work.steps += 1;
    // What is written out is bounded by the text itself.
    if (this.#open.size > 0) this.#aliased += 1;
    if (this.#aliased === maxAliasedNodes)
      this.#report(aliasProblem(path, "expands to more values than a manifest has"), node);
    if (this.#aliased >= maxAliasedNodes) return null;
    if (isAlias(node)) return this.#readAlias(node, path);
    if (isScalar(node)) {
      this.#checkCharacters(node, path);
      return this.#readScalar(node, path);
    }
    if (isSeq(node)) return node.items.map((item, index) => this.read(item, [...path, index]));
    return isMap(node) ? this.#readMap(node, path) : null;
  }

  #readAlias(node: Alias, path: Path): unknown {
    const target = this.#lookup.target(node);
    if (target === undefined || this.#open.has(target)) {
      this.#report(aliasProblem(path, "is an alias of itself or of an anchor that does not exist"), node);
      return null;
    }
    this.#open.add(target);
    const value = this.read(target, path);
    this.#open.delete(target);
    return value;
  }

  #readScalar(node: Scalar, path: Path): unknown {
    if (node.value instanceof Uint8Array) return Buffer.from(node.value).toString("utf8");
    const text = typeof node.value === "string" ? node.value : "";
    switch (node.tag) {
      case undefined:
        return node.type === Scalar.PLAIN || node.type === undefined ? resolvePlainScalar(text) : text;
      case "tag:yaml.org,2002:str":
      case "tag:yaml.org,2002:timestamp":
        return text;
      case "tag:yaml.org,2002:int":
      case "tag:yaml.org,2002:float":
      case "tag:yaml.org,2002:bool":
      case "tag:yaml.org,2002:null":
        return resolvePlainScalar(text);
      default:
        this.#report({ path, rule: "tag", message: "has a tag that has no meaning here", remedy: "remove it" }, node);
        return text;
    }
  }

  /**
   * Half of a character can be written, as an escape, but not stored. YAML, unlike JSON, does not know characters that
   * are written as two escapes either.
   */
  #checkCharacters(node: Scalar, path: Path): void {
    if (typeof node.value !== "string" || !/[\ud800-\udfff]/.test(node.value)) return;
    const [start, end] = node.range ?? [0, 0];
    const written = this.#source.text.slice(start, end);
    if (/\p{Surrogate}/u.test(node.value)) {
      const message = "has half of a character (a lone surrogate), which cannot be stored";
      this.#report({ path, rule: "character", message, remedy: "write the whole character" }, node);
    } else if (!this.#source.isJson && node.type === Scalar.QUOTE_DOUBLE && surrogateEscape.test(written)) {
      const message = "has a character written as two escapes, which is not valid in YAML";
      this.#report(
        { path, rule: "character", message, remedy: "write it as it is, or as one escape: \\U0001F600" },
        node,
      );
    }
  }

  /** Pairs in the order of the text: a later one wins, and a merge (`<<`) stands where it is written. */
  #readMap(node: YAMLMap, path: Path): Readonly<Record<string, unknown>> {
    const entries = new Map<string, unknown>();
    const written = new Set<string>();
    for (const pair of node.items) {
      if (isMergeKey(pair)) {
        for (const [key, value] of this.#readMerge(pair, path)) entries.set(key, value);
        continue;
      }
      const key = this.#readKey(pair, path);
      if (key === undefined) continue;
      if (written.has(key) && isNode(pair.key)) this.#report(duplicateKey([...path, key]), pair.key);
      if (isScalar(pair.key)) this.#checkCharacters(pair.key, [...path, key]);
      written.add(key);
      entries.set(key, this.read(pair.value, [...path, key]));
    }
    return Object.fromEntries(entries);
  }

  #readMerge(pair: Pair, path: Path): readonly (readonly [string, unknown])[] {
    const value = this.read(pair.value, path);
    const sources: readonly unknown[] = Array.isArray(value) ? value.toReversed() : [value];
    return sources.flatMap((source) => (typeof source === "object" && source !== null ? Object.entries(source) : []));
  }

  #readKey(pair: Pair, path: Path): string | undefined {
    const key = this.#lookup.keyOf(pair);
    if (key !== undefined) return key;
    const node = isNode(pair.key) ? pair.key : isNode(pair.value) ? pair.value : undefined;
    // This is what {{ .Values.name }} is in YAML.
    const remedy = isMap(pair.key) ? "render the template first, or put it in quotes" : "put it in quotes";
    const problem = { path, rule: "key", message: "has a key that is not a string", remedy } as const;
    if (node !== undefined) this.#report(problem, node);
    return undefined;
  }
}

function isMergeKey({ key }: Pair): boolean {
  return isScalar(key) && key.type === Scalar.PLAIN && key.value === "<<";
}

function aliasProblem(path: Path, message: string): Omit<ReadProblem, "position"> {
  return { path, rule: "alias", message, remedy: "write the value out" };
}

function duplicateKey(path: Path): Omit<ReadProblem, "position"> {
  return {
    path,
    rule: "duplicate-key",
    message: "is set twice, and the last one counts",
    remedy: "remove one of the two",
  };
}

/** What is written at a path: the key of a field, the item of a list; the nearest thing around it if it is missing. */
function nodeAt(
  { document, lookup }: { readonly document: Document.Parsed; readonly lookup: Lookup },
  path: Path,
): Node | undefined {
  let found: Node | undefined = isNode(document.contents) ? document.contents : undefined;
  let inner: unknown = document.contents;
  for (const part of path) {
    const container: unknown = isAlias(inner) ? lookup.target(inner) : inner;
    const next = isSeq(container) ? container.items[Number(part)] : pairAt(container, String(part), lookup);
    if (next === undefined) break;
    inner = isPair(next) ? next.value : next;
    const shown: unknown = isPair(next) ? next.key : next;
    if (isNode(shown)) found = shown;
  }
  return found;
}

function pairAt(container: unknown, key: string, lookup: Lookup): Pair | undefined {
  return isMap(container) ? lookup.pair(container, key) : undefined;
}

function positionOf(source: Source, node: Node | undefined): Position {
  return positionAt(source, node?.range?.[0] ?? 0);
}

/** `offset` is from the beginning of the piece. */
function positionAt(source: Source, offset: number): Position {
  const { line, col } = source.lines.linePos(source.offset + offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function lineStarts(text: string): LineCounter {
  const lines = new LineCounter();
  for (let start = 0; start >= 0; start = text.indexOf("\n", start) + 1 || -1) lines.addNewLine(start);
  return lines;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}
