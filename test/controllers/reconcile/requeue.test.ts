import { expect, test } from "vitest";
import { outcomeOf, type Requeue, requeueAfter } from "../../../src/controllers/reconcile/requeue.ts";
import { ReconcileError } from "../../../src/runtime/outcome.ts";

const facts = { priority: "follow", message: "RemoteUnavailable: no answer." } as const;

test.each<readonly [Requeue, object]>([
  [{ kind: "never" }, { kind: "settled" }],
  [
    { kind: "recheck", afterMs: 5 },
    { kind: "recheck", afterMs: 5, priority: "follow" },
  ],
  [
    { kind: "backoff", notBeforeMs: undefined },
    { kind: "retry", error: new ReconcileError(facts.message) },
  ],
  [
    { kind: "backoff", notBeforeMs: 7 },
    { kind: "retry", error: new ReconcileError(facts.message), notBeforeMs: 7 },
  ],
])("%j is told to the controller as %j", (next, outcome) => {
  expect(outcomeOf(next, facts)).toStrictEqual(outcome);
});

test("a look that is never due is none", () => {
  expect([requeueAfter(60_000), requeueAfter(Number.POSITIVE_INFINITY)]).toEqual([
    { kind: "recheck", afterMs: 60_000 },
    { kind: "never" },
  ]);
});
