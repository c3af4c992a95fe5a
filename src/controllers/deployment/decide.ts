// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import { assertNever } from "../../util/assert-never.ts";
import { invalidSpecMessage } from "../shared/spec-problem.ts";
import { type Comparison, compare, type Difference } from "./compare.ts";
import type { Conclusion } from "./conclusion.ts";
import type { DecideInput, Decision, Seen } from "./decision.ts";
import { sameConclusion } from "./in-sync.ts";
import { observedFields } from "./observed-fields.ts";
import {
  dependencyConclusion,
  driftConclusion,
  fightConclusion,
  pausedConclusion,
  readBackConclusion,
  rejectedConclusion,
} from "./out-of-sync.ts";
import { isFight, isNotShownYet, isSameDesire, recentCorrections, wasInSync } from "./remembered.ts";
import {
  blockedConclusion,
  conflictConclusion,
  jobRouteGoneMessage,
  remoteFailure,
  stalled,
  suspendedConclusion,
} from "./unseen.ts";
import { warningsOf, willFight, withWarnings } from "./warnings.ts";

/**
 * What to do about one observation: rest, conclude, or send one change. Every state of the object is reached from here,
 * and nothing is done here.
 *
 *     invalid, suspended, blocked, conflict -> named state, no request
 *     route-gone -> UnsupportedTarget
 *     failed -> by the table of remote errors
 *     seen -> unsupported, continuous deployment that is not wanted -> named state
 *          -> same      -> paused? rollout failed, timed out, rolling, complete; of a job: complete
 *          -> different -> Observe or unchanged under EnforceOnChange: DriftObserved
 *                       -> paused, dependency, not shown yet, fight: named state
 *                       -> write
 */
export function decide(input: DecideInput): Decision {
  const { object, observation } = input;
  switch (observation.kind) {
    case "rest":
      return { kind: "rest", dueInMs: observation.dueInMs };
    case "invalid":
      return conclude(stalled("InvalidSpec", invalidSpecMessage(observation.problems), { next: { kind: "never" } }));
    case "route-gone":
      return conclude(stalled("UnsupportedTarget", jobRouteGoneMessage(observation.error)));
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
  if (object.spec.continuousDeployment === "Reject" && willFight(object, seen.service)) {
    return conclude(rejectedConclusion(seen, pending));
  }
  const decision = pending.length === 0 ? conclude(sameConclusion(input, seen)) : decideDifferent(input, seen, pending);
  if (decision.kind !== "conclude") return decision;
  return { ...decision, conclusion: withWarnings(decision.conclusion, warningsOf(object, seen), input) };
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
  if (!isChange && isNotShownYet(object, seen.service, now)) return conclude(readBackConclusion(input, seen, pending));
  const corrections = recentCorrections(object, now);
  if (!isChange && isFight(object, corrections)) return conclude(fightConclusion(seen, pending), isDrift);
  const cause = isChange ? "SpecChanged" : "DriftCorrected";
  return { kind: "write", change: { desire: seen.desire, cause, before: seen.service, differences: pending } };
}

/** Why the service cannot take what is declared; `undefined` when it can. */
function unsupportedReason({ service, desire }: Seen): string | undefined {
  if (service.serviceType === "build") {
    return (
      `Service "${service.id}" is a build service: it builds, and runs nothing. Name a deployment service here, and ` +
      "the build service in its deployment.internal.id."
    );
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
