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

/** The right to send one request. It must be settled, whatever happens. */
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
 * The quota of one account, shared by all that spend it.
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

interface LedgerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Most requests that this process sends per hour. */
  readonly maxRequestsPerHour: number;
}

/** Makes a ledger. Of each window the last requests are kept for the more urgent classes. */
export function createLedger(options: LedgerOptions): Ledger {
  return new AccountLedger(options);
}

/** There may be one per connection, and thousands of them: its methods are those of the class, not each one's own. */
class AccountLedger implements Ledger {
  readonly #clock: Clock;
  readonly #random: Random;
  #state: quota.LedgerState;

  constructor({ clock, random, maxRequestsPerHour }: LedgerOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#state = quota.initialLedger(maxRequestsPerHour);
  }

  admit({ class: requestClass, reservation }: Parameters<Ledger["admit"]>[0]): Admission {
    const held = reservation instanceof HeldReservation && reservation.isOf(this) ? reservation : undefined;
    const isReserved = held !== undefined && held.left > 0;
    const answer = quota.admit(this.#state, this.#clock.monotonic(), { class: requestClass, isReserved });
    this.#state = answer.state;
    if (answer.kind === "refused") return this.#refusal(answer);
    if (isReserved) held.take();
    let isSettled = false;
    const settle = (settlement: quota.Settlement): boolean => {
      if (isSettled) return false;
      isSettled = true;
      this.#state = quota.settle(this.#state, this.#clock.monotonic(), settlement);
      return true;
    };
    return { kind: "granted", ticket: { settle } };
  }

  reserve(count: number, requestClass: RequestClass): ReserveOutcome {
    const answer = quota.reserve(this.#state, this.#clock.monotonic(), { class: requestClass, count });
    this.#state = answer.state;
    if (answer.kind === "refused") return this.#refusal(answer);
    const giveBack = (left: number): void => {
      this.#state = quota.release(this.#state, left);
    };
    return { kind: "reserved", reservation: new HeldReservation(this, count, giveBack) };
  }

  setCeiling(maxRequestsPerHour: number): void {
    this.#state = { ...this.#state, ceiling: maxRequestsPerHour };
  }

  absorb(spent: quota.LedgerState): void {
    this.#state = quota.absorb(this.#state, this.#clock.monotonic(), spent);
  }

  isIdle(): boolean {
    this.#state = quota.advance(this.#state, this.#clock.monotonic());
    return quota.isIdle(this.#state);
  }

  state(): quota.LedgerState {
    return this.#state;
  }

  snapshot(): LedgerSnapshot {
    const nowMs = this.#clock.monotonic();
    const state = quota.advance(this.#state, nowMs);
    this.#state = state;
    const toWallMs = (ms: number | undefined) => (ms === undefined ? undefined : this.#clock.now() + ms - nowMs);
    return {
      limit: state.limit,
      remaining: state.remaining === undefined ? undefined : Math.max(0, state.remaining - state.inFlight),
      resetAtMs: toWallMs(state.windowEndsAtMs),
      closedUntilMs: toWallMs(state.closedUntilMs),
      used: state.used,
    };
  }

  #refusal(answer: quota.LedgerAnswer & { readonly kind: "refused" }) {
    const spreadMs = quota.spreadMs(answer.waitMs, answer.isBusy) * this.#random();
    return { kind: "refused", retryAfterMs: Math.ceil(answer.waitMs + spreadMs) } as const;
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
