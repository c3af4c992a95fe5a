import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readRateLimit, serverTimeMs } from "../../src/northflank/rate-limit.ts";

const nowMs = Date.parse("2026-01-01T00:00:00Z");
const date = "Thu, 01 Jan 2026 10:00:00 GMT";
const hourMs = 3_600_000;

describe("readRateLimit", () => {
  test("reads the documented headers", () => {
    const headers = { "x-ratelimit-limit": "1000", "x-ratelimit-remaining": "998", "x-ratelimit-reset": "3400" };
    expect(readRateLimit(headers, nowMs)).toEqual({
      limit: 1_000,
      remaining: 998,
      resetMs: 3_400_000,
      retryAfterMs: undefined,
    });
  });

  test("says nothing of what was not sent", () => {
    expect(readRateLimit({}, nowMs)).toEqual({
      limit: undefined,
      remaining: undefined,
      resetMs: undefined,
      retryAfterMs: undefined,
    });
  });

  test.each<[string, number | undefined]>([
    ["30", 30_000],
    [" 30 ", 30_000],
    ["1.5", 1_500],
    ["0", 1_000],
    ["1", 1_000],
    ["7200", 2 * hourMs],
    ["7201", 2 * hourMs],
    ["1000000000000", 2 * hourMs],
    ["99999999999999999999", undefined],
    ["-5", undefined],
    ["soon", undefined],
    ["", undefined],
    ["1e9", undefined],
    ["0x10", undefined],
    ["30, 40", undefined],
  ])("reads Retry-After %j as %s ms", (text, expected) => {
    expect(readRateLimit({ "retry-after": text }, nowMs).retryAfterMs).toBe(expected);
  });

  test.each<[string, string, string | undefined, number | undefined]>([
    ["a date against the answer's own clock", "Thu, 01 Jan 2026 10:00:30 GMT", date, 30_000],
    ["a date in the past as the least wait", "Thu, 01 Jan 2026 09:00:00 GMT", date, 1_000],
    ["a date years ahead as the longest wait", "Thu, 01 Jan 2032 00:00:00 GMT", date, 2 * hourMs],
    ["a date against our clock when the answer has none", "Thu, 01 Jan 2026 00:01:00 GMT", undefined, 60_000],
    ["a date against our clock when the answer's is garbage", "Thu, 01 Jan 2026 00:01:00 GMT", "-5", 60_000],
    ["a date in another form not at all", "2026-01-01T10:00:30Z", date, undefined],
    ["an impossible date not at all", "Thu, 99 Foo 2026 10:00:30 GMT", date, undefined],
  ])("reads %s", (_what, retryAfter, serverDate, expected) => {
    const headers = { "retry-after": retryAfter, date: serverDate };
    expect(readRateLimit(headers, nowMs).retryAfterMs).toBe(expected);
  });

  test.each<[string, number | undefined]>([
    ["0", 1_000],
    ["7200", 2 * hourMs],
    ["7201", undefined],
    ["1767261600", undefined],
    ["-1", undefined],
  ])("reads x-ratelimit-reset %j as %s ms: what is no window is left out", (text, expected) => {
    expect(readRateLimit({ "x-ratelimit-reset": text }, nowMs).resetMs).toBe(expected);
  });

  test("believes an absurd Retry-After less than a sane reset", () => {
    const headers = { "retry-after": "1000000000000", "x-ratelimit-reset": "600" };
    expect(readRateLimit(headers, nowMs)).toMatchObject({ retryAfterMs: undefined, resetMs: 600_000 });
  });

  test.each<[string, number | undefined]>([
    ["0", 0],
    ["1000", 1_000],
    ["-1", undefined],
    ["1.5", undefined],
    ["many", undefined],
    ["1000000000000", undefined],
  ])("reads x-ratelimit-remaining %j as %s", (text, expected) => {
    expect(readRateLimit({ "x-ratelimit-remaining": text }, nowMs).remaining).toBe(expected);
  });

  test("takes the first of several headers with one name", () => {
    expect(readRateLimit({ "x-ratelimit-remaining": ["7", "9"] }, nowMs).remaining).toBe(7);
  });

  test("never throws, and every wait is between a second and two hours", () => {
    const header = fc.option(fc.oneof(fc.string(), fc.double().map(String), fc.constant(date)), { nil: undefined });
    fc.assert(
      fc.property(header, header, header, header, (reset, remaining, retryAfter, serverDate) => {
        const reading = readRateLimit(
          {
            "x-ratelimit-reset": reset,
            "x-ratelimit-remaining": remaining,
            "retry-after": retryAfter,
            date: serverDate,
          },
          nowMs,
        );
        for (const waitMs of [reading.resetMs, reading.retryAfterMs]) {
          if (waitMs !== undefined) expect(waitMs >= 1_000 && waitMs <= 2 * hourMs).toBe(true);
        }
      }),
    );
  });
});

describe("serverTimeMs", () => {
  test("reads the Date header, and nothing else as a date", () => {
    expect(serverTimeMs({ date })).toBe(Date.parse("2026-01-01T10:00:00Z"));
    expect([serverTimeMs({}), serverTimeMs({ date: "1" }), serverTimeMs({ date: "2026" })]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
