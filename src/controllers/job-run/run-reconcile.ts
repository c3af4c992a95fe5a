import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { SharedLists } from "../../northflank/shared-lists.ts";
import type { ReconcileContext } from "../../runtime/controller.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import type { AccountRequest, Accounts } from "../account/accounts.ts";
import type { EventSink } from "../reconcile/events.ts";
import type { HintTrust } from "../reconcile/hint-trust.ts";
import type { PaceOf } from "../reconcile/poll-plan.ts";
import { prunedProblems, type SpecProblem } from "../reconcile/spec-validation.ts";
import type { StatusWriter } from "../reconcile/status-writer.ts";
import { compareJobs } from "./account-change.ts";
import { agesOf, observeTimes } from "./age.ts";
import { replacerOf, type Sibling, type Siblings } from "./concurrency.ts";
import { intentOf, isJudged, isUnresolved, type RunIntent, type Step, stateOf, steps } from "./machine.ts";
import { type Known, type RunMemories, type RunMemory, serverTimeAt, withUnsaved } from "./memory.ts";
import { type Situation, settleWaitMs, situationOf } from "./result.ts";
import type { StartLocks } from "./start.ts";
import type { StartDeps } from "./start-context.ts";
import { certainlyElapsed, clockAllowanceMs } from "./start-record.ts";
import { withFieldsSaid } from "./status.ts";

