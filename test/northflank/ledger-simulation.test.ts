import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RequestClass } from "../../src/northflank/types.ts";
import { countBy, type Sent, type SimulatedObject, simulate } from "../support/ledger-simulation.ts";

/*
 * The ledger against the counter of the API, by objects that ask when they are allowed to. Times are simulated.
 */

const minute = 60_000;
const hour = 60 * minute;

function objects(count: number, one: SimulatedObject): readonly SimulatedObject[] {
  return Array.from({ length: count }, (_, n) => ({ ...one, startMs: one.startMs + n }));
}

const change = { who: "shop/main", class: "change", startMs: 0 } as const;

function refusedPerWindow(sent: readonly Sent[]): number {
  return Math.max(
    0,
    ...countBy(
      sent.filter(({ status }) => status === 429),
      ({ window }) => window,
    ).values(),
  );
}

/** Granted requests of each class in each window. */
function perWindow(sent: readonly Sent[], window: number): Readonly<Record<RequestClass, number>> {
  const counts = countBy(
    sent.filter((one) => one.window === window && one.status === 200),
    ({ object }) => object.class,
  );
  return { change: counts.get("change") ?? 0, run: counts.get("run") ?? 0, observe: counts.get("observe") ?? 0 };
}

const seed = fc.integer({ min: 1, max: 1_000_000 });

describe("a quota that is spent", () => {
  test.each([
    [200, 1_000, 1],
    [1_500, 1_000, 2],
    [1_500, 500, 3],
  ])(
    "with %i waiting and %i an hour: two refused calls at most, and done within 1.05x of %i windows",
    (count, limit, windows) => {
      const { sent, doneMs } = simulate({
        seed: count,
        objects: objects(count, { ...change, startMs: 1_000 }),
        untilMs: 5 * hour,
        limit,
        spentAtStart: limit,
      });
      expect(refusedPerWindow(sent)).toBeLessThanOrEqual(2);
      expect(doneMs.size).toBe(count);
      expect(Math.max(...doneMs.values())).toBeLessThanOrEqual(1.05 * windows * hour);
    },
  );

  test("is never overspent as the API counts it, and costs two refused calls per window, whatever others spend", () => {
    const settings = fc.record({
      seed,
      limit: fc.integer({ min: 5, max: 120 }),
      count: fc.integer({ min: 1, max: 150 }),
      spentAtStart: fc.integer({ min: 0, max: 120 }),
      lost: fc.constantFrom(0, 0.02),
    });
    fc.assert(
      fc.property(settings, ({ count, ...rest }) => {
        const { sent, doneMs } = simulate({
          ...rest,
          objects: objects(count, { ...change, startMs: 1_000 }),
          untilMs: (2 + Math.ceil((1.2 * count) / rest.limit)) * hour + 10 * minute,
        });
        const granted = countBy(
          sent.filter(({ status }) => status === 200),
          ({ window }) => window,
        );
        for (const requests of granted.values()) expect(requests).toBeLessThanOrEqual(rest.limit);
        expect(refusedPerWindow(sent)).toBeLessThanOrEqual(2);
        expect(doneMs.size).toBe(count);
      }),
      { numRuns: 40 },
    );
  });
});

