import type { CallOptions, NorthflankApi } from "../../northflank/client.ts";
import { quotaClosed } from "../../northflank/errors.ts";
import type { Reservation } from "../../northflank/ledger.ts";
import type { Spender } from "../../northflank/spending.ts";
import type { RequestClass } from "../../northflank/types.ts";

/** What a target is read with. */
interface Reading {
  readonly api: NorthflankApi;
  readonly class: RequestClass;
  /** Most requests of it. */
  readonly requests: number;
  /** A write may follow. */
  readonly mayWrite: boolean;
  readonly signal: AbortSignal;
}

/** How the options of a read are made. */
export type Sequence = Pick<SetAside, "reading">;

/** Of reads that no write follows. */
export const readOnly: Sequence = { reading: ({ class: requestClass, signal }) => ({ class: requestClass, signal }) };

/**
 * The requests that one reconcile has set aside: where a user waits for a change, the read that decides on it and the
 * write that follows. Without that, the last requests of an hour would be spent on reads whose writes are refused.
 */
export class SetAside {
  readonly #spender: Spender;
  #reservation: Reservation | undefined;

  /** `spender`: the object that is reconciled. */
  constructor(spender: Spender) {
    this.#spender = spender;
  }

  /**
   * The options of a read.
   *
   * *Errors*: `NorthflankError` (`quota_closed`) where there is no quota for the read and a write.
   */
  reading({ api, class: requestClass, requests, mayWrite, signal }: Reading): CallOptions {
    this.release();
    const options = { class: requestClass, spender: this.#spender, signal };
    if (requestClass !== "change" || !mayWrite) return options;
    const outcome = api.reserve(requests + 1, requestClass);
    if (outcome.kind === "refused") throw quotaClosed("read the target", outcome);
    this.#reservation = outcome.reservation;
    return { ...options, reservation: outcome.reservation };
  }

  /** The options of the write. */
  writing(signal: AbortSignal): CallOptions {
    const options = { class: "change", spender: this.#spender, signal } as const;
    return { ...options, ...(this.#reservation && { reservation: this.#reservation }) };
  }

  /** Gives back what is left. Belongs into `finally`; harmless to repeat. */
  release(): void {
    this.#reservation?.release();
    this.#reservation = undefined;
  }
}
