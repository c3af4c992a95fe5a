import type { NorthflankJobRun } from "../../api/job-run.ts";
import { resolveStart } from "../../api/names.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { RunList } from "../../northflank/types.ts";
import { findCondition } from "../../runtime/conditions.ts";
import type { PassContext } from "../../runtime/controller.ts";
import { type ObjectKey, type Outcome, objectKey } from "../../runtime/outcome.ts";
import { assertNever } from "../../util/assert-never.ts";
import { backoffDelayMs } from "../../util/backoff.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import type { Account, AccountResolution, Accounts } from "../shared/accounts.ts";
import type { EventSink } from "../shared/event-draft.ts";
import { stalledPassage } from "../shared/passage.ts";
import { reconcileRequest } from "../shared/reconcile-request.ts";
import { judgeRemoteError } from "../shared/remote-verdict.ts";
import { prunedProblems, type SpecProblem } from "../shared/spec-problem.ts";
import type { StatusWriter } from "../shared/status-writer.ts";
import { isWaitingForConcurrency, obstaclesAmong, replacerOf, runIdsOf, type Sibling } from "./concurrency.ts";
import type { Conclusion, Situation } from "./decide.ts";
import * as decide from "./decide.ts";
import { abortRun, changeFinalizer, deleteSelf, type ExecuteDeps, executeAfter } from "./execute.ts";
import { finalizerChange } from "./finalizer.ts";
import {
  isBeforeStart,
  latestAttempt,
  type RunState,
  type StartRecord,
  type Step,
  stateOf,
  steps,
  type Wish,
  wishOf,
} from "./machine.ts";
import { RunMemories, type RunMemory, withUnsaved } from "./memory.ts";
import { duplicateIn, observeNamedRun, observeRun, observeRuns, type Read, withFreshToken } from "./observe.ts";
import { elapsedSince, isServerTime, judgeReadBack, timeMs } from "./read-back.ts";
import { type StartDeps, startRun } from "./start.ts";
import { StartLocks } from "./start-locks.ts";
import { statusOf } from "./status.ts";

