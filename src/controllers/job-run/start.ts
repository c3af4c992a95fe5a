import type { NorthflankJobRun } from "../../api/job-run.ts";
import { northflankJobRuns, startedRun } from "../../api/names.ts";
import type { CallOptions } from "../../northflank/client.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { Reservation } from "../../northflank/ledger.ts";
import type { RunList, StartResult } from "../../northflank/types.ts";
import { spenderOf } from "../reconcile/spender.ts";
import { resolveReferences } from "../secrets/references.ts";
import { foreignObstacles, type Obstacle, obstaclesAmong, replaceableAmong, runIdsOf } from "./concurrency.ts";
import { isRejectedForGood, rejectionMessage, type StartReport } from "./decide.ts";
import { suspectedDuplicate } from "./duplicate.ts";
import {
  closeRecord,
  fieldsLost,
  type Intent,
  keepingFirst,
  markStart,
  recordIntent,
  reopened,
  stopping,
} from "./intent.ts";
import { forgottenRunOf, lateRunOf } from "./late-run.ts";
import { type Read, reading } from "./observe.ts";
import { ofRun } from "./remedies.ts";
import { jobOf, type RunValues, runBodyOf } from "./run-request.ts";
import { neededForBaseline } from "./runs-needed.ts";
import type { StartContext, StartDeps, StartOutcome } from "./start-context.ts";
import { isGivenUp, type StartRecord } from "./start-record.ts";

/*
 * The start of a run: not idempotent, not identifiable, so sent at most once per record.
 *
 *   references -> quota for 3 -> baseline -> live read -> intent -> mark [+ finalizer] -> gate -> POST -> record the refusal
 *                                   |                                                       |
 *                                   |<------------------ at most startGateMs -------------->|
 *
 * Promises:
 *  1. No POST without a durable `status.start` of the same id, outcome Pending, written in this very call, and held by
 *     the API server's answer.
 *  2. The intent is a PUT with the resourceVersion just read: of two writers, one gets a conflict and sends nothing.
 *  3. POST is called once. What comes of it is data, never an exception.
 *  4. Values of Secrets live in local variables only.
 *  5. No POST before the API server's answer held the annotation of `mark.ts`: whoever copies the object from then
 *     on copies it, too. It comes after the intent, so where it is there and the intent is not, the status was lost.
 */

/** Runs the sequence of one start. The caller holds the lock of the job. */
export async function startRun(deps: StartDeps, context: StartContext): Promise<StartOutcome> {
  const { object, account, memory, signal } = context;
  const known = obstructedBy(context, obstaclesAmong(object, context.siblings.open()));
  // Before anything is aborted for this start, all that it needs has to be there: only the list of runs says that.
  if (known !== undefined && known.replaces.length === 0) return { report: known };

  const namespace = object.metadata.namespace ?? "";
  const build = await context.checkBuild();
  if (build !== undefined) return { report: build };
  const values = await resolveReferences({ kube: deps.kube, namespace, spec: object.spec, signal });
  if (values.kind === "blocked") return { report: { ...values, readyState: ofRun(values.readyState) } };

  const reserved = account.api.reserve(requestsOfStart, "change");
  if (reserved.kind === "refused") return { report: { ...reserved, kind: "noQuota" } };
  const { reservation } = reserved;
  let isReadBackNeeded = false;
  try {
    const outcome = await startWith(deps, context, values, reservation);
    isReadBackNeeded = outcome.report.kind === "answered" && outcome.report.result.kind === "unknown";
    return outcome;
  } finally {
    if (isReadBackNeeded) memory.remember({ readBack: reservation });
    else reservation.release();
  }
}

function obstructedBy(
  { object, siblings }: StartContext,
  obstacles: readonly Obstacle[],
): Extract<StartReport, { kind: "obstructed" }> | undefined {
  if (obstacles.length === 0) return undefined;
  return { kind: "obstructed", obstacles, replaces: replaceableAmong(object, obstacles, siblings.open()) };
}

/** Baseline, POST, and one read-back should its answer be lost. */
const requestsOfStart = 3;

async function startWith(
  deps: StartDeps,
  context: StartContext,
  values: RunValues,
  reservation: Reservation,
): Promise<StartOutcome> {
  const { object, memory, signal } = context;
  const call: CallOptions = { class: "change", reservation, spender: spenderOf(northflankJobRuns, object), signal };
  const listed = await listBaseline(deps, context, call);
  if (listed.kind === "failed") return { report: { kind: "readFailed", error: listed.error } };
  const { value: list } = listed;
  const readAtMs = deps.clock.monotonic();
  const { serverTimeMs } = list;
  memory.remember({ serverClock: serverTimeMs === undefined ? undefined : { serverMs: serverTimeMs, atMs: readAtMs } });

  const siblings = context.siblings.all();
  const late = lateRunOf(deps, object, list, siblings) ?? forgottenRunOf(deps, context, list, siblings);
  if (late !== undefined) return await reopened(deps, context, late);
  // A run that an ended object has lost sight of (`RunDisappeared`) is in the way as any other, should it turn up.
  const ours = runIdsOf([object, ...siblings.map((sibling) => sibling.object).filter((other) => !isLost(other))]);
  const obstacles = [...obstaclesAmong(object, siblings), ...foreignObstacles(object, list.runs, ours)];
  const obstructed = obstructedBy(context, obstacles);
  if (obstructed !== undefined) return { report: obstructed };
  if (list.truncated && object.spec.concurrencyPolicy !== "Allow") return { report: { kind: "listCut" } };

  const intent = await recordIntent(deps, context, list);
  if (intent === undefined) return { report: { kind: "outdated" } };
  const lost = fieldsLost(intent);
  if (lost.length > 0) return { report: { kind: "notStored", fields: lost }, written: intent.object };
  deps.overlay(intent.object);
  const marked = await markStart(deps, context, intent);
  if (marked.kind === "failed") return await closeGate(deps, context, intent, marked.why, marked.isRefused);
  if (marked.kind === "dropped") return await closeDropped(deps, context, { ...intent, object: marked.object });
  const { intent: ready } = marked;
  deps.overlay(ready.object);
  const closed = gateProblem(deps, context, ready, deps.clock.monotonic() - readAtMs);
  if (closed !== undefined) return await closeGate(deps, context, ready, closed);
  const result = await post(context, values, call);
  if (result === undefined) return await closeGate(deps, context, ready, stopping);
  const { start, written } = await recordAnswer(deps, context, ready, result);
  const duplicateRunId = suspectedDuplicate(object, list, siblings);
  return { report: { kind: "answered", start, result, duplicateRunId }, written };
}

