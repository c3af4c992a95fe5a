// pure
import type { Account } from "../account/accounts.ts";
import type { Sibling } from "./concurrency.ts";
import { isPastLimit, latestAttempt, stateOf } from "./machine.ts";
import type { Known } from "./memory.ts";
import { attemptOf, type Situation, usableReadMs } from "./result.ts";

/*
 * Two or more runs of one job are polled by one list of its runs: the first of them that is due requests it, and to the
 * others it is as good as a read of their own while it could have seen what they poll for (poll-plan.ts). The next poll of
 * each counts from the start of that request, so that all of them soon poll together.
 *
 *     run a   |list----------|list----------|list        one request per interval,
 *     run b       |ditto-----|ditto---------|ditto       however many runs
 *
 * A single run is read alone. So is one that the list does not show, for a while, and whatever must be newer than
 * something that has just happened: an abort, a deadline that is over.
 */

/** A list that serves several runs of the job. */
export interface SharedRead {
  /** The runs that are polled with it, the own one included. */
  readonly runIds: readonly string[];
  readonly maxAgeMs: number;
  readonly maxPages: number;
  /** Only a list that is newer serves. Missing: as old as `maxAgeMs`. */
  readonly notBeforeMs?: number | undefined;
}

// The newest three hundred runs of the job. More pages than there are runs to poll would cost more than reading each.
const mostPages = 3;

/** The list that the run is polled with; `undefined` where it is to be read alone. */
export function sharedReadOf(
  situation: Situation,
  { known, atMs }: { readonly known: Known; readonly atMs: number },
  others: readonly Sibling[],
): SharedRead | undefined {
  const { object } = situation;
  const { runId } = attemptOf(object);
  if (isPastLimit(object, situation) || isUnlisted(known, runId, atMs)) return undefined;
  if (others.some(({ known: theirs }) => isUnreadable(theirs, atMs))) return undefined;
  const theirs = others.flatMap((sibling) => polledRunOf(sibling, known, atMs) ?? []);
  if (theirs.length === 0) return undefined;
  const maxPages = Math.min(mostPages, theirs.length);
  return { runIds: [runId, ...theirs], maxAgeMs: usableReadMs(situation), maxPages };
}

/** The run of another object, where the same list may serve it. */
function polledRunOf({ object, isSure = true, known }: Sibling, own: Known, atMs: number): string | undefined {
  const state = stateOf(object);
  const isPolled = (state === "active" || state === "adopted") && !object.spec.suspend;
  if (!isPolled || !isSure) return undefined;
  // While this process has not polled one of the two, they are taken for runs of the same account.
  const isOther =
    known?.account !== undefined && own.account !== undefined && !isSameReader(known.account, own.account);
  if (isOther) return undefined;
  const id = latestAttempt(object)?.runId;
  return id === undefined || isUnlisted(known, id, atMs) ? undefined : id;
}

function isSameReader(left: Account, right: Account): boolean {
  return left.readScope === undefined ? left === right : left.readScope === right.readScope;
}

function isUnlisted(known: Known | undefined, runId: string, atMs: number): boolean {
  return known?.unlisted?.runId === runId && atMs < known.unlisted.untilMs;
}

function isUnreadable(known: Known | undefined, atMs: number): boolean {
  return known?.unlisted?.isUnreadable === true && atMs < known.unlisted.untilMs;
}

/** Why the list does not serve a run, with how long it is not asked for it, in milliseconds. */
export const notServed = {
  /** It is older than what is read of the list. */
  beyond: { forMs: 600_000 },
  /** The list could not be read now. */
  failed: { forMs: 60_000, isUnreadable: true },
  /** The list may not be read, or is not what it should be. */
  refused: { forMs: 600_000, isUnreadable: true },
} as const satisfies Readonly<Record<string, { readonly forMs: number; readonly isUnreadable?: true }>>;
