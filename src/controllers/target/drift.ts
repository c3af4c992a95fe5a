// pure
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import type { TargetObject } from "./object.ts";

/*
 * Another client changes a target back each time that it is corrected. `status.changes` records the corrections in a
 * row:
 *
 *     (none) --- correction ---> 1 --- undone, correction ---> 2 --- undone, correction ---> 3 --- undone ---> fight
 *        ^                       |                             |                             |                   |
 *        '---- a check finds the target as declared ----------'------------------------------'-------------------'
 *
 * Promises:
 *  1. The third correction in a row that is undone is a fight, however far apart they are: at any resync period.
 *  2. What ends a row is a check of an object that had settled before (not a poll of our own rollout) and that finds
 *     the target as declared, ten minutes or more after the last correction. A reconcile request ends none by itself.
 *  3. Before `FightDetected` a reconcile request changes nothing. After it, each request that finds the target changed
 *     buys one further correction, and two of them are at least ten minutes apart.
 *  4. An edit of the spec starts anew. What is never corrected (Observe) is never counted.
 */

/** So many corrections in a row, each of them undone, are a fight. */
export const fightCorrections = 3;

// Three corrections within this time are a fight even if a check in between found the target as declared.
const shortestRowMs = 600_000;

/** What an entry of `status.changes` says of corrections, whatever the kind. */
export interface ChangeEntry {
  readonly cause: string;
  /** Of a correction: `Sending` while it is not known whether it arrived, `Superseded` once the fight was found. */
  readonly phase: string;
  readonly generation: number;
  readonly time: string;
  readonly confirmedTime?: string;
}

/** A correction in a row. */
export type Correction = Pick<ChangeEntry, "phase" | "time">;

// Causes that say nothing of another client; any other one starts anew.
const silentCauses: ReadonlySet<string> = new Set(["PartResent", "Redeployed", "RolledBack", "Adopted"]);

/** The corrections in a row that count, newest first. An edit of the spec is a new generation, and starts anew. */
export function correctionsInRow(
  changes: readonly ChangeEntry[] | undefined,
  generation: number | undefined,
): readonly Correction[] {
  const row: Correction[] = [];
  for (const entry of changes ?? []) {
    if (entry.generation !== generation || entry.confirmedTime !== undefined) break;
    if (entry.cause === "DriftCorrected") {
      if (entry.phase !== "Sending") row.push(entry);
    } else if (!silentCauses.has(entry.cause)) break;
  }
  return row;
}

/** The corrections in a row of what an object declares now. */
export function correctionsOf(object: {
  readonly metadata: { readonly generation?: number };
  readonly status?: { readonly changes?: readonly ChangeEntry[] };
}): readonly Correction[] {
  return correctionsInRow(object.status?.changes, object.metadata.generation);
}

/** Whether writing stops: the target differs from what is declared, which was in force before. */
export function isFight(
  object: Pick<TargetObject, "metadata" | "status">,
  row: readonly Correction[],
  now: number,
): boolean {
  if (row.length < fightCorrections) return false;
  const isKnown = row[0]?.phase === "Superseded";
  const isPaid = isKnown && isReconcileRequested(object);
  const isTried = row.length > fightCorrections && sinceMs(row, now) < shortestRowMs;
  return !isPaid || isTried;
}

/** The target was found as declared: whether that ends the row. `wasSettled`: the object had settled before. */
export function endsRow(
  row: readonly Correction[],
  facts: { readonly wasSettled: boolean; readonly now: number },
): boolean {
  return row.length > 0 && facts.wasSettled && sinceMs(row, facts.now) >= shortestRowMs;
}

/** The changes once a fight was found: another client has replaced the newest correction. */
export function withFight<E extends ChangeEntry>(changes: readonly E[]): readonly E[] {
  return withNewestCorrection(changes, { phase: "Superseded" });
}

/** The changes once {@link endsRow} says so. */
export function withConfirmed<E extends ChangeEntry>(changes: readonly E[], time: string): readonly E[] {
  return withNewestCorrection(changes, { confirmedTime: time });
}

function withNewestCorrection<E extends ChangeEntry>(changes: readonly E[], news: Partial<ChangeEntry>): readonly E[] {
  const newest = changes.findIndex(({ cause, phase }) => cause === "DriftCorrected" && phase !== "Sending");
  return changes.map((entry, index) => (index === newest ? { ...entry, ...news } : entry));
}

/** Since the newest correction. A time in the future was written by another clock: it is as far away as it says. */
function sinceMs([newest]: readonly Correction[], now: number): number {
  const elapsedMs = Math.abs(now - Date.parse(newest?.time ?? ""));
  return Number.isNaN(elapsedMs) ? Number.POSITIVE_INFINITY : elapsedMs;
}