export interface JobRunReconcilerDeps extends StartDeps {
  readonly kube: Pick<KubeClient, "get" | "replace" | "patch" | "delete">;
  readonly store: RunStore;
  /** Puts an answer to our own write into the store, projected as a watch event is, so that the next pass sees it. */
  readonly overlay: (object: NorthflankJobRun) => void;
  readonly statusWriter: StatusWriter<NorthflankJobRun>;
  readonly accounts: Accounts;
  /** Judges a spec that the API server let in; fields that it dropped are added here. */
  readonly validate: (object: NorthflankJobRun) => readonly SpecProblem[];
  readonly events: EventSink;
  readonly observer: RunObserver;
  /** Asks for a pass over another object: its place in the queue of its job has come. */
  readonly wake: (key: ObjectKey) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/** The cache of run objects: a `Store` with the index of {@link jobRunIndexes}. */
export interface RunStore {
  get(key: ObjectKey): NorthflankJobRun | undefined;
  byIndex(name: "job", value: string): readonly NorthflankJobRun[];
}

/** What a metrics collector hears of. */
export interface RunObserver {
  readonly started: () => void;
  readonly recovered: () => void;
  readonly finished: (result: "succeeded" | "failed" | "aborted" | "unknown") => void;
  /** Of one run in Northflank, from its start to its end. */
  readonly ran: (seconds: number) => void;
}

/** Index functions of the store: `job` finds every run object of one job, in whatever namespace. */
export const jobRunIndexes = {
  job: ({ spec }: NorthflankJobRun): readonly string[] => [jobIndexValue(spec)],
};

function jobIndexValue({ projectId, jobId }: { readonly projectId: string; readonly jobId: string }): string {
  return `${projectId}/${jobId}`;
}

/**
 * Takes one NorthflankJobRun one step further: validate, observe, decide, execute, one status write, what may follow
 * only then, events, outcome. The states and their promises are drawn in `machine.ts`, the start in `start.ts`.
 */
export function createJobRunReconciler(
  deps: JobRunReconcilerDeps,
): (key: ObjectKey, context: PassContext) => Promise<Outcome> {
  const memories = new RunMemories();
  const locks = new StartLocks();

  return async (key, context) => {
    const stored = deps.store.get(key);
    if (stored === undefined) {
      memories.forget(key);
      return { kind: "settled" };
    }
    const pass = createPass({ deps, memories, locks, key, stored, context });
    const conclusion = withCleanupLimit(pass, await takeStep(pass));
    if (conclusion === undefined) return comeBack(pass);
    // Whoever is not the leader any more leaves writing to the one who is.
    if (!deps.lease.isLeaderFor(0)) return { kind: "recheck", afterMs: shortlyMs(deps.random), priority: "follow" };
    return await conclude(pass, conclusion);
  };
}

/** For what is over in a moment: another start of the same job, a write that was faster than ours. */
function shortlyMs(random: Random): number {
  return 500 + 1_000 * random();
}

/** Nothing was concluded. A start that was given up has cost a request: the next ones come ever later. */
function comeBack(pass: Pass): Outcome {
  const { memory, deps } = pass;
  if (memory.outdatedStarts === 0) return { kind: "recheck", afterMs: shortlyMs(deps.random), priority: "change" };
  const afterMs = backoffDelayMs(outdatedPolicy, memory.outdatedStarts, deps.random);
  setPause(pass, afterMs);
  return { kind: "recheck", afterMs, priority: "change" };
}

const outdatedPolicy = { baseMs: 1_000, factor: 2, capMs: 60_000, jitter: 0.5 } as const;

/** Everything one pass works with. */
interface Pass extends Situation {
  readonly deps: JobRunReconcilerDeps;
  readonly memories: RunMemories;
  readonly locks: StartLocks;
  readonly key: ObjectKey;
  readonly memory: RunMemory;
  readonly context: PassContext;
  readonly state: RunState;
  readonly wish: Wish;
  readonly step: Step;
  readonly problems: readonly SpecProblem[];
  readonly siblings: () => readonly Sibling[];
  readonly replacer: Sibling | undefined;
  /** The object as the server has it, as far as this pass knows: what the status is compared with. */
  stored: NorthflankJobRun;
}

function createPass(given: {
  readonly deps: JobRunReconcilerDeps;
  readonly memories: RunMemories;
  readonly locks: StartLocks;
  readonly key: ObjectKey;
  readonly stored: NorthflankJobRun;
  readonly context: PassContext;
}): Pass {
  const { deps, memories, key, stored } = given;
  const memory = memories.of(key, stored);
  const object = withUnsaved(stored, memory);
  const now = deps.clock.now();
  const siblings = () => siblingsOf(given, object, memory);
  const state = stateOf(object);
  const replacer = replacerOf(object, state === "active" ? siblings() : []);
  // Once something was started the spec cannot change, and no opinion on it must keep anybody from following the run.
  const problems = isBeforeStart(state) ? [...prunedProblems(object.prunedFields), ...deps.validate(object)] : [];
  const sinceStartMs = startAge(object, memory, deps.clock);
  const sinceCreationMs = now - (timeMs(object.metadata.creationTimestamp) ?? now);
  const isReplaced = replacer !== undefined;
  const wish = wishOf(object, { state, sinceCreationMs, sinceStartMs, problems, isReplaced });
  const step = steps[state][wish];
  const { settings } = deps;
  return { ...given, object, memory, now, settings, sinceStartMs, state, wish, step, problems, siblings, replacer };
}

/** How long ago the first run started; from the first sight on by the monotonic clock, so that no jump ends a run. */
function startAge(object: NorthflankJobRun, memory: RunMemory, clock: Clock): number {
  const startMs = timeMs(object.status?.startTime);
  if (startMs === undefined) return 0;
  memory.startedAtMs ??= clock.monotonic() - Math.max(0, clock.now() - startMs);
  return clock.monotonic() - memory.startedAtMs;
}

function siblingsOf(
  { deps, memories, key }: { deps: JobRunReconcilerDeps; memories: RunMemories; key: ObjectKey },
  object: NorthflankJobRun,
  memory: RunMemory,
): readonly Sibling[] {
  return deps.store.byIndex("job", jobIndexValue(object.spec)).flatMap((other): readonly Sibling[] => {
    const otherKey = objectKey(other.metadata);
    if (otherKey === key) return [];
    const known = memories.peek(otherKey);
    // An object whose account is not known yet may be of ours: it counts, for safety.
    if (known?.pool !== undefined && memory.pool !== undefined && known.pool !== memory.pool) return [];
    const isSame = known !== undefined && known.uid === other.metadata.uid;
    return [{ key: otherKey, object: isSame ? withUnsaved(other, known) : other }];
  });
}

// ---- steps ----------------------------------------------------------------------------------------------------------

/** `undefined`: nothing is to be written; come back shortly. */
async function takeStep(pass: Pass): Promise<Conclusion | undefined> {
  switch (pass.step) {
    case "hold":
      return decide.decideHold(pass);
    case "refuseSpec":
      return decide.decideInvalid(pass, pass.problems);
    case "standRejected":
      return decide.decideRejected(pass);
    case "endUnstarted":
      return decide.decideUnstartedEnd(pass, pass.wish);
    case "leave":
      return decide.decideLeave(pass);
    case "rest":
      return decide.decideRest(pass);
    case "start":
      return await start(pass);
    case "resolve":
      return await resolve(pass);
    case "awaitPerson":
      return await awaitPerson(pass);
    case "follow":
      return await follow(pass);
    case "abort":
      return await abort(pass);
    case "stayFinished":
      return await stayFinished(pass);
    default:
      return assertNever(pass.step, "step");
  }
}

async function start(pass: Pass): Promise<Conclusion | undefined> {
  const pause = pass.state === "between" ? decide.decidePause(pass, failedFor(pass)) : undefined;
  if (pause !== undefined) return pause;
  const resolved = await accountOf(pass);
  if (resolved.kind === "blocked") return decide.decideBlocked(pass, resolved.verdict, resolved.recheckAfterMs);
  const { account } = resolved;
  const paused = pausedFor(pass, account);
  if (paused !== undefined) return paused;

  const { deps, memory, object, siblings, context } = pass;
  const { signal, statusSignal } = context;
  const job = `${account.pool} ${jobIndexValue(object.spec)}`;
  const outcome = await pass.locks.run(job, () =>
    startRun(deps, { object, account, siblings, memory, signal, statusSignal }),
  );
  if (outcome === undefined) {
    memory.outdatedStarts = 0;
    return undefined;
  }
  if (outcome.written !== undefined) wrote(pass, outcome.written);
  const { report } = outcome;
  memory.outdatedStarts = report.kind === "outdated" ? memory.outdatedStarts + 1 : 0;
  if (report.kind === "baselineFailed") rejectToken(pass, account, report.error);
  if (report.kind === "answered" && report.result.kind === "refused") rejectToken(pass, account, report.result.error);
  if (report.kind === "answered") memory.unresolvedSince = undefined;
  return decide.decideStarted(current(pass), report, judgeOf(pass));
}

/** How long this process has known that the last run failed. */
function failedFor({ memory, object, deps }: Pass): number {
  const number = latestAttempt(object)?.number ?? 0;
  const atMs = deps.clock.monotonic();
  if (memory.failedSince?.number !== number) memory.failedSince = { number, atMs };
  return atMs - memory.failedSince.atMs;
}

async function resolve(pass: Pass): Promise<Conclusion> {
  const { memory, settings, deps } = pass;
  const start = recordOf(pass);
  const waitMs = decide.settleWaitMs(settings);
  const waitedMs = unresolvedFor(pass, start);
  const known = isServerTime(start) ? elapsedSince(start, serverNow(pass)) : waitedMs;
  const options = { wish: pass.wish, isSecondEmpty: false };
  if (known !== undefined && known < waitMs) {
    return decide.decideResolved(pass, { kind: "tooEarly", waitMs: waitMs - known }, options);
  }
  const listed = await listRuns(pass);
  if (listed.kind === "concluded") return listed.conclusion;
  const readBack = judgeReadBack({ start, list: listed.list, claimed: claimedBy(pass), waitMs, waitedMs });
  if (readBack.kind !== "tooEarly") memory.readBack?.release();
  const atMs = deps.clock.monotonic();
  const first = memory.firstEmptyRead?.startId === start.id ? memory.firstEmptyRead : undefined;
  const isSecondEmpty = first !== undefined && atMs - first.atMs >= settings.startSettleMs;
  if (readBack.kind === "none" && first === undefined) memory.firstEmptyRead = { startId: start.id, atMs };
  const conclusion = decide.decideResolved(pass, readBack, { ...options, isSecondEmpty });
  // A person may have answered before the question was put.
  return conclusion.isOutcomeUnknown && resolutionOf(pass) !== undefined ? sooner(conclusion, 0) : conclusion;
}

function resolutionOf({ object }: Pass): decide.Resolution | undefined {
  return decide.parseResolution(object.metadata.annotations?.[resolveStart], object.status?.lastHandledResolveStart);
}

/** How long this process has seen the start unresolved. */
function unresolvedFor({ memory, deps }: Pass, { id }: StartRecord): number {
  const atMs = deps.clock.monotonic();
  if (memory.unresolvedSince?.startId !== id) memory.unresolvedSince = { startId: id, atMs };
  return atMs - memory.unresolvedSince.atMs;
}

function serverNow({ memory, deps }: Pass): number | undefined {
  const read = memory.serverClock;
  return read === undefined ? undefined : read.serverMs + deps.clock.monotonic() - read.atMs;
}

async function awaitPerson(pass: Pass): Promise<Conclusion | undefined> {
  const { object, deps } = pass;
  const resolution = resolutionOf(pass);
  if (resolution?.kind === "run") {
    const { runId } = resolution;
    const read = await asking(pass, (account) => observeNamedRun(object, runId, account, pass.context.signal));
    if (read.kind === "concluded") return read.conclusion;
    return decide.decideResolution(pass, resolution, { run: read.value, isTaken: claimedBy(pass).has(runId) });
  }
  if (resolution !== undefined) return decide.decideResolution(pass, resolution);
  const listed = await listRuns(pass);
  if (listed.kind === "concluded") return listed.conclusion;
  const start = recordOf(pass);
  const claimed = claimedBy(pass);
  const waitedMs = unresolvedFor(pass, start);
  const waitMs = decide.settleWaitMs(deps.settings);
  return decide.decideProbe(pass, judgeReadBack({ start, list: listed.list, claimed, waitMs, waitedMs }));
}

async function follow(pass: Pass): Promise<Conclusion | undefined> {
  return await look(pass, false);
}

/** Records the wish, sends the abort, then follows until the run is over. */
async function abort(pass: Pass): Promise<Conclusion | undefined> {
  const { object, wish, replacer, memory, deps, context } = pass;
  if (wish === "aborted" && object.status?.abortRequestedTime === undefined) {
    return decide.decideAbortRecorded(pass, object.spec.abort ? undefined : replacer?.key);
  }
  if (isAbortUnderWay(pass)) return await look(pass, false);
  const sent = await asking(pass, async (account) => {
    if (!deps.lease.isLeaderFor(deps.settings.leaseMarginMs)) return { kind: "read", value: undefined };
    return await abortRun(object, account, memory, deps.clock, context.signal);
  });
  if (sent.kind === "concluded") return sent.conclusion;
  return await look(pass, isAbortUnderWay(pass));
}

// An abort that was accepted and had no effect is asked for again.
const abortAgainMs = 60_000;

function isAbortUnderWay({ memory, object, deps }: Pass): boolean {
  const sent = memory.abortSent;
  if (sent === undefined || sent.runId !== latestAttempt(object)?.runId) return false;
  return deps.clock.monotonic() - sent.atMs < abortAgainMs;
}

async function look(pass: Pass, hasSentAbort: boolean): Promise<Conclusion | undefined> {
  const { object, memory, deps, wish, context } = pass;
  const attempt = latestAttempt(object);
  if (attempt === undefined) throw new TypeError(`${pass.key} has no run where one is followed`);
  const watchesForDuplicate = duplicateWatchLeftMs(pass) > 0;
  const observation = { object, attempt, memory, siblings: pass.siblings(), watchesForDuplicate };
  const read = await asking(pass, (account) => observeRun(observation, account, context.signal), hasSentAbort);
  if (read.kind === "concluded") return read.conclusion;
  const { run, duplicateRunId } = read.value;
  const conclusion = decide.decideFollowed(pass, read.value, { wish, hasSentAbort });
  const [startMs, endMs] = [timeMs(run?.startedAt), timeMs(run?.concludedAt)];
  if (run?.concluded && startMs !== undefined && endMs !== undefined) deps.observer.ran((endMs - startMs) / 1_000);
  return duplicateRunId === undefined ? conclusion : decide.withDuplicate(conclusion, duplicateRunId);
}

/** Finished objects cost nothing, but for one last look where a repeated start may have a late duplicate. */
async function stayFinished(pass: Pass): Promise<Conclusion | undefined> {
  const { memory, object } = pass;
  const conclusion = decide.decideFinished(pass);
  const leftMs = duplicateWatchLeftMs(pass);
  if (leftMs === Number.NEGATIVE_INFINITY) return conclusion;
  if (leftMs > 0) return sooner(conclusion, leftMs);
  const listed = await listRuns(pass);
  if (listed.kind === "concluded") return sooner(conclusion, lastLookAgainMs);
  memory.isDuplicateWatchOver = true;
  const duplicateRunId = duplicateIn(object, listed.list, pass.siblings());
  return duplicateRunId === undefined ? conclusion : decide.withDuplicate(conclusion, duplicateRunId);
}

/** L: how long a repeated start is watched for the run of the start before it. */
const duplicateWatchMs = 600_000;
// Longer after the end of the watch nobody looks any more: the process was away.
const duplicateWatchGraceMs = 300_000;
const lastLookAgainMs = 30_000;

/** Milliseconds until the watch for a duplicate is over; -Infinity where there is nothing to watch for. */
function duplicateWatchLeftMs(pass: Pass): number {
  const { object, memory, now } = pass;
  const { start, duplicateRunId } = object.status ?? {};
  if (start?.firstRecordedTime === undefined || duplicateRunId !== undefined || memory.isDuplicateWatchOver) {
    return Number.NEGATIVE_INFINITY;
  }
  const isSent = start.outcome === "Accepted" || start.outcome === "Recovered" || start.outcome === "Pending";
  const elapsedMs = elapsedSince(start, serverNow(pass) ?? now) ?? 0;
  const leftMs = duplicateWatchMs - elapsedMs;
  return isSent && leftMs > -duplicateWatchGraceMs ? leftMs : Number.NEGATIVE_INFINITY;
}

function sooner(conclusion: Conclusion, afterMs: number): Conclusion {
  const { next } = conclusion;
  const isSooner = next.kind === "recheck" && next.afterMs <= afterMs;
  return isSooner ? conclusion : { ...conclusion, next: { kind: "recheck", afterMs, asks: false } };
}

// ---- asking Northflank ----------------------------------------------------------------------------------------------

type Asked<T> =
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "concluded"; readonly conclusion: Conclusion };

