// pure
import { type BreakerState, breakerAfter, closedBreaker, type Outage, outageOf } from "./breaker-state.ts";
import {
  arrived,
  type Call,
  type Callers,
  claimsBefore,
  inNewWindow,
  placeOf,
  refused,
  served,
  untilClaimsLapseMs,
  waitingIn,
} from "./ledger-callers.ts";
import {
  counted,
  defaultObserveShare,
  firstOf,
  giveBackRate,
  kept,
  lentToObserve,
  noneOfAny,
  observeRate,
  type PerClass,
  requestClasses,
  reservedForChanges,
  upTo,
  windowMs,
} from "./ledger-shares.ts";
import type { RequestClass } from "./types.ts";

/**
 * The quota of one account as numbers, and what each event does to it. Times are monotonic milliseconds.
 *
 *            first request                      window over
 *     idle ────────────────▶ counting ──────────────────────────▶ idle
 *                             │      ▲
 *           429, remaining: 0 │      │ closedUntilMs reached
 *                             ▼      │
 *                            closed ─┘  (after a 429 one request goes ahead as a probe before the others follow)
 *
 * *Promises*
 * - The account's own numbers (headers) rule; our count is only for the ceiling, because others spend too.
 * - Answers arrive out of order: within a window the lowest `remaining` stands, and one of the window before says
 *   nothing of this one.
 * - A request that is in flight, or set aside, is spent for all others.
 * - An answer never opens the gate: only time does. So a late 200 cannot undo a 429.
 * - Each class has its share of a window (ledger-shares.ts), and within a class each caller (ledger-callers.ts): a change
 *   is never refused where a check for drift of the same caller would be granted.
 * - Until the first answer in a window no more than two requests are in flight: what is left is not known.
 * - While the API is down, one request at a time goes out as a probe (breaker-state.ts).
 */
export interface LedgerState {
  /** When all of this was so. */
  readonly nowMs: number;
  /** Most requests that we send per window. */
  readonly ceiling: number;
  /** The part of a window that checks for drift may spend. */
  readonly observeShare: number;
  /** Counts the windows. */
  readonly window: number;
  /** End of the window; `undefined` while none is open. */
  readonly windowEndsAtMs: number | undefined;
  /** True once the API has reported when the window ends; until then it is an hour from our first request. */
  readonly isWindowReported: boolean;
  readonly used: number;
  readonly usedBy: PerClass;
  /** Requests that checks for drift have earned in this window, spent or not. */
  readonly earned: number;
  /** How many requests of each class are spent in this window, or have a time at which their share allows them. */
  readonly slotsBy: PerClass;
  /** Requests of this window that were refused by the ledger. */
  readonly deferredBy: PerClass;
  readonly inFlight: number;
  readonly inFlightBy: PerClass;
  readonly reserved: number;
  readonly limit: number | undefined;
  /** What the API said is left, the lowest of this window; requests still in flight are not yet in it. */
  readonly remaining: number | undefined;
  readonly closedUntilMs: number | undefined;
  /** Why the gate is closed: the API said that nothing is left, or answered with a 429. */
  readonly closedBy: "spent" | "rate_limited" | undefined;
  /** After a 429: only one request at a time until one of them is answered with something else. */
  readonly isProbing: boolean;
  /** 429 answers in a row that came without any hint, for doubling the wait. */
  readonly blindRefusals: number;
  /** Answers other than 429 in this window: they prove that our own estimate of its end means something. */
  readonly accepted: number;
  readonly callers: Callers;
  readonly breaker: BreakerState;
}

/** How soon to come back when only requests set aside or in flight stand in the way. */
const busyWaitMs = 2_000;

/** The same while what is left is not known: until the first answer. */
const firstAnswerWaitMs = 250;
const mostUnanswered = 2;

// A probe may take its time until it times out: the more wait for it, the less often each asks.
const waitersPerSecond = 100;
const longestBusyWaitMs = 30_000;

