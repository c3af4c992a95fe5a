// pure
import type { NorthflankConnection, NorthflankConnectionStatus } from "../../api/connection.ts";
import { type ConditionDraft, findCondition, formatTime, mergeConditions } from "../../runtime/conditions.ts";
import { present } from "../../util/present.ts";
import { isSameJson } from "../../util/same-json.ts";
import { isSameStatus } from "../reconcile/docs-address.ts";
import {
  type ConditionUpdate,
  draftOf,
  summaryConditions,
  summaryTypes,
  updatedCondition,
} from "../reconcile/ready-state.ts";
import { handledRequest } from "../reconcile/reconcile-request.ts";
import type { Decision } from "./decide.ts";
import { expiryDraft, missingPermissions, permissionsDraft, type TokenStatus, tokenStatusIn } from "./token-status.ts";

/**
 * The whole status after a reconcile; the one before when nothing but the time of the next check would change.
 * Acknowledges the generation in every state, and the reconcile request once it is answered.
 */
export function statusOf(object: NorthflankConnection, decision: Decision, now: number): NorthflankConnectionStatus {
  const before = object.status;
  const generation = object.metadata.generation ?? 0;
  const previous = before?.conditions ?? [];
  const { acceptedSecret, failure, readyState } = decision;
  const token = decision.token === "as-before" ? tokenStatusIn(before) : decision.token;
  const status = present({
    observedGeneration: generation,
    conditions: [...mergeConditions({ previous, drafts: drafts(object, decision, token, now), generation, now })],
    lastHandledReconcileAt:
      readyState === "as-before" ? before?.lastHandledReconcileAt : handledRequest(object, readyState.reason),
    rateLimit: decision.rateLimit,
    tokenCheck: tokenCheckOf(object, decision),
    tokenSecretResourceVersion: acceptedSecret === "as-before" ? before?.tokenSecretResourceVersion : acceptedSecret,
    // What it names now is compared with this, so it may stay when the connection is pointed elsewhere.
    acceptedFor: decision.acceptedFor ?? before?.acceptedFor,
    ...token,
    missingPermissions: missingPermissions(token, decision.needs),
    notifications: decision.notifications,
    dependents: decision.dependents,
    failure: failure === "as-before" ? before?.failure : failure,
  });
  const { nextReconcileTime, budget, ...rest } = before ?? {};
  const { checkAgainMs } = decision;
  // Its figures change all the time: by themselves they are written with a check at most.
  const isBudgetDue = checkAgainMs !== undefined && !isSameJson(budget ?? {}, decision.budget ?? {});
  if (isSameStatus(rest, status) && !isBudgetDue) return before ?? status;
  const whole = decision.budget === undefined ? status : { ...status, budget: decision.budget };
  const planned = checkAgainMs === undefined ? nextReconcileTime : formatTime(now + checkAgainMs);
  return planned === undefined ? whole : { ...whole, nextReconcileTime: planned };
}

/** True when the token was accepted for the present spec, so that nothing is due before the next check. */
export function isAccepted({ metadata, status }: NorthflankConnection): boolean {
  return status?.tokenCheck === "Accepted" && status.observedGeneration === metadata.generation;
}

/** `status.tokenCheck`: what was accepted stays so while nothing is known against it. */
function tokenCheckOf(
  object: NorthflankConnection,
  { readyState, checkAgainMs }: Decision,
): NorthflankConnectionStatus["tokenCheck"] {
  const before = object.status?.tokenCheck;
  if (readyState === "as-before") return before;
  if (readyState.kind === "ready") return "Accepted";
  if (readyState.kind === "suspended" && before === "Accepted") return before;
  if (readyState.kind === "waiting" && isAccepted(object)) return before;
  if (readyState.reason === "AuthenticationFailed") return "Refused";
  return checkAgainMs === undefined ? "NotChecked" : "Failed";
}

const notKnown = { reason: "Progressing", message: "Not known yet." } as const;

function drafts(
  object: NorthflankConnection,
  decision: Decision,
  token: TokenStatus,
  now: number,
): readonly ConditionDraft[] {
  const { status } = object;
  const updated = (type: string, update: ConditionUpdate) =>
    updatedCondition(type, update, findCondition(status?.conditions, type), notKnown);
  const updates = [
    updated("CredentialsValid", decision.credentialsValid),
    updated("QuotaAvailable", decision.quotaAvailable),
  ];
  const isSameEnd = status?.tokenExpirationTime === token.tokenExpirationTime;
  const said = isSameEnd ? findCondition(status?.conditions, "TokenExpiring")?.reason : undefined;
  const ofToken = [permissionsDraft(token, decision.needs), expiryDraft(object, token, said, now)];
  const { notificationsReady } = decision;
  const isKnown = notificationsReady !== "as-before" || findCondition(status?.conditions, "NotificationsReady");
  const ready = notificationsReady && isKnown ? updated("NotificationsReady", notificationsReady) : undefined;
  return [...summary(object, decision), ...updates, ...[...ofToken, ready].filter((draft) => draft !== undefined)];
}

function summary(
  { metadata, status }: NorthflankConnection,
  { readyState, next }: Decision,
): readonly ConditionDraft[] {
  const previous = status?.conditions;
  if (readyState === "as-before")
    return (previous ?? []).filter(({ type }) => summaryTypes.includes(type)).map(draftOf);
  const generation = metadata.generation ?? 0;
  // Setting `suspend` is a new generation; what Ready said about the token is as true as before.
  const isSuspending = readyState.kind === "suspended";
  return summaryConditions({ readyState, next, previous, generation, ...(isSuspending ? { sameDesire: true } : {}) });
}
