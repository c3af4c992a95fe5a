import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { resolveStart, runFinalizer } from "../../../src/api/names.ts";
import type { AccountResolution } from "../../../src/controllers/account/accounts.ts";
import { type Denial, NorthflankError, type NorthflankErrorCode } from "../../../src/northflank/errors.ts";
import type { FakeNorthflank } from "../../support/fake-northflank.ts";
import { accountWithJob, RunStory } from "../../support/run-story.ts";

let story: RunStory;
beforeEach(() => {
  story = new RunStory();
});
afterEach(() => expect(story.end()).toEqual([]));

const minute = 60_000;

function use(next: RunStory): RunStory {
  story = next;
  return next;
}

describe("an undisturbed run", () => {
  test("starts, is followed and ends, with six writes and one POST", async () => {
    await story.run({}, 1_000);
    expect(story.summary()).toEqual({
      phase: "Running",
      kstatus: "InProgress",
      runId: "run-1",
      Ready: "Unknown/RunActive",
      Accepted: "True/Accepted",
      Started: "True/RunStarted",
      Succeeded: "Unknown/RunActive",
    });
    await story.clock.advance(minute);
    expect(story.summary()).toEqual({
      phase: "Succeeded",
      kstatus: "Current",
      runId: "run-1",
      Ready: "True/RunSucceeded",
      Accepted: "True/Accepted",
      Started: "True/RunStarted",
      Succeeded: "True/RunSucceeded",
      Finished: "True/RunSucceeded",
    });
    // The record, its annotation, the run, the record again, the annotation with the run, and the end.
    expect(story.writes()).toEqual(["replace", "patch", "status", "replace", "patch", "status"]);
    expect(story.status().start?.outcome).toBe("Accepted");
    expect(story.remote.calls.filter((call) => call === "post")).toHaveLength(1);
    expect(story.events()).toEqual(["Normal RunStarted", "Normal RunSucceeded"]);
    expect(story.process.counts).toEqual({ started: 1, recovered: 0, finished: ["succeeded"], ran: [25] });
  });

  test("polls from 10 s, rising with its age to once a minute, and never more often for its own writes", async () => {
    story.remote.runMs = 60 * minute;
    await story.run({}, 2 * minute);
    const early = story.remote.calls.filter((call) => call === "get").length;
    expect(early).toBeGreaterThanOrEqual(7);
    expect(early).toBeLessThanOrEqual(11);
    await story.clock.advance(20 * minute);
    const before = story.remote.calls.length;
    await story.clock.advance(10 * minute);
    const perMinute = (story.remote.calls.length - before) / 10;
    expect(perMinute).toBeGreaterThan(0.8);
    expect(perMinute).toBeLessThanOrEqual(1);
    expect(story.writes()).toHaveLength(5);
  });

  test("is followed to its end, and not started again, when an API server without the rules lets its spec change", async () => {
    await story.run({}, 5_000);
    story.cluster.edit("once", { spec: { runtimeEnvironment: { A: "b" }, backoffLimit: 3 } });
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-1", Ready: "True/RunSucceeded" });
    expect(story.status().observedGeneration).toBe(2);
    expect(story.remote.posts).toHaveLength(1);
  });

  test("costs nothing after its end: no call, no write, also across a restart", async () => {
    await story.run({}, 2 * minute);
    const [calls, writes] = [story.remote.calls.length, story.writes().length];
    story.restart();
    await story.clock.advance(60 * minute);
    expect([story.remote.calls.length, story.writes().length]).toEqual([calls, writes]);
  });

  test("acknowledges a new generation and a reconcile request after its end, with one write each and no call", async () => {
    await story.run({}, 2 * minute);
    const [calls, writes] = [story.remote.calls.length, story.writes().length];
    story.cluster.edit("once", { spec: { suspend: true } });
    await story.clock.advance(minute);
    expect(story.status().observedGeneration).toBe(2);
    story.cluster.edit("once", { annotations: { "northflank-operator.io/reconcile-requested-at": "now" } });
    await story.clock.advance(minute);
    expect(story.status().lastHandledReconcileAt).toBe("now");
    expect(story.summary()).toMatchObject({ phase: "Succeeded", kstatus: "Current" });
    expect([story.remote.calls.length, story.writes().length]).toEqual([calls, writes + 2]);
  });
});