/** What the reconciler is made of. */
export interface JobRunReconcilerDeps extends StartDeps {
  readonly kube: Pick<KubeClient, "get" | "replace" | "patch" | "delete">;
  readonly store: RunStore;
  readonly statusWriter: StatusWriter<NorthflankJobRun>;
  readonly accounts: Accounts;
  readonly lists: Pick<SharedLists, "runs" | "noteRun" | "concludedRun">;
  /** Judges a spec that the API server let in; fields that it dropped are added here. */
  readonly validate: (object: NorthflankJobRun) => readonly SpecProblem[];
  readonly events: EventSink;
  readonly observer: RunObserver;
  /**
   * When something was last heard of the run, on the monotonic clock, if that was since this was asked last: a poll need
   * not wait for its time then. Default: never.
   */
  readonly takeHint?: (key: ObjectKey) => number | undefined;
  /** How long the last runs of the job of an object took, in milliseconds. Default: that is not known. */
  readonly earlierRuns?: (object: NorthflankJobRun) => readonly number[];
  /** How the polls of an account are paced. Default: {@link steadyPace}. */
  readonly paceOf?: PaceOf;
  /** Hears whether the ends of runs were reported by Northflank. Default: nothing does. */
  readonly trust?: Pick<HintTrust, "found">;
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

/** What all reconciles of one process share. */
export interface RunProcess extends JobRunReconcilerDeps {
  readonly memories: RunMemories;
  readonly locks: StartLocks;
  /** When this process made its first reconcile of a run, on the monotonic clock. */
  readonly sinceMs: number;
}

/** One reconcile of one run: what it decides from, what it is to do, and what it writes with. */
export interface RunReconcile {
  readonly deps: RunProcess;
  readonly key: ObjectKey;
  readonly context: ReconcileContext;
  readonly memory: RunMemory;
  readonly siblings: Siblings;
  /** As it was at the beginning; {@link situationNow} has what was written and learned since. */
  readonly situation: Situation;
  readonly plan: Plan;
  /** The object as the server has it, as far as this reconcile knows: what the status is compared with. */
  stored: NorthflankJobRun;
}

/** The step of a reconcile, and why it is that. */
export interface Plan {
  readonly intent: RunIntent;
  readonly step: Step;
  readonly problems: readonly SpecProblem[];
  /** The object with `concurrencyPolicy: Replace` that takes the place of this one. */
  readonly replacedBy: ObjectKey | undefined;
  /** Of a run that is polled, its siblings that are not over, as the reconcile began: going through them all takes time. */
  readonly openSiblings: readonly Sibling[];
}

/** Observes the object, what is known of it and its siblings, and names the step. */
export function beginReconcile(
  deps: RunProcess,
  given: Pick<RunReconcile, "key" | "stored" | "context">,
): RunReconcile {
  const { key, stored } = given;
  const memory = deps.memories.of(key, stored);
  const situation = observeSituation(deps, memory, stored);
  const siblings = siblingsOf(deps, { key, object: situation.object, memory });
  const plan = planOf(deps, situation, siblings);
  return { ...given, deps, memory, siblings, situation, plan };
}

function planOf(deps: RunProcess, situation: Situation, siblings: Siblings): Plan {
  const { object, state } = situation;
  const openSiblings = state === "active" || state === "adopted" ? siblings.open() : [];
  const replacedBy = replacerOf(object, openSiblings)?.key;
  // Once something was started the spec cannot change, and no problem of it must keep the run from being followed.
  const problems = isJudged(state) ? [...prunedProblems(object.prunedFields), ...deps.validate(object)] : [];
  const intent = intentOf(object, { ...situation, problems, isReplaced: replacedBy !== undefined });
  return { intent, step: steps[state][intent], problems, replacedBy, openSiblings };
}

/** The object with all that this process knows, be it written down or not, and how old it is. */
function observeSituation(
  { clock, random, settings, earlierRuns, paceOf }: JobRunReconcilerDeps,
  memory: RunMemory,
  stored: NorthflankJobRun,
): Situation {
  const moment = { now: clock.now(), atMs: clock.monotonic() };
  const object = withFieldsSaid(withAbortRequested(withUnsaved(stored, memory.known), memory.known));
  memory.remember({ times: observeTimes(memory.known.times, object, moment, memory.known.started !== undefined) });
  const ages = agesOf(object, memory.known, moment.atMs);
  const remoteNow = serverTimeAt(memory.known, moment.atMs);
  const { account } = memory.known;
  const plan = { earlierMs: earlierRuns?.(object), pace: account && paceOf?.(account, endsOf(object)) };
  return situationOf({ ...ages, ...plan, object, now: moment.now, random, settings, remoteNow });
}

function withAbortRequested(object: NorthflankJobRun, { abortRequestedTime }: Known): NorthflankJobRun {
  if (abortRequestedTime === undefined || object.status?.abortRequestedTime !== undefined) return object;
  return { ...object, status: { observedGeneration: -1, ...object.status, abortRequestedTime } };
}

/** What notifications about the ends of its runs are trusted by. */
function endsOf({ spec: { projectId } }: NorthflankJobRun) {
  return { kind: "run", projectId } as const;
}

/** The situation with what this reconcile has written and learned so far; the time is that of its beginning. */
export function situationNow({ deps, memory, stored, situation }: RunReconcile): Situation {
  return { ...observeSituation(deps, memory, stored), now: situation.now };
}

/** Takes in an answer to our own write. */
export function wrote(reconcile: RunReconcile, object: NorthflankJobRun): void {
  reconcile.stored = object;
  reconcile.deps.overlay(object);
}

/** Takes in Northflank's clock, where an answer had it. */
export function learnServerTime(memory: RunMemory, serverMs: number | undefined, atMs: number): void {
  if (serverMs !== undefined) memory.remember({ serverClock: { serverMs, atMs } });
}

function siblingsOf(
  { clock, settings, sinceMs, memories, store }: RunProcess,
  own: { readonly key: ObjectKey; readonly object: NorthflankJobRun; readonly memory: RunMemory },
): Siblings {
  const { object } = own;
  const list = (index: "job" | "open"): readonly Sibling[] => {
    const atMs = clock.monotonic();
    const waitMs = settleWaitMs(settings) + 2 * clockAllowanceMs;
    return store.byIndex(index, jobIndexValue(object.spec)).flatMap((other): readonly Sibling[] => {
      const key = objectKey(other.metadata);
      if (key === own.key) return [];
      const known = memories.peek(key, other);
      const { account } = own.memory.known;
      const compared = compareJobs({ object: other, account: known?.account }, { object, account });
      const isOfNamespace = other.metadata.namespace === object.metadata.namespace;
      // An object of which nothing says which account it belongs to may be of ours: it counts, for safety. That of another
      // namespace only while a process before this one may have sent something for it: its status is no proof.
      const isYoung = atMs - sinceMs < waitMs;
      if (compared === "other" || (compared === "unsure" && !isOfNamespace && !isYoung)) return [];
      const shown = known === undefined ? other : withUnsaved(other, known);
      const isSettled = waitMs <= settledForMs(shown, { known, own: own.memory.known, atMs });
      return [{ key, object: shown, isSettled, isSure: compared === "same" || isOfNamespace, known }];
    });
  };
  return { all: () => list("job"), open: () => list("open") };
}

/** For how long nothing of an open start can have been in flight; negative where none is open. */
function settledForMs(
  object: NorthflankJobRun,
  { known, own, atMs }: { readonly known: Known | undefined; readonly own: Known; readonly atMs: number },
): number {
  const start = object.status?.start;
  if (start === undefined || !isUnresolved(object)) return -1;
  // A user is asked only after that.
  if (stateOf(object) === "unknown") return Number.POSITIVE_INFINITY;
  const since = known?.unresolvedSince;
  const waitedMs = since?.startId === start.id ? atMs - since.atMs : 0;
  const remoteNow = serverTimeAt(own, atMs) ?? (known && serverTimeAt(known, atMs));
  return certainlyElapsed(start, remoteNow, waitedMs);
}

/** What is asked for the account of an object. */
export function requestOf({ metadata, spec }: NorthflankJobRun): AccountRequest {
  const { namespace = "" } = metadata;
  return { namespace, connectionName: spec.connectionRef?.name, projectId: spec.projectId };
}
