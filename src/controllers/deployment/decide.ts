// pure
import type { NorthflankDeploymentStatus } from "../../api/deployment.ts";
import { assertNever } from "../../util/assert-never.ts";
import { present } from "../../util/present.ts";
import { judgeBuild } from "../build/build-query.ts";
import { isFight } from "../target/drift.ts";
import { recreatedConclusion, sameTarget } from "../target/recreated.ts";
import { buildRecord, followsLatest } from "./build.ts";
import { buildingConclusion, neededToDeploy, neededToRollOut } from "./build-wait.ts";
import { type Conclusion, statedFields } from "./conclusion.ts";
import type { DecideInput, Decision, Seen } from "./decision.ts";
import type { Difference } from "./diff.ts";
import { sameConclusion } from "./in-sync.ts";
import {
  correctionsOf,
  isNotShownYet,
  knownHash,
  nowByStopwatch,
  stateOf,
  steps,
  wantsRedeploy,
  wasInSync,
} from "./machine.ts";
import { decidePart, notKeptConclusion, partsIn } from "./not-kept.ts";
import { observedFields } from "./observed-fields.ts";
import {
  dependencyConclusion,
  driftConclusion,
  fightConclusion,
  readBackConclusion,
  rejectedConclusion,
  unbuiltConclusion,
} from "./out-of-sync.ts";
import { isNewDeclaration, pendingDifferences } from "./pending.ts";
import { jobRouteGoneMessage, notMetConclusion, remoteFailure, stalled } from "./preconditions.ts";
import { decideRedeploy, withRedeploy } from "./redeploy.ts";
import { decideRollback, decideRolledBack, keepRequest } from "./rollback.ts";
import { warningsOf, willFight, withWarnings } from "./warnings.ts";

/**
 * What to do about one observation: rest, conclude, send one change, or read more first. Every state of the object is reached from here,
 * and nothing is done here.
 *
 *     invalid, suspended, blocked, conflict -> named state, no request
 *     route-gone -> UnsupportedTarget
 *     failed -> by the table of remote errors
 *     building -> not over: WaitingForBuild; else the target is read
 *     seen -> another uid than in status -> status starts anew, and the target is read again
 *          -> unsupported, continuous deployment that is not wanted -> named state
 *          -> same      -> a redeploy is asked for: write
 *                       -> paused: Ready; rollout failed (with Restore: record, then write), timed out, rolling, complete;
 *                          of a job: complete
 *          -> different -> put back by Restore: named state
 *                       -> Observe or unchanged under EnforceOnChange: DriftObserved
 *                       -> dependency, not shown yet: named state
 *                       -> our change was kept in part: that part alone is written, then named state
 *                       -> fight, build: named state
 *                       -> write
 */
export function decide(input: DecideInput): Decision {
  const decision = decideObserved(input);
  if (decision.kind !== "conclude") return decision;
  return { ...decision, conclusion: keepRequest(input, decision.conclusion) };
}

function decideObserved(input: DecideInput): Decision {
  const { observation } = input;
  switch (observation.kind) {
    case "rest":
      return { kind: "rest", dueInMs: observation.dueInMs };
    case "invalid":
    case "suspended":
    case "blocked":
    case "conflict":
      return conclude(notMetConclusion(input, observation));
    case "route-gone":
      return conclude(stalled("UnsupportedTarget", jobRouteGoneMessage(observation.error)));
    case "failed":
      return conclude(remoteFailure({ ...input, desire: observation.desire, error: observation.error }));
    case "building":
      if (judgeBuild(observation.build) !== "awaited") return { kind: "need", need: { kind: "target" } };
      return conclude(buildingConclusion(input, observation));
    case "seen":
      return decideSeen(input, observation);
    default:
      return assertNever(observation, "observation");
  }
}

function decideSeen(input: DecideInput, seen: Seen): Decision {
  const { object } = input;
  const { kind, id, uid } = seen.service;
  if (!sameTarget(object.status?.targetUid, uid)) {
    const { nextResyncMs } = seen;
    const conclusion = recreatedConclusion(object, { name: `${kind} "${id}"`, uid, nextResyncMs }, statedFields);
    return conclude({ ...conclusion, rolloutComplete: conclusion.inSync });
  }
  const unsupported = unsupportedReason(seen);
  if (unsupported !== undefined) {
    const stated = { ...observedFields(seen.service), pendingChanges: undefined };
    return conclude(stalled("UnsupportedTarget", unsupported, { stated }));
  }
  const pending = pendingDifferences(object, seen);
  if (object.spec.continuousDeployment === "Reject" && willFight(object, seen.service)) {
    return conclude(rejectedConclusion(seen, pending));
  }
  const decision = decidePending(input, seen, pending);
  if (decision.kind !== "conclude") return decision;
  return { ...decision, conclusion: withWarnings(decision.conclusion, warningsOf(object, seen), input) };
}

