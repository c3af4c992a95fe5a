import { afterEach, expect, test } from "vitest";
import { RunStory } from "../../support/run-story.ts";

let story: RunStory;
afterEach(() => expect(story.end()).toEqual([]));

const minute = 60_000;

test.each([
  [4_999, 0],
  [60_000, 1],
])("with %i ms left of the lease at the gate, %i POSTs are sent", async (leftMs, posts) => {
  story = new RunStory({
    onBoundary: (process, boundary, side) => {
      if (boundary === "gate" && side === "before") process.limitLease(leftMs);
    },
  });
  await story.run({}, 1_000);
  expect(story.remote.posts).toHaveLength(posts);
  expect(story.status().start?.outcome).toBe(posts === 0 ? "NotStarted" : "Accepted");
});

test("a gate that closes each time costs a request ever more rarely, whatever its own writes wake", async () => {
  story = new RunStory({
    onBoundary: (process, boundary, side) => {
      if (boundary === "gate" && side === "before") process.limitLease(4_999);
      // The lease is renewed, and runs short again when the next start comes to its gate.
      if (boundary === "baseline" && side === "before") process.limitLease(60_000);
    },
  });
  await story.run({}, 4_000);
  story.process.limitLease(3_600_000);
  await story.clock.advance(10 * minute);
  expect(story.remote.posts).toEqual([]);
  expect(story.remote.calls.filter((call) => call === "list").length).toBeLessThanOrEqual(16);
});

test("AtLeastOnce: a run that turns up between the last look and the second start is adopted, and nothing is sent", async () => {
  let reads = 0;
  story = new RunStory({
    onBoundary: (_, boundary, side) => {
      if (boundary !== "resolveRead" || side !== "after") return;
      reads += 1;
      if (reads === 2) story.remote.startForeign();
    },
  });
  story.remote.mode = "notApplied";
  await story.run({ startGuarantee: "AtLeastOnce" }, 4 * minute);
  expect(story.remote.posts).toHaveLength(1);
  expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-1-foreign", Started: "True/RunRecovered" });
  expect(story.status().start?.outcome).toBe("Recovered");
});

test("AtLeastOnce: several that turn up then are left to a person", async () => {
  let reads = 0;
  story = new RunStory({
    onBoundary: (_, boundary, side) => {
      if (boundary !== "resolveRead" || side !== "after") return;
      reads += 1;
      if (reads !== 2) return;
      story.remote.startForeign();
      story.remote.startForeign();
    },
  });
  story.remote.mode = "notApplied";
  await story.run({ startGuarantee: "AtLeastOnce" }, 4 * minute);
  expect(story.remote.posts).toHaveLength(1);
  expect(story.summary()).toMatchObject({ phase: "Unknown", Ready: "False/StartOutcomeUnknown" });
  expect(story.status().start?.outcome).toBe("Pending");
});
