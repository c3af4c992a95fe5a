// pure
const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * Reads a duration the way Kubernetes writes them: `15s`, `1h30m`, `500ms`, `1.5h`. A bare `0` is zero.
 *
 * Returns milliseconds, or `undefined` when the text is not a duration (a missing unit included).
 */
export function parseDurationMs(text: string): number | undefined {
  if (text === "0") return 0;
  if (text.length === 0 || text.length > 64) return undefined;
  let totalMs = 0;
  let rest = text;
  while (rest.length > 0) {
    const part = /^(\d+(?:\.\d+)?)(ms|s|m|h)/.exec(rest);
    const [all, amount, unit] = part ?? [];
    if (all === undefined || amount === undefined || unit === undefined) return undefined;
    totalMs += Number(amount) * (unitMs[unit] ?? Number.NaN);
    rest = rest.slice(all.length);
  }
  return Number.isFinite(totalMs) ? totalMs : undefined;
}

/** Writes milliseconds as people read durations: `850ms`, `42s`, `1m30s`, `2h`. Rounded to whole seconds above one. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.max(0, Math.round(durationMs))}ms`;
  const seconds = Math.round(durationMs / 1_000);
  const parts = [
    [Math.floor(seconds / 3_600), "h"],
    [Math.floor((seconds % 3_600) / 60), "m"],
    [seconds % 60, "s"],
  ] as const;
  return parts.map(([amount, unit]) => (amount > 0 ? `${amount}${unit}` : "")).join("");
}
