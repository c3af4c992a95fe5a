import { expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { forgottenStart, RestoreMemory } from "../../../src/controllers/job-run/restored.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const at = (time: string) => Date.parse(`2026-05-01T${time}Z`);

/** An object created at 10:00:00, with a run that ended at the given time. */
function object(lastEnd?: string): NorthflankJobRun {
  const attempt = { number: 1, runId: "run-1", origin: "Started", startTime: "2026-05-01T10:00:05Z" } as const;
  const attempts = lastEnd === undefined ? [] : [{ ...attempt, completionTime: `2026-05-01T${lastEnd}Z` }];
  return {
    apiVersion: "northflank-operator.io/v1alpha1",
    kind: "NorthflankJobRun",
    metadata: { name: "once", namespace: "default", creationTimestamp: "2026-05-01T10:00:00Z" },
    spec: { projectId: "shop", jobId: "migrate" },
    status: { observedGeneration: 1, attempts },
  } as unknown as NorthflankJobRun;
}

function forgotten(of: NorthflankJobRun, restoredAt: string | undefined, aheadMs = 0) {
  const restored = restoredAt === undefined ? undefined : { atMs: at(restoredAt), sinceMs: 0 };
  return forgottenStart({ object: of, restored, account: "home", newId: () => "new", aheadMs, settleWaitMs: 65_000 });
}

test("without a restore nothing is forgotten", () => {
  expect(forgotten(object(), undefined)).toBeUndefined();
});

test.each([
  ["09:59:59", undefined],
  ["10:00:00", { id: "new", attempt: 1, recordedTime: "2026-05-01T09:59:50Z", account: "home", outcome: "Pending" }],
])("an object that was created at 10:00:00 may have forgotten a start when restored at %s: %j", (restoredAt, want) => {
  const start = forgotten(object(), restoredAt);
  if (want === undefined) expect(start).toBeUndefined();
  // A run of it began until the restore, plus the settle time: nobody sent anything afterwards.
  else expect(start).toEqual({ ...want, untilTime: "2026-05-01T10:01:15Z", baseline: { runIds: [] } });
});

test.each([
  ["10:04:59", undefined],
  ["10:05:00", "2026-05-01T10:04:50Z"],
])("a further run counts from the end of the one before, 10:05:00; restored at %s: from %s", (restoredAt, want) => {
  expect(forgotten(object("10:05:00"), restoredAt)?.recordedTime).toBe(want);
});

test("the creation is told in Northflank's time, the end of a run is in it already", () => {
  expect(forgotten(object(), "10:00:00", 3_600_000)?.recordedTime).toBe("2026-05-01T10:59:50Z");
  expect(forgotten(object("11:05:00"), "10:05:00", 3_600_000)?.recordedTime).toBe("2026-05-01T11:04:50Z");
  expect(forgotten(object("11:05:01"), "10:05:00", 3_600_000)).toBeUndefined();
});

test("what repeats a start that was given up came after the reach of that one", () => {
  const [id, attempt, recordedTime] = ["old", 1, "2026-05-01T10:03:00Z"] as const;
  const baseline = { runIds: ["run-0"] };
  const start = { id, attempt, recordedTime, baseline, outcome: "NotStarted", reason: "RetryingRun" } as const;
  const given = object();
  const repeated = { ...given, status: { observedGeneration: 1, ...given.status, start } };
  expect(forgotten(repeated, "10:10:00")).toMatchObject({ recordedTime: "2026-05-01T10:04:15Z", baseline });
  expect(forgotten(repeated, "10:04:00")).toBeUndefined();
  const refused = { ...repeated, status: { ...repeated.status, start: { ...start, reason: "WaitingForQuota" } } };
  expect(forgotten(refused, "10:10:00")?.recordedTime).toBe("2026-05-01T09:59:50Z");
});

test("the last restore counts, by the monotonic clock", async () => {
  const clock = new FakeClock();
  const memory = new RestoreMemory(clock);
  expect(memory.last()).toBeUndefined();
  memory.noticed();
  await clock.advance(5_000);
  const atMs = clock.now();
  memory.noticed();
  await clock.advance(2_000);
  expect(memory.last()).toEqual({ atMs, sinceMs: 2_000 });
});
