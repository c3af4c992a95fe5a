import type { Clock } from "../util/clock.ts";

/** How long reconciles may run without a turn of the event loop. */
const longestMs = 5;

/**
 * Lets timers and sockets have their turn between reconciles. What reconciles wait for may settle without any input, and
 * then a chain of them would never end: no timer fires, no Lease is renewed, no probe of the kubelet is answered.
 *
 * *Guarantees*: who waits for {@link EventLoop.turn} before each reconcile makes timers late by 5 ms of reconciles and
 * the one under way at most. One for the whole program: what its controllers do adds up.
 */
export class EventLoop {
  readonly #clock: Clock;
  readonly #nextTurn: (then: () => void) => void;
  #turnedMs = Number.NEGATIVE_INFINITY;
  #turning: Promise<void> | undefined;

  /** `nextTurn` calls back in a later turn of the event loop (default `setImmediate`). */
  constructor(clock: Clock, nextTurn: (then: () => void) => void = setImmediate) {
    this.#clock = clock;
    this.#nextTurn = nextTurn;
  }

  /** Resolves once the event loop has turned; `undefined` where it has done so a moment ago. */
  turn(): Promise<void> | undefined {
    if (this.#turning === undefined && this.#clock.monotonic() - this.#turnedMs < longestMs) return undefined;
    this.#turning ??= new Promise((resolve) => {
      this.#nextTurn(() => {
        this.#turning = undefined;
        this.#turnedMs = this.#clock.monotonic();
        resolve();
      });
    });
    return this.#turning;
  }
}
