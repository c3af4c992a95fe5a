import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { initialLedger, type LedgerState } from "../../src/northflank/ledger-state.ts";
import {
  grantedPerWindow,
  mostStretch,
  type StretchState,
  stretchAfterRequest,
  stretchedBy,
  unstretched,
} from "../../src/northflank/ledger-stretch.ts";
import type { RequestClass } from "../../src/northflank/types.ts";
import { type SimulatedObject, simulate } from "../support/ledger-simulation.ts";

const minute = 60_000;
const hour = 60 * minute;

/** A ledger half an hour into a window of 1,000 requests. */
function ledger(facts: Partial<LedgerState> = {}): LedgerState {
  return {
    ...initialLedger(1_000),
    nowMs: hour / 2,
    windowEndsAtMs: hour,
    isWindowReported: true,
    limit: 1_000,
    remaining: 1_000,
    accepted: 1,
    ...facts,
  };
}

/** So many requests of a class now: six times as many an hour. */
function requested(count: number, requestClass: RequestClass = "run", from: StretchState = atNow): StretchState {
  let state = from;
  for (let n = 0; n < count; n++) state = stretchAfterRequest(state, requestClass);
  return state;
}

const atNow: StretchState = { ...unstretched, nowMs: hour / 2, first: { missing: 0, elapsed: 0 } };

describe("polls are not stretched", () => {
  test.each<[string, StretchState, LedgerState]>([
    ["before the first request", unstretched, initialLedger(900)],
    ["where nothing is polled, whatever is left", atNow, ledger({ remaining: 1 })],
    ["while what is wanted is there", requested(50), ledger({ remaining: 400, used: 600 })],
    [
      "by what others spend of the account, where the own ceiling is low",
      requested(5),
      ledger({ ceiling: 100, used: 10, remaining: 600 }),
    ],
    ["in the last moment of a window", requested(100), ledger({ remaining: 30, used: 970, windowEndsAtMs: hour / 2 })],
  ])("%s", (_when, state, facts) => {
    expect(stretchedBy(state, facts).stretch).toBe(1);
  });
});

describe("polls are stretched", () => {
  // 100 in ten minutes are 600 an hour, so 300 in the rest; the last 20 of a window are for changes.
  test.each<[string, StretchState, LedgerState, number]>([
    ["by what is wanted of what is left", requested(100), ledger({ used: 830, remaining: 170 }), 2],
    ["the more, the less is left", requested(100), ledger({ used: 920, remaining: 80 }), 5],
    ["by no more than ten", requested(100), ledger({ used: 970, remaining: 30 }), mostStretch],
    ["by ten where nothing is left", requested(100), ledger({ used: 1_000, remaining: 0 }), mostStretch],
    ["by the own ceiling as well", requested(100), ledger({ ceiling: 500, used: 340, remaining: 660 }), 2],
    ["after changes", requested(25, "change", requested(100)), ledger({ used: 755, remaining: 245 }), 2],
    // 300 in half an hour, and none before: 400 in an hour, so 200 in the rest.
    ["after people and CI", requested(200), ledger({ remaining: 700 }), 1.25],
    ["by ten where people and CI are expected to take all", requested(100), ledger({ remaining: 400 }), mostStretch],
  ])("%s", (_how, state, facts, stretch) => {
    expect(stretchedBy(state, facts).stretch).toBeCloseTo(stretch, 6);
  });
});

describe("the stretch", () => {
  const scarce = ledger({ used: 920, remaining: 80 });

  test("falls by half in five minutes", () => {
    const state = stretchedBy(requested(100), scarce);
    const plenty = { ...scarce, used: 0, remaining: 1_000 };
    const later = (ms: number) => stretchedBy(state, { ...plenty, nowMs: scarce.nowMs + ms }).stretch;
    expect([later(0), later(5 * minute), later(10 * minute)]).toEqual([5, 3, 2]);
  });

  test("begins anew with a window", () => {
    const state = stretchedBy(requested(100), scarce);
    const next = { ...scarce, nowMs: hour, window: 1, windowEndsAtMs: 2 * hour, used: 0, remaining: undefined };
    expect(stretchedBy(state, next).stretch).toBe(1);
  });

  test("counts a poll that comes less often as several, so that it does not fall because of itself", () => {
    const stretched = { ...atNow, stretch: 5 };
    expect(stretchAfterRequest(stretched, "run").wanted.run).toBe(5);
    expect(stretchAfterRequest(stretched, "change").wanted.change).toBe(1);
  });
});