/** A read with the account of the object. What stands in its way is a conclusion. */
async function asking<T>(
  pass: Pass,
  read: (account: Account) => Promise<Read<T>>,
  isPauseOver = false,
): Promise<Asked<T>> {
  const resolved = await accountOf(pass);
  if (resolved.kind === "blocked") {
    return {
      kind: "concluded",
      conclusion: decide.decideBlocked(pass, resolved.verdict, resolved.recheckAfterMs),
    };
  }
  const paused = isPauseOver ? undefined : pausedFor(pass, resolved.account);
  if (paused !== undefined) return { kind: "concluded", conclusion: paused };
  const { accounts } = pass.deps;
  const again = { accounts, account: resolved.account, resolve: () => accountOf(pass) };
  const done = await withFreshToken(again, read);
  if (done.kind === "read") return { kind: "value", value: done.value };
  return { kind: "concluded", conclusion: decide.decideFailed(pass, done.error, judgeOf(pass)) };
}

type Listed =
  | { readonly kind: "listed"; readonly list: RunList }
  | { readonly kind: "concluded"; readonly conclusion: Conclusion };

async function listRuns(pass: Pass): Promise<Listed> {
  const { memory, deps, object, context } = pass;
  const reservation = memory.readBack;
  const read = await asking(pass, (account) =>
    observeRuns(object, account, {
      class: "change",
      ...(reservation === undefined ? {} : { reservation }),
      signal: context.signal,
    }),
  );
  if (read.kind === "concluded") return read;
  const { serverTimeMs } = read.value;
  if (serverTimeMs !== undefined) memory.serverClock = { serverMs: serverTimeMs, atMs: deps.clock.monotonic() };
  return { kind: "listed", list: read.value };
}

