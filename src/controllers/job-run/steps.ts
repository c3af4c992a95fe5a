import type { NorthflankJobRun } from "../../api/job-run.ts";
import { assertNever } from "../../util/assert-never.ts";
import type { Account } from "../account/accounts.ts";
import { ageOf, failedKey, observedOrigin, provenMs, type Times } from "./age.ts";
import { accountOf, ask, askForRemadeJob, askForRuns, pausedFor } from "./ask.ts";
import { buildInTheWay } from "./check-build.ts";
import { claimsOf, runsTaken } from "./concurrency.ts";
import {
  decideBlocked,
  decideDoubt,
  decideHold,
  decideInvalid,
  decideRejected,
  decideRestored,
  decideStarted,
} from "./decide.ts";
import { duplicateIn, duplicateWatchLeftMs, withDuplicate } from "./duplicate.ts";
import { decideFinished, decideLeave, decideUnstartedEnd } from "./ends.ts";
import { decideRest } from "./follow.ts";
import { latestAttempt } from "./machine.ts";
import { markedRunOf } from "./mark.ts";
import type { RunMemory } from "./memory.ts";
import { observeNamedRun } from "./observe.ts";
import { abort, follow } from "./poll.ts";
import { judgeReadBack, type ReadBack } from "./read-back.ts";
import {
  decideMarked,
  decideMarkedRun,
  decideProbe,
  decideResolved,
  decideResolveStart,
  parseResolveStart,
} from "./resolve.ts";
import { type RunResult, recordOf, settleWaitMs, sooner, unchanged } from "./result.ts";
import { decidePause, retryPauseMs } from "./run-end.ts";
import { jobIndexValue, type RunReconcile, situationNow, wrote } from "./run-reconcile.ts";
import { startRun } from "./start.ts";
import { certainlyElapsed, isFromAnnotation, isServerTime } from "./start-record.ts";

/** Does what the step of this reconcile is. `undefined`: nothing is to be written; requeue shortly. */
export async function takeStep(reconcile: RunReconcile): Promise<RunResult | undefined> {
  const { situation, siblings, plan } = reconcile;
  switch (plan.step) {
    case "hold":
      return decideHold(situation);
    case "refuseSpec":
      return decideInvalid(situation, plan.problems);
    case "standRejected":
      return decideRejected(situation);
    case "endUnstarted":
      return decideUnstartedEnd(situation, plan.intent);
    case "leave":
      return decideLeave(situation.object);
    case "rest":
      return decideRest(situation);
    case "start":
      return await start(reconcile);
    case "adopt":
      return decideMarked(situation, siblings.all(), plan.intent);
    case "resolve":
      return await resolve(reconcile);
    case "awaitPerson":
      return await awaitPerson(reconcile);
    case "follow":
      return await follow(reconcile);
    case "abort":
      return await abort(reconcile);
    case "stayFinished":
      return await stayFinished(reconcile);
    default:
      return assertNever(plan.step, "step");
  }
}

async function start(reconcile: RunReconcile): Promise<RunResult | undefined> {
  const { situation, memory, deps } = reconcile;
  const { object, state, doubtMs } = situation;
  const pause =
    state === "between"
      ? decidePause(situation, failedForMs(object, memory.known.times, deps.clock.monotonic()))
      : undefined;
  if (pause !== undefined) return pause;
  const { unsaved, said } = memory.known;
  // A start must not overtake what is not written down yet: what it follows from, and whether it may.
  if (unsaved !== undefined) return { ...unchanged(object, said), next: { kind: "again" } };
  if (doubtMs !== undefined) return decideDoubt(situation, doubtMs);
  const heldMs = settleWaitMs(deps.settings) - (deps.restored()?.sinceMs ?? Number.POSITIVE_INFINITY);
  if (heldMs > 0) return decideRestored(situation, heldMs);
  const resolved = await accountOf(reconcile);
  if (resolved.kind === "blocked") return decideBlocked(situation, resolved);
  return pausedFor(reconcile, resolved.account) ?? (await startWith(reconcile, resolved.account));
}

