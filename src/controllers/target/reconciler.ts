import type { ResourceType } from "../../kube/types.ts";
import type { CallOptions, NorthflankApi } from "../../northflank/client.ts";
import type { Reconcile, ReconcileContext } from "../../runtime/controller.ts";
import { type ObjectKey, type Outcome, objectKey, type Priority, ReconcileError } from "../../runtime/outcome.ts";
import type { Clock } from "../../util/clock.ts";
import { mergePatchBetween } from "../../util/merge-patch.ts";
import type { Random } from "../../util/random.ts";
import type { Account } from "../account/accounts.ts";
import { type EventSink, stalledEvents } from "../reconcile/events.ts";
import type { PollSchedule } from "../reconcile/poll-schedule.ts";
import { reconcileRequest } from "../reconcile/reconcile-request.ts";
import { delayOf, outcomeOf, type Requeue } from "../reconcile/requeue.ts";
import { spenderOf } from "../reconcile/spender.ts";
import type { StatusWriter } from "../reconcile/status-writer.ts";
import { reconcileUnsaved, Unsaved } from "../reconcile/unsaved-status.ts";
import type { TargetConclusion, TargetDecision, TargetInput } from "./decision.ts";
import { TargetMemory } from "./memory.ts";
import { hasChangedSince, restUntil, type TargetObject } from "./object.ts";
import type { Observed, ObserveSteps } from "./observe.ts";
import { send, type WriteResult } from "./send.ts";
import { SetAside } from "./set-aside.ts";

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

/** One change to be sent, by one call. K: the calls of a kind. */
export interface TargetChange<K = unknown> {
  /** `DriftCorrected` is counted as drift. */
  readonly cause: string;
  readonly call: K;
  /** Sent where the route of `call` turns out to be gone; missing: there is no other one. */
  readonly fallback?: K | undefined;
}

/**
 * What a kind does in the steps of a reconcile: T its object, O what it observes, C what it concludes, X what it sends,
 * N what it needs.
 */
export interface TargetSteps<T extends TargetObject, O, C extends TargetConclusion, X extends TargetChange, N>
  extends ObserveSteps<T, O, N> {
  readonly type: Pick<ResourceType, "kind">;
  /** The times of a status that something is decided by: they are measured from when they were first seen. */
  readonly timesOf: (status: Status<T> | undefined) => readonly (string | undefined)[];
  readonly decide: (input: TargetInput<T, O>) => TargetDecision<C, X, N>;
  /** The status that has to be stored before the change is sent; `undefined` where the one there is will do. */
  readonly statusBefore: (object: T, change: X, now: number) => Status<T> | undefined;
  /** The conclusion where the API server has not stored the record that a change needs; `undefined`: it may be sent. */
  readonly notRecorded: (stored: T, change: X) => C | undefined;
  /** Sends one call. *Errors*: `NorthflankError`, and the reason of an aborted signal. */
  readonly send: (api: NorthflankApi, object: T, call: X["call"], options: CallOptions) => Promise<void>;
  /** What the answer to a change means. */
  readonly concludeChange: (sent: SentChange<T, X>, observation: O) => C;
  readonly statusOf: (object: T, conclusion: C, now: number) => Status<T>;
  /** The target was read, by requests that were sent after `sinceMs` of the monotonic clock. Default: nothing is done. */
  readonly polled?: (poll: {
    readonly object: T;
    readonly account: Account;
    readonly observation: O;
    readonly conclusion: C;
    readonly sinceMs: number;
  }) => void;
}

/** One change, and its answer. */
export interface SentChange<T, X> {
  /** The object as it was decided on. */
  readonly object: T;
  /** The same with the status that stands for the sending. */
  readonly stored: T;
  readonly change: X;
  readonly result: WriteResult;
  readonly now: number;
  readonly random: Random;
}