async function accountOf({ deps, object, memory, context }: Pass): Promise<AccountResolution> {
  const { namespace = "" } = object.metadata;
  const { connectionRef, projectId } = object.spec;
  const request = { namespace, connectionName: connectionRef?.name, projectId };
  const resolved = await deps.accounts.resolve(request, context.signal);
  if (resolved.kind === "usable") {
    memory.account = resolved.account;
    memory.pool = resolved.account.pool;
  }
  return resolved;
}

function rejectToken({ deps }: Pass, account: Account, error: NorthflankError): void {
  if (error.code === "unauthorized") deps.accounts.tokenRejected(account);
}

function judgeOf({ deps }: Pass): decide.Judge {
  return (error, failures) => judgeRemoteError({ error, failures, random: deps.random });
}

function claimedBy(pass: Pass): ReadonlySet<string> {
  return runIdsOf([pass.object, ...pass.siblings().map((sibling) => sibling.object)]);
}

function recordOf({ object, key }: Pass): StartRecord {
  const record = object.status?.start;
  if (record === undefined) throw new TypeError(`${key} has no start record where one is resolved`);
  return record;
}

// ---- pauses ---------------------------------------------------------------------------------------------------------

/**
 * A pass that was woken before its time (by its own status write, say) and by nothing that matters asks nobody: what the
 * status says stays, and the time that was planned stays.
 */
