// pure

import type { NorthflankError } from "../../northflank/errors.ts";
import { assertNever } from "../../util/assert-never.ts";
import {
  failedReadConclusion,
  nothingLearned,
  type TargetWords,
  unmetConclusion,
  unsupported,
} from "../target/preconditions.ts";
import { isSameDesire } from "./changes.ts";
import type { Conclusion, DecideInput, Observation, StatedFields } from "./observation.ts";

const unread = { ...nothingLearned, rolloutComplete: "as-before", restored: "as-before" } as const;

const words: TargetWords = {
  kind: "NorthflankDeployment",
  target: "target",
  onConflict: "Delete one of the two",
};

type Unread = Exclude<Observation, { readonly kind: "rest" | "building" | "seen" }>;

/** The conclusion when the target was not read: a precondition is unmet, or the read failed. */
export function unreadConclusion(input: DecideInput, observation: Unread): Conclusion {
  switch (observation.kind) {
    case "invalid":
      return { ...unread, ...unmetConclusion(observation, words, false) };
    case "suspended":
    case "blocked":
    case "conflict": {
      const sameDesire = isSameDesire(input.object, observation.desire);
      return { ...unread, ...unmetConclusion(observation, words, sameDesire) };
    }
    case "route-gone":
      return unsupportedConclusion(jobRouteGoneMessage(observation.error));
    case "failed":
      return remoteFailure({ ...input, ...observation });
    default:
      return assertNever(observation, "observation");
  }
}

/** The conclusion for a refused or lost call, be it a read or a change. */
export function remoteFailure(
  facts: Pick<DecideInput, "object" | "now" | "random"> & Pick<Unread & { kind: "failed" }, "desire" | "error">,
): Conclusion {
  return { ...unread, ...failedReadConclusion(facts, isSameDesire(facts.object, facts.desire)) };
}

export function unsupportedConclusion(message: string, stated: StatedFields = {}): Conclusion {
  return { ...unread, ...unsupported(message), stated };
}

/** What to do where Northflank has taken away one of the two deprecated calls that a job as a target needs. */
export function jobRouteGoneMessage({ statement }: NorthflankError): string {
  return (
    `The job is there, but Northflank no longer has the deprecated call that this needs (${statement}). Give the ` +
    "image with each run in spec.deployment of a NorthflankJobRun, which needs no such call; or let the job follow a " +
    "build service by Northflank's own continuous deployment; or use a service as target."
  );
}