describe("ends of runs", () => {
  test("a failed run is Stalled and Failed", async () => {
    story.remote.results.push("FAILED");
    await story.run({}, minute);
    expect(story.summary()).toMatchObject({
      phase: "Failed",
      kstatus: "Failed",
      Ready: "False/RunFailed",
      Stalled: "True/RunFailed",
      Succeeded: "False/RunFailed",
      Finished: "True/RunFailed",
    });
    expect(story.events()).toEqual(["Normal RunStarted", "Warning RunFailed"]);
  });

  test("backoffLimit 2 starts two more runs after pauses of 10 s and 20 s, then gives up", async () => {
    story.remote.results.push("FAILED", "FAILED", "FAILED");
    story.remote.runMs = 5_000;
    await story.run({ backoffLimit: 2 }, 5 * minute);
    expect(story.condition("Ready")).toBe("False/BackoffLimitExceeded");
    expect(story.status().attempts?.map(({ number, remoteStatus }) => [number, remoteStatus])).toEqual([
      [1, "FAILED"],
      [2, "FAILED"],
      [3, "FAILED"],
    ]);
    const [first = 0, second = 0, third = 0] = story.remote.posts.map(({ atMs }) => atMs);
    // The run takes 5 s, is looked at after 10 s, and then comes the pause; young runs are looked at as often each time.
    expect(second - first).toBeGreaterThanOrEqual(15_000);
    expect(second - first).toBeLessThanOrEqual(21_000);
    expect(third - second).toBeGreaterThanOrEqual(25_000);
    expect(third - second).toBeLessThanOrEqual(31_000);
  });

  test("a run within backoffLimit that succeeds is a success", async () => {
    story.remote.results.push("FAILED", "SUCCESS");
    await story.run({ backoffLimit: 1 }, 3 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-2" });
  });

  test("a word of the API that nobody knows is followed as active, and an abort over there is told apart", async () => {
    story.remote.results.push("ABORTED");
    await story.run({}, minute);
    expect(story.summary()).toMatchObject({ phase: "Aborted", Ready: "False/RunAbortedRemotely" });
  });

  test("a run over its activeDeadlineSeconds is aborted and fails with DeadlineExceeded", async () => {
    story.remote.runMs = 60 * minute;
    await story.run({ activeDeadlineSeconds: 90 }, 85_000);
    expect(story.remote.calls).not.toContain("abort");
    await story.clock.advance(40_000);
    expect(story.summary()).toMatchObject({ phase: "Failed", Ready: "False/DeadlineExceeded" });
    expect(story.remote.calls.filter((call) => call === "abort")).toHaveLength(1);
  });

  test("a wall clock that jumps by an hour aborts nothing", async () => {
    story.remote.runMs = 10 * minute;
    await story.run({ activeDeadlineSeconds: 1_800 }, minute);
    story.clock.jump(60 * minute);
    await story.clock.advance(12 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
  });

  test("a start that does not come before startDeadlineSeconds fails", async () => {
    await story.run({ suspend: true, startDeadlineSeconds: 60 }, 59_000);
    expect(story.condition("Ready")).toBe("False/Suspended");
    await story.clock.advance(2_000);
    expect(story.summary()).toMatchObject({ phase: "Failed", Ready: "False/StartDeadlineExceeded" });
    expect(story.remote.calls).toEqual([]);
  });

  test("ttlSecondsAfterFinished deletes the object, and not before", async () => {
    await story.run({ ttlSecondsAfterFinished: 600 }, 2 * minute);
    await story.clock.advance(7 * minute);
    expect(story.cluster.read("once")).toBeDefined();
    await story.clock.advance(4 * minute);
    expect(story.cluster.read("once")).toBeUndefined();
  });
});

describe("a run that Northflank does not return", () => {
  const gets = () => story.remote.calls.filter((call) => call === "get").length;
  const lists = () => story.remote.calls.filter((call) => call === "list").length;
  let hidesReads = false;
  let hidesList = false;
  beforeEach(() => {
    hidesReads = false;
    hidesList = false;
    story.remote.runMs = 30 * minute;
    const { remote } = story;
    const [read, list] = [remote.read.bind(remote), remote.list.bind(remote)];
    remote.read = (runId) => {
      const run = read(runId);
      return hidesReads ? undefined : run;
    };
    remote.list = (jobId) => {
      const answer = list(jobId);
      return hidesList ? { ...answer, runs: [] } : answer;
    };
  });
  const hide = () => {
    hidesReads = true;
    hidesList = true;
  };

  test("for some minutes is followed on, and its end is seen", async () => {
    await story.run({}, 15_000);
    hide();
    await story.clock.advance(4 * minute);
    expect(gets()).toBeGreaterThan(5);
    expect(story.summary()).toMatchObject({ phase: "Running" });
    [hidesReads, hidesList] = [false, false];
    await story.clock.advance(30 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", Ready: "True/RunSucceeded" });
  });

  test("is still there while the list has it, however long reads miss it", async () => {
    await story.run({}, 15_000);
    hidesReads = true;
    await story.clock.advance(20 * minute);
    expect(story.summary()).toMatchObject({ phase: "Running" });
    await story.clock.advance(20 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", Ready: "True/RunSucceeded" });
  });

  test("for five minutes and more, neither alone nor in the list, is gone", async () => {
    await story.run({}, 5_000);
    const before = lists();
    hide();
    await story.clock.advance(5 * minute);
    expect(story.summary()).toMatchObject({ phase: "Running" });
    expect(lists()).toBe(before);
    await story.clock.advance(2 * minute);
    expect(story.summary()).toMatchObject({ phase: "Unknown", Ready: "False/RunDisappeared" });
    expect(lists()).toBe(before + 1);
    expect(story.process.counts.finished).toEqual(["unknown"]);
  });

  test("is gone with its job", async () => {
    await story.run({}, 5_000);
    hidesReads = true;
    story.remote.list = () => {
      throw new NorthflankError({ code: "not_found", step: "list", detail: "no job", httpStatus: 404, sent: true });
    };
    await story.clock.advance(7 * minute);
    expect(story.condition("Ready")).toBe("False/RunDisappeared");
  });

  test("in a list that is cut is gone after half an hour, and costs two lists", async () => {
    await story.run({}, 5_000);
    hidesReads = true;
    const before = lists();
    story.remote.list = () => ({ runs: [], serverTimeMs: undefined, truncated: true });
    await story.clock.advance(29 * minute);
    expect(story.summary()).toMatchObject({ phase: "Running" });
    await story.clock.advance(3 * minute);
    expect(story.condition("Ready")).toBe("False/RunDisappeared");
    expect(lists()).toBe(before + 2);
  });

  test("is counted anew by each process, and one answer in between ends the count", async () => {
    await story.run({}, 5_000);
    hide();
    await story.clock.advance(4 * minute);
    story.restart();
    await story.clock.advance(4 * minute);
    expect(story.summary()).toMatchObject({ phase: "Running" });
    [hidesReads, hidesList] = [false, false];
    await story.clock.advance(2 * minute);
    hide();
    await story.clock.advance(4 * minute);
    expect(story.summary()).toMatchObject({ phase: "Running" });
    await story.clock.advance(4 * minute);
    expect(story.condition("Ready")).toBe("False/RunDisappeared");
  });

  test("keeps a Forbid object of its job from starting", async () => {
    await story.run({}, 20_000, "first");
    hidesReads = true;
    await story.run({ concurrencyPolicy: "Forbid", startDeadlineSeconds: 3_600 }, 4 * minute, "second");
    expect(story.condition("Ready", "second")).toBe("Unknown/WaitingForConcurrency");
    expect(story.remote.posts).toHaveLength(1);
  });

  test("and turns up again after it was given up keeps a Forbid object waiting as any foreign run does", async () => {
    await story.run({}, 20_000, "first");
    hide();
    await story.clock.advance(8 * minute);
    expect(story.condition("Ready", "first")).toBe("False/RunDisappeared");
    [hidesReads, hidesList] = [false, false];
    await story.run({ concurrencyPolicy: "Forbid", startDeadlineSeconds: 3_600 }, 4 * minute, "second");
    expect(story.condition("Ready", "second")).toBe("Unknown/WaitingForConcurrency");
    expect(story.remote.posts).toHaveLength(1);
    await story.clock.advance(30 * minute);
    expect(story.remote.posts).toHaveLength(2);
  });

  test("and that is being aborted: its deletion waits for that proof as well", async () => {
    await story.run({ deletionPolicy: "Abort" }, 20_000);
    hide();
    story.remote.abort = () => undefined;
    story.cluster.delete("default/once");
    await story.clock.advance(4 * minute);
    expect(story.cluster.read("once")).toBeDefined();
    await story.clock.advance(3 * minute);
    expect(story.cluster.read("once")).toBeUndefined();
  });
});

describe("abort", () => {
  test("is recorded, sent, and told as aborted although the API says FAILED", async () => {
    story.remote.runMs = 60 * minute;
    await story.run({}, 30_000);
    story.cluster.edit("once", { spec: { abort: true } });
    await story.clock.advance(25);
    expect(story.condition("Ready")).toBe("Unknown/Aborting");
    expect(story.status().abortRequestedTime).toBe("2026-01-01T00:00:30Z");
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ phase: "Aborted", kstatus: "Failed", Ready: "False/RunAborted" });
    expect(story.events()).toEqual(["Normal RunStarted", "Normal AbortRequested", "Warning RunAborted"]);
  });

  test("cannot be taken back", async () => {
    story.remote.runMs = 60 * minute;
    await story.run({}, 30_000);
    story.cluster.edit("once", { spec: { abort: true } });
    await story.clock.advance(25);
    story.cluster.edit("once", { spec: { abort: false } });
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ phase: "Aborted", Ready: "False/RunAborted" });
  });

  test("before the start means that nothing is started", async () => {
    await story.run({ abort: true }, minute);
    expect(story.summary()).toEqual({
      phase: "Aborted",
      kstatus: "Failed",
      Ready: "False/RunAborted",
      Stalled: "True/RunAborted",
      Accepted: "True/Accepted",
      Started: "False/RunAborted",
      Succeeded: "False/RunAborted",
      Finished: "True/RunAborted",
    });
    expect(story.remote.calls).toEqual([]);
  });

  test("does not undo a success that was faster", async () => {
    await story.run({}, 24_500);
    story.cluster.edit("once", { spec: { abort: true } });
    story.remote.runMs = 0;
    await story.clock.advance(minute);
    expect(["Succeeded", "Aborted"]).toContain(story.status().phase);
    expect(story.status().phase === "Succeeded").toBe(story.status().attempts?.[0]?.remoteStatus === "SUCCESS");
  });
});

