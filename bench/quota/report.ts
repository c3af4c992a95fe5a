import { percentile } from "../figures.ts";
import type { Verdict } from "./experiments.ts";
import { type Least, leastOf } from "./least.ts";
import { latencyMs, type Measured } from "./simulate.ts";

const columns = [
  "scenario",
  "change/h",
  "run/h",
  "observe/h",
  "all/h",
  "(least)",
  "429 per window",
  "held back/h",
  "change p50",
  "p99",
  "(least)",
  "drift seen by list",
  "(least)",
  "drift not seen",
  "(least)",
  "open",
  "real",
] as const;

/** One line of the table. */
export type Row = readonly string[];

/** The heads of the columns, in the order of {@link rowOf}. */
export const heads: Row = columns;

/**
 * A scenario as one line: requests in a mean hour by class; 429 in the worst window; requests that the ledger refused in
 * a mean hour; the latency of changes; the longest time until drift was corrected; what was left open at the end. The
 * least of each is beside it.
 */
export function rowOf(measured: Measured): Row {
  const { scenario, hours, sent, deferred, refused, changesMs, drifts, realMs } = measured;
  const least = leastOf(scenario, latencyMs);
  const all = sent.change + sent.run + sent.observe;
  return [
    scenario.name,
    rate(sent.change / hours),
    rate(sent.run / hours),
    rate(sent.observe / hours),
    rate(all / hours),
    rate(least.change + least.run + least.observe),
    String(Math.max(0, ...refused)),
    rate((deferred.change + deferred.run + deferred.observe) / hours),
    time(percentile(changesMs, 0.5)),
    time(percentile(changesMs, 0.99)),
    time(changesMs.length === 0 ? Number.NaN : least.changeMs),
    ...driftCells(drifts.moving, least.movingHours),
    ...driftCells(drifts.still, least.stillHours),
    String(measured.openChanges + measured.openDriftsMs.moving.length + measured.openDriftsMs.still.length),
    time(realMs),
  ];
}

function driftCells(seenMs: readonly number[], leastHours: Least["movingHours"]): readonly [string, string] {
  return [time(seenMs.length === 0 ? Number.NaN : Math.max(...seenMs)), time(leastHours * 3_600_000)];
}

/** The lines below their heads, aligned. */
export function renderTable(rows: readonly Row[]): string {
  const all = [heads, ...rows];
  const widths = columns.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const aligned = (cell: string, column: number) =>
    column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0);
  return all.map((row) => row.map(aligned).join("  ").trimEnd()).join("\n");
}

/** A figure with its target, and whether it is met. */
export function renderVerdict({ name, value, unit, most }: Verdict): string {
  if (most === undefined) return `       ${name}: ${shown(value, unit)}`;
  // What could not be measured meets nothing.
  return `${value <= most ? "met   " : "MISSED"} ${name}: ${shown(value, unit)} (at most ${shown(most, unit)})`;
}

function shown(value: number, unit: Verdict["unit"]): string {
  if (unit === "ms") return time(value);
  return unit === "x" ? `${value.toFixed(2)}x` : rate(value);
}

function rate(perHour: number): string {
  return perHour >= 100 || Number.isInteger(perHour) ? perHour.toFixed(0) : perHour.toFixed(1);
}

/** Milliseconds in the unit that suits them. */
export function time(ms: number): string {
  if (!Number.isFinite(ms)) return "-";
  if (ms < 1_000) return `${ms.toFixed(0)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms < 2 * 3_600_000 ? `${(ms / 60_000).toFixed(1)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}
