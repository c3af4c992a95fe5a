import type { KubeClient } from "../../kube/client.ts";
import { isKubeError, type KubeError } from "../../kube/errors.ts";
import type { KubeObject, ObjectName, ResourceType } from "../../kube/types.ts";
import type { Clock, Timer } from "../../util/clock.ts";

/** No answer is shared for longer; none stays in memory for twice as long. */
export const sharedReadMs = 10_000;

type Get = Pick<KubeClient, "get">;

interface Entry {
  readonly readAtMs: number;
  /** The object, or the answer that there is none. */
  readonly read: Promise<KubeObject | KubeError>;
}

/**
 * Reads of Secrets and ConfigMaps by name, with `get` only, for many objects that refer to the same ones.
 *
 * *Guarantees*: {@link shared} sends one request per object in {@link sharedReadMs}, however many ask, and one in
 * flight at a time; {@link fresh} always asks, and what it reads is shown to the others; what was read is forgotten
 * before twice that time is over, also when no caller asks any more; that something is missing is remembered like any
 * other answer.
 *
 * *Errors*: those of the client; no error but `not_found` is kept.
 */
export class SharedReads {
  readonly #kube: Get;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  #timer: Timer | undefined;

  constructor(deps: { readonly kube: Get; readonly clock: Clock }) {
    this.#kube = deps.kube;
    this.#clock = deps.clock;
  }

  /** For what has just changed, or is about to be sent because of it. */
  readonly fresh: Get = this.#reader(true);

  /** For what is compared again and again: an answer of a moment ago will do. */
  readonly shared: Get = this.#reader(false);

  /** How many answers are in memory. */
  get size(): number {
    return this.#entries.size;
  }

  #reader(isFresh: boolean): Get {
    return {
      get: async <T extends KubeObject>(type: ResourceType, name: ObjectName, signal?: AbortSignal) => {
        signal?.throwIfAborted();
        const id = `${type.plural}/${name.namespace ?? ""}/${name.name}`;
        const known = this.#entries.get(id);
        const isRecent = known !== undefined && this.#clock.monotonic() - known.readAtMs < sharedReadMs;
        const entry = !isFresh && isRecent ? known : this.#ask(id, type, name);
        const answer = await entry.read;
        if (isKubeError(answer)) throw answer;
        // The cast is sound: the id has the type in it.
        return answer as T;
      },
    };
  }

  /** Not bound to the signal of the caller who happens to be first: others wait for the same answer. */
  #ask(id: string, type: ResourceType, name: ObjectName): Entry {
    const entry: Entry = { readAtMs: this.#clock.monotonic(), read: this.#fetch(type, name) };
    this.#entries.set(id, entry);
    entry.read.catch(() => {
      if (this.#entries.get(id) === entry) this.#entries.delete(id);
    });
    this.#forgetLater();
    return entry;
  }

  async #fetch(type: ResourceType, name: ObjectName): Promise<KubeObject | KubeError> {
    try {
      return await this.#kube.get(type, name);
    } catch (error) {
      if (isKubeError(error, "not_found")) return error;
      throw error;
    }
  }

  #forgetLater(): void {
    this.#timer ??= this.#clock.setTimer(() => {
      this.#timer = undefined;
      const nowMs = this.#clock.monotonic();
      for (const [id, { readAtMs }] of this.#entries) if (nowMs - readAtMs >= sharedReadMs) this.#entries.delete(id);
      if (this.#entries.size > 0) this.#forgetLater();
    }, sharedReadMs);
  }
}
