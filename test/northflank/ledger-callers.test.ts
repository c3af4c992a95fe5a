import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  arrived,
  type Callers,
  claimsBefore,
  inNewWindow,
  mostCallers,
  placeOf,
  refused,
  served,
  untilClaimsLapseMs,
  waitingIn,
} from "../../src/northflank/ledger-callers.ts";

const minute = 60_000;
const call = (who: string) => ({ who, class: "change" }) as const;

function withRefused(callers: Callers, who: string, count = 1, dueMs = 0): Callers {
  let state = callers;
  for (let n = 0; n < count; n++) {
    state = refused(state, call(who), { nowMs: 0, firstMs: dueMs, lastMs: dueMs + 1_000 });
  }
  return state;
}

function withServed(callers: Callers, who: string, count: number): Callers {
  let state = callers;
  for (let n = 0; n < count; n++) state = served(state, call(who), { nowMs: 0, by: 1 });
  return state;
}

describe("a namespace that was served goes behind those that wait", () => {
  const waiting = withRefused(withServed(new Map(), "a/x", 400), "b/x");

  test("each as far as it takes to get level", () => {
    expect(claimsBefore(waiting, call("a/x"), 0)).toBe(1);
    expect(claimsBefore(withRefused(waiting, "b/x", 600), call("a/x"), 0)).toBe(401);
    expect(claimsBefore(waiting, call("b/x"), 0)).toBe(0);
    expect(claimsBefore(withServed(waiting, "b/x", 400), call("a/x"), 0)).toBe(1);
    expect(claimsBefore(withServed(waiting, "b/x", 401), call("a/x"), 0)).toBe(0);
  });

  test("until they come, or a minute after they were due", () => {
    expect(claimsBefore(arrived(waiting, call("b/x"), 0), call("a/x"), 0)).toBe(0);
    expect(claimsBefore(waiting, call("a/x"), minute + 999)).toBe(1);
    expect(claimsBefore(waiting, call("a/x"), minute + 1_000)).toBe(0);
    expect(untilClaimsLapseMs(waiting, call("a/x"), { moreUrgent: [], nowMs: 0 })).toBe(minute + 1_000);
    expect(untilClaimsLapseMs(waiting, call("b/x"), { moreUrgent: [], nowMs: 0 })).toBe(0);
  });

  test("but not behind those that are due in an hour", () => {
    const later = withRefused(new Map(), "b/x", 1, 60 * minute);
    expect(claimsBefore(later, call("a/x"), 0)).toBe(0);
    expect(claimsBefore(later, call("a/x"), 59 * minute)).toBe(1);
    expect(placeOf(later, call("a/x"), 0)).toBe(1);
  });

  test("in its own class only", () => {
    expect(claimsBefore(waiting, { who: "a/x", class: "run" }, 0)).toBe(0);
    expect([waitingIn(waiting, ["change"], 0), waitingIn(waiting, ["run", "observe"], 0)]).toEqual([1, 0]);
  });

  test("and begins anew with each window, while who waits still waits", () => {
    const next = inNewWindow(waiting, 0);
    expect([[...next.keys()], claimsBefore(next, call("a/x"), 0)]).toEqual([["b/x"], 1]);
    expect(inNewWindow(waiting, 2 * minute).size).toBe(0);
  });
});

test("a request that comes before it is due is another one", () => {
  const waiting = withRefused(new Map(), "a/x", 2, minute);
  expect(arrived(waiting, call("a/x"), minute - 1)).toBe(waiting);
  expect(waitingIn(arrived(waiting, call("a/x"), minute), ["change"], minute)).toBe(1);
});

test("a sequence that was refused as a whole comes back as a whole", () => {
  const due = { nowMs: 0, firstMs: minute, lastMs: minute };
  const waiting = refused(refused(new Map(), call("a/x"), { ...due, count: 3 }), call("a/x"), { ...due, count: 2 });
  expect(waitingIn(waiting, ["change"], minute)).toBe(5);
  const back = arrived(waiting, call("a/x"), minute, 3);
  expect([
    waitingIn(back, ["change"], minute),
    waitingIn(arrived(back, call("a/x"), minute, 3), ["change"], minute),
  ]).toEqual([2, 0]);
});

test("whoever has more connections gets no more: namespaces first, then their connections", () => {
  let state = withServed(new Map(), "a/1", 5);
  for (let n = 2; n <= 10; n++) state = withRefused(state, `a/${n}`);
  state = withRefused(state, "b/x", 3);
  // Nine neighbors that were served less, and one namespace.
  expect(claimsBefore(state, call("a/1"), 0)).toBe(9 + 3);
  // Its namespace has been served five, so the other one goes first; a neighbor that was served does not.
  expect(claimsBefore(state, call("a/2"), 0)).toBe(8 + 3);
  expect(claimsBefore(state, call("b/x"), 0)).toBe(0);
});

describe("memory", () => {
  test("is bounded, whoever makes however many namespaces and connections", () => {
    const name = fc.tuple(fc.integer({ max: 5_000, min: 0 }), fc.integer({ max: 50, min: 0 }));
    const steps = fc.array(fc.tuple(name, fc.constantFrom("refused", "served", "back")), {
      minLength: 600,
      maxLength: 900,
    });
    fc.assert(
      fc.property(steps, (all) => {
        let state: Callers = new Map();
        let nowMs = 0;
        for (const [[namespace, connection], kind] of all) {
          nowMs += 10;
          const one = call(`n${namespace}/c${connection}`);
          if (kind === "refused") state = refused(state, one, { nowMs, firstMs: nowMs, lastMs: nowMs + 3_600_000 });
          else if (kind === "served") state = served(state, one, { nowMs, by: 1 });
          else state = arrived(state, one, nowMs);
          expect(state.size).toBeLessThanOrEqual(mostCallers + 1);
        }
      }),
      { numRuns: 10 },
    );
  });

  test("of a namespace with a thousand connections leaves room for the others", () => {
    let state: Callers = new Map();
    for (let n = 0; n < 1_000; n++) state = withRefused(state, `hostile/${n}`);
    expect(state.size).toBeLessThanOrEqual(21);
    state = withServed(withRefused(state, "small/x"), "hostile/0", 10);
    expect(claimsBefore(state, call("small/x"), 0)).toBe(0);
    // The one of the small namespace, and its own neighbors: 19 with a name, and one entry for all the others.
    expect(claimsBefore(state, call("hostile/0"), 0)).toBe(1 + 19 + 11);
  });

  test("is given to a caller that waits before one that does not", () => {
    let state: Callers = new Map();
    for (let n = 0; n < mostCallers; n++) state = withServed(state, `n${n}/x`, 1);
    state = withRefused(state, "late/x");
    expect([state.size, state.has("late/x")]).toEqual([mostCallers, true]);
  });
});
