import { describe, expect, test } from "vitest";
import { decideNoQuota, decideStarted, type StartReport } from "../../../src/controllers/job-run/decide.ts";
import type { RunState } from "../../../src/controllers/job-run/machine.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { northflankError } from "../../support/fake-northflank.ts";
import { RunCluster } from "../../support/run-cluster.ts";
import { runSituation } from "../../support/run-situation.ts";
import { runIn } from "../../support/runs-in-states.ts";

describe("a spent quota is told of what it holds back", () => {
  const cases: Readonly<Record<RunState, string>> = {
    idle: "a start",
    marked: "a start",
    rejected: "a start",
    between: "a start",
    unresolved: "a search for the run",
    unknown: "a search for the run",
    active: "a read of the run",
    adopted: "a read of the run",
    // Never asked for.
    finished: "a start",
  };
  test.each(Object.entries(cases))("%s: %s", async (state, what) => {
    const story = await runIn(state as RunState);
    story.end();
    const { readyState } = decideNoQuota(runSituation(story.object(), story.clock.now()), { retryAfterMs: 60_000 });
    expect(readyState).toMatchObject({ kind: "waiting", reason: "WaitingForQuota" });
    expect(readyState.message).toContain(`The account's request quota does not allow ${what} now`);
    const refusal = { retryAfterMs: 60_000, ceiling: 10 };
    const own = decideNoQuota(runSituation(story.object(), story.clock.now()), refusal).readyState.message;
    expect(own).toContain(`The connection's limit of 10 requests per hour does not allow ${what} now`);
  });
});

describe("what becomes of a start: every report has its row", () => {
  const start = { id: "s", attempt: 1, recordedTime: "2026-01-01T00:00:00Z", outcome: "Pending" } as const;
  const run = {
    id: "r1",
    runName: "n",
    status: "RUNNING",
    concluded: false,
    startedAt: undefined,
    concludedAt: undefined,
  };
  const readyState = { kind: "stalled", reason: "SecretNotFound", message: "No Secret." } as const;
  const builder = { projectId: "p", serviceId: "web" };
  const query = { builder, by: { kind: "id", buildId: "b1", sha: undefined }, branch: undefined } as const;
  const answered = (result: Extract<StartReport, { kind: "answered" }>["result"]): StartReport => ({
    kind: "answered",
    start,
    result,
  });
  const why = "The annotation was not stored (forbidden).";
  const rows: Readonly<Record<StartReport["kind"], readonly (readonly [StartReport, number, string])[]>> = {
    busy: [[{ kind: "busy" }, 0, "nothing"]],
    outdated: [[{ kind: "outdated" }, 1, "nothing"]],
    blocked: [[{ kind: "blocked", readyState, recheckAfterMs: 60_000 }, 0, "stalled SecretNotFound, recheck in 60000"]],
    noQuota: [[{ kind: "noQuota", retryAfterMs: 5_000 }, 0, "waiting WaitingForQuota, asks in 5000"]],
    obstructed: [
      [
        { kind: "obstructed", obstacles: [{ kind: "active", name: "default/other" }], replaces: [] },
        0,
        "waiting WaitingForConcurrency, recheck in 30000",
      ],
      [
        { kind: "obstructed", obstacles: [{ kind: "foreign", name: "r9" }], replaces: [] },
        0,
        "waiting WaitingForConcurrency, asks in 30000",
      ],
      [
        { kind: "obstructed", obstacles: [{ kind: "active", name: "default/other" }], replaces: ["default/other"] },
        0,
        "waiting WaitingForConcurrency, asks in 30000, then wake",
      ],
    ],
    buildNotUsable: [
      [
        { kind: "buildNotUsable", seen: { query, sight: { kind: "none" } }, elapsedMs: 0 },
        0,
        "stalled BuildNotFound, asks in 15000",
      ],
    ],
    readFailed: [
      [
        { kind: "readFailed", error: northflankError("server_error") },
        0,
        "retrying RemoteUnavailable, backoff, failure 1",
      ],
      [
        { kind: "readFailed", error: northflankError("forbidden") },
        0,
        "stalled PermissionDenied, asks in 3600000, failure 1",
      ],
      [{ kind: "readFailed", error: northflankError("rate_limited") }, 0, "waiting WaitingForQuota, asks in 90000"],
    ],
    listCut: [[{ kind: "listCut" }, 0, "stalled RunListIncomplete, asks in 3600000"]],
    notStored: [[{ kind: "notStored", fields: ["status.start"] }, 0, "stalled StatusNotStored, asks in 3600000"]],
    gateClosed: [
      [{ kind: "gateClosed", start, why, isMarkRefused: false }, 1, "progressing StartingRun, asks in 2000"],
      [{ kind: "gateClosed", start, why, isMarkRefused: true }, 7, "progressing StartingRun, asks in 60000"],
      [
        { kind: "gateClosed", start, why, isMarkRefused: true },
        8,
        "stalled StatusNotStored, asks in 3600000, failure 1",
      ],
    ],
    lateRun: [
      [
        { kind: "lateRun", start, readBack: { kind: "one", run } },
        0,
        "progressing RunActive, again, then record Recovered",
      ],
      [
        { kind: "lateRun", start, readBack: { kind: "several", runIds: ["r1", "r2"] } },
        0,
        "stalled StartOutcomeUnknown, asks in 3600000, unknown",
      ],
    ],
    answered: [
      [
        answered({ kind: "accepted", runId: "r1", runName: "n" }),
        0,
        "progressing RunActive, asks in 10000, then record Accepted",
      ],
      [
        answered({ kind: "refused", error: northflankError("rejected", { httpStatus: 400 }) }),
        0,
        "stalled RequestRejected, never, failure 1",
      ],
      [
        answered({ kind: "refused", error: northflankError("server_error") }),
        0,
        "retrying RemoteUnavailable, backoff, failure 1",
      ],
      [
        answered({ kind: "unknown", error: northflankError("timeout") }),
        0,
        "progressing RecoveringRun, recheck in 65000",
      ],
    ],
  };

  test.each(Object.values(rows).flat())("%j after %i given up: %s", (report, givenUp, expected) => {
    const clock = new FakeClock();
    const deployment = { internal: { id: "web", buildId: "b1" } };
    const situation = runSituation(new RunCluster(clock).create("once", { deployment }), clock.now());
    const result = decideStarted(situation, report, givenUp);
    expect(result === undefined ? "nothing" : textOf(result)).toBe(expected);
  });

  function textOf({
    readyState,
    next,
    record,
    enqueues,
    fields,
    isOutcomeUnknown,
  }: NonNullable<ReturnType<typeof decideStarted>>) {
    const delay = next.kind === "recheck" ? `${next.asks ? "asks" : "recheck"} in ${next.afterMs}` : next.kind;
    const actions = [...(record === undefined ? [] : [`record ${record.outcome}`]), ...enqueues.map(() => "wake")];
    return [
      `${readyState.kind} ${readyState.reason}`,
      delay,
      ...(fields.failure === undefined ? [] : [`failure ${fields.failure.count}`]),
      ...(isOutcomeUnknown ? ["unknown"] : []),
      ...(actions.length === 0 ? [] : [`then ${actions.join(" ")}`]),
    ].join(", ");
  }
});
