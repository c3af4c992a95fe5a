import { expect, test } from "vitest";
import { sameTarget, targetUidFields } from "../../../src/controllers/target/recreated.ts";

test.each<[string, string | undefined, string | undefined, boolean]>([
  ["the recorded uid", "u-1", "u-1", true],
  ["another uid", "u-1", "u-2", false],
  ["no recorded uid", undefined, "u-1", true],
  ["no uid in the answer", "u-1", undefined, true],
  ["neither", undefined, undefined, true],
  ["a uid that is longer than status keeps", targetUidFields("x".repeat(200)).targetUid, "x".repeat(200), true],
])("sameTarget with %s", (_name, recorded, read, expected) => {
  expect(sameTarget(recorded, read)).toBe(expected);
});

test("an answer without a uid states none, so that the recorded one stays", () => {
  expect([targetUidFields(undefined), targetUidFields("u-1")]).toEqual([{}, { targetUid: "u-1" }]);
});
