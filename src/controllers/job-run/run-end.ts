// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { JobRunView } from "../../northflank/types.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import { formatDuration } from "../../util/duration.ts";
import { present } from "../../util/present.ts";
import { abortEvents, isAborting } from "./abort.ts";
import { adoptedNote, adoptedStart, isAdopted } from "./adopt.ts";
import { deadlineEnd, finish } from "./ends.ts";
import { type Attempt, isAbortWanted, type RunIntent } from "./machine.ts";
import { endMs, recordedMsOf } from "./remote-times.ts";
import {
  attemptOf,
  progressing,
  type RunResult,
  recheck,
  type Situation,
  type StatusFields,
  warning,
  withFields,
} from "./result.ts";
import { timeMs } from "./start-record.ts";

/** The run is over; `intent` is why it may have been aborted. `hasSentAbort`: in this reconcile. */
export function decideEnded(
  situation: Situation,
  run: JobRunView,
  { intent, hasSentAbort }: { readonly intent: RunIntent; readonly hasSentAbort: boolean },
): RunResult {
  const { object, now } = situation;
  const attempt = attemptOf(object);
  const ended = endedAttempt(now, object, attempt, run);
  const began = adoptedStart(situation, attempt, run);
  const fields = { ...derivedFields(object), ...began, attempts: replaceLatest(object, ended) };
  const hasAborted = hasSentAbort || object.status?.abortedRunId === ended.runId;
  const result = withFields(decideOver(situation, run, ended, { intent, hasAborted }), {
    ...fields,
    failure: undefined,
  });
  const abort = hasSentAbort ? abortEvents(attempt, intent) : [];
  return { ...result, events: [...abort, ...result.events] };
}

function decideOver(
  situation: Situation,
  run: JobRunView,
  ended: Attempt,
  { intent, hasAborted }: { readonly intent: RunIntent; readonly hasAborted: boolean },
): RunResult {
  const { object } = situation;
  const time = formatTime(endMs(situation, timeMs(run.concludedAt)));
  const name = `Run ${ended.runId}`;
  if (run.status === "SUCCESS") {
    const message = `${name} ended with success.${adoptedNote(ended)}`;
    return finish(object, { reason: "RunSucceeded", message, time });
  }
  if (isAdopted(ended)) {
    // Why it ended is not known: whatever aborted it did so for the object that had the status. Nothing follows it.
    const message = `${name} failed (${ended.remoteStatus}).${adoptedNote(ended)}`;
    return finish(object, { reason: "RunFailed", message, time });
  }
  if (intent === "cleanup") {
    return finish(object, { reason: "AbortedOnDelete", message: `${name} was aborted for the deletion.`, time });
  }
  if (isAbortWanted(object)) {
    return finish(object, { reason: "RunAborted", message: `${name} was aborted, as was asked for.`, time });
  }
  // Aborted by us, for the deadline, which is the one cause left: the clocks of both sides need not agree on how long it
  // took, and a process that has just started does not trust its own enough to want an abort.
  const hasDeadline = object.spec.activeDeadlineSeconds !== undefined;
  if ((hasDeadline && hasAborted) || isPastDeadline(object, ended)) return finish(object, deadlineEnd(object, time));
  if (/abort|cancel|terminat/i.test(run.status)) {
    const message = `${name} was aborted in Northflank (${capped(run.status, 32)}), not by this operator.`;
    return finish(object, { reason: "RunAbortedRemotely", message, time });
  }
  return decideFailedRun(situation, ended, time);
}

function decideFailedRun(situation: Situation, ended: Attempt, time: string): RunResult {
  const { object } = situation;
  const { backoffLimit } = object.spec;
  const what = `Run ${ended.runId} failed (${ended.remoteStatus})`;
  if (ended.number > backoffLimit) {
    const reason = backoffLimit > 0 ? "BackoffLimitExceeded" : "RunFailed";
    const message = backoffLimit > 0 ? `${what}, the last of ${ended.number} (backoffLimit).` : `${what}.`;
    return finish(object, { reason, message, time });
  }
  const pauseMs = retryPauseMs(ended.number);
  const message = `${what}; run ${ended.number + 1} of ${backoffLimit + 1} is started ${formatDuration(pauseMs)} after it.`;
  return progressing("RetryingRun", message, {
    next: recheck(situation, pauseMs),
    events: [warning("RunFailed", "Observe", message)],
  });
}

