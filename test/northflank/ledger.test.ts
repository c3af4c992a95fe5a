import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { createLedger, type Ledger, type Reservation, type Ticket } from "../../src/northflank/ledger.ts";
import type { Settlement } from "../../src/northflank/ledger-state.ts";
import type { RateLimitReading } from "../../src/northflank/rate-limit.ts";
import { FakeClock } from "../support/fake-clock.ts";

const hourMs = 3_600_000;
let clock: FakeClock;
let draw: number;

beforeEach(() => {
  clock = new FakeClock();
  draw = 0;
});

function ledgerOf(maxRequestsPerHour = 900): Ledger {
  return createLedger({ clock, random: () => draw, maxRequestsPerHour });
}

function answered(reading: Partial<RateLimitReading> = {}, status = 200): Settlement {
  const nothing = { limit: undefined, remaining: undefined, resetMs: undefined, retryAfterMs: undefined };
  return { kind: "answered", status, rateLimit: { ...nothing, ...reading } };
}

function granted(ledger: Ledger, reservation?: Reservation): Ticket {
  const admission = ledger.admit({ class: "change", reservation });
  if (admission.kind === "refused") throw new Error(`refused for ${admission.retryAfterMs} ms`);
  return admission.ticket;
}

/** One request with its answer. */
function spend(ledger: Ledger, reading: Partial<RateLimitReading> = {}, status = 200): void {
  granted(ledger).settle(answered(reading, status));
}

/** How long a caller is sent away; 0 means that it may go ahead (the request is then given back). */
function waitMs(ledger: Ledger, reservation?: Reservation): number {
  const admission = ledger.admit({ class: "observe", reservation });
  if (admission.kind === "refused") return admission.retryAfterMs;
  admission.ticket.settle({ kind: "unsent" });
  return 0;
}

describe("the ceiling", () => {
  test("holds within a window, which opens with the first request", async () => {
    const ledger = ledgerOf(2);
    await clock.advance(hourMs);
    spend(ledger);
    await clock.advance(1_000);
    spend(ledger);
    expect(waitMs(ledger)).toBe(hourMs - 1_000);
    await clock.advance(hourMs - 1_001);
    expect(waitMs(ledger)).toBe(1);
    await clock.advance(1);
    expect(waitMs(ledger)).toBe(0);
    expect(ledger.snapshot().used).toBe(0);
  });

  test("counts what is in flight, and gives back what was never sent", () => {
    const ledger = ledgerOf(1);
    const ticket = granted(ledger);
    expect(waitMs(ledger)).toBe(hourMs);
    expect([ticket.settle({ kind: "unsent" }), ticket.settle({ kind: "unsent" })]).toEqual([true, false]);
    expect(waitMs(ledger)).toBe(0);
  });

  test("follows the end of the window that the API tells", async () => {
    const ledger = ledgerOf(1);
    spend(ledger, { remaining: 500, resetMs: 60_000 });
    expect(waitMs(ledger)).toBe(60_000);
    await clock.advance(60_000);
    expect(waitMs(ledger)).toBe(0);
  });

  test("is not pushed ahead by an API whose window always ends in an hour", async () => {
    const ledger = ledgerOf(3);
    for (let count = 0; count < 3; count++) {
      spend(ledger, { remaining: 900 - count, resetMs: hourMs });
      await clock.advance(600_000);
    }
    expect(waitMs(ledger)).toBe(hourMs - 3 * 600_000);
  });

  test("counts a request that is under way when the window ends in the next one", async () => {
    const ledger = ledgerOf(1);
    granted(ledger);
    await clock.advance(hourMs + 1_000);
    expect(waitMs(ledger)).toBe(hourMs);
    expect(ledger.snapshot().used).toBe(1);
  });

  test("can be changed", () => {
    const ledger = ledgerOf(1);
    spend(ledger);
    ledger.setCeiling(2);
    expect(waitMs(ledger)).toBe(0);
  });
});

