import type { Admission, AdmitRequest, Ledger, Reservation, ReserveOutcome, Ticket } from "./ledger.ts";
import type { Settlement } from "./ledger-settle.ts";
import type { RequestClass } from "./types.ts";

/** What a client asks before it sends. */
export type Budget = Pick<Ledger, "admit" | "reserve">;

/**
 * The budget of one client out of two ledgers: its own, which holds no more than its ceiling, and that of the account,
 * which it shares and which alone is fed with what the API reports of the quota. A request needs both.
 *
 * `account` is asked anew for each request: it may change once it is known whose account it is.
 */
export function createBudget(own: Ledger, account: () => Ledger): Budget {
  return new ChainedBudget(own, account);
}

class ChainedBudget implements Budget {
  readonly #own: Ledger;
  readonly #account: () => Ledger;

  constructor(own: Ledger, account: () => Ledger) {
    this.#own = own;
    this.#account = account;
  }

  admit({ class: requestClass, who, reservation, spender }: AdmitRequest): Admission {
    const parts = reservation instanceof ChainedReservation ? reservation : undefined;
    // The account first: a gate that it has closed must not cost a request that was set aside.
    const shared = this.#account().admit({ class: requestClass, who, reservation: parts?.shared, spender });
    if (shared.kind === "refused") return shared;
    const own = this.#own.admit({ class: requestClass, who, reservation: parts?.own });
    if (own.kind === "granted") return { kind: "granted", ticket: both(shared.ticket, own.ticket) };
    shared.ticket.settle({ kind: "unsent" });
    return own;
  }

  reserve(count: number, requestClass: RequestClass, who?: string): ReserveOutcome {
    const shared = this.#account().reserve(count, requestClass, who);
    if (shared.kind === "refused") return shared;
    const own = this.#own.reserve(count, requestClass, who);
    if (own.kind === "reserved") {
      return { kind: "reserved", reservation: new ChainedReservation(own.reservation, shared.reservation) };
    }
    shared.reservation.release();
    return own;
  }
}

class ChainedReservation implements Reservation {
  readonly own: Reservation;
  readonly shared: Reservation;

  constructor(own: Reservation, shared: Reservation) {
    this.own = own;
    this.shared = shared;
  }

  get left(): number {
    return Math.min(this.own.left, this.shared.left);
  }

  // Not a method: callers pass it on.
  readonly release = (): void => {
    this.own.release();
    this.shared.release();
  };
}

function both(shared: Ticket, own: Ticket): Ticket {
  return {
    settle: (settlement) => {
      own.settle(ofOwn(settlement));
      return shared.settle(settlement);
    },
  };
}

/**
 * An own ceiling follows the windows of the account; what the API says of the rest is said of the account, and so is that
 * it is down.
 */
function ofOwn(settlement: Settlement): Settlement {
  if (settlement.kind !== "answered") return { kind: settlement.kind };
  const { resetMs } = settlement.rateLimit;
  const rateLimit = { limit: undefined, remaining: undefined, resetMs, retryAfterMs: undefined };
  return { kind: "answered", status: 200, rateLimit };
}
