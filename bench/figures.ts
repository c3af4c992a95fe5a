/** Value below which `share` of the values lie (nearest rank). NaN for no values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** The middle value, or the mean of the two in the middle. NaN for no values. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

/** One line of the report: what each round measured for the operator and for the control, and what is aimed at. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly control: readonly number[];
  /** The target of the ratio or of the absolute value; not set for figures without one. */
  readonly target?: { readonly of: "ratio" | "ours"; readonly relation: "<=" | ">=" | "=="; readonly value: number };
}

/** The median of the ratios of the rounds: what slows the machine down for a round slows down both of its halves. */
export function ratioOf({ ours, control }: Figure): number {
  return median(ours.map((value, round) => value / (control[round] ?? Number.NaN)));
}

/** `undefined`: there is no target, or this run did not measure what it is about. */
export function meetsTarget(figure: Figure): boolean | undefined {
  const { target } = figure;
  if (target === undefined) return undefined;
  const value = target.of === "ours" ? median(figure.ours) : ratioOf(figure);
  if (Number.isNaN(value)) return undefined;
  if (target.relation === "<=") return value <= target.value;
  return target.relation === ">=" ? value >= target.value : value === target.value;
}

/** The figures as a table for people, one line each, ratio to the control and target included. */
export function renderFigures(figures: readonly Figure[]): string {
  const header = ["figure", "operator", "control", "ratio", "target", ""];
  const rows = figures.map((figure) => [
    figure.unit === "" ? figure.name : `${figure.name}, ${figure.unit}`,
    number(median(figure.ours)),
    number(median(figure.control)),
    number(ratioOf(figure)),
    describeTarget(figure),
    readyState(figure),
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

function readyState(figure: Figure): string {
  const met = meetsTarget(figure);
  if (met === undefined) return "";
  return met ? "met" : "MISSED";
}
