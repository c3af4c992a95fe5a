import type { NorthflankJobRun } from "../../api/job-run.ts";
import { resolveStart } from "../../api/names.ts";
import { isReason } from "../../api/reasons.ts";
import type { KubeClient } from "../../kube/client.ts";
import { findCondition } from "../../runtime/conditions.ts";
import type { PassContext } from "../../runtime/controller.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import type { Account, Accounts } from "../shared/accounts.ts";
import type { EventSink } from "../shared/event-draft.ts";
import { reconcileRequest } from "../shared/reconcile-request.ts";
import { prunedProblems, type SpecProblem } from "../shared/spec-problem.ts";
import type { StatusWriter } from "../shared/status-writer.ts";
import { isOfAnotherAccount } from "./account-change.ts";
import { type Conclusion, type Situation, settleWaitMs } from "./conclusion.ts";
import { obstaclesAmong, replacerOf, type Sibling } from "./concurrency.ts";
import {
  isBeforeStart,
  isUnresolved,
  latestAttempt,
  type RunState,
  type Step,
  stateOf,
  steps,
  type Wish,
  wishOf,
} from "./machine.ts";
import { type RunMemories, type RunMemory, withUnsaved } from "./memory.ts";
import { certainlyElapsed, clockAllowanceMs, timeMs } from "./read-back.ts";
import type { StartDeps } from "./start.ts";
import type { StartLocks } from "./start-locks.ts";

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

/** Looks at the object, at what is known of it and at its siblings, and names the step. */
export function createPass(given: {
  readonly deps: JobRunReconcilerDeps;
  readonly memories: RunMemories;
  readonly locks: StartLocks;
  readonly key: ObjectKey;
  readonly stored: NorthflankJobRun;
  readonly context: PassContext;
}): Pass {
  const { deps, memories, key, stored } = given;
  const memory = memories.of(key, stored);
  const object = asKnown(stored, memory);
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
    const found = memories.peek(otherKey);
    const known = found?.uid === other.metadata.uid ? found : undefined;
    // An object of which nothing says which account it belongs to may be of ours: it counts, for safety.
    const sides = [
      { object: other, account: known?.account },
      { object, account: memory.account },
    ] as const;
    if (isOfAnotherAccount(...sides)) return [];
    const shown = known === undefined ? other : withUnsaved(other, known);
    return [{ key: otherKey, object: shown, isSettled: isSettled(deps, shown, known, memory) }];
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
  const leftMs = untilMs - deps.clock.monotonic();
  return leftMs > 0 ? { ...unchanged(pass), next: { kind: "recheck", afterMs: leftMs, asks: false } } : undefined;
}

// Somebody who writes the annotation in a loop gets a look every few seconds, not one per write.
const betweenRequestsMs = 2_000;

/** What a pause must not outlast: a change of the object or a request of a person. Our own writes change none of it. */
function fingerprintOf({ object, siblings }: Pick<Pass, "object" | "siblings">): string {
  const { metadata, status } = object;
  const attempt = latestAttempt(object);
  return JSON.stringify([
    stateOf(object),
    metadata.generation,
    metadata.deletionTimestamp,
    metadata.annotations?.[resolveStart],
    status?.start?.id,
    status?.abortRequestedTime,
    attempt?.runId,
    attempt?.completionTime,
    obstaclesAmong(object, siblings()).map(({ name }) => name),
  ]);
}

const nothingToSay: Pick<Conclusion, "after" | "events" | "isReleased"> = {
  after: [],
  events: [],
  isReleased: false,
};

/** The conclusion that says what the status says already. */
function unchanged({ object }: Pass): Conclusion {
  const find = (type: string) => findCondition(object.status?.conditions, type);
  const ready = find("Ready");
  const kind = verdictKind(ready?.status, find("Stalled") !== undefined, find("Reconciling")?.reason);
  const said = ready?.reason;
  const reason = isReason(said) ? said : "Progressing";
  const message = ready?.message ?? "Looked at shortly.";
  const isOutcomeUnknown = find("Started")?.reason === "StartOutcomeUnknown";
  const facts = { replaces: object.status?.replaces };
  return { ...nothingToSay, facts, verdict: { kind, reason, message }, next: { kind: "settled" }, isOutcomeUnknown };
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

/** Takes in an answer to our own write. */
export function wrote(pass: Pass, object: NorthflankJobRun): void {
  pass.stored = object;
  pass.deps.overlay(object);
}

/** The situation with what this pass has written so far. */
export function current(pass: Pass): Pass {
  return { ...pass, object: asKnown(pass.stored, pass.memory) };
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
  const fingerprint = fingerprintOf({ object, siblings: pass.siblings });
  const request = reconcileRequest(object.metadata);
  pass.memory.pause = { sinceMs, untilMs, fingerprint, request, account: pass.memory.account };
}
