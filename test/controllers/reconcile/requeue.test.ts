import { expect, test } from "vitest";
import {
  delayOf,
  outcomeOf,
  probeMoreRarely,
  type Requeue,
  requeueAfter,
} from "../../../src/controllers/reconcile/requeue.ts";
import { ReconcileError } from "../../../src/runtime/outcome.ts";

const facts = { priority: "follow", message: "RemoteUnavailable: no answer." } as const;

test.each<readonly [Requeue, object]>([
  [{ kind: "never" }, { kind: "settled" }],
  [{ kind: "again" }, { kind: "recheck", afterMs: 0, priority: "change" }],
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

test.each<readonly [Requeue, number | undefined]>([
  [{ kind: "never" }, Number.POSITIVE_INFINITY],
  [{ kind: "again" }, 0],
  [{ kind: "recheck", afterMs: 5, asks: true }, 5],
  [{ kind: "backoff", notBeforeMs: 7 }, undefined],
])("%j is due in %s ms", (next, delayMs) => {
  expect(delayOf(next)).toBe(delayMs);
});

test("a look that is never due is none", () => {
  expect([requeueAfter(60_000), requeueAfter(Number.POSITIVE_INFINITY)]).toEqual([
    { kind: "recheck", afterMs: 60_000 },
    { kind: "never" },
  ]);
});

test.each([
  [0, 60_000],
  [240_000, 60_000],
  [480_000, 120_000],
  [14_400_000, 3_600_000],
  [Number.MAX_SAFE_INTEGER, 3_600_000],
])("after %d ms the next probe is in %d ms, with a jitter of a fifth, and the message stays", (elapsedMs, pauseMs) => {
  const pauses = [60_000, 3_600_000] as const;
  const at = (draw: number) => probeMoreRarely(elapsedMs, pauses, () => draw);
  expect([at(0), at(0.5), at(1)].map(({ afterMs }) => afterMs)).toEqual([0.8, 1, 1.2].map((f) => f * pauseMs));
  expect(at(0.3).pause).toEqual({ everyMs: pauses });
});
