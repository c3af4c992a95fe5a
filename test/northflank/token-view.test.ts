import { describe, expect, test } from "vitest";
import { toTokenView } from "../../src/northflank/token-view.ts";

const nothing = { expiresAt: undefined, projectRestrictions: undefined, permissions: undefined };

describe("when the token ends", () => {
  test.each([
    ["2026-02-01T00:00:00.000Z", "2026-02-01T00:00:00Z"],
    ["2026-02-01T01:30:00+02:00", "2026-01-31T23:30:00Z"],
    ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"],
  ])("%s is told as %s", (expiresAt, expected) => {
    expect(toTokenView({ expiresAt }).expiresAt).toBe(expected);
  });

  test.each([
    null,
    undefined,
    "",
    "never",
    1_767_225_600,
    {},
    "+012345-01-01T00:00:00Z",
    "1969-01-01",
    "9".repeat(50_000),
  ])("%j is not told", (expiresAt) => {
    expect(toTokenView({ expiresAt }).expiresAt).toBeUndefined();
  });
});

describe("the projects that the token is limited to", () => {
  const restricted = (told: unknown) => toTokenView({ projectRestrictions: told }).projectRestrictions;

  test.each(["in", "notIn"])("are told in mode %s, sorted, each once", (restrictionMode) => {
    const projects = ["shop", "billing", "shop"];
    expect(restricted({ enabled: true, projects, restrictionMode })).toEqual({
      mode: restrictionMode,
      projects: ["billing", "shop"],
    });
  });

  test("may be none at all", () => {
    expect(restricted({ enabled: true, projects: [], restrictionMode: "in" })).toEqual({ mode: "in", projects: [] });
  });

  test("are cut after 200, which is said", () => {
    const projects = Array.from({ length: 201 }, (_, index) => `p${String(index).padStart(3, "0")}`);
    expect(restricted({ enabled: true, projects: projects.slice(0, 200), restrictionMode: "in" })).toEqual({
      mode: "in",
      projects: projects.slice(0, 200),
    });
    expect(restricted({ enabled: true, projects, restrictionMode: "in" })).toEqual({
      mode: "in",
      projects: projects.slice(0, 200),
      isIncomplete: true,
    });
  });

  test.each([
    ["missing", undefined],
    ["null", null],
    ["a list", ["shop"]],
    ["switched off", { enabled: false, projects: ["shop"], restrictionMode: "in" }],
    ["switched on in another word", { enabled: "true", projects: ["shop"], restrictionMode: "in" }],
    ["of an unknown mode", { enabled: true, projects: ["shop"], restrictionMode: "only" }],
    ["without a list", { enabled: true, projects: "shop", restrictionMode: "in" }],
    ["with a number", { enabled: true, projects: ["shop", 7], restrictionMode: "in" }],
    ["with a text that is no id", { enabled: true, projects: ["shop", "My Project"], restrictionMode: "in" }],
    ["of uids", { enabled: true, projects: ["a05f1e6bcf86cd799439011a"], restrictionMode: "in" }],
    ["of uuids", { enabled: true, projects: ["d34582a4-35bd-4c71-8e7c-e36999b88723"], restrictionMode: "in" }],
  ])("limit nothing where they are %s", (_what, told) => {
    expect(restricted(told)).toBeUndefined();
  });
});

describe("the permissions of the token", () => {
  const permissions = (told: unknown) => toTokenView({ permissions: told }).permissions;

  test("are those of projects", () => {
    const told = { orgScope: ["os_x"], teamScope: ["ts_y"], projectScope: ["ps_jobs_general_read", "ps_odd"] };
    expect(permissions(told)).toEqual(new Set(["ps_jobs_general_read"]));
  });

  test("may be none", () => {
    expect(permissions({ projectScope: [] })).toEqual(new Set());
  });

  test.each([
    ["missing", undefined],
    ["null", null],
    ["a list", ["ps_jobs_general_read"]],
    ["of another scope only", { teamScope: ["ts_y"] }],
    ["a text", { projectScope: "ps_jobs_general_read" }],
    ["a list with a wildcard", { projectScope: ["ps_jobs_general_read", "ps_*"] }],
    ["a list with words of another form", { projectScope: ["ps_jobs_general_read", "all"] }],
    ["a list with something else", { projectScope: ["ps_jobs_general_read", null] }],
  ])("are not told where they are %s", (_what, told) => {
    expect(permissions(told)).toBeUndefined();
  });
});

test.each([undefined, null, [], "x", 7, true, {}])("%j tells nothing", (data) => {
  expect(toTokenView(data)).toEqual(nothing);
});
