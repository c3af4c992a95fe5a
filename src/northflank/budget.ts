import type { Ledger, Reservation, Ticket } from "./ledger.ts";
import type { Settlement } from "./ledger-state.ts";

/** What a client asks before it sends. */
export type Budget = Pick<Ledger, "admit" | "reserve">;

/**
 * The budget of one client out of two ledgers: its own, which holds no more than its ceiling, and that of the account,
 * which it shares and which alone hears what the API says of the quota. A request needs both.
 *
 * `account` is asked anew for each request: it may change once it is known whose account it is.
 */
export function createBudget(own: Ledger, account: () => Ledger): Budget {
  const parts = new WeakMap<Reservation, { readonly own: Reservation; readonly shared: Reservation }>();
  return {
    admit: ({ class: requestClass, reservation }) => {
      const part = reservation === undefined ? undefined : parts.get(reservation);
      // The account first: a gate that it has closed must not cost a request that was set aside.
      const shared = account().admit({ class: requestClass, reservation: part?.shared });
      if (shared.kind === "refused") return shared;
      const mine = own.admit({ class: requestClass, reservation: part?.own });
      if (mine.kind === "granted") return { kind: "granted", ticket: both(shared.ticket, mine.ticket) };
      shared.ticket.settle({ kind: "unsent" });
      return mine;
    },
    reserve: (count, requestClass) => {
      const shared = account().reserve(count, requestClass);
      if (shared.kind === "refused") return shared;
      const mine = own.reserve(count, requestClass);
      if (mine.kind === "refused") {
        shared.reservation.release();
        return mine;
      }
      const part = { own: mine.reservation, shared: shared.reservation };
      const reservation: Reservation = {
        get left() {
          return Math.min(part.own.left, part.shared.left);
        },
        release: () => {
          part.own.release();
          part.shared.release();
        },
      };
      parts.set(reservation, part);
      return { kind: "reserved", reservation };
    },
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

/** An own ceiling follows the windows of the account; what the API says of the rest is said of the account. */
function ofOwn(settlement: Settlement): Settlement {
  if (settlement.kind !== "answered") return settlement;
  const { resetMs } = settlement.rateLimit;
  const rateLimit = { limit: undefined, remaining: undefined, resetMs, retryAfterMs: undefined };
  return { kind: "answered", status: 200, rateLimit };
}
