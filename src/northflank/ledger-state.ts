// pure
import { askedWaitMs, clampWaitMs, type RateLimitReading } from "./rate-limit.ts";
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
 * - Answers arrive out of order: within a window the lowest `remaining` stands.
 * - A request that is in flight, or set aside, is spent for all others.
 * - An answer never opens the gate: only time does. So a late 200 cannot undo a 429.
 * - The last requests of a window are kept for the more urgent classes (see {@link kept}), of what our ceiling leaves and
 *   of what the account has left: a change is never refused where a check for drift would be granted.
 */
export interface LedgerState {
  /** Most requests that we send per window. */
  readonly ceiling: number;
  /** End of the window; `undefined` while none is open. */
  readonly windowEndsAtMs: number | undefined;
  /** True once the API has reported when the window ends; until then it is an hour from our first request. */
  readonly isWindowReported: boolean;
  readonly used: number;
  readonly inFlight: number;
  readonly reserved: number;
  readonly limit: number | undefined;
  /** What the API said is left, the lowest of this window; requests still in flight are not yet in it. */
  readonly remaining: number | undefined;
  readonly closedUntilMs: number | undefined;
  /** After a 429: only one request at a time until one of them is answered with something else. */
  readonly isProbing: boolean;
  /** 429 answers in a row that came without any hint, for doubling the wait. */
  readonly blindRefusals: number;
  /** Answers other than 429 in this window: they prove that our own estimate of its end means something. */
  readonly accepted: number;
}

/** The documented length of a window: it opens with the first request. */
const windowMs = 3_600_000;

const blindWaitMs = 60_000;

/** A window whose end moved by more than this is another window; less is rounding and latency. */
const sameWindowToleranceMs = 60_000;

/** How soon to come back when only requests set aside or in flight stand in the way. */
const busyWaitMs = 2_000;

/** A ledger before its first request. `ceiling`: most requests that we send per window. */
export function initialLedger(ceiling: number): LedgerState {
  return {
    ceiling,
    windowEndsAtMs: undefined,
    isWindowReported: false,
    used: 0,
    inFlight: 0,
    reserved: 0,
    limit: undefined,
    remaining: undefined,
    closedUntilMs: undefined,
    isProbing: false,
    blindRefusals: 0,
    accepted: 0,
  };
}

/** Lets time pass: ends the window and opens the gate when they are due. Every other function does this first. */
export function advance(state: LedgerState, nowMs: number): LedgerState {
  const isOpen = state.closedUntilMs === undefined || nowMs >= state.closedUntilMs;
  const next = isOpen && state.closedUntilMs !== undefined ? { ...state, closedUntilMs: undefined } : state;
  if (next.windowEndsAtMs === undefined || nowMs < next.windowEndsAtMs) return next;
  // What is in flight now is counted by the far end when it arrives: most likely in the window to come.
  return {
    ...next,
    windowEndsAtMs: next.inFlight > 0 ? nowMs + windowMs : undefined,
    isWindowReported: false,
    used: next.inFlight,
    remaining: undefined,
    accepted: 0,
  };
}

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

/** How many of the `total` requests of a window a class may not touch. */
export function kept(requestClass: RequestClass, total: number): number {
  const { least, share, most } = keeps[requestClass];
  return Math.min(Math.max(least, Math.ceil(total * share)), Math.floor(total * most));
}

/** How many more requests may be granted to this class now. */
export function available(state: LedgerState, requestClass: RequestClass): number {
  const promised = state.inFlight + state.reserved;
  const byCeiling = state.ceiling - state.used - state.reserved - kept(requestClass, state.ceiling);
  const byAccount =
    state.remaining === undefined
      ? Number.POSITIVE_INFINITY
      : state.remaining - promised - kept(requestClass, state.limit ?? state.ceiling);
  return Math.max(0, Math.min(byCeiling, byAccount));
}

/** The answer to one who wants to spend. */
export type LedgerAnswer =
  | { readonly kind: "granted"; readonly state: LedgerState }
  /** `busy`: nothing but other requests stand in the way, so the wait is short. */
  | { readonly kind: "refused"; readonly state: LedgerState; readonly waitMs: number; readonly isBusy: boolean };