async function startWith(reconcile: RunReconcile, account: Account): Promise<RunResult | undefined> {
  const { situation, memory, deps, siblings, context } = reconcile;
  const { object } = situation;
  const checkBuild = () => buildInTheWay({ ...reconcile, object, account });
  // By the team that is named, too: which pool it is may become known only by this very start.
  const job = `${account.team ?? account.pool} ${jobIndexValue(object.spec)}`;
  const { signal, statusSignal } = context;
  const started = await deps.locks.run(job, () =>
    startRun(deps, { object, account, siblings, memory, checkBuild, signal, statusSignal }),
  );
  if (started === undefined) {
    memory.remember({ givenUpStarts: 0 });
    return undefined;
  }
  if (started.written !== undefined) wrote(reconcile, started.written);
  const { report } = started;
  const isGivenUp = report.kind === "outdated" || report.kind === "gateClosed";
  const givenUpStarts = isGivenUp ? memory.known.givenUpStarts + 1 : 0;
  memory.remember({ givenUpStarts });
  const error =
    report.kind === "readFailed"
      ? report.error
      : report.kind === "answered" && report.result.kind === "refused"
        ? report.result.error
        : undefined;
  if (error?.code === "unauthorized") deps.accounts.tokenRejected(account);
  if (report.kind === "answered") {
    memory.remember({ unresolvedSince: undefined });
    const isFirst = report.result.kind === "accepted" && report.start.attempt === 1;
    if (isFirst) learnStart(memory, deps.clock.monotonic());
  }
  return decideStarted(situationNow(reconcile), report, givenUpStarts);
}

/** This very process started the first run. */
function learnStart(memory: RunMemory, atMs: number): void {
  memory.remember({ started: observedOrigin(memory.known.started, { atMs, elapsedMs: 0 }) });
}

/** How long ago the last run failed, as far as this process may rely on it. */
function failedForMs(object: NorthflankJobRun, times: Times, atMs: number): number {
  const { number = 0 } = latestAttempt(object) ?? {};
  return provenMs(ageOf(times, failedKey(number), atMs), retryPauseMs(number));
}

async function resolve(reconcile: RunReconcile): Promise<RunResult> {
  const { memory, situation, siblings, plan, deps } = reconcile;
  const { object, settings, remoteNow } = situation;
  const start = recordOf(object);
  const markedRun = isFromAnnotation(start) ? markedRunOf(object) : undefined;
  if (markedRun !== undefined && !runsTaken(object, siblings.all()).has(markedRun)) {
    return decideMarkedRun(situation, markedRun);
  }
  const waitMs = settleWaitMs(settings);
  const waitedMs = unresolvedForMs(memory, start.id, deps.clock.monotonic());
  const options = { intent: plan.intent, isSecondEmpty: false };
  // A process that has just started has to ask for the time: much of the wait may be over.
  const isTimeKnown = !isServerTime(start) || remoteNow !== undefined;
  const elapsedMs = certainlyElapsed(start, remoteNow, waitedMs);
  if (isTimeKnown && elapsedMs < waitMs) {
    return decideResolved(situation, { kind: "tooEarly", waitMs: waitMs - elapsedMs }, options);
  }
  const asked = await askForRuns(reconcile);
  if (asked.kind === "result") {
    // The list cannot be read. A person who knows may answer all the same, once nothing can be in flight any more.
    return (elapsedMs >= waitMs ? await answeredByPerson(reconcile) : undefined) ?? asked.result;
  }
  const readBack = judgeReadBack({ start, list: asked.value, ...claimsOf(object, siblings.all()), waitMs, waitedMs });
  const isSecondEmpty = takeInReadBack(memory, readBack, { startId: start.id, atMs: deps.clock.monotonic() }, settings);
  const isProof = readBack.kind === "none" && isSecondEmpty && object.spec.startGuarantee === "AtLeastOnce";
  const remade = isProof ? await askForRemadeJob(reconcile) : undefined;
  if (remade?.kind === "result") return remade.result;
  const jobCreatedTime = remade?.value;
  const result = decideResolved(situationNow(reconcile), readBack, { ...options, isSecondEmpty, jobCreatedTime });
  // A person may have answered before the question was put.
  const isAnswered = result.isOutcomeUnknown && parseResolveStart(object) !== undefined;
  return isAnswered ? { ...result, next: { kind: "again" } } : result;
}

