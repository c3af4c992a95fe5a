import type { Reconcile, ReconcileContext } from "../../runtime/controller.ts";
import { type ObjectKey, type Outcome, objectKey, type Priority, ReconcileError } from "../../runtime/outcome.ts";
import type { Clock } from "../../util/clock.ts";
import { mergePatchBetween } from "../../util/merge-patch.ts";
import type { Random } from "../../util/random.ts";
import type { Account } from "../account/accounts.ts";
import type { EventSink } from "../reconcile/events.ts";
import { stalledEvents } from "../reconcile/events.ts";
import type { PollSchedule } from "../reconcile/poll-schedule.ts";
import { reconcileRequest } from "../reconcile/reconcile-request.ts";
import { delayOf, outcomeOf, type Requeue } from "../reconcile/requeue.ts";
import type { StatusWriter } from "../reconcile/status-writer.ts";
import { type Left, Unsaved, writeLeft } from "../reconcile/unsaved-status.ts";
import { TargetMemory } from "./memory.ts";
import { hasChangedSince, restUntil, type TargetObject } from "./object.ts";
import type { Observed } from "./observe.ts";
import type { TargetConclusion } from "./status.ts";

/** What metrics record. */
export interface TargetObserver {
  /** Northflank was found different from what had been applied. */
  readonly driftDetected: () => void;
  /** A write was sent and accepted. */
  readonly changeApplied: () => void;
  /** From when a new spec was first seen to Ready=True, in milliseconds. */
  readonly becameReady: (durationMs: number) => void;
}

/** The dependencies of a reconcile of a kind with a target. */
export interface TargetDeps<T extends TargetObject> {
  readonly store: { get(key: ObjectKey): T | undefined };
  readonly statusWriter: StatusWriter<T>;
  readonly events: EventSink;
  readonly observer: TargetObserver;
  readonly schedule: PollSchedule;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Asked right before a change is sent and before a status is written: a process that was frozen may have a successor
   * by then, whose newer change it would undo. Without it this process is the only one.
   */
  readonly lease?: {
    readonly isLeaderFor: (durationMs: number) => boolean;
    /** So much of the lease has to be left when a change is sent. */
    readonly marginMs: number;
  };
}

type Status<T extends TargetObject> = NonNullable<T["status"]>;

/** What a reconcile has to do. N: what it may need first. */
export type TargetDecision<C, X, N = never> =
  | Need<N>
  /** Nothing to do and nothing to say. */
  | { readonly kind: "rest"; readonly dueInMs: number }
  | { readonly kind: "conclude"; readonly conclusion: C; readonly sawDrift: boolean }
  | { readonly kind: "write"; readonly change: X };

/** To be read before anything is decided. */
type Need<N> = [N] extends [never] ? never : { readonly kind: "need"; readonly need: N };

/**
 * What a kind does in the steps of a reconcile: T its object, O what it observes, C what it concludes, X what it sends,
 * N what it needs.
 */
export interface TargetSteps<T extends TargetObject, O, C extends TargetConclusion, X, N = never> {
  /**
   * How long there is nothing to do for an object, in milliseconds, where that is known without any wait; `undefined`
   * where it has to be observed. After a start nearly all objects rest, and there may be ten thousand.
   */
  readonly restsFor?: (object: T) => number | undefined;
  readonly observe: (object: T, signal: AbortSignal) => Promise<Observed<O, N>>;
  readonly decide: (object: T, observation: O) => TargetDecision<C, X, N>;
  /** The status that has to be stored before the change is sent; `undefined` where the one there is will do. */
  readonly statusBefore: (object: T, change: X) => Status<T> | undefined;
  /**
   * Sends one change. `known`: the object as it was decided on; `stored`: with the status that stands for the sending.
   */
  readonly carryOut: (options: {
    readonly known: T;
    readonly stored: T;
    readonly observation: O;
    readonly account: Account;
    readonly change: X;
    readonly context: ReconcileContext;
  }) => Promise<C>;
  readonly statusOf: (object: T, conclusion: C) => Status<T>;
  /** An object is gone: what is remembered of it in memory is forgotten. */
  readonly forget?: (key: ObjectKey) => void;
  /** When to requeue, for kinds that watch more than Northflank. Default: what the conclusion says. */
  readonly requeueFor?: (object: T, status: Status<T>, next: Requeue) => Requeue;
}

