// pure
import { type BreakerEvent, type BreakerState, breakerAfter, type Outage } from "./breaker-state.ts";
import { type Call, refused, served } from "./ledger-callers.ts";
import { counted, windowMs } from "./ledger-shares.ts";
import { advance, beginWindow, changed, type LedgerState, lower } from "./ledger-state.ts";
import { askedWaitMs, clampWaitMs, type RateLimitReading } from "./rate-limit.ts";

/** How a granted request ended. `outage`: the API is why; missing where the operator gave it up. */
export type Settlement =
  /** No byte of it was sent: it cost nothing. */
  | { readonly kind: "unsent"; readonly outage?: Outage }
  /** It was sent and no answer with headers came back. */
  | { readonly kind: "lost"; readonly outage?: Outage }
  | { readonly kind: "answered"; readonly status: number; readonly rateLimit: RateLimitReading };

const blindWaitMs = 60_000;

/** A window whose end moved by more than this is another window; less is rounding and latency. */
const sameWindowToleranceMs = 60_000;

/** A request that was granted. */
export interface Granted extends Call {
  /** {@link LedgerState.window} in which it was. */
  readonly window: number;
  /** {@link LedgerState.breaker} from then on: where it is probing, this request is the probe. */
  readonly breaker: BreakerState;
}

/** Enters how a granted request ended. */
export function settle(before: LedgerState, nowMs: number, call: Granted, settlement: Settlement): LedgerState {
  const state = advance(before, nowMs);
  const landed = changed(state, {
    inFlight: Math.max(0, state.inFlight - 1),
    inFlightBy: counted(state.inFlightBy, call.class, -1),
    breaker: settledBreaker(state, call, eventOf(settlement)),
  });
  if (settlement.kind === "unsent") {
    return changed(withoutOne(landed, call), { callers: served(landed.callers, call, { nowMs, by: -1 }) });
  }
  if (settlement.kind === "lost") {
    // The far end has most likely counted it, and its next answer will say so.
    return changed(landed, { remaining: oneLess(landed.remaining) });
  }
  const isLate = isOfWindowBefore(landed, call, settlement.rateLimit);
  const read = isLate ? withoutOne(landed, call) : applyReading(landed, call, settlement.rateLimit);
  if (settlement.status !== 429) return closeIfSpent(accept(read));
  return withClaim(closeAfterRefusal(read, settlement.rateLimit), call);
}

/** A request from before the probe says nothing of it, unless it was answered: the API is up. */
function settledBreaker({ breaker, nowMs }: LedgerState, call: Granted, event: BreakerEvent): BreakerState {
  const isBefore = breaker.kind === "probing" && call.breaker !== breaker;
  return isBefore && event.kind !== "answered" ? breaker : breakerAfter(breaker, event, nowMs);
}

// When a request that was answered with 429 is made again, after the gate has opened.
const againWithinMs = 5_000;

/** Whoever was refused by the API comes back, and was served as little as one whom the ledger refused. */
function withClaim(state: LedgerState, call: Call): LedgerState {
  const { nowMs, closedUntilMs = nowMs } = state;
  const callers = served(state.callers, call, { nowMs, by: -1 });
  return changed(state, {
    callers: refused(callers, call, { nowMs, firstMs: closedUntilMs, lastMs: closedUntilMs + againWithinMs }),
  });
}

/** Whether the request counts as spent in the window that is open once {@link settle} has entered how it ended. */
export function isSpent(before: LedgerState, nowMs: number, call: Granted, settlement: Settlement): boolean {
  if (settlement.kind !== "answered") return settlement.kind === "lost";
  return !isOfWindowBefore(advance(before, nowMs), call, settlement.rateLimit);
}

/** The request was counted in a window that has ended since: what its answer says is left is of that one. */
function isOfWindowBefore({ window }: LedgerState, granted: Granted, { resetMs }: RateLimitReading): boolean {
  return granted.window !== window && resetMs !== undefined && resetMs < sameWindowToleranceMs;
}

