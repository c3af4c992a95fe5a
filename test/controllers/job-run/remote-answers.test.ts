import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jobRunStatus, type NorthflankJobRun } from "../../../src/api/job-run.ts";
import { adoptFound } from "../../../src/controllers/job-run/adopt.ts";
import { withDuplicate } from "../../../src/controllers/job-run/duplicate.ts";
import { decideFollowed } from "../../../src/controllers/job-run/follow.ts";
import type { RunResult, Situation } from "../../../src/controllers/job-run/result.ts";
import { baselineOf } from "../../../src/controllers/job-run/start-record.ts";
import { statusOf } from "../../../src/controllers/job-run/status.ts";
import { toRunView } from "../../../src/northflank/run-view.ts";
import type { JobRunView } from "../../../src/northflank/types.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { RunCluster } from "../../support/run-cluster.ts";
import { runSituation } from "../../support/run-situation.ts";

const time = "2026-01-01T00:00:00Z";
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
const isStatus = ajv.compile(jobRunStatus);

const record = { id: "s", attempt: 1, recordedTime: time, baseline: { runIds: [] }, outcome: "Pending" } as const;

function situation(status: Partial<NonNullable<NorthflankJobRun["status"]>>, remoteNow: number | undefined): Situation {
  const clock = new FakeClock();
  const created = new RunCluster(clock).create("once", { activeDeadlineSeconds: 3_600, backoffLimit: 1 });
  const object = { ...created, status: { observedGeneration: 1, start: record, ...status } };
  return runSituation(object, clock.now() + 60_000, { sinceCreationMs: 60_000, sinceStartMs: 60_000, remoteNow });
}

const odd = fc.constantFrom<unknown>(
  "",
  "soon",
  "0000-00-00T00:00:00Z",
  "0000-12-31T23:59:59Z",
  "0001-01-01T00:00:00Z",
  "-000001-01-01T00:00:00Z",
  "1969-12-31T23:59:59.999Z",
  "2026-01-01",
  "2026-01-01T00:00:00.123456789+23:59",
  "9999-12-31T23:59:59Z",
  "9999-12-31T23:59:59.999Z",
  "9999-12-31T23:59:59-12:00",
  "+010000-01-01T00:00:00Z",
  "+275760-09-13T00:00:00Z",
  1,
  null,
  undefined,
);
const times = fc.oneof(
  odd,
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc.string(),
);
const texts = fc.oneof(fc.string({ maxLength: 400, unit: "binary" }), fc.constantFrom("", "x".repeat(5_000), null, 7));

/** Anything that the decoder lets through as a run. */
const runs = fc
  .record({
    id: fc.stringMatching(/^[A-Za-z0-9_-]{1,128}$/),
    runName: texts,
    status: fc.oneof(fc.constantFrom("SUCCESS", "FAILED", "RUNNING", "TERMINATED"), texts),
    concluded: fc.constantFrom<unknown>(true, false, undefined, "yes"),
    startedAt: times,
    concludedAt: times,
  })
  .map(toRunView)
  .filter((run): run is JobRunView => run !== undefined);

const clocks = fc.oneof(fc.constant(undefined), fc.integer({ min: 0, max: 253_402_300_799_000 }));

function expectStatus(given: Situation, result: RunResult): void {
  const status = statusOf({ object: given.object, result, now: given.now });
  expect({ status, errors: isStatus(status) ? [] : isStatus.errors }).toEqual({ status, errors: [] });
}

describe("whatever Northflank says of a run, the API server takes the status that comes of it", () => {
  test("when the run is adopted", () => {
    fc.assert(
      fc.property(runs, clocks, (run, remoteNow) => {
        const given = situation({}, remoteNow);
        expectStatus(given, withDuplicate(adoptFound(given, record, run), run.id));
      }),
    );
  });

  test("when the run is followed", () => {
    fc.assert(
      fc.property(runs, clocks, fc.boolean(), (run, remoteNow, hasRunName) => {
        const attempt = { number: 1, runId: run.id, origin: "Started", remoteStatus: "RUNNING" } as const;
        const given = situation({ attempts: [attempt], ...(hasRunName ? { runName: "n" } : {}) }, remoteNow);
        const options = { intent: "proceed", hasSentAbort: false } as const;
        expectStatus(given, decideFollowed(given, { run, isGone: false }, options));
        expectStatus(given, decideFollowed(given, { run: undefined, isGone: true }, options));
      }),
    );
  });

  test("when it is part of a baseline", () => {
    fc.assert(
      fc.property(fc.array(runs, { maxLength: 5 }), clocks, (list, serverTimeMs) => {
        const start = { ...record, ...baselineOf({ runs: list, serverTimeMs }, undefined) };
        const status = { observedGeneration: 1, start };
        expect({ status, errors: isStatus(status) ? [] : isStatus.errors }).toEqual({ status, errors: [] });
      }),
    );
  });
});