describe("the numbers of the API", () => {
  test("rule over our own count, because others spend too", () => {
    const ledger = ledgerOf(900);
    spend(ledger, { limit: 1_000, remaining: 2, resetMs: 600_000 });
    granted(ledger);
    granted(ledger);
    expect(waitMs(ledger)).toBe(600_000);
    expect(ledger.snapshot()).toMatchObject({ limit: 1_000, remaining: 0, used: 3 });
  });

  test("close the gate at remaining 0, before the first refusal", async () => {
    const ledger = ledgerOf();
    spend(ledger, { remaining: 0, resetMs: 600_000 });
    expect(ledger.snapshot().closedUntilMs).toBe(clock.now() + 600_000);
    expect(waitMs(ledger)).toBe(600_000);
    await clock.advance(599_999);
    expect(waitMs(ledger)).toBe(1);
    await clock.advance(1);
    expect(waitMs(ledger)).toBe(0);
    expect(ledger.snapshot().closedUntilMs).toBeUndefined();
  });

  test("may arrive out of order: the lowest stands", () => {
    const ledger = ledgerOf();
    const [first, second] = [granted(ledger), granted(ledger)];
    second.settle(answered({ remaining: 10, resetMs: 600_000 }));
    first.settle(answered({ remaining: 11, resetMs: 600_000 }));
    expect(ledger.snapshot().remaining).toBe(10);
  });

  test("of a new window replace the old ones, also before we expected it", async () => {
    const ledger = ledgerOf(900);
    spend(ledger, { remaining: 5, resetMs: 600_000 });
    spend(ledger, { remaining: 999, resetMs: hourMs });
    expect(ledger.snapshot()).toMatchObject({ remaining: 999, used: 1, resetAtMs: clock.now() + hourMs });
  });

  test("count again from the new limit when support has raised it", () => {
    const ledger = ledgerOf(9_000);
    spend(ledger, { limit: 1_000, remaining: 5, resetMs: 600_000 });
    spend(ledger, { limit: 5_000, remaining: 4_004, resetMs: 599_000 });
    expect(ledger.snapshot()).toMatchObject({ limit: 5_000, remaining: 4_004 });
  });

  test("are one lower after an answer that does not tell them", () => {
    const ledger = ledgerOf();
    spend(ledger, { remaining: 10, resetMs: 600_000 });
    granted(ledger).settle({ kind: "lost" });
    spend(ledger);
    expect(ledger.snapshot()).toMatchObject({ remaining: 8, used: 3 });
  });
});

describe("a 429", () => {
  test.each<[string, Partial<RateLimitReading>, number]>([
    ["Retry-After", { retryAfterMs: 30_000 }, 30_000],
    ["Retry-After, though the window ends later", { retryAfterMs: 30_000, resetMs: 600_000 }, 30_000],
    [
      "the end of the window when the quota is spent",
      { retryAfterMs: 30_000, resetMs: 600_000, remaining: 0 },
      600_000,
    ],
    ["the end of the window", { resetMs: 600_000 }, 600_000],
    ["a minute when nothing is known", {}, 60_000],
  ])("closes the gate until %s", async (_until, reading, expectedMs) => {
    const ledger = ledgerOf();
    spend(ledger, reading, 429);
    expect(waitMs(ledger)).toBe(expectedMs);
    await clock.advance(expectedMs);
    expect(waitMs(ledger)).toBe(0);
  });

  test("without a hint closes it until our own estimate of the window's end, if that means anything", async () => {
    const ledger = ledgerOf();
    spend(ledger);
    await clock.advance(600_000);
    spend(ledger, {}, 429);
    expect(waitMs(ledger)).toBe(hourMs - 600_000);
  });

  test("without a hint again and again doubles the wait, up to two hours", async () => {
    const ledger = ledgerOf();
    const waits: number[] = [];
    for (let count = 0; count < 9; count++) {
      spend(ledger, {}, 429);
      waits.push(waitMs(ledger) / 60_000);
      await clock.advance(waitMs(ledger));
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 120, 120]);
  });

  test("is not undone by a late answer to an earlier request", () => {
    const ledger = ledgerOf();
    const [early, refused] = [granted(ledger), granted(ledger)];
    refused.settle(answered({ retryAfterMs: 30_000 }, 429));
    early.settle(answered({ remaining: 500, resetMs: 600_000 }));
    expect(waitMs(ledger)).toBe(30_000);
  });

  test("keeps probing after its end, though a late answer to an earlier request was good", async () => {
    const ledger = ledgerOf();
    const [early, refused] = [granted(ledger), granted(ledger)];
    refused.settle(answered({ retryAfterMs: 30_000 }, 429));
    early.settle(answered());
    await clock.advance(30_000);
    granted(ledger);
    expect(waitMs(ledger)).toBe(2_000);
  });

  test("of several requests in flight counts once", async () => {
    const ledger = ledgerOf();
    const tickets = [granted(ledger), granted(ledger), granted(ledger)];
    for (const ticket of tickets) ticket.settle(answered({}, 429));
    expect(waitMs(ledger)).toBe(60_000);
  });

  test("is followed by one request as a probe; the others go when it is answered", async () => {
    const ledger = ledgerOf();
    spend(ledger, { retryAfterMs: 30_000 }, 429);
    await clock.advance(30_000);
    const probe = granted(ledger);
    expect(waitMs(ledger)).toBe(2_000);
    probe.settle(answered());
    expect(waitMs(ledger)).toBe(0);
  });
});

describe("those who are refused", () => {
  test.each<[string, number, number, number]>([
    ["a tenth of the wait", 0, 600_000, 600_000],
    ["a tenth of the wait", 0.5, 600_000, 630_000],
    ["at most a minute", 1, hourMs, hourMs + 60_000],
    ["at least a second", 1, 1_000, 2_000],
  ])("come back spread over %s (draw %d, wait %i)", (_what, random, resetMs, expected) => {
    const ledger = ledgerOf();
    draw = random;
    spend(ledger, { remaining: 0, resetMs });
    expect(waitMs(ledger)).toBe(expected);
  });
});

