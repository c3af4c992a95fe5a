// pure
import type { NorthflankError } from "../../northflank/errors.ts";
import type { Random } from "../../util/random.ts";
import { type FailureClass, type FailureRecord, nextFailure } from "./failure.ts";
import type { ReadyState } from "./ready-state.ts";
import { judgeRemoteError, type RemoteFailureState } from "./remote-error.ts";

/** The result of a refused or lost call for the object that it was sent for. */
export interface RemoteFailure {
  readonly readyState: ReadyState;
  /** `status.failure` from now on; `undefined` for waiting, which is no failure. */
  readonly failure: (FailureRecord & { readonly class: FailureClass }) | undefined;
  readonly next: RemoteFailureState["next"];
}

/** Judges a failed call and counts it on in the record of failures, as long as they are alike. */
export function judgeRemoteFailure(options: {
  readonly error: NorthflankError;
  readonly previous: FailureRecord | undefined;
  readonly now: number;
  readonly random: Random;
  /** What to do about it, where that is not what every kind says. */
  readonly remedy?: string | undefined;
}): RemoteFailure {
  const { error, previous, now, random, remedy } = options;
  const judge = (failures: number) => judgeRemoteError({ error, failures, random, remedy });
  const { readyState, failureClass, httpStatus, next } = judge(failuresAlike(previous, judge(0)));
  if (failureClass === undefined) return { readyState, failure: undefined, next };
  // The next check after a 401 reads the Secret: the same token is sent again when `known-tokens.ts` allows a probe.
  const nextTryMs = next.kind === "recheck" && error.code !== "unauthorized" ? next.afterMs : undefined;
  const { reason, message } = readyState;
  const failure = nextFailure({ previous, class: failureClass, reason, httpStatus, message, nextTryMs, now });
  return { readyState, failure, next };
}

/** How many attempts failed alike before the present one: with the same class, reason and HTTP status. */
export function failuresAlike(previous: FailureRecord | undefined, judged: RemoteFailureState): number {
  const isAlike =
    previous?.class === judged.failureClass &&
    previous?.reason === judged.readyState.reason &&
    previous?.httpStatus === judged.httpStatus;
  return isAlike ? (previous?.count ?? 0) : 0;
}
