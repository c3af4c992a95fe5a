import { describe, expect, test } from "vitest";
import { tokenFromOperator, tokenFromSecret } from "../../../src/controllers/secrets/token-secret.ts";
import type { Secret } from "../../../src/kube/types.ts";

function secret(parts: Partial<Secret> & { readonly text?: string }): Secret {
  const { text, ...rest } = parts;
  const data = text === undefined ? {} : { data: { token: Buffer.from(text, "latin1").toString("base64") } };
  return { apiVersion: "v1", kind: "Secret", metadata: { name: "nf", resourceVersion: "7" }, ...data, ...rest };
}

test.each(["nf-abc.def_123", "nf-abc.def_123\n", "nf-abc.def_123\r\n"])("the token of %j is read", (text) => {
  const read = tokenFromSecret(secret({ text }), "token");
  expect(read).toMatchObject({ kind: "token", secretResourceVersion: "7" });
  expect(read.kind === "token" && read.token.reveal()).toBe("nf-abc.def_123");
});

describe("a Secret is refused", () => {
  test.each([
    ["without data", secret({}), "SecretKeyMissing", /no key "token"/],
    ["for an inherited name", secret({ data: {} }), "SecretKeyMissing", /no key/],
    ["with an empty value", secret({ text: "" }), "SecretInvalid", /is empty/],
    ["with nothing but a line end", secret({ text: "\n" }), "SecretInvalid", /is empty/],
    [
      "in quotes",
      secret({ text: '"CANARY"' }),
      "SecretInvalid",
      /^key "token" of Secret "nf" is not a token: it is in quotes; store/,
    ],
    [
      "as a line of .env",
      secret({ text: "NF_TOKEN=CANARY\n" }),
      "SecretInvalid",
      /a line such as KEY=value; store only/,
    ],
    [
      "with a blank in the middle",
      secret({ text: "CANARY CANARY\n" }),
      "SecretInvalid",
      /a space at position 7; store it in one line/,
    ],
    ["with a line break inside", secret({ text: "CANARY\nX-Other: 1" }), "SecretInvalid", /line break/],
    ["with two line ends", secret({ text: "CANARY\n\n" }), "SecretInvalid", /line break/],
    ["with a space", secret({ text: "CANARY CANARY" }), "SecretInvalid", /a space/],
    ["with a NUL", secret({ text: "CANARY\0" }), "SecretInvalid", /control character/],
    ["with a byte beyond ASCII", secret({ text: "CANARY\xe9" }), "SecretInvalid", /outside Latin-1/],
    ["when it is too long", secret({ text: `CANARY${"x".repeat(8_187)}` }), "SecretInvalid", /longer than 8192/],
    [
      "when it is a credential of the cluster",
      secret({ text: "CANARY", type: "kubernetes.io/service-account-token" }),
      "SecretInvalid",
      /never sent to Northflank/,
    ],
    [
      "when it is a bootstrap token",
      secret({ text: "CANARY", type: "bootstrap.kubernetes.io/token" }),
      "SecretInvalid",
      /never sent/,
    ],
  ])("%s", (_sentence, object, reason, problem) => {
    const read = tokenFromSecret(object, "token");
    expect(read).toEqual({ kind: "unusable", reason, problem: expect.stringMatching(problem) });
    expect(JSON.stringify(read)).not.toContain("CANARY");
  });
});

test("a token of exactly the longest length is taken", () => {
  expect(tokenFromSecret(secret({ text: "x".repeat(8_192) }), "token").kind).toBe("token");
});

test("the operator-wide token is judged alike", () => {
  expect(tokenFromOperator("abc\n")).toMatchObject({ kind: "token", secretResourceVersion: undefined });
  expect(tokenFromOperator("a b")).toMatchObject({ kind: "unusable", reason: "SecretInvalid" });
  expect(tokenFromOperator(undefined)).toMatchObject({ kind: "unusable", reason: "SecretNotFound" });
});
