import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { RequestClass } from "../../northflank/client.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { JobRunView } from "../../northflank/types.ts";
import { backoffDelayMs } from "../../util/backoff.ts";
import type { Random } from "../../util/random.ts";
import type { Account } from "../account/accounts.ts";
import { reconcileRequest } from "../reconcile/reconcile-request.ts";
import { decideAbortRecorded, decideAbortRefused, isAborting } from "./abort.ts";
import { judgeAccountChange } from "./account-change.ts";
import { ageOf, observedOrigin } from "./age.ts";
import { type Asked, ask, askForRemadeJob, recheckAccountMs } from "./ask.ts";
import { decideBlocked } from "./decide.ts";
import { duplicateWatchLeftMs, withDuplicate } from "./duplicate.ts";
import { abortRun } from "./execute.ts";
import { decideFollowed, decideRest, isProvenGone, missingFromCutListMs, missingMs } from "./follow.ts";
import { type Attempt, isPastLimit, type RunIntent } from "./machine.ts";
import { type Known, type RefusedAbort, serverTimeAt } from "./memory.ts";
import { observeRun, type RunObservation } from "./observe.ts";
import { remoteAgeMs } from "./remote-times.ts";
import { attemptOf, type RunResult, type Situation, sooner } from "./result.ts";
import { learnServerTime, type RunReconcile, situationNow } from "./run-reconcile.ts";
import { notServed, type SharedRead, sharedReadOf } from "./shared-read.ts";
import { timeMs } from "./start-record.ts";

/**
 * Polls the run. An adopted one is first read after all that users wait for, because a restore brings back thousands that
 * are over; one that was active then is polled like any other.
 */
export async function follow(reconcile: RunReconcile): Promise<RunResult> {
  const { memory, situation } = reconcile;
  const { state, object } = situation;
  const shared = sharedRead(reconcile);
  if (state !== "adopted") return await poll(reconcile, { shared });
  const requestClass = memory.known.activeRunId === attemptOf(object).runId ? "run" : "observe";
  return await poll(reconcile, { intent: "proceed", requestClass, shared });
}

/** The list that serves this run and others of the job; `undefined` where it is read alone. */
function sharedRead({ situation, memory, plan, deps }: RunReconcile): SharedRead | undefined {
  return sharedReadOf(situation, { known: memory.known, atMs: deps.clock.monotonic() }, plan.openSiblings);
}

/** Records the intent, sends the abort, then polls until the run is over: also where the abort is refused. */
export async function abort(reconcile: RunReconcile): Promise<RunResult> {
  const { situation, plan, stored, memory, deps } = reconcile;
  const { object, now } = situation;
  const { runId } = attemptOf(object);
  const isRecorded = (stored.status?.abortRequestedTime ?? memory.known.abortRequestedTime) !== undefined;
  if (plan.intent === "aborted" && !isRecorded) {
    return decideAbortRecorded(object, now, object.spec.abort ? undefined : plan.replacedBy);
  }
  if (plan.intent === "expired" && memory.known.overdueRunId !== runId) return await pollBeforeAbort(reconcile);
  const atMs = deps.clock.monotonic();
  if (isAbortUnderWay(memory.known, runId, atMs)) return await poll(reconcile);
  const standing = standingRefusal(memory.known, runId, { atMs, request: reconcileRequest(object.metadata) });
  if (standing !== undefined) return withRefusal(situation, await poll(reconcile), standing, atMs);
  const sent = await sendAbort(reconcile, runId);
  if (sent.kind === "value") return await poll(reconcile, { hasSentAbort: sent.value, isPauseOver: true });
  if (sent.error === undefined) return sent.result;
  const polled = await poll(reconcile, { isPauseOver: true });
  const refused = refusalOf(memory.known, sent.error, {
    runId,
    atMs: deps.clock.monotonic(),
    request: reconcileRequest(object.metadata),
    policy: plan.intent === "cleanup" ? refusedCleanupPolicy : refusedPolicy,
    random: deps.random,
  });
  memory.remember({ abortRefused: refused });
  return withRefusal(situation, polled, refused, deps.clock.monotonic());
}

/**
 * No run is aborted for a deadline before it was seen to be active after it: it may have ended by itself since the last
 * poll, and the clock that this process came up with may be off.
 */
async function pollBeforeAbort(reconcile: RunReconcile): Promise<RunResult> {
  const polled = await poll(reconcile, { intent: "proceed", requestClass: "change" });
  const isActive = polled.readyState.reason === "RunActive" && polled.next.kind !== "again";
  if (!isActive || !reconcile.situation.object.spec.suspend) return polled;
  const rest = decideRest(situationNow(reconcile));
  // The read has missed the run, so that its deadline is still to be acted upon.
  return rest.next.kind === "never" ? { ...rest, next: polled.next } : rest;
}

