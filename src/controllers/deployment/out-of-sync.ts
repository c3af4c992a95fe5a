// pure
import type { DeploymentUpdate } from "../../northflank/types.ts";
import { conclude } from "../target/decision.ts";
import { isFight, withFight } from "../target/drift.ts";
import { decideNotKept } from "../target/not-kept.ts";
import { isAcknowledged } from "../target/object.ts";
import { driftFound, fightFound, notKeptFound, type OutOfSync } from "../target/out-of-sync.ts";
import { buildRecord, checkBuild } from "./build.ts";
import { knownHash, lastDeclared, wasSent } from "./changes.ts";
import { differentBase, write } from "./decisions.ts";
import { dependencyConclusion } from "./dependencies.ts";
import type { Difference } from "./diff.ts";
import { steps, wasSeenInSync, withNotKept } from "./machine.ts";
import type { ChangeRecord, Conclusion, Decision, Facts, StatedFields } from "./observation.ts";
import { decideRolledBack } from "./rollback.ts";
import { pollAfter, pollPauseMs } from "./rollout.ts";

/** A target that has something else than what is declared. */
interface Different extends Facts {
  /** A part of our own change that Northflank did not keep, which is no drift. */
  readonly notKept: ReturnType<typeof decidePart>;
}

/** In this order; the first that answers decides. */
const checks: readonly ((facts: Different) => Decision | undefined)[] = [
  checkRolledBack,
  checkPolicy,
  checkDependencies,
  checkShown,
  checkNotKept,
  checkFight,
  checkBuild,
];

/** The target has something else than what is declared: it is written, unless something is in the way. */
export function decideOutOfSync(facts: Facts): Decision {
  const { object, desire, pending, service: before, build: seen, isNew } = facts;
  const notKept = isNew ? undefined : decidePart(facts);
  for (const check of checks) {
    const decision = check({ ...facts, notKept });
    if (decision !== undefined) return decision;
  }
  const build = seen && buildRecord(object.status?.build, seen, facts.now);
  // What is in force is not sent again: each body may change more than it says.
  const body = isNew ? desire.body : partsIn(desire.body, pending);
  const cause = isNew ? "SpecChanged" : "DriftCorrected";
  return write({ desire: { ...desire, body }, cause, before, differences: pending, build });
}

/** What was rolled back is not sent again. */
function checkRolledBack(facts: Different): Decision | undefined {
  const isLeft = steps[facts.state].different === "leave" && facts.policy.rollsBack;
  return isLeft ? decideRolledBack(facts) : undefined;
}

/** The policy does not allow the write. */
function checkPolicy(facts: Different): Decision | undefined {
  const { policy, isNew, notKept, pending } = facts;
  if (isNew || notKept !== undefined ? policy.sends : policy.corrects) return undefined;
  return concludeDrift(facts, driftFound(pending, { why: policy.why, nextResyncMs: facts.nextResyncMs }));
}

/** Drift is reported where the last read found what is declared now. */
function concludeDrift(facts: Facts, found: OutOfSync, stated: StatedFields = {}): Decision {
  const { object } = facts;
  const base = differentBase(facts, found.readyState.reason, found.readyState.message);
  const conclusion = { ...base, ...found, stated: { ...base.stated, ...stated } };
  return { kind: "conclude", conclusion, sawDrift: isAcknowledged(object) && wasSeenInSync(object.status) };
}

function checkDependencies(facts: Different): Decision | undefined {
  const { object, desire, wantsRedeploy } = facts;
  const isFirst = knownHash(object.status) !== desire.hash || wantsRedeploy;
  const held = isFirst ? dependencyConclusion(facts) : undefined;
  return held && conclude(held);
}

// A change of a job that is not shown by then was undone.
const showsWithinMs = 60_000;

