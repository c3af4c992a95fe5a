import { booleanOf, listOf, objectOf, textOf } from "./json.ts";

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; `undefined` on the last one. */
  readonly cursor: string | undefined;
  /** There is a next page, whether or not it says where. */
  readonly hasNext: boolean;
}

/**
 * Reads one page of the list under `data.<key>`; `undefined` when it is not one. What `toItem` cannot read is left out.
 */
export function toPage<T>(
  answer: unknown,
  key: string,
  toItem: (entry: unknown) => T | undefined,
): Page<T> | undefined {
  const envelope = objectOf(answer);
  const entries = listOf(objectOf(envelope?.data)?.[key]);
  if (entries === undefined) return undefined;
  const pagination = objectOf(envelope?.pagination);
  const hasNext = booleanOf(pagination?.hasNextPage) ?? false;
  return {
    items: entries.map(toItem).filter((item) => item !== undefined),
    cursor: hasNext ? textOf(pagination?.cursor) : undefined,
    hasNext,
  };
}

/** Joins pages: every id once, as it was seen last. */
export function joinPages<T extends { readonly id: string }>(pages: readonly (readonly T[])[]): T[] {
  const byId = new Map<string, T>();
  for (const item of pages.flat()) byId.set(item.id, item);
  return [...byId.values()];
}

/** Newest first, by a time as Northflank returns it; those without one at the end. */
export function newestFirst<T>(timeOf: (item: T) => string | undefined): (left: T, right: T) => number {
  const ms = (item: T) => {
    const parsed = Date.parse(timeOf(item) ?? "");
    return Number.isNaN(parsed) ? 0 : parsed;
  };
  return (left, right) => ms(right) - ms(left);
}

/**
 * Whether entries came newest first, by their times in milliseconds in the order of the answer; `undefined` is
 * ignored. What is out of order by less than `toleranceMs` does not count, nor does an order that shows in less.
 */
export function cameNewestFirst(timesMs: readonly (number | undefined)[], toleranceMs: number): boolean {
  const known = timesMs.filter((time) => time !== undefined);
  let oldestMs = Number.POSITIVE_INFINITY;
  for (const time of known) {
    if (time > oldestMs + toleranceMs) return false;
    oldestMs = Math.min(oldestMs, time);
  }
  const [firstMs] = known;
  return firstMs !== undefined && firstMs - oldestMs > toleranceMs;
}

/** Requests one page. */
export type PageQuery = Readonly<Record<string, string>>;

/**
 * Reads pages until there are no more, or until `isEnough` says of all items so far that no more are needed.
 *
 * *Guarantees*: at most `maxPages` requests, and an end however the API sets its cursors: `truncated` when more was
 * promised, but under no cursor, or under one that was there before.
 */
export async function readPages<T>(options: {
  readonly read: (query: PageQuery) => Promise<Page<T>>;
  /** All pages as one list: a page may repeat items of the one before. */
  readonly merge: (pages: readonly (readonly T[])[]) => readonly T[];
  readonly maxPages: number;
  readonly isEnough?: ((items: readonly T[]) => boolean) | undefined;
}): Promise<{ readonly items: readonly T[]; readonly truncated?: true }> {
  const { read, merge, maxPages, isEnough } = options;
  const pages: (readonly T[])[] = [];
  const cursors = new Set<string>();
  let cursor: string | undefined;
  for (;;) {
    const page = await read({ per_page: "100", ...(cursor !== undefined && { cursor }) });
    pages.push(page.items);
    const items = merge(pages);
    if (!page.hasNext || isEnough?.(items) === true) return { items };
    if (page.cursor === undefined || cursors.has(page.cursor) || pages.length >= maxPages)
      return { items, truncated: true };
    cursor = page.cursor;
    cursors.add(cursor);
  }
}
