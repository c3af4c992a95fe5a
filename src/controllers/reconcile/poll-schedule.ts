import type { ObjectKey } from "../../runtime/outcome.ts";
import { Recent } from "../../runtime/recent.ts";
import { jittered } from "../../util/backoff.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import { TokenBucket } from "../../util/token-bucket.ts";
import { type DriftPeriods, type DriftPlan, nextReadInMs, type PlannedTarget } from "./drift-plan.ts";

/*
 * When each object is to be polled in Northflank next. A reconcile does not know why its object was enqueued, so this
 * is what keeps it from spending a request each time.
 *
 *     first sight --- settled ----> next tick of status.nextReconcileTime + n * period   (0 requests after a restart)
 *                \-- unsettled --> status.nextReconcileTime, at once if it is over
 *     poll -------> by the result of the poll
 *     hint -------> at the time that it names, if that is sooner
 *
 * Where an account has more settled targets than its requests suffice for, a check that is due need not be a read of the
 * target: see drift-plan.ts, and {@link PollSchedule.checkOf}.
 *
 * Promises:
 *  1. A program that has just started polls no settled object at once, whatever the time it was down, and never all of
 *     them together: the ticks are as spread as the polls were before.
 *  2. Times are kept on the monotonic clock; a jump of the wall clock moves nothing that is planned.
 *  3. An object made again under the same name starts anew.
 */

// Timers may fire a little early.
const earlyMs = 50;

// After a list is too old, the objects of its project come within so much of its period.
const listSpread = 0.05;

// Reads because of news that are ahead of checks, per account: a burst, and then 240 an hour.
const hurry = { burst: 60, refillMs: 15_000 } as const;

// A planned time further off than this was written by a clock that is wrong.
const farthestMs = 2 * 3_600_000;
const farthestFollowedMs = 300_000;

interface Entry {
  readonly uid: string | undefined;
  readonly dueAtMs: number;
  /** The same once Northflank is not trusted to report what is waited for; missing: no sooner. */
  readonly unhintedAtMs?: number | undefined;
  readonly polledAtMs: number | undefined;
  readonly accountVersion: string | undefined;
  readonly request: string | undefined;
  readonly firstSeenAtMs: number;
  /** When the target itself was last read: a poll that failed, or was refused for the quota, has not read it. */
  readonly readAtMs?: number;
  /** What a list shows of the target, until a read of it has made sure. */
  readonly news?: string;
  /** What a list showed of the target when that was last the reason to read it. */
  readonly listed?: string;
  readonly isHinted?: true | undefined;
}

/** What the schedule needs to know of an object. */
export interface Scheduled {
  readonly key: ObjectKey;
  readonly uid: string | undefined;
  /** Ready for what is declared: nothing is under way. */
  readonly isSettled: boolean;
  /** Something is under way at Northflank: it is polled every few minutes at least. */
  readonly isFollowed?: boolean;
  /** Northflank is trusted to report the end of what is under way. Default: it is not. */
  readonly isEndReported?: boolean;
  /** `status.nextReconcileTime` */
  readonly plannedTime: string | undefined;
  /** Milliseconds between two polls while settled; 0 = never. */
  readonly periodMs: number;
  /** Whose requests its checks are; missing: of no account that runs short of them. */
  readonly share?: CheckShare | undefined;
}

/** The account that pays for the checks of a target. */
export interface CheckShare extends Pick<PlannedTarget, "pool" | "projectId" | "isListed"> {
  /** Requests an hour that the account has for checks of settled targets. */
  readonly checksPerHour: number;
}

/** How a settled target is checked for drift now. */
export type Check =
  | { readonly kind: "read" }
  /** By the list of its project, which may be so old; and by a read where that is due, whatever the list shows. */
  | { readonly kind: "list"; readonly maxAgeMs: number; readonly isReadDue: boolean }
  /** Not yet. */
  | { readonly kind: "rest"; readonly dueInMs: number };

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
  /** It is due because something may have changed at Northflank. */
  readonly isHinted?: true | undefined;
}

