import type { Clock } from "../util/clock.ts";
import { present } from "../util/present.ts";
import type { Random } from "../util/random.ts";
import type { Outage } from "./breaker-state.ts";
import type { QuotaRefusal } from "./errors.ts";
import { allWaiting } from "./ledger-callers.ts";
import { type Granted, isSpent, type Settlement, settle } from "./ledger-settle.ts";
import type { PerClass } from "./ledger-shares.ts";
import * as quota from "./ledger-state.ts";
import { grantedPerWindow, stretchAfterRequest, stretchedBy, unstretched } from "./ledger-stretch.ts";
import { type Spender, Spending } from "./spending.ts";
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
  | ({ readonly kind: "refused" } & QuotaRefusal);

/** The right to send one request. It must be settled, whatever happens. */
export interface Ticket {
  /** Only the first call counts; it returns true, later ones false. */
  readonly settle: (settlement: Settlement) => boolean;
}

/** The answer to one who wants to send a request. */
export type Admission =
  | { readonly kind: "granted"; readonly ticket: Ticket }
  /**
   * With `outage` it is not the quota that refuses: the last requests failed so, and one at a time probes whether the API
   * is up again.
   */
  | ({ readonly kind: "refused"; readonly outage?: Outage } & QuotaRefusal);

/** How often what can wait may be requested: the formulas stand at the top of ledger-stretch.ts. */
export interface LedgerPace {
  /** So many times as long as usual are the intervals of polls, from 1 to 10. */
  readonly stretch: number;
  /** Requests of a window that are ours, as far as people and CI leave them. */
  readonly grantedPerHour: number;
  /** Requests of a window that people and CI make, as far as they are seen. */
  readonly othersPerHour: number;
}

/** What an account has spent and may still spend, for metrics and status. Times are wall-clock milliseconds. */
export interface LedgerSnapshot {
  /** Requests per window that the API grants the account, as it last said. */
  readonly limit: number | undefined;
  /**
   * What is left of it by the latest answer, minus what is in flight; 0 while a 429 asked to stay away, and all of it
   * while no window is open.
   */
  readonly remaining: number | undefined;
  /** When the window ends; missing before the first request of a window. */
  readonly resetAtMs: number | undefined;
  /** Until when no request goes out at all; missing while the gate is open. */
  readonly closedUntilMs: number | undefined;
  /** Requests that this process sent in the window. */
  readonly used: number;
  /** The same by class. */
  readonly usedBy: PerClass;
  /** Requests of this window that were refused by the ledger, by class; a request that comes back counts again. */
  readonly deferredBy: PerClass;
  /** Requests that were refused and are to come back. */
  readonly waiting: number;
  /**
   * Why no request goes out, or one at a time: the quota is spent, a 429 asked to stay away, or the API is down, as its
   * error says. Missing while requests go out.
   */
  readonly closedBy: "spent" | "rate_limited" | Outage | undefined;
}

/**
 * The quota of one account, shared by all that spend it.
 *
 * *Guarantees*: never waits and never throws; a refusal names a time at which coming back makes sense, different for
 * each caller.
 */
export interface Ledger {
  /** Asks for one request. `reservation` is spent first, as long as it lasts. */
  admit(request: AdmitRequest): Admission;
  /** Sets requests aside, all or nothing. `who`: see {@link AdmitRequest}. */
  reserve(count: number, requestClass: RequestClass, who?: string): ReserveOutcome;
  /** Changes how many requests we send per window. */
  setCeiling(maxRequestsPerHour: number): void;
  /** Enters what the same account has spent in another ledger, which is not asked any more. */
  absorb(spent: Pick<Ledger, "state" | "spending">): void;
  /** True when nothing would be missed if a new ledger took its place. */
  isIdle(): boolean;
  /** All that it knows, for {@link absorb}. */
  state(): quota.LedgerState;
  /** As it was a second ago at most. */
  pace(): LedgerPace;
  /** Who has spent the requests of this window that have ended; `undefined` while none named its spender. */
  spending(): Spending | undefined;
  snapshot(): LedgerSnapshot;
}

/** One request that is asked for. */
export interface AdmitRequest {
  readonly class: RequestClass;
  /** Who spends, for fairness: `who` of `Call`. Default: one that all share. */
  readonly who?: string | undefined;
  readonly reservation?: Reservation | undefined;
  /** For whom it is sent: for people, no decision depends on it. Missing: it is counted for none. */
  readonly spender?: Spender | undefined;
}

interface LedgerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Most requests that this process sends per hour. */
  readonly maxRequestsPerHour: number;
  /** The part of a window that checks for drift may spend. Default 0.2. */
  readonly observeShare?: number;
}

/** Makes a ledger. */
export function createLedger(options: LedgerOptions): Ledger {
  return new AccountLedger(options);
}

// Asked for several times in each reconcile, and it changes over minutes.
const paceForMs = 1_000;

/** There may be one per connection, and thousands of them: its methods are those of the class, not each one's own. */
class AccountLedger implements Ledger {
  readonly #clock: Clock;
  readonly #random: Random;
  #state: quota.LedgerState;
  #stretch = unstretched;
  #pace: { readonly value: LedgerPace; readonly atMs: number } | undefined;
  /** Made for the first spender: the ceilings of connections have none. */
  #spending: Spending | undefined;
  /** The window that {@link #spending} is of. */
  #spendingWindow = 0;

  constructor({ clock, random, maxRequestsPerHour, observeShare }: LedgerOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#state = quota.initialLedger(maxRequestsPerHour, observeShare);
  }

