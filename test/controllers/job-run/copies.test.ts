import { afterEach, describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { resolveStart, startedRun } from "../../../src/api/names.ts";
import { specHash } from "../../../src/controllers/job-run/mark.ts";
import { KubeError } from "../../../src/kube/errors.ts";
import { NorthflankError } from "../../../src/northflank/errors.ts";
import type { FakeNorthflank } from "../../support/fake-northflank.ts";
import { startModes } from "../../support/fake-runs.ts";
import { type Boundary, boundaries, type RunProcess, type Side } from "../../support/run-process.ts";
import { accountWithJob, RunStory } from "../../support/run-story.ts";

/*
 * Objects that come back without their status: from a backup, or copied to another cluster. They look like objects that
 * were never started, and their runs have been started all the same.
 */

let story: RunStory;
afterEach(() => expect(story.end()).toEqual([]));

const minute = 60_000;

const message = (name = "once") =>
  story.status(name).conditions?.find(({ type }) => type === "Ready")?.message ?? "no condition";

function annotationOf(object: NorthflankJobRun): Readonly<Record<string, unknown>> {
  return JSON.parse(object.metadata.annotations?.[startedRun] ?? "{}");
}

function withAnnotation(object: NorthflankJobRun, text: string | undefined): NorthflankJobRun {
  const { [startedRun]: _, ...others } = object.metadata.annotations ?? {};
  const annotations = { ...others, ...(text === undefined ? {} : { [startedRun]: text }) };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** A process that never knew the object before. */
async function restore(copy: NorthflankJobRun, metadata: object = {}, afterMs = 5 * minute): Promise<void> {
  story.restart();
  story.northflank.takeCalls();
  story.cluster.recreate(copy, metadata);
  await story.clock.advance(afterMs);
}

describe("the annotation", () => {
  test("is there before the start is sent, and names the run as soon as the status does", async () => {
    story = new RunStory();
    const seen: unknown[] = [];
    const post = story.remote.post.bind(story.remote);
    story.remote.post = (jobId, body) => {
      seen.push(annotationOf(story.object()));
      return post(jobId, body);
    };
    await story.run({}, 1_000);
    const { start } = story.status();
    const common = { object: "default/once", start: start?.id, attempt: 1, recordedTime: start?.recordedTime };
    expect(seen).toEqual([{ ...common, spec: expect.stringMatching(/^[0-9a-f]{32}$/), account: start?.account }]);
    expect(annotationOf(story.object())).toEqual({ ...(seen[0] as object), runId: "run-1" });
  });

  test("goes out with the finalizer, in one request, and costs one more for the id of the run", async () => {
    story = new RunStory();
    await story.run({ deletionPolicy: "Abort" }, 1_000);
    expect(story.writes()).toEqual(["replace", "patch", "status", "replace", "patch"]);
    const [, first] = story.cluster.writes;
    expect(first?.object.metadata.finalizers).toHaveLength(1);
    expect(annotationOf(first?.object as NorthflankJobRun)).not.toHaveProperty("runId");
    // The end of the run takes the finalizer off, and nothing else.
    await story.clock.advance(minute);
    expect(story.writes().slice(5)).toEqual(["status", "patch"]);
  });

  test("keeps the annotations of others, and comes back for each further run", async () => {
    story = new RunStory();
    story.remote.results.push("FAILED");
    story.cluster.create("once", { backoffLimit: 1 }, { annotations: { theirs: "1" } });
    await story.clock.advance(3 * minute);
    expect(story.status().attempts).toHaveLength(2);
    expect(annotationOf(story.object())).toMatchObject({ attempt: 2, runId: "run-2" });
    expect(story.object().metadata.annotations?.theirs).toBe("1");
  });

  test("that somebody takes away while the run is active stays away, and wakes nobody", async () => {
    story = new RunStory();
    story.remote.runMs = 60 * minute;
    await story.run({}, minute);
    const writes = story.writes().length;
    const { metadata, ...rest } = withAnnotation(story.object(), undefined);
    story.cluster.restore([{ ...rest, metadata: { ...metadata, resourceVersion: "9000" } }]);
    await story.clock.advance(5 * minute);
    expect(story.writes()).toHaveLength(writes);
    expect(story.status().phase).toBe("Running");
    expect(story.object().metadata.annotations).toEqual({});
  });

  test.each<readonly [string, () => void, string]>([
    ["an abort", () => story.cluster.edit("once", { spec: { abort: true } }), "Aborted"],
    ["a suspension", () => story.cluster.edit("once", { spec: { suspend: true } }), "Pending"],
  ])("gives the last moment for %s to keep the start from being sent", async (_, happens, phase) => {
    story = new RunStory();
    const patch = story.cluster.patch.bind(story.cluster);
    let isFirst = true;
    story.cluster.patch = (key, operations) => {
      if (isFirst) happens();
      isFirst = false;
      return patch(key, operations);
    };
    // With one of somebody else, the write of ours goes through all the same.
    story.cluster.create("once", {}, { annotations: { theirs: "1" } });
    await story.clock.advance(5 * minute);
    expect(story.remote.posts).toHaveLength(0);
    expect(story.status().phase).toBe(phase);
    expect(story.status().start?.outcome).toBe("NotStarted");
  });

  test("that cannot be stored keeps the start from being sent, until it can", async () => {
    story = new RunStory();
    const patch = story.cluster.patch.bind(story.cluster);
    let isBroken = true;
    story.cluster.patch = (key, operations) =>
      patch(key, isBroken ? [{ op: "test", path: "/no", value: 1 }] : operations);
    await story.run({}, 2 * minute);
    expect(story.remote.posts).toHaveLength(0);
    expect(message()).toContain("was not stored");
    // Ever more slowly: each try costs a request.
    expect(story.remote.calls.length).toBeLessThan(10);
    isBroken = false;
    await story.clock.advance(2 * minute);
    expect(story.remote.posts).toHaveLength(1);
    expect(story.status().phase).toBe("Succeeded");
  });

  test.each([{}, { deletionPolicy: "Abort" }] as const)(
    "that a webhook takes out of the answer keeps the start from being sent: %o",
    async (spec) => {
      story = new RunStory();
      const patch = story.cluster.patch.bind(story.cluster);
      let isStripped = true;
      story.cluster.patch = (key, operations) =>
        patch(
          key,
          operations.filter((operation) => !isStripped || !JSON.stringify(operation).includes("started-run")),
        );
      await story.run(spec, 55 * minute);
      expect(story.remote.posts).toHaveLength(0);
      expect(story.condition("Stalled")).toBe("True/StatusNotStored");
      expect(message()).toContain(`did not store the annotation ${startedRun}`);
      expect(story.status().start?.outcome).toBe("NotStarted");
      expect(story.object().metadata.finalizers ?? []).toEqual([]);
      // Once: about an hour later again.
      expect(story.remote.calls).toEqual(["list"]);
      isStripped = false;
      await story.clock.advance(30 * minute);
      expect(story.remote.posts).toHaveLength(1);
      expect(story.status().phase).toBe("Succeeded");
    },
  );

  test.each(["forbidden", "invalid"] as const)(
    "that is refused for good (%s) is tried about once an hour, and the state says so",
    async (code) => {
      story = new RunStory();
      const patch = story.cluster.patch.bind(story.cluster);
      let isRefused = true;
      story.cluster.patch = (key, operations) => {
        if (isRefused) throw new KubeError({ code, step: "patch", detail: "a policy" });
        return patch(key, operations);
      };
      await story.run({}, 10 * minute);
      expect(story.remote.posts).toHaveLength(0);
      expect(story.condition("Stalled")).toBe("True/StatusNotStored");
      expect(story.condition("Ready")).toBe("False/StatusNotStored");
      expect(message()).toContain(`The annotation ${startedRun} was not stored (${code}).`);
      expect(story.remote.calls).toHaveLength(8);
      await story.clock.advance(24 * 60 * minute);
      expect(story.remote.calls.length).toBeLessThanOrEqual(8 + 24);
      // Another process takes the word of the status for it.
      story.restart();
      story.northflank.takeCalls();
      await story.clock.advance(30 * minute);
      expect(story.condition("Ready")).toBe("False/StatusNotStored");
      expect(story.remote.calls).toHaveLength(1);
      isRefused = false;
      await story.clock.advance(60 * minute);
      expect(story.remote.posts).toHaveLength(1);
      expect(story.status().phase).toBe("Succeeded");
    },
  );

  test("that the API server cannot take for an hour stalls nothing", async () => {
    story = new RunStory();
    const patch = story.cluster.patch.bind(story.cluster);
    let isAway = true;
    story.cluster.patch = (key, operations) => {
      if (isAway) throw new KubeError({ code: "unavailable", step: "patch", detail: "503" });
      return patch(key, operations);
    };
    await story.run({}, 60 * minute);
    expect(story.condition("Ready")).toBe("Unknown/StartingRun");
    isAway = false;
    await story.clock.advance(3 * minute);
    expect(story.status().phase).toBe("Succeeded");
    expect(story.remote.posts).toHaveLength(1);
  });
});

describe("a start of which the status says that it started nothing", () => {
  const refusal = (code: "rejected" | "unauthorized" | "forbidden", httpStatus: number) =>
    new NorthflankError({ code, step: "start a run", detail: "no", sent: true, httpStatus });

  test.each([
    ["rejected", 400, {}],
    ["unauthorized", 401, {}],
    ["forbidden", 403, { deletionPolicy: "Abort" }],
    ["rejected", 409, {}],
  ] as const)("%s %i: leaves no annotation, and a copy runs", async (code, status, spec) => {
    story = new RunStory();
    story.remote.refusals.push(refusal(code, status));
    await story.run(spec, 500);
    expect(story.status().start?.outcome).toBe("NotStarted");
    expect(story.object().metadata.annotations?.[startedRun]).toBeUndefined();
    expect(story.object().metadata.finalizers ?? []).toEqual([]);
    // The last one takes the annotation and the finalizer away, and wakes nobody.
    expect(story.writes()).toEqual(["replace", "patch", "replace", "status", "patch"]);
    const copy = story.object();
    await restore(copy);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", Ready: "True/RunSucceeded" });
    expect(story.remote.posts).toHaveLength(2);
  });

  test("a further one of a series: a copy adopts the run before it", async () => {
    story = new RunStory();
    story.remote.results.push("FAILED");
    story.remote.runMs = 20_000;
    await story.run({ backoffLimit: 2 }, 25_000);
    story.remote.refusals.push(refusal("rejected", 400));
    await story.clock.advance(minute);
    expect(story.remote.posts).toHaveLength(2);
    expect(annotationOf(story.object())).toMatchObject({ attempt: 1, runId: "run-1" });
    await restore(story.object());
    expect(story.status()).toMatchObject({ phase: "Failed", attempts: [{ runId: "run-1", origin: "Adopted" }] });
    expect(story.remote.posts).toHaveLength(2);
  });

  test("one that repeats a start without an answer keeps the annotation: that one may have come through", async () => {
    story = new RunStory();
    story.remote.nextMode = "notApplied";
    await story.run({ startGuarantee: "AtLeastOnce" }, 10_000);
    for (let count = 0; count < 20; count++) story.remote.refusals.push(refusal("rejected", 400));
    await story.clock.advance(30 * minute);
    expect(story.status().start).toMatchObject({ outcome: "NotStarted", reason: "RequestRejected" });
    expect(annotationOf(story.object())).toMatchObject({ attempt: 1 });
    const posts = story.remote.posts.length;
    await restore(story.object(), {}, 60 * minute);
    expect(story.remote.posts).toHaveLength(posts);
    expect(story.condition("Ready")).toBe("False/StartOutcomeUnknown");
  });

  test.each(["before", "after"] as const)("a process that is killed %s it removes the annotation", async (side) => {
    story = new RunStory();
    story.remote.refusals.push(refusal("rejected", 400));
    const patch = story.cluster.patch.bind(story.cluster);
    let removals = 0;
    story.cluster.patch = (key, operations) => {
      const isRemoval = JSON.stringify(operations).includes(`"op":"remove"`);
      if (!isRemoval || removals++ > 0) return patch(key, operations);
      if (side === "after") patch(key, operations);
      story.process.kill();
      throw new KubeError({ code: "unavailable", step: "patch", detail: "gone" });
    };
    await story.run({}, minute);
    expect(removals).toBe(1);
    story.restart();
    await story.clock.advance(5 * minute);
    expect(story.condition("Ready")).toBe("False/RequestRejected");
    expect(story.object().metadata.annotations?.[startedRun]).toBeUndefined();
    expect(story.remote.posts).toHaveLength(1);
  });
});

describe("an object that comes back without its status", () => {
  test.each([
    ["SUCCESS", "True/RunSucceeded", "Succeeded"],
    ["FAILED", "False/RunFailed", "Failed"],
  ])("takes the result of its run: %s, with one request", async (result, ready, phase) => {
    story = new RunStory();
    story.remote.results.push(result);
    await story.run({}, 2 * minute);
    await restore(story.object());
    expect(story.status()).toMatchObject({ phase, runId: "run-1", attempts: [{ origin: "Adopted" }] });
    expect([story.condition("Ready"), story.condition("Started")]).toEqual([ready, "True/RunAdopted"]);
    expect(message()).toContain(`without the annotation ${startedRun}`);
    expect(story.remote.posts).toHaveLength(1);
    expect(story.remote.calls).toEqual(["get"]);
    // After all that somebody waits for.
    expect(story.remote.urgencies.at(-1)).toBe("observe");
    expect(story.events()[0]).toBe("Normal RunAdopted");
    expect(story.process.counts).toEqual({ started: 0, recovered: 0, finished: [], ran: [] });
  });

  test("is not repeated after a failure, whatever backoffLimit allows", async () => {
    story = new RunStory();
    story.remote.results.push("FAILED");
    story.remote.runMs = 5_000;
    await story.run({ backoffLimit: 3 }, 15_000);
    expect(story.condition("Ready")).toBe("Unknown/RetryingRun");
    await restore(story.object(), {}, 60 * minute);
    expect(story.status().phase).toBe("Failed");
    expect(story.remote.posts).toHaveLength(1);
  });

  test.each([
    ["names the run", (copy: NorthflankJobRun) => copy],
    [
      "was copied before the run was known",
      (copy: NorthflankJobRun) => {
        const { runId: _, ...mark } = annotationOf(copy);
        return withAnnotation(copy, JSON.stringify(mark));
      },
    ],
  ])("tells when the run was started, not when it was adopted, where the annotation %s", async (_, copied) => {
    story = new RunStory();
    story.remote.runMs = 60 * minute;
    await story.run({}, minute);
    const { startTime } = story.status();
    await story.clock.advance(20 * minute);
    await restore(copied(story.object()), {}, 60 * minute);
    expect(story.status()).toMatchObject({ phase: "Succeeded", attempts: [{ origin: "Adopted" }] });
    const offMs = Date.parse(story.status().startTime ?? "") - Date.parse(startTime ?? "");
    expect(Math.abs(offMs)).toBeLessThanOrEqual(2_000);
  });

  test("is followed to the end where the run is still active", async () => {
    story = new RunStory();
    story.remote.runMs = 20 * minute;
    await story.run({}, minute);
    await restore(story.object());
    expect(story.summary()).toMatchObject({ phase: "Running", runId: "run-1", Ready: "Unknown/RunActive" });
    await story.clock.advance(20 * minute);
    expect(story.status().phase).toBe("Succeeded");
    expect(story.remote.posts).toHaveLength(1);
  });

  test.each<readonly [string, Partial<NorthflankJobRun["spec"]>, () => void]>([
    ["a deletion", { deletionPolicy: "Abort" }, () => story.cluster.delete("default/once")],
    ["spec.abort", {}, () => story.cluster.edit("once", { spec: { abort: true } })],
    ["activeDeadlineSeconds", { activeDeadlineSeconds: 90 }, () => undefined],
  ])("does not abort its run, which may be that of an object elsewhere: %s", async (_, spec, happens) => {
    story = new RunStory();
    story.remote.runMs = 60 * minute;
    await story.run(spec, minute);
    await restore(story.object(), {}, 10_000);
    expect(story.status().phase).toBe("Running");
    happens();
    await story.clock.advance(15 * minute);
    expect(story.remote.calls).not.toContain("abort");
    expect(story.remote.isActive("run-1")).toBe(true);
    // Nobody waits for it: a deletion goes through at once.
    if (spec.deletionPolicy === "Abort") expect(story.cluster.read("once")).toBeUndefined();
    else expect(story.status().phase).toBe("Running");
  });

  test("is held by no finalizer, whatever its deletionPolicy", async () => {
    story = new RunStory();
    story.remote.runMs = 60 * minute;
    await story.run({ deletionPolicy: "Abort" }, minute);
    const { finalizers: _, ...metadata } = story.object().metadata;
    story.cluster.writes.length = 0;
    await restore({ ...story.object(), metadata });
    expect(story.status().phase).toBe("Running");
    expect(story.cluster.writes.filter(({ object }) => object.metadata.finalizers !== undefined)).toEqual([]);
    expect(story.writes()).toEqual(["status", "replace", "status", "replace"]);
  });

  test("that was aborted stays aborted: no request at all", async () => {
    story = new RunStory();
    story.remote.runMs = 60 * minute;
    await story.run({}, minute);
    story.cluster.edit("once", { spec: { abort: true } });
    await story.clock.advance(minute);
    await restore(story.object());
    expect(story.condition("Ready")).toBe("False/RunAborted");
    expect(story.remote.calls).toEqual([]);
  });

  test("says where to look when Northflank no longer has the run, and starts none", async () => {
    story = new RunStory();
    await story.run({ startGuarantee: "AtLeastOnce" }, 2 * minute);
    const copy = story.object();
    story.remote.forgetRuns();
    await restore(copy, {}, 30 * minute);
    expect(story.condition("Ready")).toBe("False/RunDisappeared");
    expect(message()).toContain(`without the annotation ${startedRun}`);
    expect(story.remote.posts).toHaveLength(1);
    // A restore may bring back a thousand of these.
    expect(story.remote.calls).toEqual(["get", "get", "getJob"]);
  });

  test("does not take a run for gone that one read has missed", async () => {
    story = new RunStory();
    await story.run({}, 2 * minute);
    const read = story.remote.read.bind(story.remote);
    let isHidden = true;
    story.remote.read = (runId) => {
      const run = read(runId);
      return isHidden ? undefined : run;
    };
    await restore(story.object(), {}, minute);
    expect(story.status().phase).toBe("Running");
    isHidden = false;
    await story.clock.advance(10 * minute);
    expect(story.status().phase).toBe("Succeeded");
  });

  test("waits where the connection leads to another account", async () => {
    let isElsewhere = false;
    const remotes: FakeNorthflank[] = [];
    story = new RunStory({ elsewhere: () => (isElsewhere ? remotes[0] : undefined) });
    remotes.push(accountWithJob(story.clock));
    await story.run({}, 2 * minute);
    isElsewhere = true;
    await restore(story.object());
    expect(story.condition("Ready")).toBe("False/AccountChanged");
    expect([...story.remote.posts, ...(remotes[0]?.runs.posts ?? [])]).toHaveLength(1);
    isElsewhere = false;
    await story.clock.advance(20 * minute);
    expect(story.status().phase).toBe("Succeeded");
  });

  test("is found by the list where the copy was made before its id was known, also an AtLeastOnce one", async () => {
    story = new RunStory();
    const copies: NorthflankJobRun[] = [];
    story.remote.onApply = (side) => {
      if (side === "after") copies.push(story.object());
    };
    await story.run({ startGuarantee: "AtLeastOnce" }, 2 * minute);
    const [copy] = copies;
    if (copy === undefined) throw new Error("no copy");
    expect(annotationOf(copy)).not.toHaveProperty("runId");
    await restore(copy);
    expect(story.status()).toMatchObject({ phase: "Succeeded", runId: "run-1", attempts: [{ origin: "Adopted" }] });
    story.remote.forgetRuns();
    await restore(copy, {}, 60 * minute);
    expect(story.condition("Stalled")).toBe("True/StartOutcomeUnknown");
    expect(message()).toContain(startedRun);
    expect(story.remote.posts).toHaveLength(1);
    // A person may say so.
    story.cluster.edit("once", { annotations: { [resolveStart]: "retry" } });
    await story.clock.advance(5 * minute);
    expect(story.status()).toMatchObject({ phase: "Succeeded", attempts: [{ origin: "Started" }] });
    expect(story.remote.posts).toHaveLength(2);
  });

  test("does not take a run of the same second as the newest one that was there for its own", async () => {
    story = new RunStory();
    story.remote.skewMs = 0;
    story.remote.nextMode = "notApplied";
    story.remote.startForeign();
    await story.run({}, 20_000);
    await restore(story.object(), {}, 30 * minute);
    expect(story.condition("Stalled")).toBe("True/StartOutcomeUnknown");
    expect(story.status().attempts ?? []).toEqual([]);
  });

  test("takes no answer of a person from before: only another value is one", async () => {
    story = new RunStory();
    story.remote.nextMode = "notApplied";
    await story.run({}, 5 * minute);
    const copy = story.object();
    const annotations = { ...copy.metadata.annotations, [resolveStart]: "retry" };
    await restore({ ...copy, metadata: { ...copy.metadata, annotations } }, {}, 60 * minute);
    expect(story.remote.posts).toHaveLength(1);
    expect(story.condition("Stalled")).toBe("True/StartOutcomeUnknown");
    story.cluster.edit("once", { annotations: { [resolveStart]: "retry@2" } });
    await story.clock.advance(5 * minute);
    expect(story.remote.posts).toHaveLength(2);
  });

  test("is recorded as what it is under a CRD that knows no field for it, also for the next process", async () => {
    story = new RunStory();
    const copies: NorthflankJobRun[] = [];
    story.remote.onApply = () => copies.push(story.object());
    await story.run({ startGuarantee: "AtLeastOnce" }, 2 * minute);
    const [copy] = copies;
    if (copy === undefined) throw new Error("no copy");
    story.remote.forgetRuns();
    await restore(copy, {}, 500);
    expect(story.status().start).toMatchObject({ id: "annotation:p1-1", outcome: "Pending" });
    story.restart();
    await story.clock.advance(60 * minute);
    expect(story.condition("Stalled")).toBe("True/StartOutcomeUnknown");
    expect(story.remote.posts).toHaveLength(1);
  });

  test("is the same where somebody wipes the status of an object that is there", async () => {
    story = new RunStory();
    story.remote.runMs = 10 * minute;
    await story.run({}, minute);
    const { status: _, ...wiped } = story.object();
    story.cluster.restore([{ ...wiped, status: { observedGeneration: -1 } }]);
    story.restart();
    await story.clock.advance(20 * minute);
    expect(story.status()).toMatchObject({ phase: "Succeeded", attempts: [{ origin: "Adopted" }] });
    expect(story.remote.posts).toHaveLength(1);
  });

  test.each(["AtMostOnce", "AtLeastOnce"] as const)(
    "starts no further run where the record of a later one alone is lost: %s",
    async (startGuarantee) => {
      story = new RunStory();
      story.remote.results.push("FAILED");
      story.remote.runMs = 20_000;
      await story.run({ backoffLimit: 2, startGuarantee }, 25_000);
      story.remote.nextMode = "answerLost";
      await story.clock.advance(13_000);
      expect(story.remote.posts).toHaveLength(2);
      const { status, metadata, ...rest } = story.object();
      const { start, ...left } = status ?? { observedGeneration: -1 };
      expect([start?.attempt, start?.outcome, left.attempts?.length]).toEqual([2, "Pending", 1]);
      story.cluster.restore([{ ...rest, metadata: { ...metadata, resourceVersion: "9000" }, status: left }]);
      story.restart();
      await story.clock.advance(60 * minute);
      expect(story.remote.posts).toHaveLength(2);
      expect(story.status()).toMatchObject({
        phase: "Succeeded",
        attempts: [
          { runId: "run-1", origin: "Started" },
          { runId: "run-2", number: 2, origin: "Adopted" },
        ],
      });
    },
  );

  test("is adopted also where nobody was there for startDeadlineSeconds after the restore", async () => {
    story = new RunStory();
    await story.run({ startDeadlineSeconds: 60 }, 2 * minute);
    const copy = story.object();
    story.process.kill();
    story.cluster.recreate(copy);
    await story.clock.advance(30 * minute);
    story.restart();
    await story.clock.advance(5 * minute);
    expect(story.status()).toMatchObject({ phase: "Succeeded", attempts: [{ origin: "Adopted" }] });
  });

  test("is deleted ttlSecondsAfterFinished after it has come back, and nothing is started", async () => {
    story = new RunStory();
    await story.run({}, 2 * minute);
    const copy = story.object();
    await restore({ ...copy, spec: { ...copy.spec, ttlSecondsAfterFinished: 120 } }, {}, minute);
    expect(story.status().phase).toBe("Succeeded");
    await story.clock.advance(5 * minute);
    expect(story.cluster.read("once")).toBeUndefined();
    expect(story.remote.posts).toHaveLength(1);
  });

  test("waits for nobody while it is suspended, and starts nothing afterwards", async () => {
    story = new RunStory();
    await story.run({}, 2 * minute);
    const copy = story.object();
    await restore({ ...copy, spec: { ...copy.spec, suspend: true } });
    expect(story.condition("Ready")).toBe("False/Suspended");
    expect(story.remote.calls).toEqual([]);
    story.cluster.edit("once", { spec: { suspend: false } });
    await story.clock.advance(minute);
    expect(story.status().phase).toBe("Succeeded");
    expect(story.remote.posts).toHaveLength(1);
  });
});

describe("a copy that is another object", () => {
  test.each<readonly [string, (copy: NorthflankJobRun) => readonly [NorthflankJobRun, object]]>([
    ["another name", (copy) => [copy, { name: "twice" }]],
    ["a name that the API server made", (copy) => [copy, { name: "once-x7f2q", generateName: "once-" }]],
    ["another environment", (copy) => [{ ...copy, spec: { ...copy.spec, runtimeEnvironment: { A: "2" } } }, {}]],
    ["another job", (copy) => [{ ...copy, spec: { ...copy.spec, jobId: "seed" } }, {}]],
    [
      "another build",
      (copy) => [{ ...copy, spec: { ...copy.spec, deployment: { internal: { buildId: "b-2" } } } }, {}],
    ],
  ])("%s: neither runs nor succeeds, until the annotation is taken away", async (_, change) => {
    story = new RunStory();
    story.northflank.hasJob({ ...story.northflank.job("migrate"), id: "seed" });
    await story.run({}, 2 * minute);
    const [copy, metadata] = change(story.object());
    const name = (metadata as { readonly name?: string }).name ?? "once";
    await restore(copy, metadata, 120 * minute);
    expect(story.condition("Stalled", name)).toBe("True/CopyOfStartedRun");
    expect(story.condition("Succeeded", name)).toBe("Unknown/CopyOfStartedRun");
    expect(message(name)).toContain("Remove the annotation to run the job for this object");
    expect(story.remote.calls).toEqual([]);
    const { annotations: _given, ...rest } = story.object(name).metadata;
    story.cluster.restore([{ ...story.object(name), metadata: { ...rest, resourceVersion: "9000" } }]);
    await story.clock.advance(2 * minute);
    expect(story.remote.posts).toHaveLength(2);
    expect(story.status(name).phase).toBe("Succeeded");
    expect(annotationOf(story.object(name))).toMatchObject({ object: `default/${name}` });
  });

  test("is over with startDeadlineSeconds, as any run that nobody has started", async () => {
    story = new RunStory();
    await story.run({ startDeadlineSeconds: 600 }, 2 * minute);
    await restore(story.object(), { name: "twice" }, 9 * minute);
    expect(story.condition("Ready", "twice")).toBe("False/CopyOfStartedRun");
    await story.clock.advance(2 * minute);
    expect(story.condition("Finished", "twice")).toBe("True/StartDeadlineExceeded");
    expect(story.remote.posts).toHaveLength(1);
  });

  test("what may change at any time makes no other object of it", async () => {
    story = new RunStory();
    await story.run({}, 2 * minute);
    const copy = story.object();
    await restore({ ...copy, spec: { ...copy.spec, ttlSecondsAfterFinished: 86_400, deletionPolicy: "Abort" } });
    expect(story.status().phase).toBe("Succeeded");
    expect(story.remote.posts).toHaveLength(1);
  });

  test.each([
    ["nothing", ""],
    ["no JSON", "run-1"],
    ["cut JSON", '{"object":"default/once","spe'],
    ["a list", "[]"],
    ["null", "null"],
    ["JSON without fields", "{}"],
    ["a prototype", '{"__proto__":{"runId":"run-1"}}'],
    ["a run id that is none", { runId: "../../secrets" }],
    ["a time that is none", { recordedTime: "yesterday" }],
    ["a year that nobody can write", { recordedTime: "+275760-09-13T00:00:00Z" }],
    ["an attempt that is none", { attempt: 0 }],
    ["numbers for texts", { start: 7, runId: 7 }],
    ["an id that is too long", { start: "x".repeat(65) }],
    ["a text of 100,000 characters", "x".repeat(100_000)],
  ])("an annotation with %s: nothing is started, nothing is asked, and it is said what to do", async (_, text) => {
    story = new RunStory();
    await story.run({}, 2 * minute);
    const copy = story.object();
    const value = typeof text === "string" ? text : JSON.stringify({ ...annotationOf(copy), ...text });
    await restore(withAnnotation(copy, value), {}, 120 * minute);
    expect(story.condition("Stalled")).toBe("True/CopyOfStartedRun");
    expect(message()).toContain("is not readable");
    expect(story.remote.calls).toEqual([]);
    expect(story.remote.posts).toHaveLength(1);
  });
});

describe("an annotation that somebody forged", () => {
  const forged = (changes: object) => {
    const own = { object: "default/mine", spec: "", start: "s", attempt: 1, recordedTime: "2026-01-01T00:00:00Z" };
    return JSON.stringify({ ...own, ...changes });
  };

  async function forge(changes: object, spec: Partial<NorthflankJobRun["spec"]> = {}): Promise<void> {
    // What the hash of the spec has to be, anybody can read from another object.
    await story.run({ suspend: true, ...spec }, 1_000, "probe");
    const text = forged({ spec: specHash(story.object("probe")), ...changes });
    story.cluster.create("mine", spec, { annotations: { [startedRun]: text } });
    await story.clock.advance(5 * minute);
  }

  test("aborts no run of somebody else, by whatever way", async () => {
    story = new RunStory();
    story.remote.runMs = 600 * minute;
    const foreign = story.remote.startForeign();
    await forge({ runId: foreign }, { deletionPolicy: "Abort" });
    expect(story.status("mine")).toMatchObject({ phase: "Running", runId: foreign });
    story.cluster.edit("mine", { spec: { abort: true } });
    await story.clock.advance(20 * minute);
    story.cluster.create("next", { concurrencyPolicy: "Replace", startDeadlineSeconds: 3_600 });
    await story.clock.advance(20 * minute);
    expect(story.condition("Ready", "next")).toBe("Unknown/WaitingForConcurrency");
    story.cluster.delete("default/mine");
    await story.clock.advance(20 * minute);
    expect(story.cluster.read("mine")).toBeUndefined();
    expect(story.remote.calls).not.toContain("abort");
    expect(story.remote.isActive(foreign)).toBe(true);
  });

  test("nor one that a person then names: whose it is, the record does not prove", async () => {
    story = new RunStory();
    story.remote.runMs = 600 * minute;
    const foreign = story.remote.startForeign("migrate", 60 * minute);
    await forge({ recordedTime: "2026-01-01T00:30:00Z" }, { deletionPolicy: "Abort" });
    expect(story.condition("Stalled", "mine")).toBe("True/StartOutcomeUnknown");
    story.cluster.edit("mine", { annotations: { [resolveStart]: foreign } });
    await story.clock.advance(minute);
    expect(story.status("mine")).toMatchObject({ phase: "Running", runId: foreign });
    story.cluster.edit("mine", { spec: { abort: true } });
    await story.clock.advance(5 * minute);
    story.cluster.delete("default/mine");
    await story.clock.advance(5 * minute);
    expect(story.cluster.read("mine")).toBeUndefined();
    expect(story.remote.calls).not.toContain("abort");
  });

  test("takes no run away from the object that has it", async () => {
    story = new RunStory();
    story.remote.runMs = 600 * minute;
    await story.run({}, minute);
    await forge({ runId: "run-1" });
    expect(story.condition("Stalled", "mine")).toBe("True/CopyOfStartedRun");
    expect(message("mine")).toContain("belongs to default/once");
    expect(story.status("once").phase).toBe("Running");
  });
});

describe("an annotation beside an object that may have started a run", () => {
  const hour = 60 * minute;

  test("of a copy under another name takes nothing from the object that comes back", async () => {
    story = new RunStory();
    await story.run({}, 2 * minute);
    const copy = story.object();
    story.cluster.create("twin", copy.spec, { annotations: copy.metadata.annotations ?? {} });
    await story.clock.advance(minute);
    expect(story.condition("Ready", "twin")).toBe("False/CopyOfStartedRun");
    await restore(copy);
    expect(story.summary()).toMatchObject({ phase: "Succeeded", runId: "run-1" });
    expect(story.remote.posts).toHaveLength(1);
  });

  test("of a copy under another name lets an object whose attempts are lost find its run again", async () => {
    story = new RunStory();
    story.remote.runMs = 2 * hour;
    await story.run({ startGuarantee: "AtLeastOnce" }, minute);
    const copy = story.object();
    story.cluster.create("twin", copy.spec, { annotations: copy.metadata.annotations ?? {} });
    await story.clock.advance(minute);
    const { status, metadata, ...rest } = story.object();
    const { attempts: _, ...left } = status ?? { observedGeneration: -1 };
    story.cluster.restore([
      { ...rest, metadata: { ...metadata, resourceVersion: "9000" }, status: left },
      story.object("twin"),
    ]);
    story.restart();
    await story.clock.advance(hour);
    expect(story.summary()).toMatchObject({ phase: "Running", runId: "run-1" });
    expect(story.remote.posts).toHaveLength(1);
  });

  async function besideForger(spec: Partial<NorthflankJobRun["spec"]>, isOwn: boolean, runId = "run-1"): Promise<void> {
    story = new RunStory();
    story.remote.runMs = 2 * hour;
    story.remote.nextMode = "answerLost";
    await story.run({ startGuarantee: "AtLeastOnce" }, 2_000);
    const hash = isOwn ? specHash({ spec: { ...story.object().spec, ...spec } }) : "another";
    const { start } = story.status();
    const mark = { object: `default/${isOwn ? "forger" : "other"}`, spec: hash, start: "forged", attempt: 1, runId };
    const text = JSON.stringify({ ...mark, recordedTime: start?.recordedTime });
    story.cluster.create("forger", spec, { annotations: { [startedRun]: text } });
    await story.clock.advance(hour);
  }

  test("that is not of its own object takes no run", async () => {
    await besideForger({ suspend: true }, false);
    expect(story.summary()).toMatchObject({ phase: "Running", runId: "run-1" });
    expect(story.remote.posts).toHaveLength(1);
  });

  test.each([true, false])(
    "that is of its own object makes no other one start twice, suspended: %s",
    async (suspend) => {
      await besideForger({ suspend }, true);
      // Where the forger is suspended its annotation claims the run, else its status does.
      expect(story.status("forger").attempts?.[0]?.origin).toBe(suspend ? undefined : "Adopted");
      expect(story.remote.posts).toHaveLength(1);
      expect(story.remote.isActive("run-1")).toBe(true);
      expect(story.condition("Ready")).toBe("False/StartOutcomeUnknown");
      expect(message()).toContain("run-1");
    },
  );
});

describe("beside others of its job", () => {
  test("its active run is waited for under Forbid, and is over when it is over", async () => {
    story = new RunStory();
    story.remote.runMs = 10 * minute;
    await story.run({}, minute);
    await restore(story.object(), {}, minute);
    story.cluster.create("next", { concurrencyPolicy: "Forbid", startDeadlineSeconds: 3_600 });
    await story.clock.advance(minute);
    expect(story.condition("Ready", "next")).toBe("Unknown/WaitingForConcurrency");
    await story.clock.advance(30 * minute);
    expect([story.status().phase, story.status("next").phase]).toEqual(["Succeeded", "Succeeded"]);
    expect(story.remote.posts).toHaveLength(2);
  });

  test("a whole namespace comes back: each object gets its own run, and none runs again", async () => {
    story = new RunStory();
    const names = ["a", "b", "c", "d"];
    for (const name of names) await story.run({ runtimeEnvironment: { NAME: name } }, 3_000, name);
    await story.clock.advance(5 * minute);
    const ids = names.map((name) => story.status(name).runId);
    const copies = story.cluster.list();
    story.restart();
    // One of them lost the id of its run as well.
    const { runId: _, ...open } = annotationOf(story.object("b"));
    for (const copy of copies) {
      story.cluster.recreate(copy.metadata.name === "b" ? withAnnotation(copy, JSON.stringify(open)) : copy);
    }
    await story.clock.advance(10 * minute);
    expect(names.map((name) => story.status(name).runId)).toEqual(ids);
    expect(names.map((name) => story.status(name).phase)).toEqual(names.map(() => "Succeeded"));
    expect(story.remote.posts).toHaveLength(4);
  });
});

describe("a copy of each moment of a life", () => {
  const lives = startModes.flatMap((mode) =>
    (["AtMostOnce", "AtLeastOnce"] as const).flatMap((startGuarantee) =>
      (["Orphan", "Abort"] as const).map((deletionPolicy) => ({ mode, startGuarantee, deletionPolicy })),
    ),
  );

  test.each(lives)("$mode, $startGuarantee, $deletionPolicy: never starts a second run", async (life) => {
    const { mode, ...guarantees } = life;
    const spec = { ...guarantees, backoffLimit: 1 };
    const play = async () => {
      const world = new RunStory();
      world.remote.mode = mode;
      world.remote.results.push("FAILED");
      const copies: { readonly copy: NorthflankJobRun; readonly posts: number }[] = [];
      world.cluster.watch((_, object) => {
        if (object !== undefined) copies.push({ copy: object, posts: world.remote.posts.length });
      });
      world.remote.onApply = () => copies.push({ copy: world.object(), posts: world.remote.posts.length });
      await world.run(spec, 30 * minute);
      return { world, copies };
    };
    const { world, copies } = await play();
    story = world;
    let marked = 0;
    for (let index = 0; index < copies.length; index += 1) {
      const seen = copies[index];
      if (seen === undefined) continue;
      if (seen.copy.metadata.annotations?.[startedRun] === undefined) {
        // Nothing had been sent when it was made: nobody can know what the object did afterwards.
        expect(seen.posts, `copy ${index}`).toBe(0);
        continue;
      }
      marked += 1;
      // To another cluster, when the life of the original is over.
      const other = index === 0 ? world : (await play()).world;
      const sent = other.remote.posts.length;
      other.restart();
      other.cluster.recreate(seen.copy);
      await other.clock.advance(30 * minute);
      expect(other.remote.posts, `copy ${index}`).toHaveLength(sent);
      expect(other.remote.calls.filter((call) => call === "abort")).toEqual([]);
      const isNamed = other.condition("Stalled") === "True/StartOutcomeUnknown";
      expect(other.status().completionTime !== undefined || isNamed, `copy ${index}`).toBe(true);
      expect(other.end()).toEqual([]);
    }
    expect(marked).toBeGreaterThan(2);
  });
});

describe("a process that is killed while it adopts", () => {
  const sides: readonly Side[] = ["before", "after"];
  const copyKinds = ["with the run", "without the run"] as const;
  const cases = copyKinds.flatMap((kind) => sides.map((side) => ({ kind, side })));

  test.each(cases)("a copy $kind, $side each write and each look: nothing is started", async ({ kind, side }) => {
    // Every call of the adoption is a place to die at; the calls are counted, not named.
    for (let at = 1; at < 40; at += 1) {
      let count = 0;
      let hasStruck = false;
      const die = (process: RunProcess, _boundary: Boundary, here: Side) => {
        if (!isArmed || here !== side || process !== story.process || ++count !== at) return;
        hasStruck = true;
        story.restart();
      };
      let isArmed = false;
      story = new RunStory({ onBoundary: die });
      await story.run({}, 2 * minute);
      const whole = story.object();
      const { runId: _, ...open } = annotationOf(whole);
      story.restart();
      const [patchStatus, replaceStatus] = [
        story.cluster.patchStatus.bind(story.cluster),
        story.cluster.replaceStatus.bind(story.cluster),
      ];
      const boundary = boundaries[0] as Boundary;
      const dying =
        <A extends unknown[], T>(work: (...args: A) => T) =>
        (...args: A): T => {
          die(story.process, boundary, "before");
          const answer = work(...args);
          die(story.process, boundary, "after");
          return answer;
        };
      story.cluster.patchStatus = dying(patchStatus);
      story.cluster.replaceStatus = dying(replaceStatus);
      story.cluster.recreate(kind === "with the run" ? whole : withAnnotation(whole, JSON.stringify(open)));
      isArmed = true;
      await story.clock.advance(10 * minute);
      expect(story.remote.posts, `killed at ${at}`).toHaveLength(1);
      expect(story.status(), `killed at ${at}`).toMatchObject({ phase: "Succeeded", runId: "run-1" });
      expect(story.status().attempts?.[0]?.origin).toBe("Adopted");
      expect(story.end()).toEqual([]);
      if (!hasStruck) {
        expect(at).toBeGreaterThan(4);
        return;
      }
    }
    throw new Error("the adoption never ends");
  });
});
