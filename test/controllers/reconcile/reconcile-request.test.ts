import { describe, expect, test } from "vitest";
import { isReconcileRequested, reconcileRequest } from "../../../src/controllers/reconcile/reconcile-request.ts";

const own = "northflank-operator.io/reconcile-requested-at";
const flux = "reconcile.fluxcd.io/requestedAt";

describe("the request that an object carries", () => {
  const cases: Readonly<Record<string, readonly [Readonly<Record<string, string>> | undefined, string | undefined]>> = {
    "none without annotations": [undefined, undefined],
    "none when the value is empty": [{ [own]: "" }, undefined],
    ours: [{ [own]: "2026-01-01T00:00:00Z" }, "2026-01-01T00:00:00Z"],
    "Flux's": [{ [flux]: "2026-01-01T00:00:00Z" }, "2026-01-01T00:00:00Z"],
    "the later time of two, ours": [
      { [own]: "2026-01-01T00:00:01Z", [flux]: "2026-01-01T00:00:00Z" },
      "2026-01-01T00:00:01Z",
    ],
    "the later time of two, Flux's": [
      { [own]: "2026-01-01T00:00:00Z", [flux]: "2026-01-01T00:00:01Z" },
      "2026-01-01T00:00:01Z",
    ],
    "ours when one of two is no time": [{ [own]: "now", [flux]: "2026-01-01T00:00:01Z" }, "now"],
    "any word at all": [{ [own]: "please" }, "please"],
    "a long value, cut": [{ [own]: "x".repeat(100_000) }, `${"x".repeat(127)}…`],
  };
  test.each(Object.entries(cases))("is %s", (_sentence, [annotations, expected]) => {
    expect(reconcileRequest(annotations === undefined ? {} : { annotations })).toBe(expected);
  });
});

test("a request is open until its echo is in status, and never again after", () => {
  const metadata = { annotations: { [own]: "a", [flux]: "b" } };
  expect(isReconcileRequested({ metadata })).toBe(true);
  expect(isReconcileRequested({ metadata, status: { lastHandledReconcileAt: "b" } })).toBe(true);
  expect(isReconcileRequested({ metadata, status: { lastHandledReconcileAt: "a" } })).toBe(false);
  expect(isReconcileRequested({ metadata: {}, status: { lastHandledReconcileAt: "a" } })).toBe(false);
});
