import { expect, test } from "vitest";
import { logWith } from "../../src/util/log.ts";
import { fakeLog } from "../support/fake-log.ts";

test.each(["debug", "info", "warn", "error"] as const)("a line at %s carries the facts of its log", (level) => {
  const { log, lines } = fakeLog();
  logWith(log, { key: "a", fact: 0 })[level]({ fact: 1 }, "hello");
  expect(lines).toEqual([{ level, message: "hello", fields: { key: "a", fact: 1 } }]);
});

test("a child carries the facts of its parent as well", () => {
  const { log, lines } = fakeLog();
  logWith(log, { key: "a" }).child({ part: "b" }).info({}, "hello");
  expect(lines.map(({ fields }) => fields)).toEqual([{ key: "a", part: "b" }]);
});
