// pure
import { conclude } from "../target/decision.ts";
import { checkRecreated } from "../target/recreated.ts";
import { decideBuilding } from "./build.ts";
import { decideInSync } from "./in-sync.ts";
import { factsOf } from "./machine.ts";
import { type DecideInput, type Decision, type Facts, statedFields } from "./observation.ts";
import { decideOutOfSync } from "./out-of-sync.ts";
import { unreadConclusion, unsupportedConclusion } from "./preconditions.ts";
import { keepRequest } from "./rollback.ts";
import { checkContinuousDeployment, withWarnings } from "./warnings.ts";

/**
 * What to do about one observation: rest, conclude, send one change, or read more first. Every state of the object is
 * reached from here, and nothing is done here.
 *
 *     invalid, suspended, blocked, conflict -> named state, no request
 *     route-gone -> UnsupportedTarget
 *     failed -> by the table of remote errors
 *     building -> not over: WaitingForBuild; else the target is read
 *     seen -> another uid than in status -> status starts anew, and the target is read again
 *          -> unsupported, continuous deployment that is not wanted -> named state
 *          -> same (in-sync.ts)          -> a redeploy is requested: write
 *                                        -> `rows`, one function for each state of the service and its rollout
 *                                        -> failed or late, with Restore: recorded, then rolled back
 *          -> different (out-of-sync.ts) -> `checks`, the first of which that answers decides
 *                                        -> write
 */
export function decide(input: DecideInput): Decision {
  const decision = decideObserved(input);
  if (!isProven(input, decision)) return { kind: "need", need: { kind: "target" } };
  if (decision.kind !== "conclude") return decision;
  return { ...decision, conclusion: keepRequest(input, decision.conclusion) };
}

/** What a list shows is enough for a rollout that is still under way: for all else the service is read. */
function isProven({ object, observation }: DecideInput, decision: Decision): boolean {
  if (observation.kind !== "seen" || observation.isListed !== true || decision.kind === "need") return true;
  if (decision.kind !== "conclude" || decision.conclusion.readyState.kind !== "progressing") return false;
  const { stated } = decision.conclusion;
  const before = object.status?.changes?.[0];
  const after = "changes" in stated ? stated.changes?.[0] : before;
  return before !== undefined && before.phase === after?.phase && before.time === after.time;
}

function decideObserved(input: DecideInput): Decision {
  const { observation } = input;
  switch (observation.kind) {
    case "rest":
      return { kind: "rest", dueInMs: observation.dueInMs };
    case "seen":
      return decideSeen(factsOf(input, observation));
    case "building":
      return decideBuilding(input, observation);
    default:
      return conclude(unreadConclusion(input, observation));
  }
}

/** Before anything is compared, in this order; the first that answers decides. */
const checks: readonly ((facts: Facts) => Decision | undefined)[] = [
  checkSameTarget,
  checkSupported,
  checkContinuousDeployment,
];

function decideSeen(facts: Facts): Decision {
  for (const check of checks) {
    const decision = check(facts);
    if (decision !== undefined) return decision;
  }
  const decision = facts.pending.length === 0 ? decideInSync(facts) : decideOutOfSync(facts);
  if (decision.kind !== "conclude") return decision;
  return { ...decision, conclusion: withWarnings(decision.conclusion, facts) };
}

function checkSameTarget({ object, service: { kind, id, uid } }: Facts): Decision | undefined {
  const conclusion = checkRecreated(object, { name: `${kind} "${id}"`, uid }, statedFields);
  return conclusion && conclude({ ...conclusion, rolloutComplete: conclusion.inSync });
}

/** The service cannot take what is declared. */
function checkSupported({ service, desire, shown }: Facts): Decision | undefined {
  const why = unsupportedReason({ service, desire });
  return why === undefined ? undefined : conclude(unsupportedConclusion(why, { ...shown, pendingChanges: undefined }));
}

function unsupportedReason({ service, desire }: Pick<Facts, "service" | "desire">): string | undefined {
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
