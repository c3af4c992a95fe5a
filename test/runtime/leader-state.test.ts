import { describe, expect, test } from "vitest";
import type { Lease } from "../../src/kube/types.ts";
import {
  claimSpec,
  firstAction,
  type LeaderFacts,
  type LeaderInput,
  type LeaderState,
  nextAction,
  releaseSpec,
  remainingMs,
  stepLeader,
} from "../../src/runtime/leader-state.ts";

const now = Date.parse("2026-01-01T00:00:00Z");

function lease(holderIdentity: string | undefined, changes: Lease["spec"] = {}): Lease {
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: "op", resourceVersion: "1" },
    spec: { ...(holderIdentity === undefined ? {} : { holderIdentity }), leaseDurationSeconds: 15, ...changes },
  };
}

function facts(nowMs: number): LeaderFacts {
  return { identity: "me", timing: { leaseDurationMs: 15_000, renewDeadlineMs: 10_000 }, nowMs };
}

const ours = lease("me", { renewTime: "r1" });
const renewed = lease("me", { renewTime: "r2" });
const theirs = lease("you");

const states: Readonly<Record<LeaderState["kind"], LeaderState>> = {
  standby: { kind: "standby", seen: { lease: theirs, sinceMs: 0 } },
  leading: { kind: "leading", seen: { lease: ours, sinceMs: 0 }, renewedMs: 0 },
  ended: { kind: "ended", seen: undefined, why: "lost" },
};

const inputs: Readonly<Record<LeaderInput["kind"], LeaderInput>> = {
  seen: { kind: "seen", lease: theirs },
  written: { kind: "written", lease: renewed, sentMs: 4_000 },
  conflicted: { kind: "conflicted" },
  failed: { kind: "failed" },
  released: { kind: "released" },
};

/** Five seconds after the state began. */
const after5s: Readonly<Record<LeaderState["kind"], Readonly<Record<LeaderInput["kind"], LeaderState>>>> = {
  standby: {
    seen: { kind: "standby", seen: { lease: theirs, sinceMs: 0 } },
    written: { kind: "leading", seen: { lease: renewed, sinceMs: 5_000 }, renewedMs: 4_000 },
    conflicted: states.standby,
    failed: states.standby,
    released: { kind: "ended", seen: { lease: theirs, sinceMs: 0 }, why: "released" },
  },
  leading: {
    seen: { kind: "ended", seen: { lease: ours, sinceMs: 0 }, why: "lost" },
    written: { kind: "leading", seen: { lease: renewed, sinceMs: 5_000 }, renewedMs: 4_000 },
    conflicted: { kind: "leading", seen: undefined, renewedMs: 0 },
    failed: states.leading,
    released: { kind: "ended", seen: { lease: ours, sinceMs: 0 }, why: "released" },
  },
  ended: {
    seen: states.ended,
    written: states.ended,
    conflicted: states.ended,
    failed: states.ended,
    released: states.ended,
  },
};

describe.each(Object.keys(states) as LeaderState["kind"][])("%s", (kind) => {
  test.each(Object.keys(inputs) as LeaderInput["kind"][])("on %s", (input) => {
    expect(stepLeader(states[kind], inputs[input], facts(5_000))).toEqual(after5s[kind][input]);
  });

  test.each(Object.keys(inputs) as LeaderInput["kind"][])("on %s after the renew deadline leads nowhere", (input) => {
    const state = stepLeader(states.leading, inputs[input], facts(10_000));
    expect(state).toMatchObject({ kind: "ended", why: "lost" });
  });
});

describe("deadlines", () => {
  test.each([
    [0, 15_000],
    [9_999, 5_001],
    [10_000, 0],
    [14_000, 0],
  ])("%i ms after the renewal was sent, %i ms are left", (nowMs, leftMs) => {
    expect(remainingMs(states.leading, facts(nowMs))).toBe(leftMs);
  });

  test("a standby and one who has lost have nothing left", () => {
    expect([remainingMs(states.standby, facts(0)), remainingMs(states.ended, facts(0))]).toEqual([0, 0]);
  });

  test.each([
    ["before the deadline counts from when it was sent", 9_999, "leading"],
    ["only after the deadline does not make a leader", 10_000, "standby"],
  ])("a first write that was accepted %s", (_, nowMs, kind) => {
    const written = { ...inputs.written, sentMs: 0 } as LeaderInput;
    expect(stepLeader(states.standby, written, facts(nowMs)).kind).toBe(kind);
  });
});

