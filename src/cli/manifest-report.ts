// pure
import { assertNever } from "../util/assert-never.ts";
import { githubProperty, githubText, plainJson, plainLine, shownFile } from "./printable.ts";

export type OutputFormat = "text" | "json" | "github";

export const outputFormats: readonly OutputFormat[] = ["text", "json", "github"];

/** One thing that is wrong, and where. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Kind and name of the object, as far as they are known. */
  readonly kind: string;
  readonly name: string;
  readonly field: string;
  readonly rule: string;
  readonly message: string;
  readonly remedy: string;
}

/** What was checked, in numbers. */
export interface Summary {
  /** Objects of our kinds. */
  readonly checked: number;
  /** How many of those are bad. */
  readonly bad: number;
  /** Documents that are not ours. */
  readonly skipped: number;
}

/**
 * The whole output of a check, with a line break at the end. `notes` are good to know and nothing is wrong with them:
 * JSON goes without them, because whatever is listed there is wrong.
 */
export function formatReport(
  format: OutputFormat,
  findings: readonly Finding[],
  summary: Summary,
  notes: readonly Finding[] = [],
): string {
  switch (format) {
    case "text":
      return lines([...findings.map(textLine), ...notes.map(noteLine), summaryLine(summary)]);
    case "json":
      return `${plainJson(JSON.stringify(findings.map(jsonEntry), undefined, 2))}\n`;
    case "github":
      return lines([
        ...findings.map((finding) => githubLine("error", finding)),
        ...notes.map((note) => githubLine("notice", note)),
        summaryLine(summary),
      ]);
    default:
      return assertNever(format, "output format");
  }
}

/** What is said of input without any object of ours: a wrong path would else pass for a check. */
export function nothingOfOurs(paths: readonly string[]): string {
  const places = paths.map((path) => (path === "-" ? "standard input" : shownFile(path))).join(", ");
  return plainLine(`no manifest of this operator in ${places}; name other files, or allow this with --allow-empty`);
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}

function textLine(finding: Finding): string {
  const { file, line, column, rule } = finding;
  return plainLine(`${shownFile(file)}:${line}:${column}: ${subject(finding)}${sentence(finding)} [${rule}]`);
}

function noteLine(note: Finding): string {
  const { file, line, column, rule } = note;
  return plainLine(`${shownFile(file)}:${line}:${column}: ${subject(note)}note: ${sentence(note)} [${rule}]`);
}

function jsonEntry(finding: Finding): object {
  const { file, line, column, kind, name, field, rule } = finding;
  return { file, line, column, kind, name, field, rule, message: withRemedy(finding) };
}

/** A workflow command of GitHub Actions, which shows the problem beside the line. */
function githubLine(command: "error" | "notice", finding: Finding): string {
  const place = finding.file === "-" ? "" : `file=${githubProperty(finding.file)},`;
  const title = githubProperty(`${finding.kind || "manifest"}: ${finding.rule}`);
  const where = `${place}line=${finding.line},col=${finding.column},title=${title}`;
  return `::${command} ${where}::${githubText(`${subject(finding)}${sentence(finding)}`)}`;
}

function subject({ kind, name }: Finding): string {
  return kind === "" ? "" : `${kind} ${name === "" ? "without name" : name}: `;
}

function sentence(finding: Finding): string {
  return finding.field === "" ? withRemedy(finding) : `${finding.field}: ${withRemedy(finding)}`;
}

function withRemedy({ message, remedy }: Finding): string {
  return remedy === "" ? message : `${message} (${remedy})`;
}

function summaryLine({ checked, bad, skipped }: Summary): string {
  const result = bad === 0 ? "all good" : `${bad} bad`;
  const others = skipped === 0 ? "" : `; ${counted(skipped, "document")} of other kinds skipped`;
  return `${counted(checked, "manifest")} checked, ${checked === 0 ? "none is of this operator" : result}${others}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
