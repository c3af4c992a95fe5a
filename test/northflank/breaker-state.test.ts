import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BreakerEvent,
  type BreakerState,
  breakerAfter,
  closedBreaker,
  outageOf,
} from "../../src/northflank/breaker-state.ts";

const nowMs = 100_000;
const down = { kind: "failed", cause: "server_error" } as const;
const timedOut = { kind: "failed", cause: "timeout" } as const;
const open = { kind: "open", untilMs: nowMs + 5_000, probes: 0, cause: "server_error" } as const;
const probing = { kind: "probing", probes: 1, cause: "server_error" } as const;

const states = {
  closed: closedBreaker,
  "closed after nine failures": { kind: "closed", failures: 9 },
  open,
  probing,
  "probing for the sixth time": { ...probing, probes: 6 },
} as const satisfies Readonly<Record<string, BreakerState>>;

const events = {
  sent: { kind: "sent" },
  answered: { kind: "answered" },
  failed: down,
  "timed out": timedOut,
  undecided: { kind: "undecided" },
} as const satisfies Readonly<Record<string, BreakerEvent>>;

/** State x event. */
const table: Readonly<Record<keyof typeof states, Readonly<Record<keyof typeof events, BreakerState>>>> = {
  closed: {
    sent: closedBreaker,
    answered: closedBreaker,
    failed: { kind: "closed", failures: 1 },
    "timed out": closedBreaker,
    undecided: closedBreaker,
  },
  "closed after nine failures": {
    sent: { kind: "closed", failures: 9 },
    answered: closedBreaker,
    failed: open,
    "timed out": { kind: "closed", failures: 9 },
    undecided: { kind: "closed", failures: 9 },
  },
  open: { sent: probing, answered: closedBreaker, failed: open, "timed out": open, undecided: open },
  probing: {
    sent: probing,
    answered: closedBreaker,
    failed: { kind: "open", untilMs: nowMs + 10_000, probes: 1, cause: "server_error" },
    "timed out": { kind: "open", untilMs: nowMs + 10_000, probes: 1, cause: "timeout" },
    undecided: { kind: "open", untilMs: nowMs, probes: 0, cause: "server_error" },
  },
  "probing for the sixth time": {
    sent: { ...probing, probes: 6 },
    answered: closedBreaker,
    failed: { kind: "open", untilMs: nowMs + 60_000, probes: 6, cause: "server_error" },
    "timed out": { kind: "open", untilMs: nowMs + 60_000, probes: 6, cause: "timeout" },
    undecided: { kind: "open", untilMs: nowMs, probes: 5, cause: "server_error" },
  },
};

describe.each(Object.keys(states) as (keyof typeof states)[])("%s", (state) => {
  test.each(Object.keys(events) as (keyof typeof events)[])("%s", (event) => {
    expect(breakerAfter(states[state], events[event], nowMs)).toEqual(table[state][event]);
  });
});

test.each<[string, BreakerState, ReturnType<typeof outageOf>]>([
  ["closed: nothing", { kind: "closed", failures: 9 }, undefined],
  ["open: the rest of the wait", open, { cause: "server_error", waitMs: 5_000, isProbed: false }],
  ["open and due: nothing", { ...open, untilMs: nowMs }, undefined],
  ["probing: the probe", probing, { cause: "server_error", waitMs: 0, isProbed: true }],
])("what stands in the way, %s", (_what, state, outage) => expect(outageOf(state, nowMs)).toEqual(outage));

test("an API that is down for an hour gets a probe a minute, whoever asks how often", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 2_000, maxLength: 3_000 }), (gaps) => {
      let state: BreakerState = closedBreaker;
      let atMs = 0;
      let sent = 0;
      for (const gap of gaps) {
        atMs += gap;
        if (outageOf(state, atMs) !== undefined) continue;
        sent += 1;
        state = breakerAfter(breakerAfter(state, { kind: "sent" }, atMs), down, atMs);
      }
      // Ten until it opens, then after 5, 10, 20 and 40 s, then once a minute.
      expect(sent).toBeLessThanOrEqual(10 + 4 + Math.ceil(atMs / 60_000));
    }),
    { numRuns: 20 },
  );
});
