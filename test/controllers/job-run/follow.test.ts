import { describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { decideFollowed } from "../../../src/controllers/job-run/follow.ts";
import type { RunIntent } from "../../../src/controllers/job-run/machine.ts";
import { pollIntervalMs, type Situation } from "../../../src/controllers/job-run/result.ts";
import { decidePause, retryPauseMs } from "../../../src/controllers/job-run/run-end.ts";
import type { JobRunView } from "../../../src/northflank/types.ts";
import { byIntent, forEveryIntent } from "../../support/by-intent.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RunCluster } from "../../support/run-cluster.ts";
import { runSituation, runSettings as settings } from "../../support/run-situation.ts";

function situation(
  options: { spec?: Partial<NorthflankJobRun["spec"]>; number?: number; aborted?: boolean } = {},
): Situation {
  const clock = new FakeClock();
  const created = new RunCluster(clock).create("once", { activeDeadlineSeconds: 3_600, ...options.spec });
  const attempt = { number: options.number ?? 1, runId: "r1", remoteStatus: "RUNNING", origin: "Started" } as const;
  const startTime = "2026-01-01T00:00:00Z";
  const status = {
    observedGeneration: 1,
    attempts: [{ ...attempt, startTime }],
    runId: "r1",
    startTime,
    ...(options.aborted ? { abortRequestedTime: startTime } : {}),
  };
  return runSituation({ ...created, status }, clock.now() + 60_000, { sinceCreationMs: 60_000, sinceStartMs: 60_000 });
}

type Sight =
  | "running"
  | "success"
  | "failed"
  | "abortedThere"
  | "odd"
  | "missingOnce"
  | "missingForGood"
  | "failedLate";

function view(status: string, concluded: boolean, concludedAt = "2026-01-01T00:00:30Z"): JobRunView {
  const startedAt = "2026-01-01T00:00:00Z";
  return { id: "r1", runName: "n", status, concluded, startedAt, concludedAt: concluded ? concludedAt : undefined };
}

const sights: Readonly<Record<Sight, { readonly run: JobRunView | undefined; readonly isGone: boolean }>> = {
  running: { run: view("RUNNING", false), isGone: false },
  success: { run: view("SUCCESS", true), isGone: false },
  failed: { run: view("FAILED", true), isGone: false },
  failedLate: { run: view("FAILED", true, "2026-01-01T01:00:00Z"), isGone: false },
  abortedThere: { run: view("TERMINATED", true), isGone: false },
  odd: { run: view("PONDERING", false), isGone: false },
  missingOnce: { run: undefined, isGone: false },
  missingForGood: { run: undefined, isGone: true },
};

/** What is concluded from every sight under every intent: a new one of either does not compile until it has its row. */
const table: Readonly<Record<Sight, Readonly<Record<RunIntent, string>>>> = {
  running: byIntent("Aborting", "RunActive", "Aborting", "Aborting", "RunActive", "RunActive", "RunActive"),
  odd: byIntent("Aborting", "RunActive", "Aborting", "Aborting", "RunActive", "RunActive", "RunActive"),
  missingOnce: byIntent("Aborting", "RunActive", "Aborting", "Aborting", "RunActive", "RunActive", "RunActive"),
  success: forEveryIntent("RunSucceeded"),
  failed: byIntent("AbortedOnDelete", "RunFailed", "RunAborted", "RunFailed", "RunFailed", "RunFailed", "RunFailed"),
  failedLate: byIntent(
    "AbortedOnDelete",
    "DeadlineExceeded",
    "RunAborted",
    "DeadlineExceeded",
    "DeadlineExceeded",
    "DeadlineExceeded",
    "DeadlineExceeded",
  ),
  abortedThere: byIntent(
    "AbortedOnDelete",
    "RunAbortedRemotely",
    "RunAborted",
    "RunAbortedRemotely",
    "RunAbortedRemotely",
    "RunAbortedRemotely",
    "RunAbortedRemotely",
  ),
  missingForGood: byIntent(
    "AbortedOnDelete",
    "RunDisappeared",
    "RunAborted",
    "RunAborted",
    "RunDisappeared",
    "RunDisappeared",
    "RunDisappeared",
  ),
};

const rows = (Object.keys(table) as Sight[]).flatMap((sight) =>
  (Object.entries(table[sight]) as [RunIntent, string][]).map(([intent, reason]) => ({ sight, intent, reason })),
);

describe(`what is seen of a run, under every intent: ${rows.length} cases`, () => {
  test.each(rows)("$sight, $intent: $reason", ({ sight, intent, reason }) => {
    const given = situation({ aborted: intent === "aborted" });
    const { readyState, fields, next } = decideFollowed(given, sights[sight], { intent, hasSentAbort: false });
    expect(readyState.reason).toBe(reason);
    const isOver = !["Aborting", "RunActive"].includes(reason);
    expect(fields.completionTime !== undefined).toBe(isOver);
    expect(next.kind).toBe(isOver ? "never" : "recheck");
    expect(readyState.kind).toBe(isOver ? (reason === "RunSucceeded" ? "ready" : "stalled") : "progressing");
  });
});

describe("a run that was aborted because activeDeadlineSeconds is over", () => {
  // It ended within the deadline by Northflank's clock: that of the operator is ahead, or cut to another second.
  test.each([
    { sight: "failed", hasSentAbort: true, aborted: undefined, reason: "DeadlineExceeded" },
    { sight: "failed", hasSentAbort: false, aborted: "r1", reason: "DeadlineExceeded" },
    { sight: "abortedThere", hasSentAbort: false, aborted: "r1", reason: "DeadlineExceeded" },
    { sight: "success", hasSentAbort: true, aborted: "r1", reason: "RunSucceeded" },
    { sight: "failed", hasSentAbort: false, aborted: "r0", reason: "RunFailed" },
    { sight: "failed", hasSentAbort: false, aborted: undefined, reason: "RunFailed" },
  ] as const)(
    "$sight, sent $hasSentAbort, aborted before $aborted: $reason",
    ({ sight, hasSentAbort, aborted, reason }) => {
      const given = situation();
      const before = aborted === undefined ? {} : { abortedRunId: aborted };
      const object = { ...given.object, status: { observedGeneration: 1, ...given.object.status, ...before } };
      const { readyState } = decideFollowed({ ...given, object }, sights[sight], { intent: "expired", hasSentAbort });
      expect(readyState.reason).toBe(reason);
    },
  );
});

describe("further runs after a failure", () => {
  const failed = { intent: "proceed", hasSentAbort: false } as const;
  test.each([
    [0, 1, "RunFailed"],
    [1, 1, "RetryingRun"],
    [1, 2, "BackoffLimitExceeded"],
    [2, 2, "RetryingRun"],
    [2, 3, "BackoffLimitExceeded"],
  ])("backoffLimit %i, run %i: %s", (backoffLimit, number, reason) => {
    const given = situation({ spec: { backoffLimit }, number });
    expect(decideFollowed(given, sights.failed, failed).readyState.reason).toBe(reason);
  });

  test("an abort that was asked for ends it, whatever the limit", () => {
    const given = situation({ spec: { backoffLimit: 5 }, aborted: true });
    expect(decideFollowed(given, sights.failed, { ...failed, intent: "aborted" }).readyState.reason).toBe("RunAborted");
  });

  test("the pause is 10 s, doubled each time, 6 min at most", () => {
    expect([1, 2, 3, 4, 5, 6, 7, 50].map(retryPauseMs)).toEqual([
      10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 360_000, 360_000,
    ]);
  });

  test.each([
    [0, 10_000],
    [9_999, 1],
    [10_000, undefined],
  ])("after %i ms, %s are left", (pausedMs, leftMs) => {
    const next = decidePause(situation(), pausedMs)?.next;
    expect(next?.kind === "recheck" ? next.afterMs : undefined).toBe(leftMs);
  });
});

describe("the interval of following", () => {
  test.each([
    [0, 10_000],
    [50_000, 10_000],
    [100_000, 20_000],
    [300_000, 60_000],
    [86_400_000, 60_000],
  ])("at an age of %i ms: %i ms", (ageMs, intervalMs) => {
    expect(pollIntervalMs(settings, ageMs)).toBe(intervalMs);
  });

  test("a first interval above a minute stays", () => {
    expect(pollIntervalMs({ ...settings, runPollIntervalMs: 120_000 }, 86_400_000)).toBe(120_000);
  });

  test("is cut at the deadline", () => {
    const given = { ...situation({ spec: { activeDeadlineSeconds: 65 } }), sinceStartMs: 60_000 };
    const { next } = decideFollowed(given, sights.running, { intent: "proceed", hasSentAbort: false });
    expect(next).toMatchObject({ kind: "recheck", afterMs: 5_000 });
  });
});
