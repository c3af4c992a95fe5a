// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";
import { startedRun } from "../../api/names.ts";
import { isReason, type Reason } from "../../api/reasons.ts";
import type { Condition } from "../../kube/types.ts";
import { type ConditionDraft, findCondition, formatTime, mergeConditions } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";
import { acceptedCondition, draftOf, summaryConditions, summaryTypes } from "../reconcile/ready-state.ts";
import { handledRequest } from "../reconcile/reconcile-request.ts";
import type { EndReason } from "./ends.ts";
import { type Attempt, isUnresolved } from "./machine.ts";
import type { RunResult, RunStatus, StatusFields } from "./result.ts";

/**
 * The whole status after a reconcile, but for `start`, which the start protocol alone writes.
 *
 * *Guarantees*: the present generation is acknowledged, and the reconcile request once it is answered; `spec.abort: true`
 * is recorded, whatever the state; nothing in it changes when nothing has happened.
 */
export function statusOf(options: {
  readonly object: NorthflankJobRun;
  readonly result: RunResult;
  readonly now: number;
}): RunStatus {
  const { object, result, now } = options;
  // What is replaced is said by the very reconcile that knows that nothing else is in the way, or not at all.
  const {
    start: _start,
    replaces: _,
    conditions: previous = [],
    lastHandledReconcileAt: _handled,
    unknownStartId: _unknown,
    ...kept
  } = object.status ?? {};
  const generation = object.metadata.generation ?? 0;
  const request = handledRequestOf(object, result);
  const fields = { ...kept, ...abortRequested(object, now), ...result.fields };
  const drafts = conditionsOf(object, worded(object, result), fields);
  const conditions = mergeConditions({ previous, drafts, generation, now });
  return {
    ...present(fields),
    ...present({ unknownStartId: result.isOutcomeUnknown ? object.status?.start?.id : undefined }),
    observedGeneration: generation,
    phase: phaseOf(conditions),
    conditions,
    ...(request === undefined ? {} : { lastHandledReconcileAt: request }),
  };
}

/** A request for a start that was refused is in its record already, and is acknowledged whatever is in the way of it. */
function handledRequestOf(
  object: NorthflankJobRun,
  { readyState, isTooSoon, isUnchanged }: RunResult,
): string | undefined {
  if (isTooSoon === true) return object.status?.lastHandledReconcileAt;
  const isRecorded = object.status?.start?.outcome === "NotStarted";
  const said = isUnchanged ? saidOf(object, "Ready")?.reason : undefined;
  const reason = isReason(said) ? said : readyState.reason;
  return handledRequest(object, isRecorded ? undefined : reason);
}

function saidOf({ status }: NorthflankJobRun, type: string): Condition | undefined {
  return findCondition(status?.conditions, type);
}

/** What the status says of the object, without what happens next. */
export function messageOf(object: NorthflankJobRun): string {
  return saidOf(object, "Succeeded")?.message ?? "";
}

/** What the status says of a start whose outcome is unknown, in words that stay until it is resolved. */
export function unknownStartOf(object: NorthflankJobRun): Condition | undefined {
  const started = saidOf(object, "Started");
  return started?.reason === "StartOutcomeUnknown" ? started : undefined;
}

/**
 * The object with the fields that hold back what cannot be undone, where its conditions alone still say it: the status is
 * from a version without them, or another client or a CRD of such a version dropped them. A start whose outcome is unknown
 * would be searched for again, and might be repeated; the end of an aborted run would not be put down to its deadline.
 */
export function withFieldsSaid(object: NorthflankJobRun): NorthflankJobRun {
  const { status } = object;
  if (status === undefined) return object;
  const isUnknown = isUnresolved(object) && unknownStartOf(object) !== undefined;
  const isAborting = status.abortRequestedTime === undefined && saidOf(object, "Succeeded")?.reason === "Aborting";
  const last = status.attempts?.at(-1);
  const unknownStartId = isUnknown ? status.start?.id : status.unknownStartId;
  const abortedRunId = isAborting && last?.completionTime === undefined ? last?.runId : status.abortedRunId;
  if (unknownStartId === status.unknownStartId && abortedRunId === status.abortedRunId) return object;
  return { ...object, status: { ...status, ...present({ unknownStartId, abortedRunId }) } };
}

