/** Requests set aside for one sequence of calls. */
export interface Reservation {
  /** How many of the requests set aside are left. */
  readonly left: number;
  /** Gives back what is left. Harmless to repeat; belongs into `finally`. */
  readonly release: () => void;
}

export type ReserveOutcome =
  | { readonly kind: "reserved"; readonly reservation: Reservation }
  /** Not before `retryAfterMs` from now (spread included). Not a failure: the object waits. */
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
