import { describe, expect, test } from "vitest";
import type { ObjectMeta } from "../../src/kube/types.ts";
import {
  addFinalizer,
  type FinalizerState,
  finalizerState,
  hasFinalizer,
  removeFinalizer,
} from "../../src/runtime/finalizers.ts";

const ours = "example.io/run-finalizer";
const theirs = "argocd.argoproj.io/hook-finalizer";

function meta(finalizers: readonly string[] | undefined, changes: Partial<ObjectMeta> = {}): ObjectMeta {
  return { name: "x", uid: "u1", ...(finalizers === undefined ? {} : { finalizers }), ...changes };
}

const deleting = { deletionTimestamp: "2026-01-01T00:00:00Z" };

describe("the four cases", () => {
  const cases: Readonly<Record<FinalizerState, ObjectMeta>> = {
    add: meta([theirs]),
    keep: meta([theirs, ours]),
    cleanup: meta([ours], deleting),
    gone: meta([theirs], deleting),
  };

  test.each(Object.entries(cases))("%s", (state, metadata) => {
    expect(finalizerState(metadata, ours)).toBe(state);
    expect(hasFinalizer(metadata, ours)).toBe(state === "keep" || state === "cleanup");
    expect(addFinalizer(metadata, ours) !== undefined).toBe(state === "add");
    expect(removeFinalizer(metadata, ours) !== undefined).toBe(state === "keep" || state === "cleanup");
  });
});

const sameUid = { op: "test", path: "/metadata/uid", value: "u1" };

test.each([
  ["no list", meta(undefined)],
  ["an empty list", meta([])],
])("to %s it is added only if nobody has begun one meanwhile", (_, metadata) => {
  expect(addFinalizer(metadata, ours)).toEqual([
    sameUid,
    { op: "test", path: "/metadata/finalizers", value: null },
    { op: "add", path: "/metadata/finalizers", value: [ours] },
  ]);
});

test("to finalizers of others it is appended", () => {
  expect(addFinalizer(meta([theirs]), ours)).toEqual([
    sameUid,
    { op: "add", path: "/metadata/finalizers/-", value: ours },
  ]);
});

test.each([
  ["first", [ours, theirs], 0],
  ["last", [theirs, ours], 1],
])("where it stands %s it is taken off by its place, if it still stands there", (_, finalizers, index) => {
  const path = `/metadata/finalizers/${index}`;
  expect(removeFinalizer(meta(finalizers), ours)).toEqual([
    sameUid,
    { op: "test", path, value: ours },
    { op: "remove", path },
  ]);
});

test("an object whose uid is not known is patched without that test", () => {
  const { uid: _, ...metadata } = meta([ours]);
  expect(removeFinalizer(metadata, ours)).toHaveLength(2);
});
