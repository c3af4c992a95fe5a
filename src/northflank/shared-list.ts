// pure
import type { JobRunView, ProjectItem, RequestClass } from "./types.ts";

/*
 * One list that many callers read. Times are monotonic milliseconds; the age of an answer counts from the start of its
 * request, because what it shows may be as old as that.
 *
 *     ask ──▶ the last answer suffices ──────────────────────────▶ that answer
 *      │
 *      ├──▶ the request in flight suffices ──▶ wait for it ──▶ its answer, or its error
 *      │
 *      └──▶ neither ──▶ wait until no request is in flight ──▶ a new request, for all who wait then
 *
 * *Promises*
 * - No caller is given an answer that does not {@link suffices}: older than it can use, or from before its own write.
 * - Of an entry that was read alone, an older list is not believed, nor one that still shows a state before it.
 * - That an entry is missing means something only where the list is complete.
 */

/** What a list showed. */
export interface Listing<T> {
  /** When its first request was started. */
  readonly startedAtMs: number;
  /** When the last page was there. */
  readonly receivedAtMs: number;
  readonly entries: ReadonlyMap<string, T>;
  /** False where there are pages that were not read: that an entry is missing then proves nothing. */
  readonly isComplete: boolean;
  /** Northflank's clock as the last page was sent, in ms since the epoch; missing where it was not sent. */
  readonly serverTimeMs: number | undefined;
}

/** What a caller can use. */
export interface Need {
  readonly askedAtMs: number;
  /** How old an answer may be as it is asked for. 0: only a request that starts from now on. */
  readonly maxAgeMs: number;
  /** When the answer to the last write of the caller was there: the request must have started after that. */
  readonly notBeforeMs?: number | undefined;
}

/** True where the answer to a request that started at `startedAtMs` may be given to the caller. */
export function suffices(startedAtMs: number, { askedAtMs, maxAgeMs, notBeforeMs }: Need): boolean {
  // In the same instant it is not known which of the two came first.
  const isAfterWrite = notBeforeMs === undefined || startedAtMs > notBeforeMs;
  return isAfterWrite && maxAgeMs > 0 && startedAtMs >= askedAtMs - maxAgeMs;
}

/** How the entries of a kind of list are compared. */
export interface EntryKind<T> {
  /** True where `left` is a later state than `right` for sure, whenever the two were read. */
  readonly isLater: (left: T, right: T) => boolean;
}

/** An entry that was read alone. */
interface SingleRead<T> {
  readonly startedAtMs: number;
  /** `undefined`: it was not there. */
  readonly entry: T | undefined;
}

/** One list, and all that is known of its entries. */
export interface ListState<T> {
  readonly listing: Listing<T> | undefined;
  /** Entries that were read alone, while they may still be needed to overrule a list. */
  readonly reads: ReadonlyMap<string, SingleRead<T>>;
  /** Until when somewhere a caller may be content with what is here. */
  readonly keptUntilMs: number;
}

/** A list that was never read. */
export function unreadList<T>(): ListState<T> {
  return { listing: undefined, reads: new Map(), keptUntilMs: Number.NEGATIVE_INFINITY };
}

/** A caller asks: what is known is kept for twice the age that it can use. */
export function asked<T>(state: ListState<T>, { askedAtMs, maxAgeMs }: Need): ListState<T> {
  const keptUntilMs = Math.max(state.keptUntilMs, askedAtMs + 2 * maxAgeMs);
  return keptUntilMs === state.keptUntilMs ? state : { ...state, keptUntilMs };
}

/** So much later than a read that was newer, a list does not lag behind it any more: what it shows is believed. */
export const longestLagMs = 120_000;

/** What is known of one entry, and since when. */
export interface Believed<T> {
  /** `undefined`: it is not there, or not in the part of the list that was read. */
  readonly entry: T | undefined;
  /** When the request that showed it was started. */
  readonly startedAtMs: number;
}

/** What is known of an entry by the list and the reads of it alone; `undefined` before the first list. */
export function believedOf<T>(state: ListState<T>, id: string, kind: EntryKind<T>): Believed<T> | undefined {
  const { listing, reads } = state;
  if (listing === undefined) return undefined;
  const listed = listing.entries.get(id);
  const read = reads.get(id);
  if (read !== undefined && overrules(read, { listing, listed, kind })) return read;
  return { entry: listed, startedAtMs: listing.startedAtMs };
}

function overrules<T>(
  { startedAtMs, entry }: SingleRead<T>,
  against: { readonly listing: Listing<T>; readonly listed: T | undefined; readonly kind: EntryKind<T> },
): boolean {
  const { listing, listed, kind } = against;
  if (startedAtMs >= listing.startedAtMs) return true;
  if (listing.startedAtMs - startedAtMs > longestLagMs) return false;
  return entry !== undefined && listed !== undefined && kind.isLater(entry, listed);
}

/** An entry was read alone; `entry: undefined` where it was not there. An older read than one that is known is ignored. */
export function withRead<T>(
  state: ListState<T>,
  { id, startedAtMs, entry }: SingleRead<T> & { readonly id: string },
): ListState<T> {
  const before = state.reads.get(id);
  if (before !== undefined && before.startedAtMs > startedAtMs) return state;
  return { ...state, reads: new Map(state.reads).set(id, { startedAtMs, entry }) };
}

/** A new list was read. */
export function takeIn<T>(state: ListState<T>, listing: Listing<T>): ListState<T> {
  return { ...state, listing, reads: recentReads(state, listing) };
}

/** Reads that may have to overrule this list or the next one: the next may come from where this one did not. */
function recentReads<T>({ reads }: ListState<T>, listing: Listing<T>): ListState<T>["reads"] {
  return new Map([...reads].filter(([, { startedAtMs }]) => listing.startedAtMs - startedAtMs <= longestLagMs));
}

/** A caller that waits for a request. */
export interface Waiting {
  readonly class: RequestClass;
  /** What sends the request: callers with different ones spend from different ceilings. */
  readonly api: object;
}

const urgency: Readonly<Record<RequestClass, number>> = { change: 0, run: 1, observe: 2 };

/**
 * Whose request serves all who wait: of those whose ledger has not refused it yet, the most urgent one, and of several
 * the one that waits longest (`waiting` is in the order of arrival). `undefined`: the ledger has refused it to each.
 *
 * So a `change` that arrives while an `observe` waits is not held back by what `observe` may not spend, and the `observe`
 * gets the answer with it.
 */
export function payerOf<W extends Waiting>(waiting: readonly W[], refused: readonly Waiting[]): W | undefined {
  const isRefused = (one: W) => refused.some(({ api, class: spent }) => api === one.api && spent === one.class);
  return waiting
    .filter((one) => !isRefused(one))
    .reduce<W | undefined>(
      (best, one) => (best === undefined || urgency[one.class] < urgency[best.class] ? one : best),
      undefined,
    );
}

/** A service or job of a project. Of one whose uid differs nothing says which is later. */
export const projectItems: EntryKind<ProjectItem> = {
  isLater: (left, right) => left.uid === right.uid && transitionMs(left) > transitionMs(right),
};

function transitionMs({ rolloutTransitionTime }: ProjectItem): number {
  return Date.parse(rolloutTransitionTime ?? "");
}

/** A run of a job. One that is over stays over. */
export const jobRuns: EntryKind<JobRunView> = {
  isLater: (left, right) => left.concluded && !right.concluded,
};
