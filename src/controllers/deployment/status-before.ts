// pure
import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import { notKeptRecord } from "../target/not-kept.ts";
import { recordNotStored } from "../target/status.ts";
import type { Conclusion } from "./conclusion.ts";
import type { Change } from "./decision.ts";
import { changesBefore } from "./machine.ts";
import { partsOf } from "./not-kept.ts";
import { redeployRecord } from "./redeploy.ts";

/**
 * The status that has to be stored before a change is sent, so that a program that dies in the call leaves no wrong one;
 * `undefined` where the one there is will do. The conditions stay: nothing is known yet.
 */
export function statusBefore(
  object: NorthflankDeployment,
  change: Change,
  now: number,
): NorthflankDeploymentStatus | undefined {
  const before = { observedGeneration: 0, ...object.status };
  if (change.cause === "PartResent")
    return { ...before, notKept: notKeptRecord(change.desire.hash, partsOf(change.differences), now) };
  const { redeploy } = change;
  if (redeploy === undefined) {
    const changes = changesBefore(object, change, now);
    return changes && { ...before, changes };
  }
  return { ...before, redeploy: redeployRecord({ ...change, redeploy }, "Pending", now) };
}

/** The field of status that has to be stored before the change is sent, and was not; `undefined`: it may be sent. */
export function missingRecord({ status }: NorthflankDeployment, change: Change): "redeploy" | "notKept" | undefined {
  if (change.cause === "PartResent") return status?.notKept === undefined ? "notKept" : undefined;
  if (change.redeploy === undefined) return undefined;
  return status?.redeploy?.token === change.redeploy.token ? undefined : "redeploy";
}

/** The record was not stored, so that the change was not sent. */
export function notRecorded(change: Change, field: "redeploy" | "notKept"): Conclusion {
  const { message, next } = recordNotStored(field);
  const isSame = field === "redeploy";
  return {
    verdict: { kind: "stalled", reason: "StatusNotStored", message },
    inSync: isSame
      ? { status: "True", reason: "InSync", message: `Northflank has ${change.desire.source}.` }
      : { status: "False", reason: "StatusNotStored", message },
    rolloutComplete: "as-before",
    stated: { [field]: undefined, pendingChanges: isSame ? undefined : change.differences },
    failure: undefined,
    next,
    events: [],
    sameDesire: true,
  };
}
