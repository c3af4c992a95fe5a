import { describe, expect, test } from "vitest";
import { KubeError, type KubeErrorCode } from "../../src/kube/errors.ts";
import { kubeErrorOfRefusal, kubeErrorOfStatus } from "../../src/kube/status-error.ts";

function refuse(httpStatus: number, status: object | string, headers: Record<string, string> = {}) {
  const body = typeof status === "string" ? status : JSON.stringify({ kind: "Status", status: "Failure", ...status });
  return kubeErrorOfRefusal({ step: "get secrets default/a", httpStatus, headers, body });
}

test.each<[number, object, KubeErrorCode]>([
  [400, { reason: "BadRequest" }, "bad_request"],
  [401, { reason: "Unauthorized" }, "unauthorized"],
  [403, { reason: "Forbidden" }, "forbidden"],
  [404, { reason: "NotFound" }, "not_found"],
  [405, { reason: "MethodNotAllowed" }, "bad_request"],
  [409, { reason: "Conflict" }, "conflict"],
  [409, { reason: "AlreadyExists" }, "already_exists"],
  [410, { reason: "Expired" }, "expired"],
  [410, { reason: "Gone" }, "expired"],
  [413, { reason: "RequestEntityTooLarge" }, "invalid"],
  [415, { reason: "UnsupportedMediaType" }, "bad_request"],
  [422, { reason: "Invalid" }, "invalid"],
  [429, { reason: "TooManyRequests" }, "throttled"],
  [500, { reason: "InternalError" }, "unavailable"],
  [502, {}, "unavailable"],
  [503, { reason: "ServiceUnavailable" }, "unavailable"],
  [504, { reason: "Timeout" }, "timeout"],
  [504, { reason: "Timeout", details: { causes: [{ reason: "ResourceVersionTooLarge" }] } }, "ahead"],
  [302, {}, "protocol"],
])("HTTP %i with %j is %s", (httpStatus, status, code) => {
  expect(refuse(httpStatus, status)).toMatchObject({ code, httpStatus });
});

test("the message names code, step and what the server said", () => {
  const error = refuse(404, { reason: "NotFound", message: 'secrets "a" not found' });
  expect(error.message).toBe('[not_found] get secrets default/a: secrets "a" not found');
  expect(error.reason).toBe("NotFound");
});

test("a long message with control characters is cut and made printable", () => {
  const error = refuse(422, { message: `a\nb\u001b[31m\u202e${"x".repeat(5_000)}` });
  expect(error.message).toMatch(/^\[invalid\] get secrets default\/a: a b \[31m x+\.\.\.$/);
  expect(error.message.length).toBeLessThan(1_100);
});

test("whatever the server writes stays on one line: the message, the reason, and the user of a missing permission", () => {
  const user = "a\n[-]evil\u001b[2J\u2028\u202eb";
  const message = `pets is forbidden: User "${user}" cannot list resource "pets" in API group "example.com"`;
  const error = refuse(403, { reason: `For\nbidden\u001b[2J`, message });
  expect(error.missingRight).toMatchObject({ user: "a [-]evil [2J b", verb: "list", resource: "pets" });
  expect(error.reason).toBe("For bidden [2J");
  expect(error.message).toContain('User "a [-]evil [2J b" cannot list');
});

test("so does every other error of this boundary", () => {
  const facts = { code: "config", step: "run\nit", detail: "it wrote\n[+]installation ok\u001b[31m" } as const;
  expect(new KubeError(facts).message).toBe("[config] run it: it wrote [+]installation ok [31m");
});

test.each([
  ["HTML", "<html>canary</html>", "text/html; charset=utf-8", "text/html"],
  ["JSON that is no Status", '{"kind":"Other","message":"canary"}', "application/json", "application/json"],
  ["JSON that is cut off", '{"kind":"Status","message":"canary', "application/json", "application/json"],
  [
    "a Status with a message of another type",
    '{"kind":"Status","message":{"canary":1}}',
    "application/json",
    "application/json",
  ],
  ["nothing", "", "", "none"],
])("%s is named by its content type and never quoted", (_, body, contentType, named) => {
  const error = refuse(502, body, { "content-type": contentType });
  expect(error.message).toBe(`[unavailable] get secrets default/a: HTTP 502 without a Status (content type ${named})`);
});

describe("how long to wait", () => {
  test.each<[string, Record<string, string>, object, number | undefined]>([
    ["seconds", { "retry-after": "30" }, {}, 30_000],
    ["none", {}, {}, undefined],
    ["garbage", { "retry-after": "soon" }, {}, undefined],
    ["a negative number", { "retry-after": "-5" }, {}, undefined],
    ["a huge number", { "retry-after": "1000000000000" }, {}, 7_200_000],
    [
      "a date, against the answer's own date",
      { "retry-after": "Wed, 21 Oct 2026 07:28:10 GMT", date: "Wed, 21 Oct 2026 07:28:00 GMT" },
      {},
      10_000,
    ],
    [
      "a date in the past",
      { "retry-after": "Wed, 21 Oct 2026 07:27:00 GMT", date: "Wed, 21 Oct 2026 07:28:00 GMT" },
      {},
      0,
    ],
    ["a date without one to compare", { "retry-after": "Wed, 21 Oct 2026 07:28:10 GMT" }, {}, undefined],
    ["seconds inside the Status", {}, { details: { retryAfterSeconds: 2 } }, 2_000],
    ["both: the header", { "retry-after": "1" }, { details: { retryAfterSeconds: 9 } }, 1_000],
  ])("%s", (_, headers, status, expected) => {
    expect(refuse(429, status, headers).retryAfterMs).toBe(expected);
  });
});

test("the Status of an ERROR event becomes the same error", () => {
  const error = kubeErrorOfStatus("watch secrets", {
    kind: "Status",
    code: 410,
    reason: "Expired",
    message: "too old",
  });
  expect(error).toMatchObject({ code: "expired", message: "[expired] watch secrets: too old" });
  expect(kubeErrorOfStatus("watch secrets", { kind: "Status" })).toMatchObject({ code: "unavailable" });
});
