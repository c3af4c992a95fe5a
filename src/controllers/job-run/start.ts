import type { NorthflankJobRun, NorthflankJobRunSpec } from "../../api/job-run.ts";
import { northflankJobRuns, operatorFieldManager, startedRun } from "../../api/names.ts";
import type { KubeClient } from "../../kube/client.ts";
import { isKubeError } from "../../kube/errors.ts";
import { describeUser } from "../../kube/missing-right.ts";
import type { CallOptions } from "../../northflank/client.ts";
import { isNorthflankError, type NorthflankError } from "../../northflank/errors.ts";
import type { Reservation } from "../../northflank/ledger.ts";
import type { FileContent, RunList, RunRequest, StartResult } from "../../northflank/types.ts";
import type { Clock } from "../../util/clock.ts";
import type { Account } from "../account/accounts.ts";
import { resolveReferences } from "../secrets/references.ts";
import {
  duplicateIn,
  foreignObstacles,
  type Obstacle,
  obstaclesAmong,
  openStartsOf,
  replaceableAmong,
  runIdsOf,
  runsInDoubt,
  runsTaken,
  type Sibling,
} from "./concurrency.ts";
import { isRejectedForGood, rejectionMessage, type StartReport } from "./decide.ts";
import { finalizerPatch } from "./finalizer.ts";
import { isBeforeStart, latestAttempt, stateOf } from "./machine.ts";
import { markOperations, markText } from "./mark.ts";
import { forgetEnd, type RunMemory, rememberEnd, withUnsaved } from "./memory.ts";
import { judgeCandidates } from "./read-back.ts";
import { ofRun } from "./remedies.ts";
import { forgottenStart, type Restored } from "./restored.ts";
import { type RunSettings, settleWaitMs } from "./result.ts";
import { neededForBaseline } from "./runs-needed.ts";
import { baselineOf, isGivenUp, type StartRecord } from "./start-record.ts";

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

/** What a start is made with. */
export interface StartDeps {
  readonly kube: Pick<KubeClient, "get" | "replace" | "patch">;
  readonly lease: LeaseView;
  readonly clock: Clock;
  readonly settings: RunSettings & {
    /** How long the lease must still be valid when something is sent, in milliseconds. */
    readonly leaseMarginMs: number;
  };
  /** A new id for a start record. */
  readonly newId: () => string;
  /** Puts the answer to the intent into the store at once: a run of it may be in the next list that is read. */
  readonly overlay: (object: NorthflankJobRun) => void;
  /** When the cluster was last seen restored to an earlier state; `undefined`: never since this process was started. */
  readonly restored: () => Restored | undefined;
}

/** What is asked of leader election. */
export interface LeaseView {
  /** True when this process will be the leader for at least so many more milliseconds, by a local monotonic clock. */
  readonly isLeaderFor: (durationMs: number) => boolean;
}

/** What one start is about. */
export interface StartContext {
  readonly object: NorthflankJobRun;
  readonly account: Account;
  /** Other runs of the same job, as they are now: all, and those that are not over. */
  readonly siblings: { readonly all: () => readonly Sibling[]; readonly open: () => readonly Sibling[] };
  readonly memory: RunMemory;
  /** Why the build that the spec names keeps the run from being started; `undefined` where none does. */
  readonly checkBuild: () => Promise<StartReport | undefined>;
  /** Ends the work. */
  readonly signal: AbortSignal;
  /** Ends what must still be written down. */
  readonly statusSignal: AbortSignal;
}

/** What a start leaves: how it ended, and the object as it was last written (missing where nothing was). */
export interface StartOutcome {
  readonly report: StartReport;
  readonly written?: NorthflankJobRun;
}

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
  if (reserved.kind === "refused") return { report: { kind: "noQuota", retryAfterMs: reserved.retryAfterMs } };
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
  const call: CallOptions = { class: "change", reservation, signal };
  const listed = await listBaseline(deps, context, call);
  if (listed.kind === "failed") return { report: { kind: "readFailed", error: listed.error } };
  const { list } = listed;
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
  const result = await postOnce(deps, context, { intent: ready, values, call });
  const outcome = await recordAnswer(deps, context, ready, result);
  if (outcome.report.kind !== "answered") return outcome;
  return { ...outcome, report: { ...outcome.report, duplicateRunId: suspectedDuplicate(object, list, siblings) } };
}

/**
 * A run that began after the reach of the start that is repeated, and soon: a request that was delayed in transit
 * starts one so late. It is not taken for the run of that start, but reported where no user requested the repetition.
 */
function suspectedDuplicate(object: NorthflankJobRun, list: RunList, siblings: readonly Sibling[]): string | undefined {
  const start = object.status?.start;
  if (start === undefined || !isGivenUp(start) || start.reason === "RetryingRun") return undefined;
  return duplicateIn(object, list, siblings);
}

function isLost({ status }: NorthflankJobRun): boolean {
  return status?.completionTime !== undefined && status.phase === "Unknown";
}

