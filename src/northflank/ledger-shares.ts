// pure
import type { RequestClass } from "./types.ts";

/*
 * What each class may spend of a window, most urgent first. `total` is what a window gives us: our ceiling, or the limit
 * of the account where that is less. `rest` is the part of the window that is still to come, from 1 to 0.
 *
 *     change   all that is left
 *     run      leaves {@link reservedForChanges}, and the last requests of the window ({@link kept})
 *     observe  no more than it has earned ({@link observeRate}), and leaves what runs leave, and more last requests
 *
 * Lent: what a class does not use is free for the more urgent ones at once, and for runs as the window goes by. Checks
 * for drift get only what is certain not to be needed: {@link lentToObserve}.
 */

/** Most urgent first. */
export const requestClasses = ["change", "run", "observe"] as const satisfies readonly RequestClass[];

/** A count for each class. */
export type PerClass = Readonly<Record<RequestClass, number>>;

export const noneOfAny: PerClass = { change: 0, run: 0, observe: 0 };

/** The counts with one of them changed by `by`, and none below 0. */
export function counted(counts: PerClass, requestClass: RequestClass, by: number): PerClass {
  const next = { change: counts.change, run: counts.run, observe: counts.observe };
  next[requestClass] = Math.max(0, next[requestClass] + by);
  return next;
}

/** The class itself and all that are more urgent, most urgent first. */
export function upTo(requestClass: RequestClass): readonly RequestClass[] {
  return requestClasses.slice(0, requestClasses.indexOf(requestClass) + 1);
}

/** The documented length of a window: it opens with the first request. */
export const windowMs = 3_600_000;

/**
 * What a class leaves to the more urgent ones out of `total` requests of a window: at least so many, else a share, and
 * never more than a part of a small total, so that no class is shut out for ever.
 */
const keeps: Readonly<Record<RequestClass, { readonly least: number; readonly share: number; readonly most: number }>> =
  {
    change: { least: 0, share: 0, most: 0 },
    // A start takes three, an abort one.
    run: { least: 4, share: 0.02, most: 0.25 },
    observe: { least: 10, share: 0.1, most: 0.5 },
  };

/** How many of the `total` requests of a window a class may not touch: the last ones. */
export function kept(requestClass: RequestClass, total: number): number {
  const { least, share, most } = keeps[requestClass];
  return Math.min(Math.max(least, Math.ceil(total * share)), Math.floor(total * most));
}

const changeShare = 0.2;

/**
 * How many requests runs and checks for drift leave to changes that may still come:
 *
 *     20 % of total x rest - used by changes
 *
 * What changes have not used is thus lent to runs evenly over the window.
 */
export function reservedForChanges(facts: {
  readonly total: number;
  readonly rest: number;
  readonly usedByChanges: number;
}): number {
  return Math.max(0, Math.floor(changeShare * facts.total * facts.rest) - facts.usedByChanges);
}

/** How many requests per millisecond {@link reservedForChanges} gives back. */
export function giveBackRate(total: number): number {
  return (changeShare * total) / windowMs;
}

/** What checks for drift may spend of a window, where nothing else is set. */
export const defaultObserveShare = 0.2;

/**
 * How many requests per millisecond checks for drift earn:
 *
 *     share x min(total / window, left / time to the end of the window)
 *
 * So they have spent at most their share when the window ends, evenly rather than in its first minute; and less when
 * people and CI spend the account, because then the second quotient is the smaller one.
 */
export function observeRate(facts: {
  readonly share: number;
  readonly total: number;
  readonly left: number;
  readonly restMs: number;
}): number {
  const { share, total, left, restMs } = facts;
  // Where others have taken more than is left, what was earned before stays.
  return share * Math.min(total / windowMs, Math.max(left, 0) / Math.max(restMs, 1));
}

const firstShares: PerClass = { change: 1, run: 0.1, observe: 0.01 };

/**
 * The first requests of a class in a window, which no waiting caller of a more urgent class holds back, so that none
 * starves: 10 % of `total` for runs, 1 % for checks for drift, and at least one. The latter are there at once, before
 * any are earned.
 */
export function firstOf(requestClass: RequestClass, total: number): number {
  return Math.max(1, Math.ceil(firstShares[requestClass] * total));
}

// Connections per account are few and a response takes a tenth of a second or more: more urgent requests are hardly
// sent faster for as long as a minute.
const mostUrgentPerMs = 20 / 1_000;

// The end of the window is known to the second.
const unsureEndMs = 2_000;

/**
 * What is lent to checks for drift, because the window ends before the more urgent classes can spend it:
 *
 *     left - 20 per second to the end of the window
 *
 * None where the API has not reported that end, and none in the last two seconds, which may belong to the next window.
 */
export function lentToObserve(left: number, restMs: number | undefined): number {
  if (restMs === undefined || restMs < unsureEndMs) return 0;
  return Math.max(0, Math.floor(left - mostUrgentPerMs * restMs));
}
