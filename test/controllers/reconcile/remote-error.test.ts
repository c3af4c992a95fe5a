import { describe, expect, test } from "vitest";
import { followUp } from "../../../src/controllers/reconcile/ready-state.ts";
import { judgeRemoteError, type RemoteFailureState } from "../../../src/controllers/reconcile/remote-error.ts";
import { type Denial, NorthflankError, type NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import { always } from "../../support/strict-fake.ts";
import { sentencesOf } from "../../support/words.ts";

function judge(code: NorthflankErrorCode, options: { retryAfterMs?: number; failures?: number; draw?: number } = {}) {
  const { retryAfterMs, failures = 0, draw = 0.5 } = options;
  const error = new NorthflankError({
    code,
    step: 'get service "api" of project "shop"',
    detail: "the detail",
    sent: true,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
  return judgeRemoteError({ error, failures, random: always(draw) });
}

type Row = readonly [
  RemoteFailureState["readyState"]["kind"],
  string,
  RemoteFailureState["failureClass"],
  RemoteFailureState["next"],
];

function probe(afterMs: number, inMs = afterMs) {
  return { kind: "recheck", afterMs, pause: { inMs } } as const;
}

const hour = probe(3_600_000);
const minute = probe(60_000);
const backoff = { kind: "backoff", notBeforeMs: undefined } as const;

const table: Readonly<Record<NorthflankErrorCode, Row>> = {
  quota_closed: ["waiting", "WaitingForQuota", undefined, minute],
  rate_limited: ["waiting", "WaitingForQuota", undefined, probe(90_000, 60_000)],
  unauthorized: ["stalled", "AuthenticationFailed", "Terminal", probe(1_000)],
  forbidden: ["stalled", "PermissionDenied", "Terminal", hour],
  not_found: ["stalled", "TargetNotFound", "Terminal", probe(15_000)],
  gone: ["stalled", "TargetNotFound", "Terminal", hour],
  wrong_method: ["stalled", "RemoteMisconfigured", "Terminal", minute],
  rejected: ["stalled", "RequestRejected", "Terminal", hour],
  server_error: ["retrying", "RemoteUnavailable", "Transient", backoff],
  unreachable: ["retrying", "RemoteUnavailable", "Transient", backoff],
  interrupted: ["retrying", "RemoteUnavailable", "Transient", backoff],
  timeout: ["retrying", "RequestTimeout", "Transient", backoff],
  tls: ["stalled", "RemoteMisconfigured", "Terminal", minute],
  redirect: ["stalled", "RemoteMisconfigured", "Terminal", minute],
  protocol: ["stalled", "RemoteMisconfigured", "Terminal", minute],
};

describe.each(Object.entries(table))("%s", (code, [kind, reason, failureClass, next]) => {
  const judged = judge(code as NorthflankErrorCode);

  test(`is ${kind} with reason ${reason}`, () => {
    expect({ ...judged, readyState: { ...judged.readyState, message: "" } }).toEqual({
      readyState: { kind, reason, message: "" },
      failureClass,
      httpStatus: undefined,
      next,
    });
  });

  test("says what was tried and what was seen; when it is retried is data", () => {
    expect(judged.readyState.message).toMatch(/^Could not get service "api" of project "shop": the detail\.(?: |$)/);
    expect(judged.readyState.message).not.toMatch(/\b(in|within|every) \d|back-off/);
    const next = followUp(judged.readyState.kind, judged.next);
    expect(next).toMatch(/ in \d+|with back-off/);
    expect(sentencesOf(`${judged.readyState.message} ${next}`).length).toBeLessThanOrEqual(3);
  });
});

test("a missing target is looked for after 15 s, then ever more rarely, at last every 5 minutes", () => {
  const pauses = [0, 1, 2, 3, 4, 5, 1_000].map((failures) => judge("not_found", { failures }).next);
  expect(pauses).toEqual([15, 30, 60, 120, 240, 300, 300].map((seconds) => probe(seconds * 1_000)));
});

test("a broken far end is probed rarely after a while, but at least hourly", () => {
  expect(judge("protocol", { failures: 5 }).next).toEqual(probe(1_920_000));
  expect(judge("protocol", { failures: 6 }).next).toEqual(hour);
});

test.each<readonly [Denial | undefined, string, object]>([
  ["permission", "Grant it to the token's role.", hour],
  ["feature", "Ask Northflank to enable the feature for the account.", hour],
  ["unexplained", "Check the role of the token, and spec.teamId of the connection.", minute],
  [undefined, "Grant the token's role the permission for this call.", hour],
])("what is denied for %s says: %s", (denial, remedy, next) => {
  const error = new NorthflankError({ code: "forbidden", step: "start a run", detail: "no", denial, sent: true });
  const judged = judgeRemoteError({ error, failures: 0, random: always(0.5) });
  expect(judged.readyState).toMatchObject({ kind: "stalled", reason: "PermissionDenied" });
  expect(judged.readyState.message).toBe(`Could not start a run: no. ${remedy}`);
  expect(judged.next).toEqual(next);
});

test("slow probes are spread over ±20 %", () => {
  expect(judge("forbidden", { draw: 0 }).next).toEqual(probe(2_880_000, 3_600_000));
  expect(judge("forbidden", { draw: 1 }).next).toEqual(probe(4_320_000, 3_600_000));
});

test("what waits for quota comes back after the reset, spread over up to a minute, never before", () => {
  expect(judge("rate_limited", { retryAfterMs: 1_800_000, draw: 0 }).next).toEqual(probe(1_800_000));
  expect(judge("rate_limited", { retryAfterMs: 1_800_000, draw: 1 }).next).toEqual(probe(1_860_000, 1_800_000));
  expect(judge("rate_limited", { retryAfterMs: 30_000, draw: 1 }).next).toEqual(probe(60_000, 30_000));
});

test("a server that says when to come back is not asked before", () => {
  expect(judge("server_error", { retryAfterMs: 42_000 }).next).toEqual({ kind: "backoff", notBeforeMs: 42_000 });
});

test("the names of refused fields are told", () => {
  const error = new NorthflankError({
    code: "rejected",
    step: "update service",
    detail: "invalid body.",
    fields: ["external.imagePath"],
    httpStatus: 400,
    sent: true,
  });
  const judged = judgeRemoteError({ error, failures: 0, random: always(0.5) });
  expect(judged.readyState.message).toMatch(
    /^Could not update service: invalid body\. \(fields: external\.imagePath\)\. Change the spec/,
  );
  expect(judged.httpStatus).toBe(400);
});

test("a conflict is looked at again soon, because what is there may be right by then", () => {
  const error = new NorthflankError({ code: "rejected", step: "s", detail: "d", httpStatus: 409, sent: true });
  expect(judgeRemoteError({ error, failures: 0, random: always(0.5) }).next).toEqual(minute);
});
