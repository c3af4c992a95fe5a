// pure
import { hash } from "node:crypto";
import type { NorthflankJobRun } from "../../api/job-run.ts";
import { startedRun } from "../../api/names.ts";
import { readableRunId } from "../../northflank/run-view.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import type { PatchOperation } from "../../runtime/finalizers.ts";
import { objectKey } from "../../runtime/outcome.ts";
import { canonicalJson } from "../../util/canonical-json.ts";
import { idFromAnnotation, isGivenUp, type StartRecord, timeMs } from "./start-record.ts";

/*
 * What outlives the status. Backup tools, `kubectl get | kubectl create` and copies to another cluster keep metadata and
 * spec, and leave the status out: an object without its status looks like one that was never started. So a start is
 * written to an annotation as well.
 *
 *   PUT status.start -> PATCH mark (and finalizer) -> gate -> POST -> status.attempts -> PATCH mark with the run's id
 *                       |<------------- whoever copies the object from here on copies the mark ------------->
 *
 * Where nothing was started, the status says so first, and then the mark goes.
 *
 * Any user who may create the object may write the annotation. So it only ever keeps from starting, and names a run to
 * follow: no run is aborted because of it.
 */

/** What the annotation says of the last start. */
export interface Mark {
  /** `namespace/name` of the object that the run was started for: a copy under another name is another object. */
  readonly object: string;
  /** {@link specHash} of that object. */
  readonly spec: string;
  /** Id of the start record. */
  readonly start: string;
  readonly attempt: number;
  /** As in the start record. */
  readonly recordedTime: string;
  readonly newestStartTime?: string;
  readonly account?: string;
  /** Missing until the run is known. */
  readonly runId?: string;
}

/** `unreadable`: a user edited it, or a later version of the operator wrote it. */
export type MarkReading = { readonly kind: "mark"; readonly mark: Mark } | { readonly kind: "unreadable" };

/** The annotation as it is for this start. */
export function markText(object: NorthflankJobRun, start: StartRecord, runId?: string): string {
  const { id, attempt, recordedTime, account, baseline } = start;
  const mark: Mark = {
    object: objectKey(object.metadata),
    spec: specHash(object),
    start: id,
    attempt,
    recordedTime,
    ...(baseline?.newestStartTime === undefined ? {} : { newestStartTime: baseline.newestStartTime }),
    ...(account === undefined ? {} : { account }),
    ...(runId === undefined ? {} : { runId }),
  };
  return JSON.stringify(mark);
}

/** Reads the annotation; `undefined` where there is none. */
export function markOf({ metadata }: Pick<NorthflankJobRun, "metadata">): MarkReading | undefined {
  const text = metadata.annotations?.[startedRun];
  if (text === undefined) return undefined;
  const mark = toMark(parsed(text));
  return mark === undefined ? { kind: "unreadable" } : { kind: "mark", mark };
}

// As a start record of another object takes it, with its prefix. Ours have 36 characters.
const longestStartId = 48;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Edited, or cut: the caller says so.
    return undefined;
  }
}

function toMark(value: unknown): Mark | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const fields = value as Readonly<Record<string, unknown>>;
  const { object, spec, start, attempt, newestStartTime, account, runId } = fields;
  const recordedMs = typeof fields.recordedTime === "string" ? timeMs(fields.recordedTime) : undefined;
  const newestMs = typeof newestStartTime === "string" ? timeMs(newestStartTime) : undefined;
  const isWhole =
    isText(object, 320) &&
    isText(spec, 64) &&
    isText(start, longestStartId) &&
    Number.isInteger(attempt) &&
    (attempt as number) >= 1 &&
    (attempt as number) <= 1_000 &&
    recordedMs !== undefined &&
    (newestStartTime === undefined || newestMs !== undefined) &&
    (account === undefined || isText(account, 512)) &&
    (runId === undefined || readableRunId(runId) !== undefined);
  if (!isWhole) return undefined;
  return {
    object,
    spec,
    start,
    attempt: attempt as number,
    recordedTime: formatTime(recordedMs),
    ...(newestMs === undefined ? {} : { newestStartTime: formatTime(newestMs) }),
    ...(account === undefined ? {} : { account }),
    ...(runId === undefined ? {} : { runId: runId as string }),
  };
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === "string" && value !== "" && value.length <= maxLength;
}

/** The start record that a mark stands for, of an object that has lost it. Its outcome is not known yet. */
export function recordOfMark({ start, attempt, recordedTime, newestStartTime, account }: Mark): StartRecord {
  return {
    id: idFromAnnotation(start),
    attempt,
    recordedTime,
    baseline: { ...(newestStartTime === undefined ? {} : { newestStartTime }), runIds: [] },
    ...(account === undefined ? {} : { account }),
    outcome: "Pending",
  };
}

