// pure
import { formatDuration } from "../util/duration.ts";
import { present } from "../util/present.ts";
import { plainJson, plainLine } from "./printable.ts";

export const budgetFormats = ["table", "json"] as const;
export type BudgetFormat = (typeof budgetFormats)[number];

/** Requests of one row. */
export interface SpentBy<T> {
  readonly by: T;
  readonly requests: number;
}

/** An object, or a list that is read for many. */
export interface ShownSpender {
  readonly kind: string;
  /** Empty for a list. */
  readonly namespace: string;
  readonly name: string;
}

/** The quota of one account, as far as it is known. Rows are sorted, the largest first. */
export interface AccountBudget {
  readonly account: string;
  readonly limit?: number | undefined;
  /** Requests of all clients in this window; missing where `remaining` is rounded. */
  readonly used?: number | undefined;
  readonly remaining?: number | undefined;
  /** Until the quota is reset; missing where that is over. */
  readonly resetInMs?: number | undefined;
  /** Requests that the operator sent in this window. */
  readonly sent?: number | undefined;
  /** Requests of other clients of the account: people, CI, another operator. */
  readonly sentByOthers?: number | undefined;
  readonly waiting?: number | undefined;
  /** Whether requests are sent, or why not. */
  readonly state?: string | undefined;
  /** Requests that were postponed in this window; one that is postponed again counts again. */
  readonly deferred?: number | undefined;
  /** How many times longer than usual the intervals of polls are, and the periods of checks for drift. */
  readonly pollStretch?: number | undefined;
  readonly checkStretch?: number | undefined;
  /** Why they are longer. */
  readonly message?: string | undefined;
  /** How old the figures are; missing: they are those of this moment. */
  readonly ageMs?: number | undefined;
  /** Connections that spend from it, as `namespace/name`. */
  readonly connections?: readonly string[] | undefined;
  readonly classes?: readonly SpentBy<string>[];
  readonly kinds?: readonly SpentBy<string>[];
  readonly namespaces?: readonly SpentBy<string>[];
  readonly spenders?: readonly SpentBy<ShownSpender>[];
}

/** Where the figures come from: JSON says so. */
export type BudgetSource = "metrics" | "cluster";

/** The whole output, with a line break at the end. Names are printed in full, without what is not printable. */
export function formatBudget(format: BudgetFormat, source: BudgetSource, accounts: readonly AccountBudget[]): string {
  if (format === "json") {
    const report = { source, accounts: accounts.map(jsonAccount) };
    return `${plainJson(JSON.stringify(report, undefined, 2))}\n`;
  }
  const blocks = [summaryTable(accounts), ...accounts.map(detailsOf)].filter((lines) => lines.length > 0);
  return blocks.map((lines) => lines.map((line) => `${plainLine(line)}\n`).join("")).join("\n");
}

function jsonAccount(budget: AccountBudget): object {
  const { account, limit, used, remaining, resetInMs, sent, waiting, state, ageMs, connections } = budget;
  const toSeconds = (ms: number | undefined) => (ms === undefined ? undefined : Math.round(ms / 1_000));
  const rows = (spent: readonly SpentBy<string>[] | undefined, name: string) =>
    spent?.map(({ by, requests }) => ({ [name]: by, requests }));
  return present({
    account,
    limit,
    used,
    remaining,
    resetSeconds: toSeconds(resetInMs),
    sent,
    sentByOthers: budget.sentByOthers,
    waiting,
    deferred: budget.deferred,
    state,
    pollStretch: budget.pollStretch,
    checkStretch: budget.checkStretch,
    message: budget.message,
    ageSeconds: toSeconds(ageMs),
    connections,
    classes: rows(budget.classes, "class"),
    kinds: rows(budget.kinds, "kind"),
    namespaces: rows(budget.namespaces, "namespace"),
    spenders: budget.spenders?.map(({ by, requests }) => ({ ...by, requests })),
  });
}

interface Column {
  readonly title: string;
  /** `undefined`: not known. */
  readonly cell: (budget: AccountBudget) => string | undefined;
}

