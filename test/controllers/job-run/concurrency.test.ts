import { afterEach, describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { resolveStart } from "../../../src/api/names.ts";
import {
  foreignObstacles,
  type Obstacle,
  obstaclesAmong,
  replaceableAmong,
  replacerOf,
  runIdsOf,
  type Sibling,
} from "../../../src/controllers/job-run/concurrency.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import type { FakeNorthflank } from "../../support/fake-northflank.ts";
import { RunCluster } from "../../support/run-cluster.ts";
import { accountWithJob, RunStory } from "../../support/run-story.ts";

type Policy = NorthflankJobRun["spec"]["concurrencyPolicy"];

const record = { id: "s", attempt: 1, recordedTime: "t", outcome: "Pending" } as const;
const attempt = { number: 1, runId: "r1", origin: "Started" } as const;
const examples = {
  open: { start: record },
  active: { start: record, attempts: [attempt] },
  idle: {},
  finished: { start: record, completionTime: "t" },
} as const;

function jobRun(policy: Policy, status: object = {}, metadata: object = {}): NorthflankJobRun {
  const object = new RunCluster(new FakeClock()).create("self", { concurrencyPolicy: policy }, metadata);
  return { ...object, status: { observedGeneration: 1, ...status } };
}

function sibling(object: NorthflankJobRun, key = "default/other"): Sibling {
  return { key, object };
}

describe("what of ours keeps a start waiting", () => {
  test.each<readonly [Policy, keyof typeof examples, string | undefined]>([
    ["Allow", "open", "unresolved"],
    ["Allow", "active", undefined],
    ["Forbid", "open", "unresolved"],
    ["Forbid", "active", "active"],
    ["Replace", "open", "unresolved"],
    ["Replace", "active", "active"],
    ["Forbid", "idle", undefined],
    ["Forbid", "finished", undefined],
  ])("%s beside one that is %s: %s", (policy, other, kind) => {
    const [found] = obstaclesAmong(jobRun(policy), [sibling(jobRun("Allow", examples[other]))]);
    expect(found?.kind).toBe(kind);
  });
});

test.each<readonly [Policy, number]>([
  ["Allow", 0],
  ["Forbid", 1],
  ["Replace", 1],
])("%s: %i of an active foreign run, one that is over, and one of ours", (policy, count) => {
  const runs = [
    { id: "foreign", concluded: false },
    { id: "over", concluded: true },
    { id: "ours", concluded: false },
  ];
  expect(foreignObstacles(jobRun(policy), runs, new Set(["ours"]))).toHaveLength(count);
});

test("an open start that is settled holds back Forbid and Replace, and not Allow", () => {
  const other: Sibling = { ...sibling(jobRun("Allow", examples.open)), isSettled: true };
  const policies = ["Allow", "Forbid", "Replace"] as const;
  expect(policies.map((policy) => obstaclesAmong(jobRun(policy), [other]).length)).toEqual([0, 1, 1]);
});

describe("what may be replaced", () => {
  const replacer = jobRun("Replace", {}, { creationTimestamp: "2026-01-01T01:00:00Z" });
  const older = sibling(jobRun("Allow", examples.active));
  const younger = sibling(
    jobRun("Allow", examples.active, { creationTimestamp: "2026-01-01T02:00:00Z" }),
    "default/new",
  );
  const active = { kind: "active", name: "default/other" } as const;

  test.each<readonly [string, NorthflankJobRun, readonly Obstacle[], readonly string[]]>([
    ["an older active one", replacer, [active], ["default/other"]],
    ["nothing beside an open start", replacer, [active, { kind: "unresolved", name: "default/x" }], []],
    ["nothing beside a foreign run", replacer, [active, { kind: "foreign", name: "r9" }], []],
    ["nothing beside a younger active one", replacer, [active, { kind: "active", name: "default/new" }], []],
    ["nothing under Forbid", jobRun("Forbid"), [active], []],
  ])("%s", (_, object, obstacles, keys) => {
    expect(replaceableAmong(object, obstacles, [older, younger])).toEqual(keys);
  });
});

describe("who may replace an active run", () => {
  const waiting = {
    replaces: ["default/self"],
    conditions: [
      { type: "Ready", status: "Unknown", reason: "WaitingForConcurrency", message: "m", lastTransitionTime: "t" },
    ],
  } as const;
  const young = { creationTimestamp: "2026-01-01T01:00:00Z" };
  const self = jobRun("Allow", examples.active);
  const replacer = (changes: Partial<NorthflankJobRun> = {}) => ({ ...jobRun("Replace", waiting, young), ...changes });

  test("a younger one with Replace that waits for nothing else", () => {
    expect(replacerOf(self, [sibling(replacer())])?.key).toBe("default/other");
  });

  test.each<readonly [string, NorthflankJobRun]>([
    ["an older one", jobRun("Replace", waiting, { creationTimestamp: "2025-01-01T00:00:00Z" })],
    ["one that forbids", jobRun("Forbid", waiting, young)],
    ["one that is held back by something else", jobRun("Replace", { conditions: waiting.conditions }, young)],
    [
      "one that replaces another",
      replacer({ status: { observedGeneration: 1, ...waiting, replaces: ["default/third"] } }),
    ],
    ["one that is to be aborted", replacer({ spec: { ...replacer().spec, abort: true } })],
    ["one that is being deleted", replacer({ metadata: { ...replacer().metadata, deletionTimestamp: "t" } })],
    ["one that is suspended", replacer({ spec: { ...replacer().spec, suspend: true } })],
    ["one that is over", replacer({ status: { observedGeneration: 1, ...waiting, completionTime: "t" } })],
  ])("not %s", (_, other) => {
    expect(replacerOf(self, [sibling(other)])).toBeUndefined();
  });

  test("not while a third one has an open start, since when its status says", () => {
    const third = sibling(jobRun("Allow", examples.open), "default/third");
    expect(replacerOf(self, [sibling(replacer()), third])).toBeUndefined();
  });

  test("not one of another namespace of which only its status says that it is of this account", () => {
    expect(replacerOf(self, [{ ...sibling(replacer()), isSure: false }])).toBeUndefined();
  });

  test("nothing is replaced that is not active", () => {
    expect(replacerOf(jobRun("Allow"), [sibling(replacer())])).toBeUndefined();
  });
});

test("every run id that an object has is its own, the duplicate included", () => {
  const status = { runId: "r2", duplicateRunId: "r3", attempts: [attempt, { ...attempt, number: 2, runId: "r2" }] };
  expect([...runIdsOf([jobRun("Allow", status)])].sort()).toEqual(["r1", "r2", "r3"]);
});

describe("stories of several objects", () => {
  let story: RunStory;
  afterEach(() => expect(story.end()).toEqual([]));
  const minute = 60_000;
  const replace = { concurrencyPolicy: "Replace", startDeadlineSeconds: 5_400 } as const;

  test("Replace leaves a run alone while another start of the job is open", async () => {
    story = new RunStory();
    story.remote.runMs = 600 * minute;
    await story.run({}, 10_000, "active");
    story.remote.nextMode = "notApplied";
    await story.run({}, 5 * minute, "open");
    expect(story.condition("Ready", "open")).toBe("False/StartOutcomeUnknown");
    await story.run(replace, 60 * minute, "replacer");
    expect(story.condition("Ready", "replacer")).toBe("Unknown/WaitingForConcurrency");
    expect(story.condition("Ready", "active")).toBe("Unknown/RunActive");
    expect(story.remote.calls).not.toContain("abort");
  });

  test("Replace leaves a run alone while a foreign one is in the way, and takes its place when that has ended", async () => {
    story = new RunStory();
    story.remote.runMs = 600 * minute;
    await story.run({}, 10_000, "active");
    story.remote.runMs = 30 * minute;
    story.remote.startForeign();
    await story.run(replace, 25 * minute, "replacer");
    expect(story.condition("Ready", "active")).toBe("Unknown/RunActive");
    expect(story.status("replacer").replaces).toBeUndefined();
    await story.clock.advance(10 * minute);
    expect(story.condition("Ready", "active")).toBe("False/RunAborted");
    expect(story.summary("replacer")).toMatchObject({ phase: "Running" });
    expect(story.status("replacer").replaces).toBeUndefined();
  });

  test.each<readonly [string, Partial<NorthflankJobRun["spec"]>]>([
    ["its Secret is missing", { runtimeEnvironmentFrom: [{ secretRef: { name: "none" } }] }],
    ["its connection is not there", { connectionRef: { name: "none" } }],
    ["it is suspended", { suspend: true }],
  ])("Replace aborts nothing for a run that cannot start: %s", async (_, spec) => {
    const gone = { kind: "stalled", reason: "ConnectionNotFound", message: "gone" } as const;
    story = new RunStory({
      account: ({ connectionName }) =>
        connectionName === "none" ? { kind: "blocked", readyState: gone, recheckAfterMs: minute } : undefined,
    });
    story.remote.runMs = 600 * minute;
    await story.run({}, 10_000, "active");
    await story.run({ ...replace, ...spec }, 20 * minute, "replacer");
    expect(story.condition("Ready", "active")).toBe("Unknown/RunActive");
    expect(story.remote.calls).not.toContain("abort");
  });

  describe("a status that somebody of another namespace wrote", () => {
    const gone = { kind: "stalled", reason: "ConnectionNotFound", message: "gone" } as const;
    const forge = (status: object, spec: object = {}) => {
      const made = story.cluster.create("forged", spec, { namespace: "mallory" });
      const others = story.cluster.list().filter(({ metadata }) => metadata.namespace !== "mallory");
      story.cluster.restore([...others, { ...made, status: { observedGeneration: 1, ...status } }]);
    };
    const tenants = () =>
      new RunStory({
        account: ({ namespace }) =>
          namespace === "mallory" ? { kind: "blocked", readyState: gone, recheckAfterMs: minute } : undefined,
      });

    test.each<readonly [string, object]>([
      ["an open start", { start: record }],
      ["an active run", { start: record, attempts: [attempt], runId: "r1" }],
    ])("keeps nobody waiting once nothing of a process before can be on its way: %s", async (_, status) => {
      story = tenants();
      forge(status);
      await story.run({ concurrencyPolicy: "Forbid", startDeadlineSeconds: 5_400 }, 2 * minute);
      expect(story.status().phase).toBe("Running");
    });

    test("aborts no run", async () => {
      story = tenants();
      story.remote.runMs = 600 * minute;
      await story.run({}, 10_000, "active");
      const conditions = [{ type: "Ready", status: "Unknown", reason: "WaitingForConcurrency", message: "" }];
      await story.clock.advance(1_000);
      forge({ replaces: ["default/active"], conditions }, replace);
      await story.clock.advance(5 * minute);
      expect(story.condition("Ready", "active")).toBe("Unknown/RunActive");
      expect(story.remote.calls).not.toContain("abort");
    });
  });

  test("Replace that waits for an abort that has no effect costs a list every half minute at most", async () => {
    story = new RunStory();
    story.remote.runMs = 600 * minute;
    story.remote.abort = () => undefined;
    await story.run({}, 10_000, "active");
    const before = story.remote.calls.length;
    await story.run(replace, 10 * minute, "replacer");
    expect(story.status("replacer").replaces).toEqual(["default/active"]);
    const lists = story.remote.calls.slice(before).filter((call) => call === "list");
    expect(lists.length).toBeLessThanOrEqual(22);
  });

  test("Allow waits for an open start no longer than its settle time, also where its connection is gone", async () => {
    const gone = { kind: "stalled", reason: "ConnectionNotFound", message: "gone" } as const;
    let isGone = false;
    story = new RunStory({
      account: ({ connectionName }) =>
        isGone && connectionName === "a" ? { kind: "blocked", readyState: gone, recheckAfterMs: minute } : undefined,
    });
    story.remote.mode = "answerLost";
    story.remote.runMs = 10 * minute;
    await story.run({ connectionRef: { name: "a" } }, 10_000, "open");
    isGone = true;
    await story.run({}, 40_000, "next");
    expect(story.condition("Ready", "next")).toBe("Unknown/WaitingForConcurrency");
    await story.clock.advance(minute);
    expect(story.summary("next")).toMatchObject({ phase: "Running", runId: "run-2" });
    isGone = false;
    await story.clock.advance(2 * minute);
    expect(story.status("open")).toMatchObject({ runId: "run-1", attempts: [{ origin: "Recovered" }] });
  });

  test("two open starts of which one run came: nobody takes it by itself where both may have", async () => {
    story = new RunStory();
    story.remote.sendsDate = false;
    story.remote.mode = "notApplied";
    await story.run({}, 100_000, "one");
    story.remote.nextMode = "answerLost";
    story.remote.runMs = 600 * minute;
    await story.run({}, 10 * minute, "two");
    const told = ["one", "two"].map((name) => story.condition("Ready", name));
    expect(story.remote.ours).toHaveLength(1);
    expect(told).toEqual(["False/StartOutcomeUnknown", "False/StartOutcomeUnknown"]);
    story.cluster.edit("two", { annotations: { [resolveStart]: "run-1" } });
    await story.clock.advance(minute);
    expect(story.summary("two")).toMatchObject({ phase: "Running", runId: "run-1" });
  });

  test("a run whose start is open is no duplicate of another object's, which watches for one", async () => {
    story = new RunStory();
    story.remote.mode = "notApplied";
    await story.run({ startGuarantee: "AtLeastOnce" }, 110_000, "repeated");
    story.remote.runMs = 10 * minute;
    await story.clock.advance(minute);
    expect(story.remote.posts).toHaveLength(2);
    story.remote.nextMode = "answerLost";
    await story.run({}, 3 * minute, "next");
    expect(story.status("repeated").duplicateRunId).toBeUndefined();
    expect(story.status("next")).toMatchObject({ runId: "run-2", attempts: [{ origin: "Recovered" }] });
  });

  test("an open start of another account holds nobody back, also right after a restart", async () => {
    const gone = { kind: "stalled", reason: "ConnectionNotFound", message: "gone" } as const;
    let isGone = false;
    const blue: { northflank?: FakeNorthflank } = {};
    story = new RunStory({
      account: ({ connectionName }) =>
        isGone && connectionName === "red"
          ? { kind: "blocked", readyState: gone, recheckAfterMs: 10 * minute }
          : undefined,
      elsewhere: ({ connectionName }) => (connectionName === "blue" ? blue.northflank : undefined),
    });
    blue.northflank = accountWithJob(story.clock);
    story.remote.mode = "notApplied";
    await story.run({ connectionRef: { name: "red" } }, 5 * minute, "red");
    isGone = true;
    story.restart();
    const forbid = { concurrencyPolicy: "Forbid", startDeadlineSeconds: 7_200 } as const;
    await story.run({ ...forbid, connectionRef: { name: "blue" } }, 5 * minute, "blue");
    expect(story.condition("Ready", "blue")).toBe("True/RunSucceeded");
    await story.run({ ...forbid, connectionRef: { name: "green" } }, 5 * minute, "green");
    expect(story.condition("Ready", "green")).toBe("Unknown/WaitingForConcurrency");
  });
});
