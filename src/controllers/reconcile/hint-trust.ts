import type { ObjectKey } from "../../runtime/outcome.ts";
import { Recent } from "../../runtime/recent.ts";
import type { Clock } from "../../util/clock.ts";

/*
 * Whether Northflank reports by itself what ends, so that polls may become rare. Nothing says so but what was seen:
 *
 *     distrusted --three ends in a row that a notification was heard of--> trusted
 *     trusted ----one end that none was heard of, none about anything for an hour, or more than are read----> distrusted
 *
 * For each project by itself, runs and rollouts apart: an integration may follow some projects only, or some events.
 *
 * Promises:
 *  1. A process that has just started trusts nothing.
 *  2. A notification counts for an end only if it came after the last read that found the object under way.
 *  3. Trust that ends is reported at once, so that what was to be polled without it is.
 */

/** What notifications are trusted for. */
export interface Ends {
  readonly pool: string;
  readonly kind: "run" | "rollout";
  readonly projectId: string;
}

// One may be chance: something else was reported in that moment.
const neededEnds = 3;

/** So long without any notification of the account, and it may have been switched off. */
const silentMs = 3_600_000;

/** What is known of the ends of one kind in one project. */
interface Evidence {
  /** Ends in a row that a notification was heard of. */
  readonly announced: number;
}

export class HintTrust {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #onLost: (ends: Ends) => void;
  /** When something was last heard of an account, by its pool. */
  readonly #heardAtMs: Recent<number>;
  /** When something was last heard of an object that was not read since. */
  readonly #objects: Recent<number>;
  readonly #evidence = new Map<string, Evidence>();

  /** `onLost`: what was trusted is no longer. It must not throw. */
  constructor(deps: { readonly clock: Pick<Clock, "monotonic">; readonly onLost: (ends: Ends) => void }) {
    this.#clock = deps.clock;
    this.#onLost = deps.onLost;
    this.#heardAtMs = new Recent(deps.clock, silentMs);
    this.#objects = new Recent(deps.clock, silentMs);
  }

  /** A notification of the account was received, whatever it is about. */
  heard(pool: string): void {
    this.#heardAtMs.set(pool, this.#clock.monotonic());
  }

  /** One was received that may be about the end of the object. */
  heardOf(kind: Ends["kind"], key: ObjectKey): void {
    this.#objects.set(`${kind} ${key}`, this.#clock.monotonic());
  }

  /** What was heard of an object is not followed by a read: it is not relied on until it is again. */
  missed(ends: Ends): void {
    this.#lose(ends);
  }

  /** The object was read, by a request that was sent after `sinceMs`, and was under way before. */
  found(ends: Ends, key: ObjectKey, { isOver, sinceMs }: { readonly isOver: boolean; readonly sinceMs: number }): void {
    const object = `${ends.kind} ${key}`;
    const heardAtMs = this.#objects.get(object);
    // What comes while a read is under way, that read may have missed.
    if (isOver || (heardAtMs !== undefined && heardAtMs < sinceMs)) this.#objects.delete(object);
    if (isOver) this.#ended(ends, heardAtMs !== undefined);
  }

  /** Whether Northflank is trusted to report these ends. Cheap: asked in every reconcile. */
  isTrusted(ends: Ends): boolean {
    if ((this.#evidence.get(keyOf(ends))?.announced ?? 0) < neededEnds) return false;
    const heardAtMs = this.#heardAtMs.get(ends.pool);
    if (heardAtMs !== undefined && this.#clock.monotonic() - heardAtMs < silentMs) return true;
    this.#lose(ends);
    return false;
  }

  #ended(ends: Ends, isAnnounced: boolean): void {
    if (!isAnnounced) {
      this.#lose(ends);
      return;
    }
    const key = keyOf(ends);
    this.#evidence.set(key, { announced: (this.#evidence.get(key)?.announced ?? 0) + 1 });
  }

  #lose(ends: Ends): void {
    const key = keyOf(ends);
    const { announced = 0 } = this.#evidence.get(key) ?? {};
    this.#evidence.delete(key);
    if (announced >= neededEnds) this.#onLost(ends);
  }
}

function keyOf({ pool, kind, projectId }: Ends): string {
  return JSON.stringify([kind, projectId, pool]);
}