function pausedFor(pass: Pass, account: Account): Conclusion | undefined {
  const { memory, deps } = pass;
  const { pause } = memory;
  if (pause === undefined || pause.account !== account || pause.fingerprint !== fingerprintOf(pass)) return undefined;
  const leftMs = pause.untilMs - deps.clock.monotonic();
  return leftMs > 0 ? { ...unchanged(pass), next: { kind: "recheck", afterMs: leftMs, asks: false } } : undefined;
}

/** What a pause must not outlast: a change of the object or a request of a person. Our own writes change none of it. */
function fingerprintOf({ object, siblings }: Pick<Pass, "object" | "siblings">): string {
  const { metadata, status } = object;
  const attempt = latestAttempt(object);
  return JSON.stringify([
    stateOf(object),
    metadata.generation,
    metadata.deletionTimestamp,
    reconcileRequest(metadata),
    metadata.annotations?.[resolveStart],
    status?.start?.id,
    status?.abortRequestedTime,
    attempt?.runId,
    attempt?.completionTime,
    obstaclesAmong(object, siblings()).map(({ name }) => name),
  ]);
}

const nothingToSay: Pick<Conclusion, "facts" | "after" | "events" | "isReleased"> = {
  facts: {},
  after: [],
  events: [],
  isReleased: false,
};

