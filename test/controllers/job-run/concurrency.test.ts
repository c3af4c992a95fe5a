import { describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import {
  foreignObstacles,
  obstaclesAmong,
  replacerOf,
  runIdsOf,
  type Sibling,
} from "../../../src/controllers/job-run/concurrency.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RunCluster } from "../../support/run-cluster.ts";

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

describe("who may replace an active run", () => {
  const waiting = {
    conditions: [
      { type: "Ready", status: "Unknown", reason: "WaitingForConcurrency", message: "m", lastTransitionTime: "t" },
    ],
  } as const;
  const young = { creationTimestamp: "2026-01-01T01:00:00Z" };
  const self = jobRun("Allow", examples.active);
  const rival = (changes: Partial<NorthflankJobRun> = {}) => ({ ...jobRun("Replace", waiting, young), ...changes });

  test("a younger one with Replace that waits for nothing else", () => {
    expect(replacerOf(self, [sibling(rival())])?.key).toBe("default/other");
  });

  test.each<readonly [string, NorthflankJobRun]>([
    ["an older one", jobRun("Replace", waiting, { creationTimestamp: "2025-01-01T00:00:00Z" })],
    ["one that forbids", jobRun("Forbid", waiting, young)],
    ["one that is held back by something else", jobRun("Replace", {}, young)],
    ["one that is being deleted", rival({ metadata: { ...rival().metadata, deletionTimestamp: "t" } })],
    ["one that is suspended", rival({ spec: { ...rival().spec, suspend: true } })],
    ["one that is over", rival({ status: { observedGeneration: 1, ...waiting, completionTime: "t" } })],
  ])("not %s", (_, other) => {
    expect(replacerOf(self, [sibling(other)])).toBeUndefined();
  });

  test("nothing is replaced that is not active", () => {
    expect(replacerOf(jobRun("Allow"), [sibling(rival())])).toBeUndefined();
  });
});

test("every run id that an object has is its own, the duplicate included", () => {
  const status = { runId: "r2", duplicateRunId: "r3", attempts: [attempt, { ...attempt, number: 2, runId: "r2" }] };
  expect([...runIdsOf([jobRun("Allow", status)])].sort()).toEqual(["r1", "r2", "r3"]);
});
