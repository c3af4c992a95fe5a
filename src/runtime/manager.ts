import { setMaxListeners } from "node:events";
import { follow } from "../util/abort.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import type { Controller } from "./controller.ts";
import type { Leadership } from "./leader-election.ts";

/*
 * Starts, gates and stops what the program is made of.
 *
 *      start                        stop (within graceMs)
 *      -----                        ---------------------
 *      caches                       readiness off
 *      | first controller's         controllers take no more; reconciles finish, then are aborted
 *      | caches are filled          what was put off is written
 *      compete for leadership       Events are sent
 *      | leading                    caches end
 *      controllers, each as soon    the Lease is released, last: until then no other replica may act
 *      as its own caches are filled
 *
 * A standby has its caches warm and its queues filled, and is ready while another replica leads. A kind whose CRD is
 * missing keeps its own controllers waiting, and no others. When leadership is lost everything in flight is aborted at
 * once.
 */

/** One statement of readiness. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  /** Why not. When `ok`: what is missing all the same; empty when nothing is. */
  readonly reason: string;
}

/** What the manager needs of a reflector. */
export interface Cache {
  readonly resource: { readonly plural: string };
  start(): void;
  stop(): Promise<void>;
  hasSynced(): boolean;
  whenSynced(signal: AbortSignal): Promise<void>;
  check(): { readonly ok: true; readonly note?: string } | { readonly ok: false; readonly reason: string };
  nudge(): void;
}

/** Something to wait for. */
export type Readable = Pick<Cache, "resource" | "hasSynced" | "whenSynced">;

/** A controller and what it waits for. */
export interface ManagedController {
  readonly controller: Controller;
  /** What its reconciles read; they wait until all of it is filled. */
  readonly reads: readonly Readable[];
}

export interface ManagerOptions {
  readonly caches: readonly Cache[];
  readonly controllers: readonly ManagedController[];
  readonly leadership: Leadership;
  /** Sends what is left of the Events; see `Events.drain`. */
  readonly drainEvents?: (signal: AbortSignal) => Promise<void>;
  /**
   * Writes what reconciles put off, such as statuses that the server did not take at once. Called after the last of
   * them.
   */
  readonly flush?: (signal: AbortSignal) => Promise<void>;
  /** How long stopping may take. Default 30 s. */
  readonly graceMs?: number;
  /** How late the oldest due key, or how old a reconcile, may be before the program counts as stuck. Default 5 min. */
  readonly overdueMs?: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** The running program: started in order, gated by leadership, stopped in reverse. */
export interface Manager extends AsyncDisposable {
  /**
   * Runs until `signal` is aborted (`stopped`) or leadership is lost (`lost`: end the process, something else leads).
   * Resolves when everything has ended. Call it once. Never rejects.
   */
  run(signal: AbortSignal): Promise<"stopped" | "lost">;
  /** What readiness is made of, now. */
  checks(): readonly Check[];
  /** To be called when the API server was reached after failures: caches retry at once. */
  nudge(): void;
}

// Reserved of the grace period for what follows the reconciles: Events, caches, the Lease.
const reservedShare = 1 / 6;
// A former leader must have ended before its successor has caught up; it can write nothing of value any more.
const lostGraceMs = 2_000;

/** Composes a manager; nothing runs before `run`. */
export function createManager(options: ManagerOptions): Manager {
  const stopping = new AbortController();
  // One listener per controller and cache that is waited for: that is no leak.
  setMaxListeners(0, stopping.signal);
  const progress = new StartProgress(options);
  let running: Promise<unknown> = Promise.resolve();

  const run = async (signal: AbortSignal): Promise<"stopped" | "lost"> => {
    follow(signal, stopping);
    const leadership = await start(options, progress, stopping.signal);
    if (leadership !== undefined) await aborted(leadership, stopping.signal);
    const isLost = !stopping.signal.aborted;
    stopping.abort(new Error("leadership lost"));
    await stop(options, isLost ? lostGraceMs : (options.graceMs ?? 30_000));
    return isLost ? "lost" : "stopped";
  };

  return {
    run: (signal) => {
      const ended = run(signal);
      running = ended;
      return ended;
    },
    checks: () => [
      stoppingCheck(stopping.signal),
      ...options.caches.map(cacheCheck),
      electionCheck(options, progress),
      ...controllerChecks(options, progress),
    ],
    nudge: () => {
      for (const cache of options.caches) cache.nudge();
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort(new Error("disposed"));
      await running;
    },
  };
}

/** Resolves when all the given caches are filled at the same time. Meant for `ControllerOptions.whenUsable`. */
export function whenAllSynced(caches: readonly Readable[]): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    for (let missing = unsynced(caches); missing !== undefined; missing = unsynced(caches)) {
      await missing.whenSynced(signal);
    }
  };
}

