import { setMaxListeners } from "node:events";
import { isFailedCall, isKubeError } from "../kube/errors.ts";
import { follow } from "../util/abort.ts";
import { assertNever } from "../util/assert-never.ts";
import type { Clock, Timer } from "../util/clock.ts";
import { toError } from "../util/errors.ts";
import { type Log, logWith } from "../util/log.ts";
import type { Random } from "../util/random.ts";
import { EventLoop } from "./event-loop.ts";
import type { Explanation, ObjectKey, Outcome } from "./outcome.ts";
import { Recent } from "./recent.ts";
import { RequeueFloor } from "./requeue-floor.ts";
import type { WorkItem, WorkQueue } from "./work-queue.ts";

/*
 * Workers that take keys from a queue and reconcile each.
 *
 *      |<-- setAsideAfterMs -->|
 *      |<--------- reconcileTimeoutMs ---------->|<-- statusGraceMs -->|
 *      reconcile starts        set aside: its    signal aborts         statusSignal aborts; a reconcile that still
 *                              worker is free                          does not return is given up: nothing waits for
 *                                                                      it, its key stays locked until it returns
 *
 * A reconcile that takes long waits for a remote answer. It keeps running without its worker, so a remote end that
 * hangs delays the objects that need it (see `groups` of the work queue) and nothing else for longer than
 * `setAsideAfterMs`.
 *
 * Promises:
 *  1. At most `workers` reconciles that are not set aside make progress at once, and never two run for one key. How
 *     many are set aside, each of which costs memory and no more, is bounded by the groups of the queue.
 *  2. Whatever a reconcile does (throw, hang, reject with nonsense), the workers keep working and the key is requeued
 *     with back-off.
 *  3. Every line logged through a reconcile's log carries its reconcile id.
 *  4. Aborting the signal given to `start` aborts every reconcile at once and takes no further key.
 *  5. No key is reconciled in a hot loop: see `requeue-floor.ts` for one that requeues itself, and `rate` of the work
 *     queue for one that is enqueued by its own writes. However busy, timers and sockets get their turn: see
 *     `event-loop.ts`.
 */

/**
 * What a reconcile gets besides the key. Why the key was enqueued is not part of it: reconciles are level-triggered.
 */
export interface ReconcileContext {
  /** Ends the work: time is up, or the program stops or has lost its leadership. */
  readonly signal: AbortSignal;
  /**
   * Ends the reconcile: aborted `statusGraceMs` after {@link signal} when time is up, so that a reconcile that ran out
   * of time can still write its status; at once when the program stops or leadership is lost.
   */
  readonly statusSignal: AbortSignal;
  readonly reconcileId: string;
  readonly log: Log;
  /** Failures in a row before this reconcile. */
  readonly failures: number;
}

/** Reconciles one object: observes, acts, and returns when to come back. */
export type Reconcile = (key: ObjectKey, context: ReconcileContext) => Promise<Outcome>;

/** What metrics are fed with. Results have controller-runtime's names, so that stock dashboards work. */
export interface ControllerObserver {
  readonly reconciled: (result: "success" | "error" | "requeue_after", durationMs: number) => void;
  readonly panicked: () => void;
  readonly timedOut: () => void;
  /** The key was, or will be, held back: it requeues itself, or is enqueued, too often. */
  readonly throttled: () => void;
  readonly activeWorkers: (count: number) => void;
}

export interface ControllerOptions {
  /** Names the controller in logs and metrics, such as `deployment`. */
  readonly name: string;
  readonly queue: WorkQueue;
  /** Reconciles at the same time, not counting those that were set aside. */
  readonly workers: number;
  /** How long a reconcile keeps its worker. Default 1 s. */
  readonly setAsideAfterMs?: number;
  /**
   * Maximum number of reconciles that run without a worker; 0 switches setting aside off. Default: no limit, because
   * some keys could use up one that all share. The groups of the queue bound them, as they bound all that run.
   */
  readonly maxSetAside?: number;
  readonly reconcile: Reconcile;
  /** How long a reconcile may run before {@link ReconcileContext.signal} is aborted. Default 60 s. */
  readonly reconcileTimeoutMs?: number;
  /** How long it then has left to write its status. Default 30 s. */
  readonly statusGraceMs?: number;
  /**
   * Resolves when the caches that a reconcile reads are usable. Asked before every reconcile: a kind can vanish from
   * the server (its CRD was deleted), and a reconcile over an empty cache would take every object for deleted.
   */
  readonly whenUsable?: (signal: AbortSignal) => Promise<void>;
  /** Shared by all controllers of a program. Default: one of its own. */
  readonly eventLoop?: EventLoop;
  /** Explains a failure in words of its own. What was logged with these is logged at debug only. */
  readonly explain?: (error: Error) => Explanation | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly observer?: ControllerObserver;
}