/**
 * One reconcile of an object with a target: observe, decide, execute, write the status once, record Events.
 *
 * *Guarantees*: a change is sent only for the object that was observed: one that was edited, deleted or created again
 * meanwhile is observed anew; a conclusion whose status could not be written is written by the next reconcile, before
 * anything else; a reconcile never learns why it was enqueued.
 */
export function createTargetReconciler<T extends TargetObject, O, C extends TargetConclusion, X, N = never>(
  deps: TargetDeps<T>,
  steps: TargetSteps<T, O, C, X, N>,
): Reconcile {
  const memory = new TargetMemory();
  const running = { deps, steps, memory };
  const unsaved = new Unsaved<Report<T, C>>();
  return async (key, context) => {
    const object = deps.store.get(key);
    if (object === undefined) {
      deps.schedule.forget(key);
      memory.forget(key);
      unsaved.forget(key);
      steps.forget?.(key);
      return { kind: "settled" };
    }
    // No finalizer is ours: the target stays as it is.
    if (object.metadata.deletionTimestamp !== undefined) return { kind: "settled" };
    memory.saw(key, object, deps.clock.monotonic());
    const restMs = unsaved.has(key) ? undefined : steps.restsFor?.(object);
    return restMs === undefined ? await attempt(object, key, context) : restUntil(object, restMs);
  };

  function attempt(object: T, key: ObjectKey, context: ReconcileContext): Promise<Outcome> {
    return unsaved.attempt(key, async (left): Promise<Outcome> => {
      await writeLeft(left, deps.store, (value) => report(running, value, context));
      const known = deps.store.get(key);
      if (known === undefined || known.metadata.uid !== object.metadata.uid) return { kind: "settled" };
      return await reconcileObserved(running, { known, left, context });
    });
  }
}

// At once, and not without end: each time a user or another client has changed the object meanwhile.
const requeueAtOnce: Outcome = { kind: "recheck", afterMs: 0, priority: "change" };

// Until the lease is renewed, or this process ends.
const requeueSoon: Outcome = { kind: "recheck", afterMs: 1_000, priority: "change" };

/** The status that a reconcile concludes with, and what goes with it. */
interface Report<T extends TargetObject, C> {
  readonly stored: T;
  readonly conclusion: C;
  readonly status: Status<T>;
}

// The target where only its build was read, and its build; both once more with a token that was rotated meanwhile.
const mostNeeds = 4;

/** Observes and decides; what the decision needs besides is read, and decided on anew. */
export async function observeAndDecide<T, O, C, X, N>(
  steps: {
    readonly observe: (object: T, signal: AbortSignal) => Promise<Observed<O, N>>;
    readonly decide: (object: T, observation: O) => TargetDecision<C, X, N>;
  },
  object: T,
  signal: AbortSignal,
): Promise<Observed<O, N> & { readonly decision: TargetDecision<C, X> }> {
  let observed = await steps.observe(object, signal);
  for (let needs = 0; ; needs += 1) {
    const decision = steps.decide(object, observed.observation);
    if (!isNeed(decision)) return { ...observed, decision };
    if (observed.more === undefined || needs === mostNeeds)
      throw new TypeError("a decision needs what was read already");
    observed = await observed.more(decision.need);
  }
}

function isNeed<C, X, N>(
  decision: TargetDecision<C, X, N> | TargetDecision<C, X>,
): decision is { readonly kind: "need"; readonly need: N } & TargetDecision<C, X, N> {
  return decision.kind === ("need" as string);
}

/** What all reconciles of a kind in one process work with. */
interface TargetProcess<T extends TargetObject, O, C extends TargetConclusion, X, N> {
  readonly deps: TargetDeps<T>;
  readonly steps: TargetSteps<T, O, C, X, N>;
  readonly memory: TargetMemory;
}

