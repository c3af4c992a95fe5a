// pure

import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import { formatDuration } from "../../util/duration.ts";
import { imageToSend } from "../../util/image-reference.ts";
import type { EventDraft } from "../reconcile/events.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeAround, probeMoreRarely, requeueAfter } from "../reconcile/requeue.ts";
import type { Age } from "../reconcile/stopwatch.ts";
import { type BuildInSync, buildInSync, followsLatest } from "./build.ts";
import { isUnfinished, wasSent } from "./changes.ts";
import { inSyncWith, judged, needBuild } from "./decisions.ts";
import type { Desire } from "./desired.ts";
import {
  type ChangeNews,
  type Found,
  factsOf,
  foundAsDeclared,
  leftMs,
  newsWhileStopped,
  recordOf,
  wasSeenInSync,
} from "./machine.ts";
import type { BuildRecord, ChangeRecord, Conclusion, Decision, Facts, Progress, StatedFields } from "./observation.ts";
import { decideRedeploy, noteRedeploy } from "./redeploy.ts";
import { decideRollback } from "./rollback.ts";
import {
  failedMessage,
  hasBegunNone,
  isBuildState,
  lateMessage,
  pollGradual,
  pollPlanOf,
  pollRollout,
  progressOf,
  tookNews,
} from "./rollout.ts";

/** The target has what is declared: a redeploy that is requested, else how far its rollout is. */
export function decideInSync(facts: Facts): Decision {
  const asked = decideRedeploy(facts);
  if (asked?.kind !== "adopt") return asked ?? decideFound(facts);
  const { object } = facts;
  const known = { ...object, status: { ...object.status, ...asked.stated } as NorthflankDeploymentStatus };
  const decision = decideFound(factsOf({ ...facts, object: known }, facts));
  if (decision.kind !== "conclude") return decision;
  const { conclusion } = decision;
  return { ...decision, conclusion: { ...conclusion, stated: { ...asked.stated, ...conclusion.stated } } };
}

/** What is said besides of a target that has what is declared, in this order. */
const notes: readonly ((facts: Facts, conclusion: Conclusion) => Conclusion)[] = [noteUnverified, noteRedeploy];

function decideFound(facts: Facts): Decision {
  const built = buildInSync(facts);
  if (built.query !== undefined) return needBuild(built.query);
  const conclusion = notes.reduce((before, note) => note(facts, before), foundConclusion(facts, built));
  return decideRollback(facts, conclusion);
}

/** What was neither sent nor read back in full. */
function noteUnverified({ unverified }: Facts, same: Conclusion): Conclusion {
  if (unverified.length === 0 || same.inSync === "as-before") return same;
  const note =
    ` Not verified: Northflank does not return ${unverified.slice(0, 3).join(", ")} in full, and the operator has not ` +
    "sent it.";
  const { readyState, inSync } = same;
  return {
    ...same,
    readyState: readyState.kind === "ready" ? { ...readyState, message: `${readyState.message}${note}` } : readyState,
    inSync: { ...inSync, message: `${inSync.message}${note}` },
  };
}

/** How a target is that has what is declared; see {@link rows}. */
type SameState = "stopped" | "job" | "unwatched" | "unbuilt" | "unbegun" | Exclude<Progress, "paused">;

/** A target that has what is declared, and its rollout. */
interface Same extends Facts {
  readonly found: Found;
  readonly progress: Progress;
  /** What status keeps of the build. */
  readonly kept: BuildRecord | undefined;
  /** There is nothing built that could be rolled out. */
  readonly hold: ReturnType<BuildInSync["hold"]>;
  /** When the rollout began that is waited for: our change, else when it was first seen not to be complete. */
  readonly begun: string | undefined;
  /** Since then. */
  readonly begunAge: Age;
}

/** The result of a state. */
interface Row extends Pick<Conclusion, "readyState" | "rolloutComplete" | "next"> {
  readonly progress: Progress;
  readonly news?: ChangeNews;
  readonly events?: readonly EventDraft[];
  readonly stated?: StatedFields;
  /** What was seen is not worth a write: the end of the rollout is. */
  readonly isQuiet?: boolean;
}

/** One function for each state; a new one does not compile until it has a row. */
const rows: Readonly<Record<SameState, (same: Same) => Row>> = {
  stopped: stoppedRow,
  job: jobRow,
  unwatched: unwatchedRow,
  complete: completeRow,
  failed: failedRow,
  gradual: gradualRow,
  unbuilt: unbuiltRow,
  rolling: rollingRow,
  late: lateRow,
  unbegun: unbegunRow,
};

