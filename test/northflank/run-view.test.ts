import { describe, expect, test } from "vitest";
import { mergeRuns, toRunPage, toRunView } from "../../src/northflank/run-view.ts";

describe("toRunView", () => {
  test("reads the documented example, and trusts status over counters", () => {
    const example = {
      id: "d34582a4-35bd-4c71-8e7c-e36999b88723",
      runName: "example-job-5fcf67bc56e1913e21d49504",
      status: "SUCCESS",
      concluded: true,
      active: 0,
      succeeded: 0,
      failed: 0,
      completions: 1,
      backoffLimit: 0,
      startedAt: "2020-12-08T11:47:08Z",
      concludedAt: "2020-12-08T11:52:08Z",
    };
    expect(toRunView(example)).toEqual({
      id: "d34582a4-35bd-4c71-8e7c-e36999b88723",
      runName: "example-job-5fcf67bc56e1913e21d49504",
      status: "SUCCESS",
      concluded: true,
      startedAt: "2020-12-08T11:47:08Z",
      concludedAt: "2020-12-08T11:52:08Z",
    });
  });

  test.each<[object, string, boolean]>([
    [{ status: "RUNNING" }, "RUNNING", false],
    [{ status: "SUCCESS" }, "SUCCESS", true],
    [{ status: "FAILED" }, "FAILED", true],
    [{ status: "FAILED", concluded: false }, "FAILED", false],
    [{ status: "PAUSED" }, "PAUSED", false],
    [{ status: "PAUSED", concluded: true }, "PAUSED", true],
    [{ status: null, concluded: null }, "UNKNOWN", false],
    [{}, "UNKNOWN", false],
    [{ status: "x".repeat(100) }, "x".repeat(64), false],
  ])("reads %j as %s, concluded: %s", (run, status, concluded) => {
    expect(toRunView({ id: "r", ...run })).toMatchObject({ status, concluded });
  });

  test.each([[null], [{}], [{ id: 1 }], [{ id: "" }], [{ id: "../x" }], [{ id: "a/b" }], [{ id: "x".repeat(129) }]])(
    "%j has no usable id",
    (run) => {
      expect(toRunView(run)).toBeUndefined();
    },
  );
});

test("a page leaves out what is no run, and has a cursor only when there is more", () => {
  expect(
    toRunPage({ data: { runs: [{ id: "a" }, null, { id: "../x" }] }, pagination: { hasNextPage: false, cursor: "c" } }),
  ).toEqual({ items: [expect.objectContaining({ id: "a" })], cursor: undefined, hasNext: false });
});

test("merged runs are newest first; without a readable start they stand at the end", () => {
  const run = (id: string, startedAt?: string) => ({ ...toRunView({ id })!, startedAt });
  const pages = [
    [run("old", "2026-01-01T00:00:00Z"), run("none")],
    [run("new", "2026-01-01T00:00:09Z"), run("bad", "soon")],
  ];
  expect(mergeRuns(pages).map(({ id }) => id)).toEqual(["new", "old", "none", "bad"]);
});