function isLost({ status }: NorthflankJobRun): boolean {
  return status?.completionTime !== undefined && status.phase === "Unknown";
}

async function listBaseline(
  { restored }: StartDeps,
  { object, account }: StartContext,
  call: CallOptions,
): Promise<Read<RunList>> {
  const given = object.status?.start;
  const repeated = given !== undefined && isGivenUp(given) ? given : undefined;
  const excludesOthers = object.spec.concurrencyPolicy !== "Allow";
  // What a restore has made this object forget may be as old as itself.
  const needs = restored() === undefined ? { needs: neededForBaseline({ repeated, excludesOthers }) } : {};
  return await reading(account.api.listRuns(jobOf(object), { ...call, ...needs }));
}

/** Why nothing may be sent, or `undefined`. `sinceBaselineMs` is monotonic and covers the writes in between. */
function gateProblem(
  deps: StartDeps,
  { object, signal }: StartContext,
  intent: Intent,
  sinceBaselineMs: number,
): string | undefined {
  const { metadata, status } = intent.object;
  if (metadata.uid !== object.metadata.uid) return "The object was deleted and made again.";
  if (metadata.deletionTimestamp !== undefined) return "The object was deleted.";
  // An abort, say, since the record was made.
  if (metadata.generation !== object.metadata.generation) return "The spec was changed.";
  if (status?.start?.id !== intent.start.id || status.start.outcome !== "Pending") return "The record was changed.";
  if (sinceBaselineMs >= deps.settings.startGateMs) return "Recording the start took too long.";
  if (signal.aborted) return stopping;
  if (!deps.lease.isLeaderFor(deps.settings.leaseMarginMs)) return "The leadership is not certain for long enough.";
  return undefined;
}

async function closeGate(
  deps: StartDeps,
  context: StartContext,
  intent: Intent,
  why: string,
  isMarkRefused = false,
): Promise<StartOutcome> {
  const start: StartRecord = { ...intent.start, outcome: "NotStarted", reason: "StartingRun", message: why };
  const written = await closeRecord(deps, context, intent.object, keepingFirst(start, context.object.status?.start));
  return { report: { kind: "gateClosed", start, why, isMarkRefused }, written };
}

/** Without the annotation nothing would show the start once the status is lost, so nothing is sent. */
async function closeDropped(deps: StartDeps, context: StartContext, intent: Intent): Promise<StartOutcome> {
  const { written } = await closeGate(deps, context, intent, `The annotation ${startedRun} was not stored.`);
  return { report: { kind: "notStored", fields: [`the annotation ${startedRun}`] }, written };
}

/** Sends the POST; `undefined`: it was given up before a byte of it was sent. Nothing else is thrown for what becomes of it. */
async function post(
  { object, account, signal }: StartContext,
  values: RunValues,
  call: CallOptions,
): Promise<StartResult | undefined> {
  try {
    return await account.api.startRun(jobOf(object), runBodyOf(object.spec, values), call);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

/** A refusal is recorded at once; what else comes of a POST is recorded with the status. */
async function recordAnswer(
  deps: StartDeps,
  context: StartContext,
  { start, object }: Intent,
  result: StartResult,
): Promise<{ readonly start: StartRecord; readonly written: NorthflankJobRun }> {
  if (result.kind !== "refused") return { start, written: object };
  const { error } = result;
  const message = isRejectedForGood(error) ? rejectionMessage(error) : error.statement;
  const reason = isRejectedForGood(error) ? "RequestRejected" : refusalReason(error);
  const refused = { ...start, outcome: "NotStarted", reason, message: message.slice(0, 1_024) } as const;
  const closed = keepingFirst(refused, context.object.status?.start);
  return { start: closed, written: await closeRecord(deps, context, object, closed) };
}

/** A word for the record; the conditions say it in full. */
function refusalReason(error: NorthflankError): string {
  return error.code === "rate_limited" || error.code === "quota_closed" ? "WaitingForQuota" : error.code;
}

/**
 * Lets one start of a job be under way at a time, in this process: two at once could not be distinguished in the list
 * of runs. No reconcile waits: one that does not get the lock is requeued.
 */
export class StartLocks {
  readonly #held = new Set<string>();

  /** Calls `work` unless another start of the same key is under way; then returns `undefined` at once. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T | undefined> {
    if (this.#held.has(key)) return undefined;
    this.#held.add(key);
    try {
      return await work();
    } finally {
      this.#held.delete(key);
    }
  }
}
