// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import { assertNever } from "../../util/assert-never.ts";
import { invalidSpecMessage } from "../shared/spec-problem.ts";
import { type Comparison, compare, type Difference } from "./compare.ts";
import type { Conclusion } from "./conclusion.ts";
import type { DecideInput, Decision, Seen } from "./decision.ts";
import { sameConclusion } from "./in-sync.ts";
import { observedFields } from "./observed-fields.ts";
import { dependencyConclusion, driftConclusion, fightConclusion, pausedConclusion } from "./out-of-sync.ts";
import { isFight, isSameDesire, recentCorrections, wasInSync } from "./remembered.ts";
import {
  blockedConclusion,
  conflictConclusion,
  jobTargetMessage,
  remoteFailure,
  stalled,
  suspendedConclusion,
} from "./unseen.ts";

/**
 * What to do about one observation: rest, conclude, or send one change. Every state of the object is reached from here,
 * and nothing is done here.
 *
 *     invalid, job-target, suspended, blocked, conflict -> named state, no request
 *     failed -> by the table of remote errors
 *     seen -> same      -> paused? rollout failed, timed out, rolling, complete
 *          -> different -> Observe or unchanged under EnforceOnChange: DriftObserved
 *                       -> paused, dependency, fight: named state
 *                       -> write
 */
export function decide(input: DecideInput): Decision {
  const { object, observation } = input;
  switch (observation.kind) {
    case "rest":
      return { kind: "rest", dueInMs: observation.dueInMs };
    case "invalid":
      return conclude(stalled("InvalidSpec", invalidSpecMessage(observation.problems), { next: { kind: "never" } }));
    case "job-target":
      return conclude(stalled("UnsupportedTarget", jobTargetMessage(observation.jobId), { next: { kind: "never" } }));
    case "suspended":
      return conclude({ ...suspendedConclusion, sameDesire: isSameDesire(object, observation.desire) });
    case "conflict":
      return conclude(conflictConclusion(observation.winner, isSameDesire(object, observation.desire)));
    case "blocked":
      return conclude(blockedConclusion(observation, isSameDesire(object, observation.desire)));
    case "failed":
      return conclude(remoteFailure({ ...input, desire: observation.desire, error: observation.error }));
    case "seen":
      return decideSeen(input, observation);
    default:
      return assertNever(observation, "observation");
  }
}

function decideSeen(input: DecideInput, seen: Seen): Decision {
  const { object } = input;
  const unsupported = unsupportedReason(seen);
  if (unsupported !== undefined) {
    const stated = { ...observedFields(seen.service), pendingChanges: undefined };
    return conclude(stalled("UnsupportedTarget", unsupported, { stated }));
  }
  const pending = pendingDifferences(object, seen);
  if (pending.length === 0) return conclude(sameConclusion(input, seen));
  return decideDifferent(input, seen, pending);
}

/** What has to be written. Fields that Northflank does not tell count only when the declaration has changed. */
function pendingDifferences(object: NorthflankDeployment, { desire, service }: Seen): readonly Difference[] {
  const { differences, untold }: Comparison = compare(desire, service);
  const before = object.status?.applied?.specHash;
  const mayDiffer = before !== undefined && before !== desire.hash;
  return mayDiffer ? [...differences, ...untold] : differences;
}

function decideDifferent(input: DecideInput, seen: Seen, pending: readonly Difference[]): Decision {
  const { object, now } = input;
  const policy = object.spec.managementPolicy;
  const isChange = object.status?.applied?.specHash !== seen.desire.hash;
  const isDrift = wasInSync(object);
  if (policy === "Observe" || (policy === "EnforceOnChange" && !isChange)) {
    return conclude(driftConclusion(input, seen, pending), isDrift);
  }
  if (seen.service.servicePaused) return conclude(pausedConclusion(seen, pending));
  const held = isChange ? dependencyConclusion(seen, pending) : undefined;
  if (held !== undefined) return conclude(held);
  const corrections = recentCorrections(object, now);
  if (!isChange && isFight(object, corrections)) return conclude(fightConclusion(seen, pending), isDrift);
  const cause = isChange ? "SpecChanged" : "DriftCorrected";
  return { kind: "write", change: { desire: seen.desire, cause, before: seen.service, differences: pending } };
}

/** Why the service cannot take what is declared; `undefined` when it can. */
function unsupportedReason({ service, desire }: Seen): string | undefined {
  if (service.serviceType === "build") {
    return `Service "${service.id}" is a build service: it builds and deploys nothing. Name a deployment service.`;
  }
  if (service.serviceType === "combined" && desire.body.external !== undefined) {
    return (
      `Service "${service.id}" is a combined service, which runs its own builds and takes no external image. Declare an ` +
      "internal source, or name a deployment service."
    );
  }
  return undefined;
}

function conclude(conclusion: Conclusion, sawDrift = false): Decision {
  return { kind: "conclude", conclusion, sawDrift };
}
