// pure

import type { Reason } from "../../api/reasons.ts";
import type { Claim } from "../reconcile/claim.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeAfter } from "../reconcile/requeue.ts";
import type { Conclusion } from "./conclusion.ts";
import type { Seen } from "./observation.ts";
import { seenFields } from "./seen.ts";

/** What a pass says that has not read the job. */
export const nothingLearned = { inSync: "as-before", stated: {}, failure: undefined, events: [] } as const;

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

/** Values of a Secret or ConfigMap have changed, and could not be sent: nothing is in sync, whatever Ready says. */
export function unsentSource(reason: Reason): Claim {
  const message = "A referenced Secret or ConfigMap changed; the new values are not applied yet.";
  return { status: "Unknown", reason, message };
}

/** An older object manages settings of the same job. */
export function conflictConclusion(winner: string): Omit<Conclusion, "sameDesire"> {
  const message =
    `The job is already managed by the older NorthflankJob ${winner}; this object has no effect. Put all settings into one ` +
    "of the two, or set spec.managementPolicy of one to Observe. This one takes over as soon as the other is gone or observes.";
  const verdict = { kind: "stalled", reason: "TargetConflict", message } as const;
  // The deletion or edit of the other wakes this object; this is the net below that.
  const next = probeAfter(600_000);
  // The other sends what it likes meanwhile: of what was sent from here, nothing is known to be in force any more.
  return { ...nothingLearned, stated: { applied: undefined }, verdict, next };
}

/** The job cannot take what is declared. */
export function unsupportedConclusion(message: string, seen: Seen): Conclusion {
  return {
    ...nothingLearned,
    verdict: { kind: "stalled", reason: "UnsupportedTarget", message },
    inSync: { status: "False", reason: "UnsupportedTarget", message: "The job cannot take what is declared." },
    stated: { ...seenFields(seen), pendingChanges: undefined },
    next: probeAfter(slowProbeMs),
    sameDesire: false,
  };
}