/** How a finished object ended, for metrics. */
export function endOf(object: NorthflankJobRun): "succeeded" | "failed" | "aborted" | "unknown" {
  switch (object.status?.phase) {
    case "Succeeded":
      return "succeeded";
    case "Aborted":
      return "aborted";
    case "Failed":
      return saidOf(object, "Succeeded")?.reason === "StartOutcomeUnknown" ? "unknown" : "failed";
    default:
      return "unknown";
  }
}

/** The result in the words of the status, where those are about the same: what stays as it is causes no write. */
function worded(object: NorthflankJobRun, result: RunResult): RunResult {
  if (!result.isRepeated) return result;
  const { readyState, isOutcomeUnknown } = result;
  // Only of an unknown outcome does Started keep its own words, whatever else went wrong meanwhile.
  const said = saidOf(object, isOutcomeUnknown ? "Started" : "Succeeded");
  const message = said?.reason === readyState.reason ? said.message : readyState.message;
  return { ...result, readyState: { ...readyState, message } };
}

/** The first sight of `spec.abort: true` is recorded in every state, so that it outlives what is made of the spec. */
function abortRequested({ spec, status }: NorthflankJobRun, now: number): Pick<StatusFields, "abortRequestedTime"> {
  return spec.abort && status?.abortRequestedTime === undefined ? { abortRequestedTime: formatTime(now) } : {};
}

/**
 * Fields that the API server's answer lacks though they were written. Without them what cannot be undone would be
 * repeated: a run be started again by an annotation that counts as new, a run be lost, an end be no end.
 */
export function fieldsNotStored(written: RunStatus, stored: NorthflankJobRun["status"]): readonly string[] {
  const [last, kept] = [written.attempts?.at(-1), stored?.attempts?.at(-1)];
  const isLost: Readonly<Record<string, boolean>> = {
    "status.lastHandledResolveStart": written.lastHandledResolveStart !== stored?.lastHandledResolveStart,
    "status.completionTime": written.completionTime !== stored?.completionTime,
    "status.attempts": last?.runId !== kept?.runId || last?.number !== kept?.number,
  };
  return Object.keys(isLost).filter((field) => isLost[field]);
}

type Phase = NonNullable<RunStatus["phase"]>;

/** One word for columns, jsonpath and workflow engines, from nothing but the conditions. */
export function phaseOf(conditions: readonly Pick<ConditionDraft, "type" | "status" | "reason">[]): Phase {
  const find = (type: string) => conditions.find((condition) => condition.type === type);
  const succeeded = find("Succeeded");
  if (succeeded?.status === "True") return "Succeeded";
  if (succeeded?.status === "False") return endPhases[succeeded.reason] ?? "Failed";
  const started = find("Started");
  if (started?.status === "True") return "Running";
  if (started?.reason === "StartOutcomeUnknown") return "Unknown";
  return started?.status === "Unknown" ? "Starting" : "Pending";
}

const endPhases: Readonly<Record<string, Phase>> = {
  RunAborted: "Aborted",
  RunAbortedRemotely: "Aborted",
  AbortedOnDelete: "Aborted",
  RunDisappeared: "Unknown",
} satisfies Partial<Record<EndReason, Phase>>;

function conditionsOf(object: NorthflankJobRun, result: RunResult, fields: StatusFields): readonly ConditionDraft[] {
  const { readyState } = result;
  const isOver = fields.completionTime !== undefined;
  const drafts: readonly ConditionDraft[] = [
    acceptedOf(object, result),
    startedCondition(object, result, fields),
    {
      type: "Succeeded",
      status: succeededStatus(result, isOver),
      reason: readyState.reason,
      message: readyState.message,
    },
    ...(isOver
      ? [{ type: "Finished", status: "True", reason: readyState.reason, message: readyState.message } as const]
      : []),
  ];
  // That a second run turned up is news of its own.
  const isKept = (type: string) => type !== "Started" || result.fields.duplicateRunId === undefined;
  const kept = drafts.map((draft) => (isKept(draft.type) ? (keptOf(object, draft.type) ?? draft) : draft));
  return [...summaryOf(object, result, isOver), ...(result.isUnchanged ? kept : drafts)];
}

