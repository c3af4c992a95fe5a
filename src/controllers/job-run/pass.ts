import type { NorthflankJobRun } from "../../api/job-run.ts";
import { resolveStart } from "../../api/names.ts";
import { isReason } from "../../api/reasons.ts";
import type { KubeClient } from "../../kube/client.ts";
import { findCondition } from "../../runtime/conditions.ts";
import type { ReconcileContext } from "../../runtime/controller.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import type { Account, AccountRequest, Accounts } from "../account/accounts.ts";
import type { EventSink } from "../reconcile/events.ts";
import { reconcileRequest } from "../reconcile/reconcile-request.ts";
import { prunedProblems, type SpecProblem } from "../reconcile/spec-validation.ts";
import type { StatusWriter } from "../reconcile/status-writer.ts";
import type { Age } from "../reconcile/stopwatch.ts";
import { compareJobs } from "./account-change.ts";
import { ageAt, provenMs, sighted, untilMs } from "./age.ts";
import { type Conclusion, recheck, type Situation, settleWaitMs, situationOf } from "./conclusion.ts";
import { obstaclesAmong, replacerOf, type Sibling } from "./concurrency.ts";
import { ttlMs } from "./ends.ts";
import {
  isJudged,
  isUnresolved,
  latestAttempt,
  limitOf,
  type RunState,
  type Step,
  stateOf,
  steps,
  type Wish,
  wishOf,
} from "./machine.ts";
import { type RunMemories, type RunMemory, withUnsaved } from "./memory.ts";
import type { StartDeps, StartLocks } from "./start.ts";
import { certainlyElapsed, clockAllowanceMs, timeMs } from "./start-record.ts";