/** True where the abort was sent; false where the leadership is not certain for long enough. */
async function sendAbort(reconcile: RunReconcile, runId: string): Promise<Asked<boolean>> {
  const { situation, memory, deps, context } = reconcile;
  return await ask(reconcile, async (account) => {
    if (!deps.lease.isLeaderFor(deps.settings.leaseMarginMs)) return { kind: "read", value: false };
    const sent = await abortRun(situation.object, runId, account, context.signal);
    if (sent.kind === "failed") return sent;
    const before = memory.known.abortSent?.runId === runId ? memory.known.abortSent : undefined;
    const atMs = deps.clock.monotonic();
    const abortSent = { runId, firstMs: before?.firstMs ?? atMs, atMs, count: (before?.count ?? 0) + 1 };
    memory.remember({ abortSent, abortRefused: undefined });
    return { kind: "read", value: true };
  });
}

/** Pauses between aborts that are accepted and have no effect. */
const abortAgainPolicy = { baseMs: 60_000, factor: 2, capMs: 600_000, jitter: 0 } as const;

function isAbortUnderWay({ abortSent }: Known, runId: string, atMs: number): boolean {
  if (abortSent?.runId !== runId) return false;
  return atMs - abortSent.atMs < backoffDelayMs(abortAgainPolicy, abortSent.count, noJitter);
}

const noJitter: Random = () => 0;

/** How long ago the abort of the run was first accepted. */
function sinceAbortMs({ abortSent }: Known, runId: string, atMs: number): number {
  return abortSent?.runId === runId ? atMs - abortSent.firstMs : 0;
}

/** Pauses between aborts that are refused. */
const refusedPolicy = { baseMs: 30_000, factor: 2, capMs: 600_000, jitter: 0.2 } as const;

// A deletion is held back for ten minutes only: the abort has to get its tries within them.
const refusedCleanupPolicy = { ...refusedPolicy, capMs: 60_000 } as const;

function refusalOf(
  { abortRefused: before, account }: Known,
  error: NorthflankError,
  given: {
    readonly runId: string;
    readonly atMs: number;
    readonly request: string | undefined;
    readonly policy: typeof refusedPolicy | typeof refusedCleanupPolicy;
    readonly random: Random;
  },
): RefusedAbort {
  const { runId, atMs, request, policy, random } = given;
  const count = before?.runId === runId ? before.count + 1 : 1;
  const pauseMs = Math.max(error.retryAfterMs ?? 0, backoffDelayMs(policy, count, random));
  return { runId, count, error, untilMs: atMs + pauseMs, request, account };
}

/** The refusal that still counts: nothing has changed since, and its pause is not over. */
function standingRefusal(
  { abortRefused, account }: Known,
  runId: string,
  { atMs, request }: { readonly atMs: number; readonly request: string | undefined },
): RefusedAbort | undefined {
  if (abortRefused?.runId !== runId || abortRefused.request !== request) return undefined;
  return abortRefused.account === account && abortRefused.untilMs > atMs ? abortRefused : undefined;
}

/** A run that is still active, with what became of its abort. */
function withRefusal(situation: Situation, polled: RunResult, refused: RefusedAbort, atMs: number): RunResult {
  if (polled.readyState.reason !== "Aborting") return polled;
  return sooner(decideAbortRefused(situation, polled, refused), refused.untilMs - atMs, true);
}

