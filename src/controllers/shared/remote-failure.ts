// pure
import type { NorthflankError } from "../../northflank/errors.ts";
import type { Random } from "../../util/random.ts";
import { type FailureRecord, nextFailure } from "./failure.ts";
import { judgeRemoteError, type NextTry } from "./remote-verdict.ts";
import type { Verdict } from "./verdict.ts";

/** What a refused or lost call comes to for the object that wanted it. */
export interface RemoteFailure {
  readonly verdict: Verdict;
  /** `status.failure` from now on; `undefined` for waiting, which is no failure. */
  readonly failure: FailureRecord | undefined;
  readonly next: NextTry;
}

/** Judges a failed call and counts it on in the record of failures, as long as they are alike. */
export function judgeRemoteFailure(options: {
  readonly error: NorthflankError;
  readonly previous: FailureRecord | undefined;
  readonly now: number;
  readonly random: Random;
}): RemoteFailure {
  const { error, previous, now, random } = options;
  const failures = previous !== undefined && previous.httpStatus === error.httpStatus ? previous.count : 0;
  const { verdict, failureClass, httpStatus, next } = judgeRemoteError({ error, failures, random });
  if (failureClass === undefined) return { verdict, failure: undefined, next };
  const nextTryMs = next.kind === "recheck" ? next.afterMs : undefined;
  const { reason, message } = verdict;
  const failure = nextFailure({ previous, class: failureClass, reason, httpStatus, message, nextTryMs, now });
  return { verdict, failure, next };
}