/** When each object of one kind is polled. Its promises stand at the top of this file. */
export class PollSchedule {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #driftPlan: DriftPlan | undefined;
  readonly #entries = new Map<ObjectKey, Entry>();
  /** Until when lists that could not be read are not requested. */
  readonly #failedLists: Recent<number>;
  /** When objects are due that something was heard of. */
  readonly #hints = new Map<ObjectKey, number>();
  /** By pool. */
  readonly #hurried: Recent<TokenBucket>;

  /** Without `driftPlan` every check is a read. */
  constructor(deps: { readonly clock: Clock; readonly random: Random; readonly driftPlan?: DriftPlan }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#driftPlan = deps.driftPlan;
    this.#failedLists = new Recent(deps.clock, farthestMs);
    this.#hurried = new Recent(deps.clock, hurry.burst * hurry.refillMs);
  }

  get size(): number {
    return this.#entries.size;
  }

  planned(object: Scheduled): Planned {
    const nowMs = this.#clock.monotonic();
    this.#enter(object);
    const entry = this.#withHint(object.key, this.#entryOf(object, nowMs), nowMs);
    const { dueAtMs, unhintedAtMs = dueAtMs } = entry;
    const leftMs = (object.isEndReported === true ? dueAtMs : Math.min(dueAtMs, unhintedAtMs)) - nowMs;
    return {
      dueInMs: leftMs <= earlyMs ? 0 : leftMs,
      sincePollMs: entry.polledAtMs === undefined ? undefined : nowMs - entry.polledAtMs,
      accountVersion: entry.accountVersion,
      request: entry.request,
      isHinted: entry.isHinted,
    };
  }

