import { expect, test } from "vitest";
import { stalledPassage } from "../../../src/controllers/shared/passage.ts";
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
] as const)("a passage to Stalled is %s", (_sentence, before, after, expected) => {
  expect(stalledPassage({ before, after, action: "Validate" })).toEqual(expected);
});
