// pure
import { counted, noneOfAny, type PerClass, windowMs } from "./ledger-shares.ts";
import { type LedgerState, leftOfAccount, leftOfCeiling, totalOf } from "./ledger-state.ts";
import type { RequestClass } from "./types.ts";

/*
 * How much less often what can wait is requested, because what is left of the quota does not suffice for all of it.
 *
 * Polls of rollouts and runs, from what is left of this window (`rest`: the part of it that is still to come):
 *
 *     wanted  = polls in the rest, at the rate of the last ten minutes as it would be without stretching
 *     others  = what changes and checks for drift, and of the account people and CI, are expected to spend in the rest
 *     stretch = wanted / (left - others), by our ceiling or by the account, from 1 to 10
 *
 *     stretch
 *       10 ┤                     ┌──────╮
 *          │         ┌───────────┘      ╰──╮         up at once, down by half in five minutes,
 *        1 ┼─────────┘                     ╰─────    and anew with each window
 *          └────────────────────────────────────▶ t
 *
 * Checks for drift, from whole windows, because their periods are hours:
 *
 *     granted = min(ceiling, limit - what people and CI spend in a window), at least a tenth of both
 *     checks an hour = share of checks x granted; drift-plan.ts stretches their periods to it
 *
 * What people and CI spend in a window is what is missing of `remaining` beyond our own requests, at most the limit:
 *
 *     (in a window before / 4 + in this one) / (1 / 4 + the part of this one that is over, until nothing was left)
 *
 * What is missing at the first response of a process is not counted: most of it may be of the process before.
 */

/** What is remembered for it. Times are monotonic milliseconds. */
export interface StretchState {
  readonly nowMs: number;
  readonly window: number;
  /** Requests of each class, as many as they would be without stretching; each counts less the longer it is ago. */
  readonly wanted: PerClass;
  /** Requests of people and CI in this window so far, and in a window before it. */
  readonly others: number;
  readonly othersBefore: number;
  /** The part of this window in which those of this window were made. */
  readonly elapsed: number;
  /** What was missing at the first response, and the part of the window that was over; `undefined` before it. */
  readonly first: { readonly missing: number; readonly elapsed: number } | undefined;
  /** The same in a window as checks for drift count on it: it changes in steps, because all their periods follow. */
  readonly othersHeld: number;
  readonly stretch: number;
}

// Long enough for a handful of polls of one run, short enough to see twenty new ones within a few minutes.
const meanOverMs = 600_000;

const halvedInMs = 300_000;

/** Polls are never less frequent than by this factor: a user waits for their result. */
export const mostStretch = 10;

/** The least part of a window that checks for drift count on. */
const leastGranted = 1 / 10;

/** What a window before counts beside this one. */
const weightBefore = 1 / 4;

/** What others spend is held until it differs by such a part of the limit. */
const othersStep = 1 / 10;

/** Of a window that this process has seen begin. */
const wholeWindow = { missing: 0, elapsed: 0 };

/** Before the first request. */
export const unstretched: StretchState = {
  nowMs: 0,
  window: 0,
  wanted: noneOfAny,
  others: 0,
  othersBefore: 0,
  elapsed: 0,
  first: undefined,
  othersHeld: 0,
  stretch: 1,
};

