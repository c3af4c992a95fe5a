import { expect, test } from "vitest";
import {
  isProjectAllowed,
  isProjectInReach,
  type KnownRestrictions,
} from "../../../src/controllers/account/allowed-projects.ts";

test.each([
  ["shop", undefined, true],
  ["shop", [], true],
  ["shop", ["shop"], true],
  ["shop", ["shopping"], false],
  ["shopping", ["shop"], false],
  ["shop", ["other", "sh*"], true],
  ["staging-shop", ["staging-*"], true],
  ["staging", ["staging-*"], false],
  ["staging-", ["staging-*"], true],
  ["my-staging-shop", ["staging-*"], false],
  ["shop-eu-prod", ["*-prod"], true],
  ["shop-eu-prod", ["shop-*-prod"], true],
  ["shop-prod", ["shop-*-prod"], false],
  ["aba", ["ab*ba"], false],
  ["abba", ["ab*ba"], true],
  ["anything", ["*"], true],
  ["a.b", ["a?b"], false],
  ["Shop", ["shop"], false],
] as const)("project %s under %j is allowed: %s", (projectId, patterns, expected) => {
  expect(isProjectAllowed(projectId, patterns)).toBe(expected);
});

test("a hostile pattern costs no time", () => {
  const started = performance.now();
  expect(isProjectAllowed(`${"a".repeat(10_000)}b`, [`${"*a".repeat(5_000)}*c`])).toBe(false);
  expect(performance.now() - started).toBeLessThan(200);
});

test.each<readonly [string, KnownRestrictions | undefined, boolean]>([
  ["shop", undefined, true],
  ["shop", { mode: "In", projects: ["billing", "shop"] }, true],
  ["shop", { mode: "In", projects: ["billing"] }, false],
  ["shop", { mode: "In", projects: ["shopping", "Shop"] }, false],
  ["shop", { mode: "In", projects: [] }, false],
  ["shop", { mode: "In", projects: ["billing"], isIncomplete: true }, true],
  ["shop", { mode: "NotIn", projects: ["shop"] }, false],
  ["shop", { mode: "NotIn", projects: ["billing"] }, true],
  ["shop", { mode: "NotIn", projects: [] }, true],
  ["shop", { mode: "NotIn", projects: ["shop"], isIncomplete: true }, false],
  ["shop", { mode: "NotIn", projects: ["billing"], isIncomplete: true }, true],
])("a token reaches %s under %j: %s", (projectId, known, expected) => {
  expect(isProjectInReach(projectId, known)).toBe(expected);
});
