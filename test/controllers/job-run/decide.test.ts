import { describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { decideNoQuota } from "../../../src/controllers/job-run/decide.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RunCluster } from "../../support/run-cluster.ts";

const settings = { runPollIntervalMs: 10_000, startSettleMs: 30_000, startGateMs: 5_000, requestTimeoutMs: 30_000 };
const attempt = { number: 1, runId: "r1", origin: "Started" } as const;
const pending = { id: "s", attempt: 1, recordedTime: "2026-01-01T00:00:00Z", outcome: "Pending" } as const;

describe("a spent quota is told of what it holds back", () => {
  test.each<readonly [string, Partial<NonNullable<NorthflankJobRun["status"]>>]>([
    ["a start", {}],
    ["a start", { attempts: [{ ...attempt, completionTime: "2026-01-01T00:01:00Z" }] }],
    ["a look at the run", { attempts: [attempt] }],
    ["a search for the run", { start: pending }],
  ])("%s: %o", (what, status) => {
    const clock = new FakeClock();
    const object = { ...new RunCluster(clock).create("once"), status: { observedGeneration: 1, ...status } };
    const { verdict } = decideNoQuota({ object, now: clock.now(), settings, sinceStartMs: 0 }, 60_000);
    expect(verdict).toMatchObject({ kind: "waiting", reason: "WaitingForQuota" });
    expect(verdict.message).toContain(`does not allow ${what} now`);
  });
});
