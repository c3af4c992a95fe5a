import { setMaxListeners } from "node:events";
import { isKubeError } from "../kube/errors.ts";
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
 * Workers that take keys from a queue and run one pass for each.
 *
 *      |<-- setAsideAfterMs -->|
 *      |<------------ passTimeoutMs ------------>|<-- statusGraceMs -->|
 *      pass starts             set aside: its    signal aborts         statusSignal aborts; a pass that still
 *                              worker goes on                          does not return is given up: nobody waits
 *                                                                      for it, its key stays locked until it returns
 *
 * A pass that takes long waits for an answer from far away. It goes on, but its worker does not wait with it: a far end
 * that hangs holds up what is about it (see `groups` of the work queue), and nothing else for longer than a moment.
 *
 * Promises:
 *  1. At most `workers` passes that are not set aside make progress at once, and never two run for one key. How many are
 *     set aside, each of which costs memory and no more, is bounded by the groups of the queue.
 *  2. Whatever a pass does (throw, hang, reject with nonsense), the workers go on and the key comes back with back-off.
 *  3. Every line logged through a pass's log carries its reconcile id.
 *  4. Aborting the signal given to `start` aborts every pass at once and takes no further key.
 *  5. No key is reconciled without end: see `requeue-floor.ts` for one that asks for it, and `rate` of the work queue for
 *     one that is woken by what it writes. However busy, timers and sockets get their turn: see `event-loop.ts`.
 */

/** What a pass is given besides the key. It is not told why it was woken: it looks at the state of the world. */
export interface ReconcileContext {
  /** Ends the work: time is up, or the program stops or has lost its leadership. */
  readonly signal: AbortSignal;
  /**
   * Ends the pass: aborted `statusGraceMs` after {@link signal} when time is up, so that a pass which ran out of time
   * can still write down how far it came; at once when the program stops or leadership is lost.
   */
  readonly statusSignal: AbortSignal;
  readonly reconcileId: string;
  readonly log: Log;
  /** Failures in a row before this pass. */
  readonly failures: number;
}

/** One pass over one object: looks at the state of the world, acts, and says when to come back. */
export type Reconcile = (key: ObjectKey, context: ReconcileContext) => Promise<Outcome>;

/** What a metrics collector hears of. Results have controller-runtime's names, so that stock dashboards work. */
export interface ControllerObserver {
  readonly passed: (result: "success" | "error" | "requeue_after", durationMs: number) => void;
  readonly panicked: () => void;
  readonly timedOut: () => void;
  /** The key was, or will be, held back: it asks for reconciles too often, or is woken too often. */
  readonly throttled: () => void;
  readonly activeWorkers: (count: number) => void;
}

export interface ControllerOptions {
  /** Names the controller in logs and metrics, such as `deployment`. */
  readonly name: string;
  readonly queue: WorkQueue;
  /** Passes at the same time, not counting those that were set aside. */
  readonly workers: number;
  /** How long a pass keeps its worker. Default 1 s. */
  readonly setAsideAfterMs?: number;
  /**
   * Passes that go on without a worker at most; 0 switches it off. Default: no limit, because one for all of them could be
   * filled by some. What bounds them is what bounds passes under way: the groups of the queue.
   */
  readonly maxSetAside?: number;
  readonly reconcile: Reconcile;
  /** How long a pass may work before it is told to end. Default 60 s. */
  readonly passTimeoutMs?: number;
  /** How long it then has left to write its status. Default 30 s. */
  readonly statusGraceMs?: number;
  /**
   * Resolves when the caches that a pass reads are usable. Asked before every pass: a kind can vanish from the server
   * (its CRD was deleted), and a pass over an empty cache would take every object for deleted.
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
  /** Puts the workers to work. `signal` is the leadership: aborting it aborts every pass and ends all workers. */
  start(signal: AbortSignal): void;
  /**
   * Takes no further key and resolves when the last pass has ended, or has been given up.
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
  const passes = new AbortController();
  const workers = new Set<Promise<void>>();
  const aside = new Set<Promise<void>>();
  let active = 0;
  // Every worker listens, and there may be many: that is no leak.
  setMaxListeners(0, taking.signal, passes.signal);

  const work = async (): Promise<void> => {
    for (;;) {
      // Only where it is due: a promise for each reconcile is not free.
      const turned = eventLoop.turn();
      if (turned !== undefined) await turned;
      const item = await takeUsable(options, taking.signal);
      if (item === undefined) return;
      observer?.activeWorkers(++active);
      const pass = new PassUnderWay(options, item, throttle, passes.signal);
      // What is about a far end that is known to be slow would only keep the worker for a second more.
      if (item.isSlow !== true) await pass.freed;
      if (!pass.isOver) await setAside(pass);
      observer?.activeWorkers(--active);
    }
  };

  /** Lets a slow pass go on without its worker; where too many do already, the worker waits for it. */
  const setAside = async (pass: PassUnderWay): Promise<void> => {
    const over = pass.whenOver();
    if (aside.size >= maxSetAside) return await over;
    const kept = over.finally(() => aside.delete(kept));
    aside.add(kept);
  };