/**
 * One reconcile of an object with a target: observe, decide, execute, write the status once, record Events.
 *
 * *Guarantees*: a change is sent only for the object that was observed: one that was edited, deleted or created again
 * meanwhile is observed anew; a conclusion whose status could not be written is written by the next reconcile, before
 * anything else; a reconcile never learns why it was enqueued.
 */
export function createTargetReconciler<
  T extends TargetObject,
  O,
  C extends TargetConclusion,
  X extends TargetChange,
  N = never,
>(deps: TargetDeps<T>, steps: TargetSteps<T, O, C, X, N>): Reconcile {
  const memory = new TargetMemory(deps.clock);
  const unsaved = new Unsaved<Report<T, C>>();
  const running = { deps, steps, memory };
  return async (key, context) => {
    const object = deps.store.get(key);
    if (object === undefined) {
      for (const kept of [deps.schedule, memory, unsaved]) kept.forget(key);
      return { kind: "settled" };
    }
    // No finalizer is ours: the target stays as it is.
    if (object.metadata.deletionTimestamp !== undefined) return { kind: "settled" };
    memory.saw(object);
    const restMs = unsaved.has(key) ? undefined : steps.restsFor(object);
    if (restMs !== undefined) return restUntil(object, restMs);
    return await reconcileUnsaved(unsaved, object, {
      store: deps.store,
      conclude: (known) => reconcile(running, known, context),
      report: (value) => report(running, value, context),
    });
  };
}

