import type { NorthflankJobRun } from "../../api/job-run.ts";
import { formatTime } from "../../runtime/conditions.ts";
import type { Clock } from "../../util/clock.ts";
import { latestAttempt } from "./machine.ts";
import { isGivenUp, type StartRecord, timeMs } from "./start-record.ts";

/*
 * The cluster was restored from a backup: objects are as they were then, and what they started since is forgotten.
 *
 *      backup ------- run started, recorded ------- restored: noticed here -- hold --|-- read, then start
 *         |<------------ may be forgotten ------------------->|
 *
 * An object that is about to start a run, and was waiting for that since before the restore, may have started it already.
 * Starts are held until such a run would be listed. What is listed then is taken for a start without an answer: one run
 * is adopted, of several a user has to name the right one, and only where there is none is a run started.
 */

/** When the API server was last seen to have gone back to an earlier state. */
export interface Restored {
  /** Wall clock, in milliseconds. */
  readonly atMs: number;
  /** Time since then, in milliseconds. */
  readonly sinceMs: number;
}

/** Remembers when reflectors noticed that. A process that was started later knows of no restore. */
export class RestoreMemory {
  readonly #clock: Clock;
  #last: { readonly atMs: number; readonly monotonicMs: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** To be called with each regression that a reflector notices. */
  readonly noticed = (): void => {
    this.#last = { atMs: this.#clock.now(), monotonicMs: this.#clock.monotonic() };
  };

  /** `undefined`: none since this process was started. */
  readonly last = (): Restored | undefined => {
    if (this.#last === undefined) return undefined;
    return { atMs: this.#last.atMs, sinceMs: this.#clock.monotonic() - this.#last.monotonicMs };
  };
}

/** How far off the difference of two clocks may be: Northflank's comes in whole seconds, with an answer that took time. */
const differenceAllowanceMs = 10_000;

/**
 * The record of the start that this object may have made and forgotten: of any run since it was created, since its last
 * run ended, or since that of a start that was given up would have begun, and until the restore. `undefined` where that was
 * after the restore, so that nothing can be forgotten.
 */
export function forgottenStart(options: {
  readonly object: NorthflankJobRun;
  readonly restored: Restored | undefined;
  readonly account: string;
  readonly newId: () => string;
  /** Northflank's clock minus ours, in milliseconds. */
  readonly aheadMs: number;
  /** How long after a start its run may begin, in milliseconds. */
  readonly settleWaitMs: number;
}): StartRecord | undefined {
  const { object, restored, aheadMs, settleWaitMs } = options;
  const last = latestAttempt(object);
  const start = object.status?.start;
  const given = start !== undefined && isGivenUp(start) ? start : undefined;
  const createdMs = timeMs(object.metadata.creationTimestamp);
  const beforeMs = timeMs(last?.completionTime) ?? (createdMs === undefined ? undefined : createdMs + aheadMs);
  if (restored === undefined || beforeMs === undefined) return undefined;
  // What was repeated is searched for by its own record. The repetition came after all that one can have started.
  const sinceMs = Math.max(beforeMs, given === undefined ? beforeMs : reachOf(given, settleWaitMs));
  if (sinceMs - aheadMs > restored.atMs) return undefined;
  return {
    id: options.newId(),
    attempt: (last?.number ?? 0) + 1,
    recordedTime: formatTime(sinceMs - differenceAllowanceMs),
    untilTime: formatTime(restored.atMs + aheadMs + settleWaitMs + differenceAllowanceMs),
    baseline: { runIds: given?.baseline?.runIds ?? [] },
    account: options.account,
    outcome: "Pending",
  };
}

/** So late, and a little later, the run of a start that was given up can have begun. */
function reachOf({ recordedTime, untilTime }: StartRecord, settleWaitMs: number): number {
  const recordedMs = timeMs(recordedTime) ?? Number.NEGATIVE_INFINITY;
  const untilMs = timeMs(untilTime) ?? Number.NEGATIVE_INFINITY;
  // What is made of this is moved back by one allowance, and what is compared with that by another one.
  return Math.max(recordedMs + settleWaitMs, untilMs) + 2 * differenceAllowanceMs;
}
