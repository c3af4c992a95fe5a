import { describe, expect, test } from "vitest";
import { fits } from "../../src/api/fit.ts";
import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { findKind } from "../../src/api/kinds.ts";
import type { CachedObject } from "../../src/api/project-object.ts";
import { SpecSizeLimit } from "../../src/operator/spec-size-limit.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { RunCluster } from "../support/run-cluster.ts";

const kind = findKind("NorthflankJobRun");
if (kind === undefined) throw new Error("no such kind");

const mebibyte = 1024 * 1024;
const made = new RunCluster(new FakeClock()).create("run", {
  connectionRef: { name: "main" },
  activeDeadlineSeconds: 600,
  deletionPolicy: "Abort",
});

/** A run with a file of so many characters. */
function run(name: string, characters: number, namespace = "shop"): NorthflankJobRun & CachedObject {
  const runtimeFiles = { "/data": { data: "x".repeat(characters), encoding: "utf-8" as const } };
  return { ...made, metadata: { ...made.metadata, name, namespace }, spec: { ...made.spec, runtimeFiles } };
}

const isWhole = (object: CachedObject) => object.misfits === undefined;

describe("the specs of one namespace", () => {
  test("that are large are cached up to the limit, and the next one without its contents", () => {
    const limit = new SpecSizeLimit(kind, 4 * mebibyte);
    const admitted = Array.from({ length: 10 }, (_, n) => limit.admit(run(`r${n}`, mebibyte)));
    expect(admitted.map(isWhole)).toEqual([true, true, true, true, ...Array<boolean>(6).fill(false)]);
    expect(JSON.stringify(admitted[9]).length).toBeLessThan(2_000);
    expect(admitted[9]?.misfits?.spec).toEqual([
      {
        path: ["spec"],
        field: "spec",
        rule: "size",
        message: "is too large: the specs of the NorthflankJobRuns of this namespace take more than 4Mi",
        remedy: "Delete objects that are not needed, or move contents into Secrets, then request a reconcile",
      },
    ]);
  });

  test("do not count for another one", () => {
    const limit = new SpecSizeLimit(kind, 4 * mebibyte);
    for (let n = 0; n < 10; n++) limit.admit(run(`r${n}`, mebibyte, "hostile"));
    expect(isWhole(limit.admit(run("mine", mebibyte)))).toBe(true);
  });

  test("of ordinary size never count", () => {
    const limit = new SpecSizeLimit(kind, mebibyte);
    for (let n = 0; n < 20_000; n++) expect(isWhole(limit.admit(run(`r${n}`, 1_000)))).toBe(true);
  });

  test("count once, however often an object changes, and not any more when it is gone", () => {
    const limit = new SpecSizeLimit(kind, 2 * mebibyte);
    for (let n = 0; n < 10; n++) expect(isWhole(limit.admit(run("one", mebibyte)))).toBe(true);
    expect(isWhole(limit.admit(run("two", mebibyte)))).toBe(true);
    expect(isWhole(limit.admit(run("three", mebibyte)))).toBe(false);
    limit.forget("shop/one");
    expect(isWhole(limit.admit(run("three", mebibyte)))).toBe(true);
  });
});

test("an object without its contents keeps what a run that was started is followed by, and the types of its kind", () => {
  const { spec } = new SpecSizeLimit(kind, 1).admit(run("run", mebibyte));
  const { runtimeFiles: _, ...kept } = made.spec;
  expect(spec).toEqual(kept);
  expect(fits(kind.spec, spec)).toBe(true);
});