function unsynced(caches: readonly Readable[]): Readable | undefined {
  return caches.find((cache) => !cache.hasSynced());
}

/** Starts everything in order. Returns the leadership once it is had, `undefined` when stopped before. */
async function start(
  options: ManagerOptions,
  progress: StartProgress,
  signal: AbortSignal,
): Promise<AbortSignal | undefined> {
  const { caches, controllers, leadership, log } = options;
  for (const cache of caches) cache.start();
  try {
    // Who could do nothing with it does not take the lead from a replica that could.
    await firstOf(controllers.map(({ reads }) => whenAllSynced(reads)(signal)));
    leadership.start();
    progress.isCompeting = true;
    const leading = await leadership.whenLeading(signal);
    for (const { controller, reads } of controllers) {
      void whenAllSynced(reads)(signal).then(
        () => {
          startController(controller, leading, signal, log);
          progress.started.add(controller);
        },
        // Stopped before its caches were filled: there is nothing to start.
        () => undefined,
      );
    }
    return leading;
  } catch (error) {
    if (!signal.aborted) log.error({ err: error }, "failed to acquire leadership");
    return undefined;
  }
}

function startController(controller: Controller, leading: AbortSignal, stopping: AbortSignal, log: Log): void {
  if (stopping.aborted || leading.aborted) return;
  log.info({ controller: controller.name }, "controller started");
  controller.start(leading);
}

// From filled caches to a running controller it takes a moment; a wait that never ends must not pass for health.
const longestStartMs = 30_000;

/** How far the start has come, to notice one that is stuck. Times are those of the checks that a kubelet makes. */
class StartProgress {
  readonly started = new Set<Controller>();
  isCompeting = false;
  readonly #options: ManagerOptions;
  readonly #dueSinceMs = new Map<Controller, number>();

  constructor(options: ManagerOptions) {
    this.#options = options;
  }

  /** Why a controller that should run does not; `undefined` while all is well, or for a standby. */
  problemOf({ controller, reads }: ManagedController): string | undefined {
    const { leadership, clock } = this.#options;
    const isDue = !this.isCompeting || leadership.isLeaderFor(0);
    // The check of the cache that is missing fails as well: this one says what follows, and makes nothing unready
    // alone.
    const missing = reads.filter((cache) => !cache.hasSynced()).map(({ resource }) => resource.plural);
    if (this.started.has(controller) || !isDue || missing.length > 0) {
      this.#dueSinceMs.delete(controller);
      return missing.length > 0 ? `waiting for ${missing.join(", ")}` : undefined;
    }
    const nowMs = clock.monotonic();
    const sinceMs = this.#dueSinceMs.get(controller) ?? nowMs;
    this.#dueSinceMs.set(controller, sinceMs);
    if (nowMs - sinceMs < longestStartMs) return undefined;
    const step = this.isCompeting ? "the lease is held" : "leader election has not started";
    return `not started ${seconds(nowMs - sinceMs)} after its caches were synced (${step})`;
  }