/** Waits for the pause before the next run, seen for `pausedMs` (monotonic); `undefined` once it is over. */
export function decidePause(situation: Situation, pausedMs: number): RunResult | undefined {
  const { object } = situation;
  const leftMs = retryPauseMs(attemptOf(object).number) - pausedMs;
  if (leftMs <= 0) return undefined;
  const message = "A run failed; the next one is started after a pause.";
  return progressing("RetryingRun", message, { next: recheck(situation, leftMs), isRepeated: true });
}

/** Pause after the run of this number has failed: 10 s, doubled each time, 6 min at most. */
export function retryPauseMs(failedRuns: number): number {
  return Math.min(10_000 * 2 ** Math.min(failedRuns - 1, 10), 360_000);
}

/** Whether the run ended after the deadline, and so because of it. Both times by Northflank's clock. */
function isPastDeadline({ spec, status }: NorthflankJobRun, ended: Attempt): boolean {
  const first = ended.number === 1 ? ended : status?.attempts?.[0];
  const startMs = timeMs(first?.startTime);
  const endMs = timeMs(ended.completionTime);
  if (spec.activeDeadlineSeconds === undefined || startMs === undefined || endMs === undefined) return false;
  return endMs - startMs >= spec.activeDeadlineSeconds * 1_000;
}

function endedAttempt(now: number, { status }: NorthflankJobRun, attempt: Attempt, run: JobRunView): Attempt {
  const startMs = timeMs(run.startedAt);
  const isAbsurd = startMs !== undefined && startMs < (recordedMsOf(status, attempt) ?? startMs);
  return {
    ...attempt,
    remoteStatus: capped(run.status, 64),
    ...(startMs === undefined || isAbsurd ? {} : { startTime: formatTime(startMs) }),
    completionTime: formatTime(timeMs(run.concludedAt) ?? now),
  };
}

function replaceLatest(object: NorthflankJobRun, attempt: Attempt): readonly Attempt[] {
  return [...(object.status?.attempts ?? []).slice(0, -1), attempt];
}

/** The run is not there any more, and that is proven. `jobCreatedTime`: when the job was created, if after its start. */
export function decideDisappeared(situation: Situation, intent: RunIntent, jobCreatedTime?: string): RunResult {
  const { object, now } = situation;
  const attempt = attemptOf(object);
  const time = formatTime(now);
  const gone = `Northflank no longer knows run ${attempt.runId}`;
  const attempts = replaceLatest(object, { ...attempt, completionTime: time });
  if (isAborting(intent)) {
    const reason = intent === "cleanup" ? "AbortedOnDelete" : "RunAborted";
    return withFields(finish(object, { reason, message: `${gone}; it was being aborted.`, time }), { attempts });
  }
  const message = `${gone}: ${goneWhy(object, jobCreatedTime)}${adoptedNote(attempt)}`;
  return withFields(finish(object, { reason: "RunDisappeared", message, time }), { attempts });
}

// With a team or an address the change would have been noticed (account-change.ts); of tokens nothing is kept.
const otherToken = "if the token was replaced by one of another account, the run may continue there.";

function goneWhy({ spec }: NorthflankJobRun, jobCreatedTime: string | undefined): string {
  if (jobCreatedTime === undefined) return `it is not known how it ended; ${otherToken}`;
  return (
    `job ${spec.jobId} was deleted, and created again at ${jobCreatedTime}, after the start of the run, so it is not ` +
    "known how the run ended."
  );
}

/** What a status lacks of the first and the present run, from what it still has: nothing is missing for good. */
export function derivedFields({ status }: NorthflankJobRun): StatusFields {
  const attempts = status?.attempts ?? [];
  const startTime = status?.startTime ?? attempts[0]?.startTime;
  const runName = status?.runName ?? attempts.at(-1)?.runName;
  return present({ startTime, runName });
}
