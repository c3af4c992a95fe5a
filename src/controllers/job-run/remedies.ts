// pure
import type { Reason } from "../../api/reasons.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import { type ReadyState, withClause } from "../reconcile/ready-state.ts";
import { judgeRemoteFailure, type RemoteFailure } from "../reconcile/remote-failure.ts";
import type { Situation } from "./result.ts";

/** What a failed call comes to for a run, whatever it was for. */
export function judgeFailedCall({ object, now, random }: Situation, error: NorthflankError): RemoteFailure {
  const previous = object.status?.failure;
  return judgeRemoteFailure({ error, previous, now, random, remedy: runRemedyOf(error) });
}

/**
 * What to do about a call for a run that was refused; `undefined` where that is the same as for every other object. The
 * spec of a run cannot be changed, so the job, or another run, has to be.
 */
export function runRemedyOf(error: NorthflankError): string | undefined {
  if (isJobWithoutSource(error)) {
    return "The job has no image and no build: give it one of them in Northflank, or create a run that sets spec.deployment.";
  }
  switch (error.code) {
    case "rejected":
      return "Change the job in Northflank, or create a run with another spec: the spec of a run cannot be changed.";
    case "not_found":
      return "Create the job in Northflank, check the team of the connection, or create a run with other ids.";
    case "gone":
      return "The job was removed; create a run of another one.";
    default:
      return undefined;
  }
}

/** What Northflank answers to the start of a run that names no source, of a job that has none. Nothing was started. */
function isJobWithoutSource({ httpStatus, detail }: NorthflankError): boolean {
  return httpStatus === 409 && /no deployment configured/i.test(detail);
}

/** The last clause of every message that is about the spec: what it names can hardly be changed. */
export const immutableSpec =
  "of a run only suspend, abort, ttlSecondsAfterFinished and deletionPolicy can be changed: for any other change of the spec, " +
  "create another run.";

/** What keeps references of a run from being read, with {@link immutableSpec} where the spec may be at fault. */
export function ofRun(readyState: ReadyState): ReadyState {
  return isAboutSpec.has(readyState.reason)
    ? { ...readyState, message: withClause(readyState.message, immutableSpec) }
    : readyState;
}

const isAboutSpec: ReadonlySet<Reason> = new Set([
  "InvalidSpec",
  "SecretNotFound",
  "SecretKeyMissing",
  "SecretInvalid",
]);