function foundConclusion(facts: Facts, built: BuildInSync): Conclusion {
  const same = sameOf(facts, built);
  const row = rows[sameStateOf(same)](same);
  const { observed, image: _, ...always } = facts.shown;
  return {
    ...judged,
    readyState: row.readyState,
    inSync: inSyncWith(facts.desire),
    rolloutComplete: row.rolloutComplete,
    next: row.next,
    events: [...resumedEvents(facts), ...(row.events ?? [])],
    stated: {
      ...always,
      ...(row.isQuiet === true ? {} : { observed, image: imageInSync(facts) }),
      build: same.kept,
      pendingChanges: undefined,
      notKept: undefined,
      ...row.stated,
      changes: recordOf(same, row.progress, newsOf(same, row)),
    },
  };
}

/** What a row has of the change, and how long its rollout took where it is over. */
function newsOf({ found: { change }, service, begun, begunAge }: Same, { progress, news }: Row): ChangeNews {
  return { ...news, ...tookNews({ change, service, progress, age: begunAge, begun }) };
}

function sameOf(facts: Facts, { kept, hold }: BuildInSync): Same {
  const { object, service, now, age, since, limitMs } = facts;
  const found = foundAsDeclared(facts, transitionBefore(facts));
  const { change } = found;
  const begun = rollingSince(facts, change, kept);
  const begunAge = age(begun ?? formatTime(now));
  const progress = progressOf({
    service,
    change,
    wasComplete: change?.phase === "Complete" && wasAtRest(object),
    wasGradual: since("AwaitingPromotion") !== undefined,
    wasLate: since("RolloutTimedOut") !== undefined,
    elapsedMs: age(change?.time).elapsedMs,
    age: begunAge,
    limitMs,
  });
  const isOpen = progress === "rolling" || progress === "late";
  return { ...facts, found, progress, kept, hold: isOpen ? hold() : undefined, begun, begunAge };
}

function sameStateOf({ object, desire, service, progress, hold, found }: Same): SameState {
  if (progress === "paused") return "stopped";
  if (service.kind === "job") return "job";
  if (object.spec.rollout?.wait === false) return "unwatched";
  if (hold !== undefined) return "unbuilt";
  // There are changes for which nothing is rolled out, such as other credentials. Who follows the latest build waits
  // for a rollout that has to come.
  const isAtRest = service.rolloutStatus === "COMPLETED" && hasBegunNone(service, found.change);
  return progress === "late" && isAtRest && !followsLatest(desire) ? "unbegun" : progress;
}

/** The last read found the target as declared, running, and nothing under way. */
function wasAtRest({ status }: NorthflankDeployment): boolean {
  return status?.phase === undefined && wasSeenInSync(status) && status?.observed?.servicePaused !== true;
}

function rollingSince(
  { desire, since: sinceOf }: Facts,
  change: ChangeRecord | undefined,
  build: BuildRecord | undefined,
): string | undefined {
  const since = sinceOf("RollingOut", "RolloutTimedOut");
  if (since === undefined || !wasSent(change)) return since;
  // Who follows the latest build waits for one first: that is no part of the rollout.
  const built = followsLatest(desire) && build?.outcome === "Succeeded" ? build.time : undefined;
  return built !== undefined && Date.parse(built) > Date.parse(since) ? built : since;
}

/** What Northflank has, with the declared tag that the digest was built as: Northflank is sent the digest alone. */
function imageInSync({ desire, shown }: Facts): string | undefined {
  const { tag, digest } = desire.image ?? {};
  return tag === undefined || digest === undefined ? shown.image : capped(desire.source, 512);
}

/** Said once: what follows is the rollout of a service that ran nothing when it was last read. */
function resumedEvents({ object, service }: Facts): readonly EventDraft[] {
  if (object.status?.observed?.servicePaused !== true || service.stop !== undefined) return [];
  const isOurs = object.status.changes?.[0]?.phase === "RollingOut";
  const why = isOurs ? "The service is not paused any more since the change was sent." : "The service was resumed.";
  const note = `${why} The rollout is followed.`;
  return [{ type: "Normal", reason: "ServiceResumed", action: "Observe", note }];
}

