// pure

import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { EventDraft } from "../reconcile/events.ts";
import { type ReadyState, withClause } from "../reconcile/ready-state.ts";
import { conclude } from "../target/decision.ts";
import { withinAnHour } from "../target/out-of-sync.ts";
import { policyOf } from "../target/policy.ts";
import { differentBase, inSyncWith } from "./decisions.ts";
import type { Conclusion, Decision, Facts, Seen } from "./observation.ts";
import type { TargetView } from "./target.ts";

/** What is no failure, but what a person should know. */
export interface Warning {
  readonly reason: "ContinuousDeploymentEnabled" | "RunsOnSourceChange" | "DeprecatedRoute";
  readonly message: string;
  /** Whether Ready says it too, for as long as it holds; else only an Event reports it. */
  readonly isInReady: boolean;
}

/** What there is to warn of before anything is written to a target. */
export function warningsOf(object: NorthflankDeployment, { service }: Pick<Seen, "service">): readonly Warning[] {
  if (!policyOf(object).warns) return [];
  const isWarnedOfCD = object.spec.continuousDeployment !== "Ignore" && willFight(object, service);
  return [
    ...(isWarnedOfCD
      ? [{ reason: "ContinuousDeploymentEnabled" as const, message: fightMessage, isInReady: true }]
      : []),
    ...(service.kind === "job" ? jobWarnings(object, service) : []),
  ];
}

/** Northflank's continuous deployment would replace the declared build, which the spec rejects: nothing is written. */
export function checkContinuousDeployment(facts: Facts): Decision | undefined {
  const { object, service, desire, pending } = facts;
  if (object.spec.continuousDeployment !== "Reject" || !willFight(object, service)) return undefined;
  const reason = "ContinuousDeploymentEnabled";
  const message = `${fightMessage}. Nothing is written, because spec.continuousDeployment is Reject.`;
  const base = differentBase(facts, reason, message);
  const isSame = pending.length === 0;
  return conclude({
    ...base,
    ...(isSame && { inSync: inSyncWith(desire), rolloutComplete: "as-before" }),
    stated: { ...base.stated, pendingChanges: isSame ? undefined : pending, warnings: undefined },
    readyState: { kind: "stalled", reason, message },
    next: withinAnHour(facts.nextResyncMs),
  });
}

/** Northflank's continuous deployment is on, and replaces what is declared as soon as there is a newer build. */
function willFight({ spec }: NorthflankDeployment, { disabledCD }: TargetView): boolean {
  return disabledCD === false && isReplacedByCD(spec);
}

/**
 * What is declared does not go with continuous deployment: it is a certain build, and it is written. To follow the
 * latest build of a branch is to want it.
 */
export function isReplacedByCD(spec: NorthflankDeployment["spec"]): boolean {
  const { internal } = spec.deployment;
  if (internal === undefined || !policyOf({ spec }).warns) return false;
  return internal.buildId !== undefined || (internal.buildSHA !== undefined && internal.buildSHA !== "latest");
}

/** Says that continuous deployment will replace what is declared, and what to do. */
const fightMessage =
  "Northflank's continuous deployment is on and replaces the declared build with the next one; switch it off in " +
  "Northflank, or declare buildSHA: latest";

function jobWarnings({ spec }: NorthflankDeployment, { id, runOnSourceChange }: TargetView): readonly Warning[] {
  const notTold =
    runOnSourceChange === undefined
      ? " Northflank does not return whether the job runs by itself when its source changes (runOnSourceChange)."
      : "";
  const deprecated =
    `The source of job "${id}" is read and changed by calls that Northflank has deprecated; it has no others. The ` +
    `deployment of a NorthflankJobRun sets the source of one run without them.${notTold}`;
  const hasSource = spec.deployment.external !== undefined || spec.deployment.internal !== undefined;
  const runsItself = hasSource && runOnSourceChange !== undefined && runOnSourceChange !== "never";
  const runs =
    `runOnSourceChange of the job is ${runOnSourceChange}: Northflank itself starts a run when the source changes, ` +
    "beside those of NorthflankJobRuns; set it to never if that is not wanted";
  return [
    ...(runsItself ? [{ reason: "RunsOnSourceChange" as const, message: runs, isInReady: true }] : []),
    { reason: "DeprecatedRoute", message: deprecated, isInReady: false },
  ];
}

/** The conclusion with what there is to warn of: in the message of Ready, and an Event for each that is new. */
export function withWarnings(conclusion: Conclusion, target: Pick<Facts, "object" | "service">): Conclusion {
  const warnings = warningsOf(target.object, target);
  const known = target.object.status?.warnings ?? [];
  const inReady = warnings.filter(({ isInReady }) => isInReady).map(({ message }) => message);
  const { readyState, stated, events } = conclusion;
  return {
    ...conclusion,
    readyState: {
      ...readyState,
      message: inReady.reduce((said, warning) => warned(readyState, said, warning), readyState.message),
    },
    stated: { ...stated, warnings: warnings.length === 0 ? undefined : warnings.map(({ reason }) => reason) },
    events: [...warnings.filter(({ reason }) => !known.includes(reason)).map(eventOf), ...events],
  };
}

/** What is ready has no follow-up, so that a warning is its last sentence. */
function warned({ kind }: ReadyState, message: string, warning: string): string {
  return kind === "ready" ? `${message} Warning: ${warning}.` : withClause(message, `warning: ${warning}.`);
}

function eventOf({ reason, message }: Warning): EventDraft {
  return { type: "Warning", reason, action: "Observe", note: message.endsWith(".") ? message : `${message}.` };
}