/** Asks for one request. A reserved request is not refused for the count, but still for a closed gate. */
export function admit(
  before: LedgerState,
  nowMs: number,
  request: { readonly class: RequestClass; readonly isReserved: boolean },
): LedgerAnswer {
  const state = advance(before, nowMs);
  const { isReserved } = request;
  const refusal = refusalOf(state, nowMs, { class: request.class, count: isReserved ? 0 : 1 });
  if (refusal !== undefined) return refusal;
  return {
    kind: "granted",
    state: {
      ...state,
      windowEndsAtMs: state.windowEndsAtMs ?? nowMs + windowMs,
      used: state.used + 1,
      inFlight: state.inFlight + 1,
      reserved: isReserved ? state.reserved - 1 : state.reserved,
    },
  };
}

/** What is requested: so many requests of a class. */
export interface Wanted {
  readonly class: RequestClass;
  readonly count: number;
}

/** Sets requests aside, all or nothing. */
export function reserve(before: LedgerState, nowMs: number, wanted: Wanted): LedgerAnswer {
  const state = advance(before, nowMs);
  const granted = { kind: "granted", state: { ...state, reserved: state.reserved + wanted.count } } as const;
  return refusalOf(state, nowMs, wanted) ?? granted;
}

/** Gives back what is left of a reservation. */
export function release(state: LedgerState, count: number): LedgerState {
  return { ...state, reserved: Math.max(0, state.reserved - count) };
}

/** True when nothing of it would be missed: nothing spent in a window, nothing promised, no gate closed. */
export function isIdle(state: LedgerState): boolean {
  const { windowEndsAtMs, closedUntilMs, inFlight, reserved } = state;
  return windowEndsAtMs === undefined && closedUntilMs === undefined && inFlight === 0 && reserved === 0;
}

/**
 * Enters what the same account has spent elsewhere: in a ledger that was kept apart until it was known whose it was.
 * What is in flight or set aside there is settled there.
 */
export function absorb(before: LedgerState, nowMs: number, spent: LedgerState): LedgerState {
  const state = advance(before, nowMs);
  const other = advance(spent, nowMs);
  if (other.windowEndsAtMs === undefined) return state;
  return {
    ...state,
    used: state.used + other.used,
    limit: state.limit ?? other.limit,
    remaining: lower(state.remaining, other.remaining),
    windowEndsAtMs: state.windowEndsAtMs ?? other.windowEndsAtMs,
    isWindowReported: state.windowEndsAtMs === undefined ? other.isWindowReported : state.isWindowReported,
  };
}

function refusalOf(state: LedgerState, nowMs: number, wanted: Wanted): LedgerAnswer | undefined {
  if (state.closedUntilMs !== undefined) {
    return { kind: "refused", state, waitMs: state.closedUntilMs - nowMs, isBusy: false };
  }
  if (state.isProbing && state.inFlight > 0) return { kind: "refused", state, waitMs: busyWaitMs, isBusy: true };
  const { class: requestClass, count } = wanted;
  if (count === 0 || available(state, requestClass) >= count) return undefined;
  const untilResetMs = (state.windowEndsAtMs ?? nowMs + windowMs) - nowMs;
  // What is set aside is often given back within seconds; what is spent is not.
  const isBusy = available({ ...state, reserved: 0 }, requestClass) >= count;
  return { kind: "refused", state, waitMs: isBusy ? Math.min(busyWaitMs, untilResetMs) : untilResetMs, isBusy };
}

/** How a granted request ended. */
export type Settlement =
  /** No byte of it was sent: it cost nothing. */
  | { readonly kind: "unsent" }
  /** It was sent and no answer with headers came back. */
  | { readonly kind: "lost" }
  | { readonly kind: "answered"; readonly status: number; readonly rateLimit: RateLimitReading };

/** Enters how a granted request ended. */
export function settle(before: LedgerState, nowMs: number, settlement: Settlement): LedgerState {
  const state = advance(before, nowMs);
  const landed = { ...state, inFlight: Math.max(0, state.inFlight - 1) };
  if (settlement.kind === "unsent") return { ...landed, used: Math.max(0, landed.used - 1) };
  if (settlement.kind === "lost") {
    // The far end has most likely counted it, and its next answer will say so.
    return { ...landed, remaining: oneLess(landed.remaining) };
  }
  const read = applyReading(landed, nowMs, settlement.rateLimit);
  return settlement.status === 429
    ? closeAfterRefusal(read, nowMs, settlement.rateLimit)
    : closeIfSpent(accept(read), nowMs);
}

