import type { NorthflankJobRun } from "../../api/job-run.ts";
import { resolveStart } from "../../api/names.ts";
import { findCondition } from "../../runtime/conditions.ts";
import type { ReconcileContext } from "../../runtime/controller.ts";
import type { ObjectKey, Outcome } from "../../runtime/outcome.ts";
import { assertNever } from "../../util/assert-never.ts";
import { backoffDelayMs } from "../../util/backoff.ts";
import type { Random } from "../../util/random.ts";
import { type EventDraft, stalledEvents } from "../reconcile/events.ts";
import { reconcileRequest } from "../reconcile/reconcile-request.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { type Requeue, outcomeOf as requeued } from "../reconcile/requeue.ts";
import { provenMs, untilMs } from "./age.ts";
import type { AfterAction, Conclusion } from "./conclusion.ts";
import { isWaitingForConcurrency } from "./concurrency.ts";
import { decideNotStored } from "./decide.ts";
import { decideDeleteTimedOut, isTtlOver, longestCleanupMs, longestQuotaCleanupMs } from "./ends.ts";
import { changeMetadata, deleteSelf, type ExecuteDeps, executeAfter } from "./execute.ts";
import { finalizerChange } from "./finalizer.ts";
import { isBeforeStart, latestAttempt, type RunState, reopenedByRequest, stateOf } from "./machine.ts";
import { RunMemories, type RunMemory, rememberEnd, type UnsavedStatus, withUnsaved } from "./memory.ts";
import {
  createPass,
  current,
  type JobRunReconcilerDeps,
  jobIndexValue,
  type Pass,
  type RunObserver,
  setPause,
  wallAge,
  wrote,
} from "./pass.ts";
import { putStart, StartLocks } from "./start.ts";
import { fieldsNotStored, statusOf } from "./status.ts";
import { sooner, takeStep } from "./steps.ts";
import { decideUnreachable, goneConnectionMs, isUnreachable } from "./teardown.ts";

/** Index functions of the store, by {@link jobIndexValue}. Ended objects add up for years: few may ask for all. */
export const jobRunIndexes = {
  /** Every run object of one job, in whatever namespace. */
  job: jobsOf,
  /** Those of them that are not over: what can be in the way of a start, or have something in its way. */
  open: (run: NorthflankJobRun): readonly string[] => (stateOf(run) === "finished" ? [] : jobsOf(run)),
  /** Those of them that have a start before them, or one that is open: they may go on when another one does. */
  waiting: (run: NorthflankJobRun): readonly string[] => (isWaitingState(stateOf(run)) ? jobsOf(run) : []),
};

function jobsOf({ spec }: NorthflankJobRun): readonly string[] {
  return namesJob(spec) ? [jobIndexValue(spec)] : [];
}

/** Not told by what the status says it waits for: that is written only after the pass that found it. */
function isWaitingState(state: RunState): boolean {
  return isBeforeStart(state) || state === "unresolved";
}

/** False for a stored spec that lacks what names the job: it is a sibling of nobody. */
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
    const given = { deps, memories, locks, key, sinceMs, context };
    const seen = createPass({ ...given, stored });
    const heldMs = heldBackMs(seen);
    if (heldMs > 0) return { kind: "recheck", afterMs: heldMs, priority: "follow" };
    const reopened = await reopenRejected(seen);
    if (reopened === undefined) return comeBack(seen);
    const pass = reopened === stored ? seen : createPass({ ...given, stored: reopened });
    const conclusion = withCleanupLimit(pass, await takeStep(pass));
    if (conclusion === undefined) return comeBack(pass);
    if (!deps.lease.isLeaderFor(0)) return leave;
    return await conclude(pass, conclusion);
  };
}

/**
 * A reconcile request for a rejected run is written into its record before it is acknowledged. Returns the object as it
 * is then; `undefined`: somebody else wrote first.
 */
async function reopenRejected(pass: Pass): Promise<NorthflankJobRun | undefined> {
  const { deps, stored, context } = pass;
  const record = reopenedByRequest(pass.object);
  if (record === undefined || !deps.lease.isLeaderFor(0)) return stored;
  const written = await putStart(deps, stored, record, context.statusSignal);
  if (written === undefined) pass.memory.unsettled += 1;
  else wrote(pass, written);
  return written;
}

/** For what is over in a moment: another start of the same job, a write that was faster than ours. */
function shortlyMs(random: Random): number {
  return 500 + 1_000 * random();
}