describe("suspend", () => {
  test("before the start holds the run; taking it back starts it", async () => {
    await story.run({ suspend: true }, 10 * minute);
    expect(story.summary()).toEqual({
      phase: "Pending",
      kstatus: "InProgress",
      Ready: "False/Suspended",
      Suspended: "True/Suspended",
      Accepted: "True/Accepted",
      Started: "False/Suspended",
      Succeeded: "Unknown/Suspended",
    });
    expect(story.remote.calls).toEqual([]);
    story.cluster.edit("once", { spec: { suspend: false } });
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
  });

  test("after the start stops the polling only; an abort is carried out all the same", async () => {
    story.remote.runMs = 60 * minute;
    await story.run({}, 5_000);
    story.cluster.edit("once", { spec: { suspend: true } });
    await story.clock.advance(1_000);
    const calls = story.remote.calls.length;
    await story.clock.advance(10 * minute);
    expect(story.remote.calls).toHaveLength(calls);
    expect(story.summary()).toMatchObject({ phase: "Running", Suspended: "True/Suspended" });
    story.cluster.edit("once", { spec: { abort: true } });
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ phase: "Aborted" });
  });
});

describe("bad specs", () => {
  test("a pruned field or a broken rule stops everything before any call", async () => {
    const problem = { field: "spec.sespend", message: "is not a field", remedy: 'did you mean "suspend"?' };
    use(new RunStory({ validate: () => [problem] }));
    await story.run({}, 10 * minute);
    expect(story.summary()).toMatchObject({ phase: "Pending", kstatus: "Failed", Accepted: "False/InvalidSpec" });
    expect(story.remote.calls).toEqual([]);
    expect(story.events()).toEqual(["Warning InvalidSpec"]);
    expect(story.writes()).toEqual(["status"]);
  });

  test("an opinion on the spec that comes after the start does not stop the following", async () => {
    let problems: readonly { field: string; message: string; remedy: string }[] = [];
    use(new RunStory({ validate: () => problems }));
    await story.run({}, 5_000);
    problems = [{ field: "spec", message: "is bad", remedy: "" }];
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
  });
});

describe("refusals of the start", () => {
  const table: readonly {
    readonly code: NorthflankErrorCode;
    readonly httpStatus: number;
    readonly ready: string;
    readonly postsInTwoHours: readonly [number, number];
    readonly denial?: Denial;
  }[] = [
    { code: "rejected", httpStatus: 400, ready: "False/RequestRejected", postsInTwoHours: [1, 1] },
    { code: "rejected", httpStatus: 413, ready: "False/RequestRejected", postsInTwoHours: [1, 1] },
    { code: "rejected", httpStatus: 422, ready: "False/RequestRejected", postsInTwoHours: [1, 1] },
    { code: "rejected", httpStatus: 409, ready: "False/RequestRejected", postsInTwoHours: [2, 10] },
    { code: "forbidden", httpStatus: 403, ready: "False/PermissionDenied", postsInTwoHours: [2, 3] },
    {
      code: "forbidden",
      denial: "permission",
      httpStatus: 401,
      ready: "False/PermissionDenied",
      postsInTwoHours: [2, 3],
    },
    // May have been a moment's: soon again at first.
    {
      code: "forbidden",
      denial: "unexplained",
      httpStatus: 401,
      ready: "False/PermissionDenied",
      postsInTwoHours: [6, 9],
    },
    { code: "not_found", httpStatus: 404, ready: "False/TargetNotFound", postsInTwoHours: [5, 40] },
    { code: "rate_limited", httpStatus: 429, ready: "Unknown/WaitingForQuota", postsInTwoHours: [10, 130] },
  ];
  test.each(table)("$httpStatus $denial: $ready, tried as often as its class says", async (row) => {
    const { code, httpStatus, denial } = row;
    for (let index = 0; index < 200; index++) {
      const fields = { code, step: "start", detail: "no", httpStatus, denial, sent: true };
      story.remote.refusals.push(new NorthflankError(fields));
    }
    await story.run({}, 120 * minute);
    expect(story.condition("Ready")).toBe(row.ready);
    expect(story.status().start?.outcome).toBe("NotStarted");
    expect(story.remote.posts.length).toBeGreaterThanOrEqual(row.postsInTwoHours[0]);
    expect(story.remote.posts.length).toBeLessThanOrEqual(row.postsInTwoHours[1]);
    expect(story.remote.ours).toEqual([]);
  });

  test("a 401 that strays costs the start a minute, and there is one run", async () => {
    const fields = { code: "forbidden", denial: "unexplained", step: "start", detail: "no", httpStatus: 401 } as const;
    story.remote.refusals.push(new NorthflankError({ ...fields, sent: true }));
    await story.run({}, 2 * minute);
    expect(story.remote.posts).toHaveLength(2);
    expect(story.remote.ours).toHaveLength(1);
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
  });

  test("after 422 a reconcile request sends it once more, also across a restart", async () => {
    const refusal = { code: "rejected", step: "start", detail: "no plan", httpStatus: 422, sent: true } as const;
    story.remote.refusals.push(new NorthflankError(refusal));
    await story.run({}, minute);
    story.restart();
    await story.clock.advance(60 * minute);
    expect(story.remote.posts).toHaveLength(1);
    expect(story.summary()).toMatchObject({ kstatus: "Failed", Ready: "False/RequestRejected" });
    story.cluster.edit("once", { annotations: { "reconcile.fluxcd.io/requestedAt": "2026-01-01T02:00:00Z" } });
    await story.clock.advance(minute);
    expect(story.remote.posts).toHaveLength(2);
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
  });
});