/**
 * How many of those that wait come back per millisecond when there is quota again: what the few connections to an account
 * can send of changes, a read and a write each, and a part of that of runs, so that not all is spent before they come.
 */
const comingBackPerMs = { change: 20 / 1_000, run: 4 / 1_000 } as const;
const leastSpreadMs = 500;

/**
 * A ledger before its first request. `ceiling`: most requests that we send per window. `observeShare`: the part of them
 * that checks for drift may spend; default 0.2.
 */
export function initialLedger(ceiling: number, observeShare = defaultObserveShare): LedgerState {
  return {
    nowMs: 0,
    ceiling,
    observeShare,
    window: 0,
    windowEndsAtMs: undefined,
    isWindowReported: false,
    used: 0,
    usedBy: noneOfAny,
    earned: 0,
    slotsBy: noneOfAny,
    deferredBy: noneOfAny,
    inFlight: 0,
    inFlightBy: noneOfAny,
    reserved: 0,
    limit: undefined,
    remaining: undefined,
    closedUntilMs: undefined,
    closedBy: undefined,
    isProbing: false,
    blindRefusals: 0,
    accepted: 0,
    callers: new Map(),
    breaker: closedBreaker,
  };
}

/**
 * The state with some of it changed. Every state is made by this one literal: copies by spread have a layout of their own
 * for each place that makes them, and the engine then copies them entry by entry (8 KB instead of 250 bytes each).
 */
export function changed(from: LedgerState, change: Partial<LedgerState>): LedgerState {
  const state: LedgerState = {
    nowMs: from.nowMs,
    ceiling: from.ceiling,
    observeShare: from.observeShare,
    window: from.window,
    windowEndsAtMs: from.windowEndsAtMs,
    isWindowReported: from.isWindowReported,
    used: from.used,
    usedBy: from.usedBy,
    earned: from.earned,
    slotsBy: from.slotsBy,
    deferredBy: from.deferredBy,
    inFlight: from.inFlight,
    inFlightBy: from.inFlightBy,
    reserved: from.reserved,
    limit: from.limit,
    remaining: from.remaining,
    closedUntilMs: from.closedUntilMs,
    closedBy: from.closedBy,
    isProbing: from.isProbing,
    blindRefusals: from.blindRefusals,
    accepted: from.accepted,
    callers: from.callers,
    breaker: from.breaker,
  };
  return Object.assign(state, change);
}

/** Lets time pass: ends the window and opens the gate when they are due. Every other function does this first. */
export function advance(before: LedgerState, nowMs: number): LedgerState {
  if (nowMs === before.nowMs && !isDue(before)) return before;
  const isClosed = before.closedUntilMs !== undefined && nowMs < before.closedUntilMs;
  // One copy, and not one for each thing that may be due: this is done several times for every request.
  const next = changed(before, {
    nowMs,
    earned: before.earned + earnedSince(before, nowMs),
    closedUntilMs: isClosed ? before.closedUntilMs : undefined,
    closedBy: isClosed ? before.closedBy : undefined,
  });
  if (next.windowEndsAtMs === undefined || nowMs < next.windowEndsAtMs) return next;
  // What is in flight now is counted by the far end when it arrives: most likely in the window to come.
  return changed(beginWindow(next), {
    windowEndsAtMs: next.inFlight > 0 ? nowMs + windowMs : undefined,
    isWindowReported: false,
    used: next.inFlight,
    usedBy: next.inFlightBy,
    remaining: undefined,
  });
}

/** The end of the window, or of a wait, has come. */
function isDue({ nowMs, windowEndsAtMs = nowMs + 1, closedUntilMs = nowMs + 1 }: LedgerState): boolean {
  return nowMs >= windowEndsAtMs || nowMs >= closedUntilMs;
}

/** What is counted anew in each window. */
export function beginWindow(state: LedgerState): LedgerState {
  const callers = inNewWindow(state.callers, state.nowMs);
  const fresh = { earned: 0, slotsBy: noneOfAny, deferredBy: noneOfAny, accepted: 0, callers };
  return changed(state, { window: state.window + 1, ...fresh });
}

