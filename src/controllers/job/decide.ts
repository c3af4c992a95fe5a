// pure
import type { NorthflankJob } from "../../api/job.ts";
import type { JobPatchRoute } from "../../northflank/types.ts";
import { assertNever } from "../../util/assert-never.ts";
import { conclude } from "../target/decision.ts";
import { correctionsOf, isFight } from "../target/drift.ts";
import type { Difference } from "../target/out-of-sync.ts";
import { policyOf } from "../target/policy.ts";
import { failedReadConclusion, type TargetWords, type Unmet, unmetConclusion } from "../target/preconditions.ts";
import { checkRecreated } from "../target/recreated.ts";
import { bodyFor } from "./desired.ts";
import { type Comparison, compare } from "./diff.ts";
import { inSyncConclusion } from "./in-sync.ts";
import { isSameDesire, readingBack, stateOf, steps, wasInSync } from "./machine.ts";
import type { Change, DecideInput, Decision, Patch, Seen } from "./observation.ts";
import {
  decidePart,
  driftConclusion,
  fightConclusion,
  notKeptConclusion,
  partsIn,
  readBackConclusion,
  unsupportedConclusion,
} from "./out-of-sync.ts";
import { type Conclusion, statedFields } from "./status.ts";

/**
 * What to do about one observation: rest, conclude, or send one change. Every state of the object is reached from here,
 * and nothing is done here.
 *
 *     invalid, suspended, blocked, conflict -> named state, no request
 *     failed -> by the table of remote errors
 *     seen -> another uid than in status -> status starts anew, and the job is read again
 *          -> wrong type of job -> UnsupportedTarget
 *          -> nothing pending   -> in sync; what is newly declared or declared no more is remembered
 *          -> pending           -> sent a moment ago: read back again
 *                               -> our patch was kept in part: the rest is written once, alone, then ChangeNotKept
 *                               -> Observe, or nothing new under EnforceOnChange: DriftObserved
 *                               -> fight: FightDetected
 *                               -> write
 */
export function decide(input: DecideInput): Decision {
  const { object, observation, now, random } = input;
  const sameDesire = isSameDesire(object);
  switch (observation.kind) {
    case "rest":
      return { kind: "rest", dueInMs: observation.dueInMs };
    case "invalid":
    case "suspended":
    case "conflict":
    case "blocked":
      return conclude(notMetConclusion(observation, sameDesire));
    case "failed":
      return conclude(failedReadConclusion({ object, now, random, ...observation }, sameDesire));
    case "seen":
      return decideSeen(input, observation);
    default:
      return assertNever(observation, "observation");
  }
}

const words: TargetWords = {
  kind: "NorthflankJob",
  target: "job",
  onConflict: "Put all settings into one of the two",
};

/** What an unmet precondition comes to. */
function notMetConclusion(unmet: Unmet, sameDesire: boolean | undefined): Conclusion {
  const conclusion = unmetConclusion(unmet, words, sameDesire);
  // The other object may send other values meanwhile: nothing that this object sent is known to be in force any more.
  return unmet.kind === "conflict" ? { ...conclusion, stated: { applied: undefined } } : conclusion;
}

function decideSeen(input: DecideInput, seen: Seen): Decision {
  const { object } = input;
  const target = { name: `job "${object.spec.jobId}"`, uid: seen.view.uid };
  const recreated = checkRecreated(object, target, statedFields);
  if (recreated !== undefined) return conclude(recreated);
  const unsupported = unsupportedReason(object, seen);
  if (unsupported !== undefined) return conclude(unsupportedConclusion(unsupported, seen));
  const comparison = compare(seen.desire, seen.view, object.status?.applied);
  const pending = pendingChanges(input, comparison);
  if (pending.length === 0) return conclude(inSyncConclusion(input, seen, comparison));
  return decidePending(input, { seen, comparison, pending });
}

