import { afterEach, describe, expect, test } from "vitest";
import { resolveStart } from "../../../src/api/names.ts";
import { NorthflankError } from "../../../src/northflank/errors.ts";
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

describe("a run that began after anything of the lost start could", () => {
  test("is nobody's: a retry hours later sends, whatever the job's own schedule started since", async () => {
    story = new RunStory();
    story.remote.mode = "notApplied";
    await story.run({ runtimeEnvironment: { REVISION: "9a1" } }, 5 * minute);
    await story.clock.advance(7 * 60 * minute);
    story.remote.startForeign();
    await story.clock.advance(90 * minute);
    expect(story.condition("Ready")).toBe("False/StartOutcomeUnknown");
    story.cluster.edit("once", { annotations: { [resolveStart]: "retry" } });
    await story.clock.advance(5 * minute);
    expect(story.remote.posts).toHaveLength(2);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-2", Started: "True/RunStarted" });
  });

  test("is nobody's also where the repetition of AtLeastOnce has to wait for its connection", async () => {
    let isClosed = false;
    const verdict = { kind: "waiting", reason: "WaitingForQuota", message: "The quota is spent." } as const;
    story = new RunStory({
      account: () => (isClosed ? { kind: "blocked", verdict, recheckAfterMs: minute } : undefined),
    });
    story.cluster.watch((_, object) => {
      if (object?.status?.start?.outcome === "NotStarted") isClosed = true;
    });
    story.remote.mode = "notApplied";
    await story.run({ startGuarantee: "AtLeastOnce" }, 20 * minute);
    expect(story.condition("Ready")).toBe("Unknown/WaitingForQuota");
    const foreign = story.remote.startForeign();
    await story.clock.advance(minute);
    isClosed = false;
    await story.clock.advance(minute + 10_000);
    expect(story.remote.posts).toHaveLength(2);
    expect(story.status().runId).not.toBe(foreign);
  });

  test.each([429, 403])("is nobody's where the repetition itself was answered with %i for long", async (httpStatus) => {
    story = new RunStory();
    const code = httpStatus === 429 ? "rate_limited" : "forbidden";
    const refusal = new NorthflankError({ code, step: "start", detail: "no", httpStatus, sent: true });
    story.remote.mode = "notApplied";
    await story.run({ startGuarantee: "AtLeastOnce" }, minute);
    story.remote.refusals.push(...Array.from({ length: 40 }, () => refusal));
    for (let step = 0; step < 8; step++) {
      await story.clock.advance(7 * minute);
      story.remote.startForeign();
    }
    story.remote.refusals.length = 0;
    await story.clock.advance(130 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", Started: "True/RunStarted" });
    expect(story.status().runId).not.toContain("foreign");
  });

  test("and of which nobody knows when it began is left to a person, if the start is repeated by itself", async () => {
    let reads = 0;
    story = new RunStory({
      onBoundary: (_, boundary, side) => {
        if (boundary === "resolveRead" && side === "after" && ++reads === 2) story.remote.startForeign();
      },
    });
    story.remote.mode = "notApplied";
    story.remote.sendsDate = false;
    await story.run({ startGuarantee: "AtLeastOnce" }, 10 * minute);
    expect(story.remote.posts).toHaveLength(1);
    expect(story.condition("Ready")).toBe("False/StartOutcomeUnknown");
    story.cluster.edit("once", { annotations: { [resolveStart]: "retry" } });
    await story.clock.advance(2 * minute);
    expect(story.remote.posts).toHaveLength(2);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-2" });
  });

  test("is nobody's for an object that was waiting when the cluster was restored, and starts later", async () => {
    story = new RunStory();
    await story.run({ suspend: true }, 5_000);
    story.restore(story.cluster.list());
    await story.clock.advance(30 * minute);
    story.remote.startForeign();
    await story.clock.advance(5 * minute);
    story.cluster.edit("once", { spec: { suspend: false } });
    await story.clock.advance(2 * minute);
    expect(story.remote.posts).toHaveLength(1);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-2" });
  });
});

test("after a restore a run that two objects may have forgotten is taken by neither", async () => {
  story = new RunStory();
  story.remote.runMs = 60 * minute;
  story.cluster.create("first");
  await story.clock.advance(15);
  story.cluster.create("second", { suspend: true });
  const backup = story.cluster.list();
  await story.clock.advance(10_000);
  expect(story.status("first").runId).toBe("run-1");
  story.restore(backup);
  await story.clock.advance(10 * minute);
  expect(story.condition("Ready", "first")).toBe("False/StartOutcomeUnknown");
  expect(story.remote.posts).toHaveLength(1);
});

test("AtLeastOnce: a run that turns up between the last look and the second start is adopted, and nothing is sent", async () => {
  let reads = 0;
  story = new RunStory({
    onBoundary: (_, boundary, side) => {
      if (boundary !== "resolveRead" || side !== "after") return;
      reads += 1;
      if (reads === 2) story.remote.startForeign("migrate", 60_000);
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
      story.remote.startForeign("migrate", 60_000);
      story.remote.startForeign("migrate", 50_000);
    },
  });
  story.remote.mode = "notApplied";
  await story.run({ startGuarantee: "AtLeastOnce" }, 4 * minute);
  expect(story.remote.posts).toHaveLength(1);
  expect(story.summary()).toMatchObject({ phase: "Unknown", Ready: "False/StartOutcomeUnknown" });
  expect(story.status().start?.outcome).toBe("Pending");
});
