// pure

import { slowProbeMs } from "../shared/remote-verdict.ts";
import type { Conclusion } from "./conclusion.ts";
import type { Seen } from "./observation.ts";

/** What a pass says that has not read the job. */
export const nothingLearned = { inSync: "as-before", stated: {}, failure: undefined, events: [] } as const;

/** `spec.suspend` is true. */
export const suspendedConclusion: Omit<Conclusion, "sameDesire"> = {
  ...nothingLearned,
  verdict: {
    kind: "suspended",
    reason: "Suspended",
    message: "spec.suspend is true: nothing is read or written. Goes on when it is false.",
  },
  next: { kind: "never" },
};

/** An older object manages settings of the same job. */
export function conflictConclusion(winner: string): Omit<Conclusion, "sameDesire"> {
  const message =
    `NorthflankJob ${winner} is older and manages the same job; nothing is sent for this one. Put all settings into one ` +
    "of the two; this one takes over as soon as the other is gone.";
  const verdict = { kind: "stalled", reason: "TargetConflict", message } as const;
  // The deletion of the other wakes this object; this is the net below that.
  return { ...nothingLearned, verdict, next: { kind: "recheck", afterMs: 600_000 } };
}

/** The job cannot take what is declared. */
export function unsupportedConclusion(message: string, { view }: Seen): Conclusion {
  return {
    ...nothingLearned,
    verdict: { kind: "stalled", reason: "UnsupportedTarget", message },
    inSync: { status: "False", reason: "UnsupportedTarget", message: "The job cannot take what is declared." },
    stated: { jobType: view.jobType, pendingChanges: undefined },
    next: { kind: "recheck", afterMs: slowProbeMs },
    sameDesire: false,
  };
}