async function reconcileObserved<T extends TargetObject, O, C extends TargetConclusion, X, N>(
  { deps, steps, memory }: TargetProcess<T, O, C, X, N>,
  options: { readonly known: T; readonly left: Left<Report<T, C>>; readonly context: ReconcileContext },
): Promise<Outcome> {
  const { known, left, context } = options;
  const { observation, account, decision } = await observeAndDecide(steps, known, context.signal);
  if (decision.kind === "rest") return restUntil(known, decision.dueInMs);
  let stored = known;
  let conclusion: C;
  if (decision.kind === "write") {
    const { change } = decision;
    if (account === undefined) return requeueSoon;
    if (hasChangedSince(known, deps.store)) return requeueAtOnce;
    const recorded = await record(deps, known, steps.statusBefore(known, change), context.signal);
    // It is gone, and the watch will report it.
    if (recorded === undefined) return { kind: "settled" };
    if (hasChangedSince(known, deps.store)) return requeueAtOnce;
    if (deps.lease?.isLeaderFor(deps.lease.marginMs) === false) return requeueSoon;
    stored = recorded;
    conclusion = await steps.carryOut({ known, stored, observation, account, change, context });
  } else {
    conclusion = decision.conclusion;
    if (decision.sawDrift) deps.observer.driftDetected();
  }
  const next = memory.spaced(known, { reason: conclusion.readyState.reason, next: conclusion.next }, deps.random);
  conclusion = { ...conclusion, next };
  if (account !== undefined) {
    const { metadata } = known;
    const request = reconcileRequest(metadata);
    const polled = { nextMs: delayOf(next) ?? 0, accountVersion: account.version, request };
    deps.schedule.polled({ key: objectKey(metadata), uid: metadata.uid }, polled);
  }
  left.value = { stored, conclusion, status: steps.statusOf(stored, conclusion) };
  const outcome = await report({ deps, steps, memory }, left.value, context);
  left.value = undefined;
  return outcome;
}

/** The object with the status that is needed before a change is sent; `undefined`: it is gone. */
async function record<T extends TargetObject>(
  { statusWriter }: TargetDeps<T>,
  object: T,
  status: Status<T> | undefined,
  signal: AbortSignal,
): Promise<T | undefined> {
  if (status === undefined) return object;
  const written = await statusWriter.write(object, status, signal);
  if (written.kind === "gone") return undefined;
  return written.kind === "written" ? written.object : object;
}

async function report<T extends TargetObject, O, C extends TargetConclusion, X, N>(
  { deps, steps, memory }: TargetProcess<T, O, C, X, N>,
  { stored, conclusion, status }: Report<T, C>,
  context: ReconcileContext,
): Promise<Outcome> {
  const { readyState, events } = conclusion;
  const { kind, reason, message } = readyState;
  // A process that is no longer the leader leaves writing to the new leader.
  if (deps.lease?.isLeaderFor(0) === false)
    throw new ReconcileError("the leadership was lost before the status was written");
  const written = await deps.statusWriter.write(stored, status, context.statusSignal);
  if (written.kind === "gone") return { kind: "settled" };
  if (written.kind === "written") {
    if (conclusion.next.kind === "again" && mergePatchBetween(written.object.status ?? {}, status) !== undefined) {
      // Recorded, and to be sent now: without the record the same would be recorded again and again.
      const text = "the API server has not stored the whole status; apply the CRDs of this version of the operator";
      return { kind: "retry", error: new ReconcileError(text) };
    }
    const before = stored.status?.conditions;
    const transition = stalledEvents({ before, after: status.conditions, message, action: "Reconcile" });
    for (const draft of [...events, ...transition]) deps.events.record(written.object, draft);
  }
  const newSinceMs = kind === "ready" ? memory.becameReady(stored) : undefined;
  if (newSinceMs !== undefined) deps.observer.becameReady(deps.clock.monotonic() - newSinceMs);
  const next = steps.requeueFor?.(stored, status, conclusion.next) ?? conclusion.next;
  return outcomeOf(next, { priority: priorityOf(kind, next), message: `${reason}: ${message}` });
}

function priorityOf(kind: TargetConclusion["readyState"]["kind"], next: Requeue): Priority {
  if (next.kind === "again") return "change";
  return kind === "ready" || kind === "stalled" ? "resync" : "follow";
}
