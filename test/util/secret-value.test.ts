import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { parseToken, SecretValue } from "../../src/util/secret-value.ts";

const canary = "nf-canary-4711";

describe("a secret value", () => {
  const secret = new SecretValue(canary);

  test.each<[string, () => unknown]>([
    ["a template string", () => `${secret}`],
    ["concatenation", () => `x${String(secret)}`],
    ["inspect", () => inspect({ deep: { secret } }, { depth: 9, showHidden: true })],
    ["JSON", () => JSON.stringify({ secret, list: [secret] })],
    ["its own keys", () => JSON.stringify([Object.entries(secret), { ...secret }])],
    ["an error message", () => inspect(new Error(`bad ${secret}`))],
  ])("does not show in %s", (_where, print) => {
    expect(print()).not.toContain(canary);
  });

  test("gives its value only when asked", () => {
    expect(secret.reveal()).toBe(canary);
  });

  test("has no JSON form: the key is left out", () => {
    expect(JSON.stringify({ secret, other: 1 })).toBe('{"other":1}');
  });

  test("tells a rotated token from an unchanged one", () => {
    expect([secret.equals(new SecretValue(canary)), secret.equals(new SecretValue("other"))]).toEqual([true, false]);
  });
});

describe("parseToken", () => {
  test.each<[string, string, boolean, string]>([
    ["a JWT", "eyJh.eyJz.c2ln-_", false, "eyJh.eyJz.c2ln-_"],
    ["one newline at the end, if allowed", "abc\n", true, "abc"],
    ["a Windows newline at the end, if allowed", "abc\r\n", true, "abc"],
    ["8,192 characters", "a".repeat(8_192), false, "a".repeat(8_192)],
    ["Latin-1", "caf\u00e9", false, "caf\u00e9"],
  ])("takes %s", (_what, text, trimNewline, value) => {
    const parsed = parseToken(text, { trimNewline });
    expect(parsed.kind === "token" && parsed.token.reveal()).toBe(value);
  });

  test.each<[string, string, boolean, string]>([
    ["nothing", "", false, "it is empty"],
    ["a lone newline", "\n", true, "it is empty"],
    ["a newline at the end, if not allowed", "abc\n", false, "it contains a line break at position 4"],
    ["two newlines at the end", "abc\n\n", true, "it contains a line break at position 4"],
    ["a line break inside", "ab\r\nX-Evil: 1", true, "it contains a line break at position 3"],
    ["a space", "Bearer abc", false, "it contains a space at position 7"],
    ["a no-break space", "abc\u00a0", false, "it contains a space at position 4"],
    ["a tab", "a\tb", false, "it contains a control character at position 2"],
    ["NUL", "a\u0000", false, "it contains a control character at position 2"],
    ["DEL", "a\u007f", false, "it contains a control character at position 2"],
    ["a character outside Latin-1", "a\u0142", false, "it contains a character outside Latin-1 at position 2"],
    ["8,193 characters", "a".repeat(8_193), false, "it is longer than 8192 bytes"],
    ["100 KB", "a".repeat(100_000), false, "it is longer than 8192 bytes"],
  ])("refuses %s and says why without quoting it", (_what, text, trimNewline, problem) => {
    expect(parseToken(text, { trimNewline })).toEqual({ kind: "problem", problem });
  });
});
