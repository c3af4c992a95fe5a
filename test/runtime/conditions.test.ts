import { describe, expect, test } from "vitest";
import type { Condition } from "../../src/kube/types.ts";
import {
  type ConditionDraft,
  capped,
  findCondition,
  formatTime,
  maxMessageLength,
  mergeConditions,
} from "../../src/runtime/conditions.ts";

const earlier = "2026-01-01T00:00:00Z";
const now = Date.parse("2026-01-01T01:00:00.999Z");

function ready(changes: Partial<Condition> = {}): Condition {
  return {
    type: "Ready",
    status: "True",
    reason: "Done",
    message: "all is well",
    lastTransitionTime: earlier,
    observedGeneration: 1,
    ...changes,
  };
}

function draft(changes: Partial<ConditionDraft> = {}): ConditionDraft {
  return { type: "Ready", status: "True", reason: "Done", message: "all is well", ...changes };
}

describe("merging conditions", () => {
  test.each([
    ["nothing changed", {}, earlier],
    ["only the message changed", { message: "still well" }, earlier],
    ["only the reason changed", { reason: "Other" }, earlier],
    ["the status changed", { status: "False" as const }, "2026-01-01T01:00:00Z"],
  ])("the transition time when %s", (_, change, lastTransitionTime) => {
    const merged = mergeConditions({ previous: [ready()], drafts: [draft(change)], generation: 1, now });
    expect(merged).toEqual([ready({ ...change, lastTransitionTime })]);
  });

  test("states the generation of this pass, whatever else stayed", () => {
    const [merged] = mergeConditions({ previous: [ready()], drafts: [draft()], generation: 2, now });
    expect(merged?.observedGeneration).toBe(2);
  });

  test("has exactly the drafts in their order: what is not drafted is gone", () => {
    const previous = [ready({ type: "Stalled" }), ready()];
    const drafts = [draft(), draft({ type: "Accepted" })];
    const merged = mergeConditions({ previous, drafts, generation: 1, now });
    expect(merged.map(({ type }) => type)).toEqual(["Ready", "Accepted"]);
    expect(merged.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([earlier, "2026-01-01T01:00:00Z"]);
  });

  test("does not change what it was given, and a second merge of the same drafts changes nothing", () => {
    const previous = Object.freeze([Object.freeze(ready({ status: "False" }))]);
    const options = { drafts: [draft()], generation: 1 };
    const first = mergeConditions({ ...options, previous, now });
    expect(mergeConditions({ ...options, previous: first, now: now + 60_000 })).toEqual(first);
  });

  test("cuts a message that could make the object too large", () => {
    const [merged] = mergeConditions({
      previous: [],
      drafts: [draft({ message: "x".repeat(5_000) })],
      generation: 1,
      now,
    });
    expect(merged?.message).toHaveLength(maxMessageLength);
  });
});

test.each([
  ["fits", "abcd", 4, "abcd"],
  ["one too long", "abcde", 4, "abc…"],
  ["cut inside a surrogate pair", "ab😀cd", 4, "ab…"],
  ["cut after a surrogate pair", "a😀bcd", 4, "a😀…"],
])("capping text that %s", (_, text, maxLength, expected) => {
  expect(capped(text, maxLength)).toBe(expected);
});

test("finds a condition by its type, and none in a list that is missing", () => {
  expect(findCondition([ready()], "Ready")).toEqual(ready());
  expect(findCondition([ready()], "Stalled")).toBeUndefined();
  expect(findCondition(undefined, "Ready")).toBeUndefined();
});

test("times are cut to whole seconds, never rounded into the future", () => {
  expect(formatTime(now)).toBe("2026-01-01T01:00:00Z");
});