describe("what checks for drift count on", () => {
  const seen = (facts: Partial<LedgerState>, before: StretchState = atNow) => {
    const now = ledger(facts);
    return grantedPerWindow(stretchedBy(before, now), now);
  };

  test.each<[string, Partial<LedgerState>, number]>([
    ["is the ceiling where nobody else spends", { ceiling: 900, used: 100, remaining: 900 }, 900],
    // 300 in half an hour, and none in the hour before.
    ["is what people and CI leave", { used: 100, remaining: 600 }, 600],
    ["is the ceiling as long as they leave that", { ceiling: 500, used: 100, remaining: 600 }, 500],
    ["does not follow a few requests of theirs", { used: 100, remaining: 850 }, 1_000],
    ["is a tenth where they spend all", { remaining: 0 }, 100],
    ["is the ceiling while nothing is known", { limit: undefined, remaining: undefined }, 1_000],
  ])("%s", (_what, facts, granted) => {
    expect(seen(facts)).toBeCloseTo(granted, 6);
  });

  test("is known from the window before, until this one shows something else", () => {
    const spent: StretchState = { ...atNow, others: 800, othersBefore: 800, elapsed: 1 };
    const next = (rest: number, facts: Partial<LedgerState>) =>
      ledger({ window: 1, windowEndsAtMs: hour / 2 + rest * hour, ...facts });
    const begun = next(1, { remaining: undefined });
    const state = stretchedBy(spent, begun);
    expect(grantedPerWindow(state, begun)).toBeCloseTo(200, 6);
    const half = next(0.5, { remaining: 600, used: 0 });
    expect(grantedPerWindow(stretchedBy(state, half), half)).toBeCloseTo(200, 6);
    const quiet = next(0.25, { remaining: 1_000, used: 0 });
    expect(grantedPerWindow(stretchedBy(state, quiet), quiet)).toBeCloseTo(800, 6);
  });

  test("leaves out what was spent before the first response: it may be of the process before", () => {
    const first = ledger({ used: 1, remaining: 400 });
    const state = stretchedBy(unstretched, first);
    expect(grantedPerWindow(state, first)).toBe(1_000);
    // 150 in a quarter of an hour since.
    const later = { ...first, nowMs: (hour * 3) / 4, used: 51, remaining: 200 };
    expect(grantedPerWindow(stretchedBy(state, later), later)).toBeCloseTo(1_000 - 150 / (1 / 4 + 1 / 4), 6);
    const next = { ...first, nowMs: hour, window: 1, windowEndsAtMs: 2 * hour, used: 0, remaining: 900 };
    expect(stretchedBy(stretchedBy(state, later), next).others).toBe(100);
  });

  test("keeps what was seen before a 429, which says nothing of it", () => {
    const seen = ledger({ used: 100, remaining: 600 });
    const refused = { ...seen, remaining: undefined, nowMs: seen.nowMs + 10 * minute };
    const state = stretchedBy(stretchedBy(atNow, seen), refused);
    expect(grantedPerWindow(state, refused)).toBeCloseTo(600, 6);
  });

  test("goes by the time until nothing was left", () => {
    // All is spent after a quarter of an hour: at that rate it would be four times as much.
    const spent = ledger({ nowMs: hour / 4, remaining: 0, used: 500 });
    const later = { ...spent, nowMs: hour - 1 };
    const state = stretchedBy(stretchedBy({ ...atNow, nowMs: hour / 4 }, spent), later);
    expect(grantedPerWindow(state, later)).toBe(100);
  });
});

const anyCount = fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.constantFrom(999_999_999, 1, 0));

