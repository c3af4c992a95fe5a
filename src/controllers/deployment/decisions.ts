// pure
import type { Reason } from "../../api/reasons.ts";
import type { BuildQuery } from "../build/build-query.ts";
import type { ConditionUpdate } from "../reconcile/ready-state.ts";
import type { Desire } from "./desired.ts";
import type { Call, Change, Conclusion, Decision, Facts } from "./observation.ts";

/*
 * What decisions are made of, and what conclusions about a target that was read have in common.
 */

/** A build has to be read first. */
export function needBuild(query: BuildQuery): Decision {
  return { kind: "need", need: { kind: "build", query } };
}

/** A change without the calls that carry it. */
type ChangeDraft = Omit<Change, "call" | "fallback">;

/** A change, by the call that carries it and the one to use where the route of that is gone. */
export function write(draft: ChangeDraft): Decision {
  return { kind: "write", change: { ...draft, call: usualCall(draft), fallback: fallbackFor(draft) } };
}

function usualCall({ desire: { body }, before, redeploy }: ChangeDraft): Call {
  if (redeploy?.call === "restart service") return { route: "restart" };
  if (before.kind === "job") return { route: "job deployment", body };
  return { route: "service deployment", body, isOnce: redeploy !== undefined };
}

/**
 * The patch that can carry the change: that of a deployment service with the number of instances as read, that of a
 * combined service only for what takes no source. A job has no other route, and a restart neither.
 */
function fallbackFor({ desire: { body }, before, redeploy }: ChangeDraft): Call | undefined {
  if (before.kind === "job" || redeploy?.call === "restart service") return undefined;
  const { external, internal, ...runtime } = body;
  if (before.serviceType === "combined") {
    const hasSource = external !== undefined || internal !== undefined;
    return hasSource ? undefined : { route: "combined service", body: runtime };
  }
  const { instances } = before;
  return instances === undefined ? undefined : { route: "deployment service", body: { ...body, instances } };
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
