import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import type { RunState } from "../../src/controllers/job-run/machine.ts";

type Status = Partial<NonNullable<NorthflankJobRun["status"]>>;

const pending = { id: "s", attempt: 1, recordedTime: "2026-01-01T00:00:00Z", outcome: "Pending" } as const;
const attempt = { number: 1, runId: "r1", origin: "Started" } as const;
const adopted = { ...attempt, origin: "Adopted" } as const;
const over = { ...attempt, completionTime: "2026-01-01T00:01:00Z" };
const judged = [
  { type: "Started", status: "Unknown", reason: "StartOutcomeUnknown", message: "m", lastTransitionTime: "t" },
] as const;

/** A status for each state; the compiler asks for one when a state is added. */
export const runStates: Readonly<Record<RunState, readonly Status[]>> = {
  idle: [
    {},
    { start: { ...pending, outcome: "NotStarted", reason: "forbidden" } },
    { start: { ...pending, outcome: "NotStarted", reason: "StartOutcomeUnknown" } },
  ],
  // What makes it so is an annotation, no part of the status.
  marked: [],
  rejected: [{ start: { ...pending, outcome: "NotStarted", reason: "RequestRejected" } }],
  unresolved: [
    { start: pending },
    { start: { ...pending, attempt: 2 }, attempts: [over] },
    // Somebody wrote the attempts away.
    { start: { ...pending, outcome: "Accepted" } },
    { start: { ...pending, outcome: "Recovered" } },
  ],
  unknown: [{ start: pending, conditions: judged }],
  active: [
    { start: pending, attempts: [attempt] },
    { start: { ...pending, outcome: "Accepted" }, attempts: [attempt] },
    { start: { ...pending, attempt: 2, outcome: "Accepted" }, attempts: [over, { ...attempt, number: 2 }] },
    // Somebody wrote the completion time away: no other run follows a success, nor the last failure that is allowed.
    { start: { ...pending, outcome: "Accepted" }, attempts: [{ ...over, remoteStatus: "SUCCESS" }] },
    { start: { ...pending, attempt: 2, outcome: "Accepted" }, attempts: [over, { ...over, number: 2 }] },
  ],
  adopted: [
    { start: { ...pending, outcome: "Recovered" }, attempts: [adopted] },
    // No other run follows it, whatever backoffLimit allows.
    { start: pending, attempts: [{ ...adopted, completionTime: over.completionTime, remoteStatus: "FAILED" }] },
    { attempts: [adopted] },
  ],
  between: [{ start: { ...pending, outcome: "Accepted" }, attempts: [over] }],
  finished: [
    { completionTime: "2026-01-01T00:01:00Z" },
    { completionTime: "2026-01-01T00:01:00Z", start: pending, conditions: judged },
    { completionTime: "2026-01-01T00:01:00Z", start: { ...pending, outcome: "Accepted" }, attempts: [over] },
  ],
};
