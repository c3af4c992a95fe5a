// pure
import type { Lease } from "../kube/types.ts";
import { formatMicroTime } from "./micro-time.ts";

/*
 * Who leads, judged from a Lease. No clock is compared with another machine's: a Lease has expired when *we* have seen
 * it unchanged for its whole duration on our own monotonic clock.
 *
 *      standby --our write is accepted--> leading --deadline passed, or another holder--> ended (lost)
 *                                            +-----------------released-----------------> ended (released)
 *
 * While leading, two deadlines count from the moment *before* the last accepted write was sent:
 *
 *      sent           renewDeadlineMs       leaseDurationMs
 *       |------ leads ------|---- no leader -----|---- others may lead
 *
 * The stretch in the middle is for calls that were sent just before the first deadline.
 */

/** How long a Lease counts, in milliseconds. */
export interface LeaderTiming {
  /** How long others must see the Lease unchanged before they may take it. */
  readonly leaseDurationMs: number;
  /** Without an accepted renewal for so long, leadership ends. Less than `leaseDurationMs`. */
  readonly renewDeadlineMs: number;
}

/** The Lease as we last saw it (`undefined`: there is none), and since when it has looked like that. */
export interface Sighting {
  readonly lease: Lease | undefined;
  readonly sinceMs: number;
}

/** `seen` is `undefined` when the Lease must be read before it can be written. */
export type LeaderState =
  | { readonly kind: "standby"; readonly seen: Sighting | undefined }
  | { readonly kind: "leading"; readonly seen: Sighting | undefined; readonly renewedMs: number }
  | { readonly kind: "ended"; readonly seen: Sighting | undefined; readonly why: "lost" | "released" };

/**
 * - `seen`: the Lease was read; `undefined` if there is none.
 * - `written`: our write was accepted; it was sent at `sentMs`.
 * - `conflicted`: another client changed, created or deleted the Lease since we saw it.
 * - `failed`: an attempt came to nothing, or its time is up.
 * - `released`: we released it.
 */
export type LeaderInput =
  | { readonly kind: "seen"; readonly lease: Lease | undefined }
  | { readonly kind: "written"; readonly lease: Lease; readonly sentMs: number }
  | { readonly kind: "conflicted" }
  | { readonly kind: "failed" }
  | { readonly kind: "released" };

/** The next request: read the Lease, create it, put ours in place of `lease`, or none while `holder` has it. */
export type LeaderAction =
  | { readonly kind: "read" }
  | { readonly kind: "create" }
  | { readonly kind: "write"; readonly lease: Lease }
  | { readonly kind: "yield"; readonly holder: string };

/** What a step is judged by besides state and input. */
export interface LeaderFacts {
  readonly identity: string;
  readonly timing: LeaderTiming;
  /** Monotonic clock. */
  readonly nowMs: number;
}

type StateOf<K extends LeaderState["kind"]> = Extract<LeaderState, { readonly kind: K }>;
type InputOf<K extends LeaderInput["kind"]> = Extract<LeaderInput, { readonly kind: K }>;
type Handler<S extends LeaderState["kind"], I extends LeaderInput["kind"]> = (
  state: StateOf<S>,
  input: InputOf<I>,
  facts: LeaderFacts,
) => LeaderState;

/** A standby that has not read the Lease yet. */
export const initialLeaderState: LeaderState = { kind: "standby", seen: undefined };

/** The state after an input. A leader whose deadline has passed has lost, whatever the input says. */
export function stepLeader(state: LeaderState, input: LeaderInput, facts: LeaderFacts): LeaderState {
  if (isOverdue(state, facts)) return lost(state);
  // The table is checked cell by cell; only the access by key loses the connection between state and input.
  const handler = table[state.kind][input.kind] as Handler<LeaderState["kind"], LeaderInput["kind"]>;
  return handler(state as never, input as never, facts);
}

/** The first request of an attempt. */
export function firstAction(state: LeaderState): LeaderAction {
  // A leader knows what it wrote and saves the read; if it was changed since, the write is rejected.
  const ours = state.kind === "leading" ? state.seen?.lease : undefined;
  return ours === undefined ? { kind: "read" } : { kind: "write", lease: ours };
}

/** The request that follows after the Lease was read. */
export function nextAction(state: LeaderState, facts: LeaderFacts): LeaderAction {
  const { seen } = state;
  if (seen === undefined) return { kind: "read" };
  if (seen.lease === undefined) return { kind: "create" };
  const holder = holderOf(seen.lease);
  const isFree = holder === "" || holder === facts.identity || isExpired(seen, facts);
  return isFree ? { kind: "write", lease: seen.lease } : { kind: "yield", holder };
}

