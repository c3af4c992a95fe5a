import { expect, test } from "vitest";
import type { FailureRecord } from "../../../src/controllers/shared/failure.ts";
import { judgeRemoteFailure } from "../../../src/controllers/shared/remote-failure.ts";
import type { NorthflankError } from "../../../src/northflank/errors.ts";
import { northflankError } from "../../support/fake-northflank.ts";

const now = Date.parse("2026-01-01T00:00:00Z");

function judge(error: NorthflankError, previous?: FailureRecord) {
  return judgeRemoteFailure({ error, previous, now, random: () => 0.5 });
}

const missing = northflankError("not_found", { httpStatus: 404 });

test("a first failure is the first of its record, with the time of the next try where that is known", () => {
  expect(judge(missing)).toMatchObject({
    verdict: { kind: "stalled", reason: "TargetNotFound" },
    failure: { class: "Terminal", httpStatus: 404, count: 1, nextTryTime: "2026-01-01T00:00:15Z" },
    next: { kind: "recheck", afterMs: 15_000 },
  });
});

test("failures alike are counted on, and their pauses grow", () => {
  const { failure } = judge(missing);
  expect(judge(missing, failure)).toMatchObject({ failure: { count: 2 }, next: { kind: "recheck", afterMs: 30_000 } });
});

test("a failure of another kind starts anew", () => {
  const { failure } = judge(missing);
  expect(judge(northflankError("server_error", { httpStatus: 503 }), failure)).toMatchObject({
    verdict: { kind: "retrying" },
    failure: { class: "Transient", httpStatus: 503, count: 1 },
    next: { kind: "backoff" },
  });
});

test("waiting for quota is no failure, and ends the record of one", () => {
  const { failure } = judge(missing);
  const waiting = northflankError("quota_closed", { retryAfterMs: 42_000, sent: false });
  expect(judge(waiting, failure)).toMatchObject({ verdict: { kind: "waiting" }, failure: undefined });
});