function earnedSince(state: LedgerState, nowMs: number): number {
  if (state.windowEndsAtMs === undefined) return 0;
  return Math.max(0, nowMs - state.nowMs) * earnRate(state);
}

function earnRate(state: LedgerState): number {
  const restMs = (state.windowEndsAtMs ?? state.nowMs + windowMs) - state.nowMs;
  const left = leftTo(state, "change");
  return observeRate({ share: state.observeShare, total: totalOf(state), left, restMs });
}

/** What a window gives us. */
export function totalOf({ ceiling, limit }: LedgerState): number {
  return Math.min(ceiling, limit ?? ceiling);
}

/** How many more requests may be granted now to this class of this caller. */
export function available(state: LedgerState, requestClass: RequestClass, who = ""): number {
  const counts = upTo(requestClass).map((one) => availableTo(state, { class: one, who }));
  return Math.max(0, Math.min(...counts));
}

/** The same, as if the more urgent classes did not count. */
function availableTo(state: LedgerState, call: Call): number {
  const left = leftTo(state, call.class);
  const paced = pacedTo(state, call.class);
  const claims = claimsOn(state, call);
  // What checks have earned is theirs: more urgent requests that wait are sent from the rest.
  const ownClaims = call.class === "observe" ? claimsBefore(state.callers, call, state.nowMs) : claims;
  return Math.min(left - claims, paced - ownClaims);
}

/** What is left of the ceiling and of the account, without the last requests that the class may not touch. */
export function leftTo(state: LedgerState, requestClass: RequestClass): number {
  return Math.min(leftOfCeiling(state, requestClass), leftOfAccount(state, requestClass));
}

/** The account would allow so many requests of the class, and our ceiling does not. */
export function isCeilingSpent(state: LedgerState, requestClass: RequestClass, count: number): boolean {
  if (state.closedUntilMs !== undefined || leftOfAccount(state, requestClass) < count) return false;
  return leftOfCeiling(state, requestClass) < count;
}

/** What is left of the account, for people; `undefined` while that is not known. */
export function remainingOf({ remaining, inFlight, closedBy, windowEndsAtMs, limit }: LedgerState): number | undefined {
  if (remaining !== undefined) return Math.max(0, remaining - inFlight);
  // A 429 without figures leaves nothing to spend, and what the last response said is not true any more.
  if (closedBy === "rate_limited") return 0;
  return windowEndsAtMs === undefined ? limit : undefined;
}

/** The same of our ceiling alone, which people and CI do not spend from. */
export function leftOfCeiling({ ceiling, used, reserved }: LedgerState, requestClass: RequestClass): number {
  return ceiling - used - reserved - kept(requestClass, ceiling);
}

/** The same of the account alone; `Infinity` while that is not known. */
export function leftOfAccount(state: LedgerState, requestClass: RequestClass): number {
  const { remaining, inFlight, reserved, limit, ceiling } = state;
  if (remaining === undefined) return Number.POSITIVE_INFINITY;
  return remaining - inFlight - reserved - kept(requestClass, limit ?? ceiling);
}

/** What the share of the class allows by now. */
function pacedTo(state: LedgerState, requestClass: RequestClass): number {
  const { ceiling, used, usedBy, reserved, nowMs, windowEndsAtMs } = state;
  switch (requestClass) {
    case "change":
      return Number.POSITIVE_INFINITY;
    case "run": {
      const restMs = windowEndsAtMs === undefined ? windowMs : Math.min(windowEndsAtMs - nowMs, windowMs);
      const facts = { total: ceiling, rest: restMs / windowMs, usedByChanges: usedBy.change };
      return ceiling - used - reserved - reservedForChanges(facts);
    }
    case "observe": {
      const restMs = windowEndsAtMs === undefined || !state.isWindowReported ? undefined : windowEndsAtMs - nowMs;
      const share = Math.max(firstOf("observe", totalOf(state)), Math.floor(state.earned)) - usedBy.observe;
      return Math.max(share, lentToObserve(leftTo(state, "observe"), restMs));
    }
  }
}