/** Nothing was concluded. What was given up has cost a request, or a write: the next tries come ever later. */
function comeBack(pass: Pass): Outcome {
  const { memory, deps } = pass;
  const inARow = memory.givenUpStarts + memory.unsettled;
  if (inARow === 0) return { kind: "recheck", afterMs: shortlyMs(deps.random), priority: "change" };
  const afterMs = backoffDelayMs(outdatedPolicy, inARow, deps.random);
  setPause(pass, afterMs);
  return { kind: "recheck", afterMs, priority: "change" };
}

const outdatedPolicy = { baseMs: 1_000, factor: 2, capMs: 60_000, jitter: 0.5 } as const;

/**
 * A deletion is not held back for longer than {@link longestCleanupMs}, or {@link longestQuotaCleanupMs}; without a
 * connection for {@link goneConnectionMs} only.
 */
function withCleanupLimit(pass: Pass, conclusion: Conclusion | undefined): Conclusion | undefined {
  const { wish, memory, deps, object } = pass;
  if (wish !== "cleanup" || conclusion === undefined || conclusion.isReleased) return conclusion;
  if (conclusion.facts.completionTime !== undefined) return conclusion;
  const { next } = conclusion;
  const asks = next.kind === "backoff" || (next.kind === "recheck" && next.asks === true);
  const unreachableMs = unreachableForMs(pass, conclusion);
  if (unreachableMs !== undefined) {
    const leftMs = untilMs(unreachableMs, goneConnectionMs);
    return leftMs === undefined ? decideUnreachable(pass) : sooner(conclusion, leftMs, asks);
  }
  const age = wallAge({ memory, clock: deps.clock }, "deleted", object.metadata.deletionTimestamp);
  const limitMs = conclusion.verdict.reason === "WaitingForQuota" ? longestQuotaCleanupMs : longestCleanupMs;
  const leftMs = untilMs(provenMs(age, limitMs), limitMs);
  const recheckMs = Math.min(leftMs ?? 0, cleanupRecheckMs);
  return leftMs === undefined ? decideDeleteTimedOut(limitMs) : sooner(conclusion, recheckMs, asks);
}

const cleanupRecheckMs = 30_000;

/** For how long this process has seen that no way to Northflank is left; `undefined` while there is one. */
function unreachableForMs({ memory, deps }: Pass, conclusion: Conclusion): number | undefined {
  const atMs = deps.clock.monotonic();
  memory.unreachableSinceMs = isUnreachable(conclusion, memory) ? (memory.unreachableSinceMs ?? atMs) : undefined;
  return memory.unreachableSinceMs === undefined ? undefined : atMs - memory.unreachableSinceMs;
}

async function conclude(pass: Pass, conclusion: Conclusion): Promise<Outcome> {
  const { deps, memory, context } = pass;
  const status = statusOf({ object: current(pass).object, conclusion, now: pass.now });
  const { before } = memory.unsaved ?? { before: pass.stored.status };
  const startId = pass.stored.status?.start?.id;
  const unsaved: UnsavedStatus = { status, startId, events: unpublished(memory, conclusion), before };
  // What is known is kept until it is written down: a failed write must lead neither to a second start nor to a gap.
  memory.unsaved = unsaved;
  for (const action of conclusion.after) if (action.kind === "record") rememberEnd(memory, action.start);
  const result = await deps.statusWriter.write(pass.stored, status, context.statusSignal);
  if (result.kind === "gone") {
    pass.memories.forget(pass.key);
    return { kind: "settled" };
  }
  if (result.kind === "written") wrote(pass, result.object);
  memory.abortRequestedTime = status.abortRequestedTime;
  const lost = result.kind === "written" ? fieldsNotStored(status, result.object.status) : [];
  const isDeleting = pass.stored.metadata.deletionTimestamp !== undefined;
  if (lost.length > 0 && !isDeleting) {
    // A start that was given up stays open: without what was lost, giving it up would be repeated.
    for (const action of conclusion.after)
      if (action.kind === "record" && action.start.outcome === "NotStarted") memory.endedStarts.delete(action.start.id);
    return await holdBack(pass, lost);
  }
  // What is being deleted is not held back: until it is gone, this process goes by what it knows.
  memory.unsaved = lost.length > 0 ? { ...unsaved, events: [], before: pass.stored.status } : undefined;
  publish(pass, unsaved);
  const isSettled = await settleAfterwards(pass, conclusion);
  memory.unsettled = isSettled ? 0 : memory.unsettled + 1;
  const outcome = outcomeOf(pass, conclusion);
  if (isSettled) return outcome;
  // Somebody else wrote in between, and the watch has yet to tell: it may be late for long.
  const backoffMs = backoffDelayMs(outdatedPolicy, memory.unsettled, deps.random);
  const plannedMs = outcome.kind === "recheck" ? Math.max(outcome.afterMs, shortlyMs(deps.random)) : backoffMs;
  return { kind: "recheck", afterMs: Math.min(backoffMs, plannedMs), priority: "follow" };
}

