// pure
/**
 * What kubectl makes of a plain (unquoted) YAML scalar. It reads YAML 1.1 in Go's dialect: `yes` and `on` are true, `010`
 * is 8, `1_000` is 1000, while times and `12:30:45` stay text. A manifest means what kubectl makes of it, whatever newer
 * revisions of YAML say.
 */
export function resolvePlainScalar(source: string): string | number | boolean | null {
  const word = words.get(source);
  if (word !== undefined) return word;
  if (!/^[-+.0-9]/.test(source)) return source;
  return parseInteger(source.replaceAll("_", "")) ?? parseFloatingPoint(source) ?? source;
}

/** The text of a map key: numbers and booleans become text. Undefined for what cannot be a key. */
export function formatKey(key: string | number | boolean | null): string | undefined {
  return key === null ? undefined : String(key);
}

const words: ReadonlyMap<string, boolean | number | null> = new Map<string, boolean | number | null>([
  ...["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"].map((word) => [word, true] as const),
  ...["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"].map((word) => [word, false] as const),
  ...["", "~", "null", "Null", "NULL"].map((word) => [word, null] as const),
  ...[".nan", ".NaN", ".NAN"].map((word) => [word, Number.NaN] as const),
  ...[".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"].map((word) => [word, Number.POSITIVE_INFINITY] as const),
  ...["-.inf", "-.Inf", "-.INF"].map((word) => [word, Number.NEGATIVE_INFINITY] as const),
]);

/** Decimal, and by prefix hexadecimal, binary or octal: `0o17`, and `017` too. */
function parseInteger(text: string): number | undefined {
  const found = /^([-+]?)(?:(0[xX][0-9a-fA-F]+|0[bB][01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))$/.exec(text);
  if (found === null) return undefined;
  const [, sign, prefixed, octal, decimal] = found;
  const magnitude = Number(prefixed ?? (octal === undefined ? decimal : `0o${octal}`));
  return sign === "-" && magnitude !== 0 ? -magnitude : magnitude;
}

/** A number out of range stays text. */
function parseFloatingPoint(source: string): number | undefined {
  const text = source.startsWith(".") ? source : source.replaceAll("_", "");
  if (!/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