/** The state of the rollout when another source was last seen; `undefined` where this one was there before. */
function transitionBefore({ object: { status }, shown }: Facts): string | undefined {
  const hasMoved = status?.observed !== undefined && imageToSend(status.image ?? "") !== imageToSend(shown.image ?? "");
  return hasMoved ? status.observed?.rolloutTransitionTime : undefined;
}

// ---- the states ----

// A change to a service that runs nothing is polled once more so long after it was sent.
const secondPollMs = 120_000;

/**
 * It has what is declared and runs nothing: paused, or without instances. It is polled like a service at rest, and the
 * limit of its rollout counts from the resume. Northflank may say shortly after a change that it is complete, though
 * nothing runs: so a change is polled once more.
 */
function stoppedRow({ desire, service, shown, found, nextResyncMs, age }: Same): Row {
  const { change } = found;
  const isToCome = wasSent(change) && (change.phase === "TimedOut" || isUnfinished(change));
  const secondMs = isToCome ? secondPollMs - age(change.time).elapsedMs : 0;
  const before = change?.phase === "Failed" ? ", whose last rollout failed" : "";
  const message = `Northflank has ${desire.source}${before}; it starts when the service is resumed: ${service.stop}.`;
  const rolloutComplete = "Nothing is rolled out: the service is paused.";
  return {
    readyState: { kind: "ready", reason: "ServicePaused", message },
    rolloutComplete: { status: "Unknown", reason: "ServicePaused", message: rolloutComplete },
    progress: "paused",
    news: isToCome ? newsWhileStopped(shown) : {},
    next: requeueAfter(secondMs > 0 ? Math.min(nextResyncMs, secondMs) : nextResyncMs),
  };
}

/** What a job runs next is all there is to it: nothing is rolled out. */
function jobRow({ desire, policy, nextResyncMs }: Same): Row {
  const message = `Northflank has ${desire.source}: the next run of the job uses it.`;
  return {
    readyState: { kind: "ready", reason: policy.ready ?? "InSync", message },
    rolloutComplete: { status: "True", reason: "RolloutComplete", message: "A job has no rollout." },
    progress: "complete",
    next: requeueAfter(nextResyncMs),
  };
}

function unwatchedRow({ desire, progress, nextResyncMs }: Same): Row {
  const message = `Northflank has ${desire.source}; the rollout is not waited for (spec.rollout.wait is false).`;
  return {
    readyState: { kind: "ready", reason: "InSync", message },
    rolloutComplete:
      progress === "complete"
        ? { status: "True", reason: "RolloutComplete", message: "The rollout is complete." }
        : { status: "Unknown", reason: "RollingOut", message: "Not waited for." },
    progress: progress === "complete" || progress === "failed" ? progress : "rolling",
    next: requeueAfter(nextResyncMs),
  };
}

function completeRow({ desire, policy, found, age, nextResyncMs }: Same): Row {
  const message = `Northflank has ${desire.source}, and the rollout is complete.`;
  const { change } = found;
  const isNews = wasSent(change) && change.phase !== "Complete";
  const took = isNews && !wasStopped(change) ? ` It took ${formatDuration(age(change.time).elapsedMs)}.` : "";
  const event = { type: "Normal", reason: "RolloutComplete", action: "Observe", note: `${message}${took}` } as const;
  return {
    readyState: { kind: "ready", reason: policy.ready ?? "RolloutComplete", message },
    rolloutComplete: { status: "True", reason: "RolloutComplete", message: "The rollout is complete." },
    progress: "complete",
    next: requeueAfter(nextResyncMs),
    events: isNews ? [event] : [],
  };
}

/** It was not under way all the time since it was sent: how long it took says nothing. */
function wasStopped({ phase, since, time }: ChangeRecord): boolean {
  return phase === "Paused" || (phase === "RollingOut" && since !== time);
}

function failedRow({ desire, random }: Same): Row {
  return {
    readyState: { kind: "stalled", reason: "RolloutFailed", message: failedMessage(desire) },
    rolloutComplete: { status: "False", reason: "RolloutFailed", message: "Northflank says that the rollout failed." },
    progress: "failed",
    next: probeAround(slowProbeMs, random),
  };
}

/**
 * A rollout by a strategy with steps. It stays IN_PROGRESS until a person or another client promotes it: that may take
 * days, is no failure, and is never rolled back.
 */