type Listed =
  | { readonly kind: "listed"; readonly list: RunList }
  | { readonly kind: "failed"; readonly error: NorthflankError };

async function listBaseline(
  { restored }: StartDeps,
  { object, account }: StartContext,
  call: CallOptions,
): Promise<Listed> {
  const given = object.status?.start;
  const repeated = given !== undefined && isGivenUp(given) ? given : undefined;
  const excludesOthers = object.spec.concurrencyPolicy !== "Allow";
  // What a restore has made this object forget may be as old as itself.
  const needs = restored() === undefined ? { needs: neededForBaseline({ repeated, excludesOthers }) } : {};
  try {
    return { kind: "listed", list: await account.api.listRuns(jobOf(object), { ...call, ...needs }) };
  } catch (error) {
    if (isNorthflankError(error)) return { kind: "failed", error };
    throw error;
  }
}

// ---- a start that may have been made before: did it come through after all? -----------------------------------------

type LateRun = Extract<StartReport, { kind: "lateRun" }>;

/** A start that was given up without an answer may show its run only now: then nothing is sent. */
function lateRunOf(
  { settings }: StartDeps,
  object: NorthflankJobRun,
  list: RunList,
  siblings: readonly Sibling[],
): LateRun | undefined {
  const start = object.status?.start;
  if (start === undefined || !isGivenUp(start)) return undefined;
  const rivals = openStartsOf(siblings);
  const late = runSince({ start, object, list, siblings, rivals, untilMs: settleWaitMs(settings) });
  // A person has seen them all and wants another one.
  return late !== undefined && late.readBack.kind !== "one" && start.reason === "RetryingRun" ? undefined : late;
}

/** After a restore of the cluster: a run that this object may have started before, and does not know of any more. */
function forgottenRunOf(
  { restored, newId, clock, settings }: StartDeps,
  { object, account }: StartContext,
  list: RunList,
  siblings: readonly Sibling[],
): LateRun | undefined {
  const aheadMs = list.serverTimeMs === undefined ? 0 : list.serverTimeMs - clock.now();
  const untilMs = settleWaitMs(settings);
  const common = { restored: restored(), account: account.address, newId, aheadMs, settleWaitMs: untilMs };
  const start = forgottenStart({ object, ...common });
  if (start === undefined) return undefined;
  // Others of the job may have forgotten one as well, and the run may be theirs.
  const alike = siblings.filter((sibling) => isBeforeStart(stateOf(sibling.object)));
  const theirs = alike.flatMap((sibling) => forgottenStart({ object: sibling.object, ...common }) ?? []);
  const rivals = [...openStartsOf(siblings), ...theirs];
  const found = runSince({ start, object, list, siblings, rivals, untilMs });
  // That a run is not in a list that is cut proves nothing.
  const isUntold = found === undefined && list.truncated && object.spec.startGuarantee === "AtMostOnce";
  return isUntold ? { kind: "lateRun", start, readBack: { kind: "incomplete" } } : found;
}

/** A run within the reach of the start. One of which it is not known when it began is not taken so late. */
function runSince(search: {
  readonly start: StartRecord;
  readonly object: NorthflankJobRun;
  readonly list: RunList;
  readonly siblings: readonly Sibling[];
  readonly rivals: readonly StartRecord[];
  readonly untilMs: number;
}): LateRun | undefined {
  const { start, object, list, siblings, rivals, untilMs } = search;
  const claimed = runsTaken(object, siblings);
  const doubtful = runsInDoubt(object, siblings);
  const readBack = judgeCandidates({
    start,
    list,
    claimed,
    doubtful,
    rivals,
    reach: { untilMs, countsTimeless: false },
  });
  return readBack.kind === "none" ? undefined : { kind: "lateRun", start, readBack };
}

/** The record is open again: which run it was, if any, is for the read-back or a person to say. */
async function reopened(deps: StartDeps, context: StartContext, late: LateRun): Promise<StartOutcome> {
  const live = await readLive(deps, context);
  if (live === undefined) return { report: { kind: "outdated" } };
  forgetEnd(context.memory, late.start.id);
  const { reason: _reason, message: _message, ...record } = late.start;
  const written = await putStart(deps, live, { ...record, outcome: "Pending" }, context.statusSignal);
  if (written === undefined) return { report: { kind: "outdated" } };
  return { report: late, written };
}

// ---- intent ---------------------------------------------------------------------------------------------------------

interface Intent {
  readonly start: StartRecord;
  /** The answer to the PUT. */
  readonly object: NorthflankJobRun;
}