/** Our change of a job was just accepted, and the job still shows what it had before: it is not sent again yet. */
function checkShown(facts: Different): Decision | undefined {
  const { object, service, shown, desire, settings, isNew, age } = facts;
  const change = lastDeclared(object.status);
  if (isNew || service.kind !== "job" || !wasSent(change)) return undefined;
  const { elapsedMs } = age(change.time);
  if (elapsedMs >= showsWithinMs || shown.image !== change.previousSource) return undefined;
  const message = readBackMessage(desire);
  return conclude({
    ...differentBase(facts, "ApplyingChange", message),
    readyState: { kind: "progressing", reason: "ApplyingChange", message },
    next: pollAfter(pollPauseMs(elapsedMs, showsWithinMs, settings), settings),
  });
}

/** What Ready says while a change is read back that nothing is rolled out for. */
export function readBackMessage({ source }: Facts["desire"]): string {
  return `Northflank accepted ${source}; it is read back before this is Ready.`;
}

/** The part that was not kept is sent once more, alone; then a person has to act. */
function checkNotKept(facts: Different): Decision | undefined {
  const { object, desire, notKept, pending, service: before } = facts;
  if (notKept === undefined) return undefined;
  if (notKept === "stop") return conclude(notKeptConclusion(facts));
  const part = { ...desire, body: partsIn(desire.body, pending) };
  return write({ desire: part, cause: "PartResent", before, differences: pending, build: object.status?.build });
}

/** There is a difference again, because another client changes the target back. */
function checkFight(facts: Different): Decision | undefined {
  const { object, isNew, corrections, correctionsNow, pending } = facts;
  if (isNew || !isFight(object, corrections, correctionsNow)) return undefined;
  const found = fightFound(pending, { target: "target", nextResyncMs: facts.nextResyncMs });
  return concludeDrift(facts, found, { changes: withFight(object.status?.changes ?? []) });
}

// ---- a part that Northflank did not keep ----

type Part = keyof DeploymentUpdate;

/** The smallest body that Northflank takes for these differences. */
export function partsIn(body: DeploymentUpdate, differences: readonly Difference[]): DeploymentUpdate {
  return Object.fromEntries(partsOf(differences).map((part) => [part, body[part]]));
}

/** `deployment.docker.configType` is a difference of `docker`. */
export function partsOf(pending: readonly Difference[]): readonly Part[] {
  return [...new Set(pending.map(({ path }) => path.split(".")[1] as Part))];
}

/** What to do about a part that Northflank did not keep: see `target/not-kept.ts`. */
export function decidePart({ object, desire, change, pending }: Facts) {
  if (!wasSent(change)) return undefined;
  const parts = partsOf(pending);
  const mayBePart = isSmaller(parts, desire.body, change) && isBeingReadBack(change);
  return decideNotKept(object, { specHash: desire.hash, parts, phase: change.phase, mayBePart });
}

/**
 * A source is sent alone only where more came with it. A source that is not in force although it was sent by itself is
 * taken to have been changed back by another client: that is for `drift.ts`.
 */
function isSmaller(parts: readonly Part[], body: DeploymentUpdate, { cause }: ChangeRecord): boolean {
  if (!parts.includes("external") && !parts.includes("internal")) return true;
  // A correction has sent no more than what differed.
  return cause === "SpecChanged" && parts.length < Object.values(body).filter((part) => part !== undefined).length;
}

/** Our change was accepted, and no read has found it in force with its rollout over. */
function isBeingReadBack({ phase, since, time }: ChangeRecord): boolean {
  return phase === "RollingOut" && since === time;
}

/** Northflank has accepted the part twice, the second time alone, and does not have it. */
export function notKeptConclusion(facts: Facts): Conclusion {
  const { object, desire, pending, now, random, age } = facts;
  const { elapsedMs } = age(object.status?.notKept?.time);
  const found = notKeptFound(pending, { elapsedMs, random });
  const base = differentBase(facts, "ChangeNotKept", found.readyState.message);
  const message = "Not all of what is declared is in force.";
  return {
    ...base,
    ...found,
    rolloutComplete: { status: "Unknown", reason: "ChangeNotKept", message },
    stated: { ...base.stated, changes: withNotKept(object, desire, now) },
  };
}
