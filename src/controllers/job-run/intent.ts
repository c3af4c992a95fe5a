import type { NorthflankJobRun } from "../../api/job-run.ts";
import { northflankJobRuns, operatorFieldManager, startedRun } from "../../api/names.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isKubeError } from "../../kube/errors.ts";
import { describeUser } from "../../kube/missing-right.ts";
import type { RunList } from "../../northflank/types.ts";
import { present } from "../../util/present.ts";
import { finalizerPatch } from "./finalizer.ts";
import type { LateRun } from "./late-run.ts";
import { isBeforeStart, latestAttempt, stateOf } from "./machine.ts";
import { markOperations, markText } from "./mark.ts";
import { forgetEnd, rememberEnd, withUnsaved } from "./memory.ts";
import type { StartContext, StartDeps, StartOutcome } from "./start-context.ts";
import { baselineOf, isGivenUp, type StartRecord } from "./start-record.ts";

/** The record of a start, as the API server has stored it. */
export interface Intent {
  readonly start: StartRecord;
  /** The answer to the PUT. */
  readonly object: NorthflankJobRun;
}

/** `undefined`: the object is not what this reconcile decided on, or another client was faster. */
export async function recordIntent(deps: StartDeps, context: StartContext, list: RunList): Promise<Intent | undefined> {
  const { object, account, signal } = context;
  const live = await readLive(deps, context);
  if (live === undefined) return undefined;
  const previous = object.status?.start;
  const firstRecordedTime =
    previous !== undefined && isGivenUp(previous) ? (previous.firstRecordedTime ?? previous.recordedTime) : undefined;
  const start: StartRecord = {
    id: deps.newId(),
    attempt: (latestAttempt(object)?.number ?? 0) + 1,
    ...baselineOf(list, firstRecordedTime),
    account: account.address,
    ...present({ firstRecordedTime }),
    outcome: "Pending",
  };
  // Should the answer to the PUT be lost, this process still knows that nothing was sent for this record.
  const unsent = { ...start, outcome: "NotStarted", reason: "StartingRun", message: "Nothing was sent." } as const;
  rememberEnd(context.memory, keepingFirst(unsent, previous));
  const written = await putStart(deps, live, start, signal);
  // Also a refusal may be the answer to a PUT that was sent twice in transit, and succeeded the first time.
  if (written === undefined) return undefined;
  forgetEnd(context.memory, start.id);
  return { start, object: written };
}

/** The record is open again: which run it was, if any, is for the read-back or a person to say. */
export async function reopened(deps: StartDeps, context: StartContext, late: LateRun): Promise<StartOutcome> {
  const live = await readLive(deps, context);
  if (live === undefined) return { report: { kind: "outdated" } };
  forgetEnd(context.memory, late.start.id);
  const { reason: _reason, message: _message, ...record } = late.start;
  const written = await putStart(deps, live, { ...record, outcome: "Pending" }, context.statusSignal);
  if (written === undefined) return { report: { kind: "outdated" } };
  return { report: late, written };
}

/** The object as it is on the server, if it still is what this reconcile decided on. */
async function readLive(deps: StartDeps, context: StartContext): Promise<NorthflankJobRun | undefined> {
  const { object, signal } = context;
  const { namespace = "", name } = object.metadata;
  try {
    const live = await deps.kube.get<NorthflankJobRun>(northflankJobRuns, { namespace, name }, signal);
    return isAsDecided(live, context) ? live : undefined;
  } catch (error) {
    if (isKubeError(error, "not_found")) return undefined;
    throw error;
  }
}

function isAsDecided(live: NorthflankJobRun, { object, memory }: StartContext): boolean {
  return (
    live.metadata.uid === object.metadata.uid &&
    live.metadata.generation === object.metadata.generation &&
    live.metadata.deletionTimestamp === undefined &&
    live.status?.completionTime === undefined &&
    live.status?.start?.id === object.status?.start?.id &&
    // The same record may be open again.
    isBeforeStart(stateOf(withUnsaved(live, memory.known))) &&
    latestAttempt(live)?.number === latestAttempt(object)?.number
  );
}

/**
 * What of the intent its answer does not hold. An older CRD, or a webhook, drops fields and answers 200: without the
 * record a crash would be followed by a second run.
 */
