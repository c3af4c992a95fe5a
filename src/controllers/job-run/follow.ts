// pure

import type { JobRunView } from "../../northflank/types.ts";
import { abortEvents, abortingMessage, isAborting } from "./abort.ts";
import { running } from "./adopt.ts";
import type { RunIntent } from "./machine.ts";
import {
  attemptOf,
  briskPollMs,
  nextPoll,
  pollIntervalMs,
  progressing,
  type RunResult,
  recheckAsking,
  runResult,
  type Situation,
  type StatusFields,
  suspended,
  untilDeadline,
} from "./result.ts";
import { decideDisappeared, decideEnded, derivedFields } from "./run-end.ts";

/** For so long every read must miss a run before the list is asked: reads lag, and an API that is being deployed lies. */
export const missingMs = 300_000;

/** A list that is cut proves nothing about an old run: then time has to. */
export const missingFromCutListMs = 1_800_000;

/** True where a run counts as gone. `absence`: what the list says; `undefined` where it was not read, or has the run. */
export function isProvenGone(missingForMs: number, absence: "complete" | "truncated" | undefined): boolean {
  if (absence === undefined) return false;
  return missingForMs >= (absence === "complete" ? missingMs : missingFromCutListMs);
}

/**
 * The run was polled. `isGone`: it is not there, and that is proven. `jobCreatedTime`: the job is another one, created
 * after the start of the run. `intent`: why it may have been aborted. `hasSentAbort`: in this reconcile. `sinceAbortMs`:
 * since an abort was first accepted. `readAgeMs`: how old the read is, where others share it. `isWatched`: the poll is for
 * a duplicate as well.
 */
export function decideFollowed(
  situation: Situation,
  polled: {
    readonly run: JobRunView | undefined;
    readonly isGone: boolean;
    readonly jobCreatedTime?: string | undefined;
    readonly readAgeMs?: number;
    readonly isWatched?: boolean;
  },
  wanted: { readonly intent: RunIntent; readonly hasSentAbort: boolean; readonly sinceAbortMs?: number },
): RunResult {
  const { object, settings } = situation;
  const { intent, hasSentAbort, sinceAbortMs = 0 } = wanted;
  if (polled.run?.concluded) return decideEnded(situation, polled.run, wanted);
  if (polled.run === undefined && polled.isGone) return decideDisappeared(situation, intent, polled.jobCreatedTime);
  const attempt = attemptOf(object);
  const fields: StatusFields = { ...derivedFields(object), failure: undefined };
  if (!isAborting(intent)) {
    const isBrisk = polled.run === undefined || polled.isWatched === true;
    const next = isBrisk
      ? recheckAsking(situation, briskPollMs(situation))
      : nextPoll(situation, polled.readAgeMs ?? 0);
    return runResult(running(object, attempt), { fields, next });
  }
  return progressing("Aborting", abortingMessage(attempt, intent), {
    fields: { ...fields, abortedRunId: attempt.runId },
    next: { kind: "recheck", afterMs: pollIntervalMs(settings, sinceAbortMs), asks: true },
    events: hasSentAbort ? abortEvents(attempt, intent) : [],
  });
}

/** Spec.suspend after the start: the run continues in Northflank and is not followed. */
export function decideRest(situation: Situation): RunResult {
  const { runId } = attemptOf(situation.object);
  const message = `spec.suspend is true: run ${runId} continues in Northflank and is not followed.`;
  return suspended(message, { next: untilDeadline(situation) });
}
