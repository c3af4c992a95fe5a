import { afterEach, describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { createdAfterStart } from "../../../src/controllers/job-run/read-back.ts";
import { isoOf } from "../../support/fake-kube.ts";
import { RunStory } from "../../support/run-story.ts";

/* A job that was deleted and created again under its id: what it lacks says nothing about the runs of the former. */

let story: RunStory;
afterEach(() => expect(story.end()).toEqual([]));

const minute = 60_000;
const message = () => story.status().conditions?.find(({ type }) => type === "Ready")?.message ?? "";
const looksAtJob = () => story.remote.calls.filter((call) => call === "getJob").length;

describe("the run of a job that was deleted and created again", () => {
  test("is said to have gone with the former job, for one request when it counts as gone", async () => {
    story = new RunStory();
    story.remote.runMs = 600 * minute;
    await story.run({}, minute);
    story.northflank.remakeJob("migrate");
    await story.clock.advance(20 * minute);
    expect(story.condition("Ready")).toBe("False/RunDisappeared");
    expect(message()).toContain(
      "job migrate was deleted, and created again at 2026-01-01T01:01:00Z, after the start of the run",
    );
    expect(looksAtJob()).toBe(1);
    expect(story.remote.posts).toHaveLength(1);
  });

  test("is said to be gone as ever where the job is the same", async () => {
    story = new RunStory();
    story.remote.runMs = 600 * minute;
    story.northflank.changeJob("migrate", { createdAt: isoOf(story.remote.serverMs - 60 * minute) });
    await story.run({}, minute);
    story.remote.forgetRuns();
    await story.clock.advance(20 * minute);
    expect(story.condition("Ready")).toBe("False/RunDisappeared");
    expect(message()).toContain("it is not known how it ended; if the token was replaced");
  });

  test("costs no look at the job in an undisturbed life", async () => {
    story = new RunStory();
    await story.run({}, 5 * minute);
    expect(story.status().phase).toBe("Succeeded");
    expect(looksAtJob()).toBe(0);
  });
});

describe("a start without an answer, and a job that was created again since", () => {
  test.each(["answerLost", "notApplied"] as const)("%s: AtLeastOnce does not repeat it", async (mode) => {
    story = new RunStory();
    story.remote.nextMode = mode;
    await story.run({ startGuarantee: "AtLeastOnce" }, 32_000);
    story.northflank.remakeJob("migrate");
    await story.clock.advance(60 * minute);
    expect(story.condition("Stalled")).toBe("True/StartOutcomeUnknown");
    expect(message()).toContain("its list of runs says nothing about it");
    expect(story.remote.posts).toHaveLength(1);
    expect(looksAtJob()).toBe(1);
  });

  test("AtLeastOnce repeats it where the job is the same", async () => {
    story = new RunStory();
    story.northflank.changeJob("migrate", { createdAt: isoOf(story.remote.serverMs - 60 * minute) });
    story.remote.nextMode = "notApplied";
    await story.run({ startGuarantee: "AtLeastOnce" }, 60 * minute);
    expect(story.status().phase).toBe("Succeeded");
    expect(story.remote.posts).toHaveLength(2);
  });
});

test.each([
  ["at the record", "2026-01-01T10:00:00Z", {}, undefined],
  ["two seconds after it, which clocks may be off", "2026-01-01T10:00:02Z", {}, undefined],
  ["three seconds after it", "2026-01-01T10:00:03Z", {}, "2026-01-01T10:00:03Z"],
  ["untold", undefined, {}, undefined],
  ["no time", "soon", {}, undefined],
  [
    "after a record that has no time of Northflank's",
    "2026-01-01T10:00:03Z",
    { baseline: { newestStartTime: "2026-01-01T10:00:00Z" } },
    undefined,
  ],
])("a job created %s", (_, createdAt, more, expected) => {
  const start = { id: "s", attempt: 1, recordedTime: "2026-01-01T10:00:00Z", outcome: "Pending", ...more };
  const object = { status: { observedGeneration: 1, start } } as unknown as NorthflankJobRun;
  expect(createdAfterStart(object, { id: "migrate", createdAt } as never)).toBe(expected);
});
