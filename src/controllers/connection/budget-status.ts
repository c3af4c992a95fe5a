// pure
import type { NorthflankConnectionStatus } from "../../api/connection.ts";
import type { LedgerSnapshot } from "../../northflank/ledger.ts";
import { requestClasses } from "../../northflank/ledger-shares.ts";
import { present } from "../../util/present.ts";

/** How much less often than usual an account is asked, and why. */
export interface AccountPace {
  /** So many times as long as usual are the intervals of polls of rollouts and runs; 1: as usual. */
  readonly polls: number;
  /** The same of the periods of checks for drift. */
  readonly checks: number;
  /** Requests an hour that the account has for checks for drift. */
  readonly checksPerHour: number;
  /** Requests an hour of people and CI, as far as they are seen. */
  readonly othersPerHour: number;
}

type Budget = NonNullable<NorthflankConnectionStatus["budget"]>;

/** `status.budget`; the one before where it would differ by little, or where nothing was sent in this hour. */
export function budgetStatus(
  quota: LedgerSnapshot | undefined,
  pace: AccountPace | undefined,
  before: Budget | undefined,
): Budget | undefined {
  if (quota?.resetAtMs === undefined || pace === undefined) return before;
  const { change, run, observe } = quota.usedBy;
  const now: Budget = present({
    spent: { change, run, observe },
    deferred: requestClasses.reduce((sum, one) => sum + quota.deferredBy[one], 0),
    spentByOthers: Math.round(pace.othersPerHour),
    pollStretch: factorText(pace.polls),
    checkStretch: factorText(pace.checks),
    message: messageOf(pace, quota.limit),
  });
  return before !== undefined && isNear(before, now) ? before : now;
}

/** Differences up to these are not worth a write of the status. */
const nearCount = 10;
const nearPart = 0.1;
const nearFactor = 1.25;

function isNear(shown: Budget, now: Budget): boolean {
  const counts = ({ spent, deferred, spentByOthers }: Budget) => [
    ...requestClasses.map((one) => spent?.[one] ?? 0),
    deferred ?? 0,
    spentByOthers ?? 0,
  ];
  const [before, after] = [counts(shown), counts(now)];
  if (before.some((count, index) => !isNearCount(count, after[index] ?? 0))) return false;
  return isNearFactor(shown.pollStretch, now.pollStretch) && isNearFactor(shown.checkStretch, now.checkStretch);
}

function isNearCount(one: number, other: number): boolean {
  return Math.abs(one - other) <= Math.max(nearCount, nearPart * one);
}

function isNearFactor(one = unstretched, other = unstretched): boolean {
  if (one === unstretched || other === unstretched) return one === other;
  const ratio = Number(one) / Number(other);
  return ratio < nearFactor && ratio > 1 / nearFactor;
}

const unstretched = "1";

/** Two digits are enough for people: `1.4`, `33`. */
function factorText(factor: number): string {
  return factor < 1.05 ? unstretched : String(Number(factor.toPrecision(2)));
}

/** What is stretched, and why; `undefined` where nothing is. */
function messageOf({ polls, checks, checksPerHour, othersPerHour }: AccountPace, limit = 0): string | undefined {
  const isTaken = othersPerHour > limit / 10;
  const others = `people and CI send about ${Math.round(othersPerHour)} of ${limit} requests an hour`;
  const sentences = [
    factorText(polls) !== unstretched &&
      `Rollouts and runs are polled ${factorText(polls)} times less often, because ` +
        `${isTaken ? others : "what is left of this hour does not suffice for all of them"}.`,
    factorText(checks) !== unstretched &&
      `Drift is checked ${factorText(checks)} times less often, because ${Math.floor(checksPerHour)} requests an hour ` +
        `are available for checks${isTaken ? `, and ${others}` : ""}.`,
  ];
  const text = sentences.filter((sentence) => sentence !== false).join(" ");
  return text === "" ? undefined : text;
}