const anyLedger = fc
  .record({
    nowMs: fc.integer({ min: 0, max: 3 * hour }),
    windowEndsAtMs: fc.option(fc.integer({ min: 0, max: 4 * hour }), { nil: undefined }),
    window: fc.integer({ min: 0, max: 3 }),
    ceiling: anyCount,
    limit: fc.option(anyCount, { nil: undefined }),
    remaining: fc.option(anyCount, { nil: undefined }),
    used: anyCount,
    inFlight: fc.integer({ min: 0, max: 8 }),
    reserved: fc.integer({ min: 0, max: 8 }),
  })
  .map((facts) => ledger(facts));

const anyClass = fc.constantFrom<RequestClass>("change", "run", "observe");

test("whatever the API says, and whatever the clock does, the stretch is from 1 to 10 and checks get their least", () => {
  const step = fc.record({ seen: anyLedger, spent: fc.array(anyClass, { maxLength: 30 }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
      let state = unstretched;
      for (const { seen, spent } of steps) {
        state = stretchedBy(state, seen);
        for (const one of spent) state = stretchAfterRequest(state, one);
        expect(state.stretch).toBeGreaterThanOrEqual(1);
        expect(state.stretch).toBeLessThanOrEqual(mostStretch);
        const granted = grantedPerWindow(state, seen);
        const total = Math.min(seen.ceiling, seen.limit ?? seen.ceiling);
        expect(granted).toBeGreaterThanOrEqual(total / 10);
        expect(granted).toBeLessThanOrEqual(total);
      }
    }),
  );
});

test("less left stretches no less, and more others stretch no less", () => {
  const settings = fc.record({ polls: fc.integer({ min: 0, max: 200 }), seen: anyLedger, less: fc.nat(2_000) });
  fc.assert(
    fc.property(settings, ({ polls, seen, less }) => {
      const state = requested(polls, "run", { ...unstretched, nowMs: seen.nowMs, window: seen.window });
      const { remaining = 0 } = seen;
      const before = stretchedBy(state, { ...seen, remaining });
      const after = stretchedBy(state, { ...seen, remaining: Math.max(0, remaining - less) });
      expect(after.stretch).toBeGreaterThanOrEqual(before.stretch - 1e-9);
    }),
  );
});

describe("twenty runs that are polled every two minutes, where a neighbor spends nine tenths of each window,", () => {
  const polls: readonly SimulatedObject[] = Array.from({ length: 20 }, (_, n) => ({
    who: "shop/main",
    class: "run",
    startMs: 1_000 * n,
    everyMs: 120_000,
  }));
  const changes: readonly SimulatedObject[] = Array.from({ length: 24 }, (_, n) => ({
    who: "shop/main",
    class: "change",
    startMs: (n + 0.5) * 15 * minute,
  }));
  const run = (isStretched: boolean, seed: number) => {
    const polled = polls.map((one) => ({ ...one, isStretched }));
    const options = { seed, objects: [...polled, ...changes], untilMs: 8 * hour, elsewherePerHour: 900 };
    const { sent, refused, doneMs } = simulate(options);
    // What others spend is not known before they have.
    const later = refused.filter(({ atMs }) => atMs > 2 * hour);
    const changeMs = changes.slice(8).map((one) => (doneMs.get(one) ?? Number.POSITIVE_INFINITY) - one.startMs);
    return {
      refusedByApi: sent.filter(({ status, atMs }) => status === 429 && atMs > 2 * hour).length,
      refusedPolls: later.filter(({ object }) => object.class === "run").length,
      lateChanges: changeMs.filter((ms) => ms > minute).length,
      polls: sent.filter(({ object, atMs }) => object.class === "run" && atMs > 2 * hour).length,
    };
  };

  test.each([1, 2, 3])("leave changes what they need, and are hardly ever refused, seed %i", (seed) => {
    const [plain, stretched] = [run(false, seed), run(true, seed)];
    expect(plain.refusedPolls).toBeGreaterThanOrEqual(100);
    expect(stretched.refusedPolls).toBeLessThanOrEqual(10);
    expect(stretched.refusedByApi).toBeLessThanOrEqual(1);
    expect(plain.lateChanges).toBeGreaterThanOrEqual(3);
    expect(stretched.lateChanges).toBe(0);
    // Six hours with about a hundred requests each.
    expect(stretched.polls).toBeGreaterThanOrEqual(400);
  });
});