describe("a start without an answer", () => {
  test("is adopted when exactly one new run is found, after the settle time and not before", async () => {
    story.remote.mode = "answerLost";
    story.remote.runMs = 10 * minute;
    await story.run({}, 64_000);
    expect(story.summary()).toMatchObject({ phase: "Starting", Ready: "Unknown/RecoveringRun" });
    expect(story.remote.calls).toEqual(["list", "post"]);
    await story.clock.advance(2_000);
    expect(story.summary()).toMatchObject({ phase: "Running", runId: "run-1", Started: "True/RunRecovered" });
    expect(story.status()).toMatchObject({ start: { outcome: "Recovered" }, attempts: [{ origin: "Recovered" }] });
    expect(story.events()).toEqual(["Normal RunRecovered"]);
    expect(story.process.counts).toMatchObject({ started: 0, recovered: 1 });
  });

  test("AtMostOnce and no run in two reads: a person decides, and it stays so", async () => {
    story.remote.mode = "notApplied";
    await story.run({}, 5 * minute);
    expect(story.summary()).toEqual({
      phase: "Unknown",
      kstatus: "Failed",
      Ready: "False/StartOutcomeUnknown",
      Stalled: "True/StartOutcomeUnknown",
      Accepted: "True/Accepted",
      Started: "Unknown/StartOutcomeUnknown",
      Succeeded: "Unknown/StartOutcomeUnknown",
    });
    expect(story.status().completionTime).toBeUndefined();
    expect(story.events()).toEqual(["Warning StartOutcomeUnknown"]);
    const writes = story.writes().length;
    story.restart();
    await story.clock.advance(6 * 60 * minute);
    expect(story.remote.posts).toHaveLength(1);
    expect(story.writes()).toHaveLength(writes);
    // A look about once an hour, and one for the restart.
    expect(story.remote.calls.length).toBeLessThanOrEqual(3 + 1 + 7);
  });

  test("the two empty reads are at least the settle time apart", async () => {
    story.remote.mode = "notApplied";
    await story.run({}, 94_000);
    expect(story.condition("Ready")).toBe("Unknown/RecoveringRun");
    await story.clock.advance(10_000);
    expect(story.condition("Ready")).toBe("False/StartOutcomeUnknown");
  });

  test("resolve-start: fail ends it, once", async () => {
    story.remote.mode = "notApplied";
    await story.run({}, 5 * minute);
    story.cluster.edit("once", { annotations: { [resolveStart]: "fail" } });
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({
      phase: "Failed",
      Succeeded: "False/StartOutcomeUnknown",
      Finished: "True/StartOutcomeUnknown",
      Started: "Unknown/StartOutcomeUnknown",
    });
    expect(story.status().lastHandledResolveStart).toBe("fail");
  });

  test("resolve-start: retry sends once; after a second lost answer only another value sends again", async () => {
    story.remote.mode = "notApplied";
    await story.run({}, 5 * minute);
    story.cluster.edit("once", { annotations: { [resolveStart]: "retry" } });
    story.remote.mode = "normal";
    await story.clock.advance(minute);
    expect(story.remote.posts).toHaveLength(2);
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
    expect(story.status()).toMatchObject({
      lastHandledResolveStart: "retry",
      start: { attempt: 1, outcome: "Accepted" },
    });
    expect(story.status().start?.firstRecordedTime).toBeDefined();
  });

  test("resolve-start: a run id is adopted if the job has it and nobody else does", async () => {
    story.remote.mode = "notApplied";
    await story.run({}, 5 * minute);
    story.cluster.edit("once", { annotations: { [resolveStart]: "run-9" } });
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ Ready: "False/StartOutcomeUnknown" });
    expect(story.status().lastHandledResolveStart).toBe("run-9");
    const id = story.remote.startForeign();
    story.cluster.edit("once", { annotations: { [resolveStart]: id } });
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: id });
  });

  test("several new runs are never guessed at, under either guarantee", async () => {
    story.remote.mode = "notApplied";
    await story.run({ startGuarantee: "AtLeastOnce" }, 10_000);
    story.remote.startForeign();
    story.remote.startForeign();
    await story.clock.advance(10 * minute);
    expect(story.summary()).toMatchObject({ phase: "Unknown", Ready: "False/StartOutcomeUnknown" });
    expect(story.remote.posts).toHaveLength(1);
    const { message = "" } = story.status().conditions?.find(({ type }) => type === "Ready") ?? {};
    expect(message).toContain("run-1-foreign");
    expect(message).toContain("run-2-foreign");
  });

  test("AtLeastOnce starts again, and a late run of the first start is told as a duplicate with both ids", async () => {
    story.remote.mode = "appliedLate";
    story.remote.lateMs = 3 * minute;
    story.remote.runMs = 20 * minute;
    await story.run({ startGuarantee: "AtLeastOnce" }, 10 * minute);
    expect(story.remote.ours).toEqual(["run-1", "run-2"]);
    expect(story.summary()).toMatchObject({ phase: "Running", Started: "True/DuplicateRun", runId: "run-1" });
    expect(story.status().duplicateRunId).toBe("run-2");
    expect(story.events().filter((event) => event === "Warning DuplicateRun")).toHaveLength(1);
  });

  test("AtLeastOnce: a duplicate is told also when the second run was over before it came", async () => {
    story.remote.mode = "appliedLate";
    story.remote.lateMs = 5 * minute;
    await story.run({ startGuarantee: "AtLeastOnce" }, 4 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
    const calls = story.remote.calls.length;
    await story.clock.advance(20 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", Started: "True/DuplicateRun" });
    expect(story.remote.calls).toHaveLength(calls + 1);
  });

  test("abort while the outcome is open: what is found is aborted", async () => {
    story.remote.mode = "answerLost";
    story.remote.runMs = 60 * minute;
    await story.run({}, 10_000);
    story.cluster.edit("once", { spec: { abort: true } });
    await story.clock.advance(3 * minute);
    expect(story.summary()).toMatchObject({ phase: "Aborted", runId: "run-1" });
  });

  test("without a Date header the ids alone decide, after a wait of our own", async () => {
    story.remote.sendsDate = false;
    story.remote.mode = "answerLost";
    story.remote.startForeign();
    await story.run({}, 64_000);
    expect(story.summary()).toMatchObject({ phase: "Starting" });
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ runId: "run-2", Started: "True/RunRecovered" });
  });

  test("other starts of the job wait for it, also under Allow, where they wait for its settle time only", async () => {
    story.remote.mode = "notApplied";
    await story.run({}, 40_000, "first");
    story.cluster.create("allowed");
    await story.run({ concurrencyPolicy: "Forbid", startDeadlineSeconds: 7_200 }, 20_000, "second");
    for (const name of ["allowed", "second"]) {
      expect(story.summary(name)).toMatchObject({ phase: "Pending", Ready: "Unknown/WaitingForConcurrency" });
    }
    expect(story.remote.posts).toHaveLength(1);
    await story.clock.advance(2 * minute);
    expect(story.summary("allowed")).toMatchObject({ phase: "Succeeded" });
    expect(story.summary("second")).toMatchObject({ phase: "Pending", Ready: "Unknown/WaitingForConcurrency" });
    expect(story.remote.posts).toHaveLength(2);
    story.cluster.edit("first", { annotations: { [resolveStart]: "fail" } });
    await story.clock.advance(3 * minute);
    story.cluster.edit("first", { annotations: { [resolveStart]: "fail@2" } });
    await story.clock.advance(2 * minute);
    expect(story.summary("second")).toMatchObject({ phase: "Succeeded" });
  });
});