/** What all reconciles of a kind in one process work with. */
interface Running<T extends TargetObject, O, C extends TargetConclusion, X extends TargetChange, N> {
  readonly deps: TargetDeps<T>;
  readonly steps: TargetSteps<T, O, C, X, N>;
  readonly memory: TargetMemory;
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
    readonly observe: (object: T) => Promise<Observed<O, N>>;
    readonly decide: (object: T, observation: O) => TargetDecision<C, X, N>;
  },
  object: T,
): Promise<Observed<O, N> & { readonly decision: TargetDecision<C, X> }> {
  let observed = await steps.observe(object);
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

async function reconcile<T extends TargetObject, O, C extends TargetConclusion, X extends TargetChange, N>(
  running: Running<T, O, C, X, N>,
  known: T,
  context: ReconcileContext,
): Promise<Report<T, C> | Outcome> {
  const aside = new SetAside(spenderOf(running.steps.type, known));
  try {
    return await reconcileWith(running, known, { ...context, aside });
  } finally {
    aside.release();
  }
}

/** A reconcile, and the requests that it has set aside. */
interface Context extends ReconcileContext {
  readonly aside: SetAside;
}

async function reconcileWith<T extends TargetObject, O, C extends TargetConclusion, X extends TargetChange, N>(
  running: Running<T, O, C, X, N>,
  known: T,
  context: Context,
): Promise<Report<T, C> | Outcome> {
  const { deps, steps, memory } = running;
  const { clock, random } = deps;
  const sinceMs = clock.monotonic();
  const decide = (object: T, observation: O) => {
    const ages = memory.ages(object, steps.timesOf(object.status));
    return steps.decide({ object, observation, now: clock.now(), ages, random });
  };
  const observe = (object: T) => steps.observe(object, context.signal, context.aside);
  const { observation, account, decision } = await observeAndDecide({ observe, decide }, known);
  if (decision.kind === "rest") return restUntil(known, decision.dueInMs);
  const concluded =
    decision.kind === "write"
      ? await carryOut(running, { object: known, observation, account, change: decision.change, context })
      : { stored: known, conclusion: decision.conclusion };
  if ("kind" in concluded) return concluded;
  if (decision.kind === "conclude" && decision.sawDrift) deps.observer.driftDetected();
  const { stored } = concluded;
  const { readyState, next: wanted } = concluded.conclusion;
  const next = memory.spaced(known, { reason: readyState.reason, next: wanted }, random);
  if (account !== undefined) {
    const { metadata } = known;
    const unhintedMs = next.kind === "recheck" ? next.unhintedMs : undefined;
    const at = { accountVersion: account.version, request: reconcileRequest(metadata) };
    const polled = { ...at, nextMs: delayOf(next) ?? 0, unhintedMs };
    steps.polled?.({ object: known, account, conclusion: concluded.conclusion, observation, sinceMs });
    deps.schedule.polled({ key: objectKey(metadata), uid: metadata.uid }, polled);
  }
  const conclusion = { ...concluded.conclusion, next };
  const status = steps.statusOf(stored, conclusion, clock.now());
  memory.ages(stored, steps.timesOf(status));
  return { stored, conclusion, status };
}

interface Carrying<T, O, X> {
  readonly object: T;
  readonly observation: O;
  readonly account: Account | undefined;
  readonly change: X;
  readonly context: Context;
}

/** Records a change where that has to be, and sends it; an outcome where it must not be sent now. */
async function carryOut<T extends TargetObject, O, C extends TargetConclusion, X extends TargetChange, N>(
  { deps, steps }: Running<T, O, C, X, N>,
  { object, observation, account, change, context }: Carrying<T, O, X>,
): Promise<Pick<Report<T, C>, "stored" | "conclusion"> | Outcome> {
  const { store, lease, clock, random } = deps;
  if (account === undefined) return requeueSoon;
  if (hasChangedSince(object, store)) return requeueAtOnce;
  const stored = await record(deps, object, steps.statusBefore(object, change, clock.now()), context.signal);
  // It is gone, and the watch will report it.
  if (stored === undefined) return { kind: "settled" };
  if (hasChangedSince(object, store)) return requeueAtOnce;
  if (lease?.isLeaderFor(lease.marginMs) === false) return requeueSoon;
  const notRecorded = steps.notRecorded(stored, change);
  if (notRecorded !== undefined) return { stored, conclusion: notRecorded };
  const options = context.aside.writing(context.signal);
  const by = (call: X["call"]) => () => steps.send(account.api, object, call, options);
  const result = await send(by(change.call), change.fallback === undefined ? undefined : by(change.fallback));
  countChange(deps, { object, change, result, context });
  const sent = { object, stored, change, result, now: clock.now(), random };
  return { stored, conclusion: steps.concludeChange(sent, observation) };
}

function countChange<T extends TargetObject>(
  { observer }: TargetDeps<T>,
  sent: Pick<Carrying<T, unknown, TargetChange>, "object" | "change" | "context"> & { readonly result: WriteResult },
): void {
  const { cause } = sent.change;
  if (cause === "DriftCorrected") observer.driftDetected();
  if (sent.result.kind !== "written") return;
  observer.changeApplied();
  const { projectId: project, serviceId, jobId } = sent.object.spec;
  const target = serviceId === undefined ? { job: jobId } : { service: serviceId };
  sent.context.log.info({ project, ...target, action: cause }, "change applied");
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

async function report<T extends TargetObject, O, C extends TargetConclusion, X extends TargetChange, N>(
  { deps, steps, memory }: Running<T, O, C, X, N>,
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
  const tookMs = kind === "ready" ? memory.becameReady(stored) : undefined;
  if (tookMs !== undefined) deps.observer.becameReady(tookMs);
  const next = within(steps.comparePeriodMs({ ...stored, status }), conclusion.next);
  return outcomeOf(next, { priority: priorityOf(kind, next), message: `${reason}: ${message}` });
}

function priorityOf(kind: TargetConclusion["readyState"]["kind"], next: Requeue): Priority {
  if (next.kind === "again") return "change";
  return kind === "ready" || kind === "stalled" ? "resync" : "follow";
}

/** What is not watched in the cluster is compared again, whenever the next poll of Northflank is. */
function within(periodMs: number | undefined, next: Requeue): Requeue {
  if (periodMs === undefined || next.kind === "backoff" || next.kind === "again") return next;
  return { kind: "recheck", afterMs: next.kind === "recheck" ? Math.min(next.afterMs, periodMs) : periodMs };
}
