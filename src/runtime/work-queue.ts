import { type BackoffPolicy, backoffDelayMs } from "../util/backoff.ts";
import type { Clock, Timer } from "../util/clock.ts";
import type { Random } from "../util/random.ts";
import { Heap, type HeapNode, isBefore } from "./heap.ts";
import type { ObjectKey, Priority } from "./outcome.ts";
import { Recent } from "./recent.ts";

/*
 * Which keys are to be reconciled, and when.
 *
 *                 add, due later                 its time has come
 *      (absent) ------------------> delayed ---------------------------> ready
 *         |                            | add, due now (earlier wins)       ^ |
 *         | add, due now               +-----------------------------------+ | get
 *         +------------------------------------------------------------------+
 *                                                                          | v
 *      (absent) <------------------ done, nothing added meanwhile ---- processing
 *                                                                          |
 *      delayed or ready <---------- done, added meanwhile -----------------+
 *
 * A key of a group that has as many keys processing as it may is parked when its turn comes, and is ready again when
 * one of them is done. It is then offered the place that became free, and hands the offer on to the next parked one
 * when it does not use it (its object was deleted, or belongs elsewhere by now). So a group has parked keys only while
 * at least one of its places is used or offered.
 *
 * Groups lie in one another, and what a narrow one may have can depend on what the wider one has left (`share`):
 *
 *      all 192   |#### ns a ####|## ns b ##|                            |
 *                                           <---------- left ---------->   a namespace may have as many as are left,
 *      ns a      |## c1 ##|# c2 #|#c3#|              |                     a connection an eighth of what its namespace
 *                                      <--- left --->                      has left, and so on: one that hangs gets much,
 *                                                                          many that hang get little each, and whoever
 *                                                                          comes next finds a place.
 *
 * Promises:
 *  1. A key is in the queue once, however often it is added; no two workers have it at the same time.
 *  2. Every add is followed by a hand-out that begins after it. A key added while it is being processed comes again.
 *  3. Of several due times the earliest wins, of several priorities the most urgent.
 *  4. A more urgent class goes first, and within a class who was ready first. Each `agingMs` that a key has waited
 *     counts as one class, so nothing that becomes ready `2.5 * agingMs` later can overtake it: none starves.
 *  5. There is one timer, whatever the number of delayed keys, and none when no key is delayed.
 *  6. Of one group at most so many keys are processed at the same time. Those that are parked delay no others, and
 *     keep their order, also when their group may have more places than before.
 *  7. A namespace with many ready keys lets those of others through between its own: each of its keys counts as ready
 *     `crowdStepMs` after the one before, up to `agingMs / 2` in all. Its own keys keep their order.
 *  8. A key is handed out `rate.burst` times in a row and from then on once per `rate.intervalMs`, whatever adds it:
 *     one that its own writes enqueue does not keep all workers busy, and a change is late by one interval at most.
 *  9. After `shutDown` nothing is handed out and nothing is accepted; `drained` resolves when the last reconcile has
 *     ended.
 */

/** One key handed to a worker, who must call {@link WorkQueue.done} for it. */
export interface WorkItem {
  readonly key: ObjectKey;
  /** The class the key was added with; a retry keeps it. */
  readonly priority: Priority;
  /** The key was due earlier, but is handed out too often. */
  readonly isHeldBack?: true;
  /** Another key of a group that is slow together takes long already, see {@link WorkQueue.takesLong}. */
  readonly isSlow?: true;
}

/** How often one key is handed out: `burst` times in a row, then once per `intervalMs`. */
export interface WorkQueueRate {
  readonly burst: number;
  readonly intervalMs: number;
}

/** What metrics are fed with as it happens; the gauges are read with {@link WorkQueue.stats}. */
export interface WorkQueueObserver {
  /** A key that was not waiting before now waits, at once or later. */
  readonly added: () => void;
  /** A reconcile failed, and its key comes back after its back-off. */
  readonly retried: () => void;
  /** A key was handed out, `waitedMs` after it had become ready. */
  readonly started: (waitedMs: number) => void;
  readonly finished: (workedMs: number) => void;
}

/** A queue at one moment, for metrics and readiness. */
export interface WorkQueueStats {
  /** Keys that are ready and wait for a worker, by the class they were added with. */
  readonly ready: Readonly<Record<Priority, number>>;
  /** Keys whose time has not come. */
  readonly delayed: number;
  readonly processing: number;
  /** Time spent so far on all reconciles that have not ended, in milliseconds. */
  readonly unfinishedMs: number;
  readonly longestRunningMs: number;
}

