import { isKubeError } from "../../kube/errors.ts";
import type { KubeObject } from "../../kube/types.ts";
import { type ObjectKey, type Outcome, objectKey } from "../../runtime/outcome.ts";

/** What an attempt leaves for the next one: set before a write, and taken away after it. */
interface Left<V> {
  value: V | undefined;
}

/** The status that a reconcile concludes with, and the object that it is for. */
interface Report {
  readonly stored: KubeObject;
}

interface Reconciling<T, V> {
  readonly store: { get(key: ObjectKey): T | undefined };
  /** What is to be written, or the outcome where that is nothing. */
  readonly conclude: (object: T) => Promise<V | Outcome>;
  readonly report: (value: V) => Promise<Outcome>;
}

/**
 * One reconcile of an object that is there. What an earlier one has left is written first: what it says was done, and
 * no poll would show it.
 *
 * *Errors*: those of `conclude` and `report`. What `report` could not write is left for the next reconcile, unless the
 * API server refuses its content, which it would refuse again.
 */
export async function reconcileUnsaved<T extends KubeObject, V extends Report>(
  unsaved: Unsaved<V>,
  object: T,
  { store, conclude, report }: Reconciling<T, V>,
): Promise<Outcome> {
  const { uid } = object.metadata;
  const key = objectKey(object.metadata);
  return await unsaved.attempt(key, async (left): Promise<Outcome> => {
    await writeLeft(left, store, report);
    const known = store.get(key);
    if (known === undefined || known.metadata.uid !== uid) return { kind: "settled" };
    const result = await conclude(known);
    if (!("stored" in result)) return result;
    left.value = result;
    const outcome = await report(result);
    left.value = undefined;
    return outcome;
  });
}

async function writeLeft<V extends Report>(
  left: Left<V>,
  store: Reconciling<KubeObject, V>["store"],
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
