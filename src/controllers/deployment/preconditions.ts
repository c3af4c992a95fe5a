// pure

import type { NorthflankError } from "../../northflank/errors.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { judgeRemoteFailure } from "../reconcile/remote-failure.ts";
import { probeAfter, type Requeue } from "../reconcile/requeue.ts";
import type { Conclusion, StatedFields } from "./conclusion.ts";
import type { DecideInput } from "./decision.ts";
import type { Observation } from "./observation.ts";
import { isSameDesire } from "./remembered.ts";

const nothingLearned = {
  inSync: "as-before",
  rolloutComplete: "as-before",
  restored: "as-before",
  stated: {},
  failure: undefined,
  events: [],
} as const;

/** `spec.suspend` is true. */
export const suspendedConclusion: Omit<Conclusion, "sameDesire"> = {
  ...nothingLearned,
  verdict: {
    kind: "suspended",
    reason: "Suspended",
    message: "Reconciliation is suspended. Set spec.suspend to false to resume.",
  },
  next: { kind: "never" },
};

/** An older object manages the same target. */
export function conflictConclusion(winner: string, sameDesire: boolean | undefined): Conclusion {
  const message =
    `The target is already managed by the older NorthflankDeployment ${winner}; this object has no effect. Delete one of ` +
    "the two, or set spec.managementPolicy of one to Observe. This one takes over as soon as the other is gone or observes.";
  const verdict = { kind: "stalled", reason: "TargetConflict", message } as const;
  // The deletion or edit of the other wakes this object; this is the net below that.
  return { ...nothingLearned, verdict, next: probeAfter(600_000), sameDesire };
}

/** There is no account that can be used now. */
export function blockedConclusion(
  observation: Observation & { kind: "blocked" },
  sameDesire: boolean | undefined,
): Conclusion {
  const { verdict, recheckAfterMs, pause } = observation;
  const next = { kind: "recheck", afterMs: recheckAfterMs, ...(pause && { pause }) } as const;
  return { ...nothingLearned, verdict, next, sameDesire };
}

/** What a refused or lost call comes to, be it a look or a change. */
export function remoteFailure(
  options: Pick<DecideInput, "object" | "now" | "random"> & Pick<Observation & { kind: "failed" }, "desire" | "error">,
): Conclusion {
  const { object, now, random, error, desire } = options;
  const judged = judgeRemoteFailure({ error, previous: object.status?.failure, now, random });
  return { ...nothingLearned, ...judged, sameDesire: isSameDesire(object, desire) };
}

/** Nothing is sent until a person has changed something; looked at again about once an hour unless `next` says else. */
export function stalled(
  reason: "InvalidSpec" | "UnsupportedTarget",
  message: string,
  more: { readonly next?: Requeue; readonly stated?: StatedFields } = {},
): Conclusion {
  const { next = probeAfter(slowProbeMs), stated = {} } = more;
  return { ...nothingLearned, verdict: { kind: "stalled", reason, message }, next, stated, sameDesire: false };
}

/** What to do where Northflank has taken away one of the two deprecated calls that a job as a target needs. */
export function jobRouteGoneMessage({ statement }: NorthflankError): string {
  return (
    `The job is there, but Northflank no longer has the deprecated call that this needs (${statement}). Give the ` +
    "image with each run in spec.deployment of a NorthflankJobRun, which needs no such call; or let the job follow a " +
    "build service by Northflank's own continuous deployment; or use a service as target."
  );
}
