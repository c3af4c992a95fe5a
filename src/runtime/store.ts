import type { ObjectMeta } from "../kube/types.ts";
import { type ObjectKey, objectKey } from "./outcome.ts";
import { isNewer, isOlder } from "./resource-version.ts";

/*
 * What we last saw of every object of one kind.
 *
 * Promises:
 *  1. Readers see the state before or after a relist, never a mixture: the map is swapped in one step.
 *  2. Listeners are called after the store has changed, one change per object, deletions first. An object that was
 *     deleted and made again under the same name (another uid) is one deletion and one addition.
 *  3. Within one uid an object never goes back to an older resourceVersion, whatever order watch events and answers to
 *     our own writes arrive in; only a relist with `trust` may do that.
 *  4. `clear` empties the store without reporting any deletion.
 *  5. A listener that throws harms neither the store nor the other listeners. An index function that throws costs the
 *     object its entry in that index: it is still found by its key, and nothing else is touched.
 */

/** What an object must carry to be cached; the rest is up to the projection. */
export interface Cacheable {
  readonly metadata: Pick<ObjectMeta, "name" | "namespace" | "uid" | "resourceVersion">;
}

/** `initial` is true while the first list after an empty start (or after a `clear`) is taken in. */
export type Change<T> =
  | { readonly kind: "added"; readonly key: ObjectKey; readonly object: T; readonly initial: boolean }
  | { readonly kind: "updated"; readonly key: ObjectKey; readonly object: T; readonly previous: T }
  | { readonly kind: "deleted"; readonly key: ObjectKey; readonly previous: T };

/** Called with each change, after the store has taken it in. May throw without harm. */
export type Listener<T> = (change: Change<T>) => void;

/**
 * The values under which an object is found in one index; none if it does not belong there. Always the same ones for
 * the same object: they are computed again when it goes.
 */
export type IndexFunction<T> = (object: T) => readonly string[];

/** The cache of one kind. Its promises stand at the top of this file. */
export class Store<T extends Cacheable, I extends string = never> {
  #objects = new Map<ObjectKey, T>();
  #isInitial = true;
  readonly #indexes: ReadonlyMap<I, Index<T>>;
  readonly #listeners = new Set<Listener<T>>();
  readonly #onListenerError: (error: unknown, key: ObjectKey) => void;

  constructor(options: {
    /** Named indexes, kept up to date with every change. */
    readonly indexes?: Readonly<Record<I, IndexFunction<T>>>;
    /** Called with what a listener or an index function threw, and for which object. */
    readonly onListenerError: (error: unknown, key: ObjectKey) => void;
  }) {
    const functions = Object.entries(options.indexes ?? {}) as [I, IndexFunction<T>][];
    const { onListenerError } = options;
    this.#indexes = new Map(functions.map(([name, valuesOf]) => [name, new Index(valuesOf, onListenerError)]));
    this.#onListenerError = options.onListenerError;
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: ObjectKey): T | undefined {
    return this.#objects.get(key);
  }

  /** Everything, in no promised order. A copy: it does not change under the caller. */
  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** The objects whose index function named `value`, in no promised order. */
  byIndex(name: I, value: string): readonly T[] {
    const keys = this.#indexes.get(name)?.keysOf(value) ?? [];
    return [...keys].flatMap((key) => this.#objects.get(key) ?? []);
  }

  /** How many objects {@link byIndex} would return; costs the same whatever the number. */
  countByIndex(name: I, value: string): number {
    return this.#indexes.get(name)?.countOf(value) ?? 0;
  }

  /** Calls `listener` for every later change. Returns what takes it off again. */
  listen(listener: Listener<T>): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether this state of the object, or a later one, is here already: then taking it in would change nothing. */
  knows(metadata: Cacheable["metadata"]): boolean {
    return isKnown(this.#objects.get(objectKey(metadata)), { metadata });
  }

  /** Takes in an object as a watch event brought it. An older state of an object that is here is ignored. */
  apply(object: T): void {
    const key = objectKey(object.metadata);
    const before = this.#objects.get(key);
    if (isKnown(before, object)) return;
    this.#put(key, object);
    this.#notify(changesBetween(key, before, object, false));
  }

  /** Takes an object out as a watch event said. A later object of the same name stays. */
  remove(metadata: Cacheable["metadata"]): void {
    const key = objectKey(metadata);
    const before = this.#objects.get(key);
    if (before === undefined) return;
    if (!isSameObject(before, { metadata }) && isOlder(metadata.resourceVersion, before.metadata.resourceVersion))
      return;
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) index.drop(key, before);
    this.#notify([{ kind: "deleted", key, previous: before }]);
  }

  /**
   * Puts the answer to our own write in place, so that the next reconcile sees what this one wrote. Only when the very
   * same object (uid) is here in an older state: what is gone, or was made again, is not brought back.
   *
   * Returns whether the store now holds it.
   */
  upsertIfNewer(object: T): boolean {
    const key = objectKey(object.metadata);
    const before = this.#objects.get(key);
    if (before === undefined || !isSameObject(before, object) || !isNewerState(object, before)) return false;
    this.#put(key, object);
    this.#notify(changesBetween(key, before, object, false));
    return true;
  }

  /**
   * Makes the given objects the whole content, in one step, and reports the difference to listeners. An object that is
   * here in a newer state than in the list (our own write was faster) keeps it.
   *
   * `trust` is for a server whose resourceVersions went back: they then mean something else, so every object is taken
   * from the list and reported as updated, whatever its resourceVersion.
   */
  replace(objects: Iterable<T>, options: { readonly trust?: boolean } = {}): void {
    const before = this.#objects;
    const after = new Map<ObjectKey, T>();
    for (const object of objects) {
      const key = objectKey(object.metadata);
      const known = before.get(key);
      const isStale = known !== undefined && isSameObject(known, object) && !isNewerState(object, known);
      after.set(key, isStale && !options.trust ? known : object);
    }
    const initial = this.#isInitial;
    this.#isInitial = false;
    this.#objects = after;
    this.#reindex(before);
    const deleted: Change<T>[] = [];
    for (const [key, previous] of before) if (!after.has(key)) deleted.push({ kind: "deleted", key, previous });
    this.#notify(deleted);
    for (const [key, object] of after) this.#notify(changesBetween(key, before.get(key), object, initial));
  }

  /**
   * Empties the store without a report: its kind is gone from the server, which does not mean that objects were
   * deleted.
   */
  clear(): void {
    this.#objects = new Map();
    this.#isInitial = true;
    for (const index of this.#indexes.values()) index.clear();
  }

  #put(key: ObjectKey, object: T): void {
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) index.put(key, object, before);
  }

