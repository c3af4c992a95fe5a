import type { ApiObject } from "./types.ts";

/**
 * All objects, and how they came to be.
 *
 *     bucket ("secrets", "GROUP/PLURAL") --- current: key -> Entry
 *                                        \-- history: Change, Change, Change ...   (bounded; `compact` empties it)
 *
 * *Guarantees*
 * - One revision counts over all buckets; every write takes the next one and puts it into `metadata.resourceVersion`.
 * - Objects handed out are never changed afterwards; a write stores a new object.
 * - A snapshot at an earlier revision is exact as long as the history reaches back that far, else it is refused.
 * - Listeners hear every change once, in order, before the write returns.
 */
export class Store {
  readonly #buckets = new Map<string, Bucket>();
  readonly #historySize: number;
  #revision = 0;

  /** `historySize`: how many changes each bucket remembers for watches and snapshots of the past. */
  constructor(options: { readonly historySize: number }) {
    this.#historySize = options.historySize;
  }

  get revision(): number {
    return this.#revision;
  }

  get(bucket: string, key: string): Entry | undefined {
    return this.#bucket(bucket).current.get(key);
  }

  /** Every entry of a bucket in the order of its keys, now. */
  list(bucket: string): readonly Entry[] {
    return this.#bucket(bucket).sorted();
  }

  /** Every entry as it was at `revision`, or `undefined` when that is forgotten. */
  snapshot(bucket: string, revision: number): readonly Entry[] | undefined {
    return this.#bucket(bucket).snapshot(revision);
  }

  /** Changes after `revision`, or `undefined` when some of them are forgotten. */
  changesSince(bucket: string, revision: number): readonly Change[] | undefined {
    return this.#bucket(bucket).changesSince(revision);
  }

  /** The oldest revision from which a watch can still start. */
  oldest(bucket: string): number {
    return this.#bucket(bucket).forgotten;
  }

  /**
   * Stores `object` (which it takes over and stamps with the new resourceVersion). `incomplete` says that what is
   * stored lacks values that are filled in on reading, so that the next write is one even if it changes nothing.
   */
  put(bucket: string, key: string, object: ApiObject, incomplete = false): Entry {
    const place = this.#bucket(bucket);
    const before = place.current.get(key);
    object.metadata.resourceVersion = String(++this.#revision);
    const entry = new Entry(key, object, this.#revision, incomplete);
    place.set(entry);
    this.#record(place, { type: before === undefined ? "ADDED" : "MODIFIED", entry, before });
    return entry;
  }

  /** Removes an entry. The change carries the last object with the revision of its removal. */
  remove(bucket: string, key: string, last?: ApiObject): Entry | undefined {
    const place = this.#bucket(bucket);
    const before = place.current.get(key);
    if (before === undefined) return undefined;
    const object = last ?? before.object;
    const metadata = { ...object.metadata, resourceVersion: String(++this.#revision) };
    const entry = new Entry(key, { ...object, metadata }, this.#revision, false);
    place.delete(key);
    this.#record(place, { type: "DELETED", entry, before });
    return entry;
  }

  /** Calls `listener` with every further change of a bucket. Returns how to stop. */
  subscribe(bucket: string, listener: (change: Change) => void): () => void {
    const { listeners } = this.#bucket(bucket);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Forgets the past: a request for a revision before the present one fails as too old. */
  compact(): void {
    for (const bucket of this.#buckets.values()) bucket.forget(this.#revision);
  }

  /**
   * As after a restore from a backup: everything is as it was at `revision`, and revisions count on from there. Listeners
   * hear nothing of it.
   *
   * *Errors*: RangeError when `revision` is forgotten or was never given out; nothing has changed then.
   */
  restore(revision: number): void {
    const backup = [...this.#buckets.values()].map((bucket) => ({ bucket, entries: bucket.snapshot(revision) }));
    if (revision > this.#revision || backup.some(({ entries }) => entries === undefined)) {
      throw new RangeError(`there is no backup of revision ${revision}`);
    }
    for (const { bucket, entries = [] } of backup) bucket.replace(entries, revision);
    this.#revision = revision;
  }

  #record(place: Bucket, facts: Omit<Change, "revision">): void {
    const change: Change = { revision: this.#revision, ...facts };
    place.remember(change, this.#historySize);
    for (const listener of place.listeners) listener(change);
  }

  #bucket(name: string): Bucket {
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) {
      bucket = new Bucket();
      this.#buckets.set(name, bucket);
    }
    return bucket;
  }
}

/** A stored object with its JSON text, which is made once, when first needed. */
export class Entry {
  readonly key: string;
  readonly object: ApiObject;
  readonly revision: number;
  readonly incomplete: boolean;
  readonly #texts = new Map<string, string>();

  constructor(key: string, object: ApiObject, revision: number, incomplete: boolean) {
    this.key = key;
    this.object = object;
    this.revision = revision;
    this.incomplete = incomplete;
  }

  /** The JSON text of one view of the object, remembered under the view's name. */
  text(view: string, render: (object: ApiObject) => object): string {
    let text = this.#texts.get(view);
    if (text === undefined) {
      text = JSON.stringify(render(this.object));
      this.#texts.set(view, text);
    }
    return text;
  }
}

export interface Change {
  readonly revision: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly entry: Entry;
  readonly before: Entry | undefined;
}

class Bucket {
  readonly current = new Map<string, Entry>();
  readonly listeners = new Set<(change: Change) => void>();
  /** Changes up to this revision are not remembered. */
  forgotten = 0;
  #history: Change[] = [];
  #sortedKeys: string[] | undefined;

  set(entry: Entry): void {
    if (!this.current.has(entry.key)) this.#sortedKeys = undefined;
    this.current.set(entry.key, entry);
  }

  delete(key: string): void {
    this.current.delete(key);
    this.#sortedKeys = undefined;
  }

  replace(entries: readonly Entry[], revision: number): void {
    this.current.clear();
    this.#sortedKeys = undefined;
    for (const entry of entries) this.current.set(entry.key, entry);
    this.forget(revision);
  }

  sorted(): readonly Entry[] {
    this.#sortedKeys ??= [...this.current.keys()].sort(byBytes);
    return this.#sortedKeys.map((key) => this.current.get(key)).filter((entry) => entry !== undefined);
  }

  snapshot(revision: number): readonly Entry[] | undefined {
    if (revision < this.forgotten) return undefined;
    const later = this.changesSince(revision) ?? [];
    if (later.length === 0) return this.sorted();
    const then = new Map(this.current);
    for (const change of later.toReversed()) {
      if (change.before === undefined) then.delete(change.entry.key);
      else then.set(change.entry.key, change.before);
    }
    return [...then.values()].sort((left, right) => byBytes(left.key, right.key));
  }

  changesSince(revision: number): readonly Change[] | undefined {
    if (revision < this.forgotten) return undefined;
    let from = this.#history.length;
    while (from > 0 && (this.#history[from - 1]?.revision ?? 0) > revision) from--;
    return this.#history.slice(from);
  }

  remember(change: Change, limit: number): void {
    this.#history.push(change);
    // Cut in large steps, so that the cost per change stays constant.
    if (this.#history.length <= limit * 2) return;
    const dropped = this.#history.splice(0, this.#history.length - limit);
    this.forgotten = dropped.at(-1)?.revision ?? this.forgotten;
  }

  forget(revision: number): void {
    this.#history = [];
    this.forgotten = revision;
  }
}

function byBytes(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
