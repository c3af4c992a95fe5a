import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import { backoffDelayMs } from "../../util/backoff.ts";
import type { Clock } from "../../util/clock.ts";
import type { Random } from "../../util/random.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { type Requeue, requeueAfter } from "../reconcile/requeue.ts";
import { type Ages, Stopwatch } from "../reconcile/stopwatch.ts";
import { isAcknowledged, type TargetObject } from "./object.ts";

/**
 * What this process remembers of objects from one reconcile to the next. It decides nothing that is sent, so a restart
 * may forget it.
 */
export class TargetMemory {
  readonly #clock: Clock;
  readonly #stopwatch: Stopwatch;
  /** Specs that are not Ready yet, by when they were first seen: for the metric. */
  readonly #newSpecs = new Map<ObjectKey, { readonly generation: number | undefined; readonly sinceMs: number }>();
  readonly #atOnce = new Map<ObjectKey, { readonly what: string; readonly inARow: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#stopwatch = new Stopwatch(clock);
  }

  /** How long ago these times of an object's status are. What is new is measured from now on. */
  ages({ metadata }: TargetObject, times: readonly (string | undefined)[]): Ages {
    return this.#stopwatch.ages({ key: objectKey(metadata), uid: metadata.uid }, times);
  }

  /** Begins to measure how long a spec takes to become Ready, where no status speaks of it. */
  saw(object: TargetObject): void {
    const key = objectKey(object.metadata);
    const { generation } = object.metadata;
    if (isAcknowledged(object) || this.#newSpecs.get(key)?.generation === generation) return;
    this.#newSpecs.set(key, { generation, sinceMs: this.#clock.monotonic() });
  }

  /** A status says that its object is Ready: how long its spec took, in milliseconds; `undefined`: that was said before. */
  becameReady({ metadata }: TargetObject): number | undefined {
    const key = objectKey(metadata);
    const known = this.#newSpecs.get(key);
    if (known?.generation !== metadata.generation) return undefined;
    this.#newSpecs.delete(key);
    return known && this.#clock.monotonic() - known.sinceMs;
  }

  /**
   * The requeue of a conclusion: at once the first time, and ever later while the same is concluded again for the same
   * spec. What alternates at Northflank is not read without end.
   */
  spaced(
    { metadata }: TargetObject,
    { reason, next }: { readonly reason: string; readonly next: Requeue },
    random: Random,
  ): Requeue {
    const key = objectKey(metadata);
    if (next.kind !== "again") {
      this.#atOnce.delete(key);
      return next;
    }
    const what = `${reason} of generation ${metadata.generation}`;
    const before = this.#atOnce.get(key);
    const inARow = before?.what === what ? before.inARow + 1 : 1;
    this.#atOnce.set(key, { what, inARow });
    return inARow === 1 ? next : requeueAfter(backoffDelayMs(spacing, inARow - 1, random));
  }

  /** Forgets an object that is gone. */
  forget(key: ObjectKey): void {
    this.#stopwatch.forget(key);
    this.#newSpecs.delete(key);
    this.#atOnce.delete(key);
  }
}

/** Pauses of what is concluded at once again and again. */
const spacing = { baseMs: 60_000, factor: 4, capMs: slowProbeMs, jitter: 0.4 } as const;
