// pure
/**
 * Compares two resourceVersions: negative when `a` is older, 0 when they are the same, positive when `a` is newer,
 * `undefined` when they cannot be compared (one of them is not a decimal number).
 *
 * Kubernetes promises since 1.35 that they are decimal numbers which only grow. They can be larger than a double holds
 * exactly, so they are compared as text: by length, then digit by digit.
 */
export function compareResourceVersions(a: string, b: string): number | undefined {
  if (a === b) return 0;
  if (!isNumeric(a) || !isNumeric(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : 1;
}

/** True when `a` is newer than `b`, and also when they differ but cannot be compared. */
export function isNewer(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined) return false;
  if (b === undefined) return true;
  const order = compareResourceVersions(a, b);
  return order === undefined || order > 0;
}

/** True when `a` is known to be older than `b`; false when they cannot be compared. */
export function isOlder(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return (compareResourceVersions(a, b) ?? 0) < 0;
}

/** A decimal number without leading zero. */
function isNumeric(text: string): boolean {
  return /^(0|[1-9][0-9]{0,63})$/.test(text);
}
