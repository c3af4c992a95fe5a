import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createServerClock } from "../../src/kube/server-clock.ts";
import { FakeClock } from "../support/fake-clock.ts";

const start = Date.parse("2026-01-01T00:00:00Z");
const dateOf = (ms: number) => new Date(ms).toUTCString();
const hourMs = 3_600_000;

describe("before the first answer", () => {
  test("now is the wall clock of this machine", () => {
    const local = new FakeClock();
    const { clock } = createServerClock(local);
    local.jump(hourMs);
    expect(clock.now()).toBe(start + hourMs);
  });
});

describe("after an answer", () => {
  test("a machine whose clock is an hour ahead tells the server's time", async () => {
    const local = new FakeClock();
    const { clock, heard } = createServerClock(local);
    local.jump(hourMs);
    heard(dateOf(start));
    expect(clock.now()).toBe(start);
    await local.advance(90_500);
    expect(clock.now()).toBe(start + 90_500);
  });

  test.each([hourMs, -hourMs, 24 * hourMs, -24 * hourMs])(
    "a jump of this machine's clock by %i ms moves nothing",
    (by) => {
      const local = new FakeClock();
      const { clock, heard } = createServerClock(local);
      heard(dateOf(start));
      local.jump(by);
      heard(dateOf(start));
      expect(clock.now()).toBe(start);
    },
  );

  test.each([
    ["as early as the server's second began", 0, 0],
    ["as late as a slow answer may come", 6_000, 6_000],
    ["a millisecond later than that: corrected", 6_001, 0],
    ["a millisecond before the server's second: corrected", -1, 0],
  ])("now stands %s", (_title, aheadMs, expectedMs) => {
    const local = new FakeClock();
    const { clock, heard } = createServerClock(local);
    local.jump(aheadMs);
    heard(dateOf(start));
    expect(clock.now()).toBe(start + expectedMs);
  });

  test("a machine that slept learns the time with the next answer", () => {
    const local = new FakeClock();
    const { clock, heard } = createServerClock(local);
    heard(dateOf(start));
    heard(dateOf(start + 8 * hourMs));
    expect(clock.now()).toBe(start + 8 * hourMs);
  });
});

test.each([
  undefined,
  null,
  42,
  "",
  "-5",
  "2026-01-01T00:00:00Z",
  "Thu, 01 Jan 1970 00:00:00 GMT",
  "Fri, 31 Dec 9999 23:59:59 GMT",
  "Xxx, 99 Xxx 2026 99:99:99 GMT",
  ["Thu, 01 Jan 2026 01:00:00 GMT"],
])("a Date header of %j changes nothing", (date) => {
  const local = new FakeClock();
  const { clock, heard } = createServerClock(local);
  heard(date);
  expect(clock.now()).toBe(start);
});

test("whatever the answers are delayed by, now is never before the last Date nor further ahead than a slow answer", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ stepMs: fc.nat(20_000), delayMs: fc.nat(20_000), jumpMs: fc.integer() }), { maxLength: 30 }),
      (answers) => {
        let elapsedMs = 0;
        let skewMs = 0;
        const local = {
          now: () => start + elapsedMs + skewMs,
          monotonic: () => elapsedMs,
          setTimer: () => ({ cancel: () => undefined }),
        };
        const { clock, heard } = createServerClock(local);
        for (const { stepMs, delayMs, jumpMs } of answers) {
          elapsedMs += stepMs + delayMs;
          skewMs += jumpMs;
          const saidMs = start + elapsedMs - delayMs;
          heard(dateOf(saidMs));
          const said = Math.floor(saidMs / 1_000) * 1_000;
          expect(clock.now()).toBeGreaterThanOrEqual(said);
          expect(clock.now()).toBeLessThanOrEqual(said + 6_000);
        }
      },
    ),
  );
});
