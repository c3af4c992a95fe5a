import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type NameKind, nameProblem } from "../../src/northflank/names.ts";

describe("nameProblem", () => {
  test.each<[NameKind, string]>([
    ["project", "shop"],
    ["project", "Shop-2-b"],
    ["service", "a".repeat(54)],
    ["service", "abc"],
    ["job", "a".repeat(52)],
    ["team", "acme"],
    ["team", "2b"],
    ["team", "a".repeat(100)],
    ["run", "d34582a4-35bd-4c71-8e7c-e36999b88723"],
    ["run", "run_1"],
    ["build", "joyous-view-6290"],
    ["build", "b--1-"],
  ])("takes the %s id %s", (kind, value) => {
    expect(nameProblem(kind, value)).toBeUndefined();
  });

  test.each([
    "..",
    ".",
    "",
    "%2e%2e",
    "a/b",
    "a?x",
    "a#b",
    "abc\r\n",
    "abc\n",
    "a bc",
    "а-cyrillic",
    "-abc",
    "abc-",
    "a--b",
    "1abc",
    "ab",
    "a".repeat(300),
  ])("refuses %j as an id of a project, service or job", (value) => {
    for (const kind of ["project", "service", "job"] as const)
      expect(nameProblem(kind, value)).toEqual(expect.any(String));
  });

  test.each(["", "..", "a/b", "a%2fb", "-a", "a--b", "a.b", "a\n", "a".repeat(101)])(
    "refuses %j as an id of a team",
    (value) => {
      expect(nameProblem("team", value)).toEqual(expect.any(String));
    },
  );

  test.each(["", "..", "a/b", "a%2fb", "-a", "a.b", "a\n", "a".repeat(129)])(
    "refuses %j as an id of a run",
    (value) => {
      expect(nameProblem("run", value)).toEqual(expect.any(String));
    },
  );

  test.each(["", "..", "a/b", "a%2fb", "-a", "a_b", "a.b", "a\n", "a".repeat(129)])(
    "refuses %j as an id of a build",
    (value) => {
      expect(nameProblem("build", value)).toEqual(expect.any(String));
    },
  );

  test.each<[NameKind, number]>([
    ["service", 54],
    ["project", 54],
    ["job", 52],
    ["run", 128],
  ])("draws the line for a %s at %i characters", (kind, length) => {
    expect(nameProblem(kind, "a".repeat(length))).toBeUndefined();
    expect(nameProblem(kind, "a".repeat(length + 1))).toContain(`it has ${length + 1}`);
  });

  test("never quotes what it refuses", () => {
    expect(nameProblem("project", "evil/../canary")).not.toContain("canary");
  });

  test("takes only what stands in a path as it is: a URL parser reads back the same path", () => {
    const pieces = fc.constantFrom(
      "abc",
      "Zed",
      "a0",
      "b",
      "9z",
      "-",
      ".",
      "..",
      "/",
      "%2e",
      "%",
      "?",
      "#",
      "\\",
      "é",
      "\u0000",
      " ",
      ";",
      "@",
    );
    const name = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(pieces, { minLength: 1, maxLength: 8 }).map((all) => all.join("")),
    );
    let taken = 0;
    const readsBack = fc.property(fc.constantFrom(...kinds), name, (kind, value) => {
      if (nameProblem(kind, value) !== undefined) return;
      taken += 1;
      const path = `/v1/projects/${value}/services`;
      expect(new URL(`https://api.northflank.com${path}`).pathname).toBe(path);
    });
    fc.assert(readsBack, { numRuns: 5_000 });
    expect(taken).toBeGreaterThan(20);
  });
});

const kinds: readonly NameKind[] = ["team", "project", "service", "job", "run", "build"];