  /** There is no leader, as far as is known: neither this process nor another one. */
  isLeaderless(): boolean {
    const { leadership } = this.#options;
    if (!this.isCompeting || leadership.isLeaderFor(0)) return false;
    const result = leadership.check();
    return !result.ok || result.note !== undefined;
  }
}

/** Stops everything in reverse order. Each step gets what the ones before have left of the time. Never rejects. */
async function stop(options: ManagerOptions, graceMs: number): Promise<void> {
  const { caches, controllers, leadership, clock, log } = options;
  const reconcilesMs = graceMs * (1 - reservedShare);
  log.info({ graceMs }, "shutting down");
  const reconciles = deadline(clock, reconcilesMs, "shutdown left no more time for reconciles");
  const all = deadline(clock, graceMs, "grace period is over");
  const step = async (name: string, work: Promise<unknown> | undefined): Promise<void> => {
    try {
      // A step that ignores its signal costs the rest of the grace period, and no more.
      await Promise.race([work, aborted(all.signal)]);
    } catch (error) {
      log.error({ err: error, step: name }, "shutdown step failed");
    }
  };
  await step("reconciles", Promise.all(controllers.map(({ controller }) => controller.drain(reconciles.signal))));
  reconciles.cancel();
  await step("flush", options.flush?.(all.signal));
  await step("events", options.drainEvents?.(all.signal));
  await step("caches", Promise.all(caches.map((cache) => cache.stop())));
  await step("leadership", leadership.release());
  all.cancel();
  log.info({}, "shutdown finished");
}

function stoppingCheck(stopping: AbortSignal): Check {
  return check("running", stopping.aborted ? "stopping" : undefined);
}

function cacheCheck(cache: Cache): Check {
  return checkOf(`cache/${cache.resource.plural}`, cache.check());
}

function electionCheck({ leadership }: ManagerOptions, { isCompeting }: StartProgress): Check {
  if (!isCompeting) return note("election", "not started, no controller has its caches synced");
  return checkOf("election", leadership.check());
}

function controllerChecks(
  { controllers, overdueMs = 300_000 }: ManagerOptions,
  progress: StartProgress,
): readonly Check[] {
  return controllers.map((managed) => {
    const { queue } = managed.controller;
    const name = `controller/${managed.controller.name}`;
    const dueMs = queue.oldestDueMs();
    const { longestRunningMs } = queue.stats();
    const overdue = dueMs > overdueMs ? `oldest due object has waited for ${seconds(dueMs)}` : undefined;
    const stuck = longestRunningMs > overdueMs ? `a reconcile has run for ${seconds(longestRunningMs)}` : undefined;
    const problem = progress.problemOf(managed) ?? overdue ?? stuck;
    // A standby does not run either, and lacks nothing: what is worth reporting is the missing leader.
    const isLeaderless = problem === undefined && progress.isLeaderless();
    return isLeaderless ? note(name, "waiting for leader election") : check(name, problem);
  });
}

function checkOf(name: string, result: ReturnType<Cache["check"]>): Check {
  if (!result.ok) return check(name, result.reason);
  return note(name, result.note ?? "");
}

/** Something is missing, but the program is ready; an empty text: nothing is. */
function note(name: string, missing: string): Check {
  return { name, ok: true, reason: missing };
}

function check(name: string, problem: string | undefined): Check {
  return { name, ok: problem === undefined, reason: problem ?? "" };
}

function seconds(durationMs: number): string {
  return `${Math.round(durationMs / 1_000)} s`;
}

/** Resolves with the first that does, at once if there are none; rejects when the last one has. */
async function firstOf(promises: readonly Promise<void>[]): Promise<void> {
  if (promises.length > 0) await Promise.any(promises);
}

function aborted(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    }
  });
}

function deadline(clock: Clock, afterMs: number, message: string): { signal: AbortSignal; cancel: () => void } {
  const abort = new AbortController();
  const timer = clock.setTimer(() => abort.abort(new Error(message)), afterMs);
  return { signal: abort.signal, cancel: () => timer.cancel() };
}