/** How many requests others have a claim to before this one. */
function claimsOn(state: LedgerState, call: Call): number {
  if (state.callers.size === 0) return 0;
  const { callers, nowMs } = state;
  return claimsBefore(callers, call, nowMs) + waitingIn(callers, classesBefore(state, call), nowMs);
}

/** The classes whose waiting callers are served before this one: no class, for the first requests of its own. */
function classesBefore(state: LedgerState, { class: requestClass }: Call): readonly RequestClass[] {
  const isFirst = state.usedBy[requestClass] < firstOf(requestClass, totalOf(state));
  return isFirst ? [] : upTo(requestClass).filter((one) => one !== requestClass);
}

/** The answer to one who wants to spend. */
export type LedgerAnswer =
  | { readonly kind: "granted"; readonly state: LedgerState }
  | ({ readonly kind: "refused"; readonly state: LedgerState } & Refusal);

/** Why a request may not be sent now, and for how long. */
export interface Refusal {
  readonly waitMs: number;
  /** Over how long those that are refused come back after the wait, so that they neither arrive together nor waste it. */
  readonly spreadMs: number;
  /** Present where it is not the quota that refuses: the API is down. */
  readonly outage?: Outage;
  /** The class whose share allows the request at the end of the wait, and until then no other one in its place. */
  readonly slotOf?: RequestClass;
}

/** Asks for one request. A reserved request is not refused for the count, but still for a closed gate. */
export function admit(
  before: LedgerState,
  nowMs: number,
  request: { readonly class: RequestClass; readonly who?: string; readonly isReserved: boolean },
): LedgerAnswer {
  const { isReserved, class: requestClass, who = "" } = request;
  const call = { class: requestClass, who };
  const advanced = advance(before, nowMs);
  // What was set aside came back when it was: this is no other one that waits.
  const state = isReserved ? advanced : withArrival(advanced, call, 1);
  const shares = isReserved ? [] : shareRefusals(state, { ...call, count: 1 });
  const refusal = longest([...gateRefusals(state, call), ...shares]);
  if (refusal !== undefined) return refusedWith(state, { ...call, count: 1 }, refusal);
  return {
    kind: "granted",
    state: changed(state, {
      windowEndsAtMs: state.windowEndsAtMs ?? nowMs + windowMs,
      used: state.used + 1,
      usedBy: counted(state.usedBy, requestClass, 1),
      inFlight: state.inFlight + 1,
      inFlightBy: counted(state.inFlightBy, requestClass, 1),
      reserved: isReserved ? state.reserved - 1 : state.reserved,
      callers: served(state.callers, call, { nowMs, by: 1 }),
      breaker: breakerAfter(state.breaker, { kind: "sent" }, nowMs),
    }),
  };
}

/** What is requested: so many requests of a class. */
export interface Wanted {
  readonly class: RequestClass;
  readonly who?: string;
  readonly count: number;
}

/** Sets requests aside, all or nothing. That the API is down is found out by the first of them. */
export function reserve(before: LedgerState, nowMs: number, wanted: Wanted): LedgerAnswer {
  const call = { class: wanted.class, who: wanted.who ?? "" };
  const state = withArrival(advance(before, nowMs), call, wanted.count);
  const shares = shareRefusals(state, { ...call, count: wanted.count });
  const refusal = longest([...quotaRefusals(state, call), ...shares]);
  if (refusal !== undefined) return refusedWith(state, { ...call, count: wanted.count }, refusal);
  return { kind: "granted", state: changed(state, { reserved: state.reserved + wanted.count }) };
}

/** Gives back what is left of a reservation. */
export function release(state: LedgerState, count: number): LedgerState {
  return changed(state, { reserved: Math.max(0, state.reserved - count) });
}