  #reindex(before: ReadonlyMap<ObjectKey, T>): void {
    for (const index of this.#indexes.values()) {
      for (const [key, object] of before) if (!this.#objects.has(key)) index.drop(key, object);
      for (const [key, object] of this.#objects) {
        const known = before.get(key);
        if (known !== object) index.put(key, object, known);
      }
    }
  }

  #notify(changes: readonly Change<T>[]): void {
    for (const change of changes) {
      for (const listener of this.#listeners) {
        try {
          listener(change);
        } catch (error) {
          this.#onListenerError(error, change.key);
        }
      }
    }
  }
}

/** Keys by value. A value that belongs to one object alone, as most do, needs no set of its own. */
class Index<T> {
  readonly #valuesOf: IndexFunction<T>;
  readonly #onError: (error: unknown, key: ObjectKey) => void;
  readonly #keys = new Map<string, ObjectKey | Set<ObjectKey>>();

  constructor(valuesOf: IndexFunction<T>, onError: (error: unknown, key: ObjectKey) => void) {
    this.#valuesOf = valuesOf;
    this.#onError = onError;
  }

  keysOf(value: string): Iterable<ObjectKey> {
    const keys = this.#keys.get(value) ?? [];
    return typeof keys === "string" ? [keys] : keys;
  }

  countOf(value: string): number {
    const keys = this.#keys.get(value);
    if (keys === undefined) return 0;
    return typeof keys === "string" ? 1 : keys.size;
  }

  put(key: ObjectKey, object: T, before: T | undefined): void {
    if (before !== undefined) this.drop(key, before);
    for (const value of this.#values(key, object, this.#onError)) {
      const keys = this.#keys.get(value);
      if (keys === undefined) this.#keys.set(value, key);
      else if (typeof keys !== "string") keys.add(key);
      else if (keys !== key) this.#keys.set(value, new Set([keys, key]));
    }
  }

  drop(key: ObjectKey, before: T): void {
    // What was reported when it was put in need not be reported again.
    for (const value of this.#values(key, before, () => undefined)) {
      const keys = this.#keys.get(value);
      if (keys === key) this.#keys.delete(value);
      if (typeof keys !== "object") continue;
      keys.delete(key);
      if (keys.size === 0) this.#keys.delete(value);
    }
  }

  clear(): void {
    this.#keys.clear();
  }

  #values(key: ObjectKey, object: T, onError: (error: unknown, key: ObjectKey) => void): readonly string[] {
    try {
      return this.#valuesOf(object);
    } catch (error) {
      onError(error, key);
      return [];
    }
  }
}

function changesBetween<T extends Cacheable>(
  key: ObjectKey,
  before: T | undefined,
  after: T,
  initial: boolean,
): readonly Change<T>[] {
  if (before === undefined) return [{ kind: "added", key, object: after, initial }];
  if (!isSameObject(before, after)) {
    return [
      { kind: "deleted", key, previous: before },
      { kind: "added", key, object: after, initial },
    ];
  }
  if (before === after) return [];
  return [{ kind: "updated", key, object: after, previous: before }];
}

function isSameObject(a: Cacheable, b: Cacheable): boolean {
  return a.metadata.uid === b.metadata.uid;
}

/** `here` is the same object in this state or a later one. */
function isKnown(here: Cacheable | undefined, object: Cacheable): boolean {
  return here !== undefined && isSameObject(here, object) && !isNewerState(object, here);
}

function isNewerState(a: Cacheable, b: Cacheable): boolean {
  return isNewer(a.metadata.resourceVersion, b.metadata.resourceVersion);
}
