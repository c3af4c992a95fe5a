// pure
import type { NorthflankDeployment } from "../api/deployment.ts";
import { explained, withRemedy } from "../command-remedies.ts";
import { compare } from "../controllers/deployment/diff.ts";
import type { Change, Conclusion, Observation } from "../controllers/deployment/observation.ts";
import { warningsOf } from "../controllers/deployment/warnings.ts";
import type { ReadyState } from "../controllers/reconcile/ready-state.ts";
import type { TargetDecision } from "../controllers/target/decision.ts";
import { assertNever } from "../util/assert-never.ts";

/** One field at Northflank that is not as declared. `from` is missing where Northflank has, or returns, nothing. */
export interface PlannedChange {
  readonly path: string;
  readonly from?: string;
  readonly to?: string;
}

/** What applying one object would do. `notes` are sentences. */
export type Planned =
  /** Northflank has what is declared. */
  | { readonly kind: "same"; readonly notes: readonly string[] }
  /** The fields would be written. */
  | { readonly kind: "change"; readonly changes: readonly PlannedChange[]; readonly notes: readonly string[] }
  /** A run would be started. */
  | { readonly kind: "start"; readonly notes: readonly string[] }
  /** Nothing would be sent, though something may differ. */
  | {
      readonly kind: "held";
      readonly why: string;
      readonly changes: readonly PlannedChange[];
      readonly notes: readonly string[];
    }
  /** The object would not become Ready, or it is not known. */
  | { readonly kind: "error"; readonly message: string; readonly changes: readonly PlannedChange[] };

/** What the decision of the deployment controller means before the object is applied. */
export function planDeployment(
  object: NorthflankDeployment,
  observation: Observation,
  decision: TargetDecision<Conclusion, Change>,
): Planned {
  switch (decision.kind) {
    case "write":
      return {
        kind: "change",
        changes: decision.change.differences,
        notes: [
          ...policyNotes(object.spec),
          ...dependencyNotes(object),
          ...pausedNotes(observation),
          ...notReturnedNotes(observation),
          ...warningNotes(object, observation),
        ],
      };
    case "conclude":
      return planConclusion(object, observation, decision.conclusion);
    case "rest":
      return failure("the target was not read");
    default:
      return assertNever(decision, "decision");
  }
}

/** Why the account of an object cannot be used. */
export function planBlocked(readyState: ReadyState): Planned {
  if (readyState.reason === "ConnectionSuspended") return held("its connection is suspended");
  if (readyState.reason === "AuthenticationFailed")
    return failure(withRemedy("the API refused the token (401)", { code: "unauthorized", denial: undefined }));
  return failure(reasonAndMessage(readyState));
}

export function held(why: string, changes: readonly PlannedChange[] = [], notes: readonly string[] = []): Planned {
  return { kind: "held", why, changes, notes };
}

export function failure(message: string, changes: readonly PlannedChange[] = []): Planned {
  return { kind: "error", message, changes };
}

/** Which of the two is the older one in a cluster is not known. */
export function conflict(other: string): Planned {
  return failure(`TargetConflict: ${other} in these files manages the same target; only one of the two would act`);
}

function planConclusion(object: NorthflankDeployment, observation: Observation, conclusion: Conclusion): Planned {
  switch (observation.kind) {
    case "suspended":
      return held("spec.suspend is true");
    case "blocked":
      return planBlocked(observation.readyState);
    case "conflict":
      return conflict(observation.owner);
    case "failed":
      return failure(explained(observation.error));
    default:
      return planSeen(object, observation, conclusion);
  }
}

/** The target was read, or the spec was rejected before that. */
function planSeen(object: NorthflankDeployment, observation: Observation, conclusion: Conclusion): Planned {
  const { readyState, stated } = conclusion;
  const changes = stated.pendingChanges ?? [];
  if (changes.length === 0) {
    return observation.kind === "seen" && conclusion.inSync !== "as-before" && conclusion.inSync.status === "True"
      ? {
          kind: "same",
          notes: [...stateNotes(readyState), ...notReturnedNotes(observation), ...lastingNotes(object, observation)],
        }
      : failure(reasonAndMessage(readyState));
  }
  switch (readyState.kind) {
    case "ready":
      return held("it differs, and managementPolicy does not allow the change", changes, notReturnedNotes(observation));
    case "progressing":
    case "waiting": {
      const waits = readyState.reason === "WaitingForDependency" ? [] : [readyState.message];
      const notes = [
        ...policyNotes(object.spec),
        ...dependencyNotes(object),
        ...waits,
        ...notReturnedNotes(observation),
      ];
      return { kind: "change", changes, notes };
    }
    default:
      return failure(reasonAndMessage(readyState), changes);
  }
}

/** Without a follow-up: no operator runs here that would retry or check again. */
export function reasonAndMessage({ reason, message }: ReadyState): string {
  return `${reason}: ${message}`;
}

/** The state of a target that has what is declared. */
function stateNotes(readyState: ReadyState): readonly string[] {
  return readyState.kind === "ready" && readyState.reason !== "ServicePaused" ? [] : [reasonAndMessage(readyState)];
}

/** The change is sent all the same. */
function pausedNotes(observation: Observation): readonly string[] {
  if (observation.kind !== "seen" || observation.service.stop === undefined) return [];
  return [`The change starts when the service is resumed: ${observation.service.stop}.`];
}

/** Whether the change is sent depends on the status, which only the cluster has. */
export function policyNotes({ managementPolicy }: { readonly managementPolicy: string }): readonly string[] {
  if (managementPolicy !== "EnforceOnChange") return [];
  return ["Written only if this spec is new to the cluster (managementPolicy: EnforceOnChange)."];
}

function dependencyNotes({ spec }: NorthflankDeployment): readonly string[] {
  const names = (spec.waitFor ?? []).map(({ jobRunRef }) => jobRunRef.name);
  return names.length === 0 ? [] : [`Written only after these runs have succeeded: ${names.join(", ")}.`];
}

/** What the operator would warn of before it writes. */
function warningNotes(object: NorthflankDeployment, observation: Observation): readonly string[] {
  if (observation.kind !== "seen") return [];
  return warningsOf(object, observation).map(({ reason, message }) => `${reason}: ${message}.`);
}

/** What it would warn of for as long as it holds, also when there is nothing to write. */
function lastingNotes(object: NorthflankDeployment, observation: Observation): readonly string[] {
  if (observation.kind !== "seen") return [];
  const lasting = warningsOf(object, observation).filter(({ isInReady }) => isInReady);
  return lasting.map(({ reason, message }) => `${reason}: ${message}.`);
}

function notReturnedNotes(observation: Observation): readonly string[] {
  if (observation.kind !== "seen") return [];
  const { untold, hidden } = compare(observation.desire, observation.service);
  return [...untold, ...hidden].map(({ path }) => `${path} cannot be compared: Northflank does not return it.`);
}