function decidePending(input: DecideInput, seen: Seen, pending: readonly Difference[]): Decision {
  const { object } = input;
  if (pending.length === 0) return decideSame(input, seen);
  if (steps[stateOf(object, seen.desire)].different === "leave" && object.spec.managementPolicy !== "Observe") {
    return decideRolledBack(input, seen, pending);
  }
  return decideDifferent(input, seen, pending);
}

/** The target has what is declared: a redeploy that is asked for, else how far its rollout is. */
function decideSame(input: DecideInput, seen: Seen): Decision {
  const { object } = input;
  const asked = decideRedeploy(input, seen);
  switch (asked?.kind) {
    case "send": {
      const { service: before } = seen;
      const { external, internal } = seen.desire.body;
      const desire = { ...seen.desire, body: present({ external, internal }) };
      const build = object.status?.build;
      const change = { desire, cause: "Redeployed", before, differences: [], redeploy: asked.redeploy } as const;
      return { kind: "write", change: { ...change, ...(build && { build }) } };
    }
    case "conclude":
      return conclude(asked.conclusion);
    case "adopt": {
      const known = { ...object, status: { ...object.status, ...asked.stated } as NorthflankDeploymentStatus };
      const decision = decideRollout({ ...input, object: known }, seen);
      if (decision.kind !== "conclude") return decision;
      const { conclusion } = decision;
      return conclude({ ...conclusion, stated: { ...asked.stated, ...conclusion.stated } });
    }
    case undefined:
      return decideRollout(input, seen);
    default:
      return assertNever(asked, "redeploy");
  }
}

function decideRollout(input: DecideInput, seen: Seen): Decision {
  const query = neededToRollOut(input.object, seen);
  if (query !== undefined) return { kind: "need", need: { kind: "build", query } };
  return decideRollback(input, seen, withRedeploy(input, seen, sameConclusion(input, seen)));
}

function decideDifferent(input: DecideInput, seen: Seen, pending: readonly Difference[]): Decision {
  const { object, now } = input;
  const policy = object.spec.managementPolicy;
  const isChange = isNewDeclaration(object, seen);
  const isDrift = wasInSync(object);
  // What was not kept of our own change is no drift.
  const notKept = isChange ? undefined : decidePart(input, seen, pending);
  if (policy === "Observe" || (policy === "EnforceOnChange" && !isChange && notKept === undefined)) {
    return conclude(driftConclusion(input, seen, pending), isDrift);
  }
  const isFirst = knownHash(object.status) !== seen.desire.hash || wantsRedeploy(object);
  const held = isFirst ? dependencyConclusion(seen, pending) : undefined;
  if (held !== undefined) return conclude(held);
  if (!isChange && isNotShownYet(input, seen.service)) return conclude(readBackConclusion(input, seen, pending));
  if (notKept === "stop") return conclude(notKeptConclusion(input, seen, pending));
  if (notKept === "send") {
    const part = { ...seen.desire, body: partsIn(seen.desire.body, pending) };
    const change = { desire: part, cause: "PartResent", before: seen.service, differences: pending } as const;
    return { kind: "write", change: { ...change, ...(object.status?.build && { build: object.status.build }) } };
  }
  if (!isChange && isFight(object, correctionsOf(object), nowByStopwatch(input)))
    return conclude(fightConclusion(object, seen, pending), isDrift);
  const query = neededToDeploy(object, seen);
  if (query !== undefined) return { kind: "need", need: { kind: "build", query } };
  // The setting to follow the latest build is sent also when there is none yet.
  const unbuilt = followsLatest(seen.desire) ? undefined : unbuiltConclusion(input, seen, pending);
  if (unbuilt !== undefined) return conclude(unbuilt);
  const cause = isChange ? "SpecChanged" : "DriftCorrected";
  const { service: before } = seen;
  // What is in force is not sent again: each body may change more than it says.
  const desire = isChange ? seen.desire : { ...seen.desire, body: partsIn(seen.desire.body, pending) };
  const build = seen.build && buildRecord(object.status?.build, seen.build, now);
  return { kind: "write", change: { desire, cause, before, differences: pending, ...(build && { build }) } };
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