/** What the reconciler is made of. */
export interface JobRunReconcilerDeps extends StartDeps {
  readonly kube: Pick<KubeClient, "get" | "replace" | "patch" | "delete">;
  readonly store: RunStore;
  readonly statusWriter: StatusWriter<NorthflankJobRun>;
  readonly accounts: Accounts;
  /** Judges a spec that the API server let in; fields that it dropped are added here. */
  readonly validate: (object: NorthflankJobRun) => readonly SpecProblem[];
  readonly events: EventSink;
  readonly observer: RunObserver;
  /** Enqueues another object: its place in the queue of its job has come. */
  readonly enqueue: (key: ObjectKey) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/** The cache of run objects: a `Store` with the indexes of {@link jobRunIndexes}. */
export interface RunStore {
  get(key: ObjectKey): NorthflankJobRun | undefined;
  byIndex(name: "job" | "open", value: string): readonly NorthflankJobRun[];
}

/** What a metrics collector hears of. */
export interface RunObserver {
  readonly started: () => void;
  readonly recovered: () => void;
  readonly finished: (result: "succeeded" | "failed" | "aborted" | "unknown") => void;
  /** Of one run in Northflank, from its start to its end. */
  readonly ran: (seconds: number) => void;
}

/** What the index `job` of the store finds the runs of a job by. */
export function jobIndexValue({ projectId, jobId }: { readonly projectId: string; readonly jobId: string }): string {
  return `${projectId}/${jobId}`;
}

/** Everything one pass works with. */
export interface Pass extends Situation {
  readonly deps: JobRunReconcilerDeps;
  readonly memories: RunMemories;
  readonly locks: StartLocks;
  readonly key: ObjectKey;
  /** When this process made its first pass over a run, on the monotonic clock. */
  readonly sinceMs: number;
  readonly memory: RunMemory;
  readonly context: ReconcileContext;
  readonly state: RunState;
  readonly wish: Wish;
  readonly step: Step;
  readonly problems: readonly SpecProblem[];
  /** Every other object of the job, however long over: its runs are not ours. */
  readonly siblings: () => readonly Sibling[];
  /** Those that are not over. What is asked in every pass is asked of them: the others only add up. */
  readonly openSiblings: () => readonly Sibling[];
  readonly replacer: Sibling | undefined;
  readonly sinceCreationMs: number;
  readonly sinceEndMs: number;
  /**
   * A deadline is over by the clock, but this process has not seen enough of it to end the object: so long nothing is
   * started either. `undefined` where there is no doubt.
   */
  readonly doubtMs: number | undefined;
  /** The object as the server has it, as far as this pass knows: what the status is compared with. */
  stored: NorthflankJobRun;
}

/** Looks at the object, at what is known of it and at its siblings, and names the step. */
export function createPass(given: {
  readonly deps: JobRunReconcilerDeps;
  readonly memories: RunMemories;
  readonly locks: StartLocks;
  readonly key: ObjectKey;
  readonly sinceMs: number;
  readonly stored: NorthflankJobRun;
  readonly context: ReconcileContext;
}): Pass {
  const { deps, memories, key, stored } = given;
  const memory = memories.of(key, stored);
  const object = asKnown(stored, memory);
  const now = deps.clock.now();
  const siblings = () => siblingsOf(given, object, memory, "job");
  const openSiblings = () => siblingsOf(given, object, memory, "open");
  const state = stateOf(object);
  const replacer = replacerOf(object, state === "active" ? openSiblings() : []);
  // Once something was started the spec cannot change, and no opinion on it must keep anybody from following the run.
  const problems = isJudged(state) ? [...prunedProblems(object.prunedFields), ...deps.validate(object)] : [];
  const ages = agesOf(object, memory, deps.clock);
  const isReplaced = replacer !== undefined;
  const wish = wishOf(object, { ...ages, state, problems, isReplaced });
  const step = steps[state][wish];
  const { settings } = deps;
  return {
    ...given,
    ...situationOf({ ...ages, object, now, settings, random: deps.random }),
    doubtMs: ages.doubtMs,
    memory,
    state,
    wish,
    step,
    problems,
    siblings,
    openSiblings,
    replacer,
  };
}

type Ages = Pick<Pass, "sinceCreationMs" | "sinceStartMs" | "sinceEndMs" | "doubtMs">;

/** How old the object, its first run and its end are, as far as that may be acted upon. */
export function agesOf(object: NorthflankJobRun, memory: RunMemory, clock: Clock): Ages {
  const { spec, metadata, status } = object;
  const [startLimitMs, activeLimitMs] = [spec.startDeadlineSeconds, spec.activeDeadlineSeconds].map(inMs);
  const creation = wallAge({ memory, clock }, "created", metadata.creationTimestamp);
  const start = startAge(object, memory, clock);
  const end = wallAge({ memory, clock }, "ended", status?.completionTime);
  const last = latestAttempt(object);
  if (last !== undefined) wallAge({ memory, clock }, `failed ${last.number}`, last.completionTime);
  wallAge({ memory, clock }, "deleted", metadata.deletionTimestamp);
  const [age, limitMs] = start === undefined ? [creation, startLimitMs] : [start, activeLimitMs];
  return {
    sinceCreationMs: provenMs(creation, startLimitMs),
    sinceStartMs: start === undefined ? 0 : provenMs(start, activeLimitMs),
    sinceEndMs: provenMs(end, ttlMs(object)),
    doubtMs: limitMs !== undefined && age.elapsedMs >= limitMs ? untilMs(provenMs(age, limitMs), limitMs) : undefined,
  };
}

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1_000;
}

const noAge: Age = { elapsedMs: 0, seenMs: 0 };

/** The age of what began at `time`, by the wall clock, and from the first sight on no less than the monotonic one says. */
export function wallAge(
  { memory, clock }: { readonly memory: RunMemory; readonly clock: Clock },
  what: string,
  time: string | undefined,
): Age {
  const sinceMs = timeMs(time);
  const atMs = clock.monotonic();
  if (sinceMs === undefined) {
    memory.absences.set(what, atMs);
    memory.sightings.delete(what);
    return noAge;
  }
  // What this process has seen not to be there yet began after that, whatever any clock says.
  const mostMs = atMs - (memory.absences.get(what) ?? Number.NEGATIVE_INFINITY);
  const elapsedMs = Math.min(clock.now() - sinceMs, mostMs);
  const sighting = sighted(memory.sightings.get(what), { atMs, elapsedMs });
  memory.sightings.set(what, sighting);
  return ageAt(sighting, atMs);
}

/**
 * The age of the first run. Northflank's clock says it, or this process started the run; where neither is known, the
 * wall clock, which then has to be borne out for a while. `undefined` before the first run.
 */
