// pure
import type { Planned, PlannedChange } from "../plan/planned.ts";
import { assertNever } from "../util/assert-never.ts";
import type { Finding, OutputFormat } from "./manifest-report.ts";
import { githubProperty, githubText, plainJson, plainLine, shownFile } from "./printable.ts";

/** One object with what applying it would come to. */
export interface PlanEntry {
  readonly file: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** `service "api" of project "shop"` */
  readonly target: string;
  readonly planned: Planned;
  /** Where the object begins, or the field with this path is written; from 1. */
  readonly lineOf: (changePath?: string) => number;
}

export interface PlanReport {
  readonly entries: readonly PlanEntry[];
  /** What is wrong with the manifests; then nothing was planned. */
  readonly findings: readonly Finding[];
  /** Requests that were sent. */
  readonly requests: number;
}

/** How many objects came to what. */
export type PlanSummary = Readonly<Record<Planned["kind"], number>>;

export function summarize(entries: readonly PlanEntry[]): PlanSummary {
  const count = (kind: Planned["kind"]) => entries.filter(({ planned }) => planned.kind === kind).length;
  return {
    same: count("same"),
    change: count("change"),
    start: count("start"),
    held: count("held"),
    error: count("error"),
  };
}

/** The whole output of a plan, with a line break at the end. */
export function formatPlan(format: OutputFormat, report: PlanReport): string {
  switch (format) {
    case "text":
      return lines([...report.entries.flatMap(textLines), summaryLine(report)]);
    case "json":
      return `${plainJson(JSON.stringify(jsonReport(report), undefined, 2))}\n`;
    case "github":
      return lines([...report.entries.flatMap(githubLines), summaryLine(report)]);
    default:
      return assertNever(format, "output format");
  }
}

function textLines(entry: PlanEntry): readonly string[] {
  const { file, kind, name, planned } = entry;
  const notes = "notes" in planned ? planned.notes : [];
  // What is as declared and has nothing to say would only hide the rest.
  if (planned.kind === "same" && notes.length === 0) return [];
  return [
    plainLine(`${shownFile(file)}:${entry.lineOf()}: ${kind} ${name}: ${headline(entry)}`),
    ...changesOf(planned).map((change) => plainLine(`  ~ ${changeText(change)}`)),
    ...notes.map((note) => plainLine(`  (${note})`)),
  ];
}

function headline({ planned, target }: PlanEntry): string {
  switch (planned.kind) {
    case "same":
      return `${target} is as declared`;
    case "change":
      return `${target} would be changed`;
    case "start":
      return `a run of ${target} would be started, unless the cluster has this object already`;
    case "held":
      return `${target} would be left as it is: ${planned.why}`;
    case "error":
      return `${target}: ${planned.message}`;
    default:
      return assertNever(planned, "plan");
  }
}

function changeText({ path, from, to }: PlannedChange): string {
  return `${path}: ${from ?? "(not set)"} -> ${to ?? "(not set)"}`;
}

function changesOf(planned: Planned): readonly PlannedChange[] {
  return "changes" in planned ? planned.changes : [];
}

function summaryLine({ entries, requests }: PlanReport): string {
  const { same, change, start, held, error } = summarize(entries);
  const parts = [
    `${change} to change`,
    `${start} run${start === 1 ? "" : "s"} to start`,
    `${same} as declared`,
    ...(held > 0 ? [`${held} left as they are`] : []),
    ...(error > 0 ? [`${error} with errors`] : []),
  ];
  return `Plan: ${parts.join(", ")}; ${requests} request${requests === 1 ? "" : "s"} to Northflank.`;
}

function jsonReport({ entries, findings, requests }: PlanReport): object {
  const objects = entries.map((entry) => {
    const { file, kind, namespace, name, target, planned } = entry;
    return {
      file,
      line: entry.lineOf(),
      kind,
      namespace,
      name,
      target,
      result: planned.kind,
      changes: changesOf(planned).map((change) => ({ ...change, line: entry.lineOf(change.path) })),
      notes: "notes" in planned ? planned.notes : [],
      message: headline(entry),
    };
  });
  return { objects, findings, summary: summarize(entries), requests };
}

/** Workflow commands of GitHub Actions: one per field, shown beside the line where the field is written. */
function githubLines(entry: PlanEntry): readonly string[] {
  const { planned } = entry;
  const { kind } = planned;
  if (kind === "same") return [];
  const level = kind === "error" ? "error" : kind === "held" ? "warning" : "notice";
  const changes = changesOf(planned).map((change) => command(entry, level, changeText(change), change.path));
  const notes = "notes" in planned ? planned.notes : [];
  const own =
    kind === "change" && notes.length === 0 ? [] : [command(entry, level, [headline(entry), ...notes].join(" "))];
  return [...own, ...changes];
}

function command(entry: PlanEntry, level: string, message: string, changePath?: string): string {
  const { file, kind, name } = entry;
  const place = file === "-" ? "" : `file=${githubProperty(file)},line=${entry.lineOf(changePath)},`;
  return `::${level} ${place}title=${githubProperty(`${kind} ${name}`)}::${githubText(message)}`;
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join("");
}
