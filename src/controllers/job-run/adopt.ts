// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import { startedRun } from "../../api/names.ts";
import type { JobRunView } from "../../northflank/types.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import { assertNever } from "../../util/assert-never.ts";
import type { EventDraft } from "../reconcile/events.ts";
import type { ReadyState } from "../reconcile/ready-state.ts";
import type { Attempt } from "./machine.ts";
import { maxAttempts } from "./memory.ts";
import { adoptedMs, machinesAllowanceMs, ownMs } from "./remote-times.ts";
import { firstPoll, normal, type RunResult, runResult, type Situation, type StatusFields } from "./result.ts";
import { isFromAnnotation, type StartRecord, timeMs } from "./start-record.ts";

/** A run that was found takes the place of the answer that was lost. */
export function adoptFound(situation: Situation, start: StartRecord, run: JobRunView): RunResult {
  const startMs = timeMs(run.startedAt);
  const isCopy = isFromAnnotation(start);
  const own = isCopy ? adoptedMs : ownMs;
  return adopt(situation, start, {
    runId: run.id,
    runName: run.runName,
    startTime: formatTime(startMs ?? situation.now),
    ownStartTime: formatTime(startMs === undefined ? situation.now : own(situation, startMs)),
    origin: isCopy ? "Adopted" : "Recovered",
  });
}

/** The run of a start is known: it is what the object is about from now on. */
export function adopt(
  situation: Situation,
  start: StartRecord,
  found: {
    readonly runId: string;
    readonly runName: string | undefined;
    readonly startTime: string;
    /** The same by our own clock, where it is not that already. */
    readonly ownStartTime?: string;
    readonly origin: Attempt["origin"];
  },
): RunResult {
  const { object } = situation;
  const attempt: Attempt = {
    number: start.attempt,
    runId: found.runId,
    ...(found.runName === undefined ? {} : { runName: capped(found.runName, 256) }),
    remoteStatus: "RUNNING",
    startTime: found.startTime,
    origin: found.origin,
  };
  const isFound = found.origin !== "Started";
  const { reason: _reason, message: _message, ...open } = start;
  const fields: StatusFields = {
    attempts: [...(object.status?.attempts ?? []), attempt].slice(-maxAttempts),
    runId: attempt.runId,
    runName: attempt.runName,
    startTime: object.status?.startTime ?? found.ownStartTime ?? attempt.startTime,
    failure: undefined,
  };
  return runResult(running(object, attempt), {
    fields,
    next: isFound ? { kind: "again" } : firstPoll(situation),
    record: { ...open, outcome: isFound ? "Recovered" : "Accepted" },
    events: [adoptionEvent(object, attempt)],
  });
}

function adoptionEvent({ spec }: NorthflankJobRun, { origin, runId }: Attempt): EventDraft {
  switch (origin) {
    case "Started":
      return normal("RunStarted", "StartRun", `Started run ${runId} of job ${spec.jobId}.`);
    case "Recovered":
      return normal("RunRecovered", "StartRun", `Found run ${runId}, whose start had no answer.`);
    case "Adopted":
      return normal("RunAdopted", "StartRun", `Adopted run ${runId}, which was started before the status was lost.`);
    default:
      return assertNever(origin, "origin");
  }
}

export function running({ spec }: NorthflankJobRun, attempt: Attempt): ReadyState {
  const note = isAdopted(attempt) ? ` ${followedOnly}` : "";
  const message = `Run ${attempt.runId} of job ${spec.jobId} is active.${note}`;
  return { kind: "progressing", reason: "RunActive", message };
}

export function isAdopted({ origin }: Attempt): boolean {
  return origin === "Adopted";
}

const followedOnly =
  "It was started before this object lost its status, so the operator follows it and never aborts it: abort it in " +
  "Northflank if it is not wanted.";

/** What an end says of a run that this object did not start, as far as Kubernetes knows. */
export function adoptedNote(attempt: Attempt): string {
  if (!isAdopted(attempt)) return "";
  return (
    " It was started before this object lost its status, and no other run was started; to run the job again, create an " +
    `object without the annotation ${startedRun}.`
  );
}

/** When an adopted run began, where the annotation did not say so and Northflank does. */
export function adoptedStart(situation: Situation, attempt: Attempt, { startedAt }: JobRunView): StatusFields {
  const { attempts, startTime } = situation.object.status ?? {};
  const startedMs = timeMs(startedAt);
  if (!isAdopted(attempt) || startedMs === undefined || (attempts?.length ?? 0) > 1) return {};
  const knownMs = timeMs(startTime);
  const beganMs = adoptedMs(situation, startedMs);
  // The two clocks are not compared to the second.
  if (knownMs !== undefined && Math.abs(knownMs - beganMs) <= machinesAllowanceMs) return {};
  return { startTime: formatTime(beganMs) };
}
