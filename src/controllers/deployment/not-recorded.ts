// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import { recordNotStored } from "../shared/record-not-stored.ts";
import type { Conclusion } from "./conclusion.ts";
import type { Change } from "./decision.ts";

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
