import { expect, test } from "vitest";
import { isLoopback } from "../../src/util/loopback.ts";

test.each([
  ["http://localhost", true],
  ["http://127.0.0.1:8080", true],
  ["http://127.1", true],
  ["http://0x7f.1", true],
  ["http://2130706433", true],
  ["http://[::1]", true],
  ["http://128.0.0.1", false],
  ["http://127.0.0.1.example.com", false],
  ["http://localhost.example.com", false],
  ["http://[::2]", false],
])("%s is on this machine: %s", (url, expected) => {
  expect(isLoopback(new URL(url).hostname)).toBe(expected);
});