/** The state as time and the ledger have moved on. */
export function stretchedBy(before: StretchState, ledger: LedgerState): StretchState {
  const { nowMs, window } = ledger;
  const passedMs = Math.max(0, nowMs - before.nowMs);
  const wanted = passedMs === 0 ? before.wanted : faded(before.wanted, Math.exp(-passedMs / meanOverMs));
  const isNew = window !== before.window;
  const missing = missingIn(ledger);
  const over = 1 - restOf(ledger);
  const first = isNew
    ? wholeWindow
    : (before.first ?? (missing === undefined ? undefined : { missing, elapsed: over }));
  const seen = missing === undefined ? undefined : Math.max(0, missing - (first?.missing ?? 0));
  // Where nothing is left, others cannot show what more they would have spent; and a 429 says nothing of it.
  const isHeld = !isNew && (seen === undefined || (ledger.remaining === 0 && seen === before.others));
  const others = isHeld ? before.others : (seen ?? 0);
  const elapsed = isHeld ? before.elapsed : Math.max(0, over - (first?.elapsed ?? 0));
  const othersBefore = isNew ? othersPerWindow(before, ledger) : before.othersBefore;
  const next = changed(before, { nowMs, window, wanted, othersBefore, others, elapsed, first });
  const live = othersPerWindow(next, ledger);
  const isFar = Math.abs(live - next.othersHeld) > othersStep * totalOf(ledger);
  const stretch = stretchNow(next, ledger);
  const still = isNew ? 1 : 1 + (before.stretch - 1) * 2 ** (-passedMs / halvedInMs);
  return changed(next, { othersHeld: isNew || isFar ? live : next.othersHeld, stretch: Math.max(stretch, still) });
}

/** The state after a request was granted. */
export function stretchAfterRequest(state: StretchState, requestClass: RequestClass): StretchState {
  // Polls come so much less often now: each stands for several.
  const weight = requestClass === "run" ? state.stretch : 1;
  return changed(state, { wanted: counted(state.wanted, requestClass, weight) });
}

/** The state with some of it changed. Every state is made by this literal: see `changed` of ledger-state.ts. */
function changed(from: StretchState, change: Partial<StretchState>): StretchState {
  const state: StretchState = {
    nowMs: from.nowMs,
    window: from.window,
    wanted: from.wanted,
    others: from.others,
    othersBefore: from.othersBefore,
    elapsed: from.elapsed,
    first: from.first,
    othersHeld: from.othersHeld,
    stretch: from.stretch,
  };
  return Object.assign(state, change);
}

/** Requests of a window that are ours, as far as people and CI leave them. */
export function grantedPerWindow({ othersHeld }: StretchState, ledger: LedgerState): number {
  const total = totalOf(ledger);
  const left = (ledger.limit ?? Number.POSITIVE_INFINITY) - othersHeld;
  return Math.max(Math.min(total, left), total * leastGranted);
}

/** Without the smoothing. */
function stretchNow(state: StretchState, ledger: LedgerState): number {
  const rest = restOf(ledger);
  const perWindow = (one: RequestClass) => (state.wanted[one] / meanOverMs) * windowMs;
  const wanted = perWindow("run") * rest;
  if (wanted === 0) return 1;
  const ours = (perWindow("change") + perWindow("observe")) * rest;
  const others = othersPerWindow(state, ledger) * rest;
  const left = Math.min(leftOfCeiling(ledger, "run"), leftOfAccount(ledger, "run") - others) - ours;
  return left > 0 ? Math.min(Math.max(wanted / left, 1), mostStretch) : mostStretch;
}

function othersPerWindow(state: StretchState, { limit = Number.POSITIVE_INFINITY }: LedgerState): number {
  const { others, othersBefore, elapsed } = state;
  return Math.min((othersBefore * weightBefore + others) / (weightBefore + elapsed), limit);
}

/** Requests of the limit that are not there, beyond our own. */
function missingIn({ limit, remaining, used, inFlight }: LedgerState): number | undefined {
  if (limit === undefined || remaining === undefined) return undefined;
  return Math.max(0, limit - remaining - (used - inFlight));
}

/** The part of the window that is still to come, from 1 to 0. */
function restOf({ windowEndsAtMs, nowMs }: LedgerState): number {
  if (windowEndsAtMs === undefined) return 1;
  return Math.min(Math.max((windowEndsAtMs - nowMs) / windowMs, 0), 1);
}

function faded({ change, run, observe }: PerClass, by: number): PerClass {
  return { change: change * by, run: run * by, observe: observe * by };
}
