// pure

/*
 * When a run or a rollout is polled next. How long those before it took says when its end is to be expected:
 *
 *     start   early poll                                expected end                 longer than any before
 *       |---------|------------------------------------------|--|-----|------|-------|-------> time
 *       |         for what fails at once                      polls   by the share of what it has taken
 *
 * Ends that lie within a tenth of each other are one expectation, and cost one poll; others, as of a job that either does
 * nothing or much, have one poll each, and a few between them. Where nothing is known before, pauses grow with the time
 * that it has taken.
 *
 * Promises:
 *  1. No pause is shorter than the first interval, or longer than a quarter of an hour, an hour where hints are trusted;
 *     but none goes beyond a deadline.
 *  2. Durations that make no sense cost no more than a poll each, and make no pause longer than that.
 */

/** How the polls of one account are paced. */
export interface PollPace {
  /** How many times as long as otherwise pauses are, because requests run short; at least 1. */
  readonly stretch: number;
  /** Northflank reports ends by itself: polls are the net below that. */
  readonly isHinted: boolean;
}

/** The pace for runs or rollouts of one project. `pollStretch`: what the quota of the account says; default 1. */
export type PaceOf = (
  account: { readonly pool: string; readonly pollStretch?: number | undefined },
  about: { readonly kind: "run" | "rollout"; readonly projectId: string },
) => PollPace;

/** The pace of an account that has requests enough, and sends no hints. */
export const steadyPace: PollPace = { stretch: 1, isHinted: false };

/** What polls of a run or a rollout are planned by, beside its time. */
export interface PollPlan {
  /** How long those before it took, in milliseconds, in any order. Default: that is not known. */
  readonly earlierMs?: readonly number[] | undefined;
  /** Default: {@link steadyPace}. */
  readonly pace?: PollPace | undefined;
}

/** A run or a rollout that is under way. In milliseconds. */
export interface Polled extends PollPlan {
  /** Since it began. */
  readonly elapsedMs: number;
  /**
   * How long ago the request was started that showed it, where others share that. Pauses count from there, so that those
   * who share it share the next one, too. Default: 0.
   */
  readonly readAgeMs?: number;
  /** The shortest pause. */
  readonly firstMs: number;
  /** Until a deadline; `Infinity` where there is none. */
  readonly leftMs: number;
}

/** The longest pause, so that what ends early, or is aborted by another client, is seen. */
export const longestPollMs = 900_000;

// The same while Northflank reports ends by itself.
const longestHintedMs = 3_600_000;

// Where nothing is known, the pause is a quarter of the time that has passed, up to this.
const briskMs = 60_000;

// What is left until a deadline may be less than a millisecond: never at once.
const shortestPollMs = 100;

/** The pause until the next poll, in whole milliseconds. */
export function pollPauseMs(polled: Polled): number {
  const { leftMs, pace = steadyPace } = polled;
  const pauseMs = pace.isHinted ? hintedPauseMs(polled) : plannedPauseMs(polled);
  return Math.max(shortestPollMs, Math.round(Math.min(pauseMs, leftMs)));
}

/** The pause if Northflank were not trusted to report ends; `undefined` where it is not. */
export function unhintedPauseMs(polled: Polled): number | undefined {
  const { pace = steadyPace } = polled;
  return pace.isHinted ? pollPauseMs({ ...polled, pace: { ...pace, isHinted: false } }) : undefined;
}

/**
 * How old a read may be that serves a poll which is due now, in milliseconds: one that could have seen the end that the
 * poll is for, and so none from before its beginning, however long pauses are.
 */
export function usableAgeMs(polled: Polled): number {
  return Math.min(polled.elapsedMs, seeingAgeMs(polled));
}

function seeingAgeMs(polled: Polled): number {
  const { elapsedMs } = polled;
  const growingMs = growingPauseMs(polled);
  const ends = expectedEnds(polled);
  const passed = ends.findLast((endMs) => endMs <= elapsedMs);
  if (passed !== undefined) return Math.min(growingMs, elapsedMs - passed);
  return ends.length === 0 ? growingMs : Math.max(growingMs, (2 / 3) * elapsedMs);
}

function plannedPauseMs(polled: Polled): number {
  const { elapsedMs, firstMs, readAgeMs = 0 } = polled;
  const ends = expectedEnds(polled);
  const nextMs = ends.find((endMs) => endMs > elapsedMs);
  if (nextMs === undefined) return growingPauseMs(polled) - readAgeMs;
  const pollAtMs = earlyPollMs(polled, ends) ?? nextMs + marginMs(nextMs);
  // Once one of several ends is over, what takes longer is late by its own time at most.
  const mostMs = ends[0] === nextMs ? longestPollMs : Math.min(elapsedMs, longestPollMs);
  return Math.max(firstMs, Math.min(pollAtMs - elapsedMs, mostMs));
}

/** The early poll, where it is still to come: only if it comes well before every end. */
function earlyPollMs({ elapsedMs, firstMs, pace = steadyPace }: Polled, ends: readonly number[]): number | undefined {
  const [firstEndMs = 0] = ends;
  const stretchedMs = pace.stretch * firstMs;
  const earlyMs = Math.max(stretchedMs, Math.min(firstEndMs / 20, briskMs));
  // Whoever comes a little early, as timers do, has made it.
  const isToCome = elapsedMs < earlyMs / 2 && firstEndMs >= 3 * stretchedMs;
  return isToCome ? earlyMs : undefined;
}

// Times of Northflank come in whole seconds, and those who poll together began a few seconds apart.
function marginMs(endMs: number): number {
  return Math.max(2_000, 0.03 * endMs);
}

/**
 * Ends to be expected, the earliest first; of those that lie close together the last. The first polls see the earliest
 * ones anyway.
 */
function expectedEnds({ earlierMs = [], firstMs, pace = steadyPace }: Polled): readonly number[] {
  const plausible = earlierMs.filter((ms) => Number.isFinite(ms) && ms >= 2 * firstMs);
  const sorted = plausible.toSorted((left, right) => left - right);
  const ends: number[] = [];
  let fromMs = Number.NEGATIVE_INFINITY;
  for (const ms of sorted) {
    if (ms <= fromMs * (1 + 0.1 * pace.stretch)) ends.pop();
    else fromMs = ms;
    ends.push(ms);
  }
  return ends;
}

/** A share of the time that it has taken. */
function growingPauseMs(polled: Polled): number {
  const { elapsedMs, firstMs, pace = steadyPace } = polled;
  // What has taken longer than any before it may take long: a twentieth of that is soon enough.
  const longMs = expectedEnds(polled).length === 0 ? briskMs : Math.max(briskMs, elapsedMs / 20);
  const shareMs = Math.min(elapsedMs / 4, longMs);
  return Math.max(firstMs, Math.min(pace.stretch * Math.max(firstMs, shareMs), longestPollMs));
}

/** The net below hints: after the expected end, else ever later. */
function hintedPauseMs(polled: Polled): number {
  const { elapsedMs, firstMs } = polled;
  const lastMs = expectedEnds(polled).at(-1) ?? 2 * elapsedMs;
  return Math.max(firstMs, Math.min(Math.max(1.1 * lastMs - elapsedMs, longestPollMs), longestHintedMs));
}