/** `undefined`: the object is not what this reconcile decided on, or another client was faster. */
async function recordIntent(deps: StartDeps, context: StartContext, list: RunList): Promise<Intent | undefined> {
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
    ...(firstRecordedTime === undefined ? {} : { firstRecordedTime }),
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
function fieldsLost({ start, object }: Intent): readonly string[] {
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
async function markStart(deps: StartDeps, { signal }: StartContext, intent: Intent): Promise<Marked> {
  const { start, object } = intent;
  const { namespace = "", name, uid } = object.metadata;
  const finalizer = object.spec.deletionPolicy === "Abort" ? finalizerPatch(object, "add") : undefined;
  const isSame = { op: "test", path: "/metadata/uid", value: uid } as const;
  const text = markText(object, start);
  const body = [...(finalizer ?? [isSame]), ...markOperations(object, text)];
  try {
    const patch = { kind: "json", body } as const;
    const written = await deps.kube.patch<NorthflankJobRun>(
      northflankJobRuns,
      { namespace, name },
      patch,
      writer,
      signal,
    );
    if (written.metadata.annotations?.[startedRun] !== text) return { kind: "dropped", object: written };
    return { kind: "marked", intent: { start, object: written } };
  } catch (error) {
    if (signal.aborted) return { kind: "failed", why: "The operator is stopping." };
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

// ---- gate -----------------------------------------------------------------------------------------------------------

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
  if (signal.aborted) return "The operator is stopping.";
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
  const report = { kind: "notStored", fields: [`the annotation ${startedRun}`] } as const;
  return written === undefined ? { report } : { report, written };
}

// ---- the call -------------------------------------------------------------------------------------------------------

type Posted = StartResult | { readonly kind: "unsent" };

async function postOnce(
  _deps: StartDeps,
  { object, account }: StartContext,
  sent: { readonly intent: Intent; readonly values: RunValues; readonly call: CallOptions },
): Promise<Posted> {
  try {
    return await account.api.startRun(jobOf(object), runBodyOf(object.spec, sent.values), sent.call);
  } catch (error) {
    // The one thing that is thrown: the call was given up (its signal) before a byte of it was sent.
    if (sent.call.signal.aborted) return { kind: "unsent" };
    throw error;
  }
}

async function recordAnswer(
  deps: StartDeps,
  context: StartContext,
  intent: Intent,
  result: Posted,
): Promise<StartOutcome> {
  const { start } = intent;
  switch (result.kind) {
    case "unsent":
      return await closeGate(deps, context, intent, "The operator is stopping.");
    case "refused": {
      const { error } = result;
      const message = isRejectedForGood(error) ? rejectionMessage(error) : error.statement;
      const reason = isRejectedForGood(error) ? "RequestRejected" : refusalReason(error);
      const refused = { ...start, outcome: "NotStarted", reason, message: message.slice(0, 1_024) } as const;
      const closed = keepingFirst(refused, context.object.status?.start);
      const written = await closeRecord(deps, context, intent.object, closed);
      return { report: { kind: "answered", start: closed, result }, written };
    }
    case "accepted":
    case "unknown":
      return { report: { kind: "answered", start, result }, written: intent.object };
  }
}

/** A word for the record; the conditions say it in full. */
function refusalReason(error: NorthflankError): string {
  return error.code === "rate_limited" || error.code === "quota_closed" ? "WaitingForQuota" : error.code;
}

/**
 * A repeated start that was not sent: the one before it is still without an answer, so the next try repeats that one
 * again, and keeps searching for its run, which can only have begun when that one was sent.
 */
function keepingFirst(start: StartRecord, before: StartRecord | undefined): StartRecord {
  if (start.firstRecordedTime === undefined || before === undefined) return start;
  const { recordedTime, baseline, untilTime, reason } = before;
  return {
    ...start,
    recordedTime,
    ...(baseline === undefined ? {} : { baseline }),
    ...(untilTime === undefined ? {} : { untilTime }),
    ...(start.reason === "RequestRejected" || reason === undefined ? {} : { reason }),
  };
}

/** A record that cannot be closed now is closed by the next reconcile of this process, or read back by the next process. */
async function closeRecord(
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

/** Names the job in calls. */
export function jobOf({ spec }: NorthflankJobRun): { readonly projectId: string; readonly jobId: string } {
  return { projectId: spec.projectId, jobId: spec.jobId };
}

/** Values and contents that came from literals and references together. Never stored, logged or shown. */
export interface RunValues {
  readonly environment: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, FileContent>>;
}

/** The body of the call that starts the run. Made right before it, from values that live in the reconcile only. */
export function runBodyOf(spec: NorthflankJobRunSpec, values: RunValues): RunRequest {
  const { dockerSecretMounts, billing, deployment } = spec;
  return {
    ...(isEmpty(values.environment) ? {} : { runtimeEnvironment: values.environment }),
    ...(isEmpty(values.files) ? {} : { runtimeFiles: values.files }),
    ...(dockerSecretMounts === undefined ? {} : { dockerSecretMounts }),
    ...(billing === undefined ? {} : { billing }),
    ...(deployment === undefined ? {} : { deployment }),
  };
}

function isEmpty(map: object): boolean {
  return Object.keys(map).length === 0;
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
