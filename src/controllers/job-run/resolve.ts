// pure

import type { NorthflankJobRun } from "../../api/job-run.ts";
import { resolveStart, startedRun } from "../../api/names.ts";
import type { Reason } from "../../api/reasons.ts";
import { readableRunId } from "../../northflank/run-view.ts";
import type { JobRunView } from "../../northflank/types.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import { assertNever } from "../../util/assert-never.ts";
import { formatDuration } from "../../util/duration.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { adopt, adoptFound } from "./adopt.ts";
import { runIdsOf, type Sibling } from "./concurrency.ts";
import { decideLeave, decideUnstartedEnd, finish } from "./ends.ts";
import type { RunIntent } from "./machine.ts";
import { markOf, mismatchOf, recordOfMark } from "./mark.ts";
import type { ReadBack } from "./read-back.ts";
import { adoptedMs } from "./remote-times.ts";
import {
  progressing,
  type RunResult,
  recordOf,
  type Situation,
  type StatusFields,
  stalled,
  untilDeadline,
  withFields,
} from "./result.ts";
import { isFromAnnotation, type StartRecord, timeMs, unknownTime } from "./start-record.ts";

/** Two empty reads are needed; `isSecondEmpty`: one at least the settle time ago was empty as well. */
export function decideResolved(
  situation: Situation,
  readBack: ReadBack,
  options: {
    readonly intent: RunIntent;
    readonly isSecondEmpty: boolean;
    /** The job is another one, created after the start. */
    readonly jobCreatedTime?: string | undefined;
  },
): RunResult {
  const start = recordOf(situation.object);
  if (readBack.kind !== "none") return decideReadBack(situation, readBack, start);
  if (!options.isSecondEmpty) {
    const again = formatDuration(situation.settings.startSettleMs);
    const message = `No new run was found for the start without an answer. The run list is searched again after ${again}.`;
    return recovering(message, situation.settings.startSettleMs);
  }
  const { object } = situation;
  if (options.intent === "aborted") return decideUnstartedEnd(situation, "aborted");
  if (object.metadata.deletionTimestamp !== undefined) return decideLeave(object);
  if (isFromAnnotation(start)) return outcomeUnknown(`${lostOf(start)}, and no run of that start was found.`);
  if (options.jobCreatedTime !== undefined) {
    return outcomeUnknown(
      `${lostOf(start)}, and job ${object.spec.jobId} was deleted, and created again at ${options.jobCreatedTime}, after the ` +
        "start: its list of runs says nothing about it.",
    );
  }
  if (object.spec.startGuarantee === "AtLeastOnce") return startAgain(start, "AtLeastOnce");
  return outcomeUnknown(`${lostOf(start)} and no new run was found. Nothing is started again by itself (AtMostOnce).`);
}

/** What one read of the list means for a start whose outcome is open. */
export function decideReadBack(situation: Situation, readBack: ReadBack, start: StartRecord): RunResult {
  switch (readBack.kind) {
    case "tooEarly": {
      const message =
        "A start was recorded and its answer is not known; it is not retried. The run list is searched " +
        "once the request can no longer arrive.";
      return { ...recovering(message, readBack.waitMs, false), isRepeated: true };
    }
    case "one":
      return adoptFound(situation, start, readBack.run);
    case "several": {
      const ids = readBack.runIds.slice(0, 10).join(", ");
      return outcomeUnknown(`${lostOf(start)} and more than one new run was found: ${ids}.`);
    }
    case "unsure": {
      const ids = readBack.runIds.slice(0, 10).join(", ");
      const why =
        readBack.why === "contested"
          ? "another start of the job may have started it"
          : "its start time does not show whether this start began it";
      return outcomeUnknown(`${lostOf(start)}. A new run was found (${ids}), but ${why}.`);
    }
    case "incomplete":
      return outcomeUnknown(`${lostOf(start)} and the list of runs is too long to be read to its end.`);
    case "none":
      return recovering("No new run was found for the start without an answer.", situation.settings.startSettleMs);
    default:
      return assertNever(readBack, "read-back");
  }
}

/** What went wrong with the start, as the beginning of a sentence. */
function lostOf(start: StartRecord): string {
  if (!isFromAnnotation(start)) return "The answer to the start was lost";
  return `A run was to be started before the status of this object was lost (annotation ${startedRun})`;
}

function recovering(message: string, afterMs: number, asks = true): RunResult {
  return progressing("RecoveringRun", message, { next: { kind: "recheck", afterMs, asks } });
}

function outcomeUnknown(what: string): RunResult {
  const message =
    `${what} Check the runs of the job in Northflank, then set the annotation northflank-operator.io/resolve-start to the ` +
    'run ID, "retry" or "fail".';
  return stalled("StartOutcomeUnknown", message, {
    next: { kind: "recheck", afterMs: slowProbeMs, asks: true },
    isOutcomeUnknown: true,
  });
}

/** Gives the record up, so that the next reconcile may start with a new one; a late run of this one is then a duplicate. */
function startAgain(start: StartRecord, why: "AtLeastOnce" | "retry"): RunResult {
  const reason: Reason = why === "retry" ? "RetryingRun" : "StartOutcomeUnknown";
  const by = why === "retry" ? "as the annotation says" : "as startGuarantee AtLeastOnce says";
  const message = `It is unknown which run the start without an answer started, if any; it is started again, ${by}.`;
  return progressing("RecoveringRun", message, {
    next: { kind: "again" },
    record: { ...start, outcome: "NotStarted", reason, message },
  });
}

