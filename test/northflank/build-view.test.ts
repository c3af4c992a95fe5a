import { describe, expect, test } from "vitest";
import { mergeBuilds, toBuildPage, toBuildView } from "../../src/northflank/build-view.ts";
import type { BuildView } from "../../src/northflank/types.ts";

describe("toBuildView", () => {
  test("reads the documented example, whose end alone is told in seconds", () => {
    const example = {
      id: "joyous-view-6290",
      branch: "main",
      pullRequestId: 0,
      sha: "12C15E7ee79b8a61a7a0e2a3b2a1f0e1d2c3b4a5",
      registry: { uri: "registry.example" },
      status: "SUCCESS",
      concluded: true,
      success: true,
      message: "Image successfully built",
      createdAt: "2020-11-24T09:00:00.000Z",
      buildConcludedAt: 1606237973,
    };
    expect(toBuildView(example)).toEqual({
      id: "joyous-view-6290",
      branch: "main",
      sha: "12c15e7ee79b8a61a7a0e2a3b2a1f0e1d2c3b4a5",
      status: "SUCCESS",
      outcome: "succeeded",
      createdAt: "2020-11-24T09:00:00.000Z",
      concludedAtMs: 1_606_237_973_000,
    });
  });

  test.each<[object, BuildView["outcome"]]>([
    ...["QUEUED", "PENDING", "UNSCHEDULABLE", "STARTING", "CLONING", "BUILDING", "UPLOADING", "IN_PROGRESS"].map(
      (status): [object, "active"] => [{ status }, "active"],
    ),
    ...["ABORTED", "FAILURE", "SUBMISSION_FAILURE", "CRASHED"].map((status): [object, "failed"] => [
      { status },
      "failed",
    ]),
    [{ status: "SUCCESS" }, "succeeded"],
    [{ status: "BUILDING", concluded: false, success: false }, "active"],
    [{ status: "PONDERING" }, "active"],
    [{ status: "PONDERING", concluded: true, success: true }, "succeeded"],
    [{ status: "PONDERING", concluded: true }, "failed"],
    [{}, "active"],
  ])("takes %j as %s", (build, outcome) => {
    expect(toBuildView({ id: "b", ...build })?.outcome).toBe(outcome);
  });

  test.each([[0], [-1], [1e12], [1.5], ["1606237973"], [null]])("does not take %j as the time of an end", (value) => {
    expect(toBuildView({ id: "b", buildConcludedAt: value })?.concludedAtMs).toBeUndefined();
  });

  test.each([[null], [{}], [{ id: 1 }], [{ id: "" }], [{ id: "../x" }], [{ id: "a/b" }], [{ id: "x".repeat(129) }]])(
    "%j has no usable id",
    (build) => {
      expect(toBuildView(build)).toBeUndefined();
    },
  );
});

test("a page leaves out what is no build, and has a cursor only when there is more", () => {
  const builds = [{ id: "a" }, null, { id: "../x" }];
  expect(toBuildPage({ data: { builds }, pagination: { hasNextPage: false, cursor: "c" } })).toEqual({
    items: [expect.objectContaining({ id: "a" })],
    cursor: undefined,
    hasNext: false,
  });
  expect(toBuildPage({ data: {} })).toBeUndefined();
});

test("merged builds are newest first, each once; without a readable start they stand at the end", () => {
  const build = (id: string, createdAt?: string, status = "BUILDING") => {
    const view = toBuildView({ id, createdAt, status });
    if (view === undefined) throw new Error("no build");
    return view;
  };
  const pages = [
    [build("old", "2026-01-01T00:00:00Z"), build("none")],
    [build("new", "2026-01-02T00:00:00Z"), build("old", "2026-01-01T00:00:00Z", "SUCCESS")],
  ];
  expect(mergeBuilds(pages).map(({ id, status }) => `${id} ${status}`)).toEqual([
    "new BUILDING",
    "old SUCCESS",
    "none BUILDING",
  ]);
});
