/** Value below which `share` of the values lie (nearest rank). NaN for no values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** One line of the report: what was measured for the operator and for the control, and what is aimed at. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly control: number;
  /** What the ratio or the absolute value shall be; left out for figures without a target. */
  readonly target?: { readonly of: "ratio" | "ours"; readonly relation: "<=" | ">=" | "=="; readonly value: number };
}

/** `undefined`: there is no target, or this run did not measure what it is about. */
export function meetsTarget(figure: Figure): boolean | undefined {
  const { target } = figure;
  if (target === undefined) return undefined;
  const value = target.of === "ours" ? figure.ours : figure.ours / figure.control;
  if (Number.isNaN(value)) return undefined;
  if (target.relation === "<=") return value <= target.value;
  return target.relation === ">=" ? value >= target.value : value === target.value;
}

/** The figures as a table for people, one line each, ratio to the control and target included. */
export function renderFigures(figures: readonly Figure[]): string {
  const header = ["figure", "operator", "control", "ratio", "target", ""];
  const rows = figures.map((figure) => [
    figure.unit === "" ? figure.name : `${figure.name}, ${figure.unit}`,
    number(figure.ours),
    number(figure.control),
    number(figure.ours / figure.control),
    describeTarget(figure),
    verdict(figure),
  ]);
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)));
  const aligned = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0);
  return [header, ...rows].map((row) => row.map(aligned).join("  ").trimEnd()).join("\n");
}

function number(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (value === 0 || value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}

function describeTarget({ target }: Figure): string {
  if (target === undefined) return "";
  return `${target.of === "ratio" ? "ratio " : ""}${target.relation} ${target.value}`;
}

function verdict(figure: Figure): string {
  const met = meetsTarget(figure);
  if (met === undefined) return "";
  return met ? "met" : "MISSED";
}
