import { expect, test } from "vitest";
import { checkApiUrl } from "../../../src/controllers/account/token-source.ts";

const allowed = ["api.northflank.com", "127.0.0.1:8080", "paas.example:8443", "[::1]:9"];

test.each([
  ["https://api.northflank.com", "https://api.northflank.com", ""],
  ["https://api.northflank.com/", "https://api.northflank.com", ""],
  ["https://API.northflank.com:443", "https://api.northflank.com", ""],
  ["https://api.northflank.com/base/path/", "https://api.northflank.com", "/base/path"],
  ["http://127.0.0.1:8080", "http://127.0.0.1:8080", ""],
  ["http://[::1]:9", "http://[::1]:9", ""],
  ["https://paas.example:8443", "https://paas.example:8443", ""],
])("%s may see a token, as %s", (url, origin, basePath) => {
  expect(checkApiUrl(url, allowed)).toEqual({ kind: "allowed", baseUrl: `${origin}${basePath}` });
});

test.each([
  ["nonsense", /not a URL/],
  ["https://user:secret@api.northflank.com", /user info/],
  ["https://api.northflank.com?x=1", /query or a fragment/],
  ["https://api.northflank.com#x", /fragment/],
  ["http://api.northflank.com", /use https/],
  ["file:///etc/passwd", /must begin with https/],
  ["http://127.0.0.1.evil.example:8080", /use https/],
  ["https://evil.example", /evil\.example is not on the operator's list.*--allowed-api-hosts/],
  ["https://api.northflank.com:8443", /api\.northflank\.com:8443 is not on/],
  ["https://paas.example", /paas\.example is not on/],
  ["https://169.254.169.254", /not on the operator's list/],
  ["https://0x7f000001", /127\.0\.0\.1 is not on/],
])("%s may not", (url, problem) => {
  const judged = checkApiUrl(url, allowed);
  expect(judged).toEqual({ kind: "refused", problem: expect.stringMatching(problem) });
  expect(JSON.stringify(judged)).not.toContain("secret");
});
