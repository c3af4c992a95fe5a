import { afterEach, describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { resolveStart } from "../../../src/api/names.ts";
import { NorthflankError } from "../../../src/northflank/errors.ts";
import type { FakeNorthflank } from "../../support/fake-northflank.ts";
import { accountWithJob, RunStory } from "../../support/run-story.ts";

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
    const readyState = { kind: "waiting", reason: "WaitingForQuota", message: "The quota is spent." } as const;
    story = new RunStory({
      account: () => (isClosed ? { kind: "blocked", readyState, recheckAfterMs: minute } : undefined),
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
    expect(story.status()).toMatchObject({ phase: "Succeeded", attempts: [{ origin: "Started" }] });
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

test("AtLeastOnce: one that began too late to be that of the first start is told as a duplicate", async () => {
  let reads = 0;
  story = new RunStory({
    onBoundary: (_, boundary, side) => {
      if (boundary === "resolveRead" && side === "after" && ++reads === 2) story.remote.startForeign();
    },
  });
  story.remote.mode = "notApplied";
  await story.run({ startGuarantee: "AtLeastOnce" }, 4 * minute);
  expect(story.remote.posts).toHaveLength(2);
  expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-2", Started: "True/DuplicateRun" });
  expect(story.status().duplicateRunId).toBe("run-1-foreign");
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

describe("an API server that answers 200 and does not store what was written", () => {
  type Status = NonNullable<NorthflankJobRun["status"]>;

  // What leaves an open record behind is, to the next pass, a start that may be on its way: a person decides.
  test.each<readonly [string, (start: NonNullable<Status["start"]>) => Status["start"], string]>([
    ["the start record", () => undefined, "StatusNotStored"],
    ["its outcome", (start) => ({ ...start, outcome: "NotStarted" }), "StatusNotStored"],
    ["its id", (start) => ({ ...start, id: "other" }), "StartOutcomeUnknown"],
    ["its attempt", (start) => ({ ...start, attempt: start.attempt + 1 }), "StartOutcomeUnknown"],
    ["its account", ({ account: _, ...start }) => start, "StartOutcomeUnknown"],
  ])("%s: nothing is sent, the state says so, and it is tried about once an hour", async (_, drop, reason) => {
    story = new RunStory();
    const replace = story.cluster.replaceStatus.bind(story.cluster);
    let isOld = true;
    story.cluster.replaceStatus = (object) => {
      const { start, ...status } = object.status ?? { observedGeneration: -1 };
      const kept = start === undefined || !isOld ? start : drop(start);
      return replace({ ...object, status: { ...status, ...(kept === undefined ? {} : { start: kept }) } });
    };
    await story.run({}, 10 * minute);
    story.restart();
    await story.clock.advance(30 * minute);
    expect(story.remote.posts).toEqual([]);
    expect(story.condition("Stalled")).toBe(`True/${reason}`);
    expect(story.remote.calls.length).toBeLessThanOrEqual(4);
    expect(story.process.passes).toBeLessThanOrEqual(10);
    isOld = false;
    story.cluster.edit("once", { annotations: { "northflank-operator.io/reconcile-requested-at": "now" } });
    // Where the record says that a start may be on its way, that is resolved first.
    await story.clock.advance(5 * minute);
    expect(["Succeeded", "Unknown"]).toContain(story.status().phase);
  });

  test("an annotation that counts as new for ever does not start a run over and over", async () => {
    story = new RunStory();
    story.remote.mode = "notApplied";
    await story.run({}, 5 * minute);
    const patch = story.cluster.patchStatus.bind(story.cluster);
    story.cluster.patchStatus = (key, body) => {
      const { lastHandledResolveStart: _, ...status } = body.status as Partial<Status>;
      return patch(key, { ...body, status });
    };
    story.cluster.edit("once", { annotations: { [resolveStart]: "retry" } });
    await story.clock.advance(6 * 60 * minute);
    expect(story.remote.posts).toHaveLength(1);
    expect(story.condition("Stalled")).toBe("True/StatusNotStored");
    expect(story.process.passes).toBeLessThanOrEqual(30);
  });

  test("an end that is not stored keeps no deletion", async () => {
    story = new RunStory();
    story.remote.runMs = 600 * minute;
    await story.run({ deletionPolicy: "Abort" }, minute);
    const patch = story.cluster.patchStatus.bind(story.cluster);
    story.cluster.patchStatus = (key, body) => {
      const { completionTime: _, ...status } = body.status as Partial<Status>;
      return patch(key, { ...body, status });
    };
    story.cluster.delete("default/once");
    await story.clock.advance(12 * minute);
    expect(story.cluster.read("once")).toBeUndefined();
  });

  test.each([
    ["known", false],
    ["searched for by another process", true],
  ])("a run that is not stored is aborted for a deletion all the same: %s", async (_, isRestarted) => {
    story = new RunStory();
    story.remote.runMs = 600 * minute;
    const patch = story.cluster.patchStatus.bind(story.cluster);
    story.cluster.patchStatus = (key, body) => {
      const { attempts: _dropped, ...status } = body.status as Partial<Status>;
      return patch(key, { ...body, status });
    };
    const abort = story.remote.abort.bind(story.remote);
    story.remote.abort = (runId) => {
      story.clock.setTimer(() => abort(runId), 20_000);
    };
    await story.run({ deletionPolicy: "Abort" }, minute);
    expect(story.condition("Stalled")).toBe("True/StatusNotStored");
    if (isRestarted) story.restart();
    story.cluster.delete("default/once");
    await story.clock.advance(5 * minute);
    expect(story.remote.isActive("run-1")).toBe(false);
    expect(story.cluster.read("once")).toBeUndefined();
    expect(story.events().filter((event) => event.endsWith("AbortedOnDelete"))).toHaveLength(1);
    expect(story.remote.calls.length).toBeLessThanOrEqual(12);
    expect(story.end()).toEqual([]);
  });

  test("an end that is not stored is told, and asked for about once an hour", async () => {
    story = new RunStory();
    const patch = story.cluster.patchStatus.bind(story.cluster);
    story.cluster.patchStatus = (key, body) => {
      const { completionTime: _, ...status } = body.status as Partial<Status>;
      return patch(key, { ...body, status });
    };
    await story.run({}, 3 * 60 * minute);
    expect(story.condition("Stalled")).toBe("True/StatusNotStored");
    expect(story.remote.posts).toHaveLength(1);
    expect(story.remote.calls.length).toBeLessThanOrEqual(12);
  });

  test("an abort is carried out although its record is lost, and nothing turns in a circle", async () => {
    story = new RunStory();
    story.remote.runMs = 600 * minute;
    await story.run({}, minute);
    const patch = story.cluster.patchStatus.bind(story.cluster);
    story.cluster.patchStatus = (key, body) => {
      const { abortRequestedTime: _, ...status } = body.status as Partial<Status>;
      return patch(key, { ...body, status });
    };
    const before = story.process.passes;
    story.cluster.edit("once", { spec: { abort: true } });
    await story.clock.advance(5 * minute);
    expect(story.summary()).toMatchObject({ phase: "Aborted", Ready: "False/RunAborted" });
    expect(story.process.passes - before).toBeLessThanOrEqual(20);
  });
});

test.each<readonly [string, Partial<NorthflankJobRun["spec"]>, number]>([
  ["abort", { abort: true }, 0],
  ["suspend", { suspend: true }, 0],
  ["nothing", {}, 1],
])("%s, written between the live read and the finalizer: %j", async (_, spec, posts) => {
  story = new RunStory();
  const patch = story.cluster.patch.bind(story.cluster);
  let isFirst = true;
  story.cluster.patch = (key, operations) => {
    if (isFirst && Object.keys(spec).length > 0) story.cluster.edit("once", { spec });
    isFirst = false;
    return patch(key, operations);
  };
  await story.run({ deletionPolicy: "Abort" }, minute);
  expect(story.remote.posts).toHaveLength(posts);
  expect(story.object().metadata.finalizers).toBeUndefined();
});

test.each<readonly [string, (story: RunStory) => void, string]>([
  ["its time is over", () => undefined, "False/StartDeadlineExceeded"],
  ["it is aborted", ({ cluster }) => cluster.edit("once", { spec: { abort: true } }), "False/RunAborted"],
])("a start that was to be repeated, and %s: the end tells that nobody knows of a run", async (_, act, ready) => {
  let isOpen = true;
  const readyState = { kind: "waiting", reason: "ConnectionSuspended", message: "paused" } as const;
  story = new RunStory({
    account: () => (isOpen ? undefined : { kind: "blocked", readyState, recheckAfterMs: minute }),
  });
  story.remote.mode = "notApplied";
  await story.run({ startDeadlineSeconds: 600 }, 5 * minute);
  isOpen = false;
  story.cluster.edit("once", { annotations: { [resolveStart]: "retry" } });
  await story.clock.advance(minute);
  act(story);
  await story.clock.advance(10 * minute);
  expect(story.condition("Ready")).toBe(ready);
  expect(story.status().conditions?.find(({ type }) => type === "Ready")?.message).toMatch(
    /it was unknown whether|It is unknown whether/,
  );
});

describe("resolve-start", () => {
  test.each(["run 12", "../x", "-", "a/b", "ä".repeat(300)])(
    "with %j says so, once, and asks nobody",
    async (value) => {
      story = new RunStory();
      story.remote.mode = "notApplied";
      await story.run({}, 5 * minute);
      const calls = story.remote.calls.length;
      story.cluster.edit("once", { annotations: { [resolveStart]: value } });
      await story.clock.advance(minute);
      expect(story.condition("Ready")).toBe("False/StartOutcomeUnknown");
      expect(story.status().conditions?.find(({ type }) => type === "Ready")?.message).toContain("not the id of a run");
      expect(story.remote.calls).toHaveLength(calls);
      const { passes } = story.process;
      await story.clock.advance(50 * minute);
      expect(story.process.passes).toBe(passes);
      story.cluster.edit("once", { annotations: { [resolveStart]: "fail" } });
      await story.clock.advance(minute);
      expect(story.status().phase).toBe("Failed");
    },
  );

  test.each([
    ["fail", { phase: "Failed" }],
    ["run-1", { phase: "Running", runId: "run-1" }],
  ])("%s is the way out where the connection has got a team meanwhile", async (value, outcome) => {
    let isMoved = false;
    const team: { northflank?: FakeNorthflank } = {};
    story = new RunStory({ elsewhere: () => (isMoved ? team.northflank : undefined) });
    team.northflank = accountWithJob(story.clock);
    team.northflank.runs.read = (runId) => story.remote.read(runId);
    story.remote.mode = "answerLost";
    story.remote.runMs = 60 * minute;
    await story.run({}, 10_000);
    isMoved = true;
    await story.clock.advance(10 * minute);
    expect(story.condition("Stalled")).toBe("True/AccountChanged");
    const { message = "" } = story.status().conditions?.find(({ type }) => type === "Ready") ?? {};
    expect(message).toContain("northflank-operator.io/resolve-start");
    story.cluster.edit("once", { annotations: { [resolveStart]: value } });
    await story.clock.advance(minute);
    expect(story.summary()).toMatchObject(outcome);
    expect(story.remote.posts).toHaveLength(1);
  });

  test("is not followed while the start may still be on its way, though the list cannot be read", async () => {
    let isClosed = false;
    const readyState = { kind: "waiting", reason: "ConnectionSuspended", message: "paused" } as const;
    story = new RunStory({
      account: () => (isClosed ? { kind: "blocked", readyState, recheckAfterMs: minute } : undefined),
    });
    story.remote.mode = "answerLost";
    await story.run({}, 10_000);
    isClosed = true;
    story.cluster.edit("once", { annotations: { [resolveStart]: "fail" } });
    await story.clock.advance(40_000);
    expect(story.status().phase).toBe("Starting");
    await story.clock.advance(2 * minute);
    expect(story.status().phase).toBe("Failed");
  });
});

describe("a list of runs that is cut before the newest one", () => {
  const cut = (given: RunStory) => {
    const list = given.remote.list.bind(given.remote);
    given.remote.list = (jobId) => ({ ...list(jobId), runs: [], truncated: true });
  };

  test("is told in the record before anything is sent; a lost answer is then left to a person", async () => {
    const told: unknown[] = [];
    story = new RunStory({
      onBoundary: (_, boundary, side) => {
        if (boundary === "postSent" && side === "before") told.push(story.status().start?.baseline?.incomplete);
      },
    });
    cut(story);
    story.remote.mode = "answerLost";
    await story.run({ startGuarantee: "AtLeastOnce" }, 10 * minute);
    expect(told).toEqual([true]);
    expect(story.condition("Ready")).toBe("False/StartOutcomeUnknown");
  });

  test.each(["Forbid", "Replace"] as const)("keeps %s from starting, and says so", async (concurrencyPolicy) => {
    story = new RunStory();
    cut(story);
    await story.run({ concurrencyPolicy, startDeadlineSeconds: 36_000 }, 60 * minute);
    expect(story.condition("Stalled")).toBe("True/RunListIncomplete");
    expect(story.remote.posts).toEqual([]);
    expect(story.remote.calls.length).toBeLessThanOrEqual(2);
  });

  test("does not make a run disappear while a duplicate is watched for", async () => {
    story = new RunStory();
    story.remote.mode = "notApplied";
    story.remote.runMs = 5 * minute;
    await story.run({ startGuarantee: "AtLeastOnce" }, 2 * minute);
    expect(story.remote.posts).toHaveLength(2);
    cut(story);
    await story.clock.advance(8 * minute);
    expect(story.summary()).toMatchObject({ phase: "Succeeded" });
  });
});