function accept(state: LedgerState): LedgerState {
  const accepted = state.accepted + 1;
  // Behind a closed gate this is a late answer to a request from before the refusal: it proves nothing about now.
  if (state.closedUntilMs !== undefined) return { ...state, accepted };
  return { ...state, accepted, isProbing: false, blindRefusals: 0 };
}

function applyReading(state: LedgerState, nowMs: number, reading: RateLimitReading): LedgerState {
  const endsAtMs = reading.resetMs === undefined ? undefined : nowMs + reading.resetMs;
  const isNewWindow = isAnotherWindow(state, endsAtMs, reading.remaining);
  // An answer that says nothing of the quota has still cost one.
  const remaining = reading.remaining ?? oneLess(state.remaining);
  const isRaised = state.limit !== undefined && reading.limit !== undefined && reading.limit !== state.limit;
  return {
    ...state,
    limit: reading.limit ?? state.limit,
    remaining: isNewWindow || isRaised ? remaining : lower(state.remaining, remaining),
    windowEndsAtMs: windowEnd(state, endsAtMs, isNewWindow),
    isWindowReported: state.isWindowReported || endsAtMs !== undefined,
    used: isNewWindow ? state.inFlight + 1 : state.used,
    accepted: isNewWindow ? 0 : state.accepted,
  };
}

/** The far end began a new window before we expected it: its end lies later *and* there is more left than before. */
function isAnotherWindow(state: LedgerState, endsAtMs: number | undefined, remaining: number | undefined): boolean {
  if (!state.isWindowReported || state.windowEndsAtMs === undefined || endsAtMs === undefined) return false;
  if (endsAtMs <= state.windowEndsAtMs + sameWindowToleranceMs) return false;
  return remaining !== undefined && state.remaining !== undefined && remaining > state.remaining;
}

function windowEnd(state: LedgerState, endsAtMs: number | undefined, isNewWindow: boolean): number | undefined {
  if (endsAtMs === undefined || state.windowEndsAtMs === undefined) return state.windowEndsAtMs ?? endsAtMs;
  if (isNewWindow || !state.isWindowReported) return endsAtMs;
  // A far end whose window always "ends in an hour" must not push our own window before itself for ever.
  return Math.min(state.windowEndsAtMs, endsAtMs);
}

function oneLess(count: number | undefined): number | undefined {
  return count === undefined ? undefined : Math.max(0, count - 1);
}

function lower(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return b ?? a;
  return Math.min(a, b);
}

function closeIfSpent(state: LedgerState, nowMs: number): LedgerState {
  if (state.remaining !== 0) return state;
  return closed(state, state.windowEndsAtMs ?? nowMs + windowMs);
}

function closeAfterRefusal(state: LedgerState, nowMs: number, reading: RateLimitReading): LedgerState {
  // With requests left it was not the hour that refused, so what is left still counts when the gate opens.
  const hasLeft = reading.remaining !== undefined && reading.remaining > 0;
  const remaining = hasLeft ? state.remaining : undefined;
  const retryAfterMs = askedWaitMs(reading);
  if (retryAfterMs !== undefined) {
    // How much will be left when the gate opens is not known: only that the API wants to be asked again then.
    return { ...closed(state, nowMs + retryAfterMs), isProbing: true, remaining, blindRefusals: 0 };
  }
  // Requests that were in flight together are refused together: that counts once.
  if (state.closedUntilMs !== undefined) return state;
  const isEstimateGood = !hasLeft && (state.isWindowReported || state.accepted > 0);
  const untilEndMs = (state.windowEndsAtMs ?? nowMs) - nowMs;
  const blindMs = blindWaitMs * 2 ** Math.min(state.blindRefusals, 10);
  const waitMs = clampWaitMs(isEstimateGood ? untilEndMs : blindMs);
  const blindRefusals = state.blindRefusals + 1;
  return { ...closed(state, nowMs + waitMs), isProbing: true, remaining, blindRefusals };
}

function closed(state: LedgerState, untilMs: number): LedgerState {
  return { ...state, closedUntilMs: Math.max(state.closedUntilMs ?? 0, untilMs) };
}

/**
 * Over how many milliseconds those who wait come back after the gate opens: a tenth of the wait, between 1 s and 60 s, so
 * that they neither arrive together nor waste the new window.
 */
export function spreadMs(waitMs: number, isBusy: boolean): number {
  return isBusy ? busyWaitMs : Math.min(Math.max(waitMs * 0.1, 1_000), 60_000);
}
