// pure
import type { NorthflankJob, NorthflankJobStatus } from "../../api/job.ts";
import type { Reason } from "../../api/reasons.ts";
import { type ConditionDraft, findCondition, formatTime, mergeConditions } from "../../runtime/conditions.ts";
import { isSameJson } from "../../util/same-json.ts";
import type { Claim } from "../shared/claim.ts";
import { present } from "../shared/present.ts";
import { reconcileRequest } from "../shared/reconcile-request.ts";
import { summaryConditions } from "../shared/verdict.ts";
import type { Conclusion } from "./conclusion.ts";

/**
 * The whole status after a pass.
 *
 * *Guarantees*: acknowledges the generation and the reconcile request in every state; equal to the status before when
 * nothing but the time of the next look would change, so that a resync that finds nothing writes nothing. The time shown
 * is then the one of the last write, and later looks follow in steps of the resync period.
 */
export function statusOf(object: NorthflankJob, conclusion: Conclusion, now: number): NorthflankJobStatus {
  const before = object.status;
  const generation = object.metadata.generation ?? 0;
  const previous = before?.conditions ?? [];
  const stated = <K extends keyof Conclusion["stated"]>(key: K) =>
    Object.hasOwn(conclusion.stated, key) ? conclusion.stated[key] : before?.[key];
  const status = present({
    observedGeneration: generation,
    conditions: [...mergeConditions({ previous, drafts: drafts(object, conclusion), generation, now })],
    lastHandledReconcileAt: reconcileRequest(object.metadata) ?? before?.lastHandledReconcileAt,
    jobType: stated("jobType"),
    applied: stated("applied"),
    released: stated("released"),
    pendingChanges: stated("pendingChanges"),
    corrections: stated("corrections"),
    history: stated("history"),
    failure: conclusion.failure,
  });
  const { nextReconcileTime, ...rest } = before ?? {};
  if (isSameJson(rest, status)) return before ?? status;
  return conclusion.next.kind === "recheck"
    ? { ...status, nextReconcileTime: formatTime(now + conclusion.next.afterMs) }
    : status;
}

function drafts(object: NorthflankJob, conclusion: Conclusion): readonly ConditionDraft[] {
  const { verdict, sameDesire } = conclusion;
  const previous = object.status?.conditions;
  const generation = object.metadata.generation ?? 0;
  return [
    ...summaryConditions({ verdict, previous, generation, ...(sameDesire === undefined ? {} : { sameDesire }) }),
    accepted(conclusion),
    claim("InSync", conclusion.inSync, object, conclusion),
  ];
}

const notAccepted: ReadonlySet<Reason> = new Set([
  "InvalidSpec",
  "UnsupportedTarget",
  "TargetConflict",
  "ConnectionNotFound",
  "ProjectNotAllowed",
  "SecretNotFound",
  "SecretKeyMissing",
  "SecretInvalid",
]);

/** Spec, references and ownership are in order, as far as this pass has judged them. */
function accepted({ verdict }: Conclusion): ConditionDraft {
  const { reason, message } = verdict;
  if (notAccepted.has(reason)) return { type: "Accepted", status: "False", reason, message };
  return { type: "Accepted", status: "True", reason: "Accepted", message: "The spec and its references are in order." };
}

/** A claim as it was before stays only while it is about what is declared now. */
function claim(
  type: string,
  now: Claim,
  { status, metadata }: NorthflankJob,
  { verdict, sameDesire }: Conclusion,
): ConditionDraft {
  if (now !== "as-before") return { type, ...now };
  const before = findCondition(status?.conditions, type);
  const isAboutThis = sameDesire ?? before?.observedGeneration === metadata.generation;
  if (before !== undefined && isAboutThis) {
    return { type, status: before.status, reason: before.reason, message: before.message };
  }
  return { type, status: "Unknown", reason: verdict.reason, message: "Not known for what is declared now." };
}
