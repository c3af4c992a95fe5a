import type { Clock } from "../util/clock.ts";
import { httpDateMs } from "../util/http-date.ts";

/*
 * The time by the clock of the API server, which stamps creation and deletion and against which other replicas judge
 * what this one writes. Between two answers the local monotonic clock carries it on.
 *
 *                    Date of an answer          Date + 1 s + what an answer may take
 *     --- too low ---|----- believed as it is -----|--- too high --->   where now() stands when the answer arrives
 *      now() := Date                                now() := Date
 *
 * Promises:
 *  1. A jump of this machine's wall clock moves nothing once an answer has arrived; before that, now() is the wall clock.
 *  2. Answers that agree with now() do not move it: what was planned from it stays as it is.
 *  3. A replica on a machine whose clock is wrong judges ages like every other one.
 */

// `Date` is cut to whole seconds.
const dateStepMs = 1_000;

// Answers that took longer than this say too little of the time now: what they would correct is left as it is.
const slowestAnswerMs = 5_000;

// A time outside of these years is not one that a server in service has.
const earliestMs = Date.UTC(2020, 0);
const latestMs = Date.UTC(2200, 0);

/** A clock, and what corrects it. */
export interface ServerClock {
  readonly clock: Clock;
  /** Takes in the `Date` header of an answer that has just begun to arrive. What is no such date changes nothing. */
  readonly heard: (date: unknown) => void;
}

/** Makes a clock whose `now` follows the API server; `monotonic` and timers stay those of `local`. */
export function createServerClock(local: Clock): ServerClock {
  /** The server's time when `local.monotonic()` was 0. */
  let originMs: number | undefined;
  const now = (): number => (originMs === undefined ? local.now() : originMs + local.monotonic());
  return {
    clock: { now, monotonic: local.monotonic, setTimer: local.setTimer },
    heard: (date) => {
      const serverMs = parseDate(date);
      if (serverMs === undefined) return;
      const estimateMs = now();
      const isCredible = estimateMs >= serverMs && estimateMs <= serverMs + dateStepMs + slowestAnswerMs;
      originMs = (isCredible ? estimateMs : serverMs) - local.monotonic();
    },
  };
}

function parseDate(date: unknown): number | undefined {
  const ms = typeof date === "string" ? httpDateMs(date) : undefined;
  return ms !== undefined && ms >= earliestMs && ms <= latestMs ? ms : undefined;
}