/** Workers over one queue. */
export interface Controller {
  readonly name: string;
  readonly queue: WorkQueue;
  /** Starts the workers. `signal` is the leadership: aborting it aborts every reconcile and ends all workers. */
  start(signal: AbortSignal): void;
  /**
   * Takes no further key and resolves when the last reconcile has ended, or has been given up.
   * Aborting `signal` aborts what is still under way.
   */
  drain(signal: AbortSignal): Promise<void>;
}

/** Makes a controller; nothing runs before `start`. */
export function createController(options: ControllerOptions): Controller {
  const {
    name,
    queue,
    observer,
    maxSetAside = Number.POSITIVE_INFINITY,
    eventLoop = new EventLoop(options.clock),
  } = options;
  const throttle = new Throttle(options);
  const taking = new AbortController();
  const reconciles = new AbortController();
  const workers = new Set<Promise<void>>();
  const aside = new Set<Promise<void>>();
  let active = 0;
  // One listener per worker, and there may be many: that is no leak.
  setMaxListeners(0, taking.signal, reconciles.signal);

  const work = async (): Promise<void> => {
    for (;;) {
      // Only where it is due: a promise for each reconcile is not free.
      const turned = eventLoop.turn();
      if (turned !== undefined) await turned;
      const item = await takeUsable(options, taking.signal);
      if (item === undefined) return;
      observer?.activeWorkers(++active);
      const running = new RunningReconcile(options, item, throttle, reconciles.signal);
      // The remote end is known to be slow: waiting would only keep the worker for a second more.
      if (item.isSlow !== true) await running.freed;
      if (!running.isOver) await setAside(running);
      observer?.activeWorkers(--active);
    }
  };

  /** Frees the worker of a slow reconcile; where too many run without one already, the worker waits for it. */
  const setAside = async (running: RunningReconcile): Promise<void> => {
    const over = running.whenOver();
    if (aside.size >= maxSetAside) return await over;
    const kept = over.finally(() => aside.delete(kept));
    aside.add(kept);
  };

  return {
    name,
    queue,
    start: (signal) => {
      follow(signal, taking);
      follow(signal, reconciles);
      for (let n = 0; n < options.workers; n++) {
        const worker = work().finally(() => workers.delete(worker));
        workers.add(worker);
      }
    },
    drain: async (signal) => {
      taking.abort(new Error(`controller ${name} takes no more work`));
      queue.shutDown();
      follow(signal, reconciles);
      await Promise.all(workers);
      await Promise.all(aside);
    },
  };
}

/** The next key, once the caches are usable; `undefined` when there will be none. */
async function takeUsable(options: ControllerOptions, signal: AbortSignal): Promise<WorkItem | undefined> {
  let item: WorkItem | undefined;
  try {
    item = await options.queue.get(signal);
    // After the key was taken: however long that took, the caches are usable when the reconcile begins.
    if (item !== undefined) await options.whenUsable?.(signal);
    return item;
  } catch (error) {
    if (!signal.aborted) options.log.error({ err: toError(error) }, "worker stopped unexpectedly");
    if (item !== undefined) options.queue.done(item.key);
    return undefined;
  }
}

/** One reconcile, from its start until it has ended or is given up. */
class RunningReconcile {
  readonly #limits: ReconcileLimits;
  readonly #ended: Promise<void>;
  /** Resolves when the worker need not wait any longer: the reconcile has ended, was given up, or takes long. */
  readonly freed: Promise<void>;
  #isEnded = false;

