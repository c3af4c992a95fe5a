// pure
import { capped, formatTime } from "../../runtime/conditions.ts";

/**
 * How a failure is treated. `Transient`: fast retries with back-off. `Terminal`: fast retries have ended, a slow probe
 * continues, and a change that may have fixed it (spec, Secret, connection, a reconcile request) retries at once.
 */
export type FailureClass = "Transient" | "Terminal";

/** `status.failure`: the present failure. Removed as soon as a reconcile succeeds. */
export interface FailureRecord {
  readonly class: FailureClass | "Waiting";
  /** As in the conditions. */
  readonly reason?: string;
  /** HTTP status of the last refusal, when there was an answer. */
  readonly httpStatus?: number;
  /** Attempts that failed in a row, this one included. */
  readonly count: number;
  readonly firstTime: string;
  readonly lastTime: string;
  /** When the next attempt is planned; missing while the back-off of the queue decides, and while a token is rejected. */
  readonly nextTryTime?: string;
  readonly message: string;
}

// A message in status must never be what makes an object too large.
const maxFailureMessageLength = 512;

/** The record after one more failure: counts on while class, reason and HTTP status stay, else starts anew. */
export function nextFailure(options: {
  readonly previous: FailureRecord | undefined;
  readonly class: FailureClass;
  readonly reason: string;
  readonly httpStatus: number | undefined;
  readonly message: string;
  /** Milliseconds until the next attempt, where known. */
  readonly nextTryMs: number | undefined;
  readonly now: number;
}): FailureRecord & { readonly class: FailureClass } {
  const { previous, reason, httpStatus, nextTryMs, now } = options;
  const isSame = previous?.class === options.class && previous.reason === reason;
  const goesOn = isSame && previous.httpStatus === httpStatus;
  return {
    class: options.class,
    reason,
    ...(httpStatus === undefined ? {} : { httpStatus }),
    count: goesOn ? previous.count + 1 : 1,
    firstTime: goesOn ? previous.firstTime : formatTime(now),
    lastTime: formatTime(now),
    ...(nextTryMs === undefined ? {} : { nextTryTime: formatTime(now + nextTryMs) }),
    message: capped(options.message, maxFailureMessageLength),
  };
}
