// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";
import { type ConditionDraft, findCondition, mergeConditions } from "../../runtime/conditions.ts";
import { present } from "../shared/present.ts";
import { reconcileRequest } from "../shared/reconcile-request.ts";
import { summaryConditions } from "../shared/verdict.ts";
import type { Conclusion, Facts, RunStatus } from "./conclusion.ts";
import { isUnresolved } from "./machine.ts";

/**
 * The whole status after a pass, but for `start`, which the start protocol alone writes.
 *
 * *Guarantees*: the present generation and reconcile request are acknowledged; nothing in it changes when nothing has
 * happened.
 */
export function statusOf(options: {
  readonly object: NorthflankJobRun;
  readonly conclusion: Conclusion;
  readonly now: number;
}): RunStatus {
  const { object, conclusion, now } = options;
  const { start: _start, conditions: previous = [], lastHandledReconcileAt, ...kept } = object.status ?? {};
  const generation = object.metadata.generation ?? 0;
  const request = reconcileRequest(object.metadata) ?? lastHandledReconcileAt;
  const facts = { ...kept, ...conclusion.facts };
  const drafts = conditionsOf(object, conclusion, facts);
  const conditions = mergeConditions({ previous, drafts, generation, now });
  return {
    ...present(facts),
    observedGeneration: generation,
    phase: phaseOf(conditions),
    conditions,
    ...(request === undefined ? {} : { lastHandledReconcileAt: request }),
  };
}

type Phase = NonNullable<RunStatus["phase"]>;

/** One word for columns, jsonpath and workflow engines, from nothing but the conditions. */
export function phaseOf(conditions: readonly Pick<ConditionDraft, "type" | "status" | "reason">[]): Phase {
  const find = (type: string) => conditions.find((condition) => condition.type === type);
  const succeeded = find("Succeeded");
  if (succeeded?.status === "True") return "Succeeded";
  if (succeeded?.status === "False") return endPhases[succeeded.reason] ?? "Failed";
  const started = find("Started");
  if (started?.status === "True") return "Running";
  if (started?.reason === "StartOutcomeUnknown") return "Unknown";
  return started?.status === "Unknown" ? "Starting" : "Pending";
}

const endPhases: Readonly<Record<string, Phase>> = {
  RunAborted: "Aborted",
  RunAbortedRemotely: "Aborted",
  AbortedOnDelete: "Aborted",
  RunDisappeared: "Unknown",
};

function conditionsOf(object: NorthflankJobRun, conclusion: Conclusion, facts: Facts): readonly ConditionDraft[] {
  const { verdict } = conclusion;
  const isOver = facts.completionTime !== undefined;
  return [
    ...summaryConditions({
      verdict,
      previous: object.status?.conditions,
      generation: object.metadata.generation ?? 0,
    }),
    acceptedCondition(object, conclusion),
    startedCondition(object, conclusion, facts),
    {
      type: "Succeeded",
      status: succeededStatus(conclusion, isOver),
      reason: verdict.reason,
      message: verdict.message,
    },
    ...(isOver
      ? [{ type: "Finished", status: "True", reason: verdict.reason, message: verdict.message } as const]
      : []),
  ];
}

function succeededStatus({ verdict }: Conclusion, isOver: boolean): ConditionDraft["status"] {
  if (!isOver) return "Unknown";
  return verdict.kind === "ready" ? "True" : "False";
}

/** What says that the spec, its references or its account are not in order. */
const notAccepted: readonly string[] = [
  "InvalidSpec",
  "ConnectionNotFound",
  "ProjectNotAllowed",
  "SecretNotFound",
  "SecretKeyMissing",
  "SecretInvalid",
  "RequestRejected",
  "TargetNotFound",
];

function acceptedCondition(object: NorthflankJobRun, { verdict }: Conclusion): ConditionDraft {
  const hasRun = (object.status?.attempts ?? []).length > 0;
  if (!hasRun && notAccepted.includes(verdict.reason)) {
    return { type: "Accepted", status: "False", reason: verdict.reason, message: verdict.message };
  }
  return {
    type: "Accepted",
    status: "True",
    reason: "Accepted",
    message: "The spec, its references and its target are in order.",
  };
}

function startedCondition(object: NorthflankJobRun, conclusion: Conclusion, facts: Facts): ConditionDraft {
  const { verdict, isOutcomeUnknown } = conclusion;
  if (isOutcomeUnknown) return unknownCondition(object, conclusion);
  const attempt = facts.attempts?.at(-1);
  const { attempts, completionTime } = facts;
  const start = object.status?.start;
  const after = {
    observedGeneration: 0,
    ...(start === undefined ? {} : { start }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(completionTime === undefined ? {} : { completionTime }),
  };
  if (isUnresolved({ status: after })) {
    return { type: "Started", status: "Unknown", reason: "RecoveringRun", message: verdict.message };
  }
  if (attempt === undefined) {
    return { type: "Started", status: "False", reason: verdict.reason, message: verdict.message };
  }
  if (facts.duplicateRunId !== undefined) {
    const message = `Run ${attempt.runId} was started, and a second one turned up: ${facts.duplicateRunId}.`;
    return { type: "Started", status: "True", reason: "DuplicateRun", message };
  }
  const isRecovered = attempt.origin === "Recovered";
  return {
    type: "Started",
    status: "True",
    reason: isRecovered ? "RunRecovered" : "RunStarted",
    message: isRecovered
      ? `Run ${attempt.runId} was found; the answer to its start had been lost.`
      : `Run ${attempt.runId} was started.`,
  };
}

/** What was judged unknown says so until it is resolved, whatever else goes wrong meanwhile. */
function unknownCondition(object: NorthflankJobRun, { verdict }: Conclusion): ConditionDraft {
  const before = findCondition(object.status?.conditions, "Started");
  const isSaid = verdict.reason !== "StartOutcomeUnknown" && before?.reason === "StartOutcomeUnknown";
  const message = isSaid ? before.message : verdict.message;
  return { type: "Started", status: "Unknown", reason: "StartOutcomeUnknown", message };
}
