import { expect, test } from "vitest";
import { raisedEvents, stalledEvents } from "../../../src/controllers/reconcile/events.ts";
import type { Condition } from "../../../src/kube/types.ts";

function stalled(reason: string, observedGeneration = 1): readonly Condition[] {
  const lastTransitionTime = "2026-01-01T00:00:00Z";
  return [{ type: "Stalled", status: "True", reason, message: "Why.", lastTransitionTime, observedGeneration }];
}

const event = { type: "Warning", reason: "InvalidSpec", action: "Validate", note: "Why." };

test.each([
  ["told when it was not Stalled before", [], stalled("InvalidSpec"), [event]],
  ["told when it was Stalled for another reason", stalled("TargetNotFound"), stalled("InvalidSpec"), [event]],
  ["told again for another spec", stalled("InvalidSpec", 1), stalled("InvalidSpec", 2), [event]],
  ["not told while it stays", stalled("InvalidSpec"), stalled("InvalidSpec"), []],
  ["not told when it ends", stalled("InvalidSpec"), [], []],
] as const)("a transition to Stalled is %s", (_sentence, before, after, expected) => {
  expect(stalledEvents({ before, after, message: "Why.", action: "Validate" })).toEqual(expected);
});

test("an Event promises no time, because it stays when the pause has grown", () => {
  const after = stalled("AuthenticationFailed").map((condition) => ({
    ...condition,
    message: "Why. Next check in 1s.",
  }));
  expect(stalledEvents({ before: [], after, message: "Why.", action: "Reconcile" })).toMatchObject([{ note: "Why." }]);
});

const raised = (reason: string, status: Condition["status"] = "True", observedGeneration = 1): readonly Condition[] => {
  const [condition] = stalled(reason, observedGeneration);
  return condition === undefined ? [] : [{ ...condition, type: "TokenExpiring", status }];
};

test.each([
  ["told when it comes up", [], raised("TokenExpired"), 1],
  ["told when it was False before", raised("TokenExpired", "False"), raised("TokenExpired"), 1],
  ["told for another reason", raised("TokenExpiresSoon"), raised("TokenExpired"), 1],
  ["not told while it stays", raised("TokenExpired"), raised("TokenExpired"), 0],
  ["not told again for another spec", raised("TokenExpired"), raised("TokenExpired", "True", 2), 0],
  ["not told while it is not True", [], raised("TokenExpired", "False"), 0],
  ["not told when it ends", raised("TokenExpired"), [], 0],
  ["not told for a word that is not of the catalogue", [], raised("Anything"), 0],
] as const)("a condition that is raised is %s", (_sentence, before, after, count) => {
  expect(raisedEvents({ before, after, type: "TokenExpiring", action: "Validate" })).toHaveLength(count);
});
