import type { NorthflankJobRun } from "../../api/job-run.ts";
import { resolveStart } from "../../api/names.ts";
import type { ReconcileContext } from "../../runtime/controller.ts";
import { type ObjectKey, type Outcome, ReconcileError } from "../../runtime/outcome.ts";
import { assertNever } from "../../util/assert-never.ts";
import { backoffDelayMs } from "../../util/backoff.ts";
import type { Random } from "../../util/random.ts";
import { type EventDraft, stalledEvents } from "../reconcile/events.ts";
import { reconcileRequest } from "../reconcile/reconcile-request.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { ageOf, provenMs, untilMs } from "./age.ts";
import { pauseFor } from "./ask.ts";
import { isWaitingForConcurrency } from "./concurrency.ts";
import { decideNotStored } from "./decide.ts";
import { decideDeleteTimedOut, isTtlOver, longestCleanupMs, longestQuotaCleanupMs } from "./ends.ts";
import { changeMetadata, deleteSelf, writeRecord } from "./execute.ts";
import { finalizerChange } from "./finalizer.ts";
import { putStart } from "./intent.ts";
import { isBeforeStart, latestAttempt, type RunState, reopenedByRequest, stateOf } from "./machine.ts";
import {
  forgetEnd,
  type Known,
  RunMemories,
  type RunMemory,
  rememberEnd,
  type UnsavedStatus,
  withUnsaved,
} from "./memory.ts";
import { type RunResult, sooner } from "./result.ts";
import {
  beginReconcile,
  type JobRunReconcilerDeps,
  jobIndexValue,
  type RunProcess,
  type RunReconcile,
  situationNow,
  wrote,
} from "./run-reconcile.ts";
import { StartLocks } from "./start.ts";
import type { StartRecord } from "./start-record.ts";
import { endOf, fieldsNotStored, messageOf, statusOf } from "./status.ts";
import { takeStep } from "./steps.ts";
import { decideUnreachable, goneConnectionMs, isUnreachable } from "./teardown.ts";

/** Index functions of the store, by {@link jobIndexValue}. Ended objects add up for years: few may ask for all. */
export const jobRunIndexes = {
  /** Every run object of one job, in whatever namespace. */
  job: jobsOf,
  /** Those of them that are not over: what can be in the way of a start, or have something in its way. */
  open: (run: NorthflankJobRun): readonly string[] => (stateOf(run) === "finished" ? [] : jobsOf(run)),
  /** Those of them that have a start before them, or one that is open: they may continue when another one does. */
  waiting: (run: NorthflankJobRun): readonly string[] => (isWaitingState(stateOf(run)) ? jobsOf(run) : []),
};

function jobsOf({ spec }: NorthflankJobRun): readonly string[] {
  return namesJob(spec) ? [jobIndexValue(spec)] : [];
}

/** Not taken from what the status says it waits for: that is written only after the reconcile that found it. */
function isWaitingState(state: RunState): boolean {
  return isBeforeStart(state) || state === "unresolved";
}

/** False for a stored spec that lacks what names the job: it has no siblings. */
export function namesJob(spec: Partial<NorthflankJobRun["spec"]>): boolean {
  return spec.projectId !== undefined && spec.jobId !== undefined;
}

/**
 * Takes one NorthflankJobRun one step further: validate, observe, decide, execute, one status write, what may follow
 * only then, events, outcome. The states and their promises are drawn in `machine.ts`, the start in `start.ts`.
 */
export function createJobRunReconciler(
  deps: JobRunReconcilerDeps,
): (key: ObjectKey, context: ReconcileContext) => Promise<Outcome> {
  const memories = new RunMemories();
  const locks = new StartLocks();
  let sinceMs: number | undefined;

  return async (key, context) => {
    const stored = deps.store.get(key);
    if (stored === undefined) {
      memories.forget(key);
      return { kind: "settled" };
    }
    // Whoever is not the leader any more leaves asking and writing to the one who is.
    const leave = { kind: "recheck", afterMs: shortlyMs(deps.random), priority: "follow" } as const;
    if (!deps.lease.isLeaderFor(0)) return leave;
    sinceMs ??= deps.clock.monotonic();
    const shared: RunProcess = { ...deps, memories, locks, sinceMs };
    const heldMs = heldBackMs(memories.of(key, stored).known, stored, deps.clock.monotonic());
    if (heldMs > 0) return { kind: "recheck", afterMs: heldMs, priority: "follow" };
    const first = beginReconcile(shared, { key, stored, context });
    const reopened = await reopenRejected(first);
    if (reopened === undefined) return comeBack(first);
    const reconcile = reopened === stored ? first : beginReconcile(shared, { key, stored: reopened, context });
    const result = withCleanupLimit(reconcile, await takeStep(reconcile));
    if (result === undefined) return comeBack(reconcile);
    if (!deps.lease.isLeaderFor(0)) return leave;
    return await report(reconcile, result);
  };
}

