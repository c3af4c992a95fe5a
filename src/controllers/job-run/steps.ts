import { resolveStart } from "../../api/names.ts";
import type { RequestClass } from "../../northflank/client.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { JobRunView, RunList } from "../../northflank/types.ts";
import { assertNever } from "../../util/assert-never.ts";
import { backoffDelayMs } from "../../util/backoff.ts";
import type { Account, AccountResolution } from "../account/accounts.ts";
import { safetyNetMs } from "../reconcile/predicates.ts";
import { reconcileRequest } from "../reconcile/reconcile-request.ts";
import { delayOf } from "../reconcile/requeue.ts";
import { judgeAccountChange } from "./account-change.ts";
import { provenMs } from "./age.ts";
import { buildInTheWay } from "./check-build.ts";
import { type Conclusion, settleWaitMs } from "./conclusion.ts";
import { duplicateIn, openStartsOf, runsInDoubt, runsTaken } from "./concurrency.ts";
import {
  decideBlocked,
  decideDoubt,
  decideFailed,
  decideHold,
  decideInvalid,
  decideRejected,
  decideRestored,
  decideStarted,
} from "./decide.ts";
import { decideFinished, decideLeave, decideUnstartedEnd } from "./ends.ts";
import { abortRun } from "./execute.ts";
import {
  decideAbortRecorded,
  decideAbortRefused,
  decideFollowed,
  decidePause,
  decideRest,
  isProvenGone,
  missingFromCutListMs,
  missingMs,
  remoteAgeMs,
  retryPauseMs,
  withDuplicate,
} from "./follow.ts";
import { type Attempt, isUnresolved, latestAttempt, type Wish } from "./machine.ts";
import { markedRunOf } from "./mark.ts";
import type { RefusedAbort } from "./memory.ts";
import { observeJob, observeNamedRun, observeRun, observeRuns, type Read, withFreshToken } from "./observe.ts";
import {
  current,
  isDeadlineOver,
  jobIndexValue,
  learnStart,
  type Pass,
  pausedFor,
  requestOf,
  serverNow,
  unchanged,
  wallAge,
  wrote,
} from "./pass.ts";
import { createdAfterStart, duplicateWatchMs, judgeReadBack } from "./read-back.ts";
import {
  decideMarked,
  decideMarkedRun,
  decideProbe,
  decideResolution,
  decideResolved,
  parseResolution,
  type Resolution,
} from "./resolve.ts";
import { startRun } from "./start.ts";
import {
  certainlyElapsed,
  elapsedSince,
  isFromAnnotation,
  isServerTime,
  type StartRecord,
  timeMs,
} from "./start-record.ts";
import { rememberedAccount } from "./teardown.ts";