function startAge(object: NorthflankJobRun, memory: RunMemory, clock: Clock): Age | undefined {
  const { status, metadata } = object;
  // Where somebody lost the first, the others still say it.
  const time = status?.startTime ?? status?.attempts?.[0]?.startTime;
  if (time === undefined && latestAttempt(object) === undefined) return undefined;
  if (memory.started === undefined) {
    // It began no earlier than its object: a clock that was behind when it was written down must not make it older.
    const times = [time ?? status?.start?.recordedTime, metadata.creationTimestamp];
    const [latest] = times.toSorted((left, right) => (timeMs(right) ?? 0) - (timeMs(left) ?? 0));
    return wallAge({ memory, clock }, "started", latest);
  }
  return { ...ageAt(memory.started, clock.monotonic()), seenMs: Number.POSITIVE_INFINITY };
}

/** Whether the deadline that counts now is over. */
export function isDeadlineOver(pass: Pass): boolean {
  const limit = limitOf(pass.object, pass);
  return limit !== undefined && limit.elapsedMs >= limit.limitMs;
}

/** Takes in what Northflank's clock said of the first run: it is `elapsedMs` old. */
export function learnStart({ memory, deps }: Pass, elapsedMs: number): void {
  memory.started = sighted(memory.started, { atMs: deps.clock.monotonic(), elapsedMs });
}

function siblingsOf(
  { deps, memories, key, sinceMs }: Pick<Pass, "deps" | "memories" | "key" | "sinceMs">,
  object: NorthflankJobRun,
  memory: RunMemory,
  index: "job" | "open",
): readonly Sibling[] {
  const isYoung = deps.clock.monotonic() - sinceMs < settleWaitMs(deps.settings) + 2 * clockAllowanceMs;
  return deps.store.byIndex(index, jobIndexValue(object.spec)).flatMap((other): readonly Sibling[] => {
    const otherKey = objectKey(other.metadata);
    if (otherKey === key) return [];
    const found = memories.peek(otherKey);
    const known = found?.uid === other.metadata.uid ? found : undefined;
    const sides = [
      { object: other, account: known?.account },
      { object, account: memory.account },
    ] as const;
    const compared = compareJobs(...sides);
    const isOfNamespace = other.metadata.namespace === object.metadata.namespace;
    // An object of which nothing says which account it belongs to may be of ours: it counts, for safety. That of another
    // namespace only while a process before this one may have sent something for it: its status is no proof.
    if (compared === "other" || (compared === "unsure" && !isOfNamespace && !isYoung)) return [];
    const shown = known === undefined ? other : withUnsaved(other, known);
    const isSure = compared === "same" || isOfNamespace;
    return [{ key: otherKey, object: shown, isSettled: isSettled(deps, shown, known, memory), isSure }];
  });
}

/** Whether nothing of an open start can be on its way any more. With the allowance, the reach of the next one is apart. */
function isSettled(
  { clock, settings }: JobRunReconcilerDeps,
  object: NorthflankJobRun,
  memory: RunMemory | undefined,
  own: RunMemory,
): boolean {
  const start = object.status?.start;
  if (start === undefined || !isUnresolved(object)) return false;
  // Nobody is asked before that.
  if (stateOf(object) === "unknown") return true;
  const atMs = clock.monotonic();
  const since = memory?.unresolvedSince;
  const waitedMs = since?.startId === start.id ? atMs - since.atMs : 0;
  const read = own.serverClock ?? memory?.serverClock;
  const elapsedMs = certainlyElapsed(start, read && read.serverMs + atMs - read.atMs, waitedMs);
  return elapsedMs >= settleWaitMs(settings) + 2 * clockAllowanceMs;
}

/** Northflank's clock now, in ms since the epoch; `undefined` while it has not been read. */
export function serverNow({ memory, deps }: Pass): number | undefined {
  const read = memory.serverClock;
  return read === undefined ? undefined : read.serverMs + deps.clock.monotonic() - read.atMs;
}

/**
 * A pass that was woken before its time (by its own status write, say) and by nothing that matters asks nobody: what the
 * status says stays, and the time that was planned stays.
 */