  /**
   * Something may have changed at Northflank: the next poll is due in `afterMs`, or sooner as planned. A poll that is
   * under way may have missed it, so that one more follows. Of an object that was never planned nothing is kept.
   */
  hinted(key: ObjectKey, afterMs: number): void {
    if (this.#entries.has(key)) this.#hints.set(key, this.#clock.monotonic() + afterMs);
  }

  /** The object was polled; the next poll is due in `nextMs` (`Infinity`: never by itself). */
  polled(
    object: Pick<Scheduled, "key" | "uid">,
    poll: {
      readonly nextMs: number;
      /** The same, once Northflank is not trusted to report what is waited for. Default: no sooner. */
      readonly unhintedMs?: number | undefined;
      readonly accountVersion: string;
      readonly request?: string | undefined;
    },
  ): void {
    const nowMs = this.#clock.monotonic();
    const { nextMs, unhintedMs, accountVersion, request } = poll;
    const last = this.#entries.get(object.key);
    const known = last !== undefined && last.uid === object.uid ? last : { firstSeenAtMs: nowMs };
    const due = { dueAtMs: nowMs + nextMs, unhintedAtMs: unhintedMs && nowMs + unhintedMs };
    const polled = { uid: object.uid, ...due, polledAtMs: nowMs, accountVersion, request, isHinted: undefined };
    this.#entries.set(object.key, { ...known, ...polled });
  }

  /** The target itself was read. */
  read({ key }: Pick<Scheduled, "key">): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    const { news, ...known } = entry;
    this.#entries.set(key, {
      ...known,
      readAtMs: this.#clock.monotonic(),
      ...(news !== undefined && { listed: news }),
    });
  }

  /** The time until the next check of a settled object, spread by ±20 %; `Infinity` for a period of 0. */
  nextCheckMs(object: Pick<Scheduled, "periodMs" | "share">): number {
    const { readMs, listMs = readMs } = this.#periodsOf(object);
    const checkMs = Math.min(readMs, listMs);
    return Number.isFinite(checkMs) ? Math.round(jittered(checkMs, 0.2, this.#random)) : Number.POSITIVE_INFINITY;
  }

  /** How a settled object is checked whose next check is due. */
  checkOf(object: Scheduled): Check {
    const { readMs, listMs } = this.#periodsOf(object);
    if (readMs <= object.periodMs) return { kind: "read" };
    const readInMs = this.#readInMs(object, readMs);
    // The check that is nearest to the time is the read.
    const isReadDue = readInMs <= (listMs === undefined ? earlyMs : listMs / 2);
    if (listMs !== undefined) return this.#listCheck(object, { maxAgeMs: listMs, isReadDue });
    if (isReadDue) return { kind: "read" };
    return { kind: "rest", dueInMs: this.#postpone(object, readInMs) };
  }

  /**
   * A list of that age showed nothing new of the object: its next check is due when the list is too old for it, in the
   * milliseconds that are returned. So the objects of a project come together, a few seconds apart, and one list serves
   * them all.
   */
  checkedByList(object: Pick<Scheduled, "key">, list: { readonly ageMs: number; readonly maxAgeMs: number }): number {
    const leftMs = Math.max(list.maxAgeMs - list.ageMs, 0);
    return this.#postpone(object, leftMs + list.maxAgeMs * listSpread * this.#random());
  }

  /** The list could not be read: in how many milliseconds this object, or another of its project, requests it. */
  listFailed(
    object: Pick<Scheduled, "key" | "share">,
    { retryInMs, maxAgeMs }: { readonly retryInMs: number; readonly maxAgeMs: number },
  ): number {
    this.#failedLists.set(listOf(object), this.#clock.monotonic() + retryInMs);
    return this.#postpone(object, retryInMs + maxAgeMs * listSpread * this.#random());
  }

  /**
   * Whether what a list shows of a target is a reason to read it: not where the target was read after the list, nor where
   * the same was the reason before. So a list that lags, or says a thing in other words, costs one read and not one each
   * time. `shown: undefined`: the list shows the target as it is; so what it shows otherwise from then on is news again,
   * also if it was before.
   */
  isNews(
    { key }: Pick<Scheduled, "key">,
    list: { readonly shown: string | undefined; readonly readAtMs: number },
  ): boolean {
    const { shown, readAtMs } = list;
    const entry = this.#entries.get(key);
    if (entry === undefined) return shown !== undefined;
    if ((entry.readAtMs ?? Number.NEGATIVE_INFINITY) > readAtMs) return false;
    if (shown === undefined) {
      const { news: _news, listed: _listed, ...known } = entry;
      this.#entries.set(key, known);
      return false;
    }
    if (entry.listed === shown) return false;
    this.#entries.set(key, { ...entry, news: shown });
    return true;
  }

  /**
   * Whether a read because of news may be ahead of the checks of the same account: not where a list shows news of very
   * many targets at once, whose reads would leave nothing for polls of rollouts and runs.
   */
  mayHurry({ share }: Pick<Scheduled, "share">): boolean {
    const pool = share?.pool ?? "";
    const hurried = this.#hurried.get(pool) ?? new TokenBucket({ clock: this.#clock, ...hurry });
    this.#hurried.set(pool, hurried);
    return hurried.take();
  }

  /** Enters how many entries the list of a project has, which says what it costs. */
  listRead({ pool, projectId }: Pick<PlannedTarget, "pool" | "projectId">, entries: number): void {
    this.#driftPlan?.listed({ pool, projectId }, entries);
  }

  /** Forgets an object that is gone. */
  forget(key: ObjectKey): void {
    const uid = this.#entries.get(key)?.uid;
    if (uid !== undefined) this.#driftPlan?.forget(uid);
    this.#entries.delete(key);
    this.#hints.delete(key);
  }

  #withHint(key: ObjectKey, entry: Entry, nowMs: number): Entry {
    const hintedMs = this.#hints.get(key);
    if (hintedMs === undefined || hintedMs > nowMs + earlyMs) return entry;
    this.#hints.delete(key);
    const hinted: Entry = { ...entry, dueAtMs: Math.min(entry.dueAtMs, nowMs), isHinted: true };
    this.#entries.set(key, hinted);
    return hinted;
  }

  /** A list that has failed is not read by the next object, either. */
  #listCheck(object: Scheduled, check: { readonly maxAgeMs: number; readonly isReadDue: boolean }): Check {
    const { maxAgeMs, isReadDue } = check;
    const failedUntilMs = this.#failedLists.get(listOf(object));
    const waitMs = failedUntilMs === undefined ? 0 : failedUntilMs - this.#clock.monotonic();
    if (waitMs > 0) {
      if (isReadDue) return { kind: "read" };
      return { kind: "rest", dueInMs: this.#postpone(object, waitMs + maxAgeMs * listSpread * this.#random()) };
    }
    return { kind: "list", ...check };
  }

  #postpone({ key }: Pick<Scheduled, "key">, dueInMs: number): number {
    const entry = this.#entries.get(key);
    const roundedMs = Math.round(dueInMs);
    if (entry !== undefined) this.#entries.set(key, { ...entry, dueAtMs: this.#clock.monotonic() + roundedMs });
    return roundedMs;
  }

  /** Only what is settled, and is checked, has a part in the share. */
  #enter({ uid, isSettled, periodMs, share }: Scheduled): void {
    if (uid === undefined || this.#driftPlan === undefined) return;
    if (share === undefined || !isSettled || periodMs === 0) this.#driftPlan.forget(uid);
    else this.#driftPlan.set(uid, { ...share, periodMs });
  }

  /** Until the target itself is read. */
  #readInMs(object: Scheduled, readMs: number): number {
    const nowMs = this.#clock.monotonic();
    const { readAtMs, firstSeenAtMs } = this.#entryOf(object, nowMs);
    return nextReadInMs({
      uid: object.uid ?? object.key,
      readMs,
      nowMs: this.#clock.now(),
      sinceMs: readAtMs === undefined ? undefined : nowMs - readAtMs,
      knownForMs: nowMs - firstSeenAtMs,
    });
  }

  #periodsOf({ periodMs, share }: Pick<Scheduled, "periodMs" | "share">): DriftPeriods {
    if (periodMs === 0) return { readMs: Number.POSITIVE_INFINITY, listMs: undefined };
    if (share === undefined || this.#driftPlan === undefined) return { readMs: periodMs, listMs: undefined };
    return this.#driftPlan.periods({ ...share, periodMs }, share.checksPerHour);
  }

  #entryOf(object: Scheduled, nowMs: number): Entry {
    const known = this.#entries.get(object.key);
    if (known !== undefined && known.uid === object.uid) return known;
    if (known?.uid !== undefined) this.#driftPlan?.forget(known.uid);
    const dueAtMs = nowMs + this.#firstDueInMs(object);
    const none = { polledAtMs: undefined, accountVersion: undefined, request: undefined };
    const entry: Entry = { uid: object.uid, dueAtMs, firstSeenAtMs: nowMs, ...none };
    this.#entries.set(object.key, entry);
    return entry;
  }

  #firstDueInMs({ isSettled, isFollowed, plannedTime, ...checks }: Scheduled): number {
    const { readMs, listMs = readMs } = this.#periodsOf(checks);
    const periodMs = Math.min(readMs, listMs);
    const plannedInMs = plannedTime === undefined ? Number.NaN : Date.parse(plannedTime) - this.#clock.now();
    const longestMs = isFollowed === true ? farthestFollowedMs : farthestMs;
    if (!isSettled) return plannedInMs > 0 ? Math.min(plannedInMs, longestMs) : 0;
    if (!Number.isFinite(periodMs)) return Number.POSITIVE_INFINITY;
    if (Number.isNaN(plannedInMs)) return periodMs * this.#random();
    if (plannedInMs > 0) return Math.min(plannedInMs, 1.2 * periodMs);
    return periodMs - (-plannedInMs % periodMs);
  }
}

function listOf({ share }: Pick<Scheduled, "share">): string {
  return JSON.stringify([share?.pool, share?.projectId]);
}