const columns: readonly Column[] = [
  { title: "ACCOUNT", cell: ({ account }) => account },
  { title: "LIMIT", cell: ({ limit }) => countText(limit) },
  { title: "USED", cell: ({ used }) => countText(used) },
  { title: "LEFT", cell: ({ remaining }) => countText(remaining) },
  { title: "RESETS IN", cell: ({ resetInMs }) => durationText(resetInMs) },
  { title: "WAITING", cell: ({ waiting }) => countText(waiting) },
  { title: "DEFERRED", cell: ({ deferred }) => countText(deferred) },
  { title: "POLL STRETCH", cell: ({ pollStretch }) => factorText(pollStretch) },
  { title: "CHECK STRETCH", cell: ({ checkStretch }) => factorText(checkStretch) },
  { title: "STATE", cell: ({ state }) => state },
  { title: "AGE", cell: ({ ageMs }) => durationText(ageMs) },
  { title: "CONNECTIONS", cell: ({ connections }) => connections?.join(",") },
];

/** One line per account, without the columns that none of them has a value for. */
function summaryTable(accounts: readonly AccountBudget[]): readonly string[] {
  const shown = columns.filter(({ cell }) => accounts.some((budget) => cell(budget) !== undefined));
  return table([
    shown.map(({ title }) => title),
    ...accounts.map((budget) => shown.map(({ cell }) => cell(budget) ?? "-")),
  ]);
}

function detailsOf(budget: AccountBudget): readonly string[] {
  const { account, message, sentByOthers, classes = [], kinds = [], namespaces = [], spenders = [] } = budget;
  const byOthers = sentByOthers === undefined ? [] : [{ by: "(other clients)", requests: sentByOthers }];
  const parts = [
    message === undefined ? [] : [message],
    ...(classes.length > 0 ? [rowsOf("CLASS", [...classes, ...byOthers])] : []),
    rowsOf("KIND", kinds),
    rowsOf(
      "NAMESPACE",
      namespaces.map(({ by, requests }) => ({ by: by === "" ? "(lists)" : by, requests })),
    ),
    spendersOf(spenders),
  ].filter((lines) => lines.length > 0);
  if (parts.length === 0) return [];
  return [account, ...parts.flatMap((lines, index) => (index === 0 ? lines : ["", ...lines])).map(indented)];
}

function indented(line: string): string {
  return line === "" ? "" : `  ${line}`;
}

function rowsOf(title: string, rows: readonly SpentBy<string>[]): readonly string[] {
  if (rows.length === 0) return [];
  return table([["REQUESTS", title], ...rows.map(({ by, requests }) => [countText(requests) ?? "-", shownName(by)])]);
}

function spendersOf(rows: readonly SpentBy<ShownSpender>[]): readonly string[] {
  if (rows.length === 0) return [];
  const cells = rows.map(({ by, requests }) => {
    return [countText(requests) ?? "-", by.kind, shownName(by.namespace), objectText(by)];
  });
  return table([["REQUESTS", "KIND", "NAMESPACE", "OBJECT"], ...cells]);
}

function shownName(name: string): string {
  if (name === "") return "-";
  return name === "*" ? "(all others)" : name;
}

/** A list is named for what is listed: it has no name of its own. */
function objectText({ kind, name }: ShownSpender): string {
  const [project = "", job = ""] = name.split("/");
  switch (kind) {
    case "ServiceList":
      return `services of project "${project}"`;
    case "JobList":
      return `jobs of project "${project}"`;
    case "RunList":
      return `runs of job "${job}" of project "${project}"`;
    case "Other":
      return "checks of tokens";
    default:
      return name;
  }
}

function countText(count: number | undefined): string | undefined {
  return count === undefined ? undefined : String(Math.round(count));
}

function factorText(factor: number | undefined): string | undefined {
  return factor === undefined ? undefined : `${Math.round(factor * 100) / 100}x`;
}

function durationText(durationMs: number | undefined): string | undefined {
  if (durationMs === undefined) return undefined;
  return durationMs < 1_000 ? "0s" : formatDuration(durationMs);
}

/** Cells in columns, as kubectl aligns them. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), 0),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("   ")
      .trimEnd(),
  );
}