/** The conclusion that says what the status says already. */
function unchanged({ object }: Pass): Conclusion {
  const find = (type: string) => findCondition(object.status?.conditions, type);
  const ready = find("Ready");
  const kind = verdictKind(ready?.status, find("Stalled") !== undefined, find("Reconciling")?.reason);
  const reason = ready?.reason ?? "Progressing";
  const message = ready?.message ?? "Looked at shortly.";
  const isOutcomeUnknown = find("Started")?.reason === "StartOutcomeUnknown";
  return { ...nothingToSay, verdict: { kind, reason, message }, next: { kind: "settled" }, isOutcomeUnknown };
}

function verdictKind(
  ready: string | undefined,
  isStalled: boolean,
  reconciling: string | undefined,
): Conclusion["verdict"]["kind"] {
  if (ready === "True") return "ready";
  if (isStalled) return "stalled";
  return reconciling === "ProgressingWithRetry" ? "retrying" : "progressing";
}

// ---- the end of a pass ----------------------------------------------------------------------------------------------

/** A deletion is not held back for longer than {@link decide.longestCleanupMs}. */
function withCleanupLimit(pass: Pass, conclusion: Conclusion | undefined): Conclusion | undefined {
  const { wish, now, object } = pass;
  if (wish !== "cleanup" || conclusion === undefined || conclusion.isReleased) return conclusion;
  if (conclusion.facts.completionTime !== undefined) return conclusion;
  const sinceMs = now - (timeMs(object.metadata.deletionTimestamp) ?? now);
  if (sinceMs >= decide.longestCleanupMs) return decide.decideDeleteTimedOut();
  return sooner(conclusion, Math.min(decide.longestCleanupMs - sinceMs, cleanupRecheckMs));
}

const cleanupRecheckMs = 30_000;

async function conclude(pass: Pass, conclusion: Conclusion): Promise<Outcome> {
  const { deps, memory, context } = pass;
  // A run that is known is kept until it is written down: a failed write must never lead to a second start.
  memory.unsavedAttempt = conclusion.facts.attempts?.at(-1) ?? memory.unsavedAttempt;
  const before = pass.stored;
  const status = statusOf({ object: current(pass).object, conclusion, now: pass.now });
  const result = await deps.statusWriter.write(before, status, context.statusSignal);
  if (result.kind === "gone") {
    pass.memories.forget(pass.key);
    return { kind: "settled" };
  }
  if (result.kind === "written") wrote(pass, result.object);
  memory.unsavedAttempt = undefined;
  publish(pass, conclusion, before);
  const isSettled = await settleAfterwards(pass, conclusion);
  const outcome = outcomeOf(pass, conclusion);
  return isSettled ? outcome : { kind: "recheck", afterMs: shortlyMs(deps.random), priority: "follow" };
}