export function pausedFor(pass: Pass, account: Account): Conclusion | undefined {
  const { memory, deps } = pass;
  const { pause } = memory;
  if (pause === undefined || pause.account !== account || pause.fingerprint !== fingerprintOf(pass)) return undefined;
  const isRequested = pause.request !== reconcileRequest(pass.object.metadata);
  const untilMs = isRequested ? pause.sinceMs + betweenRequestsMs : pause.untilMs;
  // Whole milliseconds: no timer waits for less, and less would be a loop without progress.
  const leftMs = Math.ceil(untilMs - deps.clock.monotonic());
  if (leftMs <= 0) return undefined;
  return { ...unchanged(pass), next: recheck(pass, leftMs), isTooSoon: isRequested };
}

// Somebody who writes the annotation in a loop gets a look every few seconds, not one per write.
const betweenRequestsMs = 2_000;

/**
 * What a pause must not outlast: a change of the object or of what is wanted, a request of a person. Our own writes change
 * none of it.
 */
function fingerprintOf({ object, openSiblings, wish }: Pick<Pass, "object" | "openSiblings" | "wish">): string {
  const { metadata, status } = object;
  const attempt = latestAttempt(object);
  return JSON.stringify([
    stateOf(object),
    // A deadline that is over, a younger object that takes its place.
    wish,
    metadata.generation,
    metadata.deletionTimestamp,
    metadata.annotations?.[resolveStart],
    status?.start?.id,
    status?.abortRequestedTime,
    attempt?.runId,
    attempt?.completionTime,
    obstaclesAmong(object, openSiblings()).map(({ name }) => name),
  ]);
}

const nothingToSay: Pick<Conclusion, "after" | "events" | "isReleased"> = {
  after: [],
  events: [],
  isReleased: false,
};

/** The conclusion that says what the status says already. */
export function unchanged({ object }: Pass): Conclusion {
  const find = (type: string) => findCondition(object.status?.conditions, type);
  const ready = find("Ready");
  const kind = verdictKind(ready?.status, find("Stalled") !== undefined, find("Reconciling")?.reason);
  const said = ready?.reason;
  const reason = isReason(said) ? said : "Progressing";
  const message = find("Succeeded")?.message ?? "Reconciling.";
  const isOutcomeUnknown = find("Started")?.reason === "StartOutcomeUnknown";
  const facts = { replaces: object.status?.replaces };
  const verdict = { kind, reason, message };
  return { ...nothingToSay, facts, verdict, next: { kind: "never" }, isOutcomeUnknown, isUnchanged: true };
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

/** What is asked for the account of an object. */
export function requestOf({ metadata, spec }: NorthflankJobRun): AccountRequest {
  const { namespace = "" } = metadata;
  return { namespace, connectionName: spec.connectionRef?.name, projectId: spec.projectId };
}

/** Takes in an answer to our own write. */
export function wrote(pass: Pass, object: NorthflankJobRun): void {
  pass.stored = object;
  pass.deps.overlay(object);
}

/** The situation with what this pass has written and learned so far. */
export function current(pass: Pass): Pass {
  const object = asKnown(pass.stored, pass.memory);
  const ages = agesOf(object, pass.memory, pass.deps.clock);
  return { ...pass, ...situationOf({ ...pass, ...ages, object, remoteNow: serverNow(pass) }) };
}

/** The object with all that this process knows, be it written down or not. */
function asKnown(stored: NorthflankJobRun, memory: RunMemory): NorthflankJobRun {
  const object = withUnsaved(stored, memory);
  const { abortRequestedTime } = memory;
  if (abortRequestedTime === undefined || object.status?.abortRequestedTime !== undefined) return object;
  return { ...object, status: { observedGeneration: -1, ...object.status, abortRequestedTime } };
}

/** Until `afterMs` have passed, {@link pausedFor} keeps passes that nothing calls for from asking Northflank. */
export function setPause(pass: Pass, afterMs: number): void {
  const object = current(pass).object;
  const sinceMs = pass.deps.clock.monotonic();
  // The queue may come back in the very millisecond that was asked for.
  const untilMs = sinceMs + afterMs - 1;
  const fingerprint = fingerprintOf({ ...pass, object });
  const request = reconcileRequest(object.metadata);
  pass.memory.pause = { sinceMs, untilMs, fingerprint, request, account: pass.memory.account };
}