/** Grows from 1 s, doubling, to 15 min; half of each delay is drawn at random. */
export const defaultQueueBackoff: BackoffPolicy = { baseMs: 1_000, factor: 2, capMs: 900_000, jitter: 0.5 };

/** Far more than a change and all that it enqueues take; far less than it takes to fill one core. */
export const defaultQueueRate: WorkQueueRate = { burst: 20, intervalMs: 500 };

/** When a key is to be handed out, and how urgent it is. */
interface Due {
  /** When the key is, or was, due on the monotonic clock. Aging and `oldestDueMs` count from here. */
  dueMs: number;
  priority: Priority;
  /** It was due earlier, but the key is handed out too often. */
  isHeldBack?: boolean;
}

interface Waiting extends HeapNode, Due {
  readonly key: ObjectKey;
  /** How much later it counts as ready because of others of its namespace; missing until it is ready. */
  crowdMs: number | undefined;
  /** Where it is parked: the full group, and all its groups at that time. */
  parked: { readonly in: string; readonly groups: readonly WorkGroup[] } | undefined;
  /** Names of the groups that offer it a place which became free. */
  offers: readonly string[];
}

interface Processing {
  readonly startedMs: number;
  readonly priority: Priority;
  /** The groups it counts for; none when it was given up. */
  groups: readonly WorkGroup[];
  takesLong: boolean;
  /** What was added meanwhile. */
  again: Due | undefined;
}

/** Keys that depend on the same thing that can be slow, such as an account. */
export interface WorkGroup {
  /** Unique among all groups of the queue, narrow and wide. */
  readonly name: string;
  /** Keys of the group that are processed at the same time at most. */
  readonly limit: number;
  /**
   * How much of what the next wider group has left it may have besides, such as 0.5 for half of it; one place in any
   * case, as long as the wider group has one. Without it only `limit` counts.
   */
  readonly share?: number;
  /** Its keys wait for the same remote end: when one takes long, the others probably will. */
  readonly isSlowTogether?: true;
}

/**
 * The groups of a key as they are now, none for no limit. Called when the key is ready and when it is added again.
 * Narrow ones first, and all keys of a narrow group must be in the wider ones too, as projects are in an account.
 */
export type WorkQueueGroups = (key: ObjectKey) => readonly WorkGroup[];

const classes: Readonly<Record<Priority, number>> = { change: 0, follow: 1, resync: 2 };

/** About what a reconcile takes: so a newcomer waits for about as many reconciles of a crowd as it came later. */
const crowdStepMs = 10;