describe("a leader who reads the lease", () => {
  test.each([
    ["finds himself and goes on", lease("me"), "leading"],
    ["finds nobody and goes on", lease(""), "leading"],
    ["finds that it was deleted and goes on", undefined, "leading"],
    ["finds another and has lost", lease("you"), "ended"],
  ])("%s", (_, found, kind) => {
    expect(stepLeader(states.leading, { kind: "seen", lease: found }, facts(5_000)).kind).toBe(kind);
  });
});

describe("what to ask for", () => {
  test.each([
    ["a standby reads first", states.standby, { kind: "read" }],
    ["a leader renews what it wrote", states.leading, { kind: "write", lease: ours }],
    ["a leader who was overtaken reads first", { ...states.leading, seen: undefined }, { kind: "read" }],
  ] as const)("%s", (_, state, action) => {
    expect(firstAction(state as LeaderState)).toEqual(action);
  });

  test.each([
    ["no lease: create it", undefined, 0, { kind: "create" }],
    ["a released one: take it", lease(""), 0, { kind: "write", lease: lease("") }],
    ["one that names nobody: take it", lease(undefined), 0, { kind: "write", lease: lease(undefined) }],
    ["our own from a former life: take it", lease("me"), 0, { kind: "write", lease: lease("me") }],
    ["another's, 14.999 s unchanged: leave it", lease("you"), 14_999, { kind: "yield", holder: "you" }],
    ["another's, 15 s unchanged: take it", lease("you"), 15_000, { kind: "write", lease: lease("you") }],
    [
      "another's with a longer duration of its own: leave it",
      lease("you", { leaseDurationSeconds: 60 }),
      59_999,
      { kind: "yield", holder: "you" },
    ],
    [
      "the same, a minute unchanged: take it",
      lease("you", { leaseDurationSeconds: 60 }),
      60_000,
      { kind: "write", lease: lease("you", { leaseDurationSeconds: 60 }) },
    ],
  ] as const)("%s", (_, found, nowMs, action) => {
    const seen = stepLeader({ kind: "standby", seen: undefined }, { kind: "seen", lease: found }, facts(0));
    expect(nextAction(seen, facts(nowMs))).toEqual(action);
  });

  test("a lease that was renewed has to be waited for anew; the holder's clock does not matter", () => {
    const first = lease("you", { renewTime: "1999-01-01T00:00:00.000000Z" });
    const second = lease("you", { renewTime: "2099-01-01T00:00:00.000000Z" });
    let state: LeaderState = { kind: "standby", seen: undefined };
    state = stepLeader(state, { kind: "seen", lease: first }, facts(0));
    state = stepLeader(state, { kind: "seen", lease: second }, facts(14_000));
    expect(nextAction(state, facts(28_999)).kind).toBe("yield");
    expect(nextAction(state, facts(29_000)).kind).toBe("write");
  });
});

describe("what is written", () => {
  test("a new lease", () => {
    expect(claimSpec(undefined, facts(0), now)).toEqual({
      holderIdentity: "me",
      leaseDurationSeconds: 15,
      acquireTime: "2026-01-01T00:00:00.000000Z",
      renewTime: "2026-01-01T00:00:00.000000Z",
      leaseTransitions: 0,
    });
  });

  test("a renewal keeps when it was acquired; taking it from another counts as a transition", () => {
    const before = { acquireTime: "2025-12-31T00:00:00.000000Z", leaseTransitions: 4 };
    expect(claimSpec(lease("me", before), facts(0), now)).toMatchObject(before);
    expect(claimSpec(lease("you", before), facts(0), now)).toMatchObject({
      acquireTime: "2026-01-01T00:00:00.000000Z",
      leaseTransitions: 5,
    });
  });

  test.each([
    [15_000, 15],
    [15_001, 16],
    [300, 1],
  ])("a duration of %i ms is written as %i s: others never wait less than we claim", (leaseDurationMs, seconds) => {
    const timing = { leaseDurationMs, renewDeadlineMs: 200 };
    expect(claimSpec(undefined, { ...facts(0), timing }, now).leaseDurationSeconds).toBe(seconds);
  });

  test("a release names nobody and keeps the count of transitions", () => {
    expect(releaseSpec(lease("me", { leaseTransitions: 4 }), now)).toMatchObject({
      holderIdentity: "",
      leaseDurationSeconds: 1,
      leaseTransitions: 4,
    });
  });
});
