import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { createLedger, type Ledger, type Reservation, type Ticket } from "../../src/northflank/ledger.ts";
import type { Settlement } from "../../src/northflank/ledger-settle.ts";
import { kept } from "../../src/northflank/ledger-shares.ts";
import { absorb, available, initialLedger, type LedgerState } from "../../src/northflank/ledger-state.ts";
import { type RateLimitReading, readRateLimit } from "../../src/northflank/rate-limit.ts";
import type { RequestClass } from "../../src/northflank/types.ts";
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
  const admission = ledger.admit({ class: "change", reservation });
  if (admission.kind === "refused") return admission.retryAfterMs;
  admission.ticket.settle({ kind: "unsent" });
  return 0;
}

describe("an API that is down", () => {
  /** Ten failures in a row, while other requests are in flight; then the time of the probe. */
  async function down(ledger: Ledger): Promise<readonly Ticket[]> {
    spend(ledger);
    const before = [granted(ledger), granted(ledger), granted(ledger)];
    for (let count = 0; count < 10; count++) granted(ledger).settle({ kind: "lost", outage: "unreachable" });
    await clock.advance(5_000);
    return before;
  }

  test.each<[string, Settlement]>([
    ["is given up", { kind: "lost" }],
    ["is never sent", { kind: "unsent" }],
    ["times out", { kind: "lost", outage: "timeout" }],
  ])("gets one probe at a time, also when a request from before it %s", async (_how, settlement) => {
    const ledger = ledgerOf();
    const [first, second] = await down(ledger);
    const probe = granted(ledger);
    for (const ticket of [first, second]) {
      ticket?.settle(settlement);
      await clock.advance(20_000);
      expect(ledger.admit({ class: "change" })).toMatchObject({ kind: "refused", outage: "unreachable" });
    }
    probe.settle(answered());
    expect(waitMs(ledger)).toBe(0);
  });

  test("is up when a request from before the probe is answered", async () => {
    const ledger = ledgerOf();
    const [first] = await down(ledger);
    granted(ledger);
    first?.settle(answered());
    expect(waitMs(ledger)).toBe(0);
  });
});

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

  test("is an hour from our first request where the end that the API tells is a date", async () => {
    const ledger = ledgerOf();
    granted(ledger).settle(answered());
    await clock.advance(600_000);
    const headers = { "x-ratelimit-limit": "1000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1767261600" };
    granted(ledger).settle({ kind: "answered", status: 200, rateLimit: readRateLimit(headers, clock.now()) });
    expect(waitMs(ledger)).toBe(hourMs - 600_000);
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
    const inFlight = [granted(ledger), granted(ledger)];
    // The API may have counted what is in flight already, so that this may be granted when it is answered.
    expect(waitMs(ledger)).toBe(2_000);
    expect(ledger.snapshot()).toMatchObject({ limit: 1_000, remaining: 0, used: 3 });
    for (const [index, ticket] of inFlight.entries())
      ticket.settle(answered({ remaining: 1 - index, resetMs: 600_000 }));
    expect(waitMs(ledger)).toBe(600_000);
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

  test("with requests left and no Retry-After closes it for a minute, not until the end of the window", async () => {
    const ledger = ledgerOf();
    spend(ledger, { limit: 1_000, remaining: 600, resetMs: 3_000_000 });
    const waits: number[] = [];
    for (const remaining of [599, 598, 597]) {
      spend(ledger, { limit: 1_000, remaining, resetMs: 3_000_000 }, 429);
      waits.push(waitMs(ledger) / 60_000);
      await clock.advance(waitMs(ledger));
    }
    expect(waits).toEqual([1, 2, 4]);
    expect(ledger.snapshot().remaining).toBe(597);
    spend(ledger, { remaining: 596 });
    spend(ledger, { limit: 1_000, remaining: 595, resetMs: 2_500_000 }, 429);
    expect(waitMs(ledger)).toBe(60_000);
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
    spend(ledger, { resetMs: 60_000 });
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
  ])("for checks come back spread over %s (draw %d, wait %i)", (_what, random, resetMs, expected) => {
    const ledger = ledgerOf();
    draw = random;
    spend(ledger, { remaining: 0, resetMs });
    const admission = ledger.admit({ class: "observe" });
    expect(admission).toMatchObject({ kind: "refused", retryAfterMs: expected });
  });

  test.each<[RequestClass, number, number]>([
    ["change", 1, 500],
    ["change", 100, 5_000],
    ["run", 1, 500],
    ["run", 100, 25_000],
  ])("for a %s come back as fast as they can be sent: the last of %i within %i ms", (requestClass, count, withinMs) => {
    const ledger = ledgerOf();
    spend(ledger, { remaining: 0, resetMs: hourMs });
    draw = 1;
    const waits = Array.from({ length: count }, () => {
      const admission = ledger.admit({ class: requestClass });
      return admission.kind === "refused" ? admission.retryAfterMs - hourMs : undefined;
    });
    expect([waits[0], Math.ceil((waits.at(-1) ?? 0) / 500) * 500]).toEqual([500, withinMs]);
  });

  test("a write that was set aside with its read ends no claim of another change", async () => {
    const ledger = ledgerOf();
    spend(ledger, { limit: 1_000, remaining: 0, resetMs: 60_000 });
    for (let n = 0; n < 3; n++) expect(ledger.reserve(2, "change")).toMatchObject({ kind: "refused" });
    await clock.advance(60_000);
    const first = ledger.reserve(2, "change");
    if (first.kind !== "reserved") throw new Error("refused");
    for (const remaining of [999, 998]) {
      granted(ledger, first.reservation).settle(answered({ limit: 1_000, remaining, resetMs: hourMs }));
    }
    expect(ledger.snapshot().waiting).toBe(4);
  });
});