/** The API server does not store what was written: nothing follows from it, and for long nothing is tried again. */
async function holdBack(pass: Pass, fields: readonly string[]): Promise<Outcome> {
  const { deps, memory, context, stored: before } = pass;
  const conclusion = decideNotStored(pass, fields);
  const status = statusOf({ object: before, conclusion, now: pass.now });
  const result = await deps.statusWriter.write(before, status, context.statusSignal);
  if (result.kind === "written") wrote(pass, result.object);
  memory.heldBack = { untilMs: deps.clock.monotonic() + slowProbeMs, wants: wantsOf(before) };
  publish(pass, { status, events: conclusion.events, before: before.status });
  return { kind: "recheck", afterMs: slowProbeMs, priority: "follow" };
}

/** How long nothing is done for the object, unless a person changes something about it. */
function heldBackMs({ memory, stored, deps }: Pass): number {
  const { heldBack } = memory;
  if (heldBack === undefined || heldBack.wants !== wantsOf(stored)) return 0;
  return heldBack.untilMs - deps.clock.monotonic();
}

function wantsOf({ metadata }: NorthflankJobRun): string {
  const { generation, deletionTimestamp, annotations } = metadata;
  return JSON.stringify([generation, deletionTimestamp, reconcileRequest(metadata), annotations?.[resolveStart]]);
}

// Events of one object that wait for its status: no more than its life has kinds of them.
const maxUnpublished = 20;

/** The Events of this pass and of those whose status could not be written. */
function unpublished({ unsaved }: RunMemory, { events }: Conclusion): readonly EventDraft[] {
  const owed = (unsaved?.events ?? []).filter(
    (event) => !events.some(({ reason, note }) => reason === event.reason && note === event.note),
  );
  return [...owed, ...events].slice(-maxUnpublished);
}

/** What may follow only when the status says what has happened. False: somebody else wrote in between, come back. */
async function settleAfterwards(pass: Pass, conclusion: Conclusion): Promise<boolean> {
  const { deps, context } = pass;
  const execute: ExecuteDeps = { kube: deps.kube, overlay: deps.overlay, enqueue: deps.enqueue };
  const { statusSignal } = context;
  const actions = conclusion.after.length > 0 ? conclusion.after : owedRecord(pass);
  pass.stored = await executeAfter(execute, pass.stored, actions, statusSignal);
  const state = stateOf(withUnsaved(pass.stored, pass.memory));
  if (state !== pass.state) {
    const waiting = pass.openSiblings().filter((sibling) => isWaitingForConcurrency(sibling.object));
    for (const { key } of waiting) deps.enqueue(key);
  }
  // What is being deleted starts nothing any more: an end that the API server does not keep must not hold it either.
  const isOver = conclusion.facts.completionTime !== undefined && pass.stored.metadata.deletionTimestamp !== undefined;
  const change = conclusion.isReleased || isOver ? "remove" : finalizerChange(pass.stored, state);
  const changed = await changeMetadata(execute, pass.stored, change, statusSignal);
  if (pass.step === "stayFinished" && isTtlOver(pass.stored, pass.sinceEndMs)) {
    await deleteSelf(execute, pass.stored, statusSignal);
  }
  return !actions.some((action) => isLeftOpen(pass, action)) && changed === "done";
}

function isLeftOpen({ stored, memory }: Pass, action: AfterAction): boolean {
  if (action.kind !== "record") return false;
  const record = stored.status?.start;
  if (record?.id === action.start.id && record.outcome !== action.start.outcome) return true;
  memory.endedStarts.delete(action.start.id);
  return false;
}

