import { describe, expect, test } from "vitest";
import { isAllowedOrigin, parseApiUrl } from "../../src/northflank/api-origin.ts";

describe("parseApiUrl", () => {
  test.each<[string, string, string]>([
    ["https://api.northflank.com", "https://api.northflank.com", ""],
    ["https://API.northflank.com:443/", "https://api.northflank.com", ""],
    ["https://nf.example.com:8443/northflank/", "https://nf.example.com:8443", "/northflank"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080", ""],
    ["http://localhost:1", "http://localhost:1", ""],
    ["http://[::1]:1", "http://[::1]:1", ""],
    // The URL parser turns every spelling of loopback into the plain one.
    ["http://2130706433", "http://127.0.0.1", ""],
  ])("takes %s", (text, origin, basePath) => {
    expect(parseApiUrl(text)).toEqual({ kind: "valid", origin, basePath });
  });

  test.each<[string, string]>([
    ["", "not a URL"],
    ["api.northflank.com", "not a URL"],
    ["file:///etc/passwd", "begin with https"],
    ["ftp://api.northflank.com", "begin with https"],
    ["http://api.northflank.com", "loopback"],
    ["http://169.254.169.254", "loopback"],
    ["http://127.0.0.1.evil.example", "loopback"],
    ["http://localhost.evil.example", "loopback"],
    ["http://2852039166", "loopback"],
    ["https://user:canary@api.northflank.com", "user info"],
    ["https://api.northflank.com?x=canary", "query"],
    ["https://api.northflank.com?", "query"],
    ["https://api.northflank.com/#", "fragment"],
  ])("refuses %s", (text, word) => {
    const parsed = parseApiUrl(text);
    expect(parsed).toEqual({ kind: "problem", problem: expect.stringContaining(word) });
    expect(JSON.stringify(parsed)).not.toContain("canary");
  });
});

describe("isAllowedOrigin", () => {
  test.each<[string, readonly string[], boolean]>([
    ["https://api.northflank.com", ["api.northflank.com"], true],
    ["https://api.northflank.com", ["API.northflank.com:443"], true],
    ["https://api.northflank.com:8443", ["api.northflank.com"], false],
    ["https://api.northflank.com:8443", ["other.example", "api.northflank.com:8443"], true],
    ["https://api.northflank.com.evil.example", ["api.northflank.com"], false],
    ["https://evil.example", ["api.northflank.com"], false],
    ["http://127.0.0.1:8080", ["127.0.0.1:8080"], true],
    ["http://127.0.0.1:8081", ["127.0.0.1:8080"], false],
    ["https://api.northflank.com", [], false],
    ["https://evil.example", ["api.northflank.com@evil.example", "evil.example/path", "evil.example?x"], false],
    ["nonsense", ["nonsense"], false],
  ])("%s against %j is %s", (origin, allowed, expected) => {
    expect(isAllowedOrigin(origin, allowed)).toBe(expected);
  });
});