  admit({ class: requestClass, who = "", reservation, spender }: AdmitRequest): Admission {
    const held = reservation instanceof HeldReservation && reservation.isOf(this) ? reservation : undefined;
    const isReserved = held !== undefined && held.left > 0;
    const answer = quota.admit(this.#state, this.#now(), { class: requestClass, who, isReserved });
    this.#state = answer.state;
    if (answer.kind === "refused") {
      const { outage } = answer;
      return { kind: "refused", ...this.#refusal(answer, requestClass, 1), ...present({ outage }) };
    }
    if (isReserved) held.take();
    this.#stretch = stretchAfterRequest(this.#stretch, requestClass);
    const { window, breaker } = answer.state;
    const granted = { class: requestClass, who, window, breaker };
    let isSettled = false;
    const settleOnce = (settlement: Settlement): boolean => {
      if (isSettled) return false;
      isSettled = true;
      this.#settle(granted, settlement, spender);
      return true;
    };
    return { kind: "granted", ticket: { settle: settleOnce } };
  }

  reserve(count: number, requestClass: RequestClass, who = ""): ReserveOutcome {
    const answer = quota.reserve(this.#state, this.#now(), { class: requestClass, who, count });
    this.#state = answer.state;
    if (answer.kind === "refused") return { kind: "refused", ...this.#refusal(answer, requestClass, count) };
    const giveBack = (left: number): void => {
      this.#state = quota.release(this.#state, left);
    };
    return { kind: "reserved", reservation: new HeldReservation(this, count, giveBack) };
  }

  setCeiling(maxRequestsPerHour: number): void {
    this.#state = quota.changed(this.#state, { ceiling: maxRequestsPerHour });
    this.#pace = undefined;
  }

  absorb(spent: Pick<Ledger, "state" | "spending">): void {
    this.#state = quota.absorb(this.#state, this.#now(), spent.state());
    this.#pace = undefined;
    const spending = spent.spending();
    if (spending !== undefined) this.#spendingNow().absorb(spending);
  }

  isIdle(): boolean {
    this.#state = quota.advance(this.#state, this.#now());
    return quota.isIdle(this.#state);
  }

  state(): quota.LedgerState {
    return this.#state;
  }

  pace(): LedgerPace {
    const nowMs = this.#now();
    if (this.#pace !== undefined && nowMs - this.#pace.atMs < paceForMs) return this.#pace.value;
    this.#state = quota.advance(this.#state, nowMs);
    this.#stretch = stretchedBy(this.#stretch, this.#state);
    const { stretch, othersHeld } = this.#stretch;
    const grantedPerHour = grantedPerWindow(this.#stretch, this.#state);
    const value = { stretch, grantedPerHour, othersPerHour: othersHeld };
    this.#pace = { value, atMs: nowMs };
    return value;
  }

  spending(): Spending | undefined {
    this.#state = quota.advance(this.#state, this.#now());
    return this.#spending === undefined ? undefined : this.#spendingNow();
  }

  snapshot(): LedgerSnapshot {
    const nowMs = this.#now();
    const state = quota.advance(this.#state, nowMs);
    this.#state = state;
    const toWallMs = (ms: number | undefined) => (ms === undefined ? undefined : this.#clock.now() + ms - nowMs);
    return {
      limit: state.limit,
      remaining: quota.remainingOf(state),
      resetAtMs: toWallMs(state.windowEndsAtMs),
      closedUntilMs: toWallMs(state.closedUntilMs),
      used: state.used,
      usedBy: state.usedBy,
      deferredBy: state.deferredBy,
      waiting: allWaiting(state.callers, nowMs),
      closedBy: state.closedBy ?? (state.breaker.kind === "closed" ? undefined : state.breaker.cause),
    };
  }

  /** Whole milliseconds: what happens within one of them needs no new state for the time alone. */
  #now(): number {
    return Math.floor(this.#clock.monotonic());
  }

  #settle(granted: Granted, settlement: Settlement, spender: Spender | undefined): void {
    const nowMs = this.#now();
    const isCounted = spender !== undefined && isSpent(this.#state, nowMs, granted, settlement);
    this.#state = settle(this.#state, nowMs, granted, settlement);
    if (nowMs - this.#stretch.nowMs >= paceForMs || this.#stretch.window !== this.#state.window) {
      this.#stretch = stretchedBy(this.#stretch, this.#state);
    }
    if (isCounted) this.#spendingNow().add(spender);
  }

  /** That of the window that is open. */
  #spendingNow(): Spending {
    const spending = this.#spending ?? new Spending();
    if (this.#spendingWindow !== this.#state.window) spending.clear();
    this.#spendingWindow = this.#state.window;
    this.#spending = spending;
    return spending;
  }

  #refusal({ waitMs, spreadMs }: quota.Refusal, requestClass: RequestClass, count: number): QuotaRefusal {
    const retryAfterMs = Math.ceil(waitMs + spreadMs * this.#random());
    const isOfCeiling = quota.isCeilingSpent(this.#state, requestClass, count);
    return { retryAfterMs, ...present({ ceiling: isOfCeiling ? this.#state.ceiling : undefined }) };
  }
}

/** Requests that one ledger has set aside: worth nothing in another one. */
class HeldReservation implements Reservation {
  readonly #owner: Ledger;
  readonly #giveBack: (left: number) => void;
  #left: number;

  constructor(owner: Ledger, count: number, giveBack: (left: number) => void) {
    this.#owner = owner;
    this.#giveBack = giveBack;
    this.#left = count;
  }

  get left(): number {
    return this.#left;
  }

  // Not a method: callers pass it on.
  readonly release = (): void => {
    this.#giveBack(this.#left);
    this.#left = 0;
  };

  isOf(ledger: Ledger): boolean {
    return this.#owner === ledger;
  }

  take(): void {
    this.#left -= 1;
  }
}