describe("a reservation", () => {
  const reserved = (ledger: Ledger, count: number): Reservation => {
    const outcome = ledger.reserve(count, "change");
    if (outcome.kind === "refused") throw new Error("refused");
    return outcome.reservation;
  };

  test("keeps its requests from everybody else, to the end of the sequence", () => {
    const ledger = ledgerOf();
    spend(ledger, { remaining: 3, resetMs: 600_000 });
    const mine = reserved(ledger, 3);
    expect(waitMs(ledger)).toBe(2_000);
    for (const remaining of [2, 1]) granted(ledger, mine).settle(answered({ remaining, resetMs: 600_000 }));
    expect([mine.left, waitMs(ledger)]).toEqual([1, 2_000]);
    granted(ledger, mine).settle(answered({ remaining: 0, resetMs: 600_000 }));
    expect([mine.left, waitMs(ledger)]).toEqual([0, 600_000]);
  });

  test("is all or nothing", () => {
    const ledger = ledgerOf();
    spend(ledger, { remaining: 2, resetMs: 600_000 });
    expect(ledger.reserve(3, "change")).toEqual({ kind: "refused", retryAfterMs: 600_000 });
    expect(ledger.reserve(2, "change")).toMatchObject({ kind: "reserved" });
    expect(ledger.reserve(1, "change")).toEqual({ kind: "refused", retryAfterMs: 2_000 });
  });

  test("gives back what is left, once", () => {
    const ledger = ledgerOf(3);
    const mine = reserved(ledger, 3);
    granted(ledger, mine).settle(answered());
    mine.release();
    mine.release();
    expect([mine.left, ledger.snapshot().used]).toEqual([0, 1]);
    reserved(ledger, 2);
    expect(waitMs(ledger)).toBe(2_000);
  });

  test("once used up, its holder asks like everybody else", () => {
    const ledger = ledgerOf(2);
    const mine = reserved(ledger, 1);
    granted(ledger, mine).settle(answered());
    granted(ledger, mine).settle(answered());
    expect(waitMs(ledger, mine)).toBe(hourMs);
  });

  test("does not pass a gate that the API has closed", () => {
    const ledger = ledgerOf();
    const mine = reserved(ledger, 3);
    spend(ledger, { retryAfterMs: 30_000 }, 429);
    expect(waitMs(ledger, mine)).toBe(30_000);
  });

  test("of another ledger is worth nothing here", () => {
    const ledger = ledgerOf(1);
    spend(ledger);
    expect(waitMs(ledger, reserved(ledgerOf(), 3))).toBe(hourMs);
  });
});

test("the snapshot speaks wall-clock time, whatever the wall clock does to the waits", () => {
  const ledger = ledgerOf();
  expect(ledger.snapshot()).toEqual({
    limit: undefined,
    remaining: undefined,
    resetAtMs: undefined,
    closedUntilMs: undefined,
    used: 0,
  });
  spend(ledger, { limit: 1_000, remaining: 0, resetMs: 600_000 });
  clock.jump(hourMs);
  expect(waitMs(ledger)).toBe(600_000);
  expect(ledger.snapshot().resetAtMs).toBe(clock.now() + 600_000);
});

/** An account as the API keeps it: a window of an hour from the first request, whoever makes it. */
function account(limit: number) {
  let opensMs = Number.NEGATIVE_INFINITY;
  let used = 0;
  return (
    nowMs: number,
    foreign = 0,
  ): { readonly status: number; readonly reading: Partial<RateLimitReading>; readonly window: number } => {
    if (nowMs >= opensMs + hourMs) {
      opensMs = nowMs;
      used = 0;
    }
    used = Math.min(limit, used + foreign);
    const resetMs = Math.ceil((opensMs + hourMs - nowMs) / 1_000) * 1_000;
    if (used >= limit) return { status: 429, reading: { limit, remaining: 0, resetMs }, window: opensMs };
    used++;
    return { status: 200, reading: { limit, remaining: limit - used, resetMs }, window: opensMs };
  };
}

test("whatever others spend, we are refused at most twice per window, and always come through in the end", async () => {
  const step = fc.record({ gapMs: fc.integer({ min: 0, max: 400_000 }), foreign: fc.integer({ min: 0, max: 12 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 50, maxLength: 120 }),
      fc.integer({ min: 1, max: 30 }),
      async (steps, limit) => {
        clock = new FakeClock();
        const ledger = ledgerOf(900);
        const api = account(limit);
        const refusals = new Map<number, number>();
        let passed = 0;
        for (const { gapMs, foreign } of steps) {
          await clock.advance(gapMs);
          const admission = ledger.admit({ class: "change" });
          if (admission.kind === "refused") {
            expect(admission.retryAfterMs).toBeLessThanOrEqual(hourMs + 61_000);
            continue;
          }
          const { status, reading, window } = api(clock.monotonic(), foreign);
          admission.ticket.settle(answered(reading, status));
          if (status === 429) refusals.set(window, (refusals.get(window) ?? 0) + 1);
          else passed++;
        }
        expect(Math.max(0, ...refusals.values())).toBeLessThanOrEqual(2);
        await clock.advance(2 * hourMs + 60_000);
        expect(waitMs(ledger)).toBe(0);
        expect(passed + refusals.size).toBeGreaterThan(0);
      },
    ),
    { numRuns: 60 },
  );
});
