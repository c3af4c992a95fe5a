import { isKubeError } from "../../kube/errors.ts";
import type { KubeObject } from "../../kube/types.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";

/** What an attempt leaves for the next one: set before a write, and taken away after it. */
export interface Left<V> {
  value: V | undefined;
}

/**
 * Writes what an earlier attempt has left, if its object is still there: what it says was done, and no poll would show
 * it. A content that the API server refuses will be refused again, so that is dropped; the error is thrown all the
 * same.
 */
export async function writeLeft<V extends { readonly stored: KubeObject }>(
  left: Left<V>,
  store: { get(key: ObjectKey): KubeObject | undefined },
  write: (value: V) => Promise<unknown>,
): Promise<void> {
  const { value } = left;
  if (value === undefined) return;
  const { metadata } = value.stored;
  try {
    if (store.get(objectKey(metadata))?.metadata.uid === metadata.uid) await write(value);
    left.value = undefined;
  } catch (error) {
    if (isKubeError(error, "invalid", "bad_request")) left.value = undefined;
    throw error;
  }
}

/**
 * What reconciles could not write, until a later one has. In memory alone: what a process has not written when it ends,
 * the next one cannot know.
 *
 * *Guarantees*: what is left by an attempt is not seen by the next one when a younger attempt has begun meanwhile: that
 * one knows more.
 */
export class Unsaved<V> {
  readonly #left = new Map<ObjectKey, V>();
  readonly #youngest = new Map<ObjectKey, Left<V>>();

  /** Something is left by an earlier attempt, or one is under way. */
  has(key: ObjectKey): boolean {
    return this.#left.has(key) || this.#youngest.has(key);
  }

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
