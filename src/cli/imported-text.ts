// pure
import { Document, Scalar, visit } from "yaml";
import { formatProblem } from "../api/problem.ts";
import type { Validator } from "../api/validate.ts";
import type { Imported } from "../import/imported-service.ts";
import { assertNever } from "../util/assert-never.ts";
import { printable, unprintable } from "../util/printable.ts";
import { isSameJson } from "../util/same-json.ts";
import { readManifests } from "./manifest-reader.ts";
import { plainJson, plainLine } from "./printable.ts";

/** One thing that was asked for, with what became of it. */
export interface ImportedItem {
  /** `service "api"`; may hold anything. */
  readonly title: string;
  readonly imported: Imported;
}

export interface ImportedText {
  readonly text: string;
  /** Manifests that can be applied as they are. */
  readonly written: number;
  /** Titles and reasons of everything else, one line each. */
  readonly leftOut: readonly string[];
}

/**
 * The output of an import: first what can be applied, in the order given, then what cannot, as comments with the reason.
 *
 * *Guarantees*: every document passes `validate` (it is read back and judged; what does not pass becomes a comment); text
 * from Northflank cannot end a comment or move the cursor of a terminal.
 */
export function formatImport(
  input: { readonly head: string; readonly items: readonly ImportedItem[] },
  validator: Validator,
): ImportedText {
  const judged = input.items.map((item) => ({ ...item, imported: judge(item.imported, validator) }));
  const written = judged.flatMap(({ imported }) => (imported.kind === "manifest" ? [documentOf(imported)] : []));
  const rest = judged.flatMap(({ title, imported }) => (imported.kind === "manifest" ? [] : [{ title, imported }]));
  const text = [comment(input.head), ...written.map((document) => `---\n${document}`), ...restText(rest)].join("");
  return { text, written: written.length, leftOut: rest.map((item) => leftOutLine(item)) };
}

type LeftOut = Exclude<Imported, { readonly kind: "manifest" }>;
type RestItem = { readonly title: string; readonly imported: LeftOut };

/** A manifest that is not read back as it was meant, or that the API server would refuse, is none. */
function judge(imported: Imported, validator: Validator): Imported {
  if (imported.kind === "left-out") return imported;
  const [document, ...more] = readManifests(toYaml(imported.manifest));
  const isReadBack = document !== undefined && more.length === 0 && document.problems.length === 0;
  if (!isReadBack || !isSameJson(document.value, imported.manifest)) {
    return { kind: "left-out", reason: "it has text that cannot be written in a manifest" };
  }
  // A draft is not valid before it was filled in.
  if (imported.kind === "draft") return imported;
  const [problem] = validator.validateManifest(document.value);
  if (problem === undefined) return imported;
  return { kind: "left-out", reason: `its manifest would be rejected: ${formatProblem(problem)}` };
}

function documentOf({ manifest, notes }: Imported & { readonly kind: "manifest" }): string {
  return `${notes.map(comment).join("")}${toYaml(manifest)}`;
}

/**
 * Quoted so that readers of YAML 1.1, kubectl among them, and of 1.2 see the same; what cannot be seen is escaped, because
 * it may be a line break to one of them, or move the cursor of a terminal.
 */
export function toYaml(manifest: object): string {
  const document = new Document(manifest, { compat: "yaml-1.1", aliasDuplicateObjects: false });
  visit(document, {
    Scalar: (_key, node) => {
      if (typeof node.value === "string" && inQuotes.test(node.value)) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  const text = document.toString({ lineWidth: 0, doubleQuotedMinMultiLineLength: Number.POSITIVE_INFINITY });
  const printed = text.replaceAll(unprintable, (character) => (character === "\n" ? character : escaped(character)));
  return plainJson(printed);
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

function restText(rest: readonly RestItem[]): readonly string[] {
  if (rest.length === 0) return [];
  return ["---\n", comment("Not imported:"), ...rest.map((item) => `#\n${restItemText(item)}`)];
}

function restItemText(item: RestItem): string {
  const { imported } = item;
  const line = comment(leftOutLine(item));
  switch (imported.kind) {
    case "left-out":
      return line;
    case "draft": {
      const draft = `${imported.notes.map(comment).join("")}${toYaml(imported.manifest)}`;
      return `${line}#\n${draft.trimEnd().split("\n").map(commentedOut).join("")}`;
    }
    default:
      return assertNever(imported, "import");
  }
}

function commentedOut(line: string): string {
  return `# ${line}\n`;
}

function leftOutLine({ title, imported }: RestItem): string {
  return printable(`${title}: ${imported.reason}.`.replace(/\.\.$/, "."));
}

/** What is escaped, and what a runner of GitHub Actions would take for a command: in quotes it begins no line. */
const inQuotes = new RegExp(`${unprintable.source}|^\\s*::|##\\[`, "u");

const commentWidth = 116;

/** Text as comment lines, folded at blanks; line breaks in it stay. */
function comment(text: string): string {
  const lines = text.split("\n").flatMap((line) => folded(plainLine(line)));
  return lines.map((line) => (line === "" ? "#\n" : `# ${line}\n`)).join("");
}

function folded(line: string): readonly string[] {
  if (line.startsWith(" ")) return [line];
  const lines: string[] = [];
  let start = 0;
  while (line.length - start > commentWidth) {
    const end = line.lastIndexOf(" ", start + commentWidth);
    if (end <= start || line.charAt(start) === " ") break;
    lines.push(line.slice(start, end));
    start = end + 1;
  }
  return [...lines, line.slice(start)];
}
