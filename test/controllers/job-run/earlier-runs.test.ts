import { beforeEach, describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { EarlierRuns } from "../../../src/controllers/job-run/earlier-runs.ts";
import { metadata } from "../../support/builders.ts";
import { isoOf } from "../../support/fake-kube.ts";

const minute = 60_000;

let earlier: EarlierRuns;
beforeEach(() => {
  earlier = new EarlierRuns();
});

interface Parts {
  readonly metadata?: Partial<NorthflankJobRun["metadata"]>;
  readonly spec?: Partial<NorthflankJobRun["spec"]>;
  readonly status?: Partial<NonNullable<NorthflankJobRun["status"]>>;
}

function jobRun(parts: Parts = {}): NorthflankJobRun {
  const spec = { projectId: "shop", jobId: "etl", ...parts.spec } as NorthflankJobRun["spec"];
  const status = { observedGeneration: 1, ...parts.status };
  return { apiVersion: "v1", kind: "K", metadata: { ...metadata("run"), ...parts.metadata }, spec, status };
}

/** An object whose runs took so many minutes each, one after the other. */
function ran(minutes: readonly number[], parts: Parts = {}, startMs = 0): NorthflankJobRun {
  let nowMs = startMs;
  const attempts = minutes.map((took, index) => {
    const startTime = isoOf(nowMs);
    nowMs += took * minute;
    const [runId, completionTime] = [`run-${startMs}-${index}`, isoOf(nowMs)];
    return { number: index + 1, runId, remoteStatus: "SUCCESS", startTime, completionTime, origin: "Started" } as const;
  });
  return jobRun({ ...parts, status: { attempts } });
}

const known = (object = jobRun()) => earlier.of(object).map((ms) => ms / minute);

describe("what is known of a job", () => {
  test("is nothing before its first run is over", () => {
    earlier.saw(jobRun());
    const active = { number: 1, runId: "r", remoteStatus: "RUNNING", startTime: isoOf(0), origin: "Started" } as const;
    earlier.saw(jobRun({ status: { attempts: [active] } }));
    expect(known()).toEqual([]);
  });

  test("is how long its last five runs took, in whatever order they are seen", () => {
    for (const hour of [3, 1, 7, 2, 5, 4, 6]) earlier.saw(ran([hour], {}, hour * 60 * minute));
    expect(known()).toEqual([7, 6, 5, 4, 3]);
  });

  test("is the same however often an object is seen, and once it is deleted", () => {
    const object = ran([2, 3]);
    for (let n = 0; n < 10; n++) earlier.saw(object);
    expect(known()).toEqual([3, 2]);
  });

  test("is that of failed runs, too, and not that of aborted ones", () => {
    const [one, two, three] = ran([1, 2, 3]).status?.attempts ?? [];
    const attempts = [
      { ...one, remoteStatus: "FAILED" },
      { ...two, remoteStatus: "TERMINATED" },
      { ...three, remoteStatus: "FAILED" },
    ] as NonNullable<NonNullable<NorthflankJobRun["status"]>["attempts"]>;
    earlier.saw(jobRun({ status: { attempts, abortedRunId: "run-0-2" } }));
    expect(known()).toEqual([1]);
  });

  test("is not what times say that make no sense", () => {
    const [one] = ran([1]).status?.attempts ?? [];
    for (const times of [
      { completionTime: "2026-13-99T00:00:00Z" },
      { startTime: "tomorrow" },
      { startTime: isoOf(10 * minute), completionTime: isoOf(minute) },
    ]) {
      const attempts = [{ ...one, ...times }] as NonNullable<NonNullable<NorthflankJobRun["status"]>["attempts"]>;
      earlier.saw(jobRun({ status: { attempts } }));
    }
    expect(known()).toEqual([]);
  });
});

test.each<[string, Parts]>([
  ["another job", { spec: { jobId: "other" } }],
  ["another project", { spec: { projectId: "other" } }],
  ["another namespace", { metadata: { name: "r", namespace: "other" } }],
  ["another connection", { spec: { connectionRef: { name: "other" } } }],
])("nothing of %s counts", (_, parts) => {
  earlier.saw(ran([7], parts));
  expect(known()).toEqual([]);
  expect(known(jobRun(parts))).toEqual([7]);
});

test("ten thousand jobs are kept, those that ran last", () => {
  for (let n = 0; n <= 10_000; n++) earlier.saw(ran([1], { spec: { jobId: `job-${n}` } }));
  expect(known(jobRun({ spec: { jobId: "job-0" } }))).toEqual([]);
  expect(known(jobRun({ spec: { jobId: "job-1" } }))).toEqual([1]);
});
