import { setMaxListeners } from "node:events";
import { follow } from "../util/abort.ts";
import { assertNever } from "../util/assert-never.ts";
import type { Clock, Timer } from "../util/clock.ts";
import { toError } from "../util/errors.ts";
import { type Log, logWith } from "../util/log.ts";
import type { Random } from "../util/random.ts";
import type { ObjectKey, Outcome } from "./outcome.ts";
import type { WorkItem, WorkQueue } from "./work-queue.ts";

/*
 * Workers that take keys from a queue and run one pass for each.
 *
 *      |<------ passTimeoutMs ------>|<-- statusGraceMs -->|
 *      pass starts                   signal aborts         statusSignal aborts; a pass that still
 *                                                          does not return is given up: its worker goes on,
 *                                                          its key stays locked until it returns
 *
 * Promises:
 *  1. At most `workers` passes make progress at once, and never two for one key.
 *  2. Whatever a pass does (throw, hang, reject with nonsense), the workers go on and the key comes back with back-off.
 *  3. Every line logged through a pass's log carries its reconcile id.
 *  4. Aborting the signal given to `start` aborts every pass at once and takes no further key.
 */

/** What a pass is given besides the key. It is not told why it was woken: it looks at the state of the world. */
export interface PassContext {
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
export type Reconcile = (key: ObjectKey, context: PassContext) => Promise<Outcome>;

/** What a metrics collector hears of. Results have controller-runtime's names, so that stock dashboards work. */
export interface ControllerObserver {
  readonly passed: (result: "success" | "error" | "requeue_after", durationMs: number) => void;
  readonly panicked: () => void;
  readonly timedOut: () => void;
  readonly activeWorkers: (count: number) => void;
}

export interface ControllerOptions {
  /** Names the controller in logs and metrics, such as `deployment`. */
  readonly name: string;
  readonly queue: WorkQueue;
  /** Passes at the same time. */
  readonly workers: number;
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
  const { name, queue, observer } = options;
  const taking = new AbortController();
  const passes = new AbortController();
  const workers = new Set<Promise<void>>();
  let active = 0;
  // Every worker listens, and there may be many: that is no leak.
  setMaxListeners(0, taking.signal, passes.signal);

  const work = async (): Promise<void> => {
    for (;;) {
      const item = await takeUsable(options, taking.signal);
      if (item === undefined) return;
      observer?.activeWorkers(++active);
      await runPass(options, item, passes.signal);
      observer?.activeWorkers(--active);
    }
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
    if (!signal.aborted) options.log.error({ err: toError(error) }, "worker stopped: waiting for work failed");
    if (item !== undefined) options.queue.done(item.key);
    return undefined;
  }
}

/** Runs one pass to its end or until it is given up. Never rejects. */
async function runPass(options: ControllerOptions, item: WorkItem, stopped: AbortSignal): Promise<void> {
  const { clock, queue } = options;
  const startedMs = clock.monotonic();
  const limits = new PassLimits(options, stopped);
  const reconcileId = newReconcileId(options.random);
  const log = logWith(options.log, { controller: options.name, object: item.key, reconcileId });
  const failures = queue.failures(item.key);

  const context: PassContext = {
    get signal() {
      return limits.work.signal;
    },
    get statusSignal() {
      return limits.status.signal;
    },
    reconcileId,
    log,
    failures,
  };
  const pass = runContained(options, item.key, context);
  const ended = pass.then((outcome) => {
    limits.end();
    if (limits.ranOut) options.observer?.timedOut();
    concludeContained(options, item, log, outcome, clock.monotonic() - startedMs);
    queue.done(item.key);
  });
  await Promise.race([ended, limits.givenUp]);
  if (limits.isGivenUp)
    log.error({ durationMs: clock.monotonic() - startedMs }, "pass does not end; its worker goes on");
}

/** The pass's outcome, where anything it throws is a failed pass. */
async function runContained(options: ControllerOptions, key: ObjectKey, context: PassContext): Promise<Outcome> {
  try {
    return await options.reconcile(key, context);
  } catch (thrown) {
    const error = toError(thrown);
    if (context.signal.aborted) return { kind: "retry", error };
    options.observer?.panicked();
    context.log.error({ err: error }, "pass threw; it is retried with back-off");
    return { kind: "retry", error };
  }
}

/** What a reconciler returns is data from far away: nonsense in it must not cost a worker or lose the key. */
function concludeContained(
  options: ControllerOptions,
  item: WorkItem,
  log: Log,
  outcome: Outcome,
  durationMs: number,
): void {
  try {
    conclude(options, item, log, outcome, durationMs);
  } catch (error) {
    options.observer?.panicked();
    log.error({ err: toError(error) }, "pass returned no outcome; it is retried with back-off");
    options.queue.retry(item.key);
  }
}

/** The one place where an outcome becomes a call of the queue. */
function conclude(options: ControllerOptions, item: WorkItem, log: Log, outcome: Outcome, durationMs: number): void {
  const { queue, observer } = options;
  switch (outcome.kind) {
    case "settled":
      queue.forget(item.key);
      observer?.passed("success", durationMs);
      log.debug({ durationMs }, "pass settled");
      return;
    case "recheck":
      queue.forget(item.key);
      queue.add(item.key, { afterMs: outcome.afterMs, priority: outcome.priority });
      observer?.passed("requeue_after", durationMs);
      log.debug({ durationMs, afterMs: outcome.afterMs }, "pass done, looking again later");
      return;
    case "retry":
      queue.retry(item.key, outcome.notBeforeMs === undefined ? {} : { notBeforeMs: outcome.notBeforeMs });
      observer?.passed("error", durationMs);
      log.warn({ durationMs, err: outcome.error, failures: queue.failures(item.key) }, "pass failed, retrying");
      return;
    default:
      assertNever(outcome, "outcome");
  }
}

/** The two time limits of one pass, and the moment when waiting for it ends. */
class PassLimits {
  readonly work = new LateAbort();
  readonly status = new LateAbort();
  readonly #stopped: AbortSignal;
  readonly #onStop: () => void;
  #timer: Timer;
  #giveUp: () => void = () => undefined;
  /** Resolves when the pass ignored both limits. */
  readonly givenUp: Promise<void>;
  /** The work limit was reached. */
  ranOut = false;
  isGivenUp = false;

  constructor(options: ControllerOptions, stopped: AbortSignal) {
    const { clock, passTimeoutMs = 60_000, statusGraceMs = 30_000 } = options;
    this.givenUp = new Promise((resolve) => {
      this.#giveUp = resolve;
    });
    const timeUp = () => {
      this.ranOut = true;
      this.work.abort(new Error(`pass took longer than ${passTimeoutMs} ms`));
      this.#timer = clock.setTimer(over, statusGraceMs);
    };
    const over = () => {
      this.status.abort(new Error(`pass took longer than ${passTimeoutMs} + ${statusGraceMs} ms`));
      this.#timer = clock.setTimer(() => this.#abandon(), abandonAfterMs);
    };
    this.#timer = clock.setTimer(timeUp, passTimeoutMs);
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

  #abandon(): void {
    this.isGivenUp = true;
    this.#giveUp();
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