/** Does what the step of this pass is. `undefined`: nothing is to be written; come back shortly. */
export async function takeStep(pass: Pass): Promise<Conclusion | undefined> {
  switch (pass.step) {
    case "hold":
      return decideHold(pass);
    case "refuseSpec":
      return decideInvalid(pass, pass.problems);
    case "standRejected":
      return decideRejected(pass);
    case "endUnstarted":
      return decideUnstartedEnd(pass, pass.wish);
    case "leave":
      return decideLeave(pass);
    case "rest":
      return decideRest(pass);
    case "start":
      return await start(pass);
    case "adopt":
      return decideMarked(pass, pass.siblings(), pass.wish);
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
  const pause = pass.state === "between" ? decidePause(pass, failedFor(pass)) : undefined;
  if (pause !== undefined) return pause;
  // A start must not overtake what is not written down yet: what it follows from, and whether it may.
  if (pass.memory.unsaved !== undefined) return { ...unchanged(pass), next: { kind: "again" } };
  if (pass.doubtMs !== undefined) return decideDoubt(pass, pass.doubtMs);
  const heldMs = settleWaitMs(pass.settings) - (pass.deps.restored()?.sinceMs ?? Number.POSITIVE_INFINITY);
  if (heldMs > 0) return decideRestored(pass, heldMs);
  const resolved = await accountOf(pass);
  if (resolved.kind === "blocked") return decideBlocked(pass, resolved);
  const { account } = resolved;
  const paused = pausedFor(pass, account);
  if (paused !== undefined) return paused;

  const { deps, memory, object, siblings, openSiblings, context } = pass;
  const { signal, statusSignal } = context;
  const checkBuild = () => buildInTheWay(pass, account);
  // By the team that is named, too: which pool it is may become known only by this very start.
  const job = `${account.team ?? account.pool} ${jobIndexValue(object.spec)}`;
  const outcome = await pass.locks.run(job, () =>
    startRun(deps, { object, account, siblings, openSiblings, memory, checkBuild, signal, statusSignal }),
  );
  if (outcome === undefined) {
    memory.givenUpStarts = 0;
    return undefined;
  }
  if (outcome.written !== undefined) wrote(pass, outcome.written);
  const { report } = outcome;
  const isGivenUp = report.kind === "outdated" || report.kind === "gateClosed";
  memory.givenUpStarts = isGivenUp ? memory.givenUpStarts + 1 : 0;
  if (report.kind === "readFailed") rejectToken(pass, account, report.error);
  if (report.kind === "answered" && report.result.kind === "refused") rejectToken(pass, account, report.result.error);
  if (report.kind === "answered") memory.unresolvedSince = undefined;
  if (report.kind === "answered" && report.result.kind === "accepted" && report.start.attempt === 1)
    learnStart(pass, 0);
  return decideStarted(current(pass), report, memory.givenUpStarts);
}

/** How long ago the last run failed, as far as this process may rely on it. */
function failedFor({ memory, object, deps }: Pass): number {
  const { number = 0, completionTime } = latestAttempt(object) ?? {};
  const age = wallAge({ memory, clock: deps.clock }, `failed ${number}`, completionTime);
  return provenMs(age, retryPauseMs(number));
}

async function resolve(pass: Pass): Promise<Conclusion> {
  const { memory, settings, deps } = pass;
  const start = recordOf(pass);
  const markedRun = isFromAnnotation(start) ? markedRunOf(pass.object) : undefined;
  if (markedRun !== undefined && !claimedBy(pass).has(markedRun)) return decideMarkedRun(pass, markedRun);
  const waitMs = settleWaitMs(settings);
  const waitedMs = unresolvedFor(pass, start);
  const options = { wish: pass.wish, isSecondEmpty: false };
  // A process that has just started has to ask for the time: much of the wait may be over.
  const isTimeKnown = !isServerTime(start) || serverNow(pass) !== undefined;
  const elapsedMs = certainlyElapsed(start, serverNow(pass), waitedMs);
  if (isTimeKnown && elapsedMs < waitMs) {
    return decideResolved(pass, { kind: "tooEarly", waitMs: waitMs - elapsedMs }, options);
  }
  const listed = await listRuns(pass);
  if (listed.kind === "concluded") {
    // The list cannot be read. A person who knows may answer all the same, once nothing can be on its way any more.
    return (elapsedMs >= waitMs ? await answeredByPerson(pass) : undefined) ?? listed.conclusion;
  }
  const searched = { start, list: listed.list, ...claimsOf(pass) };
  const readBack = judgeReadBack({ ...searched, waitMs, waitedMs });
  if (readBack.kind !== "tooEarly") memory.readBack?.release();
  const atMs = deps.clock.monotonic();
  const first = memory.firstEmptyRead?.startId === start.id ? memory.firstEmptyRead : undefined;
  const isSecondEmpty = first !== undefined && atMs - first.atMs >= settings.startSettleMs;
  if (readBack.kind === "none" && first === undefined) memory.firstEmptyRead = { startId: start.id, atMs };
  const isProof = readBack.kind === "none" && isSecondEmpty && pass.object.spec.startGuarantee === "AtLeastOnce";
  const remade = isProof ? await remadeJob(pass) : undefined;
  if (remade?.kind === "concluded") return remade.conclusion;
  const jobCreatedTime = remade?.value;
  const conclusion = decideResolved(current(pass), readBack, { ...options, isSecondEmpty, jobCreatedTime });
  // A person may have answered before the question was put.
  return conclusion.isOutcomeUnknown && resolutionOf(pass) !== undefined
    ? { ...conclusion, next: { kind: "again" } }
    : conclusion;
}

/** When the job was created, where that was after the present start: what it lacks says nothing then. */
async function remadeJob(pass: Pass): Promise<Asked<string | undefined>> {
  const { object, context } = pass;
  const read = await asking(pass, (account) => observeJob(object, account, context.signal), true);
  if (read.kind === "concluded") return read;
  return { kind: "value", value: read.value === undefined ? undefined : createdAfterStart(object, read.value) };
}

function resolutionOf({ object }: Pass): Resolution | undefined {
  return parseResolution(object.metadata.annotations?.[resolveStart], object.status?.lastHandledResolveStart);
}

/** How long this process has seen the start unresolved. */
function unresolvedFor({ memory, deps }: Pass, { id }: StartRecord): number {
  const atMs = deps.clock.monotonic();
  if (memory.unresolvedSince?.startId !== id) memory.unresolvedSince = { startId: id, atMs };
  return atMs - memory.unresolvedSince.atMs;
}

async function awaitPerson(pass: Pass): Promise<Conclusion | undefined> {
  const { deps } = pass;
  const answered = await answeredByPerson(pass);
  if (answered !== undefined) return answered;
  const listed = await listRuns(pass);
  if (listed.kind === "concluded") return listed.conclusion;
  const start = recordOf(pass);
  const searched = { start, list: listed.list, ...claimsOf(pass) };
  const waitedMs = unresolvedFor(pass, start);
  const waitMs = settleWaitMs(deps.settings);
  const reach = { untilMs: waitMs, countsTimeless: false };
  return decideProbe(current(pass), judgeReadBack({ ...searched, reach, waitMs, waitedMs }));
}

/** What the annotation says about a start whose outcome is unknown; `undefined` while it says nothing new. */
async function answeredByPerson(pass: Pass): Promise<Conclusion | undefined> {
  const { object } = pass;
  const resolution = resolutionOf(pass);
  if (resolution?.kind !== "run") return resolution && decideResolution(pass, resolution);
  const { runId } = resolution;
  const read = await asking(pass, (account) => observeNamedRun(object, runId, account, pass.context.signal));
  if (read.kind === "concluded") return read.conclusion;
  return decideResolution(pass, resolution, { run: read.value, isTaken: claimedBy(pass).has(runId) });
}

async function follow(pass: Pass): Promise<Conclusion | undefined> {
  if (pass.state !== "adopted") return await look(pass);
  // Only ever looked at, and after all that somebody waits for: a restore brings back thousands that are over.
  return await look(pass, { wish: "proceed", requestClass: "observe" });
}

/** Records the wish, sends the abort, then follows until the run is over: also where the abort is refused. */
async function abort(pass: Pass): Promise<Conclusion | undefined> {
  const { object, wish, replacer, stored, memory } = pass;
  const isRecorded = (stored.status?.abortRequestedTime ?? memory.abortRequestedTime) !== undefined;
  if (wish === "aborted" && !isRecorded) {
    return decideAbortRecorded(pass, object.spec.abort ? undefined : replacer?.key);
  }
  if (wish === "expired" && memory.overdueRunId !== latestAttempt(object)?.runId) return await lookBeforeAbort(pass);
  if (isAbortUnderWay(pass)) return await look(pass);
  const refusal = refusedAbort(pass);
  if (refusal !== undefined) return withRefusal(pass, await look(pass), refusal);
  const sent = await sendAbort(pass);
  if (sent.kind === "value") return await look(pass, { hasSentAbort: isAbortUnderWay(pass), isPauseOver: true });
  if (sent.error === undefined) return sent.conclusion;
  return withRefusal(pass, await look(pass, { isPauseOver: true }), refuse(pass, sent.error));
}

/**
 * No run is aborted for a deadline before it was seen to be active after it: it may have ended by itself since the last
 * look, and the clock that this process came up with may be off.
 */
async function lookBeforeAbort(pass: Pass): Promise<Conclusion | undefined> {
  const looked = await look(pass, { wish: "proceed", requestClass: "change" });
  if (looked?.verdict.reason !== "RunActive" || looked.next.kind === "again" || !pass.object.spec.suspend)
    return looked;
  const rest = decideRest(current(pass));
  // The read has missed the run, so that its deadline is still to be acted upon.
  return rest.next.kind === "never" ? { ...rest, next: looked.next } : rest;
}

async function sendAbort(pass: Pass): Promise<Asked<void>> {
  const { object, memory, deps, context } = pass;
  return await asking(pass, async (account) => {
    if (!deps.lease.isLeaderFor(deps.settings.leaseMarginMs)) return { kind: "read", value: undefined };
    const sent = await abortRun(object, account, memory, deps.clock, context.signal);
    if (sent.kind === "read") memory.abortRefused = undefined;
    return sent;
  });
}

/** Pauses between aborts that are accepted and have no effect. */
const abortAgainPolicy = { baseMs: 60_000, factor: 2, capMs: 600_000, jitter: 0 } as const;

function isAbortUnderWay({ memory, object, deps }: Pass): boolean {
  const sent = memory.abortSent;
  if (sent === undefined || sent.runId !== latestAttempt(object)?.runId) return false;
  return deps.clock.monotonic() - sent.atMs < backoffDelayMs(abortAgainPolicy, sent.count, deps.random);
}

/** How long ago the abort of the run was first accepted. */
function sinceAbort({ memory, object, deps }: Pass): number {
  const sent = memory.abortSent;
  return sent?.runId === latestAttempt(object)?.runId ? deps.clock.monotonic() - (sent?.firstMs ?? 0) : 0;
}

/** Pauses between aborts that are refused. */
const refusedPolicy = { baseMs: 30_000, factor: 2, capMs: 600_000, jitter: 0.2 } as const;

// A deletion is held back for ten minutes only: the abort has to get its tries within them.
const refusedCleanupPolicy = { ...refusedPolicy, capMs: 60_000 } as const;

function refuse({ memory, object, deps, wish }: Pass, error: NorthflankError): RefusedAbort {
  const runId = latestAttempt(object)?.runId ?? "";
  const count = memory.abortRefused?.runId === runId ? memory.abortRefused.count + 1 : 1;
  const policy = wish === "cleanup" ? refusedCleanupPolicy : refusedPolicy;
  const pauseMs = Math.max(error.retryAfterMs ?? 0, backoffDelayMs(policy, count, deps.random));
  const refused: RefusedAbort = {
    runId,
    count,
    error,
    untilMs: deps.clock.monotonic() + pauseMs,
    request: reconcileRequest(object.metadata),
    account: memory.account,
  };
  memory.abortRefused = refused;
  return refused;
}

/** The refusal that still counts: nothing has changed since, and its pause is not over. */
function refusedAbort({ memory, object, deps }: Pass): RefusedAbort | undefined {
  const refused = memory.abortRefused;
  if (refused === undefined || refused.runId !== latestAttempt(object)?.runId) return undefined;
  if (refused.request !== reconcileRequest(object.metadata) || refused.account !== memory.account) return undefined;
  return refused.untilMs - deps.clock.monotonic() > 0 ? refused : undefined;
}

/** A run that goes on, with what became of its abort. */
function withRefusal(pass: Pass, looked: Conclusion | undefined, refused: RefusedAbort): Conclusion | undefined {
  if (looked?.verdict.reason !== "Aborting") return looked;
  const leftMs = refused.untilMs - pass.deps.clock.monotonic();
  return sooner(decideAbortRefused(pass, looked, refused), leftMs, true);
}

/** `isPauseOver`: what was planned is overtaken by what this pass has sent. `wish`: what is made of what is seen. */
async function look(
  pass: Pass,
  options: {
    readonly hasSentAbort?: boolean;
    readonly isPauseOver?: boolean;
    readonly wish?: Wish;
    readonly requestClass?: RequestClass;
  } = {},
): Promise<Conclusion | undefined> {
  const { object, memory, deps, context } = pass;
  const { hasSentAbort = false, isPauseOver = false, wish = pass.wish, requestClass = "run" } = options;
  const attempt = latestAttempt(object);
  if (attempt === undefined) throw new TypeError(`${pass.key} has no run where one is followed`);
  const listDueMs = memory.missing?.isListCut ? missingFromCutListMs : missingMs;
  const isAdopted = pass.state === "adopted";
  // A restore may bring back a thousand objects whose runs are not there any more: no list of runs is read for each.
  const isProofDue = !isAdopted && missingFor(pass, attempt) >= listDueMs;
  const reads = isProofDue ? "proof" : duplicateWatchLeftMs(pass) > 0 ? "watch" : "run";
  const observation = { object, attempt, siblings: pass.siblings, reads, requestClass } as const;
  const read = await asking(pass, (account) => observeRun(observation, account, context.signal), isPauseOver);
  if (read.kind === "concluded") return read.conclusion;
  const { run, duplicateRunId, serverTimeMs, absence } = read.value;
  if (serverTimeMs !== undefined) memory.serverClock = { serverMs: serverTimeMs, atMs: deps.clock.monotonic() };
  const moved =
    run === undefined && memory.account !== undefined ? judgeAccountChange(object, memory.account) : undefined;
  if (moved !== undefined) {
    memory.missing = undefined;
    return decideBlocked(pass, { verdict: moved, recheckAfterMs: safetyNetMs });
  }
  if (run === undefined) missed(pass, attempt, absence);
  else seen(pass, attempt, run);
  const missingForMs = missingFor(pass, attempt);
  const isGone = run === undefined && (isAdopted ? missingForMs >= missingMs : isProvenGone(missingForMs, absence));
  const isAborting = wish === "aborted" || wish === "expired" || wish === "cleanup";
  const remade = isGone && !isAborting ? await remadeJob(pass) : undefined;
  if (remade?.kind === "concluded") return remade.conclusion;
  const jobCreatedTime = remade?.value;
  const now = current(pass);
  // What has ended is judged by what was wanted of it, not by what the look was for.
  const about = run?.concluded || isGone ? pass.wish : wish;
  const followed = decideFollowed(
    now,
    { run, isGone, jobCreatedTime },
    { wish: about, hasSentAbort, sinceAbortMs: sinceAbort(pass) },
  );
  const [startMs, endMs] = [timeMs(run?.startedAt), timeMs(run?.concludedAt)];
  if (run?.concluded && startMs !== undefined && endMs !== undefined && !isAdopted) {
    deps.observer.ran((endMs - startMs) / 1_000);
  }
  // Only now it is known that the deadline is over: the next pass acts on it.
  const isOverdue = run !== undefined && !run.concluded && wish === "proceed" && isDeadlineOver(now);
  if (isOverdue) memory.overdueRunId = attempt.runId;
  const conclusion: Conclusion = isOverdue ? { ...followed, next: { kind: "again" } } : followed;
  if (isAdopted && run === undefined && !isGone) {
    return { ...conclusion, next: { kind: "recheck", afterMs: missingMs - missingForMs, asks: true } };
  }
  return duplicateRunId === undefined ? conclusion : withDuplicate(conclusion, duplicateRunId);
}

/** What this process knows from now on because the run was there. */
function seen(pass: Pass, attempt: Attempt, run: JobRunView): void {
  const { memory, object } = pass;
  memory.missing = undefined;
  const { elapsedMs: objectAgeMs } = wallAge(
    { memory, clock: pass.deps.clock },
    "created",
    object.metadata.creationTimestamp,
  );
  const elapsedMs = remoteAgeMs(object, { attempt, run, remoteNow: serverNow(pass), objectAgeMs });
  if (elapsedMs !== undefined) learnStart(pass, elapsedMs);
}

function missed({ memory, deps }: Pass, { runId }: Attempt, absence: "complete" | "truncated" | undefined): void {
  memory.missing ??= { runId, sinceMs: deps.clock.monotonic() };
  // Every page of such a list was read for nothing: it is not read again before it can matter.
  if (absence === "truncated") memory.missing = { ...memory.missing, isListCut: true };
}

/** For how long every read has missed the run. A process that has just started begins its own count. */
function missingFor({ memory, deps }: Pass, { runId }: Attempt): number {
  if (memory.missing?.runId !== runId) memory.missing = undefined;
  return memory.missing === undefined ? 0 : deps.clock.monotonic() - memory.missing.sinceMs;
}

/** Finished objects cost nothing, but for one last look where a repeated start may have a late duplicate. */
async function stayFinished(pass: Pass): Promise<Conclusion | undefined> {
  const { memory, object } = pass;
  const conclusion = decideFinished(pass);
  const leftMs = duplicateWatchLeftMs(pass);
  if (leftMs === Number.NEGATIVE_INFINITY || object.metadata.deletionTimestamp !== undefined) return conclusion;
  if (leftMs > 0) return sooner(conclusion, leftMs);
  const listed = await listRuns(pass);
  if (listed.kind === "concluded") return sooner(conclusion, lastLookAgainMs);
  memory.isDuplicateWatchOver = true;
  const duplicateRunId = duplicateIn(object, listed.list, pass.siblings());
  return duplicateRunId === undefined ? conclusion : withDuplicate(conclusion, duplicateRunId);
}

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

/** The same conclusion, coming back after `afterMs` at the latest. */
export function sooner(conclusion: Conclusion, afterMs: number, asks = false): Conclusion {
  const isSooner = (delayOf(conclusion.next) ?? Number.POSITIVE_INFINITY) <= afterMs;
  return isSooner ? conclusion : { ...conclusion, next: { kind: "recheck", afterMs, asks } };
}

type Asked<T> =
  | { readonly kind: "value"; readonly value: T }
  /** `error`: what Northflank, or the way there, had against it; missing where nothing was sent. */
  | { readonly kind: "concluded"; readonly conclusion: Conclusion; readonly error?: NorthflankError };

/** A call with the account of the object. What stands in its way is a conclusion. */
async function asking<T>(
  pass: Pass,
  read: (account: Account) => Promise<Read<T>>,
  isPauseOver = false,
): Promise<Asked<T>> {
  const resolved = await accountOf(pass);
  if (resolved.kind === "blocked") {
    return {
      kind: "concluded",
      conclusion: decideBlocked(pass, resolved),
    };
  }
  const paused = isPauseOver ? undefined : pausedFor(pass, resolved.account);
  if (paused !== undefined) return { kind: "concluded", conclusion: paused };
  const { accounts } = pass.deps;
  const again = { accounts, account: resolved.account, resolve: () => accountOf(pass) };
  const done = await withFreshToken(again, read);
  if (done.kind === "read") return { kind: "value", value: done.value };
  return { kind: "concluded", conclusion: decideFailed(pass, done.error), error: done.error };
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

async function accountOf(pass: Pass): Promise<AccountResolution> {
  const { deps, object, memory, context } = pass;
  const resolved = await deps.accounts.resolve(requestOf(object), context.signal);
  const remembered = rememberedAccount(pass.wish, memory, resolved);
  const isSecretGone = resolved.kind === "blocked" && resolved.verdict.reason === "SecretNotFound";
  memory.isConnectionGone = remembered !== undefined && !isSecretGone;
  if (remembered !== undefined) return { kind: "usable", account: remembered };
  if (resolved.kind === "usable") {
    // A run that is known by its id is asked for all the same: where it is found, it is the same account after all.
    const isFollowed = pass.state === "active" || pass.state === "adopted";
    const isNamed = isFollowed || (isUnresolved(object) && resolutionOf(pass)?.kind === "run");
    const moved = isNamed ? undefined : judgeAccountChange(object, resolved.account);
    if (moved !== undefined) return { kind: "blocked", verdict: moved, recheckAfterMs: safetyNetMs };
    memory.account = resolved.account;
  }
  return resolved;
}

function rejectToken({ deps }: Pass, account: Account, error: NorthflankError): void {
  if (error.code === "unauthorized") deps.accounts.tokenRejected(account);
}

function claimedBy(pass: Pass): ReadonlySet<string> {
  return runsTaken(pass.object, pass.siblings());
}

/** What others have, or may have, of the runs of a list. */
function claimsOf(pass: Pass): Pick<Parameters<typeof judgeReadBack>[0], "claimed" | "doubtful" | "rivals"> {
  const siblings = pass.siblings();
  return { claimed: claimedBy(pass), doubtful: runsInDoubt(pass.object, siblings), rivals: openStartsOf(siblings) };
}

function recordOf({ object, key }: Pass): StartRecord {
  const record = object.status?.start;
  if (record === undefined) throw new TypeError(`${key} has no start record where one is resolved`);
  return record;
}