/** What may follow only when the status says what has happened. False: somebody else wrote in between, come back. */
async function settleAfterwards(pass: Pass, conclusion: Conclusion): Promise<boolean> {
  const { deps, context } = pass;
  const execute: ExecuteDeps = { kube: deps.kube, overlay: deps.overlay, wake: deps.wake };
  const { statusSignal } = context;
  const actions = conclusion.after.length > 0 ? conclusion.after : owedRecord(pass);
  // Should a record be refused, this process still knows how its start ended.
  for (const action of actions)
    if (action.kind === "record") pass.memory.endedStarts.set(action.start.id, action.start);
  pass.stored = await executeAfter(execute, pass.stored, actions, statusSignal);
  const state = stateOf(withUnsaved(pass.stored, pass.memory));
  if (state !== pass.state) {
    const waiting = pass.siblings().filter((sibling) => isWaitingForConcurrency(sibling.object));
    for (const { key } of waiting) deps.wake(key);
  }
  const change = conclusion.isReleased ? "remove" : finalizerChange(pass.stored, state);
  const changed = change === undefined ? "done" : await changeFinalizer(execute, pass.stored, change, statusSignal);
  if (pass.step === "stayFinished" && decide.ttlLeftMs(pass.stored, pass.now) === 0) {
    await deleteSelf(execute, pass.stored, statusSignal);
  }
  return !actions.some((action) => isLeftOpen(pass, action)) && changed === "done";
}

function isLeftOpen({ stored, memory }: Pass, action: decide.AfterAction): boolean {
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

/** Takes in an answer to our own write. */
function wrote(pass: Pass, object: NorthflankJobRun): void {
  pass.stored = object;
  pass.deps.overlay(object);
}

/** The situation with what this pass has written so far. */
function current(pass: Pass): Pass {
  return { ...pass, object: withUnsaved(pass.stored, pass.memory) };
}

function publish(pass: Pass, conclusion: Conclusion, before: NorthflankJobRun): void {
  const { deps, stored } = pass;
  const passage = stalledPassage({
    before: before.status?.conditions,
    after: stored.status?.conditions,
    action: pass.step === "refuseSpec" ? "Validate" : "Reconcile",
  });
  const told = conclusion.events.map(({ reason }) => reason);
  const events = [...conclusion.events, ...passage.filter(({ reason }) => !told.includes(reason))];
  for (const event of events) {
    deps.events.record(stored, event);
    if (event.reason === "RunStarted") deps.observer.started();
    if (event.reason === "RunRecovered") deps.observer.recovered();
    pass.context.log.info({ action: event.action, reason: event.reason }, "run event");
  }
  if (before.status?.completionTime === undefined && stored.status?.completionTime !== undefined) {
    deps.observer.finished(resultOf(stored));
  }
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

/** Looks that cost a request are spread by so much of their wait, so that what started together drifts apart. */
const spreadShare = 0.1;

function outcomeOf(pass: Pass, { next }: Conclusion): Outcome {
  const { deps } = pass;
  switch (next.kind) {
    case "settled":
      return { kind: "settled" };
    case "recheck": {
      const afterMs = next.asks ? next.afterMs * (1 + spreadShare * deps.random()) : next.afterMs;
      if (next.asks) setPause(pass, afterMs);
      return { kind: "recheck", afterMs, priority: next.afterMs === 0 ? "change" : "follow" };
    }
    case "retry": {
      const afterMs = Math.max(next.notBeforeMs, backoffDelayMs(retryPolicy, next.failures, deps.random));
      setPause(pass, afterMs);
      return { kind: "retry", error: next.error, notBeforeMs: afterMs };
    }
    default:
      return assertNever(next, "next");
  }
}

function setPause(pass: Pass, afterMs: number): void {
  const object = current(pass).object;
  // The queue may come back in the very millisecond that was asked for.
  const untilMs = pass.deps.clock.monotonic() + afterMs - 1;
  const fingerprint = fingerprintOf({ object, siblings: pass.siblings });
  pass.memory.pause = { untilMs, fingerprint, account: pass.memory.account };
}
