import { describe, expect, test } from "vitest";
import type { NorthflankJobRun } from "../../../src/api/job-run.ts";
import { reasons } from "../../../src/api/reasons.ts";
import type { RunResult } from "../../../src/controllers/job-run/result.ts";
import { phaseOf, statusOf } from "../../../src/controllers/job-run/status.ts";
import type { ReadyState } from "../../../src/controllers/reconcile/ready-state.ts";
import { leavesRequestOpen } from "../../../src/controllers/reconcile/reconcile-request.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { brokenPromises, kstatusOf } from "../../support/kstatus.ts";
import { RunCluster } from "../../support/run-cluster.ts";

const clock = new FakeClock();
const calm = {
  fields: {},
  next: { kind: "never" },
  enqueues: [],
  events: [],
  isOutcomeUnknown: false,
  isReleased: false,
} as const;

function result(kind: ReadyState["kind"], reason: ReadyState["reason"], more: Partial<RunResult> = {}): RunResult {
  return { ...calm, readyState: { kind, reason, message: `${reason} was seen.` }, ...more };
}

function write(object: NorthflankJobRun, given: RunResult): NorthflankJobRun {
  const { start } = object.status ?? {};
  const status = statusOf({ object, result: given, now: clock.now() });
  return { ...object, status: { ...status, ...(start === undefined ? {} : { start }) } };
}

const created = new RunCluster(clock).create("once");
const attempt = { number: 1, runId: "r1", origin: "Started" } as const;
const record = { id: "s", attempt: 1, recordedTime: "2026-01-01T00:00:00Z", outcome: "Pending" } as const;
const over = "2026-01-01T00:01:00Z";
const attempts = [attempt];
const withRecord = { ...created, status: { observedGeneration: 1, start: record } };

const states: readonly (readonly [string, NorthflankJobRun, RunResult, object])[] = [
  ["held", created, result("suspended", "Suspended"), { phase: "Pending", kstatus: "InProgress", started: "False" }],
  ["invalid", created, result("stalled", "InvalidSpec"), { phase: "Pending", kstatus: "Failed", accepted: "False" }],
  [
    "no Secret",
    created,
    result("stalled", "SecretNotFound"),
    { phase: "Pending", kstatus: "Failed", accepted: "False" },
  ],
  ["no quota", created, result("waiting", "WaitingForQuota"), { phase: "Pending", kstatus: "InProgress" }],
  ["waiting", created, result("waiting", "WaitingForConcurrency"), { phase: "Pending", kstatus: "InProgress" }],
  [
    "recovering",
    withRecord,
    result("progressing", "RecoveringRun"),
    { phase: "Starting", kstatus: "InProgress", started: "Unknown" },
  ],
  ["read fails", withRecord, result("retrying", "RemoteUnavailable"), { phase: "Starting", kstatus: "InProgress" }],
  [
    "unknown",
    withRecord,
    result("stalled", "StartOutcomeUnknown", { isOutcomeUnknown: true }),
    { phase: "Unknown", kstatus: "Failed", started: "Unknown" },
  ],
  [
    "active",
    withRecord,
    result("progressing", "RunActive", { fields: { attempts } }),
    { phase: "Running", kstatus: "InProgress", started: "True" },
  ],
  [
    "active, 401",
    withRecord,
    result("stalled", "AuthenticationFailed", { fields: { attempts } }),
    { phase: "Running", kstatus: "Failed", accepted: "True" },
  ],
  [
    "active, suspended",
    withRecord,
    result("suspended", "Suspended", { fields: { attempts } }),
    { phase: "Running", kstatus: "InProgress" },
  ],
  [
    "succeeded",
    withRecord,
    result("ready", "RunSucceeded", { fields: { attempts, completionTime: over } }),
    { phase: "Succeeded", kstatus: "Current", finished: "True" },
  ],
  [
    "failed",
    withRecord,
    result("stalled", "RunFailed", { fields: { attempts, completionTime: over } }),
    { phase: "Failed", kstatus: "Failed", finished: "True" },
  ],
  [
    "aborted",
    withRecord,
    result("stalled", "RunAborted", { fields: { attempts, completionTime: over } }),
    { phase: "Aborted", kstatus: "Failed", finished: "True" },
  ],
  [
    "given up",
    withRecord,
    result("stalled", "StartOutcomeUnknown", { fields: { completionTime: over }, isOutcomeUnknown: true }),
    { phase: "Failed", kstatus: "Failed", finished: "True", started: "Unknown" },
  ],
  ["deleting", created, result("progressing", "Deleting"), { phase: "Pending", kstatus: "InProgress" }],
];

describe("every state", () => {
  test.each(states)("%s: keeps the promises of kstatus and reads well", (_, object, given, expected) => {
    const written = write(object, given);
    const find = (type: string) => written.status?.conditions?.find((condition) => condition.type === type)?.status;
    expect(brokenPromises(written)).toEqual([]);
    expect({
      phase: written.status?.phase,
      kstatus: kstatusOf(written),
      accepted: find("Accepted"),
      started: find("Started"),
      finished: find("Finished"),
    }).toMatchObject(expected);
    for (const { reason } of written.status?.conditions ?? []) expect(reasons).toContain(reason);
  });

  test.each(states)("%s: said again, nothing changes, also later", (_, object, given) => {
    const first = write(object, given);
    const again = statusOf({ object: first, result: given, now: clock.now() + 3_600_000 });
    const { start: _start, ...before } = first.status ?? { observedGeneration: 0 };
    expect(again).toEqual(before);
  });

  test.each(states)(
    "%s: never writes `start`, and acknowledges generation and an answered request",
    (_, object, given) => {
      const annotations = { "northflank-operator.io/reconcile-requested-at": "now" };
      const asked = { ...object, metadata: { ...object.metadata, generation: 7, annotations } };
      const status = statusOf({ object: asked, result: given, now: clock.now() });
      expect(status).not.toHaveProperty("start");
      // Where Northflank has not answered, what is asked for is still to come.
      const isOpen = leavesRequestOpen(given.readyState.reason) && object.status?.start?.outcome !== "NotStarted";
      expect(status).toMatchObject({ observedGeneration: 7 });
      expect(status.lastHandledReconcileAt).toBe(isOpen ? undefined : "now");
    },
  );
});

test("what was judged unknown keeps saying so while a look at it fails", () => {
  const unknown = write(withRecord, result("stalled", "StartOutcomeUnknown", { isOutcomeUnknown: true }));
  const { status } = write(unknown, result("retrying", "RemoteUnavailable", { isOutcomeUnknown: true }));
  const started = status?.conditions?.find(({ type }) => type === "Started");
  expect(started).toMatchObject({
    status: "Unknown",
    reason: "StartOutcomeUnknown",
    message: "StartOutcomeUnknown was seen.",
  });
  expect(status?.phase).toBe("Unknown");
});

test("the phase of no conditions at all is Pending", () => {
  expect(phaseOf([])).toBe("Pending");
});
