import type { PeerName } from "./peers.ts";

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

/** What the operator is compared with. */
export type ControlName = Exclude<PeerName, "operator">;

/** What is aimed at: a ratio to a control, or without `to` an absolute value. */
export interface Target {
  readonly to?: ControlName;
  readonly relation: "<=" | ">=" | "==";
  readonly value: number;
}

/** One line of the report: what each round measured for the operator and for the controls, and what is aimed at. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly controls: Readonly<Partial<Record<ControlName, readonly number[]>>>;
  /** None for figures that are only shown. */
  readonly targets?: readonly Target[];
}

/** The median of the ratios of the rounds: what slows the machine down for a round slows down every program in it. */
export function ratioOf({ ours, controls }: Figure, to: ControlName): number {
  return median(ours.map((value, round) => value / (controls[to]?.[round] ?? Number.NaN)));
}

/** `undefined`: this run did not measure what the target is about. */
export function meetsTarget(figure: Figure, { to, relation, value: wanted }: Target): boolean | undefined {
  const value = to === undefined ? median(figure.ours) : ratioOf(figure, to);
  if (Number.isNaN(value)) return undefined;
  if (relation === "<=") return value <= wanted;
  return relation === ">=" ? value >= wanted : value === wanted;
}

/** Whether a target of the figure was measured and is missed. */
export function missesTarget(figure: Figure): boolean {
  return (figure.targets ?? []).some((target) => meetsTarget(figure, target) === false);
}

/** The figures as a table for people, one line each, with the ratios to `controls` and the targets that they are about. */
export function renderFigures(figures: readonly Figure[], controls: readonly ControlName[]): string {
  const header = ["figure", "operator", ...controls.flatMap((name) => [name, "ratio"]), "target"];
  const rows = figures.map((figure) => [
    figure.unit === "" ? figure.name : `${figure.name}, ${figure.unit}`,
    number(median(figure.ours)),
    ...controls.flatMap((name) => [number(median(figure.controls[name] ?? [])), number(ratioOf(figure, name))]),
    (figure.targets ?? [])
      .filter(({ to }) => to === undefined || controls.includes(to))
      .map((target) => describeTarget(figure, target))
      .join(", "),
  ]);
  const widths = header.map((_, column) => Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)));
  const aligned = (cell: string, column: number) =>
    column === 0 || column === header.length - 1
      ? cell.padEnd(widths[column] ?? 0)
      : cell.padStart(widths[column] ?? 0);
  return [header, ...rows].map((row) => row.map(aligned).join("  ").trimEnd()).join("\n");
}

function number(value: number): string {
  if (!Number.isFinite(value)) return "-";
  if (value === 0 || value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}

function describeTarget(figure: Figure, target: Target): string {
  const { to, relation, value } = target;
  const wanted = `${relation} ${value}${to === undefined ? "" : `x ${to}`}`;
  const met = meetsTarget(figure, target);
  return met === undefined ? wanted : `${wanted} ${met ? "met" : "MISSED"}`;
}
