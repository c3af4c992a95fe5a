// pure
import { type Html, html } from "./html.ts";
import type { QuotaSample, ShownAccount } from "./model.ts";

const width = 360;
const height = 110;
const hourMs = 3_600_000;
const left = 38;
const bottom = 18;
const top = 8;

/** Requests left over the last hour. `undefined` while there is nothing to draw. */
export function quotaChart({ limit, history }: Pick<ShownAccount, "limit" | "history">): Html | undefined {
  const first = history[0];
  const last = history.at(-1);
  if (limit === undefined || limit <= 0 || first === undefined || last === undefined || first === last)
    return undefined;
  const points = history.map((sample) => point(sample, limit));
  const edge = points.map(([x, y]) => `${x},${y}`).join(" ");
  const base = height - bottom;
  const area = `${points[0]?.[0]},${base} ${edge} ${points.at(-1)?.[0]},${base}`;
  const label = `Requests left in the last hour: from ${first.remaining} to ${last.remaining} of ${limit}.`;
  return html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
<line class="grid" x1="${left}" x2="${width}" y1="${top}" y2="${top}"/><line class="grid" x1="${left}" x2="${width}" y1="${base}" y2="${base}"/>
<polygon class="area" points="${area}"/><polyline class="edge" points="${edge}"/>
<text class="axis" x="0" y="${top + 4}">${limit}</text><text class="axis" x="0" y="${base}">0</text>
<text class="axis" x="${left}" y="${height - 4}">1h ago</text><text class="axis" x="${width}" y="${height - 4}" text-anchor="end">now</text>
</svg>`;
}

function point({ agoMs, remaining }: QuotaSample, limit: number): readonly [x: number, y: number] {
  const at = 1 - Math.min(1, Math.max(0, agoMs / hourMs));
  const share = Math.min(1, Math.max(0, remaining / limit));
  const base = height - bottom;
  return [round(left + at * (width - left)), round(base - share * (base - top))];
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