describe("answers that could not be written down", () => {
  test("a run id is kept in memory and written later; nothing is sent again", async () => {
    let fails = 3;
    const write = story.cluster.patchStatus.bind(story.cluster);
    story.cluster.patchStatus = (key, patch) => {
      if (fails-- > 0) throw new Error("the API server is away");
      return write(key, patch);
    };
    await story.run({}, 2 * minute);
    expect(story.process.failures).toHaveLength(3);
    story.process.failures.length = 0;
    expect(story.remote.posts).toHaveLength(1);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", Started: "True/RunStarted" });
  });

  test("an intent whose PUT has lost its answer is known to have sent nothing, and is started anew", async () => {
    let isFirst = true;
    const replace = story.cluster.replaceStatus.bind(story.cluster);
    story.cluster.replaceStatus = (object) => {
      const written = replace(object);
      if (!isFirst) return written;
      isFirst = false;
      throw new Error("the answer was lost");
    };
    await story.run({}, minute);
    story.process.failures.length = 0;
    expect(story.summary()).toMatchObject({ phase: "Succeeded", Started: "True/RunStarted" });
    expect(story.remote.posts).toHaveLength(1);
  });

  test("a status that somebody wrote over does not start a second run", async () => {
    story.remote.runMs = 10 * minute;
    await story.run({}, 30_000);
    const { metadata } = story.object();
    story.cluster.patchStatus("default/once", { metadata, status: { attempts: null, runId: null, runName: null } });
    story.restart();
    await story.clock.advance(5 * minute);
    expect(story.remote.posts).toHaveLength(1);
    expect(story.summary()).toMatchObject({ phase: "Running", runId: "run-1" });
  });

  test("a record that took too long sends nothing", async () => {
    let delays = 1;
    use(
      new RunStory({
        onBoundary: (process, boundary, side) => {
          if (boundary !== "intentWrite" || side !== "after" || delays-- <= 0) return;
          process.freeze(10 * minute);
          story.clock.setTimer(() => process.thaw(), 5_000);
        },
      }),
    );
    await story.run({}, minute);
    expect(story.remote.posts).toHaveLength(1);
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
    expect(story.status().start?.id).toBe("p1-2");
  });

  test("4.9 s are not too long", async () => {
    let delays = 1;
    use(
      new RunStory({
        onBoundary: (process, boundary, side) => {
          if (boundary !== "intentWrite" || side !== "after" || delays-- <= 0) return;
          process.freeze(10 * minute);
          story.clock.setTimer(() => process.thaw(), 4_900);
        },
      }),
    );
    await story.run({}, minute);
    expect(story.status().start?.id).toBe("p1-1");
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
  });
});

