// pure
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import { isAcknowledged, readyReason, type TargetObject } from "./object.ts";

/*
 * Somebody else changes a target back each time that it is corrected. `status.corrections` holds the times of the
 * corrections in a row, newest first:
 *
 *     (none) --- correction ---> 1 --- undone, correction ---> 2 --- undone, correction ---> 3 --- undone ---> fight
 *        ^                       |                             |                             |                   |
 *        '---- a check finds the target as declared ----------'------------------------------'-------------------'
 *
 * Promises:
 *  1. The third correction in a row that is undone is a fight, however far apart they are: at any resync period.
 *  2. What ends a row is a check of an object that had settled before (not a look at our own rollout) and that finds the
 *     target as declared, ten minutes or more after the last correction. A reconcile request ends none by itself.
 *  3. Before the verdict a reconcile request changes nothing. After it, each request that finds the target changed buys
 *     one further correction, and two of them are at least ten minutes apart.
 *  4. An edit of the spec starts anew. What is never corrected (Observe) is never counted.
 */

/** So many corrections in a row, each of them undone, are a fight. */
export const fightCorrections = 3;

// Three corrections within this time are a fight even if a check in between found the target as declared.
const shortestRowMs = 600_000;

// Status shows no more than these.
const mostCorrections = 10;

/** What is remembered of the corrections of a target. */
export interface CorrectionRow {
  /** `status.corrections`, newest first. */
  readonly corrections: readonly string[] | undefined;
  /** The status speaks about the spec as it is now: what it counts was not before an edit. */
  readonly isAcknowledged: boolean;
}

/** What the status of an object remembers of its corrections. */
export function correctionRow(object: Pick<TargetObject, "metadata" | "status">): CorrectionRow {
  return { corrections: object.status?.corrections, isAcknowledged: isAcknowledged(object) };
}

/** The corrections in a row that count, newest first. */
export function correctionsInRow({ corrections, isAcknowledged }: CorrectionRow): readonly string[] {
  return isAcknowledged ? (corrections ?? []) : [];
}

/** Whether writing stops: the target differs from what is declared, which was applied before. */
export function isFight(
  facts: CorrectionRow & {
    /** Ready says FightDetected already. */
    readonly isKnown: boolean;
    /** The object carries a reconcile request that is not answered yet. */
    readonly isRequested: boolean;
    /** Wall clock, milliseconds since the epoch. */
    readonly now: number;
  },
): boolean {
  const row = correctionsInRow(facts);
  if (row.length < fightCorrections) return false;
  const isPaid = facts.isKnown && facts.isRequested;
  const isTried = row.length > fightCorrections && sinceMs(row, facts.now) < shortestRowMs;
  return !isPaid || isTried;
}

/** {@link isFight} of an object, as its status and its annotations tell it. */
export function isFightFor(object: TargetObject, now: number): boolean {
  const isKnown = readyReason(object) === "FightDetected";
  return isFight({ ...correctionRow(object), isKnown, isRequested: isReconcileRequested(object), now });
}

/** The row after one more correction. */
export function withCorrection(row: CorrectionRow, time: string): readonly string[] {
  return [time, ...correctionsInRow(row)].slice(0, mostCorrections);
}

/** The row after a look that found the target as declared; `wasSettled`: the object was Ready before this look. */
export function correctionsWhenSame(
  row: CorrectionRow,
  facts: { readonly wasSettled: boolean; readonly now: number },
): readonly string[] | undefined {
  const corrections = correctionsInRow(row);
  const isOver = facts.wasSettled && sinceMs(corrections, facts.now) >= shortestRowMs;
  return isOver || corrections.length === 0 ? undefined : corrections;
}

/** Since the newest correction. A time in the future was written by another clock: it is as far away as it says. */
function sinceMs([newest]: readonly string[], now: number): number {
  const elapsedMs = Math.abs(now - Date.parse(newest ?? ""));
  return Number.isNaN(elapsedMs) ? Number.POSITIVE_INFINITY : elapsedMs;
}
