import { isMap, isNode, LineCounter, parseDocument, type Range, type ScalarTag, type Tags, visit } from "yaml";
import { badRequest } from "./status-errors.ts";
import { isObject, type JsonObject } from "./types.ts";

/** A decoded request body. */
export interface Body {
  readonly value: unknown;
  /** Dotted paths of keys that stand more than once in one object; the last one won. */
  readonly duplicates: readonly string[];
}

/**
 * Reads a JSON body.
 *
 * *Errors*: throws a `SyntaxError` when it is no JSON.
 */
export function readJson(text: string): Body {
  const value: unknown = JSON.parse(wholeCharacters(text));
  return { value, duplicates: duplicateKeys(text) };
}

/** Go puts U+FFFD in the place of half a character, which JSON can hold as an escape only. */
function wholeCharacters(text: string): string {
  if (!/\\u[dD][89a-fA-F]/.test(text)) return text;
  const escaped = /\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\ud[89a-f][0-9a-f]{2}/gi;
  return text.replaceAll(escaped, (found) => (found.length === 6 ? "\\ufffd" : found));
}

/**
 * Reads a YAML (or JSON) body the way the API server does: YAML 1.1, where `y`, `no` and `on` are booleans and `010` is
 * eight, but times and base-60 numbers stay text.
 *
 * *Errors*: 400 when it is no YAML, and, when `strict`, when a key stands twice.
 */
export function readYaml(text: string, strict: boolean): Body {
  // Most bodies that may be YAML are JSON, which is much faster to read. Duplicates are reported with their lines.
  const json = text.startsWith("{") ? jsonOrNothing(text) : undefined;
  if (json !== undefined && json.duplicates.length === 0) return json;
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { uniqueKeys: false, version: "1.1", customTags: serverTags, lineCounter });
  const lineOf = (node: { readonly range?: Range | null | undefined }): number =>
    lineCounter.linePos(node.range?.[0] ?? 0).line;
  const fault = document.errors[0];
  if (fault !== undefined) throw noYaml(fault.linePos?.[0].line ?? 1, firstLine(fault.message));
  const duplicates: { readonly name: string; readonly line: number }[] = [];
  visit(document, {
    Alias(_, node) {
      if (node.resolve(document) === undefined)
        throw noYaml(lineOf(node), `unknown anchor '${node.source}' referenced`);
    },
    Scalar(_, node) {
      const written = text.slice(...(node.range?.slice(0, 2) ?? [0, 0]));
      if (node.type !== "QUOTE_DOUBLE" || !surrogateEscape.test(written)) return;
      throw noYaml(lineOf(node), "found invalid Unicode character escape code");
    },
    Map(_, node) {
      if (!isMap(node)) return;
      const seen = new Set<string>();
      for (const { key } of node.items) {
        const name = String(key);
        const offset = isNode(key) ? (key.range?.[0] ?? 0) : 0;
        if (seen.has(name)) duplicates.push({ name, line: lineCounter.linePos(offset).line });
        seen.add(name);
      }
    },
  });
  if (strict && duplicates.length > 0) {
    throw badRequest(
      "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n" +
        duplicates.map(({ name, line }) => `  line ${line}: key ${JSON.stringify(name)} already set in map`).join("\n"),
    );
  }
  return { value: document.toJS() as unknown, duplicates: duplicates.map(({ name }) => name) };
}

/** Go's parser knows a character beyond 16 bits as one escape only. */
const surrogateEscape = /(?<!\\)(?:\\\\)*\\u[dD][89a-fA-F]/;

function noYaml(line: number, detail: string): Error {
  return badRequest(`error decoding YAML: error converting YAML to JSON: yaml: line ${line}: ${detail}`);
}

function jsonOrNothing(text: string): Body | undefined {
  try {
    return readJson(text);
  } catch {
    // Not JSON: the caller reads it as YAML and reports what is wrong there.
    return undefined;
  }
}

/** Read otherwise than the library does: times stay text, bytes become text, and `0o17` is a number too. */
const readOtherwise = new Set(["tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:binary"]);

function serverTags(tags: Tags): Tags {
  const kept = tags.filter((tag) => {
    if (typeof tag === "string") return true;
    return !readOtherwise.has(tag.tag) && tag.format !== "TIME";
  });
  return [...kept, binary, newOctal];
}

const binary: ScalarTag = {
  tag: "tag:yaml.org,2002:binary",
  resolve: (text) => Buffer.from(text, "base64").toString("utf8"),
};

const newOctal: ScalarTag = {
  tag: "tag:yaml.org,2002:int",
  default: true,
  test: /^[-+]?0o[0-7_]+$/,
  resolve: (text) => Number(text.replaceAll(/[_+]/g, "")),
};

/** The object in a body, or a reason why there is none, worded as the API server words it. */
export function objectIn(value: unknown, text: string, kind: string): JsonObject {
  if (isObject(value)) return value;
  const got = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  throw badRequest(
    `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: json: ` +
      `cannot unmarshal ${got} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; ` +
      `Kind string "json:\\"kind,omitempty\\"" } (${Buffer.from(text.slice(0, 100)).toString("hex")})`,
  );
}

function firstLine(text: string): string {
  return text.split("\n")[0] ?? "";
}

interface Level {
  /** Names seen so far in an object; `undefined` for a list. */
  readonly names: Set<string> | undefined;
  /** Where the value under way stands: its name, or its index. */
  at: string;
  index: number;
}

/** Finds repeated keys in JSON that is known to be well-formed. */
function duplicateKeys(text: string): readonly string[] {
  const found: string[] = [];
  const levels: Level[] = [];
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],]/g;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const level = levels.at(-1);
    switch (match[0]) {
      case "{":
        levels.push({ names: new Set(), at: "", index: 0 });
        break;
      case "[":
        levels.push({ names: undefined, at: "[0]", index: 0 });
        break;
      case "}":
      case "]":
        levels.pop();
        break;
      case ",":
        if (level !== undefined && level.names === undefined) level.at = `[${++level.index}]`;
        break;
      default:
        if (level?.names === undefined || !isKey(text, token.lastIndex)) break;
        level.at = JSON.parse(match[0]) as string;
        if (level.names.has(level.at)) found.push(pathOf(levels));
        level.names.add(level.at);
    }
  }
  return found;
}

function isKey(text: string, from: number): boolean {
  let at = from;
  while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at++;
  return text[at] === ":";
}

function pathOf(levels: readonly Level[]): string {
  return levels
    .map(({ at }) => (at.startsWith("[") ? at : `.${at}`))
    .join("")
    .slice(1);
}