/** The run that the annotation names for the present start record; `undefined` where it names none, or another start. */
export function markedRunOf(object: NorthflankJobRun): string | undefined {
  const reading = markOf(object);
  return reading?.kind === "mark" && isOf(reading.mark, object.status?.start) ? reading.mark.runId : undefined;
}

function isOf({ start }: Mark, record: StartRecord | undefined): boolean {
  return record !== undefined && (record.id === start || record.id === idFromAnnotation(start));
}

/** What a run is started with. Equal for equal specs; what may change at any time is left out. */
export function specHash({ spec }: Pick<NorthflankJobRun, "spec">): string {
  const { projectId, jobId, runtimeEnvironment, runtimeEnvironmentFrom, runtimeFiles, runtimeFilesFrom } = spec;
  const { dockerSecretMounts, billing, deployment } = spec;
  const sent = [
    projectId,
    jobId,
    runtimeEnvironment,
    runtimeEnvironmentFrom,
    runtimeFiles,
    runtimeFilesFrom,
    dockerSecretMounts,
    billing,
    deployment,
  ];
  return hash("sha256", canonicalJson(sent), "hex").slice(0, 32);
}

/**
 * The operations that write the annotation, without a test for the object: they go behind those of `finalizers.ts`, or
 * behind one of the uid.
 */
export function markOperations({ metadata }: NorthflankJobRun, text: string): readonly PatchOperation[] {
  if (metadata.annotations !== undefined) return [{ op: "add", path, value: text }];
  return [
    // Annotations that another client has added meanwhile would be overwritten by the `add`.
    { op: "test", path: "/metadata/annotations", value: null },
    { op: "add", path: "/metadata/annotations", value: { [startedRun]: text } },
  ];
}

const path = `/metadata/annotations/${startedRun.replaceAll("~", "~0").replaceAll("/", "~1")}`;

/**
 * The operations that bring the annotation up to what the status says of its start: the id of the run, or that none was
 * started. `undefined` where there is nothing to change. An annotation that a user has removed stays removed: the
 * status is what counts here.
 */
export function markUpdate(object: NorthflankJobRun): readonly PatchOperation[] | undefined {
  const { metadata, status } = object;
  const before = metadata.annotations?.[startedRun];
  const reading = markOf(object);
  const start = status?.start;
  if (before === undefined || reading?.kind !== "mark" || start === undefined) return undefined;
  const { mark } = reading;
  if (!isOf(mark, start) || mark.attempt !== start.attempt || mark.runId !== undefined) return undefined;
  const isSame = { op: "test", path, value: before } as const;
  const runId = status?.attempts?.find(({ number }) => number === start.attempt)?.runId;
  if (runId !== undefined) return [isSame, { op: "add", path, value: JSON.stringify({ ...mark, runId }) }];
  if (!isCertainlyNotStarted(start)) return undefined;
  const last = status?.attempts?.at(-1);
  if (last === undefined) return [isSame, { op: "remove", path }];
  // The run before it has been there all the same, and keeps a copy from starting.
  const { number, runId: lastRunId, startTime = mark.recordedTime } = last;
  const value = JSON.stringify({ ...mark, attempt: number, recordedTime: startTime, runId: lastRunId });
  return [isSame, { op: "add", path, value }];
}

/** Nothing was sent, or it was refused; and no start without an answer is behind the record. */
function isCertainlyNotStarted(start: StartRecord): boolean {
  return start.outcome === "NotStarted" && start.firstRecordedTime === undefined && !isGivenUp(start);
}

/** Why the run of a mark cannot be taken for one of this object; `undefined` where it can. */
export function mismatchOf(
  object: NorthflankJobRun,
  reading: MarkReading,
  owner: string | undefined,
): string | undefined {
  if (reading.kind === "unreadable") {
    return `The annotation ${startedRun} is not readable, so whether a run was started for this object is unknown`;
  }
  const { mark } = reading;
  const run = mark.runId === undefined ? "a run" : `run ${capped(mark.runId, 64)}`;
  if (mark.object !== objectKey(object.metadata)) {
    return `The annotation ${startedRun} names ${run} that was started for ${capped(mark.object, 128)}: this object is a copy`;
  }
  if (mark.spec !== specHash(object)) {
    return `The annotation ${startedRun} names ${run} that was started with another spec`;
  }
  if (owner !== undefined) return `The annotation ${startedRun} names ${run}, which belongs to ${owner}`;
  return undefined;
}
