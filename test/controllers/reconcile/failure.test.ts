import { expect, test } from "vitest";
import { nextFailure } from "../../../src/controllers/reconcile/failure.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const base = {
  previous: undefined,
  class: "Transient",
  reason: "RemoteUnavailable",
  httpStatus: 502,
  message: "Bad gateway.",
  nextTryMs: undefined,
  now,
} as const;
const first = nextFailure(base);

test("the first failure counts one and has no time of the next try while the queue's back-off decides", () => {
  expect(first).toEqual({
    class: "Transient",
    reason: "RemoteUnavailable",
    httpStatus: 502,
    count: 1,
    firstTime: "2026-01-01T00:00:00Z",
    lastTime: "2026-01-01T00:00:00Z",
    message: "Bad gateway.",
  });
});

test("the same failure again counts on and keeps when it began", () => {
  const second = nextFailure({ ...base, previous: first, nextTryMs: 60_000, now: now + 5_000 });
  expect(second).toEqual({
    ...first,
    count: 2,
    lastTime: "2026-01-01T00:00:05Z",
    nextTryTime: "2026-01-01T00:01:05Z",
  });
});

test.each([
  ["another class", { class: "Terminal" }],
  ["another reason", { reason: "RequestTimeout" }],
  ["another HTTP status", { httpStatus: 503 }],
  ["no answer at all", { httpStatus: undefined }],
] as const)("%s starts a new count", (_sentence, change) => {
  const next = nextFailure({ ...base, previous: first, now: now + 5_000, ...change });
  expect(next).toMatchObject({ count: 1, firstTime: "2026-01-01T00:00:05Z" });
});

test("a long message is cut", () => {
  const long = nextFailure({ ...base, message: "x".repeat(2_000) });
  expect(long.message).toHaveLength(512);
});