/**
 * A reconcile request for a rejected run is written into its record before it is acknowledged. Returns the object as it
 * is then; `undefined`: another client wrote first.
 */
async function reopenRejected(reconcile: RunReconcile): Promise<NorthflankJobRun | undefined> {
  const { deps, stored, context, situation, memory } = reconcile;
  const record = reopenedByRequest(situation.object);
  if (record === undefined || !deps.lease.isLeaderFor(0)) return stored;
  const written = await putStart(deps, stored, record, context.statusSignal);
  if (written === undefined) memory.remember({ unsettled: memory.known.unsettled + 1 });
  else wrote(reconcile, written);
  return written;
}

/** For what is over in a moment: another start of the same job, a write that was faster than ours. */
function shortlyMs(random: Random): number {
  return 500 + 1_000 * random();
}

/** Nothing was concluded. What was given up has cost a request, or a write: the next tries come ever later. */
function comeBack(reconcile: RunReconcile): Outcome {
  const { memory, deps } = reconcile;
  const inARow = memory.known.givenUpStarts + memory.known.unsettled;
  if (inARow === 0) return { kind: "recheck", afterMs: shortlyMs(deps.random), priority: "change" };
  const afterMs = backoffDelayMs(outdatedPolicy, inARow, deps.random);
  pauseFor(reconcile, afterMs);
  return { kind: "recheck", afterMs, priority: "change" };
}

const outdatedPolicy = { baseMs: 1_000, factor: 2, capMs: 60_000, jitter: 0.5 } as const;

/**
 * A deletion is not held back for longer than {@link longestCleanupMs}, or {@link longestQuotaCleanupMs}; without a
 * connection for {@link goneConnectionMs} only.
 */
function withCleanupLimit(reconcile: RunReconcile, result: RunResult | undefined): RunResult | undefined {
  const { plan, memory, deps, situation } = reconcile;
  if (plan.intent !== "cleanup" || result === undefined || result.isReleased) return result;
  if (result.fields.completionTime !== undefined) return result;
  const { next } = result;
  const asks = next.kind === "backoff" || (next.kind === "recheck" && next.asks === true);
  const atMs = deps.clock.monotonic();
  const { unreachableSinceMs = atMs } = memory.known;
  const isGone = isUnreachable(result, memory.known);
  memory.remember({ unreachableSinceMs: isGone ? unreachableSinceMs : undefined });
  if (isGone) {
    const leftMs = untilMs(atMs - unreachableSinceMs, goneConnectionMs);
    return leftMs === undefined ? decideUnreachable(situation.object) : sooner(result, leftMs, asks);
  }
  const limitMs = result.readyState.reason === "WaitingForQuota" ? longestQuotaCleanupMs : longestCleanupMs;
  const leftMs = untilMs(provenMs(ageOf(memory.known.times, "deleted", atMs), limitMs), limitMs);
  const recheckMs = Math.min(leftMs ?? 0, cleanupRecheckMs);
  return leftMs === undefined ? decideDeleteTimedOut(limitMs) : sooner(result, recheckMs, asks);
}

const cleanupRecheckMs = 30_000;