/** The queue of one controller. Its states and promises stand at the top of this file. */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #backoff: BackoffPolicy;
  readonly #agingMs: number;
  readonly #observer: WorkQueueObserver | undefined;
  readonly #groupsOf: WorkQueueGroups;
  readonly #rate: WorkQueueRate;

  readonly #waiting = new Map<ObjectKey, Waiting>();
  readonly #delayed = new Heap<Waiting>();
  readonly #ready = new Heap<Waiting>();
  readonly #parked = new Map<string, Heap<Waiting>>();
  readonly #busy = new Map<string, number>();
  /** Of groups that are slow together, how many of their keys take long. */
  readonly #slow = new Map<string, number>();
  readonly #processing = new Map<ObjectKey, Processing>();
  /** When the next ready key of a namespace counts as ready, while others wait. */
  readonly #crowds = new Map<string, number>();
  readonly #failures = new Map<ObjectKey, number>();
  /** When a key that is handed out again and again has its whole burst back. */
  readonly #restedMs: Recent<number>;
  readonly #takers = new Set<(item: WorkItem | undefined) => void>();
  readonly #drainers = new Set<() => void>();

  #order = 0;
  #timer: { readonly handle: Timer; readonly dueMs: number } | undefined;
  #isOpen = false;
  #isShutDown = false;

  /**
   * `agingMs` is what a wait must last to count as one class (default 10 s); 0 makes it first come, first served.
   * Without `groups` only the number of workers limits what is processed at the same time.
   */
  constructor(options: {
    readonly clock: Clock;
    readonly random: Random;
    readonly backoff?: BackoffPolicy;
    readonly agingMs?: number;
    readonly observer?: WorkQueueObserver;
    readonly groups?: WorkQueueGroups;
    readonly rate?: WorkQueueRate;
  }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#backoff = options.backoff ?? defaultQueueBackoff;
    this.#agingMs = options.agingMs ?? 10_000;
    this.#observer = options.observer;
    this.#groupsOf = options.groups ?? (() => []);
    this.#rate = options.rate ?? defaultQueueRate;
    this.#restedMs = new Recent(this.#clock, (this.#rate.burst + 1) * this.#rate.intervalMs);
  }

  /** Enqueues `key`, `afterMs` from now (default 0) in the given class (default `change`). */
  add(key: ObjectKey, options: { readonly priority?: Priority; readonly afterMs?: number } = {}): void {
    if (this.#isShutDown) return;
    const dueMs = this.#clock.monotonic() + wait(options.afterMs);
    this.#enqueue(key, { dueMs, priority: options.priority ?? "change" });
  }

  /**
   * Requeues a key after a failed reconcile: later with every failure in a row, and not before `notBeforeMs` from now.
   * An `add` in between brings it forward. The class is the one given, else that of the reconcile under way.
   */
  retry(key: ObjectKey, options: { readonly notBeforeMs?: number; readonly priority?: Priority } = {}): void {
    if (this.#isShutDown) return;
    const failures = this.failures(key) + 1;
    this.#failures.set(key, failures);
    this.#observer?.retried();
    const afterMs = Math.max(backoffDelayMs(this.#backoff, failures, this.#random), wait(options.notBeforeMs));
    const priority = options.priority ?? this.#processing.get(key)?.priority ?? "change";
    this.#enqueue(key, { dueMs: this.#clock.monotonic() + afterMs, priority });
  }

  /** Forgets the failures of `key`; a reconcile that is due or delayed stays so. */
  forget(key: ObjectKey): void {
    this.#failures.delete(key);
  }

  /** Failures in a row since the last {@link forget}. */
  failures(key: ObjectKey): number {
    return this.#failures.get(key) ?? 0;
  }

  /**
   * The next key, as soon as there is one; `undefined` once the queue is shut down.
   *
   * *Errors*: rejects with the signal's reason when it is aborted; no key is lost then.
   */
  get(signal?: AbortSignal): Promise<WorkItem | undefined> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#isShutDown) return Promise.resolve(undefined);
    this.#open();
    const next = this.#takeReady();
    if (next !== undefined) return Promise.resolve(next);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#takers.delete(taker);
        reject(signal?.reason);
      };
      const taker = (item: WorkItem | undefined) => {
        signal?.removeEventListener("abort", onAbort);
        resolve(item);
      };
      this.#takers.add(taker);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Ends the reconcile of `key`. If it was added meanwhile it waits again, and has waited since then. */
  done(key: ObjectKey): void {
    const processing = this.#processing.get(key);
    if (processing === undefined) throw new Error(`work queue: "${key}" is not being processed, so it cannot be done`);
    this.#processing.delete(key);
    this.#observer?.finished(this.#clock.monotonic() - processing.startedMs);
    // Before the key itself: one that is added again and again must not keep its place in the group.
    this.#leaveGroups(processing);
    if (processing.again !== undefined && !this.#isShutDown) this.#insert(key, this.#heldBack(key, processing.again));
    if (this.#processing.size === 0) this.#notifyDrainers();
  }

  /**
   * The reconcile of `key` does not end: it no longer counts for its group. The key itself stays locked until `done`.
   */
  giveUp(key: ObjectKey): void {
    const processing = this.#processing.get(key);
    if (processing !== undefined) this.#leaveGroups(processing);
  }

  /** The reconcile of `key` takes long: those of its groups that are slow together probably will, too. */
  takesLong(key: ObjectKey): void {
    const processing = this.#processing.get(key);
    if (processing === undefined || processing.takesLong) return;
    processing.takesLong = true;
    for (const { name, isSlowTogether } of processing.groups) if (isSlowTogether) count(this.#slow, name, 1);
  }

  /** Hands out nothing more and drops what waits. Idle workers get `undefined`; reconciles under way continue. */
  shutDown(): void {
    this.#isShutDown = true;
    this.#timer?.handle.cancel();
    this.#timer = undefined;
    for (const taker of this.#takers) taker(undefined);
    this.#takers.clear();
  }

  /** Resolves when no reconcile is under way. Meant for after {@link shutDown}. */
  drained(): Promise<void> {
    if (this.#processing.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drainers.add(resolve));
  }

  /**
   * For how long the most patient key has been due without being worked on, in milliseconds; 0 when none is. While
   * no worker has asked for a key yet (a standby) nothing counts as overdue, and neither does what is parked: it waits
   * for reconciles of its group, and `longestRunningMs` shows whether those end.
   */
  oldestDueMs(): number {
    if (!this.#isOpen || this.#isShutDown) return 0;
    let oldestMs = this.#delayed.peek()?.dueMs ?? Number.POSITIVE_INFINITY;
    for (const { dueMs } of this.#ready.nodes) oldestMs = Math.min(oldestMs, dueMs);
    for (const { again } of this.#processing.values()) oldestMs = Math.min(oldestMs, again?.dueMs ?? oldestMs);
    return Math.max(0, this.#clock.monotonic() - oldestMs);
  }

  /** Until `key` is due, in milliseconds, negative when it is overdue; `undefined` where it does not wait. */
  dueInMs(key: ObjectKey): number | undefined {
    const waiting = this.#waiting.get(key);
    return waiting && waiting.dueMs - this.#clock.monotonic();
  }

  /** The keys that are being reconciled, with the time since they were handed out, in milliseconds. */
  running(): readonly (readonly [key: ObjectKey, runningMs: number])[] {
    const nowMs = this.#clock.monotonic();
    return [...this.#processing].map(([key, { startedMs }]) => [key, nowMs - startedMs]);
  }

  stats(): WorkQueueStats {
    const ready = { change: 0, follow: 0, resync: 0 };
    for (const { priority } of this.#ready.nodes) ready[priority] += 1;
    for (const parked of this.#parked.values()) for (const { priority } of parked.nodes) ready[priority] += 1;
    const nowMs = this.#clock.monotonic();
    const runningMs = [...this.#processing.values()].map(({ startedMs }) => nowMs - startedMs);
    return {
      ready,
      delayed: this.#delayed.size,
      processing: this.#processing.size,
      unfinishedMs: runningMs.reduce((sum, ms) => sum + ms, 0),
      longestRunningMs: Math.max(0, ...runningMs),
    };
  }

  #enqueue(key: ObjectKey, due: Readonly<Due>): void {
    const processing = this.#processing.get(key);
    if (processing !== undefined) {
      if (processing.again === undefined) this.#observer?.added();
      processing.again = merged(processing.again, due);
      return;
    }
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) {
      this.#observer?.added();
      this.#insert(key, this.#heldBack(key, due));
      return;
    }
    const { dueMs, priority, isHeldBack } = merged(waiting, this.#heldBack(key, due));
    waiting.isHeldBack = isHeldBack === true;
    if (dueMs === waiting.dueMs && priority === waiting.priority && !this.#isParkedElsewhere(waiting)) return;
    this.#delayed.remove(waiting);
    this.#ready.remove(waiting);
    this.#removeParked(waiting);
    waiting.dueMs = dueMs;
    waiting.priority = priority;
    this.#file(waiting);
    this.#arm();
  }

  /** Not earlier than the rate of the key allows. */
  #heldBack(key: ObjectKey, due: Readonly<Due>): Readonly<Due> {
    const { burst, intervalMs } = this.#rate;
    const earliestMs = (this.#restedMs.get(key) ?? Number.NEGATIVE_INFINITY) - (burst - 1) * intervalMs;
    return due.dueMs < earliestMs ? { ...due, dueMs: earliestMs, isHeldBack: true } : due;
  }

  #insert(key: ObjectKey, due: Readonly<Due>): void {
    const waiting: Waiting = {
      key,
      dueMs: due.dueMs,
      priority: due.priority,
      isHeldBack: due.isHeldBack === true,
      rank: 0,
      order: this.#order++,
      slot: -1,
      crowdMs: undefined,
      parked: undefined,
      offers: [],
    };
    this.#waiting.set(key, waiting);
    this.#file(waiting);
  }

  /** Puts a key where it belongs: to the ready ones, or to those that wait for their time. */
  #file(waiting: Waiting): void {
    if (waiting.dueMs > this.#clock.monotonic()) {
      waiting.rank = waiting.dueMs;
      this.#delayed.push(waiting);
      this.#arm();
      return;
    }
    waiting.crowdMs ??= this.#joinCrowd(waiting);
    waiting.rank = this.#readyRank(waiting, waiting.crowdMs);
    this.#ready.push(waiting);
    this.#serve();
  }

  /** A class is worth `agingMs` of waiting: with that, one number orders all classes and never needs an update. */
  #readyRank({ dueMs, priority }: Waiting, crowdMs: number): number {
    return dueMs + crowdMs + classes[priority] * this.#agingMs;
  }

  #joinCrowd({ key, dueMs }: Waiting): number {
    const namespace = key.slice(0, Math.max(0, key.indexOf("/")));
    const crowdMs = Math.min(Math.max(0, (this.#crowds.get(namespace) ?? dueMs) - dueMs), this.#agingMs / 2);
    this.#crowds.set(namespace, dueMs + crowdMs + crowdStepMs);
    return crowdMs;
  }

  #serve(): void {
    for (const taker of this.#takers) {
      const item = this.#takeReady();
      if (item === undefined) return;
      this.#takers.delete(taker);
      taker(item);
    }
  }

  #takeReady(): WorkItem | undefined {
    for (let next = this.#ready.pop(); next !== undefined; next = this.#ready.pop()) {
      const groups = this.#groupsOf(next.key);
      const places = this.#places(groups);
      const full = places.findIndex((free) => free <= 0);
      this.#handOnOffers(next, groups, { places, full });
      if (full !== -1) {
        this.#park(next, groups, full);
        continue;
      }
      const earlier = this.#parkedBefore(next, groups);
      if (earlier === undefined) return this.#take(next, groups);
      // Its group has got more places since it was parked. Both are judged again, in their order.
      this.#removeParked(earlier);
      this.#ready.push(earlier);
      this.#ready.push(next);
    }
    return undefined;
  }

  #parkedBefore(next: Waiting, groups: readonly WorkGroup[]): Waiting | undefined {
    if (this.#parked.size === 0) return undefined;
    for (const { name } of groups) {
      const parked = this.#nextParked(name);
      if (parked !== undefined && isBefore(parked, next)) return parked;
    }
    return undefined;
  }

  #take({ key, priority, dueMs, isHeldBack }: Waiting, groups: readonly WorkGroup[]): WorkItem {
    const nowMs = this.#clock.monotonic();
    this.#restedMs.set(key, Math.max(nowMs, this.#restedMs.get(key) ?? nowMs) + this.#rate.intervalMs);
    if (this.#ready.size === 0 && this.#parked.size === 0) this.#crowds.clear();
    this.#waiting.delete(key);
    this.#processing.set(key, { startedMs: nowMs, priority, groups, takesLong: false, again: undefined });
    for (const { name } of groups) count(this.#busy, name, 1);
    this.#observer?.started(nowMs - dueMs);
    const isSlow = this.#slow.size > 0 && groups.some(({ name }) => this.#slow.has(name));
    return { key, priority, ...(isHeldBack && { isHeldBack }), ...(isSlow && { isSlow }) };
  }

  /** How many places each of the groups has left. */
  #places(groups: readonly WorkGroup[]): readonly number[] {
    const places = new Array<number>(groups.length);
    let wider = Number.POSITIVE_INFINITY;
    for (let n = groups.length - 1; n >= 0; n--) {
      const { name = "", limit = 0, share } = groups[n] ?? {};
      const most = share === undefined ? limit : Math.min(limit, Math.max(1, Math.floor(share * wider)));
      wider = most - (this.#busy.get(name) ?? 0);
      places[n] = wider;
    }
    return places;
  }

  /**
   * Offers that the key does not use now go to the next parked one. Those of groups narrower than the full one it
   * keeps: whoever is parked there would wait for the full one too, and moving all of them there and back is dear.
   */
  #handOnOffers(
    waiting: Waiting,
    groups: readonly WorkGroup[],
    { places, full }: { readonly places: readonly number[]; readonly full: number },
  ): void {
    if (waiting.offers.length === 0) return;
    const kept = new Set((full === -1 ? groups : groups.slice(0, full)).map(({ name }) => name));
    // The place is taken already where the group is full: there is nothing left to offer.
    const gone = new Set(groups.filter((_, n) => (places[n] ?? 0) <= 0).map(({ name }) => name));
    const unused = waiting.offers.filter((name) => !kept.has(name) && !gone.has(name));
    waiting.offers = waiting.offers.filter((name) => kept.has(name));
    for (const name of unused) this.#offer(name);
  }

  /** A group is full: the next reconcile of it that ends makes the key ready again. */
  #park(waiting: Waiting, groups: readonly WorkGroup[], full: number): void {
    const name = groups[full]?.name ?? "";
    const parked = this.#parked.get(name) ?? new Heap<Waiting>();
    this.#parked.set(name, parked);
    waiting.parked = { in: name, groups };
    parked.push(waiting);
  }

  #isParkedElsewhere({ key, parked }: Waiting): boolean {
    if (parked === undefined) return false;
    const groups = this.#groupsOf(key);
    return groups.length !== parked.groups.length || groups.some(({ name }, n) => name !== parked.groups[n]?.name);
  }

  #removeParked(waiting: Waiting): void {
    if (waiting.parked === undefined) return;
    const name = waiting.parked.in;
    const parked = this.#parked.get(name);
    waiting.parked = undefined;
    parked?.remove(waiting);
    if (parked?.size === 0) this.#parked.delete(name);
  }

  #leaveGroups(processing: Processing): void {
    const { groups } = processing;
    processing.groups = [];
    for (const { name, isSlowTogether } of groups) {
      count(this.#busy, name, -1);
      if (isSlowTogether && processing.takesLong) count(this.#slow, name, -1);
    }
    if (this.#parked.size > 0) this.#offerPlaces(groups);
    if (!this.#isShutDown) this.#serve();
  }

  #offerPlaces(groups: readonly WorkGroup[]): void {
    const places = this.#places(groups);
    for (const [n, { name }] of groups.entries()) {
      this.#offer(name);
      // It may have more places than before. One more for each that becomes free fills them without making all of them
      // ready.
      if ((places[n] ?? 0) > 1) this.#offer(name);
    }
  }

  /** Makes the next one of a group ready that has room again. */
  #offer(group: string): void {
    for (let next = this.#nextParked(group); next !== undefined; next = this.#nextParked(group)) {
      this.#removeParked(next);
      this.#ready.push(next);
      // One that belongs to another group by now does not take the place that became free.
      if (!this.#groupsOf(next.key).some(({ name }) => name === group)) continue;
      next.offers = [...next.offers, group];
      return;
    }
  }

  #nextParked(group: string): Waiting | undefined {
    return this.#parked.get(group)?.peek();
  }

  /** What waited before any worker started (a standby's queue fills for hours) must not count as starved. */
  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    const nowMs = this.#clock.monotonic();
    this.#crowds.clear();
    const early = [...this.#ready.nodes].sort((a, b) => a.rank - b.rank || a.order - b.order);
    for (const waiting of early) {
      this.#ready.remove(waiting);
      waiting.dueMs = nowMs;
      waiting.order = this.#order++;
      waiting.crowdMs = this.#joinCrowd(waiting);
      waiting.rank = this.#readyRank(waiting, waiting.crowdMs);
      this.#ready.push(waiting);
    }
  }

  /** Keeps the one timer at the earliest due time. */
  #arm(): void {
    const dueMs = this.#delayed.peek()?.dueMs;
    if (dueMs === this.#timer?.dueMs) return;
    this.#timer?.handle.cancel();
    this.#timer = undefined;
    if (dueMs === undefined) return;
    // At least 1 ms: a timer that fires a rounding error too early must not set itself again for no time at all.
    const delayMs = Math.max(dueMs - this.#clock.monotonic(), 1);
    const handle = this.#clock.setTimer(() => this.#fileDue(), delayMs);
    this.#timer = { handle, dueMs };
  }

  #fileDue(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonic();
    for (let next = this.#delayed.peek(); next !== undefined && next.dueMs <= nowMs; next = this.#delayed.peek()) {
      this.#delayed.remove(next);
      this.#file(next);
    }
    this.#arm();
  }

  #notifyDrainers(): void {
    for (const resolve of this.#drainers) resolve();
    this.#drainers.clear();
  }
}

/**
 * A time to wait, whatever it was calculated from: less than a timer can do is none, and so is what is no number at
 * all, which would have no place in the order.
 */
function wait(ms = 0): number {
  return ms >= 1 ? ms : 0;
}

function count(counts: Map<string, number>, name: string, by: 1 | -1): void {
  const now = (counts.get(name) ?? 0) + by;
  if (now > 0) counts.set(name, now);
  else counts.delete(name);
}

/** The earlier time and the more urgent class. */
function merged(before: Readonly<Due> | undefined, due: Readonly<Due>): Due {
  if (before === undefined) return { ...due };
  const first = due.dueMs < before.dueMs ? due : before;
  return {
    dueMs: first.dueMs,
    isHeldBack: first.isHeldBack === true,
    priority: classes[due.priority] < classes[before.priority] ? due.priority : before.priority,
  };
}
