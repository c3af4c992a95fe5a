import type { ObjectKey } from "../../runtime/outcome.ts";

/** What an attempt leaves for the next one: set before a write, and taken away after it. */
export interface Left<V> {
  value: V | undefined;
}

/**
 * What passes could not write, until a later one has. In memory alone: what a process has not written when it ends, the
 * next one cannot know.
 *
 * *Guarantees*: what is left by an attempt is not seen by the next one when a younger attempt has begun meanwhile: that
 * one knows more.
 */
export class Unsaved<V> {
  readonly #left = new Map<ObjectKey, V>();
  readonly #youngest = new Map<ObjectKey, Left<V>>();

  /** Runs one attempt with what the last one has left; whether it throws or not, what it leaves is kept. */
  async attempt<R>(key: ObjectKey, run: (left: Left<V>) => Promise<R>): Promise<R> {
    const left: Left<V> = { value: this.#left.get(key) };
    this.#youngest.set(key, left);
    try {
      return await run(left);
    } finally {
      if (this.#youngest.get(key) === left) {
        this.#youngest.delete(key);
        if (left.value === undefined) this.#left.delete(key);
        else this.#left.set(key, left.value);
      }
    }
  }

  /** Forgets an object that is gone. */
  forget(key: ObjectKey): void {
    this.#left.delete(key);
    this.#youngest.delete(key);
  }
}