describe("classes", () => {
  const busy = [
    ...objects(400, { ...change, everyMs: 10 * minute }),
    ...objects(100, { ...change, class: "run", everyMs: minute }),
    ...objects(400, { ...change, class: "observe", everyMs: 10 * minute }),
  ];

  test("that all want more than there is: none starves, and shares hold", () => {
    const { sent } = simulate({ seed: 3, objects: busy, untilMs: 5 * hour, limit: 400 });
    for (const window of [1, 2, 3]) {
      const granted = perWindow(sent, window);
      expect(granted.observe).toBeGreaterThanOrEqual(4);
      expect(granted.observe).toBeLessThanOrEqual(0.2 * 400 + 1);
      expect(granted.run).toBeGreaterThanOrEqual(40);
      expect(granted.change).toBeGreaterThanOrEqual(0.7 * 400);
      expect(granted.change + granted.run + granted.observe).toBeGreaterThanOrEqual(0.97 * 400);
    }
  });

  test("lend what they do not use to the more urgent, and get it back in the next window", () => {
    const flood = objects(400, { ...change, startMs: hour + 5 * minute });
    const drift = objects(400, { ...change, class: "observe", everyMs: 10 * minute });
    const { sent } = simulate({ seed: 4, objects: [...flood, ...drift], untilMs: 4 * hour, limit: 400 });
    const [before, during, after] = [0, 1, 3].map((window) => perWindow(sent, window));
    expect(before?.observe).toBeGreaterThanOrEqual(76);
    expect(during?.change).toBeGreaterThanOrEqual(360);
    expect(after?.observe).toBeGreaterThanOrEqual(76);
  });

  test("runs alone get four fifths at once, and the rest as the window goes by", () => {
    const runs = objects(300, { ...change, class: "run", everyMs: 3 * minute });
    const { sent } = simulate({ seed: 5, objects: runs, untilMs: 2 * hour, limit: 400 });
    const first = sent.filter(({ window }) => window === 0);
    const at = (ms: number) => first.filter(({ atMs }) => atMs < ms).length;
    expect(at(5 * minute)).toBeLessThanOrEqual(0.8 * 400 + 0.2 * 400 * (5 / 60) + 1);
    expect(at(hour)).toBeGreaterThanOrEqual(0.95 * 400);
  });

  test("a check for drift is a rate: never a window in its first minute, and its share in the end", () => {
    const settings = fc.record({ seed, limit: fc.constantFrom(100, 1_000), count: fc.integer({ min: 250, max: 400 }) });
    fc.assert(
      fc.property(settings, ({ count, ...rest }) => {
        const drift = objects(count, { ...change, class: "observe", everyMs: 5 * minute });
        const { sent } = simulate({ ...rest, objects: drift, untilMs: 2 * hour + minute });
        for (const [window, total] of countBy(sent, (one) => one.window)) {
          const atMs = sent.filter((one) => one.window === window).map((one) => one.atMs);
          const startMs = atMs[0] ?? 0;
          const early = atMs.filter((ms) => ms < startMs + minute).length;
          expect(early).toBeLessThanOrEqual(0.01 * rest.limit + 0.2 * (rest.limit / 60) + 2);
          // Our window ends a second after that of the API: what comes first in the next one may be in this one.
          expect(total).toBeLessThanOrEqual(0.21 * rest.limit + 2);
          if (startMs < hour + minute) expect(total).toBeGreaterThanOrEqual(0.9 * 0.2 * rest.limit);
        }
      }),
      { numRuns: 3 },
    );
  });

  test("a change behind a thousand checks for drift is granted at once", () => {
    const one = { ...change, startMs: 90 * minute + 17 };
    const drift = objects(1_000, { ...change, class: "observe", everyMs: 5 * minute });
    const { doneMs } = simulate({ seed: 6, objects: [...drift, one], untilMs: 2 * hour, limit: 1_000 });
    expect((doneMs.get(one) ?? Number.NaN) - one.startMs).toBeLessThanOrEqual(500);
  });
});