  return {
    name,
    queue,
    start: (signal) => {
      follow(signal, taking);
      follow(signal, passes);
      for (let n = 0; n < options.workers; n++) {
        const worker = work().finally(() => workers.delete(worker));
        workers.add(worker);
      }
    },
    drain: async (signal) => {
      taking.abort(new Error(`controller ${name} takes no more work`));
      queue.shutDown();
      follow(signal, passes);
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
    // Asked with the key in hand: however long it had to wait for a key, what it is asked is true when the pass begins.
    if (item !== undefined) await options.whenUsable?.(signal);
    return item;
  } catch (error) {
    if (!signal.aborted) options.log.error({ err: toError(error) }, "worker stopped unexpectedly");
    if (item !== undefined) options.queue.done(item.key);
    return undefined;
  }
}

/** One pass, from its start until it has ended or is given up. */
class PassUnderWay {
  readonly #limits: PassLimits;
  readonly #ended: Promise<void>;
  /** Resolves when the worker need not wait any longer: the pass has ended, was given up, or takes long. */
  readonly freed: Promise<void>;
  #isEnded = false;

  constructor(options: ControllerOptions, item: WorkItem, throttle: Throttle, stopped: AbortSignal) {
    const { clock, queue } = options;
    const startedMs = clock.monotonic();
    const reconcileId = newReconcileId(options.random);
    const log = logWith(options.log, { controller: options.name, object: item.key, reconcileId });
    const limits = new PassLimits(options, stopped, {
      onLong: () => queue.takesLong(item.key),
      onGivenUp: () => {
        // What ignores every signal must not hold up its group for ever.
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

  /** Resolves when the pass has ended or was given up. Never rejects. */
  async whenOver(): Promise<void> {
    await Promise.race([this.#ended, this.#limits.givenUp()]);
  }
}

/** The pass's outcome, where anything it throws is a failed pass. */
async function runContained(options: ControllerOptions, key: ObjectKey, context: ReconcileContext): Promise<Outcome> {
  try {
    return await options.reconcile(key, context);
  } catch (thrown) {
    const error = toError(thrown);
    if (context.signal.aborted) return { kind: "retry", error };
    options.observer?.panicked();
    const level = options.explain?.(error)?.isLogged ? "debug" : "error";
    context.log[level]({ err: error }, "reconcile panicked");
    const notBeforeMs = retryAfterOf(error, options.random);
    return notBeforeMs === undefined ? { kind: "retry", error } : { kind: "retry", error, notBeforeMs };
  }
}

// A proxy with a bad day must not keep an object away from a server that is well again.
const longestRetryAfterMs = 300_000;

/** What the API server asked for (429, 503), spread: whoever was turned away together must not come back together. */
function retryAfterOf(error: Error, random: Random): number | undefined {
  if (!isKubeError(error) || error.retryAfterMs === undefined) return undefined;
  return Math.min(error.retryAfterMs, longestRetryAfterMs) * (1 + random());
}

/** What a reconciler returns is data from far away: nonsense in it must not cost a worker or lose the key. */
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
      observer?.passed("success", durationMs);
      log.debug({ durationMs }, "reconcile finished");
      return;
    case "recheck": {
      assertFinite(outcome.afterMs);
      const afterMs = throttle.requeue(item, outcome.afterMs, log);
      queue.forget(item.key);
      queue.add(item.key, { afterMs, priority: outcome.priority });
      observer?.passed("requeue_after", durationMs);
      log.debug({ durationMs, afterMs }, "reconcile finished, requeued");
      return;
    }
    case "retry": {
      const { error, notBeforeMs } = outcome;
      assertFinite(notBeforeMs, error);
      throttle.release(item, log);
      queue.retry(item.key, notBeforeMs === undefined ? {} : { notBeforeMs });
      observer?.passed("error", durationMs);
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

/** Holds back keys that ask for reconciles without end, and says so of each that is held back, once per episode. */
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

  /** When a key comes back that wants to do so in `wishMs`. */
  requeue(item: WorkItem, wishMs: number, log: Log): number {
    const afterMs = this.#floor.raise(item.key, wishMs);
    if (item.isHeldBack || afterMs > wishMs) this.#tell(item.key, log);
    return afterMs;
  }

  /** The key does not come back by itself, or after its back-off. */
  release(item: WorkItem, log: Log): void {
    this.#floor.reset(item.key);
    if (item.isHeldBack) this.#tell(item.key, log);
  }

  #tell(key: ObjectKey, log: Log): void {
    this.#observer?.throttled();
    if (this.#warned.get(key) === undefined) log.warn({}, "reconciles are too frequent, throttling");
    this.#warned.set(key, true);
  }
}

/** The time limits of one pass, and the moments when waiting for it ends. */
class PassLimits {
  readonly work = new LateAbort();
  readonly status = new LateAbort();
  readonly #stopped: AbortSignal;
  readonly #onStop: () => void;
  readonly #onGivenUp: () => void;
  #timer: Timer;
  #free: () => void = () => undefined;
  #resolveGivenUp: () => void = () => undefined;
  /** Resolves when the pass takes long, or is given up. */
  readonly freed: Promise<void>;
  /** The work limit was reached. */
  ranOut = false;
  isGivenUp = false;

  constructor(
    options: ControllerOptions,
    stopped: AbortSignal,
    { onLong, onGivenUp }: { readonly onLong: () => void; readonly onGivenUp: () => void },
  ) {
    const { clock, passTimeoutMs = 60_000, statusGraceMs = 30_000 } = options;
    const setAsideAfterMs = Math.min(options.setAsideAfterMs ?? 1_000, passTimeoutMs);
    this.#onGivenUp = onGivenUp;
    this.freed = new Promise((resolve) => {
      this.#free = resolve;
    });
    const takesLong = () => {
      onLong();
      this.#free();
      this.#timer = clock.setTimer(timeUp, passTimeoutMs - setAsideAfterMs);
    };
    const timeUp = () => {
      this.ranOut = true;
      this.work.abort(new Error(`reconcile took longer than ${passTimeoutMs} ms`));
      this.#timer = clock.setTimer(over, statusGraceMs);
    };
    const over = () => {
      this.status.abort(new Error(`reconcile took longer than ${passTimeoutMs} + ${statusGraceMs} ms`));
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

  /** Resolves when the pass ignored all limits. */
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

/** An AbortController that is made when its signal is asked for: most passes wait for nothing, and making two is not free. */
class LateAbort {
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      // A pass may have many calls under way at once.
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

// What an aborted call may take to unwind before its pass counts as hanging.
const abandonAfterMs = 1_000;

/** 12 hexadecimal digits: short enough to read aloud, unlikely enough to be met twice in one log. */
function newReconcileId(random: Random): string {
  const half = () =>
    Math.floor(random() * 0x1000000)
      .toString(16)
      .padStart(6, "0");
  return half() + half();
}