/** For how long no other replica can hold the lease, in milliseconds; 0 as soon as leadership has ended. */
export function remainingMs(state: LeaderState, facts: LeaderFacts): number {
  if (state.kind !== "leading" || isOverdue(state, facts)) return 0;
  return Math.max(0, state.renewedMs + facts.timing.leaseDurationMs - facts.nowMs);
}

/** The spec that claims or renews the Lease. `now` is wall-clock time, for people only. */
export function claimSpec(before: Lease | undefined, facts: LeaderFacts, now: number): NonNullable<Lease["spec"]> {
  const isRenewal = before !== undefined && holderOf(before) === facts.identity;
  const transitions = before?.spec?.leaseTransitions ?? 0;
  return {
    holderIdentity: facts.identity,
    // Whole seconds on the wire; rounded up, others wait longer than we claim to lead, never shorter.
    leaseDurationSeconds: Math.max(1, Math.ceil(facts.timing.leaseDurationMs / 1_000)),
    acquireTime: (isRenewal ? before.spec?.acquireTime : undefined) ?? formatMicroTime(now),
    renewTime: formatMicroTime(now),
    leaseTransitions: isRenewal || before === undefined ? transitions : transitions + 1,
  };
}

/** The spec that releases the Lease: no replica has to wait for its end. */
export function releaseSpec(before: Lease, now: number): NonNullable<Lease["spec"]> {
  return {
    holderIdentity: "",
    leaseDurationSeconds: 1,
    acquireTime: formatMicroTime(now),
    renewTime: formatMicroTime(now),
    leaseTransitions: before.spec?.leaseTransitions ?? 0,
  };
}

const table: { [S in LeaderState["kind"]]: { [I in LeaderInput["kind"]]: Handler<S, I> } } = {
  standby: {
    seen: (state, { lease }, facts) => ({ ...state, seen: sighted(state.seen, lease, facts) }),
    written: (state, { lease, sentMs }, facts) => {
      const seen = { lease, sinceMs: facts.nowMs };
      const isStale = facts.nowMs - sentMs >= facts.timing.renewDeadlineMs;
      return isStale ? { ...state, seen } : { kind: "leading", seen, renewedMs: sentMs };
    },
    conflicted: (state) => state,
    failed: (state) => state,
    released: (state) => ({ kind: "ended", seen: state.seen, why: "released" }),
  },
  leading: {
    seen: (state, { lease }, facts) => {
      const holder = lease === undefined ? "" : holderOf(lease);
      if (holder !== "" && holder !== facts.identity) return lost(state);
      return { ...state, seen: sighted(state.seen, lease, facts) };
    },
    written: (_, { lease, sentMs }, { nowMs }) => ({
      kind: "leading",
      seen: { lease, sinceMs: nowMs },
      renewedMs: sentMs,
    }),
    conflicted: (state) => ({ ...state, seen: undefined }),
    failed: (state) => state,
    released: (state) => ({ kind: "ended", seen: state.seen, why: "released" }),
  },
  ended: {
    seen: (state) => state,
    written: (state) => state,
    conflicted: (state) => state,
    failed: (state) => state,
    released: (state) => state,
  },
};

function lost(state: LeaderState): LeaderState {
  return { kind: "ended", seen: state.seen, why: "lost" };
}

function isOverdue(state: LeaderState, { timing, nowMs }: LeaderFacts): boolean {
  return state.kind === "leading" && nowMs - state.renewedMs >= timing.renewDeadlineMs;
}

/** An unchanged Lease has been unchanged since then; only its resourceVersion is taken over. */
function sighted(before: Sighting | undefined, lease: Lease | undefined, { nowMs }: LeaderFacts): Sighting {
  const isUnchanged = before?.lease !== undefined && lease !== undefined && looksLike(before.lease, lease);
  return { lease, sinceMs: isUnchanged ? before.sinceMs : nowMs };
}

function looksLike({ spec: a }: Lease, { spec: b }: Lease): boolean {
  return (
    a?.holderIdentity === b?.holderIdentity &&
    a?.renewTime === b?.renewTime &&
    a?.leaseTransitions === b?.leaseTransitions &&
    a?.leaseDurationSeconds === b?.leaseDurationSeconds
  );
}

function isExpired({ lease, sinceMs }: Sighting, { timing, nowMs }: LeaderFacts): boolean {
  // What its holder wrote counts: it may run with another setting than we do.
  const seconds = lease?.spec?.leaseDurationSeconds;
  const durationMs = seconds === undefined ? timing.leaseDurationMs : seconds * 1_000;
  return nowMs - sinceMs >= durationMs;
}

function holderOf(lease: Lease): string {
  return lease.spec?.holderIdentity ?? "";
}
