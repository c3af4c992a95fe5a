import { describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { decideFinished } from "../../../src/controllers/job-run/ends.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RunCluster } from "../../support/run-cluster.ts";
import { runSituation } from "../../support/run-situation.ts";

const time = "2026-01-01T00:00:00Z";
const attempt = { number: 1, runId: "r1", origin: "Started", completionTime: time } as const;

type Status = Partial<NonNullable<NorthflankJobRun["status"]>>;

function verdictOf(status: Status) {
  const clock = new FakeClock();
  const over = { observedGeneration: 1, completionTime: time, ...status };
  const object = { ...new RunCluster(clock).create("once"), status: over };
  return decideFinished(runSituation(object, clock.now())).verdict;
}

function condition(type: string, status: "True" | "False", reason: string, message: string) {
  return { type, status, reason, message, lastTransitionTime: time };
}

describe("a finished object", () => {
  test("says again what it said", () => {
    const conditions = [
      condition("Ready", "False", "DeadlineExceeded", "It took too long."),
      condition("Succeeded", "False", "DeadlineExceeded", "It took too long."),
    ];
    const verdict = verdictOf({ conditions, attempts: [{ ...attempt, remoteStatus: "FAILED" }] });
    expect(verdict).toEqual({ kind: "stalled", reason: "DeadlineExceeded", message: "It took too long." });
  });

  test.each<readonly [string | undefined, string, string]>([
    ["SUCCESS", "ready", "RunSucceeded"],
    ["FAILED", "stalled", "RunFailed"],
    [undefined, "stalled", "RunDisappeared"],
  ])("whose conditions somebody wiped is judged by its run: %s", (remoteStatus, kind, reason) => {
    const last = remoteStatus === undefined ? attempt : { ...attempt, remoteStatus };
    expect(verdictOf({ attempts: [last] })).toMatchObject({ kind, reason });
  });
});