/** `isPauseOver`: what was planned is overtaken by what this reconcile has sent. `intent`: what is made of what is seen. */
async function poll(
  reconcile: RunReconcile,
  options: {
    readonly hasSentAbort?: boolean;
    readonly isPauseOver?: boolean;
    readonly intent?: RunIntent;
    readonly requestClass?: RequestClass;
    /** Missing: what is read must be newer than what has just happened. */
    readonly shared?: SharedRead | undefined;
  } = {},
): Promise<RunResult> {
  const { situation, plan, memory, deps, context, siblings } = reconcile;
  const { hasSentAbort = false, isPauseOver = false, intent = plan.intent, requestClass = "run", shared } = options;
  const { object, state } = situation;
  const attempt = attemptOf(object);
  const reads = readsOf(situation, memory.known, deps.clock.monotonic());
  const { clock, lists } = deps;
  const notListed = (why: keyof typeof notServed) => {
    const { forMs, ...rest } = notServed[why];
    memory.remember({ unlisted: { runId: attempt.runId, untilMs: clock.monotonic() + forMs, ...rest } });
  };
  const common = { object, attempt, siblings: siblings.all, requestClass, lists, clock } as const;
  // What has just failed is not asked for again because of a hint.
  const hintedAtMs = deps.takeHint?.(reconcile.key);
  const isHinted = hintedAtMs !== undefined && object.status?.failure === undefined;
  // A list that is older than what the hint is about does not serve; those who have heard the same share a newer one.
  const observation = {
    ...common,
    reads,
    notListed,
    shared: shared && { ...shared, notBeforeMs: isHinted ? hintedAtMs : undefined },
  } as const;
  const read = (account: Account) => observeRun(observation, account, context.signal);
  const sinceMs = clock.monotonic();
  const asked = await ask(reconcile, read, isPauseOver || isHinted);
  if (asked.kind === "result") return asked.result;
  const { run, duplicateRunId, serverTimeMs, absence, ageMs } = asked.value;
  const atMs = deps.clock.monotonic();
  learnServerTime(memory, serverTimeMs, atMs);
  const { account } = memory.known;
  if (run !== undefined && account !== undefined && state === "active" && !isAborting(intent)) {
    const about = { pool: account.pool, kind: "run", projectId: object.spec.projectId } as const;
    const startedAtMs = ageMs === 0 ? sinceMs : atMs - ageMs;
    deps.trust?.found(about, reconcile.key, { isOver: run.concluded, sinceMs: startedAtMs });
  }
  const moved = run === undefined && account !== undefined ? judgeAccountChange(object, account) : undefined;
  if (moved !== undefined) {
    memory.remember({ missing: undefined });
    return decideBlocked(situation, { readyState: moved, recheckAfterMs: recheckAccountMs });
  }
  memory.remember(
    run === undefined
      ? notFound(memory.known, attempt, absence, atMs)
      : { ...found(object, memory.known, { attempt, run, atMs }), activeRunId: attempt.runId },
  );
  const missingFor = missingForMs(memory.known, attempt.runId, atMs);
  const isAdopted = state === "adopted";
  const isGone = run === undefined && (isAdopted ? missingFor >= missingMs : isProvenGone(missingFor, absence));
  const remade = isGone && !isAborting(intent) ? await askForRemadeJob(reconcile) : undefined;
  if (remade?.kind === "result") return remade.result;
  const now = situationNow(reconcile);
  // What has ended is judged by what was wanted of it, not by what the poll was for.
  const about = run?.concluded || isGone ? plan.intent : intent;
  const followed = decideFollowed(
    now,
    { run, isGone, jobCreatedTime: remade?.value, readAgeMs: ageMs, isWatched: reads === "watch" },
    { intent: about, hasSentAbort, sinceAbortMs: sinceAbortMs(memory.known, attempt.runId, deps.clock.monotonic()) },
  );
  const ranMs = isAdopted ? undefined : durationMs(run);
  if (ranMs !== undefined) deps.observer.ran(ranMs / 1_000);
  // Only now it is known that the deadline is over: the next reconcile acts on it.
  const isOverdue = run !== undefined && !run.concluded && intent === "proceed" && isPastLimit(now.object, now);
  // What others have read may be from before the deadline: then the run is read once more.
  if (isOverdue && ageMs === 0) memory.remember({ overdueRunId: attempt.runId });
  const result: RunResult = isOverdue ? { ...followed, next: { kind: "again" } } : followed;
  if (isAdopted && run === undefined && !isGone) {
    return { ...result, next: { kind: "recheck", afterMs: missingMs - missingFor, asks: true } };
  }
  return duplicateRunId === undefined ? result : withDuplicate(result, duplicateRunId);
}

/** From where the run is read: from the list where that has to prove that it is gone, or to show a duplicate. */
function readsOf(situation: Situation, known: Known, atMs: number): "run" | "watch" | "proof" {
  const dueMs = known.missing?.isListCut ? missingFromCutListMs : missingMs;
  // A restore may bring back a thousand objects whose runs are not there any more: no list of runs is read for each.
  const isAdopted = situation.state === "adopted";
  if (!isAdopted && missingForMs(known, attemptOf(situation.object).runId, atMs) >= dueMs) return "proof";
  const { remoteNow = situation.now } = situation;
  return duplicateWatchLeftMs(situation.object, remoteNow, known) > 0 ? "watch" : "run";
}

/** What this process knows from now on because the run was there. */
function found(
  object: NorthflankJobRun,
  known: Known,
  { attempt, run, atMs }: { readonly attempt: Attempt; readonly run: JobRunView; readonly atMs: number },
): Partial<Known> {
  const { elapsedMs: objectAgeMs } = ageOf(known.times, "created", atMs);
  const elapsedMs = remoteAgeMs(object, { attempt, run, remoteNow: serverTimeAt(known, atMs), objectAgeMs });
  const started = elapsedMs === undefined ? known.started : observedOrigin(known.started, { atMs, elapsedMs });
  return { missing: undefined, started };
}

/** The same where the run was not there. */
function notFound(
  { missing }: Known,
  { runId }: Attempt,
  absence: RunObservation["absence"],
  atMs: number,
): Partial<Known> {
  const since = missing?.runId === runId ? missing : { runId, sinceMs: atMs, isListCut: false };
  // Every page of such a list was read for nothing: it is not read again before it can matter.
  return { missing: absence === "truncated" ? { ...since, isListCut: true } : since };
}

/** For how long every read has missed the run. A process that has just started begins its own count. */
function missingForMs({ missing }: Known, runId: string, atMs: number): number {
  return missing?.runId === runId ? atMs - missing.sinceMs : 0;
}

function durationMs(run: JobRunView | undefined): number | undefined {
  const [startMs, endMs] = [timeMs(run?.startedAt), timeMs(run?.concludedAt)];
  return run?.concluded && startMs !== undefined && endMs !== undefined ? endMs - startMs : undefined;
}
