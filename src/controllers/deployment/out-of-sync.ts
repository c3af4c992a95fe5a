// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { Reason } from "../../api/reasons.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeAfter } from "../reconcile/requeue.ts";
import { withFight } from "../target/drift.ts";
import { driftFound, fightFound, withinAnHour } from "../target/out-of-sync.ts";
import { policyOf } from "../target/policy.ts";
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
  const found = driftFound(pending, { why: policyOf(object).why, nextResyncMs: seen.nextResyncMs });
  return { ...differentBase(seen, pending, found.verdict.reason, found.verdict.message), ...found };
}

/** There is a difference again, because another client changes the target back. */
export function fightConclusion(
  { status }: NorthflankDeployment,
  seen: Seen,
  pending: readonly Difference[],
): Conclusion {
  const found = fightFound(pending, { target: "target", nextResyncMs: seen.nextResyncMs });
  const base = differentBase(seen, pending, found.verdict.reason, found.verdict.message);
  return { ...base, ...found, stated: { ...base.stated, changes: withFight(status?.changes ?? []) } };
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
    next: withinAnHour(seen.nextResyncMs),
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