function withoutOne(state: LedgerState, call: Call): LedgerState {
  return changed(state, { used: Math.max(0, state.used - 1), usedBy: counted(state.usedBy, call.class, -1) });
}

function eventOf(settlement: Settlement): BreakerEvent {
  if (settlement.kind === "answered") {
    return settlement.status >= 500 ? { kind: "failed", cause: "server_error" } : { kind: "answered" };
  }
  return settlement.outage === undefined ? { kind: "undecided" } : { kind: "failed", cause: settlement.outage };
}

function accept(state: LedgerState): LedgerState {
  const accepted = state.accepted + 1;
  // Behind a closed gate this is a late answer to a request from before the refusal: it proves nothing about now.
  if (state.closedUntilMs !== undefined) return changed(state, { accepted });
  return changed(state, { accepted, isProbing: false, blindRefusals: 0 });
}

function applyReading(before: LedgerState, call: Call, reading: RateLimitReading): LedgerState {
  const endsAtMs = reading.resetMs === undefined ? undefined : before.nowMs + reading.resetMs;
  const isNewWindow = isAnotherWindow(before, endsAtMs, reading.remaining);
  const state = isNewWindow ? withNewWindow(before, call) : before;
  // An answer that says nothing of the quota has still cost one.
  const remaining = reading.remaining ?? oneLess(state.remaining);
  const isRaised = state.limit !== undefined && reading.limit !== undefined && reading.limit !== state.limit;
  return changed(state, {
    limit: reading.limit ?? state.limit,
    remaining: isNewWindow || isRaised ? remaining : lower(state.remaining, remaining),
    windowEndsAtMs: windowEnd(state, endsAtMs, isNewWindow),
    isWindowReported: state.isWindowReported || endsAtMs !== undefined,
  });
}

/** What is in flight, and the request that was answered, are spent from the new window. */
function withNewWindow(state: LedgerState, call: Call): LedgerState {
  const { inFlight, inFlightBy } = state;
  return changed(beginWindow(state), { used: inFlight + 1, usedBy: counted(inFlightBy, call.class, 1) });
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

function closeIfSpent(state: LedgerState): LedgerState {
  if (state.remaining !== 0) return state;
  return closed(state, "spent", state.windowEndsAtMs ?? state.nowMs + windowMs);
}

function closeAfterRefusal(state: LedgerState, reading: RateLimitReading): LedgerState {
  const { nowMs } = state;
  // With requests left it was not the hour that refused, so what is left still counts when the gate opens.
  const hasLeft = reading.remaining !== undefined && reading.remaining > 0;
  const remaining = hasLeft ? state.remaining : undefined;
  const retryAfterMs = askedWaitMs(reading);
  if (retryAfterMs !== undefined) {
    // How much will be left when the gate opens is not known: only that the API wants to be asked again then.
    const until = closed(state, "rate_limited", nowMs + retryAfterMs);
    return changed(until, { isProbing: true, remaining, blindRefusals: 0 });
  }
  // Requests that were in flight together are refused together: that counts once.
  if (state.closedUntilMs !== undefined) return state;
  const isEstimateGood = !hasLeft && (state.isWindowReported || state.accepted > 0);
  const untilEndMs = (state.windowEndsAtMs ?? nowMs) - nowMs;
  const blindMs = blindWaitMs * 2 ** Math.min(state.blindRefusals, 10);
  const waitMs = clampWaitMs(isEstimateGood ? untilEndMs : blindMs);
  const blindRefusals = state.blindRefusals + 1;
  return changed(closed(state, "rate_limited", nowMs + waitMs), { isProbing: true, remaining, blindRefusals });
}

function closed(state: LedgerState, by: NonNullable<LedgerState["closedBy"]>, atMs: number): LedgerState {
  const untilMs = state.closedUntilMs ?? Number.NEGATIVE_INFINITY;
  return atMs > untilMs ? changed(state, { closedUntilMs: atMs, closedBy: by }) : state;
}