describe("namespaces", () => {
  test("one with a thousand objects does not starve one with a single object, whenever that asks", () => {
    const settings = fc.record({
      seed,
      startMs: fc.integer({ min: 0, max: 2 * hour }),
      class: fc.constantFrom<RequestClass>("change", "run", "observe"),
    });
    fc.assert(
      fc.property(settings, ({ seed: drawn, startMs, class: requestClass }) => {
        const many = objects(1_000, { ...change, class: requestClass, everyMs: 1_000 });
        const single = { ...change, class: requestClass, who: "small/main", startMs };
        const { doneMs } = simulate({ seed: drawn, objects: [...many, single], untilMs: 4 * hour, limit: 100 });
        // The window that is spent already, and the first minutes of the next one.
        expect((doneMs.get(single) ?? Number.POSITIVE_INFINITY) - startMs).toBeLessThanOrEqual(hour + 4 * minute);
      }),
      { numRuns: 5 },
    );
  });

  test("that want more than there is get equal parts, however many objects and connections each has", () => {
    const wanting = [
      ...objects(600, { ...change, who: "a/x", everyMs: 1_000 }),
      ...objects(300, { ...change, who: "b/x", everyMs: 1_000 }),
      ...objects(200, { ...change, who: "b/y", everyMs: 1_000 }),
      ...objects(150, { ...change, who: "c/x", everyMs: 1_000 }),
    ];
    const { sent } = simulate({ seed: 8, objects: wanting, untilMs: 4 * hour, limit: 300 });
    for (const window of [1, 2]) {
      const ofWindow = sent.filter((one) => one.window === window && one.status === 200);
      const parts = countBy(ofWindow, ({ object }) => object.who.slice(0, 1));
      for (const part of ["a", "b", "c"]) expect(parts.get(part)).toBeGreaterThanOrEqual(90);
    }
  });

  test("a hostile one with a thousand names takes no memory without end", () => {
    const names = Array.from({ length: 1_000 }, (_, n) => ({ ...change, who: `n${n}/x`, startMs: n }));
    const { ledger } = simulate({ seed: 9, objects: names, untilMs: 5 * minute, limit: 100 });
    expect(ledger.state().callers.size).toBeLessThanOrEqual(201);
  });
});

describe("a soak of 30 days", () => {
  const days = 30;
  const wanting = Array.from({ length: 12 }, (_, n) => ({
    who: `n${n % 4}/main`,
    class: (["change", "run", "observe"] as const)[n % 3] ?? "change",
    startMs: n * 1_000,
    everyMs: 10 * minute + n * 41_000,
  }));

  test.each([
    ["with others that spend, and lost answers", 1, undefined],
    ["with a clock of the API that is fast", 1.001, undefined],
    ["with a clock of the API that is slow, and windows that end early", 0.999, 7.3 * hour],
  ])(
    "%s: what the ledger says is what is left, on the last day as on the first",
    (_what, pace, resetsEveryMs) => {
      const errors: { readonly day: number; readonly error: number }[] = [];
      let latestEndMs = 0;
      const { sent, ledger } = simulate({
        seed: 30,
        objects: wanting,
        untilMs: days * 24 * hour,
        limit: 80,
        pace,
        lost: 0.01,
        elsewherePerHour: 20,
        ...(resetsEveryMs === undefined ? {} : { resetsEveryMs }),
        onQuiet: ({ ledger: seen, model, nowMs, answer }) => {
          const { remaining, resetAtMs = 0 } = seen.snapshot();
          const endsMs = model.endsMs(nowMs);
          if (remaining === undefined || endsMs === undefined || answer.window !== model.window) return;
          errors.push({ day: Math.floor(nowMs / (24 * hour)), error: remaining - model.left(nowMs) });
          latestEndMs = Math.max(latestEndMs, resetAtMs - Date.parse("2026-01-01T00:00:00Z") - endsMs);
        },
      });
      expect(countBy(errors, ({ day }) => day).size).toBe(days);
      const worst = (of: readonly { readonly error: number }[]) => Math.max(...of.map(({ error }) => Math.abs(error)));
      expect(worst(errors)).toBeLessThanOrEqual(3);
      expect(worst(errors.filter(({ day }) => day >= days - 3))).toBeLessThanOrEqual(3);
      // A second of rounding, the latency, and what the clocks differ by in an hour.
      expect(latestEndMs).toBeLessThanOrEqual(2_000 + hour * Math.abs(pace - 1));
      expect(refusedPerWindow(sent)).toBeLessThanOrEqual(2);
      expect(sent.length).toBeGreaterThan(days * 24 * 20);
      expect([ledger.state().reserved, ledger.state().callers.size <= 4]).toEqual([0, true]);
      const { used, usedBy } = ledger.snapshot();
      expect(usedBy.change + usedBy.run + usedBy.observe).toBe(used);
    },
    60_000,
  );
});
