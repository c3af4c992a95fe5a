// pure
import type { Reason } from "../../api/reasons.ts";
import type { BuildQuery } from "../build/build-query.ts";
import type { ConditionUpdate } from "../reconcile/ready-state.ts";
import type { Desire } from "./desired.ts";
import type { Conclusion, Decision, Facts } from "./observation.ts";

/*
 * The decisions, and what conclusions about a target that was read have in common.
 */

export function conclude(conclusion: Conclusion): Decision {
  return { kind: "conclude", conclusion, sawDrift: false };
}

/** A build has to be read first. */
export function needBuild(query: BuildQuery): Decision {
  return { kind: "need", need: { kind: "build", query } };
}

/** The condition InSync of a target that has what is declared. */
export function inSyncWith({ source }: Pick<Desire, "source">): Exclude<ConditionUpdate, "as-before"> {
  return { status: "True", reason: "InSync", message: `Northflank has ${source}.` };
}

/** Of a target that was read nothing has failed, and what Ready says is said of what is declared. */
export const judged = { failure: undefined, events: [], sameDesire: true } as const;

/** What a conclusion about a target that differs has in common. */
export function differentBase(
  { shown, pending }: Pick<Facts, "shown" | "pending">,
  reason: Reason,
  message: string,
): Pick<Conclusion, "inSync" | "rolloutComplete" | "stated" | "failure" | "events" | "sameDesire"> {
  return {
    ...judged,
    inSync: { status: "False", reason, message },
    rolloutComplete: { status: "Unknown", reason, message: "Another source than the declared one is in use." },
    stated: { ...shown, pendingChanges: pending },
  };
}
