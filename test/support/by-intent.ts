import type { RunIntent } from "../../src/controllers/job-run/machine.ts";

/** A row of a table over the intents of a run; a new intent does not compile until each row has a cell for it. */
export function byIntent<T>(
  ...[cleanup, deleting, aborted, expired, invalid, suspended, proceed]: readonly [T, T, T, T, T, T, T]
): Readonly<Record<RunIntent, T>> {
  return { cleanup, deleting, aborted, expired, invalid, suspended, proceed };
}

/** The same cell for every intent. */
export function forEveryIntent<T>(cell: T): Readonly<Record<RunIntent, T>> {
  return byIntent(cell, cell, cell, cell, cell, cell, cell);
}
