// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { Reason } from "../../api/reasons.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeAfter, type Requeue, requeueAfter } from "../reconcile/requeue.ts";
import { fightCorrections, withFight } from "../target/drift.ts";
import { ageOf } from "./ages.ts";
import { buildHold } from "./build-wait.ts";
import type { Conclusion } from "./conclusion.ts";
import type { DecideInput, Seen } from "./decision.ts";
import type { Difference } from "./diff.ts";
import { lastDeclared, showsWithinMs } from "./machine.ts";
import type { Dependency } from "./observation.ts";
import { observedFields } from "./observed-fields.ts";
import { pollAfter, pollPauseMs, readBackMessage } from "./rolling.ts";
import { fightMessage } from "./warnings.ts";

/** There is a difference, and the policy says not to write. */
export function driftConclusion({ object }: DecideInput, seen: Seen, pending: readonly Difference[]): Conclusion {
  const policy = object.spec.managementPolicy;
  const why =
    policy === "Observe"
      ? "managementPolicy is Observe: nothing is written"
      : "managementPolicy is EnforceOnChange and the spec has not changed: nothing is written";
  const message = `Northflank differs from what is declared: ${differencesText(pending)}. ${why}.`;
  return {
    ...differentBase(seen, pending, "DriftObserved", message),
    verdict: { kind: "ready", reason: "DriftObserved", message },
    next: requeueAfter(seen.nextResyncMs),
  };
}

/** There is a difference again, because somebody else changes the target back. */
export function fightConclusion(
  { status }: NorthflankDeployment,
  seen: Seen,
  pending: readonly Difference[],
): Conclusion {
  const message =
    `Another client keeps changing the target back: ${differencesText(pending)}. The operator corrected it ` +
    `${fightCorrections} times in a row and stops writing. Find the other client (a pipeline, a template, continuous ` +
    "deployment), then change the spec or request a reconcile: each request sends it once more, at most every 10m.";
  const base = differentBase(seen, pending, "FightDetected", message);
  return {
    ...base,
    stated: { ...base.stated, changes: withFight(status?.changes ?? []) },
    verdict: { kind: "stalled", reason: "FightDetected", message },
    next: atLeastHourly(seen.nextResyncMs),
  };
}

/** Northflank's continuous deployment would replace the declared build, and the spec rejects that. */
export function rejectedConclusion(seen: Seen, pending: readonly Difference[]): Conclusion {
  const message = `${fightMessage}. Nothing is written, because spec.continuousDeployment is Reject.`;
  const base = differentBase(seen, pending, "ContinuousDeploymentEnabled", message);
  const isSame = pending.length === 0;
  return {
    ...base,
    ...(isSame && { inSync: { status: "True", reason: "InSync", message: `Northflank has ${seen.desire.source}.` } }),
    ...(isSame && { rolloutComplete: "as-before" }),
    stated: { ...base.stated, pendingChanges: isSame ? undefined : pending, warnings: undefined },
    verdict: { kind: "stalled", reason: "ContinuousDeploymentEnabled", message },
    next: atLeastHourly(seen.nextResyncMs),
  };
}

/** A change was accepted, and the target still tells what it had before. */
export function readBackConclusion(input: DecideInput, seen: Seen, pending: readonly Difference[]): Conclusion {
  const message = readBackMessage(seen.desire);
  const { elapsedMs } = ageOf(input, lastDeclared(input.object.status)?.time);
  return {
    ...differentBase(seen, pending, "ApplyingChange", message),
    verdict: { kind: "progressing", reason: "ApplyingChange", message },
    next: pollAfter(pollPauseMs(elapsedMs, showsWithinMs, input.settings), input.settings),
  };
}

/** Runs of `spec.waitFor` hold the change back; `undefined` when they do not. */
export function dependencyConclusion(seen: Seen, pending: readonly Difference[]): Conclusion | undefined {
  const failed = seen.dependencies.filter(({ state }) => state === "failed");
  const waiting = seen.dependencies.filter(({ state }) => state !== "failed" && state !== "succeeded");
  if (failed.length > 0) {
    const message = `Not deployed, because it waits for runs that failed: ${namesOf(failed)}. Name another run in spec.waitFor.`;
    return {
      ...differentBase(seen, pending, "DependencyFailed", message),
      verdict: { kind: "stalled", reason: "DependencyFailed", message },
      next: probeAfter(slowProbeMs),
    };
  }
  if (waiting.length === 0) return undefined;
  const message = `Not deployed yet: waiting for runs to succeed: ${namesOf(waiting)}. The change is sent when they have.`;
  return {
    ...differentBase(seen, pending, "WaitingForDependency", message),
    verdict: { kind: "progressing", reason: "WaitingForDependency", message },
    // The run wakes this object when it changes; this is the net below that.
    next: { kind: "recheck", afterMs: slowProbeMs },
  };
}

/** The declared build is not there, not over, or failed; `undefined` when it can be deployed. */
export function unbuiltConclusion(
  input: DecideInput,
  seen: Seen,
  pending: readonly Difference[],
): Conclusion | undefined {
  const hold = buildHold(input, seen);
  if (hold === undefined) return undefined;
  const { verdict, next, build } = hold;
  const base = differentBase(seen, pending, verdict.reason, verdict.message);
  return { ...base, verdict, next, stated: { ...base.stated, build } };
}

function namesOf(dependencies: readonly Dependency[]): string {
  return dependencies
    .map(({ name, state }) => `${name} (${state === "other-revision" ? "of another revision" : state})`)
    .join(", ");
}

/** What a conclusion about a target that differs has in common. */
export function differentBase(
  { service }: Seen,
  pending: readonly Difference[],
  reason: Reason,
  message: string,
): Pick<Conclusion, "inSync" | "rolloutComplete" | "stated" | "failure" | "events" | "sameDesire"> {
  return {
    inSync: { status: "False", reason, message },
    rolloutComplete: { status: "Unknown", reason, message: "Another source than the declared one is in use." },
    stated: { ...observedFields(service), pendingChanges: pending },
    failure: undefined,
    events: [],
    sameDesire: true,
  };
}

/** The first few differences, for messages. */
export function differencesText(pending: readonly Difference[]): string {
  const shown = pending
    .slice(0, 3)
    .map(({ path, from, to }) => `${path} is ${from ?? "not returned"}, declared is ${to}`);
  return `${shown.join("; ")}${pending.length > 3 ? `; and ${pending.length - 3} more` : ""}`;
}

function atLeastHourly(nextResyncMs: number): Requeue {
  return { kind: "recheck", afterMs: Math.min(nextResyncMs, slowProbeMs), pause: { withinMs: slowProbeMs } };
}