  constructor(options: ControllerOptions, item: WorkItem, throttle: Throttle, stopped: AbortSignal) {
    const { clock, queue } = options;
    const startedMs = clock.monotonic();
    const reconcileId = newReconcileId(options.random);
    const log = logWith(options.log, { controller: options.name, object: item.key, reconcileId });
    const limits = new ReconcileLimits(options, stopped, {
      onLong: () => queue.takesLong(item.key),
      onGivenUp: () => {
        // What ignores every signal must not block its group for ever.
        queue.giveUp(item.key);
        log.error({ durationMs: clock.monotonic() - startedMs }, "reconcile hangs, worker released");
      },
    });
    const context: ReconcileContext = {
      get signal() {
        return limits.work.signal;
      },
      get statusSignal() {
        return limits.status.signal;
      },
      reconcileId,
      log,
      failures: queue.failures(item.key),
    };
    this.#limits = limits;
    this.#ended = runContained(options, item.key, context).then((outcome) => {
      this.#isEnded = true;
      limits.end();
      if (limits.ranOut) options.observer?.timedOut();
      concludeContained(options, item, throttle, log, outcome, clock.monotonic() - startedMs);
      queue.done(item.key);
    });
    this.freed = Promise.race([this.#ended, limits.freed]);
  }

  get isOver(): boolean {
    return this.#isEnded || this.#limits.isGivenUp;
  }

  /** Resolves when the reconcile has ended or was given up. Never rejects. */
  async whenOver(): Promise<void> {
    await Promise.race([this.#ended, this.#limits.givenUp()]);
  }
}

/** The reconcile's outcome, where anything it throws is a failed reconcile. */
async function runContained(options: ControllerOptions, key: ObjectKey, context: ReconcileContext): Promise<Outcome> {
  try {
    return await options.reconcile(key, context);
  } catch (thrown) {
    const error = toError(thrown);
    if (context.signal.aborted) return { kind: "retry", error };
    // Anything else is a bug.
    if (!isFailedCall(error)) {
      options.observer?.panicked();
      const level = options.explain?.(error)?.isLogged ? "debug" : "error";
      context.log[level]({ err: error }, "reconcile panicked");
    }
    const notBeforeMs = retryAfterOf(error, options.random);
    return notBeforeMs === undefined ? { kind: "retry", error } : { kind: "retry", error, notBeforeMs };
  }
}

// A proxy that answers nonsense must not keep an object from a server that has recovered.
const longestRetryAfterMs = 300_000;

/** The `Retry-After` of the API server (429, 503), with jitter: what was rejected together must not retry together. */
function retryAfterOf(error: Error, random: Random): number | undefined {
  if (!isKubeError(error) || error.retryAfterMs === undefined) return undefined;
  return Math.min(error.retryAfterMs, longestRetryAfterMs) * (1 + random());
}

/** An outcome may be computed from remote data: nonsense in it must not cost a worker or lose the key. */
function concludeContained(
  options: ControllerOptions,
  item: WorkItem,
  throttle: Throttle,
  log: Log,
  outcome: Outcome,
  durationMs: number,
): void {
  try {
    conclude(options, item, throttle, log, outcome, durationMs);
  } catch (error) {
    options.observer?.panicked();
    log.error({ err: toError(error) }, "reconcile returned no outcome");
    options.queue.retry(item.key);
  }
}

/** The one place where an outcome becomes a call of the queue. */
function conclude(
  options: ControllerOptions,
  item: WorkItem,
  throttle: Throttle,
  log: Log,
  outcome: Outcome,
  durationMs: number,
): void {
  const { queue, observer } = options;
  switch (outcome.kind) {
    case "settled":
      throttle.release(item, log);
      queue.forget(item.key);
      observer?.reconciled("success", durationMs);
      log.debug({ durationMs }, "reconcile finished");
      return;
    case "recheck": {
      assertFinite(outcome.afterMs);
      const afterMs = throttle.requeue(item, outcome.afterMs, log);
      queue.forget(item.key);
      queue.add(item.key, { afterMs, priority: outcome.priority });
      observer?.reconciled("requeue_after", durationMs);
      log.debug({ durationMs, afterMs }, "reconcile finished, requeued");
      return;
    }
    case "retry": {
      const { error, notBeforeMs } = outcome;
      assertFinite(notBeforeMs, error);
      throttle.release(item, log);
      queue.retry(item.key, notBeforeMs === undefined ? {} : { notBeforeMs });
      observer?.reconciled("error", durationMs);
      const level = options.explain?.(error)?.isLogged ? "debug" : "warn";
      log[level]({ durationMs, err: error, failures: queue.failures(item.key) }, "reconcile failed");
      return;
    }
    default:
      assertNever(outcome, "outcome");
  }
}

function assertFinite(waitMs: number | undefined, cause?: Error): void {
  if (waitMs === undefined || Number.isFinite(waitMs)) return;
  throw new TypeError(`a wait of ${waitMs} ms`, { cause });
}

/** Holds back keys that are reconciled too often, and logs each of them once per episode. */
class Throttle {
  readonly #observer: ControllerObserver | undefined;
  readonly #floor: RequeueFloor;
  readonly #warned: Recent<true>;

  constructor({ clock, observer }: ControllerOptions) {
    this.#observer = observer;
    this.#floor = new RequeueFloor(clock);
    // An episode is over when the key was not held back for a minute.
    this.#warned = new Recent(clock, 60_000);
  }

  /** In how many milliseconds a key that requests to be requeued in `requestedMs` is. */
  requeue(item: WorkItem, requestedMs: number, log: Log): number {
    const afterMs = this.#floor.raise(item.key, requestedMs);
    if (item.isHeldBack || afterMs > requestedMs) this.#report(item.key, log);
    return afterMs;
  }

  /** The key is not requeued, or after its back-off. */
  release(item: WorkItem, log: Log): void {
    this.#floor.reset(item.key);
    if (item.isHeldBack) this.#report(item.key, log);
  }

  #report(key: ObjectKey, log: Log): void {
    this.#observer?.throttled();
    if (this.#warned.get(key) === undefined) log.warn({}, "reconciles are too frequent, throttling");
    this.#warned.set(key, true);
  }
}

/** The time limits of one reconcile, and the moments when waiting for it ends. */
class ReconcileLimits {
  readonly work = new LateAbort();
  readonly status = new LateAbort();
  readonly #stopped: AbortSignal;
  readonly #onStop: () => void;
  readonly #onGivenUp: () => void;
  #timer: Timer;
  #free: () => void = () => undefined;
  #resolveGivenUp: () => void = () => undefined;
  /** Resolves when the reconcile takes long or is given up. */
  readonly freed: Promise<void>;
  /** The work limit was reached. */
  ranOut = false;
  isGivenUp = false;

  constructor(
    options: ControllerOptions,
    stopped: AbortSignal,
    { onLong, onGivenUp }: { readonly onLong: () => void; readonly onGivenUp: () => void },
  ) {
    const { clock, reconcileTimeoutMs = 60_000, statusGraceMs = 30_000 } = options;
    const setAsideAfterMs = Math.min(options.setAsideAfterMs ?? 1_000, reconcileTimeoutMs);
    this.#onGivenUp = onGivenUp;
    this.freed = new Promise((resolve) => {
      this.#free = resolve;
    });
    const takesLong = () => {
      onLong();
      this.#free();
      this.#timer = clock.setTimer(timeUp, reconcileTimeoutMs - setAsideAfterMs);
    };
    const timeUp = () => {
      this.ranOut = true;
      this.work.abort(new Error(`reconcile took longer than ${reconcileTimeoutMs} ms`));
      this.#timer = clock.setTimer(over, statusGraceMs);
    };
    const over = () => {
      this.status.abort(new Error(`reconcile took longer than ${reconcileTimeoutMs} + ${statusGraceMs} ms`));
      this.#timer = clock.setTimer(() => this.#abandon(), abandonAfterMs);
    };
    this.#timer = clock.setTimer(takesLong, setAsideAfterMs);
    this.#stopped = stopped;
    this.#onStop = () => {
      this.#timer.cancel();
      this.work.abort(stopped.reason);
      this.status.abort(stopped.reason);
      this.#timer = clock.setTimer(() => this.#abandon(), abandonAfterMs);
    };
    if (stopped.aborted) this.#onStop();
    else stopped.addEventListener("abort", this.#onStop, { once: true });
  }

  end(): void {
    this.#timer.cancel();
    this.#stopped.removeEventListener("abort", this.#onStop);
  }

  /** Resolves when the reconcile ignored all limits. */
  givenUp(): Promise<void> {
    if (this.isGivenUp) return Promise.resolve();
    return new Promise((resolve) => {
      this.#resolveGivenUp = resolve;
    });
  }

  #abandon(): void {
    this.isGivenUp = true;
    this.#onGivenUp();
    this.#free();
    this.#resolveGivenUp();
  }
}

/**
 * An AbortController that is made when its signal is first read: most reconciles wait for nothing, and two are not
 * free.
 */
class LateAbort {
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      // A reconcile may have many calls under way at once.
      setMaxListeners(0, this.#controller.signal);
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#controller?.abort(reason);
  }
}

// What an aborted call may take to unwind before its reconcile counts as hanging.
const abandonAfterMs = 1_000;

/** 12 hexadecimal digits: short enough to read aloud, unlikely enough to be met twice in one log. */
function newReconcileId(random: Random): string {
  const half = () =>
    Math.floor(random() * 0x1000000)
      .toString(16)
      .padStart(6, "0");
  return half() + half();
}
