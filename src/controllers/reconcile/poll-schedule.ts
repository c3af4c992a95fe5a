import type { ObjectKey } from "../../runtime/outcome.ts";
import { jittered } from "../../util/backoff.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";

/*
 * When each object is to be polled in Northflank next. A reconcile does not know why its object was enqueued, so this
 * is what keeps it from spending a request each time.
 *
 *     first sight --- settled ----> next tick of status.nextReconcileTime + n * period   (0 requests after a restart)
 *                \-- unsettled --> status.nextReconcileTime, at once if it is over
 *     poll -------> by the result of the poll
 *
 * Promises:
 *  1. A program that has just started polls no settled object at once, whatever the time it was down, and never all of
 *     them together: the ticks are as spread as the polls were before.
 *  2. Times are kept on the monotonic clock; a jump of the wall clock moves nothing that is planned.
 *  3. An object made again under the same name starts anew.
 */

// Timers may fire a little early.
const earlyMs = 50;

// A planned time further off than this was written by a clock that is wrong.
const farthestMs = 2 * 3_600_000;
const farthestFollowedMs = 300_000;

interface Entry {
  readonly uid: string | undefined;
  readonly dueAtMs: number;
  readonly polledAtMs: number | undefined;
  readonly accountVersion: string | undefined;
  readonly request: string | undefined;
}

/** What the schedule needs to know of an object. */
export interface Scheduled {
  readonly key: ObjectKey;
  readonly uid: string | undefined;
  /** Ready for what is declared: nothing is under way. */
  readonly isSettled: boolean;
  /** Something is under way at Northflank: it is polled every few minutes at least. */
  readonly isFollowed?: boolean;
  /** `status.nextReconcileTime` */
  readonly plannedTime: string | undefined;
  /** Milliseconds between two polls while settled; 0 = never. */
  readonly periodMs: number;
}

/** What the schedule knows of the next poll and of the last one. */
export interface Planned {
  /** 0 when it is due; `Infinity` when nothing is planned. */
  readonly dueInMs: number;
  /** Since the last poll of this process; `undefined` when there was none. */
  readonly sincePollMs: number | undefined;
  /** The account as it was at the last poll of this process. */
  readonly accountVersion: string | undefined;
  /** The reconcile request that the object carried at that poll: where it is still open, the poll failed. */
  readonly request: string | undefined;
}

/** When each object of one kind is polled. Its promises stand at the top of this file. */
export class PollSchedule {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #entries = new Map<ObjectKey, Entry>();

  constructor(deps: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
  }

  get size(): number {
    return this.#entries.size;
  }

  planned(object: Scheduled): Planned {
    const nowMs = this.#clock.monotonic();
    const entry = this.#entryOf(object, nowMs);
    const leftMs = entry.dueAtMs - nowMs;
    return {
      dueInMs: leftMs <= earlyMs ? 0 : leftMs,
      sincePollMs: entry.polledAtMs === undefined ? undefined : nowMs - entry.polledAtMs,
      accountVersion: entry.accountVersion,
      request: entry.request,
    };
  }

  /** The object was polled; the next poll is due in `nextMs` (`Infinity`: never by itself). */
  polled(
    object: Pick<Scheduled, "key" | "uid">,
    poll: { readonly nextMs: number; readonly accountVersion: string; readonly request?: string | undefined },
  ): void {
    const nowMs = this.#clock.monotonic();
    const { nextMs, accountVersion, request } = poll;
    const dueAtMs = nowMs + nextMs;
    this.#entries.set(object.key, { uid: object.uid, dueAtMs, polledAtMs: nowMs, accountVersion, request });
  }

  /** The time of the next poll of a settled object, spread by ±20 %; `Infinity` for a period of 0. */
  nextResyncMs(periodMs: number): number {
    return periodMs === 0 ? Number.POSITIVE_INFINITY : Math.round(jittered(periodMs, 0.2, this.#random));
  }

  /** Forgets an object that is gone. */
  forget(key: ObjectKey): void {
    this.#entries.delete(key);
  }

  #entryOf(object: Scheduled, nowMs: number): Entry {
    const known = this.#entries.get(object.key);
    if (known !== undefined && known.uid === object.uid) return known;
    const dueAtMs = nowMs + this.#firstDueInMs(object);
    const none = { polledAtMs: undefined, accountVersion: undefined, request: undefined };
    const entry: Entry = { uid: object.uid, dueAtMs, ...none };
    this.#entries.set(object.key, entry);
    return entry;
  }

  #firstDueInMs({ isSettled, isFollowed, plannedTime, periodMs }: Scheduled): number {
    const plannedInMs = plannedTime === undefined ? Number.NaN : Date.parse(plannedTime) - this.#clock.now();
    const longestMs = isFollowed === true ? farthestFollowedMs : farthestMs;
    if (!isSettled) return plannedInMs > 0 ? Math.min(plannedInMs, longestMs) : 0;
    if (periodMs === 0) return Number.POSITIVE_INFINITY;
    if (Number.isNaN(plannedInMs)) return periodMs * this.#random();
    if (plannedInMs > 0) return Math.min(plannedInMs, 1.2 * periodMs);
    return periodMs - (-plannedInMs % periodMs);
  }
}
