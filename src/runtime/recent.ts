import type { Clock } from "../util/clock.ts";
import type { ObjectKey } from "./outcome.ts";

/**
 * What is known of keys for a while: a value is kept for at least `keepMs` after it was set, and is gone after twice that.
 * Forgetting costs no timer and no search, so that it may be asked for every reconcile of any number of keys.
 */
export class Recent<Value> {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #keepMs: number;
  #young = new Map<ObjectKey, Value>();
  #old = new Map<ObjectKey, Value>();
  #turnedMs: number;

  constructor(clock: Pick<Clock, "monotonic">, keepMs: number) {
    this.#clock = clock;
    this.#keepMs = keepMs;
    this.#turnedMs = clock.monotonic();
  }

  get(key: ObjectKey): Value | undefined {
    this.#turn();
    return this.#young.get(key) ?? this.#old.get(key);
  }

  set(key: ObjectKey, value: Value): void {
    this.#turn();
    this.#young.set(key, value);
  }

  delete(key: ObjectKey): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  /** True where a value that is known suits. It takes time in proportion to how many it goes through until then. */
  some(suits: (value: Value, key: ObjectKey) => boolean): boolean {
    this.#turn();
    for (const [key, value] of this.#young) if (suits(value, key)) return true;
    for (const [key, value] of this.#old) if (!this.#young.has(key) && suits(value, key)) return true;
    return false;
  }

  #turn(): void {
    const nowMs = this.#clock.monotonic();
    const sinceMs = nowMs - this.#turnedMs;
    if (sinceMs < this.#keepMs) return;
    this.#old = sinceMs < 2 * this.#keepMs ? this.#young : new Map();
    this.#young = new Map();
    this.#turnedMs = nowMs;
  }
}
