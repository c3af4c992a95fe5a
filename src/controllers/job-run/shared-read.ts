// pure
import type { Sibling } from "./concurrency.ts";
import { isPastLimit, latestAttempt, stateOf } from "./machine.ts";
import type { Known } from "./memory.ts";
import { attemptOf, pollPauseMs, type Situation } from "./result.ts";

/*
 * Two or more runs of one job are polled by one list of its runs: the first of them that is due requests it, and to the
 * others it is as good as a read of their own while it is younger than their poll interval. The next poll of each counts
 * from the start of that request, so that all of them soon poll together.
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
}

// The newest three hundred runs of the job. More pages than there are runs to poll would cost more than reading each.
const mostPages = 3;

/** The list that the run is polled with; `undefined` where it is to be read alone. */
export function sharedReadOf(
  situation: Situation,
  own: { readonly known: Known; readonly atMs: number },
  others: readonly { readonly sibling: Sibling; readonly known: Known | undefined }[],
): SharedRead | undefined {
  const { object } = situation;
  const { runId } = attemptOf(object);
  if (isPastLimit(object, situation) || isUnlisted(own.known, runId, own.atMs)) return undefined;
  const scope = own.known.account?.readScope;
  const theirs = others.flatMap(({ sibling, known }): readonly string[] => {
    const state = stateOf(sibling.object);
    const isPolled = (state === "active" || state === "adopted") && !sibling.object.spec.suspend;
    if (!isPolled || sibling.isSure === false) return [];
    // One that this process has not polled yet is taken for one of the same account.
    if (known?.account !== undefined && known.account.readScope !== scope) return [];
    const id = latestAttempt(sibling.object)?.runId;
    return id === undefined || (known !== undefined && isUnlisted(known, id, own.atMs)) ? [] : [id];
  });
  if (theirs.length === 0) return undefined;
  const maxPages = Math.min(mostPages, theirs.length);
  return { runIds: [runId, ...theirs], maxAgeMs: pollPauseMs(situation), maxPages };
}

function isUnlisted({ unlisted }: Known, runId: string, atMs: number): boolean {
  return unlisted?.runId === runId && atMs < unlisted.untilMs;
}

/** A run that a list with all pages lacks: it is new, and the list lags, or it is gone. */
export const lackedForMs = 60_000;

/** A run that is older than what is read of the list, or that may not be listed at all: it will not be there soon. */
export const unlistedForMs = 600_000;