/** A record that a crash or a conflict left behind: how the start ended is known, `status.start` does not say so yet. */
function owedRecord({ stored, memory }: Pass): Conclusion["after"] {
  const record = stored.status?.start;
  if (record?.outcome !== "Pending") return [];
  const ended = memory.endedStarts.get(record.id);
  if (ended !== undefined) return [{ kind: "record", start: ended }];
  const attempt = stored.status?.attempts?.find(({ number }) => number === record.attempt);
  if (attempt === undefined) return [];
  return [{ kind: "record", start: { ...record, outcome: attempt.origin === "Started" ? "Accepted" : "Recovered" } }];
}

function publish(pass: Pass, { events: drafts, before }: UnsavedStatus): void {
  const { deps, stored } = pass;
  const passage = stalledEvents({
    before: before?.conditions,
    after: stored.status?.conditions,
    message: findCondition(stored.status?.conditions, "Succeeded")?.message ?? "",
    action: pass.step === "refuseSpec" ? "Validate" : "Reconcile",
  });
  const told = drafts.map(({ reason }) => reason);
  const events = [...drafts, ...passage.filter(({ reason }) => !told.includes(reason))];
  for (const event of events) {
    deps.events.record(stored, event);
    if (event.reason === "RunStarted") deps.observer.started();
    if (event.reason === "RunRecovered") deps.observer.recovered();
    if (event.reason === "Abandoned" || event.reason === "DeleteTimedOut") warnOfRelease(pass, event.reason);
  }
  // What was adopted was counted when it ended, or by another operator: a restore must not look like a hundred failures.
  const isAdopted = latestAttempt(stored)?.origin === "Adopted";
  if (before?.completionTime === undefined && stored.status?.completionTime !== undefined && !isAdopted) {
    deps.observer.finished(resultOf(stored));
  }
}

/** A namespace that is being deleted takes no Events: this line is all that stays. */
function warnOfRelease({ stored, context }: Pass, reason: string): void {
  const { projectId: project, jobId: job } = stored.spec;
  context.log.warn({ reason, project, job, run: latestAttempt(stored)?.runId }, "run released without abort");
}

function resultOf({ status }: NorthflankJobRun): Parameters<RunObserver["finished"]>[0] {
  switch (status?.phase) {
    case "Succeeded":
      return "succeeded";
    case "Aborted":
      return "aborted";
    case "Failed":
      return findCondition(status.conditions, "Succeeded")?.reason === "StartOutcomeUnknown" ? "unknown" : "failed";
    default:
      return "unknown";
  }
}

/** Growing pauses after failed calls: as long as 5 min. */
const retryPolicy = { baseMs: 1_000, factor: 2, capMs: 300_000, jitter: 0.3 } as const;

/** "Later" is never "now", whatever a decision has made of its numbers. */
const leastWaitMs = 100;

/** At once for what needs a few passes in a row; whoever goes on asking for that gets ever longer pauses. */
function againMs(inARow: number, random: Random): number {
  return inARow <= freeAgains ? 0 : backoffDelayMs(outdatedPolicy, inARow - freeAgains, random);
}

const freeAgains = 3;

/** Looks that cost a request are spread by so much of their wait, so that what started together drifts apart. */
const spreadShare = 0.1;

function outcomeOf(pass: Pass, conclusion: Conclusion): Outcome {
  const { memory } = pass;
  const { reason, message } = conclusion.verdict;
  memory.agains = conclusion.next.kind === "again" ? memory.agains + 1 : 0;
  const next = withDelay(pass, conclusion);
  if (next.kind === "backoff") setPause(pass, next.notBeforeMs ?? 0);
  if (next.kind === "recheck" && next.asks === true) setPause(pass, next.afterMs);
  const priority = conclusion.next.kind === "again" ? "change" : "follow";
  return requeued(next, { priority, message: `${reason}: ${message}` });
}

/** When exactly: with the pauses of `again` and of back-off, and spread where a request is made. */
function withDelay({ deps, memory }: Pass, { next, facts }: Conclusion): Requeue {
  switch (next.kind) {
    case "never":
      return next;
    case "again":
      return { kind: "recheck", afterMs: againMs(memory.agains, deps.random) };
    case "recheck": {
      const waitMs = Math.max(next.afterMs, leastWaitMs);
      return next.asks === true
        ? { ...next, afterMs: waitMs * (1 + spreadShare * deps.random()) }
        : { ...next, afterMs: waitMs };
    }
    case "backoff": {
      const backoffMs = backoffDelayMs(retryPolicy, facts.failure?.count ?? 1, deps.random);
      return { kind: "backoff", notBeforeMs: Math.max(next.notBeforeMs ?? 0, backoffMs) };
    }
    default:
      return assertNever(next, "requeue");
  }
}
