// pure

import type { NorthflankError } from "../../northflank/errors.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeAfter, type Requeue } from "../reconcile/requeue.ts";
import {
  failedReadConclusion,
  nothingLearned as nothingRead,
  type TargetWords,
  type Unmet,
  unmetConclusion,
} from "../target/preconditions.ts";
import type { Conclusion, StatedFields } from "./conclusion.ts";
import type { DecideInput } from "./decision.ts";
import type { Desire } from "./desired.ts";
import { isSameDesire } from "./machine.ts";
import type { Observation } from "./observation.ts";

const nothingLearned = { ...nothingRead, rolloutComplete: "as-before", restored: "as-before" } as const;

const words: TargetWords = {
  kind: "NorthflankDeployment",
  target: "target",
  onConflict: "Delete one of the two",
};

/** What an unmet precondition comes to. */
export function notMetConclusion(
  { object }: Pick<DecideInput, "object">,
  unmet: Unmet<{ readonly desire: Desire }>,
): Conclusion {
  const sameDesire = unmet.kind !== "invalid" && isSameDesire(object, unmet.desire);
  return { ...nothingLearned, ...unmetConclusion(unmet, words, sameDesire) };
}

/** What a refused or lost call comes to, be it a read or a change. */
export function remoteFailure(
  input: Pick<DecideInput, "object" | "now" | "random"> & Pick<Observation & { kind: "failed" }, "desire" | "error">,
): Conclusion {
  return { ...nothingLearned, ...failedReadConclusion(input, isSameDesire(input.object, input.desire)) };
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
