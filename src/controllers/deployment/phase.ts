// pure
import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import type { Reason } from "../../api/reasons.ts";
import { formatTime } from "../../runtime/conditions.ts";
import type { Conclusion } from "./conclusion.ts";
import { type Desire, desireOf } from "./desired.ts";

/*
 * `status.phase`: what is under way or waited for, and since when. Pauses and limits are counted from it and not from a
 * condition, whose time also stays when only its reason changes.
 *
 *     (none) ---> RollingOut ---> RolloutTimedOut     the time is that of RollingOut
 *        |------> AwaitingPromotion
 *        |------> WaitingForBuild
 *        |------> BuildFailed
 *        '------> BuildNotFound
 *
 * A pass that learned nothing of Northflank (an outage, a suspension) leaves it as it is; any other state ends it.
 */

export type Phase = NonNullable<NorthflankDeploymentStatus["phase"]>;

type PhaseName = NonNullable<Phase["name"]>;

const nameOf: Partial<Record<Reason, PhaseName>> = {
  RollingOut: "RollingOut",
  Building: "RollingOut",
  RolloutTimedOut: "RolloutTimedOut",
  AwaitingPromotion: "AwaitingPromotion",
  WaitingForBuild: "WaitingForBuild",
  BuildFailed: "BuildFailed",
  BuildNotFound: "BuildNotFound",
};

/** The phase after a pass. */
export function phaseAfter(object: NorthflankDeployment, conclusion: Conclusion, now: number): Phase | undefined {
  const name = nameOf[conclusion.verdict.reason];
  const before = object.status?.phase;
  if (name === undefined) return conclusion.inSync === "as-before" ? before : undefined;
  const read = desireOf(object.spec);
  const specHash = read.kind === "desire" ? read.desire.hash : "";
  const goesOn = before?.name === name || (before?.name === "RollingOut" && name === "RolloutTimedOut");
  const isSame = goesOn && before.specHash === specHash;
  return { name, since: (isSame ? before.since : undefined) ?? formatTime(now), specHash };
}

/** Since when the declaration is in one of these phases; `undefined` when it is in none. */
export function sinceOf({ status }: NorthflankDeployment, { hash }: Desire, ...names: PhaseName[]): string | undefined {
  const { name, since, specHash } = status?.phase ?? {};
  return name !== undefined && specHash === hash && names.includes(name) ? since : undefined;
}