/** True when nothing of it would be missed: nothing spent in a window, nothing promised, no gate closed. */
export function isIdle(state: LedgerState): boolean {
  const { windowEndsAtMs, closedUntilMs, inFlight, reserved, breaker, nowMs } = state;
  const isQuiet = windowEndsAtMs === undefined && closedUntilMs === undefined && inFlight === 0 && reserved === 0;
  return isQuiet && outageOf(breaker, nowMs) === undefined;
}

/**
 * Enters what the same account has spent elsewhere: in a ledger that was kept apart until it was known whose it was.
 * What is in flight or set aside there is settled there.
 */
export function absorb(before: LedgerState, nowMs: number, spent: LedgerState): LedgerState {
  const state = advance(before, nowMs);
  const other = advance(spent, nowMs);
  if (other.windowEndsAtMs === undefined) return state;
  return changed(state, {
    used: state.used + other.used,
    usedBy: requestClasses.reduce((sum, one) => counted(sum, one, other.usedBy[one]), state.usedBy),
    limit: state.limit ?? other.limit,
    remaining: lower(state.remaining, other.remaining),
    windowEndsAtMs: state.windowEndsAtMs ?? other.windowEndsAtMs,
    isWindowReported: state.windowEndsAtMs === undefined ? other.isWindowReported : state.isWindowReported,
  });
}

/** The lower of two counts of what is left; a missing one says nothing. */
export function lower(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return b ?? a;
  return Math.min(a, b);
}

/** A caller that was refused before has come back, where this one is due. */
function withArrival(state: LedgerState, call: Call, count: number): LedgerState {
  const callers = arrived(state.callers, call, state.nowMs, count);
  return callers === state.callers ? state : changed(state, { callers });
}

function refusedWith(state: LedgerState, { count, ...call }: Required<Wanted>, refusal: Refusal): LedgerAnswer {
  const { nowMs } = state;
  const { waitMs, spreadMs, slotOf } = refusal;
  const firstMs = nowMs + waitMs;
  const lastMs = firstMs + spreadMs;
  const next = changed(state, {
    slotsBy: slotOf === undefined ? state.slotsBy : { ...state.slotsBy, [slotOf]: slotsTaken(state, slotOf) + 1 },
    deferredBy: counted(state.deferredBy, call.class, 1),
    callers: refused(state.callers, call, { nowMs, firstMs, lastMs, count }),
  });
  return { kind: "refused", state: next, ...refusal };
}

/** The longest of several waits: after it all of them are over. That the API is down is said whatever else is. */
function longest(refusals: readonly Refusal[]): Refusal | undefined {
  const [first, ...others] = refusals;
  if (first === undefined) return undefined;
  return others.reduce((most, one) => {
    const outage = most.outage ?? one.outage;
    return { ...(one.waitMs > most.waitMs ? one : most), ...(outage === undefined ? {} : { outage }) };
  }, first);
}

/** What refuses whoever asks: the gate, or the breaker. */
function gateRefusals(state: LedgerState, call: Call): readonly Refusal[] {
  const outage = outageOf(state.breaker, state.nowMs);
  if (outage === undefined) return quotaRefusals(state, call);
  const { cause, waitMs, isProbed } = outage;
  return [...quotaRefusals(state, call), { ...(isProbed ? busy(state) : after(waitMs)), outage: cause }];
}

function quotaRefusals(state: LedgerState, call: Call): readonly Refusal[] {
  if (state.closedUntilMs !== undefined) return [whenThereIsQuota(state, call, state.closedUntilMs - state.nowMs)];
  if (state.isProbing && state.inFlight > 0) return [busy(state)];
  const isUnknown = state.remaining === undefined && state.accepted === 0;
  return isUnknown && state.inFlight >= mostUnanswered ? [busy(state, firstAnswerWaitMs)] : [];
}

/** Nothing but other requests stand in the way, so the wait is short. */
function busy({ callers, nowMs }: LedgerState, leastMs = busyWaitMs): Refusal {
  const waiting = waitingIn(callers, requestClasses, nowMs);
  const waitMs = Math.min(leastMs + Math.floor(waiting / waitersPerSecond) * 1_000, longestBusyWaitMs);
  return { waitMs, spreadMs: waitMs };
}

