import type { Clock, Timer } from "../util/clock.ts";
import { arrive, dueAtMs, emptyLane, type LaneCall, type LaneStep, leave, settle } from "./lane-state.ts";

/** A request that wants a place, and what is done with it. */
export interface PlacedCall extends LaneCall {
  /** It has a place. Called at most once. */
  readonly start: () => void;
  /** It had a place, and has to give it up: it is late, and others wait. Called at most once, after `start`. */
  readonly evict: () => void;
}

/**
 * The places of one account, by the rules of `lane-state.ts`.
 *
 * *Guarantees*: a call that has left is neither started nor evicted; no timer is set while nothing waits.
 */
export class Lane {
  readonly #clock: Clock;
  #state: LaneStep<PlacedCall>["state"];
  #timer: (Timer & { readonly atMs: number }) | undefined;

  /** `places`: how many calls are under way at most. */
  constructor({ clock, places }: { readonly clock: Clock; readonly places: number }) {
    this.#clock = clock;
    this.#state = emptyLane(places);
  }

  /** Nothing is under way, and nothing waits. */
  get isIdle(): boolean {
    return this.#state.running.length === 0 && this.#state.waiting.length === 0;
  }

  /** Starts the call, at once or when it has a place. */
  enter(call: PlacedCall): void {
    this.#apply(arrive(this.#state, call, this.#clock.monotonic()));
  }

  /** The call is over, or given up while it waited. `isAnswered`: with a complete response. Harmless to repeat. */
  leave(call: PlacedCall, isAnswered: boolean): void {
    this.#apply(leave(this.#state, call, { nowMs: this.#clock.monotonic(), isAnswered }));
  }

  #apply({ state, started, evicted }: LaneStep<PlacedCall>): void {
    // Before the calls are informed, because they may leave or enter meanwhile.
    this.#state = state;
    this.#setTimer();
    for (const call of evicted) call.evict();
    for (const call of started) if (this.#hasPlace(call)) call.start();
  }

  #hasPlace(call: PlacedCall): boolean {
    return this.#state.running.some((one) => one.call === call);
  }

  /** A timer that is set for earlier stays: when it fires, the next one is set. There is one in two seconds at most. */
  #setTimer(): void {
    const nowMs = this.#clock.monotonic();
    const atMs = dueAtMs(this.#state, nowMs);
    if (atMs !== undefined && this.#timer !== undefined && this.#timer.atMs <= atMs) return;
    this.#timer?.cancel();
    this.#timer = atMs === undefined ? undefined : { atMs, ...this.#clock.setTimer(this.#onTime, atMs - nowMs) };
  }

  readonly #onTime = (): void => {
    this.#timer = undefined;
    this.#apply(settle(this.#state, this.#clock.monotonic()));
  };
}