describe("concurrencyPolicy", () => {
  const other: Partial<NorthflankJobRun["spec"]> = { startDeadlineSeconds: 7_200 };

  test("Allow: two objects make two runs at once, each its own", async () => {
    story.remote.runMs = 5 * minute;
    story.cluster.create("first");
    story.cluster.create("second");
    await story.clock.advance(10_000);
    expect([story.status("first").runId, story.status("second").runId].sort()).toEqual(["run-1", "run-2"]);
  });

  test("Forbid waits for ours, and is woken at its end", async () => {
    story.remote.runMs = 2 * minute;
    await story.run({}, 1_000, "first");
    await story.run({ ...other, concurrencyPolicy: "Forbid" }, minute, "second");
    expect(story.summary("second")).toMatchObject({ kstatus: "InProgress", Ready: "Unknown/WaitingForConcurrency" });
    expect(story.remote.posts).toHaveLength(1);
    await story.clock.advance(5 * minute);
    expect(story.summary("second")).toMatchObject({ phase: "Succeeded" });
  });

  test("Forbid waits for a foreign run, looking about twice a minute", async () => {
    story.remote.runMs = 10 * minute;
    story.remote.startForeign();
    await story.run({ ...other, concurrencyPolicy: "Forbid" }, 9 * minute);
    expect(story.condition("Ready")).toBe("Unknown/WaitingForConcurrency");
    expect(story.remote.calls.length).toBeLessThanOrEqual(20);
    await story.clock.advance(15 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
  });

  test("Replace aborts ours first", async () => {
    story.remote.runMs = 60 * minute;
    await story.run({}, 30_000, "first");
    await story.run({ ...other, concurrencyPolicy: "Replace" }, minute, "second");
    expect(story.summary("first")).toMatchObject({ phase: "Aborted", Ready: "False/RunAborted" });
    expect(story.summary("second")).toMatchObject({ phase: "Running", runId: "run-2" });
    expect(story.status("first").abortRequestedTime).toBeDefined();
  });

  test("Replace leaves a foreign run alone and waits", async () => {
    story.remote.runMs = 60 * minute;
    story.remote.startForeign();
    await story.run({ ...other, concurrencyPolicy: "Replace" }, 5 * minute);
    expect(story.remote.calls).not.toContain("abort");
    expect(story.condition("Ready")).toBe("Unknown/WaitingForConcurrency");
  });

  test("Forbid gives up at startDeadlineSeconds", async () => {
    story.remote.runMs = 60 * minute;
    await story.run({}, 1_000, "first");
    await story.run({ concurrencyPolicy: "Forbid", startDeadlineSeconds: 120 }, 3 * minute, "second");
    expect(story.summary("second")).toMatchObject({ Ready: "False/StartDeadlineExceeded" });
  });

  test("twenty at once: each gets exactly one run", async () => {
    for (let index = 0; index < 20; index++) story.cluster.create(`run-${index}`);
    await story.clock.advance(10 * minute);
    const ids = story.cluster.list().map(({ status }) => status?.runId);
    expect(new Set(ids).size).toBe(20);
    expect(story.remote.ours).toHaveLength(20);
  });
});

describe("deletion", () => {
  const abortPolicy = { deletionPolicy: "Abort" } as const;

  test("Orphan: no finalizer, the run goes on", async () => {
    story.remote.runMs = 60 * minute;
    await story.run({}, 10_000);
    expect(story.object().metadata.finalizers ?? []).toEqual([]);
    story.cluster.delete("default/once");
    await story.clock.advance(10 * minute);
    expect(story.cluster.read("once")).toBeUndefined();
    expect(story.remote.calls).not.toContain("abort");
  });

  test("Abort: the finalizer is there before the POST and gone after the end", async () => {
    const seen: (readonly string[] | undefined)[] = [];
    use(
      new RunStory({
        onBoundary: (_, boundary, side) => {
          if (boundary === "postSent" && side === "before") seen.push(story.object().metadata.finalizers);
        },
      }),
    );
    await story.run(abortPolicy, 10_000);
    expect(seen).toEqual([[runFinalizer]]);
    await story.clock.advance(minute);
    expect(story.object().metadata.finalizers).toBeUndefined();
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
  });

  test("Abort: a deletion aborts the run, then lets the object go", async () => {
    story.remote.runMs = 60 * minute;
    await story.run(abortPolicy, 10_000);
    story.cluster.delete("default/once");
    await story.clock.advance(minute);
    expect(story.remote.calls.filter((call) => call === "abort")).toHaveLength(1);
    expect(story.cluster.read("once")).toBeUndefined();
  });

  test("finalizers of others survive ours", async () => {
    story.remote.runMs = 60 * minute;
    story.cluster.create("once", abortPolicy, { finalizers: ["argocd.argoproj.io/hook-finalizer"] });
    await story.clock.advance(10_000);
    expect(story.object().metadata.finalizers).toEqual(["argocd.argoproj.io/hook-finalizer", runFinalizer]);
    story.cluster.delete("default/once");
    await story.clock.advance(minute);
    expect(story.object().metadata.finalizers).toEqual(["argocd.argoproj.io/hook-finalizer"]);
    expect(story.condition("Ready")).toBe("False/AbortedOnDelete");
  });

  test("the policy may change while the run is active", async () => {
    story.remote.runMs = 60 * minute;
    await story.run({}, 10_000);
    story.cluster.edit("once", { spec: abortPolicy });
    await story.clock.advance(30_000);
    expect(story.object().metadata.finalizers).toEqual([runFinalizer]);
    story.cluster.edit("once", { spec: { deletionPolicy: "Orphan" } });
    await story.clock.advance(30_000);
    expect(story.object().metadata.finalizers).toBeUndefined();
  });

  test("Abort while the outcome is open: held until it is known, then aborted", async () => {
    story.remote.mode = "answerLost";
    story.remote.runMs = 60 * minute;
    await story.run(abortPolicy, 10_000);
    story.cluster.delete("default/once");
    await story.clock.advance(30_000);
    expect(story.cluster.read("once")).toBeDefined();
    await story.clock.advance(2 * minute);
    expect(story.remote.calls).toContain("abort");
    expect(story.cluster.read("once")).toBeUndefined();
  });

  test("Abort, outcome open and no run to be found: let go, with a Warning", async () => {
    story.remote.mode = "notApplied";
    await story.run(abortPolicy, 10_000);
    story.cluster.delete("default/once");
    await story.clock.advance(5 * minute);
    expect(story.cluster.read("once")).toBeUndefined();
    expect(story.events()).toContain("Warning Abandoned");
  });

  test("Abort with the Secret gone before this process: a Warning, tries for ten minutes, then lets go", async () => {
    let isGone = false;
    const readyState = { kind: "stalled", reason: "SecretNotFound", message: "The Secret is gone." } as const;
    use(
      new RunStory({ account: () => (isGone ? { kind: "blocked", readyState, recheckAfterMs: minute } : undefined) }),
    );
    story.remote.runMs = 60 * minute;
    await story.run(abortPolicy, 10_000);
    isGone = true;
    story.restart();
    story.cluster.delete("default/once");
    await story.clock.advance(9 * minute);
    expect(story.object().metadata.finalizers).toEqual([runFinalizer]);
    expect(story.events()).toContain("Warning SecretNotFound");
    await story.clock.advance(2 * minute);
    expect(story.cluster.read("once")).toBeUndefined();
    expect(story.events()).toContain("Warning DeleteTimedOut");
  });

  test("deleted before the start: nothing is started", async () => {
    story.cluster.create("once", { suspend: true }, { finalizers: ["example.com/other"] });
    await story.clock.advance(minute);
    story.cluster.delete("default/once");
    story.cluster.edit("once", { spec: { suspend: false } });
    await story.clock.advance(10 * minute);
    expect(story.remote.calls).toEqual([]);
    expect(story.condition("Ready")).toBe("Unknown/Deleting");
  });

  test("deleted and made again under the same name while the POST is in flight: two objects, a run each", async () => {
    await story.run({}, 60);
    expect(story.remote.posts).toHaveLength(1);
    story.cluster.delete("default/once");
    story.cluster.create("once");
    await story.clock.advance(2 * minute);
    expect(story.status().runId).toBe("run-2");
    expect(story.remote.posts).toHaveLength(2);
  });
});

describe("references", () => {
  const canary = "c4n4ry-value";
  const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "db", namespace: "default" } };

  test("values go into the body and nowhere else", async () => {
    story.cluster.put({ ...secret, data: { url: Buffer.from(canary).toString("base64") } });
    story.remote.results.push("FAILED");
    const runtimeEnvironmentFrom = [{ secretKeyRef: { name: "db", key: "url" }, name: "URL" }];
    await story.run({ runtimeEnvironmentFrom }, minute);
    expect(story.remote.posts[0]?.body.runtimeEnvironment).toEqual({ URL: canary });
    const told = JSON.stringify([story.cluster.writes, story.process.events, story.process.log.lines, story.object()]);
    expect(told).not.toContain(canary);
    expect(told).not.toContain(Buffer.from(canary).toString("base64"));
  });

  test("a missing Secret is waited for, without a call, and taken up within a minute of its coming", async () => {
    const runtimeEnvironmentFrom = [{ secretKeyRef: { name: "db", key: "url" }, name: "URL" }];
    await story.run({ runtimeEnvironmentFrom }, 10 * minute);
    expect(story.summary()).toMatchObject({ kstatus: "Failed", Accepted: "False/SecretNotFound" });
    expect(story.remote.calls).toEqual([]);
    expect(story.writes()).toEqual(["status"]);
    story.cluster.put({ ...secret, data: { url: Buffer.from("x").toString("base64") } });
    await story.clock.advance(minute);
    expect(story.remote.posts).toHaveLength(1);
  });
});

