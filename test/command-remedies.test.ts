import { expect, test } from "vitest";
import { explained, remedyOf, withRemedy } from "../src/command-remedies.ts";
import { type Denial, NorthflankError, type NorthflankErrorCode } from "../src/northflank/errors.ts";

const step = 'get service "api" of project "shop"';

const remedies: readonly (readonly [NorthflankErrorCode, Denial | undefined, RegExp | undefined])[] = [
  ["quota_closed", undefined, /--quota-wait/],
  ["rate_limited", undefined, /--quota-wait/],
  ["unauthorized", undefined, /NORTHFLANK_API_TOKEN or --token-file.*--team-id and --api-url/],
  ["forbidden", undefined, /^Grant/],
  ["forbidden", "permission", /^Grant/],
  ["forbidden", "feature", /^Ask Northflank/],
  ["forbidden", "unexplained", /--team-id/],
  ["not_found", undefined, /--team-id/],
  ["gone", undefined, /remove it/],
  // What is wrong with a request, only the API knows; it is in the message.
  ["rejected", undefined, undefined],
  ["wrong_method", undefined, /--api-url/],
  ["redirect", undefined, /--api-url/],
  ["protocol", undefined, /--api-url/],
  ["tls", undefined, /NODE_EXTRA_CA_CERTS/],
  ["server_error", undefined, /later/],
  ["unreachable", undefined, /--api-url, DNS/],
  ["interrupted", undefined, /again/],
  ["timeout", undefined, /--request-timeout/],
];

test.each(remedies)("%s (%s) names what failed, and what to do", (code, denial, remedy) => {
  const error = new NorthflankError({ code, step, detail: "what the API said", sent: true, denial });
  const text = explained(error);
  expect(text.startsWith(`[${code}] could not ${step}: what the API said`)).toBe(true);
  if (remedy === undefined) expect(text).toBe(error.message);
  else expect(text.slice(`${error.message}. `.length)).toMatch(remedy);
  expect(remedyOf(error)?.endsWith(".")).not.toBe(true);
});

test("a text that ends a sentence gets no second period", () => {
  expect(withRemedy("It said: no.", { code: "timeout", denial: undefined })).toMatch(/^It said: no\. Run/);
});