async function report(reconcile: RunReconcile, result: RunResult): Promise<Outcome> {
  const { deps, memory, context, situation } = reconcile;
  const status = statusOf({ object: situationNow(reconcile).object, result, now: situation.now });
  const { before } = memory.known.unsaved ?? { before: reconcile.stored.status };
  const startId = reconcile.stored.status?.start?.id;
  const unsaved: UnsavedStatus = { status, startId, events: unpublished(memory.known, result), before };
  // What is known is kept until it is written down: a failed write must lead neither to a second start nor to a gap.
  memory.remember({ unsaved, said: result.readyState });
  if (result.record !== undefined) rememberEnd(memory, result.record);
  const answer = await deps.statusWriter.write(reconcile.stored, status, context.statusSignal);
  if (answer.kind === "gone") {
    deps.memories.forget(reconcile.key);
    return { kind: "settled" };
  }
  if (answer.kind === "written") wrote(reconcile, answer.object);
  memory.remember({ abortRequestedTime: status.abortRequestedTime });
  const lost = answer.kind === "written" ? fieldsNotStored(status, answer.object.status) : [];
  const isDeleting = reconcile.stored.metadata.deletionTimestamp !== undefined;
  if (lost.length > 0 && !isDeleting) {
    // A start that was given up stays open: without what was lost, giving it up would be repeated.
    if (result.record?.outcome === "NotStarted") forgetEnd(memory, result.record.id);
    return await holdBack(reconcile, lost);
  }
  // What is being deleted is not held back: until it is gone, this process goes by what it knows.
  const left = lost.length > 0 ? { ...unsaved, events: [], before: reconcile.stored.status } : undefined;
  memory.remember({ unsaved: left });
  publish(reconcile, unsaved);
  const isSettled = await settleAfterwards(reconcile, result);
  const unsettled = isSettled ? 0 : memory.known.unsettled + 1;
  const agains = result.next.kind === "again" ? memory.known.agains + 1 : 0;
  memory.remember({ unsettled, agains });
  const outcome = outcomeOf(reconcile, result);
  if (isSettled) return outcome;
  // Another client wrote in between, and the watch may report it late.
  const backoffMs = backoffDelayMs(outdatedPolicy, unsettled, deps.random);
  const plannedMs = outcome.kind === "recheck" ? Math.max(outcome.afterMs, shortlyMs(deps.random)) : backoffMs;
  return { kind: "recheck", afterMs: Math.min(backoffMs, plannedMs), priority: "follow" };
}

/** The API server does not store what was written: nothing follows from it, and nothing is retried for a long time. */
async function holdBack(reconcile: RunReconcile, fields: readonly string[]): Promise<Outcome> {
  const { deps, memory, context, stored: before, situation } = reconcile;
  const result = decideNotStored(situation, fields);
  const status = statusOf({ object: before, result, now: situation.now });
  const answer = await deps.statusWriter.write(before, status, context.statusSignal);
  if (answer.kind === "written") wrote(reconcile, answer.object);
  const untilMs = deps.clock.monotonic() + slowProbeMs;
  memory.remember({ heldBack: { untilMs, wants: wantsOf(before) } });
  publish(reconcile, { status, events: result.events, before: before.status });
  return { kind: "recheck", afterMs: slowProbeMs, priority: "follow" };
}

/** How long nothing is done for the object, unless a person changes something about it. */
function heldBackMs({ heldBack }: Known, stored: NorthflankJobRun, atMs: number): number {
  return heldBack?.wants === wantsOf(stored) ? heldBack.untilMs - atMs : 0;
}

function wantsOf({ metadata }: NorthflankJobRun): string {
  const { generation, deletionTimestamp, annotations } = metadata;
  return JSON.stringify([generation, deletionTimestamp, reconcileRequest(metadata), annotations?.[resolveStart]]);
}

// Events of one object that wait for its status: no more than its life has kinds of them.
const maxUnpublished = 20;

/** The Events of this reconcile and of those whose status could not be written. */
function unpublished({ unsaved }: Known, { events }: RunResult): readonly EventDraft[] {
  const owed = (unsaved?.events ?? []).filter(
    (event) => !events.some(({ reason, note }) => reason === event.reason && note === event.note),
  );
  return [...owed, ...events].slice(-maxUnpublished);
}

/** What may follow only when the status says what has happened. False: another client wrote in between, come back. */
async function settleAfterwards(reconcile: RunReconcile, result: RunResult): Promise<boolean> {
  const { deps, context, memory, siblings, plan, situation } = reconcile;
  const { statusSignal } = context;
  const record = result.record ?? owedRecord(reconcile.stored, memory.known);
  const stored =
    record === undefined ? reconcile.stored : await writeRecord(deps, reconcile.stored, record, statusSignal);
  for (const key of result.enqueues) deps.enqueue(key);
  reconcile.stored = stored;
  const state = stateOf(withUnsaved(stored, memory.known));
  // Set aside to read a start back, which was resolved in another way.
  if (state !== "unresolved") memory.known.readBack?.release();
  if (state !== situation.state) {
    const waiting = siblings.open().filter((sibling) => isWaitingForConcurrency(sibling.object));
    for (const { key } of waiting) deps.enqueue(key);
  }
  // What is being deleted starts nothing any more: an end that the API server does not keep must not hold it either.
  const isOver = result.fields.completionTime !== undefined && stored.metadata.deletionTimestamp !== undefined;
  const change = result.isReleased || isOver ? "remove" : finalizerChange(stored, state);
  const changed = await changeMetadata(deps, stored, change, statusSignal);
  if (plan.step === "stayFinished" && isTtlOver(stored, situation.sinceEndMs)) {
    await deleteSelf(deps, stored, statusSignal);
  }
  return !(record !== undefined && isLeftOpen(stored, memory, record)) && changed === "done";
}