test("changes that wait take nothing of what checks have earned, while there is enough for both", async () => {
  const ledger = ledgerOf();
  spend(ledger, { limit: 1_000, remaining: 900, resetMs: hourMs });
  await clock.advance(hourMs / 2);
  spend(ledger, { remaining: 890, retryAfterMs: 1_000 }, 429);
  for (let n = 0; n < 100; n++) waitMs(ledger);
  await clock.advance(1_000);
  const check = () => ledger.admit({ class: "observe", who: "other" });
  let granted = 0;
  for (let admission = check(); admission.kind === "granted"; admission = check()) {
    admission.ticket.settle(answered());
    granted += 1;
  }
  // A fifth of what half an hour grants.
  expect(granted).toBeGreaterThan(80);
  expect(granted).toBeLessThan(100);
  expect(ledger.snapshot().waiting).toBeGreaterThan(100);
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

  test("whose holder crashes with the process is gone with it: the next one learns what is left from the API", () => {
    const before = ledgerOf();
    spend(before, { limit: 1_000, remaining: 20, resetMs: 600_000 });
    reserved(before, 3);
    const after = ledgerOf();
    spend(after, { limit: 1_000, remaining: 19, resetMs: 590_000 });
    expect(after.snapshot()).toMatchObject({ remaining: 19, used: 1, resetAtMs: clock.now() + 590_000 });
    expect(after.reserve(19, "change").kind).toBe("reserved");
  });

  test("whose holder fails half way gives the rest back, to the end of the count", () => {
    const ledger = ledgerOf(4);
    const mine = reserved(ledger, 3);
    granted(ledger, mine).settle({ kind: "lost", outage: "interrupted" });
    mine.release();
    expect([ledger.snapshot().used, ledger.state().reserved]).toEqual([1, 0]);
    expect(ledger.reserve(3, "change").kind).toBe("reserved");
  });

  test("that is refused keeps a claim: a caller that was served more leaves one for it, once it is due", async () => {
    const ledger = ledgerOf();
    spend(ledger, { limit: 1_000, remaining: 2, resetMs: 600_000 });
    expect(ledger.reserve(3, "change", "b/x").kind).toBe("refused");
    await clock.advance(600_000);
    spend(ledger, { limit: 1_000, remaining: 2, resetMs: hourMs });
    const kinds = [1, 2].map(() => ledger.admit({ class: "change", who: "a/x" }).kind);
    expect(kinds).toEqual(["granted", "refused"]);
    expect(ledger.admit({ class: "change", who: "b/x" }).kind).toBe("granted");
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
    usedBy: { change: 0, run: 0, observe: 0 },
    deferredBy: { change: 0, run: 0, observe: 0 },
    waiting: 0,
    closedBy: undefined,
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

const classes: readonly RequestClass[] = ["change", "run", "observe"];

function isGranted(ledger: Ledger, requestClass: RequestClass): boolean {
  const admission = ledger.admit({ class: requestClass });
  if (admission.kind === "granted") admission.ticket.settle({ kind: "unsent" });
  return admission.kind === "granted";
}

/** Spends while the class is let in; returns how many requests that were. */
function spendAll(ledger: Ledger, requestClass: RequestClass, answer: (count: number) => Partial<RateLimitReading>) {
  for (let count = 0; ; count++) {
    const admission = ledger.admit({ class: requestClass });
    if (admission.kind === "refused") return count;
    admission.ticket.settle(answered(answer(count)));
  }
}

describe("the last requests of a window", () => {
  test("of the ceiling are kept from checks for drift, then from following runs, and changes get them", () => {
    const left = (remaining: number) => (count: number) => ({ limit: 1_000, remaining: remaining - count });
    const ledger = ledgerOf(900);
    // In the last seconds of a window: the shares of the more urgent classes are lent by then.
    spend(ledger, { limit: 1_000, remaining: 1_000, resetMs: 1_000 });
    expect(spendAll(ledger, "run", left(999))).toBe(881);
    const start = ledger.reserve(3, "change");
    expect(start.kind).toBe("reserved");
    if (start.kind === "reserved") start.reservation.release();
    expect(spendAll(ledger, "observe", left(118))).toBe(0);
    expect(spendAll(ledger, "change", left(118))).toBe(18);
    expect(ledger.snapshot().used).toBe(900);
  });

  test("of the account are kept too, when people and CI have spent the rest", () => {
    const ledger = ledgerOf(900);
    const left = (remaining: number) => () => ({ limit: 1_000, remaining, resetMs: hourMs });
    spend(ledger, left(101)());
    expect(classes.map((name) => isGranted(ledger, name))).toEqual([true, true, true]);
    spend(ledger, left(100)());
    expect(classes.map((name) => isGranted(ledger, name))).toEqual([true, true, false]);
    spend(ledger, left(20)());
    expect(classes.map((name) => isGranted(ledger, name))).toEqual([true, false, false]);
    spend(ledger, left(1)());
    expect(classes.map((name) => isGranted(ledger, name))).toEqual([true, false, false]);
  });

  test.each([
    [1, 0, 0],
    [2, 0, 1],
    [3, 0, 1],
    [10, 2, 5],
    [100, 4, 10],
    [900, 18, 90],
    [5_000, 100, 500],
  ])("of %i are %i for more than runs, and %i for more than drift", (total, forRuns, forDrift) => {
    expect(classes.map((name) => kept(name, total))).toEqual([0, forRuns, forDrift]);
  });

  test("are never all of them: each class is let in at the beginning of a window, whatever the ceiling", () => {
    for (let ceiling = 1; ceiling <= 200; ceiling++) {
      for (const name of classes)
        expect([ceiling, name, isGranted(ledgerOf(ceiling), name)]).toEqual([ceiling, name, true]);
    }
  });

  test("refused for their sake, a check waits for the next window, not for somebody to give back", () => {
    const ledger = ledgerOf(900);
    spend(ledger, { limit: 1_000, remaining: 50, resetMs: 600_000 });
    expect(ledger.admit({ class: "observe" })).toEqual({ kind: "refused", retryAfterMs: 600_000 });
  });

  test("a ceiling of 3 grants a start, which takes three", () => {
    expect(ledgerOf(3).reserve(3, "change").kind).toBe("reserved");
  });
});

describe("what was spent in another ledger of the same account", () => {
  test("counts, with its window and what the API said is left", () => {
    const other = ledgerOf();
    spend(other, { limit: 1_000, remaining: 400, resetMs: 600_000 });
    spend(other, { remaining: 399, resetMs: 600_000 });
    const ledger = ledgerOf();
    spend(ledger, { limit: 1_000, remaining: 398, resetMs: 600_000 });
    ledger.absorb(other);
    expect(ledger.snapshot()).toMatchObject({ used: 3, remaining: 398, limit: 1_000 });
    const fresh = ledgerOf();
    fresh.absorb(other);
    expect(fresh.snapshot()).toMatchObject({ used: 2, remaining: 399, resetAtMs: clock.now() + 600_000 });
  });

  test("counts no more when its window is over", async () => {
    const other = ledgerOf();
    spend(other, { remaining: 0, resetMs: 600_000 });
    await clock.advance(600_000);
    const ledger = ledgerOf();
    ledger.absorb(other);
    expect([ledger.snapshot().used, ledger.isIdle()]).toEqual([0, true]);
  });
});

test("a ledger is idle before its first request, and again when its window and its gate are over", async () => {
  const ledger = ledgerOf();
  expect(ledger.isIdle()).toBe(true);
  const ticket = granted(ledger);
  await clock.advance(2 * hourMs);
  expect(ledger.isIdle()).toBe(false);
  ticket.settle(answered({ retryAfterMs: 2 * hourMs }, 429));
  await clock.advance(hourMs);
  expect(ledger.isIdle()).toBe(false);
  await clock.advance(hourMs);
  expect(ledger.isIdle()).toBe(true);
});

/** Answers as they may come, by header; the waits in seconds until a change is let in again. `date` is the far end's clock. */
const headerCases: Readonly<
  Record<
    string,
    { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly waitS: number }
  >
> = {
  "A7: a 429 with Retry-After in seconds": { status: 429, headers: { "retry-after": "30" }, waitS: 30 },
  "A7: a 429 with Retry-After in fractions of a second": { status: 429, headers: { "retry-after": "0.2" }, waitS: 1 },
  "A8: a 429 with a date, by a far end whose clock is a year ahead": {
    status: 429,
    headers: { date: "Fri, 01 Jan 2027 00:00:00 GMT", "retry-after": "Fri, 01 Jan 2027 00:05:00 GMT" },
    waitS: 300,
  },
  "A8: a 429 with a date, by a far end whose clock is a year behind": {
    status: 429,
    headers: { date: "Wed, 01 Jan 2025 00:00:00 GMT", "retry-after": "Wed, 01 Jan 2025 00:05:00 GMT" },
    waitS: 300,
  },
  "A8: a 429 with a date that is over": {
    status: 429,
    headers: { date: "Wed, 01 Jan 2025 00:05:00 GMT", "retry-after": "Wed, 01 Jan 2025 00:00:00 GMT" },
    waitS: 1,
  },
  "A8: a 429 with a date, and no clock of the far end beside it": {
    status: 429,
    headers: { "retry-after": "Thu, 01 Jan 2026 00:02:00 GMT" },
    waitS: 120,
  },
  "A8: a 429 with a date years ahead": {
    status: 429,
    headers: { date: "Thu, 01 Jan 2026 00:00:00 GMT", "retry-after": "Sun, 01 Jan 2034 00:00:00 GMT" },
    waitS: 7_200,
  },
  "A9: a 429 with nothing": { status: 429, headers: {}, waitS: 60 },
  "A9: a 429 with a negative wait": { status: 429, headers: { "retry-after": "-5" }, waitS: 60 },
  "A9: a 429 with a word": { status: 429, headers: { "retry-after": "soon" }, waitS: 60 },
  "A9: a 429 with a wait of 30,000 years": { status: 429, headers: { "retry-after": "1000000000000" }, waitS: 7_200 },
  "A9: a 429 with such a wait, and the end of the window": {
    status: 429,
    headers: { "retry-after": "1000000000000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "900" },
    waitS: 900,
  },
  "A9: a 429 with the end of the window only": { status: 429, headers: { "x-ratelimit-reset": "900" }, waitS: 900 },
  "A9: a 429 with an end of the window that is NaN": {
    status: 429,
    headers: { "x-ratelimit-reset": "NaN", "x-ratelimit-remaining": "NaN" },
    waitS: 60,
  },
  "a 429 of a burst limiter, with requests left": {
    status: 429,
    headers: { "x-ratelimit-limit": "1000", "x-ratelimit-remaining": "600", "x-ratelimit-reset": "3000" },
    waitS: 60,
  },
  "a 429 of a burst limiter that says how long": {
    status: 429,
    headers: { "retry-after": "5", "x-ratelimit-remaining": "600", "x-ratelimit-reset": "3000" },
    waitS: 5,
  },
  "A10: a 200 with nothing left": {
    status: 200,
    headers: { "x-ratelimit-limit": "1000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "600" },
    waitS: 600,
  },
  "A10: a 200 with nothing left, and no end of the window": {
    status: 200,
    headers: { "x-ratelimit-remaining": "0" },
    waitS: 3_600,
  },
  "A10: a 200 with nothing left, and a window that ends in the past": {
    status: 200,
    headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": "-60" },
    waitS: 3_600,
  },
  "a 200 with a negative rest": { status: 200, headers: { "x-ratelimit-remaining": "-1" }, waitS: 0 },
  "a 200 with more left than the limit": {
    status: 200,
    headers: { "x-ratelimit-limit": "10", "x-ratelimit-remaining": "999999", "x-ratelimit-reset": "60" },
    waitS: 0,
  },
  "a 200 without headers": { status: 200, headers: {}, waitS: 0 },
};

test.each(Object.entries(headerCases))("%s: the gate", async (_name, { status, headers, waitS }) => {
  const ledger = ledgerOf();
  granted(ledger).settle({ kind: "answered", status, rateLimit: readRateLimit(headers, clock.now()) });
  expect(waitMs(ledger)).toBe(waitS * 1_000);
  await clock.advance(waitS * 1_000);
  expect(waitMs(ledger)).toBe(0);
});

test("A7: after a 429 with Retry-After no object makes an attempt of its own, and they come back spread", async () => {
  const ledger = ledgerOf();
  spend(ledger, { retryAfterMs: 30_000 }, 429);
  const waits = [0, 0.25, 0.5, 0.75].map((share) => {
    draw = share;
    return waitMs(ledger);
  });
  expect(waits).toEqual([30_000, 30_125, 30_250, 30_375]);
  expect(ledger.snapshot()).toMatchObject({ used: 1, waiting: 5, closedBy: "rate_limited" });
});

test.each([
  ["with a time alone", { retryAfterMs: 1_800_000 }],
  ["with nothing", {}],
  ["with nothing left", { limit: 1_000, remaining: 0, resetMs: 1_800_000 }],
])("A7: a 429 %s leaves nothing, and all that wait are counted, however late they come", async (_, reading) => {
  const ledger = ledgerOf();
  spend(ledger, { limit: 1_000, remaining: 900, resetMs: 1_800_000 });
  spend(ledger, reading, 429);
  expect(ledger.snapshot().remaining).toBe(0);
  for (let n = 0; n < 3; n++) waitMs(ledger);
  expect(ledger.snapshot().waiting).toBe(4);
  await clock.advance(hourMs);
  expect(ledger.snapshot().remaining).toBe(1_000);
});

test("A9: a 429 with nothing that repeats doubles the wait, and one good answer begins anew", async () => {
  const ledger = ledgerOf();
  for (const minutes of [1, 2, 4]) {
    spend(ledger, {}, 429);
    expect(waitMs(ledger)).toBe(minutes * 60_000);
    await clock.advance(minutes * 60_000);
  }
  spend(ledger, { remaining: 500, resetMs: hourMs });
  spend(ledger, { remaining: 499 }, 429);
  expect(waitMs(ledger)).toBe(60_000);
});

test("A10: the gate that a 200 has closed says why, and opens by itself", async () => {
  const ledger = ledgerOf();
  spend(ledger, { remaining: 0, resetMs: 60_000 });
  expect(ledger.snapshot().closedBy).toBe("spent");
  await clock.advance(60_000);
  expect(ledger.snapshot()).toMatchObject({ closedBy: undefined, closedUntilMs: undefined });
});

describe("A11: an account that others spend from", () => {
  test("keeps what is left for changes, however it came to be little", () => {
    const ledger = ledgerOf();
    spend(ledger, { limit: 1_000, remaining: 15, resetMs: hourMs });
    expect(classes.map((name) => isGranted(ledger, name))).toEqual([true, false, false]);
  });

  test("whose answer from the window before comes late says nothing of this one", async () => {
    const ledger = ledgerOf();
    spend(ledger, { limit: 1_000, remaining: 3, resetMs: 10_000 });
    const late = granted(ledger);
    await clock.advance(10_000);
    spend(ledger, { limit: 1_000, remaining: 999, resetMs: hourMs });
    late.settle(answered({ limit: 1_000, remaining: 2, resetMs: 1_000 }));
    expect(ledger.snapshot()).toMatchObject({ remaining: 999, used: 1, resetAtMs: clock.now() + hourMs });
  });

  test("is followed by what it says, not by our own count", () => {
    const ledger = ledgerOf();
    spend(ledger, { limit: 1_000, remaining: 900, resetMs: hourMs });
    spend(ledger, { limit: 1_000, remaining: 3, resetMs: hourMs });
    expect(ledger.snapshot()).toMatchObject({ used: 2, remaining: 3 });
    expect(spendAll(ledger, "change", (count) => ({ remaining: 2 - count, resetMs: hourMs }))).toBe(3);
  });

  test("whose numbers go backwards within a window is believed at its lowest", () => {
    const ledger = ledgerOf();
    for (const remaining of [500, 700, 499, 650]) spend(ledger, { limit: 1_000, remaining, resetMs: hourMs });
    expect(ledger.snapshot().remaining).toBe(499);
  });

  test("whose window ends earlier than it said is used again at once", async () => {
    const ledger = ledgerOf();
    spend(ledger, { limit: 1_000, remaining: 40, resetMs: 3_000_000 });
    await clock.advance(600_000);
    spend(ledger, { limit: 1_000, remaining: 999, resetMs: hourMs });
    expect(isGranted(ledger, "observe")).toBe(true);
  });

  test("whose window ends later than it said is asked once, and closes again", async () => {
    const ledger = ledgerOf();
    spend(ledger, { limit: 1_000, remaining: 0, resetMs: 600_000 });
    await clock.advance(600_000);
    spend(ledger, { limit: 1_000, remaining: 0, resetMs: 300_000 });
    expect(waitMs(ledger)).toBe(300_000);
  });
});

describe("whatever the API answers", () => {
  const text = fc.constantFrom(
    "0",
    "1",
    "-5",
    "7",
    "1e9",
    "999999999",
    "9999999999999",
    "3600",
    "NaN",
    "",
    " 7 ",
    "0x10",
  );
  const odd = fc.option(fc.oneof(text, fc.constantFrom("Wed, 21 Oct 2015 07:28:00 GMT", "tomorrow", "1.5")), {
    nil: undefined,
  });
  const headers = fc.record({
    "x-ratelimit-limit": odd,
    "x-ratelimit-remaining": odd,
    "x-ratelimit-reset": odd,
    "retry-after": odd,
    date: odd,
  });
  const step = fc.record({
    class: fc.constantFrom(...classes),
    status: fc.constantFrom(200, 200, 429, 500),
    end: fc.constantFrom("answered", "answered", "lost", "unsent"),
    headers,
    gapMs: fc.constantFrom(0, 100, 10_000),
  });

  test("counts stay numbers of 0 or more, no wait is longer than two hours, and who waits is let in", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 80, maxLength: 120 }),
        fc.constantFrom(1, 5, 900),
        async (steps, ceiling) => {
          clock = new FakeClock();
          const ledger = ledgerOf(ceiling);
          let refusedInARow: Partial<Record<RequestClass, number>> = {};
          for (const { class: requestClass, status, end, headers: sent, gapMs } of steps) {
            const admission = ledger.admit({ class: requestClass });
            if (admission.kind === "refused") {
              expect(admission.retryAfterMs).toBeGreaterThan(0);
              expect(admission.retryAfterMs).toBeLessThanOrEqual(2 * hourMs);
              const refusals = (refusedInARow[requestClass] ?? 0) + 1;
              refusedInARow[requestClass] = refusals;
              // One gate and one window: after both the class is let in.
              expect(refusals).toBeLessThanOrEqual(2);
              await clock.advance(admission.retryAfterMs);
              continue;
            }
            refusedInARow = {};
            const rateLimit = readRateLimit(sent, clock.now());
            admission.ticket.settle(end === "answered" ? { kind: end, status, rateLimit } : { kind: end as "lost" });
            const { used, remaining = 0, limit = 0, resetAtMs = 0, closedUntilMs = 0 } = ledger.snapshot();
            for (const count of [used, remaining, limit, resetAtMs, closedUntilMs]) {
              expect(Number.isFinite(count) && count >= 0).toBe(true);
            }
            const grants = classes.map((name) => isGranted(ledger, name));
            expect(grants).toEqual([...grants].sort((left, right) => Number(right) - Number(left)));
            await clock.advance(gapMs);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

test("more is available to the more urgent, with a higher ceiling and with more left", () => {
  const count = fc.integer({ min: 0, max: 2_000 });
  const state = fc.record({
    ceiling: count,
    used: count,
    reserved: count,
    inFlight: count,
    limit: count,
    remaining: count,
  });
  fc.assert(
    fc.property(state, fc.integer({ min: 1, max: 100 }), (numbers, more) => {
      const of = (change: Partial<LedgerState>) => ({ ...initialLedger(0), ...numbers, ...change });
      const [change, run, observe] = classes.map((name) => available(of({}), name));
      expect([change, run, observe]).toEqual([change, run, observe].sort((a = 0, b = 0) => b - a));
      for (const name of classes) {
        const now = available(of({}), name);
        expect(now).toBeGreaterThanOrEqual(0);
        expect(available(of({ ceiling: numbers.ceiling + more }), name)).toBeGreaterThanOrEqual(now);
        expect(available(of({ remaining: numbers.remaining + more }), name)).toBeGreaterThanOrEqual(now);
        expect(available(of({ used: numbers.used + more }), name)).toBeLessThanOrEqual(now);
        expect(available(of({ reserved: numbers.reserved + more }), name)).toBeLessThanOrEqual(now);
      }
      const whole = absorb(of({ windowEndsAtMs: hourMs }), 0, of({ windowEndsAtMs: hourMs }));
      expect(available(whole, "change")).toBeLessThanOrEqual(change ?? 0);
    }),
  );
});

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