function keptOf(object: NorthflankJobRun, type: string): ConditionDraft | undefined {
  const said = saidOf(object, type);
  return said && draftOf(said);
}

/** What is said again stays word for word, with when the next check is: no time of it has come nearer to being news. */
function summaryOf(object: NorthflankJobRun, result: RunResult, isOver: boolean): readonly ConditionDraft[] {
  const { readyState, isUnchanged = false } = result;
  const said = summaryTypes.flatMap((type) => keptOf(object, type) ?? []);
  if (isUnchanged && said.length > 0) return said;
  // What is over is over, whatever deletes the object later.
  const next = isOver ? ({ kind: "again" } as const) : result.next;
  return summaryConditions({
    readyState,
    next,
    previous: object.status?.conditions,
    generation: object.metadata.generation ?? 0,
  });
}

function succeededStatus({ readyState }: RunResult, isOver: boolean): ConditionDraft["status"] {
  if (!isOver) return "Unknown";
  return readyState.kind === "ready" ? "True" : "False";
}

/** What says, before there is a run, that the spec or its references are not in order. */
const notAccepted: ReadonlySet<Reason> = new Set([
  "RequestRejected",
  "TargetNotFound",
  "CopyOfStartedRun",
  "BuildNotFound",
]);

function acceptedOf(object: NorthflankJobRun, { readyState }: RunResult): ConditionDraft {
  const accepted = "The spec, its references and its target are in order.";
  const hasRun = (object.status?.attempts ?? []).length > 0;
  if (hasRun) return { type: "Accepted", status: "True", reason: "Accepted", message: accepted };
  return acceptedCondition(readyState, { reasons: notAccepted, accepted });
}

function startedCondition(object: NorthflankJobRun, result: RunResult, fields: StatusFields): ConditionDraft {
  const { readyState, isOutcomeUnknown } = result;
  if (isOutcomeUnknown) return unknownCondition(object, result);
  const attempt = fields.attempts?.at(-1);
  const { attempts, completionTime } = fields;
  const start = object.status?.start;
  const after = {
    observedGeneration: 0,
    ...(start === undefined ? {} : { start }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(completionTime === undefined ? {} : { completionTime }),
  };
  if (isUnresolved({ status: after })) {
    return { type: "Started", status: "Unknown", reason: "RecoveringRun", message: readyState.message };
  }
  if (attempt === undefined) {
    return { type: "Started", status: "False", reason: readyState.reason, message: readyState.message };
  }
  if (fields.duplicateRunId !== undefined) {
    const message = `Run ${attempt.runId} was started, and a second one turned up: ${fields.duplicateRunId}.`;
    return { type: "Started", status: "True", reason: "DuplicateRun", message };
  }
  return { type: "Started", status: "True", ...originTexts[attempt.origin](attempt.runId) };
}

const originTexts: Readonly<
  Record<Attempt["origin"], (runId: string) => { readonly reason: Reason; readonly message: string }>
> = {
  Started: (runId) => ({ reason: "RunStarted", message: `Run ${runId} was started.` }),
  Recovered: (runId) => ({
    reason: "RunRecovered",
    message: `Run ${runId} was found; the answer to its start had been lost.`,
  }),
  Adopted: (runId) => ({
    reason: "RunAdopted",
    message: `Run ${runId} was started before the status was lost; the annotation ${startedRun} stood for it.`,
  }),
};

/** What was judged unknown says so until it is resolved, whatever else goes wrong meanwhile. */
function unknownCondition(object: NorthflankJobRun, { readyState }: RunResult): ConditionDraft {
  const before = readyState.reason === "StartOutcomeUnknown" ? undefined : unknownStartOf(object);
  const message = before?.message ?? readyState.message;
  return { type: "Started", status: "Unknown", reason: "StartOutcomeUnknown", message };
}
