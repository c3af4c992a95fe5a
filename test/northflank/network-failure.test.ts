import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import type { NorthflankErrorCode } from "../../src/northflank/errors.ts";
import { networkFailure } from "../../src/northflank/network-failure.ts";

const withCode = (code: string): Error => Object.assign(new Error("canary"), { code });

const host = "api.example";

describe("networkFailure", () => {
  test.each<[string, boolean, NorthflankErrorCode]>([
    ["ENOTFOUND", false, "unreachable"],
    ["EAI_AGAIN", false, "unreachable"],
    ["ECONNREFUSED", false, "unreachable"],
    ["EHOSTUNREACH", false, "unreachable"],
    ["UND_ERR_CONNECT_TIMEOUT", false, "unreachable"],
    ["ECONNRESET", false, "unreachable"],
    ["ECONNRESET", true, "interrupted"],
    ["EPIPE", true, "interrupted"],
    ["EHOSTUNREACH", true, "interrupted"],
    ["UND_ERR_SOCKET", true, "interrupted"],
    ["UND_ERR_HEADERS_TIMEOUT", true, "timeout"],
    ["UND_ERR_BODY_TIMEOUT", true, "timeout"],
    ["UND_ERR_HEADERS_OVERFLOW", true, "protocol"],
    ["HPE_INVALID_CONSTANT", true, "protocol"],
    ["CERT_HAS_EXPIRED", false, "tls"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", false, "tls"],
    ["SELF_SIGNED_CERT_IN_CHAIN", false, "tls"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", false, "tls"],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", false, "tls"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", false, "tls"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", false, "tls"],
    ["EPROTO", false, "tls"],
    ["EWHATEVER", false, "unreachable"],
    ["EWHATEVER", true, "interrupted"],
  ])("%s (sent: %s) is %s", (code, isSent, expected) => {
    const failure = networkFailure(withCode(code), { host, isSent });
    expect(failure.code).toBe(expected);
    expect(failure.detail).toContain(code);
    expect(failure.detail).not.toContain("canary");
  });

  test.each([
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "UND_ERR_CONNECT_TIMEOUT",
    "CERT_HAS_EXPIRED",
    "EPROTO",
    "EWHATEVER",
  ])("%s names the host that it was for", (code) => {
    expect(networkFailure(withCode(code), { host: "api.example:8443", isSent: false }).detail).toMatch(
      /^no connection to api\.example:8443: [a-z]/,
    );
  });

  test.each([
    ["api.example", "no connection to api.example: the host name does not exist (ENOTFOUND)"],
    ["proxy.example", 'no connection to api.example: the host name does not exist, "proxy.example" (ENOTFOUND)'],
    ["canary\u001b[2J", "no connection to api.example: the host name does not exist (ENOTFOUND)"],
  ])("names the host that could not be looked up: %s", (hostname, detail) => {
    const error = Object.assign(withCode("ENOTFOUND"), { hostname });
    expect(networkFailure(error, { host, isSent: false }).detail).toBe(detail);
  });

  test("finds the code in the cause, and in the first of several attempts", () => {
    const several = new AggregateError([withCode("ECONNREFUSED"), withCode("ENETUNREACH")]);
    expect(networkFailure(several, { host, isSent: false }).detail).toContain("ECONNREFUSED");
    const wrapped = new Error("outer", { cause: withCode("CERT_HAS_EXPIRED") });
    expect(networkFailure(wrapped, { host, isSent: false }).code).toBe("tls");
  });

  test("says unknown of what has no code, whatever was thrown", () => {
    for (const thrown of [new Error("x"), undefined, "text", { code: "ECONNREFUSED" }, withCode("a b\nc")]) {
      expect(networkFailure(thrown, { host, isSent: false })).toMatchObject({
        code: "unreachable",
        detail: "no connection to api.example: it could not be made (unknown)",
      });
    }
  });

  test.each([{ code: "HPE_INVALID_CONSTANT" }, { name: "HTTPParserError", code: undefined }])(
    "does not keep a parser error (%o), which carries what was received",
    (how) => {
      const parser = Object.assign(new Error("Parse error"), { data: "canary", ...how });
      const failure = networkFailure(parser, { host, isSent: true });
      expect(failure.code).toBe("protocol");
      expect(inspect(failure)).not.toContain("canary");
    },
  );
});
