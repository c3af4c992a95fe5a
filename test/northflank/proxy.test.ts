import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { isReachedDirectly, parseProxy } from "../../src/northflank/proxy.ts";

describe("the address of a proxy", () => {
  test.each([
    ["http://proxy.example:3128", "http://proxy.example:3128"],
    ["http://proxy.example:3128/", "http://proxy.example:3128"],
    ["https://proxy.example", "https://proxy.example"],
    ["proxy.example:3128", "http://proxy.example:3128"],
    ["http://[::1]:3128", "http://[::1]:3128"],
  ])("may be %s", (text, url) => {
    expect(parseProxy(text)).toEqual({ kind: "proxy", proxy: { url, authorization: undefined, noProxy: "" } });
  });

  test.each([undefined, ""])("that is %j means that there is none", (text) => {
    expect(parseProxy(text)).toEqual({ kind: "none" });
  });

  test.each([
    ["http://pro xy:3128", "not a URL"],
    ["socks5://proxy:1080", "http:// or https://"],
    ["http://proxy:3128/path", "more than a host"],
    ["http://proxy:3128?x=canary", "more than a host"],
    ["http://user:canary%zz@proxy:3128", "percent-encoded"],
  ])("may not be %s", (text, problem) => {
    const parsed = parseProxy(text);
    expect(parsed).toEqual({ kind: "problem", problem: expect.stringContaining(problem) });
    expect(inspect(parsed)).not.toContain("canary");
  });

  test("with user info is told apart from it, and the user info is never shown", () => {
    const parsed = parseProxy("http://user:can%40ary@proxy:3128");
    if (parsed.kind !== "proxy") throw new Error("no proxy");
    const expected = `Basic ${Buffer.from("user:can@ary").toString("base64")}`;
    expect(parsed.proxy.authorization?.reveal()).toBe(expected);
    expect(parsed.proxy.url).toBe("http://proxy:3128");
    expect(inspect(parsed, { depth: 9 }) + JSON.stringify(parsed)).not.toMatch(/can|dXNlcj/);
  });
});

describe("NO_PROXY", () => {
  test.each([
    ["", false],
    ["*", true],
    ["api.northflank.com", true],
    ["northflank.com", true],
    ["NorthFlank.COM", true],
    [".northflank.com", true],
    ["*.northflank.com", true],
    ["flank.com", false],
    [".api.northflank.com", false],
    ["api.northflank.com:443", true],
    ["api.northflank.com:8443", false],
    ["10.0.0.0/8, example.com ,api.northflank.com", true],
    ["a b\tapi.northflank.com", true],
    [",,", false],
  ])("of %j: api.northflank.com directly? %s", (noProxy, expected) => {
    expect(isReachedDirectly("https://api.northflank.com", noProxy)).toBe(expected);
  });

  test.each([
    ["https://[2001:db8::1]", "2001:db8::1", true],
    ["https://[2001:db8::1]", "[2001:db8::1]:443", true],
    ["https://[2001:db8::1]", "[2001:db8::1]:444", false],
    ["https://192.0.2.1:8443", "192.0.2.1", true],
    ["https://192.0.2.1:8443", "192.0.2.1:443", false],
  ])("%s with %j: %s", (origin, noProxy, expected) => {
    expect(isReachedDirectly(origin, noProxy)).toBe(expected);
  });

  test.each(["http://127.0.0.1:8080", "http://localhost:1", "https://[::1]:1"])(
    "need not name this machine: %s",
    (origin) => {
      expect(isReachedDirectly(origin, "")).toBe(true);
    },
  );
});
