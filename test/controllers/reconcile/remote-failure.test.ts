import { describe, expect, test } from "vitest";
import type { FailureRecord } from "../../../src/controllers/reconcile/failure.ts";
import { judgeRemoteFailure } from "../../../src/controllers/reconcile/remote-failure.ts";
import type { NorthflankError, NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { northflankError } from "../../support/fake-northflank.ts";

const now = Date.parse("2026-01-01T00:00:00Z");

function judge(error: NorthflankError, previous?: FailureRecord) {
  return judgeRemoteFailure({ error, previous, now, random: () => 0.5 });
}

const missing = northflankError("not_found", { httpStatus: 404 });

test("a first failure is the first of its record, with the time of the next try where that is known", () => {
  expect(judge(missing)).toMatchObject({
    readyState: { kind: "stalled", reason: "TargetNotFound" },
    failure: { class: "Terminal", httpStatus: 404, count: 1, nextTryTime: "2026-01-01T00:00:15Z" },
    next: { kind: "recheck", afterMs: 15_000 },
  });
});

test("after a 401 the next check reads the Secret; when the same token is sent again is not known here", () => {
  const { failure, next } = judge(northflankError("unauthorized", { httpStatus: 401 }));
  expect(next).toMatchObject({ kind: "recheck", afterMs: 1_000 });
  expect(failure).toMatchObject({ class: "Terminal", httpStatus: 401, count: 1 });
  expect(failure).not.toHaveProperty("nextTryTime");
});

test("failures alike are counted on, and their pauses grow", () => {
  const { failure } = judge(missing);
  expect(judge(missing, failure)).toMatchObject({ failure: { count: 2 }, next: { kind: "recheck", afterMs: 30_000 } });
});

test("a failure of another kind starts anew", () => {
  const { failure } = judge(missing);
  expect(judge(northflankError("server_error", { httpStatus: 503 }), failure)).toMatchObject({
    readyState: { kind: "retrying" },
    failure: { class: "Transient", httpStatus: 503, count: 1 },
    next: { kind: "backoff" },
  });
});

test("waiting for quota is no failure, and ends the record of one", () => {
  const { failure } = judge(missing);
  const waiting = northflankError("quota_closed", { retryAfterMs: 42_000, sent: false });
  expect(judge(waiting, failure)).toMatchObject({ readyState: { kind: "waiting" }, failure: undefined });
});

/** Fails in this order, and returns the last record and when the next try is. */
function failing(errors: readonly NorthflankError[]) {
  let last: ReturnType<typeof judge> | undefined;
  for (const error of errors) last = judge(error, last?.failure);
  return last;
}

const failures: Readonly<Record<Exclude<NorthflankErrorCode, "quota_closed" | "rate_limited">, NorthflankError>> = {
  unauthorized: northflankError("unauthorized", { httpStatus: 401 }),
  forbidden: northflankError("forbidden", { httpStatus: 403 }),
  not_found: missing,
  gone: northflankError("gone", { httpStatus: 410 }),
  rejected: northflankError("rejected", { httpStatus: 409 }),
  wrong_method: northflankError("wrong_method", { httpStatus: 405 }),
  redirect: northflankError("redirect", { httpStatus: 302 }),
  protocol: northflankError("protocol"),
  tls: northflankError("tls"),
  server_error: northflankError("server_error", { httpStatus: 502 }),
  unreachable: northflankError("unreachable"),
  interrupted: northflankError("interrupted"),
  timeout: northflankError("timeout"),
};
const all = Object.entries(failures);
const pairs = all.flatMap(([before, one]) => all.map(([after, other]) => ({ before, after, one, other })));

describe("after eight failures of one code", () => {
  test("a first failed handshake is probed within minutes, as any first one is", () => {
    const last = failing([...Array.from({ length: 8 }, () => failures.timeout), failures.tls]);
    expect(last).toMatchObject({ failure: { count: 1 }, next: { kind: "recheck", afterMs: 60_000 } });
  });

  test.each(pairs)("$before, one of $after counts on only if it is alike", ({ one, other }) => {
    const before = failing(Array.from({ length: 8 }, () => one));
    const last = judge(other, before?.failure);
    const first = judge(other);
    const isAlike =
      before?.failure?.class === first.failure?.class &&
      before?.failure?.reason === first.failure?.reason &&
      before?.failure?.httpStatus === first.failure?.httpStatus;
    const ninth = failing(Array.from({ length: 9 }, () => other));
    expect(last.next).toEqual((isAlike ? ninth : first)?.next);
    expect(last.failure?.count).toBe(isAlike ? 9 : 1);
  });
});
