import { describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { runFinalizer } from "../../../src/api/names.ts";
import {
  type Circumstances,
  intentOf,
  type RunIntent,
  type RunState,
  type Step,
  stateOf,
  steps,
} from "../../../src/controllers/job-run/machine.ts";
import { byIntent, forEveryIntent } from "../../support/by-intent.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RunCluster } from "../../support/run-cluster.ts";
import { runStates } from "../../support/run-states.ts";

type Status = Partial<NonNullable<NorthflankJobRun["status"]>>;

function jobRun(options: { status?: Status; spec?: Partial<NorthflankJobRun["spec"]>; metadata?: object } = {}) {
  const spec = { backoffLimit: 1, ...options.spec };
  const object = new RunCluster(new FakeClock()).create("once", spec, options.metadata);
  return { ...object, status: { observedGeneration: 1, ...options.status } } as NorthflankJobRun;
}

describe("the state is told by the status alone", () => {
  const rows = Object.entries(runStates).flatMap(([state, list]) => list.map((status) => ({ state, status })));
  test.each(rows)("$state: $status", ({ state, status }) => {
    expect(stateOf(jobRun({ status }))).toBe(state);
  });

  test("an annotation of a start counts only where the status tells of none", () => {
    const metadata = { annotations: { "northflank-operator.io/started-run": "whatever" } };
    expect(stateOf(jobRun({ metadata }))).toBe("marked");
    for (const { state, status } of rows) {
      const isTold = status.completionTime !== undefined || status.start !== undefined || status.attempts !== undefined;
      expect(stateOf(jobRun({ status, metadata }))).toBe(isTold ? state : "marked");
    }
  });

  test("a reconcile request takes a rejected run back to its start", () => {
    const metadata = { annotations: { "northflank-operator.io/reconcile-requested-at": "2" } };
    const [status] = runStates.rejected;
    expect(stateOf(jobRun({ metadata, ...(status && { status: { ...status, lastHandledReconcileAt: "1" } }) }))).toBe(
      "idle",
    );
    expect(stateOf(jobRun({ metadata, ...(status && { status: { ...status, lastHandledReconcileAt: "2" } }) }))).toBe(
      "rejected",
    );
  });
});

describe("every state under every intent has its step", () => {
  const expected: Readonly<Record<RunState, Readonly<Record<RunIntent, Step>>>> = {
    idle: byIntent("leave", "leave", "endUnstarted", "endUnstarted", "refuseSpec", "hold", "start"),
    rejected: byIntent("leave", "leave", "endUnstarted", "endUnstarted", "refuseSpec", "hold", "standRejected"),
    unresolved: byIntent("resolve", "resolve", "resolve", "resolve", "resolve", "resolve", "resolve"),
    unknown: byIntent("leave", "leave", "endUnstarted", "awaitPerson", "awaitPerson", "awaitPerson", "awaitPerson"),
    marked: byIntent("leave", "leave", "endUnstarted", "adopt", "refuseSpec", "hold", "adopt"),
    active: byIntent("abort", "follow", "abort", "abort", "follow", "rest", "follow"),
    adopted: byIntent("leave", "follow", "follow", "follow", "follow", "rest", "follow"),
    between: byIntent("leave", "leave", "endUnstarted", "endUnstarted", "refuseSpec", "hold", "start"),
    finished: forEveryIntent("stayFinished"),
  };
  test("as the drawing says", () => expect(steps).toEqual(expected));

  test("only what has never been started, or has failed within its limit, may start", () => {
    const starting = Object.entries(steps).filter(([, intents]) => Object.values(intents).includes("start"));
    expect(starting.map(([state]) => state)).toEqual(["idle", "between"]);
  });
});

describe("intents, the strongest first", () => {
  const calm: Circumstances = { state: "idle", sinceCreationMs: 0, sinceStartMs: 0, problems: [], isReplaced: false };
  const problem = { field: "spec", message: "is bad", remedy: "" };
  const everything = { abort: true, suspend: true, startDeadlineSeconds: 10 };
  const late = { ...calm, sinceCreationMs: 10_000, problems: [problem] };
  const gone = { deletionTimestamp: "2026-01-01T00:00:00Z" };

  test.each<readonly [string, RunIntent, Parameters<typeof jobRun>[0], Circumstances]>([
    ["nothing", "proceed", {}, calm],
    ["suspend", "suspended", { spec: { suspend: true } }, calm],
    ["a bad spec before suspend", "invalid", { spec: { suspend: true } }, { ...calm, problems: [problem] }],
    ["a bad spec while a run is active", "proceed", {}, { ...calm, state: "active", problems: [problem] }],
    ["a deadline before a bad spec", "expired", { spec: { suspend: true, startDeadlineSeconds: 10 } }, late],
    ["abort before a deadline", "aborted", { spec: everything }, late],
    ["a recorded abort that was taken back", "aborted", { status: { abortRequestedTime: "t" } }, calm],
    ["being replaced", "aborted", {}, { ...calm, state: "active", isReplaced: true }],
    ["deletion before abort", "deleting", { spec: everything, metadata: gone }, late],
    [
      "deletion with our finalizer",
      "cleanup",
      { spec: { deletionPolicy: "Abort" }, metadata: { ...gone, finalizers: [runFinalizer] } },
      calm,
    ],
    [
      "deletion with our finalizer after the policy became Orphan",
      "deleting",
      { metadata: { ...gone, finalizers: [runFinalizer] } },
      calm,
    ],
  ])("%s: %s", (_, intent, options, circumstances) => {
    expect(intentOf(jobRun(options), circumstances)).toBe(intent);
  });

  test.each<readonly [RunState, number, number, RunIntent]>([
    ["idle", 59_999, 0, "proceed"],
    ["idle", 60_000, 0, "expired"],
    ["rejected", 60_000, 0, "expired"],
    ["rejected", 60_000, 1, "proceed"],
    ["unresolved", 60_000, 0, "proceed"],
    ["unknown", 60_000, 60_000, "proceed"],
    ["active", 600_000, 29_999, "proceed"],
    ["active", 600_000, 30_000, "expired"],
    ["between", 600_000, 30_000, "expired"],
    ["finished", 600_000, 600_000, "proceed"],
  ])("%s, %i ms after creation, %i ms after the start: %s", (state, sinceCreationMs, sinceStartMs, intent) => {
    const object = jobRun({ spec: { startDeadlineSeconds: 60, activeDeadlineSeconds: 30 } });
    expect(intentOf(object, { ...calm, state, sinceCreationMs, sinceStartMs })).toBe(intent);
  });
});