/** After a wait that many may share: spread over a tenth of it, between 1 s and 60 s. */
function after(waitMs: number): Refusal {
  return { waitMs, spreadMs: Math.min(Math.max(waitMs * 0.1, 1_000), 60_000) };
}

/**
 * When there is quota again: a change that waits alone half a second later at most, and many of them as fast as they can
 * be sent; runs more slowly; checks for drift as by {@link after}.
 */
function whenThereIsQuota({ callers, nowMs }: LedgerState, call: Call, waitMs: number): Refusal {
  const usual = after(waitMs);
  if (call.class === "observe") return usual;
  const aheadMs = placeOf(callers, call, nowMs) / comingBackPerMs[call.class];
  return { waitMs, spreadMs: Math.min(Math.max(aheadMs, leastSpreadMs), usual.spreadMs) };
}

/** What refuses this caller of this class: its own share, and those of the more urgent classes. */
function shareRefusals(state: LedgerState, wanted: Required<Wanted>): readonly Refusal[] {
  return upTo(wanted.class).flatMap((one) => shortageOf(state, { ...wanted, class: one }) ?? []);
}

function shortageOf(state: LedgerState, wanted: Required<Wanted>): Refusal | undefined {
  if (availableTo(state, wanted) >= wanted.count) return undefined;
  const untilReset = whenThereIsQuota(state, wanted, (state.windowEndsAtMs ?? state.nowMs + windowMs) - state.nowMs);
  if (leftTo(state, wanted.class) < wanted.count) {
    // What is set aside is often given back within seconds, and of what is in flight the API may have counted a part
    // already; what is spent is spent.
    const isBusy = leftTo(changed(state, { reserved: 0, inFlight: 0 }), wanted.class) >= wanted.count;
    return isBusy ? shorter({ waitMs: busyWaitMs, spreadMs: busyWaitMs }, untilReset) : untilReset;
  }
  const held = longest([...paceRefusals(state, wanted), ...claimRefusals(state, wanted)]);
  return shorter(held ?? after(busyWaitMs), untilReset);
}

function shorter(one: Refusal, other: Refusal): Refusal {
  return one.waitMs < other.waitMs ? one : other;
}

/**
 * Until the share of the class allows the request: each that is refused gets a time of its own, so that those who wait
 * come one after the other. A caller that was served less than others takes a place between theirs.
 */
function paceRefusals(state: LedgerState, wanted: Required<Wanted>): readonly Refusal[] {
  const { class: requestClass, count } = wanted;
  const { callers, nowMs } = state;
  const paced = pacedTo(state, requestClass);
  if (paced - claimsBefore(callers, wanted, nowMs) >= count) return [];
  const rate = requestClass === "observe" ? earnRate(state) : giveBackRate(state.ceiling);
  if (rate <= 0) return [after(windowMs)];
  const inTurn = slotsTaken(state, requestClass) - state.usedBy[requestClass];
  const place = placeOf(callers, wanted, nowMs);
  const waitMs = Math.max(Math.ceil((Math.min(inTurn, place) + count - paced) / rate), busyWaitMs);
  const spreadMs = Math.min(1 / rate, 60_000);
  return [place < inTurn ? { waitMs, spreadMs } : { waitMs, spreadMs, slotOf: requestClass }];
}

function slotsTaken({ slotsBy, usedBy }: LedgerState, requestClass: RequestClass): number {
  return Math.max(slotsBy[requestClass], usedBy[requestClass]);
}

/** Until those that have a claim have come, or have given it up. */
function claimRefusals(state: LedgerState, wanted: Required<Wanted>): readonly Refusal[] {
  const { callers, nowMs } = state;
  if (leftTo(state, wanted.class) - claimsOn(state, wanted) >= wanted.count) return [];
  const moreUrgent = classesBefore(state, wanted);
  return [after(Math.max(untilClaimsLapseMs(callers, wanted, { moreUrgent, nowMs }), busyWaitMs))];
}
