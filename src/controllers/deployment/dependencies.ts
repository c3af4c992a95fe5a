// pure

import type { NorthflankDeployment } from "../../api/deployment.ts";
import { revision } from "../../api/names.ts";
import type { Condition, ObjectMeta } from "../../kube/types.ts";
import { findCondition } from "../../runtime/conditions.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeAfter } from "../reconcile/requeue.ts";
import { differentBase } from "./decisions.ts";
import type { Conclusion, Dependency, Facts } from "./observation.ts";
import { runKey } from "./target.ts";

/** What is known of a run that a deployment may wait for. */
export interface DependencyRun {
  readonly metadata?: Pick<ObjectMeta, "annotations">;
  readonly status?: { readonly conditions?: readonly Condition[] };
}

/** The NorthflankJobRuns of the cluster. */
export interface Runs {
  get(key: ObjectKey): DependencyRun | undefined;
}

/** The runs of `spec.waitFor`, as they are now. */
export function dependenciesOf(runs: Runs, object: NorthflankDeployment): readonly Dependency[] {
  return (object.spec.waitFor ?? []).map(({ jobRunRef: { name } }) => {
    const run = runs.get(runKey(object, name));
    if (run === undefined) return { name, state: "missing" };
    return { name, state: isOtherRevision(object, run) ? "other-revision" : runState(run.status?.conditions) };
  });
}

/** A run that is left over from the revision before says nothing about this one, however it ended. */
function isOtherRevision(object: NorthflankDeployment, run: DependencyRun): boolean {
  const [wanted, found] = [object, run].map(({ metadata }) => metadata?.annotations?.[revision]);
  return wanted !== undefined && found !== undefined && wanted !== found;
}

function runState(conditions: readonly Condition[] | undefined): Dependency["state"] {
  const succeeded = findCondition(conditions, "Succeeded")?.status;
  if (succeeded === "True") return "succeeded";
  return succeeded === "False" ? "failed" : "active";
}

/** Whether what held the object back is over; `undefined`: that was something else. */
export function isDependencyOver(runs: Runs, object: NorthflankDeployment, reason: string): boolean | undefined {
  if (reason !== "WaitingForDependency" && reason !== "DependencyFailed") return undefined;
  const states = dependenciesOf(runs, object).map(({ state }) => state);
  if (reason === "DependencyFailed") return !states.includes("failed");
  return states.every((state) => state === "succeeded" || state === "failed");
}

/** Runs of `spec.waitFor` hold the change back; `undefined` when they do not. */
export function dependencyConclusion(facts: Facts): Conclusion | undefined {
  const failed = facts.dependencies.filter(({ state }) => state === "failed");
  const waiting = facts.dependencies.filter(({ state }) => state !== "failed" && state !== "succeeded");
  if (failed.length > 0) {
    const message = `Not deployed, because it waits for runs that failed: ${namesOf(failed)}. Name another run in spec.waitFor.`;
    return {
      ...differentBase(facts, "DependencyFailed", message),
      readyState: { kind: "stalled", reason: "DependencyFailed", message },
      next: probeAfter(slowProbeMs),
    };
  }
  if (waiting.length === 0) return undefined;
  const message = `Not deployed yet: waiting for runs to succeed: ${namesOf(waiting)}. The change is sent when they have.`;
  return {
    ...differentBase(facts, "WaitingForDependency", message),
    readyState: { kind: "progressing", reason: "WaitingForDependency", message },
    // A change of the run enqueues this object; this is the net below that.
    next: { kind: "recheck", afterMs: slowProbeMs },
  };
}

function namesOf(dependencies: readonly Dependency[]): string {
  return dependencies
    .map(({ name, state }) => `${name} (${state === "other-revision" ? "of another revision" : state})`)
    .join(", ");
}