describe("what is said again", () => {
  test("names the run that failed, in one write, until the next one is started", async () => {
    story.remote.runMs = 5_000;
    story.remote.results.push("FAILED");
    await story.run({ backoffLimit: 1 }, 11_000);
    const writes = story.cluster.writes.length;
    const said = story.status().conditions?.find(({ type }) => type === "Succeeded")?.message;
    expect(said).toBe("Run run-1 failed (FAILED); run 2 of 2 is started 10s after it.");
    await story.clock.advance(9_000);
    expect(story.cluster.writes).toHaveLength(writes);
    expect(story.status().conditions?.find(({ type }) => type === "Succeeded")?.message).toBe(said);
  });

  test("is about the start, once the connection that was in its way is back", async () => {
    let isPaused = true;
    const readyState = {
      kind: "waiting",
      reason: "ConnectionSuspended",
      message: "The connection is paused.",
    } as const;
    const blocked: AccountResolution = { kind: "blocked", readyState, recheckAfterMs: 30_000 };
    use(new RunStory({ account: () => (isPaused ? blocked : undefined) }));
    const start = { id: "s", attempt: 1, recordedTime: "2026-01-01T01:00:00Z", outcome: "Pending" } as const;
    story.process.kill();
    story.cluster.create("once");
    story.cluster.replaceStatus({ ...story.object(), status: { observedGeneration: 1, start } });
    story.restart();
    await story.clock.advance(1_000);
    expect(story.condition("Started")).toBe("Unknown/RecoveringRun");
    expect(story.condition("Ready")).toBe("Unknown/ConnectionSuspended");
    isPaused = false;
    await story.clock.advance(30_000);
    expect(story.condition("Ready")).toBe("Unknown/RecoveringRun");
    expect(JSON.stringify(story.status().conditions)).not.toContain(readyState.message);
  });
});

test("an object that is never what the pass took it for costs ever fewer requests", async () => {
  const get = story.cluster.get.bind(story.cluster);
  story.cluster.get = (kind, key) => {
    const object = get(kind, key);
    return { ...object, metadata: { ...object.metadata, generation: 99 } };
  };
  await story.run({}, 10 * minute);
  expect(story.remote.posts).toEqual([]);
  expect(story.remote.calls.length).toBeLessThanOrEqual(20);
});

test("a record that somebody else's write keeps from being closed is closed a moment later", async () => {
  let refusals = 1;
  const replace = story.cluster.replaceStatus.bind(story.cluster);
  story.cluster.replaceStatus = (object) => {
    if (object.status?.start?.outcome === "Accepted" && refusals-- > 0) {
      story.cluster.edit("once", { annotations: { note: "x" } });
    }
    return replace(object);
  };
  await story.run({}, 5_000);
  expect(story.status()).toMatchObject({ phase: "Running", start: { outcome: "Accepted" } });
  expect(story.remote.posts).toHaveLength(1);
});

test("a person may answer before the question is put", async () => {
  story.remote.mode = "notApplied";
  await story.run({}, 10_000);
  story.cluster.edit("once", { annotations: { [resolveStart]: "retry" } });
  await story.clock.advance(4 * minute);
  expect(story.remote.posts).toHaveLength(2);
  expect(story.summary()).toMatchObject({ phase: "Succeeded" });
});

test("what was set aside to read a start back is given back where a person ends it while it cannot be read", async () => {
  let isPaused = false;
  const message = "the connection is suspended";
  const readyState = { kind: "waiting", reason: "ConnectionSuspended", message } as const;
  const blocked: AccountResolution = { kind: "blocked", readyState, recheckAfterMs: 30_000 };
  use(new RunStory({ account: () => (isPaused ? blocked : undefined) }));
  story.remote.nextMode = "notApplied";
  await story.run({}, 1_000);
  expect(story.northflank.quota.held).toEqual({ reserved: 1, inFlight: 0 });
  isPaused = true;
  story.cluster.edit("once", { annotations: { [resolveStart]: "fail" } });
  await story.clock.advance(5 * minute);
  expect(story.status().completionTime).toBeDefined();
  expect(story.northflank.quota.held).toEqual({ reserved: 0, inFlight: 0 });
});

test("a person who has seen several new runs may still want another one", async () => {
  story.remote.mode = "notApplied";
  await story.run({}, 10_000);
  story.remote.startForeign();
  story.remote.startForeign();
  await story.clock.advance(5 * minute);
  expect(story.condition("Ready")).toBe("False/StartOutcomeUnknown");
  story.cluster.edit("once", { annotations: { [resolveStart]: "retry" } });
  await story.clock.advance(2 * minute);
  expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-3" });
});

test("a reconcile request that is written in a loop gets a look every two seconds, not one per write", async () => {
  story.remote.runMs = 60 * minute;
  await story.run({}, 20 * minute);
  const calls = story.remote.calls.length;
  for (let index = 0; index < 100; index++) {
    const value = `request ${index}`;
    story.cluster.edit("once", { annotations: { "northflank-operator.io/reconcile-requested-at": value } });
    await story.clock.advance(100);
  }
  expect(story.remote.calls.length - calls).toBeGreaterThanOrEqual(3);
  expect(story.remote.calls.length - calls).toBeLessThanOrEqual(7);
  await story.clock.advance(1_000);
  expect(story.status().lastHandledReconcileAt).toBe("request 99");
});

test("a reconcile request stays open while the quota allows no look, and is answered by the next one", async () => {
  story.remote.runMs = 60 * minute;
  await story.run({}, 5 * minute);
  const { read } = story.remote;
  let refused = 0;
  story.remote.read = () => {
    refused += 1;
    const given = { step: "get run", detail: "no quota", sent: false, retryAfterMs: 10 * minute };
    throw new NorthflankError({ code: "quota_closed", ...given });
  };
  story.cluster.edit("once", { annotations: { "northflank-operator.io/reconcile-requested-at": "now" } });
  await story.clock.advance(5 * minute);
  expect(story.status().lastHandledReconcileAt).toBeUndefined();
  expect(refused).toBeLessThanOrEqual(2);
  story.remote.read = read.bind(story.remote);
  await story.clock.advance(10 * minute);
  expect(story.status().lastHandledReconcileAt).toBe("now");
});