/** Remembers what a read-back has shown. True where it is empty, as one at least the settle time ago was. */
function takeInReadBack(
  memory: RunMemory,
  readBack: ReadBack,
  read: { readonly startId: string; readonly atMs: number },
  { startSettleMs }: { readonly startSettleMs: number },
): boolean {
  const { firstEmptyRead, readBack: reservation } = memory.known;
  if (readBack.kind !== "tooEarly") reservation?.release();
  const first = firstEmptyRead?.startId === read.startId ? firstEmptyRead : undefined;
  if (readBack.kind === "none" && first === undefined) memory.remember({ firstEmptyRead: read });
  return first !== undefined && read.atMs - first.atMs >= startSettleMs;
}

/** How long this process has seen the start unresolved. */
function unresolvedForMs(memory: RunMemory, startId: string, atMs: number): number {
  const { unresolvedSince } = memory.known;
  if (unresolvedSince?.startId === startId) return atMs - unresolvedSince.atMs;
  memory.remember({ unresolvedSince: { startId, atMs } });
  return 0;
}

async function awaitPerson(reconcile: RunReconcile): Promise<RunResult> {
  const { memory, situation, siblings, deps } = reconcile;
  const answered = await answeredByPerson(reconcile);
  if (answered !== undefined) return answered;
  const asked = await askForRuns(reconcile);
  if (asked.kind === "result") return asked.result;
  const start = recordOf(situation.object);
  const waitedMs = unresolvedForMs(memory, start.id, deps.clock.monotonic());
  const waitMs = settleWaitMs(deps.settings);
  const reach = { untilMs: waitMs, countsTimeless: false };
  const readBack = judgeReadBack({
    start,
    list: asked.value,
    ...claimsOf(situation.object, siblings.all()),
    reach,
    waitMs,
    waitedMs,
  });
  return decideProbe(situationNow(reconcile), readBack);
}

/** What the annotation says about a start whose outcome is unknown; `undefined` while it says nothing new. */
async function answeredByPerson(reconcile: RunReconcile): Promise<RunResult | undefined> {
  const { situation, siblings, context } = reconcile;
  const { object } = situation;
  const resolution = parseResolveStart(object);
  if (resolution?.kind !== "run") return resolution && decideResolveStart(situation, resolution);
  const { runId } = resolution;
  const asked = await ask(reconcile, (account) => observeNamedRun(object, runId, account, context.signal));
  if (asked.kind === "result") return asked.result;
  const isTaken = runsTaken(object, siblings.all()).has(runId);
  return decideResolveStart(situation, resolution, { run: asked.value, isTaken });
}

/** Finished objects cost nothing, but for one last poll where a repeated start may have a late duplicate. */
async function stayFinished(reconcile: RunReconcile): Promise<RunResult> {
  const { memory, situation, siblings } = reconcile;
  const { object } = situation;
  const result = decideFinished(situation);
  const leftMs = duplicateWatchLeftMs(object, situation.remoteNow ?? situation.now, memory.known);
  if (leftMs === Number.NEGATIVE_INFINITY || object.metadata.deletionTimestamp !== undefined) return result;
  if (leftMs > 0) return sooner(result, leftMs);
  const asked = await askForRuns(reconcile);
  if (asked.kind === "result") return sooner(result, lastPollAgainMs);
  memory.remember({ isDuplicateWatchOver: true });
  const duplicateRunId = duplicateIn(object, asked.value, siblings.all());
  return duplicateRunId === undefined ? result : withDuplicate(result, duplicateRunId);
}

const lastPollAgainMs = 30_000;
