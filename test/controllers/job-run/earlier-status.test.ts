import { describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { resolveStart } from "../../../src/api/names.ts";
import { RunStory } from "../../support/run-story.ts";

/*
 * Statuses without the fields that name the unknown start and the aborted run: written by an earlier version, changed by
 * another client, or stored under a CRD of an earlier version. The conditions still say it.
 */

const minute = 60_000;

type Field = "unknownStartId" | "abortedRunId";

function without(story: RunStory, field: Field): void {
  const { [field]: _, ...status } = story.status();
  story.cluster.replaceStatus({ ...story.object(), status });
}

/** The API server stores everything but this field. */
function pruning(story: RunStory, field: Field): void {
  const { cluster } = story;
  const patchStatus = cluster.patchStatus.bind(cluster);
  cluster.patchStatus = (key, patch) => {
    const { [field]: _, ...status } = patch.status as NonNullable<NorthflankJobRun["status"]>;
    return patchStatus(key, { ...patch, status });
  };
}

/** Two runs of other clients began where the run of the lost start would have. */
async function severalRuns(story: RunStory): Promise<void> {
  story.remote.mode = "notApplied";
  await story.run({ startGuarantee: "AtLeastOnce" }, 1_000);
  story.remote.startForeign();
  story.remote.startForeign();
  await story.clock.advance(5 * minute);
}

describe("a start whose outcome is unknown, without status.unknownStartId", () => {
  test.each(["upgrade", "another client"] as const)("is not repeated after %s", async (cause) => {
    const story = new RunStory();
    await severalRuns(story);
    expect(story.condition("Started")).toBe("Unknown/StartOutcomeUnknown");
    // A search would find no run now, and AtLeastOnce would start one.
    story.remote.forgetRuns();
    if (cause === "upgrade") story.process.kill();
    without(story, "unknownStartId");
    if (cause === "upgrade") story.restart();
    await story.clock.advance(3 * 60 * minute);
    expect(story.remote.posts).toHaveLength(1);
    expect(story.condition("Stalled")).toBe("True/StartOutcomeUnknown");
    expect(story.status().unknownStartId).toBe(story.status().start?.id);
    story.cluster.edit("once", { annotations: { [resolveStart]: "fail" } });
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ phase: "Failed", Succeeded: "False/StartOutcomeUnknown" });
    expect(story.end()).toEqual([]);
  });

  test("waits for a person where the API server does not store the field", async () => {
    const story = new RunStory();
    pruning(story, "unknownStartId");
    await severalRuns(story);
    expect(story.condition("Stalled")).toBe("True/StartOutcomeUnknown");
    story.remote.forgetRuns();
    const writes = story.cluster.writes.length;
    story.restart();
    await story.clock.advance(3 * 60 * minute);
    expect(story.cluster.writes).toHaveLength(writes);
    expect(story.remote.posts).toHaveLength(1);
    expect(story.condition("Stalled")).toBe("True/StartOutcomeUnknown");
    story.cluster.edit("once", { annotations: { [resolveStart]: "retry" } });
    story.remote.mode = "normal";
    await story.clock.advance(minute);
    expect(story.remote.posts).toHaveLength(2);
    expect(story.end()).toEqual([]);
  });
});

describe("a run that is aborted for its deadline, without status.abortedRunId", () => {
  test.each(["upgrade", "pruned"] as const)("ends by its deadline (%s)", async (cause) => {
    const story = new RunStory();
    story.remote.runMs = 600 * minute;
    if (cause === "pruned") pruning(story, "abortedRunId");
    await story.run({ activeDeadlineSeconds: 90 }, 89_000);
    // Northflank takes its time, and says afterwards that the run ended within the deadline.
    const read = story.remote.read.bind(story.remote);
    let isOver = false;
    story.remote.abort = () => undefined;
    story.remote.read = (runId) => {
      const run = read(runId);
      if (run === undefined || !isOver) return run;
      return { ...run, status: "ABORTED", concluded: true, concludedAt: run.startedAt };
    };
    await story.clock.advance(10_000);
    expect(story.condition("Succeeded")).toBe("Unknown/Aborting");
    story.process.kill();
    if (cause === "upgrade") without(story, "abortedRunId");
    isOver = true;
    story.restart();
    await story.clock.advance(minute);
    expect(story.condition("Succeeded")).toBe("False/DeadlineExceeded");
    expect(story.end()).toEqual([]);
  });
});