function gradualRow({ desire, service, settings, age, since }: Same): Row {
  const strategy = service.gradualRolloutStrategyId?.slice(0, 64);
  const message =
    `Northflank rolls out ${desire.source} gradually (strategy ${strategy}) and waits for its promotion. Promote ` +
    `it in Northflank, or declare another source; no time limit applies.`;
  return {
    readyState: { kind: "progressing", reason: "AwaitingPromotion", message },
    rolloutComplete: {
      status: "Unknown",
      reason: "AwaitingPromotion",
      message: "The rollout is gradual and not over.",
    },
    progress: "gradual",
    next: pollGradual(age(since("AwaitingPromotion")).elapsedMs, settings),
  };
}

function unbuiltRow(same: Same): Row {
  if (same.hold === undefined) return rollingRow(same);
  const { readyState, next } = same.hold;
  const message = "There is no build to roll out.";
  return {
    readyState,
    next,
    rolloutComplete: { status: "Unknown", reason: readyState.reason, message },
    progress: "rolling",
  };
}

function rollingRow(same: Same): Row {
  const { desire, service, now, begun, begunAge, settings, limitMs } = same;
  const isBuilding = service.internal !== undefined && isBuildState(service.buildStatus);
  const reason = isBuilding ? "Building" : "RollingOut";
  const rollout = { elapsedMs: begunAge.elapsedMs, leftMs: leftMs(begunAge, limitMs) };
  const endsMs = (begun === undefined ? now : Date.parse(begun)) + limitMs;
  return {
    readyState: { kind: "progressing", reason, message: rollingMessage({ desire, isBuilding, endsMs }) },
    rolloutComplete: { status: "Unknown", reason, message: rolloutGoesOn },
    progress: "rolling",
    next: pollRollout(rollout, pollPlanOf(same), settings),
    isQuiet: wasSeenRolling(same, isBuilding),
  };
}

/** The last read found the same: nothing of it is new. */
function wasSeenRolling({ object, isAcknowledged, since }: Same, isBuilding: boolean): boolean {
  if (!isAcknowledged || since("RollingOut") === undefined) return false;
  return isBuilding === isBuildState(object.status?.observed?.buildStatus);
}

/** What RolloutComplete says from the change to the end of the rollout. */
export const rolloutGoesOn = "The rollout is not over.";

/** The same from the change to the end of the rollout, so that a read that finds it in progress writes nothing. */
export function rollingMessage(options: {
  readonly desire: Desire;
  readonly isBuilding: boolean;
  readonly endsMs: number;
}): string {
  const doing = options.isBuilding ? "is building" : "is rolling out";
  return `Northflank ${doing} ${options.desire.source}. It times out at ${formatTime(options.endsMs)}.`;
}

// The first probe after a rollout was late.
const firstLateProbeMs = 300_000;

function lateRow({ desire, service, begunAge, random, limitMs }: Same): Row {
  const message = lateMessage({ desire, service, limitMs });
  return {
    readyState: { kind: "stalled", reason: "RolloutTimedOut", message },
    rolloutComplete: { status: "False", reason: "RolloutTimedOut", message: "Not complete in time." },
    progress: "late",
    next: probeMoreRarely(begunAge.elapsedMs, [firstLateProbeMs, slowProbeMs], random),
  };
}

/** Nothing was rolled out for the change within its limit: the last rollout is the one that counts. */
function unbegunRow({ object, desire, policy, nextResyncMs, limitMs }: Same): Row {
  const message =
    `Northflank has ${desire.source} and began no rollout for it within ${formatDuration(limitMs)}; the last ` +
    "rollout is complete.";
  return {
    readyState: { kind: "ready", reason: policy.ready ?? "RolloutComplete", message },
    rolloutComplete: { status: "True", reason: "RolloutComplete", message: "The last rollout is complete." },
    progress: "complete",
    // The state that is shown speaks about this change from now on.
    news: { previousTransitionTime: undefined },
    stated: withoutEffect(object),
    next: requeueAfter(nextResyncMs),
  };
}

/** A redeploy for which nothing was rolled out is none, and says so for as long as it is the newest change. */
function withoutEffect({ status }: NorthflankDeployment): StatedFields {
  const { redeploy, changes } = status ?? {};
  if (redeploy?.outcome !== "Sent" || changes?.[0]?.cause !== "Redeployed") return {};
  return { redeploy: { ...redeploy, outcome: "WithoutEffect" } };
}