/** Why the job cannot take what is declared; `undefined` when it can. */
function unsupportedReason({ spec }: NorthflankJob, { view: { jobType }, desire }: Seen): string | undefined {
  if (spec.jobType !== "any" && jobType !== undefined && jobType !== spec.jobType) {
    return (
      `Job "${spec.jobId}" is a ${jobType} job, and spec.jobType is ${spec.jobType}. Change spec.jobType, or name another ` +
      "job."
    );
  }
  if (jobType === "manual" && Object.hasOwn(desire.policy, "cron")) {
    return `Job "${spec.jobId}" is a manual job, which has no schedule. Remove cron from the settings, or name a cron job.`;
  }
  return undefined;
}

/** What Northflank does not return counts only where writing is allowed, or where what was last sent is known. */
function pendingChanges(input: DecideInput, comparison: Comparison): readonly Difference[] {
  const { differences, unsent, canTell, isCarriedOver } = comparison;
  const isSent = policyOf(input.object).sends;
  const isPending = isSent ? !isTakenOver(input, comparison) : canTell && !isCarriedOver;
  return isPending ? [...differences, ...unsent] : differences;
}

/**
 * Under EnforceOnChange a new token alone is no change of what is declared: what was sent before is in force, where it is
 * certain that it is what is declared now.
 */
function isTakenOver({ object }: DecideInput, { isCarriedOver }: Comparison): boolean {
  const { sends, corrects } = policyOf(object);
  return sends && !corrects && isCarriedOver;
}

interface Pending {
  readonly seen: Seen;
  readonly comparison: Comparison;
  readonly pending: readonly Difference[];
}

function decidePending(input: DecideInput, { seen, comparison, pending }: Pending): Decision {
  const { object, now } = input;
  const policy = policyOf(object);
  const isChange = comparison.changed.length > 0 && !isTakenOver(input, comparison);
  const step = !policy.sends ? "none" : steps[stateOf(object)][isChange ? "changed" : "different"];
  const reading = step === "read-back" ? readingBack(object, input.sinceChangeMs) : undefined;
  if (reading !== undefined) return conclude(readBackConclusion(seen, pending, reading));
  const isSent = step !== "send" && step !== "none";
  const notKept = isSent ? decidePart(object, seen, { pending, mayBePart: step === "read-back" }) : undefined;
  if (notKept === "stop") return conclude(notKeptConclusion(input, seen, pending));
  const isDrift = !isChange && wasInSync(object);
  if (isChange || notKept !== undefined ? !policy.sends : !policy.corrects) {
    return conclude(driftConclusion(input, seen, { pending, released: comparison.released }), isDrift);
  }
  if (!isChange && notKept === undefined && isFight(object, correctionsOf(object), now)) {
    return conclude(fightConclusion(input, seen, pending), isDrift);
  }
  const desire = notKept === "send" ? partsIn(seen.desire, pending) : seen.desire;
  const [call, fallback] = patchesFor(object.spec.jobType, { ...seen, desire });
  if (call === undefined) {
    const message = "No call of Northflank takes all of the declared settings together.";
    return conclude(unsupportedConclusion(message, seen));
  }
  const { differences, unsent, released, untold } = comparison;
  const change: Change = {
    seen,
    cause: notKept === undefined ? causeOf(input, isChange) : "PartResent",
    differences: pending,
    unsent,
    isShown: differences.length > 0,
    released,
    untold,
    call,
    fallback,
  };
  return { kind: "write", change };
}

function causeOf({ object }: DecideInput, isChange: boolean): Change["cause"] {
  if (!isChange) return "DriftCorrected";
  return isSameDesire(object) === true ? "SourceChanged" : "SpecChanged";
}

/** The routes that can carry the change, the one that is asked for first. */
function patchesFor(jobType: "any" | "manual" | "cron", { desire, view }: Seen): readonly Patch[] {
  return routesFor(jobType, view.jobType).flatMap((route) => {
    const body = bodyFor(route, desire);
    return body === undefined ? [] : [{ route, body }];
  });
}

function routesFor(declared: "any" | "manual" | "cron", actual: string | undefined): readonly JobPatchRoute[] {
  if (declared !== "any") return [declared, "job"];
  return actual === "manual" || actual === "cron" ? ["job", actual] : ["job"];
}