/** What a person wants done about a start whose outcome is unknown. */
export type ResolveStart =
  | { readonly kind: "retry" | "fail"; readonly value: string }
  | { readonly kind: "run"; readonly runId: string; readonly value: string }
  /** Neither a word that we know nor the id of a run. */
  | { readonly kind: "unreadable"; readonly value: string };

// A run id has 36 characters; what follows `@` is up to the person.
const longestResolveStart = 256;

/** The annotation as `status.lastHandledResolveStart` keeps it. */
export function resolveStartValue(annotation: string | undefined): string | undefined {
  return annotation?.trim().slice(0, longestResolveStart);
}

/** Reads the annotation; `undefined` while there is none, or the one that was handled before. */
export function parseResolveStart({ metadata, status }: NorthflankJobRun): ResolveStart | undefined {
  const value = resolveStartValue(metadata.annotations?.[resolveStart]);
  if (value === undefined || value === "" || value === status?.lastHandledResolveStart) return undefined;
  const [word = ""] = value.split("@");
  if (word === "retry" || word === "fail") return { kind: word, value };
  const runId = readableRunId(word);
  return runId === undefined ? { kind: "unreadable", value } : { kind: "run", runId, value };
}

/** `run`: what Northflank says about the run that the person named; `taken`: it belongs to another object. */
export function decideResolveStart(
  situation: Situation,
  resolution: ResolveStart,
  named?: { readonly run: JobRunView | undefined; readonly isTaken: boolean },
): RunResult {
  const handled: StatusFields = { lastHandledResolveStart: resolution.value };
  const { object, now } = situation;
  switch (resolution.kind) {
    case "fail": {
      const message = "The answer to the start was lost; given up, as the annotation says.";
      const end = { reason: "StartOutcomeUnknown", message, time: formatTime(now) } as const;
      return withFields(finish(object, end, true), handled);
    }
    case "retry":
      return withFields(startAgain(recordOf(object), "retry"), handled);
    case "unreadable": {
      const what = `The annotation has the value "${capped(resolution.value, 64)}", which is not the id of a run.`;
      return withFields(outcomeUnknown(what), handled);
    }
    case "run": {
      if (named?.run !== undefined && !named.isTaken) {
        return withFields(adoptFound(situation, recordOf(object), named.run), handled);
      }
      const id = capped(resolution.runId, 64);
      const why = named?.isTaken
        ? "it belongs to another object"
        : "the job has no run with this ID (the name of a run is not its ID)";
      return withFields(outcomeUnknown(`The annotation names run "${id}", but ${why}.`), handled);
    }
    default:
      return assertNever(resolution, "resolution");
  }
}

/** Nothing new about an unknown outcome: what was said stays. */
export function decideStillUnknown(): RunResult {
  return { ...outcomeUnknown("It is unknown whether the start without an answer started a run."), isRepeated: true };
}

/**
 * A slow poll of an unknown outcome: the list may have lagged. Only a run that began within the reach of the start is
 * taken: of any later one, a person has to say whose it is.
 */
export function decideProbe(situation: Situation, readBack: ReadBack): RunResult {
  if (readBack.kind !== "one") return decideStillUnknown();
  return adoptFound(situation, recordOf(situation.object), readBack.run);
}

/**
 * An object that was started before and has lost its status. The start is written back to the status, and resolved as
 * one whose answer was lost; nothing is sent to Northflank. Where the annotation is not that of this object, nothing
 * happens until a user removes it, or startDeadlineSeconds is over.
 */
export function decideMarked(situation: Situation, siblings: readonly Sibling[], intent: RunIntent): RunResult {
  const { object } = situation;
  const reading = markOf(object);
  if (reading === undefined) throw new TypeError(`${object.metadata.name} has no annotation where one is read`);
  const runId = reading.kind === "mark" ? reading.mark.runId : undefined;
  const owner = siblings.find((sibling) => runId !== undefined && runIdsOf([sibling.object]).has(runId));
  const mismatch = mismatchOf(object, reading, owner?.key);
  if (mismatch !== undefined || reading.kind === "unreadable") {
    if (intent === "expired") return decideUnstartedEnd(situation, intent);
    const message = `${mismatch}; no run is started. Remove the annotation to run the job for this object, or delete the object.`;
    return stalled("CopyOfStartedRun", message, { next: untilDeadline(situation) });
  }
  const message =
    `The annotation ${startedRun} says that a run was started for this object before its status was lost. The run ` +
    "list is searched for it, and no other run is started.";
  return progressing("RecoveringRun", message, {
    next: { kind: "again" },
    // What a user answered before the status was lost was handled then: only another value is an answer now.
    fields: { lastHandledResolveStart: resolveStartValue(object.metadata.annotations?.[resolveStart]) },
    record: recordOfMark(reading.mark),
  });
}

/** The annotation names the run: it is followed from now on, or found to be over. */
export function decideMarkedRun(situation: Situation, runId: string): RunResult {
  const start = recordOf(situation.object);
  const recordedMs = start.recordedTime === unknownTime ? undefined : timeMs(start.recordedTime);
  return adopt(situation, start, {
    runId,
    runName: undefined,
    startTime: formatTime(recordedMs ?? situation.now),
    ownStartTime: formatTime(recordedMs === undefined ? situation.now : adoptedMs(situation, recordedMs)),
    origin: "Adopted",
  });
}