function isLeftOpen({ status }: NorthflankJobRun, memory: RunMemory, record: StartRecord): boolean {
  if (status?.start?.id === record.id && status.start.outcome !== record.outcome) return true;
  forgetEnd(memory, record.id);
  return false;
}

/** A record that a crash or a conflict left behind: how the start ended is known, `status.start` does not say so yet. */
function owedRecord({ status }: NorthflankJobRun, { endedStarts }: Known): StartRecord | undefined {
  const record = status?.start;
  if (record?.outcome !== "Pending") return undefined;
  const ended = endedStarts.find(({ id }) => id === record.id);
  if (ended !== undefined) return ended;
  const attempt = status?.attempts?.find(({ number }) => number === record.attempt);
  if (attempt === undefined) return undefined;
  return { ...record, outcome: attempt.origin === "Started" ? "Accepted" : "Recovered" };
}

function publish(
  { deps, stored, context, plan }: RunReconcile,
  { events: drafts, before }: Pick<UnsavedStatus, "events" | "before" | "status">,
): void {
  const transition = stalledEvents({
    before: before?.conditions,
    after: stored.status?.conditions,
    message: messageOf(stored),
    action: plan.step === "refuseSpec" ? "Validate" : "Reconcile",
  });
  const reasons = drafts.map(({ reason }) => reason);
  const events = [...drafts, ...transition.filter(({ reason }) => !reasons.includes(reason))];
  for (const event of events) {
    deps.events.record(stored, event);
    if (event.reason === "RunStarted") deps.observer.started();
    if (event.reason === "RunRecovered") deps.observer.recovered();
    if (event.reason === "Abandoned" || event.reason === "DeleteTimedOut") warnOfRelease(stored, context, event.reason);
  }
  // What was adopted was counted when it ended, or by another operator: a restore must not look like a hundred failures.
  const isAdopted = latestAttempt(stored)?.origin === "Adopted";
  if (before?.completionTime === undefined && stored.status?.completionTime !== undefined && !isAdopted) {
    deps.observer.finished(endOf(stored));
  }
}

/** A namespace that is being deleted takes no Events: this line is all that stays. */
function warnOfRelease(stored: NorthflankJobRun, { log }: ReconcileContext, reason: string): void {
  const { projectId: project, jobId: job } = stored.spec;
  log.warn({ reason, project, job, run: latestAttempt(stored)?.runId }, "run released without abort");
}

/** Back-off after failed calls: 5 min at most. */
const retryPolicy = { baseMs: 1_000, factor: 2, capMs: 300_000, jitter: 0.3 } as const;

/** "Later" is never "now", whatever a decision has made of its numbers. */
const leastWaitMs = 100;

/** At once for what needs a few reconciles in a row; with back-off for an object that keeps asking for that. */
function againMs(inARow: number, random: Random): number {
  return inARow <= freeAgains ? 0 : backoffDelayMs(outdatedPolicy, inARow - freeAgains, random);
}

const freeAgains = 3;

/** Polls that cost a request are spread by so much of their wait, so that what started together drifts apart. */
const spreadShare = 0.1;

function outcomeOf(reconcile: RunReconcile, result: RunResult): Outcome {
  const { deps, memory } = reconcile;
  const { readyState, fields } = result;
  const message = `${readyState.reason}: ${readyState.message}`;
  const { next } = result;
  switch (next.kind) {
    case "never":
      return { kind: "settled" };
    case "again":
      return { kind: "recheck", afterMs: againMs(memory.known.agains, deps.random), priority: "change" };
    case "recheck": {
      const waitMs = Math.max(next.afterMs, leastWaitMs);
      const spreadMs = next.spreadMs ?? spreadShare * waitMs;
      const afterMs = next.asks === true ? waitMs + spreadMs * deps.random() : waitMs;
      if (next.asks === true) pauseFor(reconcile, afterMs, next.unhintedMs);
      return { kind: "recheck", afterMs, priority: "follow" };
    }
    case "backoff": {
      const backoffMs = backoffDelayMs(retryPolicy, fields.failure?.count ?? 1, deps.random);
      const notBeforeMs = Math.max(next.notBeforeMs ?? 0, backoffMs);
      pauseFor(reconcile, notBeforeMs);
      return { kind: "retry", error: new ReconcileError(message), notBeforeMs };
    }
    default:
      return assertNever(next, "requeue");
  }
}
