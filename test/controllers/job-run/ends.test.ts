import { describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { decideFinished } from "../../../src/controllers/job-run/ends.ts";
import { statusOf } from "../../../src/controllers/job-run/status.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RunCluster } from "../../support/run-cluster.ts";
import { runSituation } from "../../support/run-situation.ts";

const time = "2026-01-01T00:00:00Z";
const attempt = { number: 1, runId: "r1", origin: "Started", completionTime: time } as const;

type Status = Partial<NonNullable<NorthflankJobRun["status"]>>;

function saidOf(status: Status) {
  const clock = new FakeClock();
  const over = { observedGeneration: 1, completionTime: time, ...status };
  const object = { ...new RunCluster(clock).create("once"), status: over };
  const situation = runSituation(object, clock.now());
  const { conditions = [] } = statusOf({ object, result: decideFinished(situation), now: situation.now });
  return conditions.map(({ type, status: is, reason, message }) => `${type}=${is} ${reason}: ${message}`);
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
    const said = saidOf({ conditions, attempts: [{ ...attempt, remoteStatus: "FAILED" }] });
    expect(said).toContain("Ready=False DeadlineExceeded: It took too long.");
    expect(said).toContain("Succeeded=False DeadlineExceeded: It took too long.");
  });

  test.each<readonly [string | undefined, string, string]>([
    ["SUCCESS", "True", "RunSucceeded"],
    ["FAILED", "False", "RunFailed"],
    [undefined, "False", "RunDisappeared"],
  ])("whose conditions somebody wiped is judged by its run: %s", (remoteStatus, status, reason) => {
    const last = remoteStatus === undefined ? attempt : { ...attempt, remoteStatus };
    expect(saidOf({ attempts: [last] })).toEqual(
      expect.arrayContaining(["Ready", "Succeeded"].map((type) => `${type}=${status} ${reason}: The run is over.`)),
    );
  });
});
