// pure

/**
 * Whether the API of an account is down. Times are monotonic milliseconds.
 *
 *              the 10th failure in a row             due, and a request asks
 *     closed ─────────────────────────────▶ open ─────────────────────────────▶ probing
 *      ▲  ▲                                 │  ▲                                 │   │
 *      │  └──── a late answer says it is up ┘  └── failed (longer), undecided ───┘   │
 *      └──────────────────────────── answered ───────────────────────────────────────┘
 *
 * *Promises*
 * - While the API is down, one request at a time goes out, 5 s after the last one and then after up to a minute,
 *   however many objects wait.
 * - One answer other than a 5xx closes it, also a late one to a request from before: the API is up.
 * - A timeout opens nothing, because one project that hangs must not hold up the others; but a probe that times out
 *   has failed.
 */
export type BreakerState =
  | { readonly kind: "closed"; readonly failures: number }
  | { readonly kind: "open"; readonly untilMs: number; readonly probes: number; readonly cause: Outage }
  /** The outcome of one request is awaited, and no other is sent. */
  | { readonly kind: "probing"; readonly probes: number; readonly cause: Outage };

/** How a request failed that the API did not answer, or answered with a 5xx: the codes of its error. */
export type Outage = "unreachable" | "interrupted" | "timeout" | "server_error";

/** What happens to requests. */
export type BreakerEvent =
  | { readonly kind: "sent" }
  | { readonly kind: "answered" }
  | { readonly kind: "failed"; readonly cause: Outage }
  /** Nothing was learned: it was given up by us, or never sent. */
  | { readonly kind: "undecided" };

// Three calls may fail with all their retries though the API is up.
const mostFailures = 10;

const firstWaitMs = 5_000;
const longestWaitMs = 60_000;

/** The breaker before the first request. */
export const closedBreaker: BreakerState = { kind: "closed", failures: 0 };

type Of<S extends { readonly kind: string }, K extends string> = Extract<S, { readonly kind: K }>;

/** The whole table: state x event. */
const steps: {
  readonly [S in BreakerState["kind"]]: {
    readonly [E in BreakerEvent["kind"]]: (
      state: Of<BreakerState, S>,
      event: Of<BreakerEvent, E>,
      nowMs: number,
    ) => BreakerState;
  };
} = {
  closed: {
    sent: same,
    answered: ({ failures }) => (failures === 0 ? closedBreaker : { kind: "closed", failures: 0 }),
    failed: ({ failures }, { cause }, nowMs) => {
      if (cause === "timeout") return { kind: "closed", failures };
      const count = failures + 1;
      return count < mostFailures ? { kind: "closed", failures: count } : opened(0, cause, nowMs);
    },
    undecided: same,
  },
  open: {
    sent: ({ probes, cause }) => ({ kind: "probing", probes: probes + 1, cause }),
    answered: () => closedBreaker,
    // Sent before it opened: nothing new.
    failed: same,
    undecided: same,
  },
  probing: {
    sent: same,
    answered: () => closedBreaker,
    failed: ({ probes }, { cause }, nowMs) => opened(probes, cause, nowMs),
    // The next request that asks is the probe instead.
    undecided: ({ probes, cause }, _event, nowMs) => ({ kind: "open", untilMs: nowMs, probes: probes - 1, cause }),
  },
};

/** The state after an event. */
export function breakerAfter(state: BreakerState, event: BreakerEvent, nowMs: number): BreakerState {
  const step = steps[state.kind][event.kind] as (from: BreakerState, by: BreakerEvent, atMs: number) => BreakerState;
  return step(state, event, nowMs);
}

/** What stands in the way of a request now; `undefined` where it may be sent. `isProbed`: only the probe does. */
export function outageOf(
  state: BreakerState,
  nowMs: number,
): { readonly cause: Outage; readonly waitMs: number; readonly isProbed: boolean } | undefined {
  if (state.kind === "probing") return { cause: state.cause, waitMs: 0, isProbed: true };
  if (state.kind === "closed" || nowMs >= state.untilMs) return undefined;
  return { cause: state.cause, waitMs: state.untilMs - nowMs, isProbed: false };
}

function same(state: BreakerState): BreakerState {
  return state;
}

function opened(probes: number, cause: Outage, nowMs: number): BreakerState {
  const waitMs = Math.min(firstWaitMs * 2 ** Math.min(probes, 10), longestWaitMs);
  return { kind: "open", untilMs: nowMs + waitMs, probes, cause };
}