describe("a connection that is led to another account in mid-run", () => {
  let away: FakeNorthflank | undefined;
  beforeEach(() => {
    away = undefined;
    use(new RunStory({ elsewhere: () => away }));
  });

  test("does not end the run; it is followed to its end when the connection leads back", async () => {
    story.remote.runMs = 20 * minute;
    await story.run({}, minute);
    away = accountWithJob(story.clock);
    await story.clock.advance(30 * minute);
    expect(story.summary()).toMatchObject({
      kstatus: "Failed",
      phase: "Running",
      Stalled: "True/AccountChanged",
      Succeeded: "Unknown/AccountChanged",
    });
    expect(story.status().completionTime).toBeUndefined();
    expect(away.runs.calls.filter((call) => call !== "get")).toEqual([]);
    expect(away.runs.calls.length).toBeLessThanOrEqual(5);
    away = undefined;
    await story.clock.advance(11 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", kstatus: "Current", Finished: "True/RunSucceeded" });
  });

  test("does not lose a start whose answer was lost, nor take a foreign run for it, nor start a second one", async () => {
    story.remote.mode = "answerLost";
    const other = accountWithJob(story.clock);
    await story.run({ startGuarantee: "AtLeastOnce" }, 1_000);
    away = other;
    other.runs.startForeign();
    await story.clock.advance(30 * minute);
    expect(story.summary()).toMatchObject({ kstatus: "Failed", Stalled: "True/AccountChanged" });
    expect(other.runs.calls).toEqual([]);
    away = undefined;
    await story.clock.advance(12 * minute);
    expect(story.status().attempts?.map(({ origin }) => origin)).toEqual(["Recovered"]);
    expect(story.remote.calls.filter((call) => call === "post")).toHaveLength(1);
  });

  test("makes no difference where the run is found there after all", async () => {
    story.remote.runMs = 5 * minute;
    await story.run({}, minute);
    const same = accountWithJob(story.clock);
    same.runs.read = (runId) => story.remote.read(runId);
    away = same;
    await story.clock.advance(10 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", kstatus: "Current" });
  });

  test("keeps neither a deletion nor its finalizer for ever", async () => {
    story.remote.runMs = 60 * minute;
    await story.run({ deletionPolicy: "Abort" }, minute);
    away = accountWithJob(story.clock);
    story.cluster.delete("default/once");
    await story.clock.advance(11 * minute);
    expect(story.cluster.read("once")).toBeUndefined();
    expect(story.events()).toContain("Warning DeleteTimedOut");
  });
});

describe("after the cluster was restored from a backup", () => {
  // G + T + S: what was sent before the restore is listed by then.
  const heldMs = 65_000;

  test.each([
    ["ahead", 60 * minute],
    ["behind", -60 * minute],
  ])(
    "a run that was started since the backup is adopted, not started again: Northflank's clock is %s",
    async (_, ms) => {
      story.remote.skewMs = ms;
      story.remote.runMs = 10 * minute;
      story.cluster.create("once");
      const backup = story.cluster.list();
      await story.clock.advance(5_000);
      expect(story.summary()).toMatchObject({ phase: "Running", runId: "run-1" });
      story.restore(backup);
      await story.clock.advance(heldMs - 1_000);
      expect(story.summary()).toMatchObject({ phase: "Pending", Ready: "Unknown/ClusterRestored" });
      await story.clock.advance(3_000);
      expect(story.summary()).toMatchObject({ phase: "Running", runId: "run-1", Started: "True/RunRecovered" });
      expect(story.status()).toMatchObject({ start: { outcome: "Recovered" }, attempts: [{ origin: "Recovered" }] });
      await story.clock.advance(10 * minute);
      expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-1" });
      expect(story.remote.posts).toHaveLength(1);
    },
  );

  test("it is adopted also when it has ended meanwhile", async () => {
    story.cluster.create("once");
    const backup = story.cluster.list();
    await story.clock.advance(5 * minute);
    story.restore(backup);
    await story.clock.advance(5 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-1" });
    expect(story.remote.posts).toHaveLength(1);
  });

  test("a further run after a failure is looked for as well", async () => {
    story.remote.results.push("FAILED");
    story.remote.runMs = 20_000;
    await story.run({ backoffLimit: 3 }, 30_000);
    expect(story.status().attempts).toMatchObject([{ runId: "run-1" }]);
    const backup = story.cluster.list();
    story.remote.runMs = 10 * minute;
    await story.clock.advance(minute);
    expect(story.status().attempts).toMatchObject([{ runId: "run-1" }, { runId: "run-2" }]);
    story.restore(backup);
    await story.clock.advance(2 * minute);
    expect(story.status().attempts).toMatchObject([{ runId: "run-1" }, { runId: "run-2", origin: "Recovered" }]);
    expect(story.remote.posts).toHaveLength(2);
  });

  test("the run of a start that a person has repeated is looked for as well", async () => {
    story.remote.mode = "notApplied";
    await story.run({}, 5 * minute);
    expect(story.condition("Ready")).toBe("False/StartOutcomeUnknown");
    story.remote.runMs = 10 * minute;
    let backup: ReturnType<typeof story.cluster.list> | undefined;
    const replace = story.cluster.replaceStatus.bind(story.cluster);
    story.cluster.replaceStatus = (object) => {
      const written = replace(object);
      if (object.status?.start?.reason === "RetryingRun") backup ??= story.cluster.list();
      return written;
    };
    story.cluster.edit("once", { annotations: { [resolveStart]: "retry" } });
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ phase: "Running", runId: "run-1" });
    story.restore(backup ?? []);
    await story.clock.advance(15 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-1", Started: "True/RunRecovered" });
    expect(story.remote.posts).toHaveLength(2);
  });

  test.each([
    ["AtMostOnce", "False/StartOutcomeUnknown", 1],
    ["AtLeastOnce", "True/RunSucceeded", 2],
  ] as const)(
    "a list that is cut does not tell that nothing was started (%s)",
    async (startGuarantee, ready, posts) => {
      story.cluster.create("once", { startGuarantee });
      const backup = story.cluster.list();
      await story.clock.advance(5_000);
      story.restore(backup);
      const list = story.remote.list.bind(story.remote);
      story.remote.list = (jobId) => ({ ...list(jobId), runs: [], truncated: true });
      await story.clock.advance(10 * minute);
      expect(story.condition("Ready")).toBe(ready);
      expect(story.remote.posts).toHaveLength(posts);
    },
  );

  test("a person tells which of several runs it was", async () => {
    story.remote.mode = "foreignRun";
    story.cluster.create("once");
    const backup = story.cluster.list();
    await story.clock.advance(5_000);
    story.restore(backup);
    await story.clock.advance(10 * minute);
    expect(story.condition("Ready")).toBe("False/StartOutcomeUnknown");
    expect(story.remote.posts).toHaveLength(1);
    story.cluster.edit("once", { annotations: { [resolveStart]: "run-1" } });
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-1" });
    expect(story.remote.posts).toHaveLength(1);
  });

  test("what was never started is started, once, when nothing is listed that could be its run", async () => {
    await story.run({ suspend: true }, 5_000);
    story.restore(story.cluster.list());
    story.cluster.edit("once", { spec: { suspend: false } });
    await story.clock.advance(heldMs - 1_000);
    expect(story.condition("Ready")).toBe("Unknown/ClusterRestored");
    expect(story.remote.posts).toEqual([]);
    await story.clock.advance(2 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
    expect(story.remote.posts).toHaveLength(1);
  });

  test("an object that was made later is held as well, and starts a run of its own whatever others ran before", async () => {
    story.remote.mode = "foreignRun";
    await story.run({}, 5 * minute, "before");
    story.remote.mode = "normal";
    story.restore(story.cluster.list());
    await story.run({}, heldMs - 1_000, "later");
    expect(story.condition("Ready", "later")).toBe("Unknown/ClusterRestored");
    await story.clock.advance(2 * minute);
    expect(story.summary("later")).toMatchObject({ phase: "Succeeded" });
    expect(story.remote.posts).toHaveLength(2);
  });
});