export function fieldsLost({ start, object }: Intent): readonly string[] {
  const stored = object.status?.start;
  if (stored === undefined) return ["status.start"];
  const fields = ["id", "attempt", "outcome", "recordedTime", "firstRecordedTime", "account"] as const;
  return fields.filter((field) => stored[field] !== start[field]).map((field) => `status.start.${field}`);
}

type Marked =
  | { readonly kind: "marked"; readonly intent: Intent }
  /** `isRefused`: by an answer of the API server about the write itself. */
  | { readonly kind: "failed"; readonly why: string; readonly isRefused?: boolean }
  /** The API server accepted the annotation and did not store it. */
  | { readonly kind: "dropped"; readonly object: NorthflankJobRun };

/**
 * Writes the start to the annotation that outlives the status and, under `deletionPolicy: Abort`, adds the finalizer: both
 * are there before anything can have been started. Without them nothing is sent, whatever has failed.
 */
export async function markStart(deps: StartDeps, { signal }: StartContext, intent: Intent): Promise<Marked> {
  const { start, object } = intent;
  const { namespace = "", name, uid } = object.metadata;
  const key = { namespace, name };
  const finalizer = object.spec.deletionPolicy === "Abort" ? finalizerPatch(object, "add") : undefined;
  const isSame = { op: "test", path: "/metadata/uid", value: uid } as const;
  const text = markText(object, start);
  const patch = { kind: "json", body: [...(finalizer ?? [isSame]), ...markOperations(object, text)] } as const;
  try {
    const written = await deps.kube.patch<NorthflankJobRun>(northflankJobRuns, key, patch, writer, signal);
    if (written.metadata.annotations?.[startedRun] !== text) return { kind: "dropped", object: written };
    return { kind: "marked", intent: { start, object: written } };
  } catch (error) {
    if (signal.aborted) return { kind: "failed", why: stopping };
    if (!isKubeError(error)) throw error;
    // `invalid` is also a test of the patch that fails: another client wrote in between.
    const isRefused = isKubeError(error, "forbidden", "invalid", "bad_request");
    const { missingRight: right } = error;
    const why = right === undefined ? error.code : `${describeUser(right)} may not ${right.verb} ${right.resource}`;
    return { kind: "failed", why: `The annotation ${startedRun} was not stored (${why}).`, isRefused };
  }
}

const writer = { fieldManager: operatorFieldManager } as const;

/**
 * Replaces `status.start` and nothing else, so that no other field changes its owner. `undefined`: another client wrote
 * since the object was read (409), or it is gone.
 */
export async function putStart(
  deps: { readonly kube: Pick<KubeClient, "replace"> },
  object: NorthflankJobRun,
  start: StartRecord,
  signal: AbortSignal,
): Promise<NorthflankJobRun | undefined> {
  // What the cache adds to an object is not the server's business.
  const { prunedFields: _, ...stored } = object;
  const body: NorthflankJobRun = { ...stored, status: { observedGeneration: -1, ...object.status, start } };
  try {
    return await deps.kube.replace(northflankJobRuns, body, { ...writer, subresource: "status" }, signal);
  } catch (error) {
    if (isKubeError(error, "conflict", "not_found")) return undefined;
    throw error;
  }
}

/** A record that cannot be closed now is closed by the next reconcile of this process, or read back by the next process. */
export async function closeRecord(
  deps: StartDeps,
  { memory, statusSignal }: StartContext,
  object: NorthflankJobRun,
  start: StartRecord,
): Promise<NorthflankJobRun> {
  rememberEnd(memory, start);
  try {
    const written = await putStart(deps, object, start, statusSignal);
    // 409: another client wrote. The next reconcile sees what, and this process still knows how its own start ended.
    if (written === undefined) return object;
    memory.remember({ endedStarts: [] });
    return written;
  } catch (error) {
    if (isKubeError(error)) return object;
    throw error;
  }
}

/**
 * A repeated start that was not sent: the one before it is still without an answer, so the next try repeats that one
 * again, and keeps searching for its run, which can only have begun when that one was sent.
 */
export function keepingFirst(start: StartRecord, before: StartRecord | undefined): StartRecord {
  if (start.firstRecordedTime === undefined || before === undefined) return start;
  const { recordedTime, baseline, untilTime, reason } = before;
  const isKept = start.reason !== "RequestRejected" && reason !== undefined;
  return { ...start, recordedTime, ...present({ baseline, untilTime }), ...(isKept && { reason }) };
}

/** Why nothing is sent when the process ends. */
export const stopping = "The operator is stopping.";
