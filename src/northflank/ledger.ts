import type { Clock } from "../util/clock.ts";
import type { Random } from "../util/random.ts";
import * as quota from "./ledger-state.ts";
import type { RequestClass } from "./types.ts";

/** Requests set aside for one sequence of calls. */
export interface Reservation {
  /** How many of the requests set aside are left. */
  readonly left: number;
  /** Gives back what is left. Harmless to repeat; belongs into `finally`. */
  readonly release: () => void;
}

/** The answer to one who sets requests aside. */
export type ReserveOutcome =
  | { readonly kind: "reserved"; readonly reservation: Reservation }
  /** Not before `retryAfterMs` from now (spread included). Not a failure: the object waits. */
  | { readonly kind: "refused"; readonly retryAfterMs: number };

/** The right to send one request. How it ended must be told, whatever happens. */
export interface Ticket {
  /** Only the first call counts; it returns true, later ones false. */
  readonly settle: (settlement: quota.Settlement) => boolean;
}

/** The answer to one who wants to send a request. */
export type Admission =
  | { readonly kind: "granted"; readonly ticket: Ticket }
  | { readonly kind: "refused"; readonly retryAfterMs: number };

/** What an account has spent and may still spend, for metrics and status. Times are wall-clock milliseconds. */
export interface LedgerSnapshot {
  /** Requests per window that the API grants the account, as it last said. */
  readonly limit: number | undefined;
  /** What is left of it by the latest answer, minus what is in flight. */
  readonly remaining: number | undefined;
  /** When the window ends; missing before the first request of a window. */
  readonly resetAtMs: number | undefined;
  /** Until when no request goes out at all; missing while the gate is open. */
  readonly closedUntilMs: number | undefined;
  /** Requests that this process sent in the window. */
  readonly used: number;
}

/**
 * The quota of one account, shared by everybody who spends it.
 *
 * *Guarantees*: never waits and never throws; a refusal names a time at which coming back makes sense, different for
 * each caller.
 */
export interface Ledger {
  /** Asks for one request. `reservation` is spent first, as long as it lasts. */
  admit(request: { readonly class: RequestClass; readonly reservation?: Reservation | undefined }): Admission;
  /** Sets requests aside, all or nothing. */
  reserve(count: number, requestClass: RequestClass): ReserveOutcome;
  /** Changes how many requests we send per window. */
  setCeiling(maxRequestsPerHour: number): void;
  /** Enters what the same account has spent in another ledger, which is not asked any more. */
  absorb(spent: quota.LedgerState): void;
  /** True when nothing would be missed if a new ledger took its place. */
  isIdle(): boolean;
  /** All that it knows, for {@link absorb}. */
  state(): quota.LedgerState;
  snapshot(): LedgerSnapshot;
}

/**
 * Makes the ledger of an account. Of each window the last requests are kept for the more urgent classes.
 */
export function createLedger(options: {
  readonly clock: Clock;
  readonly random: Random;
  /** Most requests that this process sends per hour. */
  readonly maxRequestsPerHour: number;
}): Ledger {
  const { clock, random } = options;
  let state = quota.initialLedger(options.maxRequestsPerHour);
  const lefts = new WeakMap<Reservation, { left: number }>();

  const refusal = (answer: quota.LedgerAnswer & { readonly kind: "refused" }) => ({
    kind: "refused" as const,
    retryAfterMs: Math.ceil(answer.waitMs + quota.spreadMs(answer.waitMs, answer.isBusy) * random()),
  });

  return {
    admit: ({ class: requestClass, reservation }) => {
      const account = reservation === undefined ? undefined : lefts.get(reservation);
      const isReserved = account !== undefined && account.left > 0;
      const answer = quota.admit(state, clock.monotonic(), { class: requestClass, isReserved });
      state = answer.state;
      if (answer.kind === "refused") return refusal(answer);
      if (isReserved) account.left--;
      let isSettled = false;
      const settle = (settlement: quota.Settlement): boolean => {
        if (isSettled) return false;
        isSettled = true;
        state = quota.settle(state, clock.monotonic(), settlement);
        return true;
      };
      return { kind: "granted", ticket: { settle } };
    },
    reserve: (count, requestClass) => {
      const answer = quota.reserve(state, clock.monotonic(), { class: requestClass, count });
      state = answer.state;
      if (answer.kind === "refused") return refusal(answer);
      const account = { left: count };
      const reservation: Reservation = {
        get left() {
          return account.left;
        },
        release: () => {
          state = quota.release(state, account.left);
          account.left = 0;
        },
      };
      lefts.set(reservation, account);
      return { kind: "reserved", reservation };
    },
    setCeiling: (maxRequestsPerHour) => {
      state = { ...state, ceiling: maxRequestsPerHour };
    },
    absorb: (spent) => {
      state = quota.absorb(state, clock.monotonic(), spent);
    },
    isIdle: () => {
      state = quota.advance(state, clock.monotonic());
      return quota.isIdle(state);
    },
    state: () => state,
    snapshot: () => {
      const nowMs = clock.monotonic();
      state = quota.advance(state, nowMs);
      const toWallMs = (ms: number | undefined) => (ms === undefined ? undefined : clock.now() + ms - nowMs);
      return {
        limit: state.limit,
        remaining: state.remaining === undefined ? undefined : Math.max(0, state.remaining - state.inFlight),
        resetAtMs: toWallMs(state.windowEndsAtMs),
        closedUntilMs: toWallMs(state.closedUntilMs),
        used: state.used,
      };
    },
  };
}
