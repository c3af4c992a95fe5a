// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { ServiceView } from "../../northflank/types.ts";
import { capped, findCondition, formatTime } from "../../runtime/conditions.ts";
import { assertNever } from "../../util/assert-never.ts";
import { jittered } from "../../util/backoff.ts";
import { formatDuration } from "../../util/duration.ts";
import type { Random } from "../../util/random.ts";
import { type NextPass, passIn } from "../shared/next-pass.ts";
import { present } from "../shared/present.ts";
import { isReconcileRequested } from "../shared/reconcile-request.ts";
import { judgeRemoteFailure } from "../shared/remote-failure.ts";
import { slowProbeMs } from "../shared/remote-verdict.ts";
import { invalidSpecMessage } from "../shared/spec-problem.ts";
import { type Comparison, compare, type Difference } from "./compare.ts";
import type { Conclusion, StatedFields } from "./conclusion.ts";
import { type Desire, sourceText } from "./desire.ts";
import type { Dependency, Observation } from "./observation.ts";
import { type Applied, judgeRollout } from "./rollout.ts";

export interface Settings {
  /** For objects that name no period, in milliseconds; 0 = never. */
  readonly resyncPeriodMs: number;
  /** First pause between two looks at a rollout, in milliseconds; the pauses grow to a minute. */
  readonly rolloutPollIntervalMs: number;
}

/** One change to be sent. */
export interface Change {
  readonly desire: Desire;
  readonly cause: "SpecChanged" | "DriftCorrected";
  /** The service as it was read just before. */
  readonly before: ServiceView;
  readonly differences: readonly Difference[];
}

export type Decision =
  /** Nothing to do and nothing to say. */
  | { readonly kind: "rest"; readonly dueInMs: number }
  | { readonly kind: "conclude"; readonly conclusion: Conclusion; readonly sawDrift: boolean }
  | { readonly kind: "write"; readonly change: Change };

export interface DecideInput {
  readonly object: NorthflankDeployment;
  readonly observation: Observation;
  /** Wall clock, milliseconds since the epoch. */
  readonly now: number;
  readonly random: Random;
  readonly settings: Settings;
}

/**
 * What to do about one observation: rest, conclude, or send one change. Every state of the object is reached from here,
 * and nothing is done here.
 *
 *     invalid, job-target, suspended, blocked, conflict -> named state, no request
 *     failed -> by the table of remote errors
 *     seen -> same      -> paused? rollout failed, timed out, rolling, complete
 *          -> different -> Observe or unchanged under EnforceOnChange: DriftObserved
 *                       -> paused, dependency, fight: named state
 *                       -> write
 */
export function decide(input: DecideInput): Decision {
  const { object, observation } = input;
  switch (observation.kind) {
    case "rest":
      return { kind: "rest", dueInMs: observation.dueInMs };
    case "invalid":
      return conclude(stalled("InvalidSpec", invalidSpecMessage(observation.problems), { next: { kind: "never" } }));
    case "job-target":
      return conclude(stalled("UnsupportedTarget", jobTargetMessage(observation.jobId), { next: { kind: "never" } }));
    case "suspended":
      return conclude({ ...suspendedConclusion, sameDesire: isSameDesire(object, observation.desire) });
    case "conflict":
      return conclude(conflictConclusion(observation.winner, isSameDesire(object, observation.desire)));
    case "blocked":
      return conclude(blockedConclusion(observation, isSameDesire(object, observation.desire)));
    case "failed":
      return conclude(failedConclusion(input, observation));
    case "seen":
      return decideSeen(input, observation);
    default:
      return assertNever(observation, "observation");
  }
}

type Seen = Observation & { readonly kind: "seen" };

function decideSeen(input: DecideInput, seen: Seen): Decision {
  const { object } = input;
  const unsupported = unsupportedReason(seen);
  if (unsupported !== undefined) {
    const stated = { ...observedFields(seen.service), pendingChanges: undefined };
    return conclude(stalled("UnsupportedTarget", unsupported, { stated }));
  }
  const pending = pendingDifferences(object, seen);
  if (pending.length === 0) return conclude(sameConclusion(input, seen));
  return decideDifferent(input, seen, pending);
}

/** What has to be written. Fields that Northflank does not tell count only when the declaration has changed. */
function pendingDifferences(object: NorthflankDeployment, { desire, service }: Seen): readonly Difference[] {
  const { differences, untold }: Comparison = compare(desire, service);
  const before = object.status?.applied?.specHash;
  const mayDiffer = before !== undefined && before !== desire.hash;
  return mayDiffer ? [...differences, ...untold] : differences;
}

function decideDifferent(input: DecideInput, seen: Seen, pending: readonly Difference[]): Decision {
  const { object, now } = input;
  const policy = object.spec.managementPolicy;
  const isChange = object.status?.applied?.specHash !== seen.desire.hash;
  const isDrift = wasInSync(object);
  if (policy === "Observe" || (policy === "EnforceOnChange" && !isChange)) {
    return conclude(driftConclusion(input, seen, pending), isDrift);
  }
  if (seen.service.servicePaused) return conclude(pausedConclusion(seen, pending));
  const held = isChange ? dependencyConclusion(seen, pending) : undefined;
  if (held !== undefined) return conclude(held);
  const corrections = recentCorrections(object, now);
  if (!isChange && isFight(object, corrections)) return conclude(fightConclusion(seen, pending), isDrift);
  const cause = isChange ? "SpecChanged" : "DriftCorrected";
  return { kind: "write", change: { desire: seen.desire, cause, before: seen.service, differences: pending } };
}

// A fight: this many corrections within this time.
const fightCorrections = 3;
const fightWindowMs = 600_000;

/** Times of the corrections that still count, newest first. Old ones stay in status until the next one: no write for them. */
export function recentCorrections(object: NorthflankDeployment, now: number): readonly string[] {
  const corrections = object.status?.corrections ?? [];
  return corrections.filter((time) => now - Date.parse(time) < fightWindowMs);
}

/** Once detected, a fight lasts until the remote agrees, the spec changes or somebody asks for another try. */
function isFight(object: NorthflankDeployment, corrections: readonly string[]): boolean {
  if (isReconcileRequested(object)) return false;
  if (!isAcknowledged(object)) return false;
  return corrections.length >= fightCorrections || readyReason(object) === "FightDetected";
}

/** The last look at what is declared now found no difference: a difference is news. */
function wasInSync(object: NorthflankDeployment): boolean {
  const inSync = findCondition(object.status?.conditions, "InSync");
  return inSync?.status === "True" && inSync.observedGeneration === object.metadata.generation;
}

function isSameDesire(object: NorthflankDeployment, desire: Desire): boolean | undefined {
  const applied = object.status?.applied?.specHash;
  return applied === undefined ? undefined : applied === desire.hash;
}

export function readyReason(object: NorthflankDeployment): string | undefined {
  return findCondition(object.status?.conditions, "Ready")?.reason;
}

// ---- the target has what is declared ----

function sameConclusion(input: DecideInput, seen: Seen): Conclusion {
  const { object, now } = input;
  const { desire, service } = seen;
  const applied = appliedWhenSame(input, seen);
  const isRemembered = object.status?.applied?.specHash === desire.hash;
  const wasComplete = isRemembered && findCondition(object.status?.conditions, "RolloutComplete")?.status === "True";
  const rollout = judgeRollout({ service, applied: isRemembered ? object.status?.applied : applied, wasComplete, now });
  const base = {
    sameDesire: true,
    inSync: { status: "True", reason: "InSync", message: `Northflank has ${desire.source}.` },
    failure: undefined,
    events: [],
    stated: {
      ...observedFields(service),
      applied,
      pendingChanges: undefined,
    },
  } as const;
  if (service.servicePaused) {
    const rolloutComplete = { status: "Unknown", reason: "ServicePaused", message: "The service is paused." } as const;
    return { ...base, ...pausedVerdict(seen), rolloutComplete };
  }
  if (object.spec.rollout?.wait === false) return notWaiting(input, seen, base, rollout.kind);
  switch (rollout.kind) {
    case "complete":
      return completeConclusion(input, seen, base);
    case "failed":
      return rolloutFailedConclusion(input, seen, base);
    case "rolling":
      return rollingConclusion(input, seen, base, rollout);
    default:
      return assertNever(rollout, "rollout");
  }
}

type SameBase = Pick<Conclusion, "sameDesire" | "inSync" | "failure" | "events" | "stated">;

/**
 * What to remember of a source that is as declared without a change of ours in this pass: as it is when we sent it,
 * else (first look, or our answer was lost) when it was seen, and the state of the rollout before.
 */
function appliedWhenSame({ object, now }: DecideInput, { desire, service }: Seen): Applied | undefined {
  const before = object.status?.applied;
  if (before?.specHash === desire.hash) return before;
  if (object.spec.managementPolicy === "Observe") return before;
  const observed = object.status?.observed;
  const hasMoved = observed !== undefined && object.status?.image !== imageText(service);
  return present({
    generation: object.metadata.generation ?? 0,
    specHash: desire.hash,
    time: formatTime(now),
    previousTransitionTime: hasMoved ? observed.rolloutTransitionTime : undefined,
  });
}

function completeConclusion({ object, now }: DecideInput, seen: Seen, base: SameBase): Conclusion {
  const { desire, nextResyncMs } = seen;
  const reason = object.spec.managementPolicy === "Observe" ? "Observed" : "RolloutComplete";
  const message = `Northflank has ${desire.source}, and the rollout is complete.`;
  const news = headResult(object, "Complete");
  const [head] = news.history ?? [];
  return {
    ...base,
    verdict: { kind: "ready", reason, message },
    rolloutComplete: { status: "True", reason: "RolloutComplete", message: "The rollout is complete." },
    stated: { ...base.stated, ...news },
    next: passIn(nextResyncMs),
    events: head
      ? [
          {
            type: "Normal",
            reason: "RolloutComplete",
            action: "Observe",
            note: `${message} ${tookText(head.time, now)}`,
          },
        ]
      : [],
  };
}

function notWaiting({ object }: DecideInput, seen: Seen, base: SameBase, rollout: string): Conclusion {
  const message = `Northflank has ${seen.desire.source}; the rollout is not waited for (spec.rollout.wait is false).`;
  const isComplete = rollout === "complete";
  const news = isComplete ? headResult(object, "Complete") : rollout === "failed" ? headResult(object, "Failed") : {};
  return {
    ...base,
    verdict: { kind: "ready", reason: "InSync", message },
    rolloutComplete: isComplete
      ? { status: "True", reason: "RolloutComplete", message: "The rollout is complete." }
      : { status: "Unknown", reason: "RollingOut", message: "Not waited for." },
    stated: { ...base.stated, ...news },
    next: passIn(seen.nextResyncMs),
  };
}

function rolloutFailedConclusion({ object, random }: DecideInput, seen: Seen, base: SameBase): Conclusion {
  const message =
    `Northflank has ${seen.desire.source}, but its rollout failed. See the containers and logs of the service in ` +
    "Northflank; declare another source, or mend what it needs. Looked at again in about 1h.";
  return {
    ...base,
    verdict: { kind: "stalled", reason: "RolloutFailed", message },
    rolloutComplete: { status: "False", reason: "RolloutFailed", message: "Northflank says that the rollout failed." },
    stated: { ...base.stated, ...headResult(object, "Failed") },
    next: { kind: "recheck", afterMs: Math.round(jittered(slowProbeMs, 0.2, random)) },
  };
}

function rollingConclusion(
  input: DecideInput,
  seen: Seen,
  base: SameBase,
  rollout: { readonly isBuilding: boolean },
): Conclusion {
  const { object, now, settings } = input;
  const timeoutMs = (object.spec.rollout?.timeoutSeconds ?? 900) * 1_000;
  const sinceMs = rollingSince(input);
  const elapsedMs = Math.max(0, now - sinceMs);
  if (elapsedMs >= timeoutMs || isKnownLate(object))
    return timedOutConclusion(input, seen, base, { elapsedMs, timeoutMs });
  const { isBuilding } = rollout;
  const reason = isBuilding ? "Building" : "RollingOut";
  return {
    ...base,
    verdict: {
      kind: "progressing",
      reason,
      message: rollingMessage({ ...input, desire: seen.desire, isBuilding, sinceMs }),
    },
    rolloutComplete: { status: "Unknown", reason, message: rolloutGoesOn },
    stated: readyReason(object) === reason && isAcknowledged(object) ? withoutSeen(base.stated) : base.stated,
    next: { kind: "recheck", afterMs: pollPauseMs(elapsedMs, timeoutMs - elapsedMs, settings) },
  };
}

export const rolloutGoesOn = "The rollout is not over.";

/** The same from the change to the end of the rollout, so that a look that finds it going on writes nothing. */
export function rollingMessage(options: {
  readonly object: NorthflankDeployment;
  readonly desire: Desire;
  readonly isBuilding: boolean;
  readonly sinceMs: number;
  readonly settings: Settings;
}): string {
  const timeoutMs = (options.object.spec.rollout?.timeoutSeconds ?? 900) * 1_000;
  const doing = options.isBuilding ? "is building" : "is rolling out";
  return (
    `Northflank ${doing} ${options.desire.source}. Looked at every ` +
    `${formatDuration(options.settings.rolloutPollIntervalMs)} to 1m; counts as failed at ` +
    `${formatTime(options.sinceMs + timeoutMs)}.`
  );
}

/** What is seen between the change and its end is not worth a write: the end is. */
function withoutSeen({ observed: _observed, image: _image, ...rest }: StatedFields): StatedFields {
  return rest;
}

function isAcknowledged({ status, metadata }: NorthflankDeployment): boolean {
  return status?.observedGeneration === metadata.generation;
}

function timedOutConclusion(
  input: DecideInput,
  seen: Seen,
  base: SameBase,
  times: { readonly elapsedMs: number; readonly timeoutMs: number },
): Conclusion {
  const message =
    `Northflank has ${seen.desire.source}, but its rollout was not complete within ${formatDuration(times.timeoutMs)}` +
    `${stateText(seen.service)}. See the containers of the service in Northflank. Goes on being looked at, more ` +
    "and more rarely, and is Ready when it completes after all.";
  // Grows with the time that has passed, so that nothing needs to be counted and written.
  const pauseMs = Math.min(Math.max(firstLateProbeMs, times.elapsedMs / 4), slowProbeMs);
  return {
    ...base,
    verdict: { kind: "stalled", reason: "RolloutTimedOut", message },
    rolloutComplete: { status: "False", reason: "RolloutTimedOut", message: "Not complete in time." },
    stated: { ...base.stated, ...headResult(input.object, "TimedOut") },
    next: { kind: "recheck", afterMs: Math.round(jittered(pauseMs, 0.2, input.random)) },
  };
}

// The first probe after a rollout was late.
const firstLateProbeMs = 300_000;

/** When the rollout began that is waited for: our change, else when it was first seen not to be complete. */
function rollingSince({ object, now }: DecideInput): number {
  const { history, conditions } = object.status ?? {};
  const head = history?.[0];
  if (head?.result === "RollingOut" || head?.result === "TimedOut") return Date.parse(head.time);
  const reconciling = findCondition(conditions, "Reconciling");
  const wasRolling = readyReason(object) === "RollingOut" || readyReason(object) === "Building";
  return wasRolling && reconciling !== undefined ? Date.parse(reconciling.lastTransitionTime) : now;
}

/** What was late stays late until it ends: a probe must not make it look under way again. */
function isKnownLate(object: NorthflankDeployment): boolean {
  return readyReason(object) === "RolloutTimedOut" && isAcknowledged(object);
}

// The longest pause between two looks at a rollout.
const longestPollMs = 60_000;

/** Grows with the time a rollout has taken, so that a long one costs few requests; never past its deadline. */
export function pollPauseMs(elapsedMs: number, leftMs: number, settings: Settings): number {
  const { rolloutPollIntervalMs } = settings;
  const growing = Math.min(
    Math.max(rolloutPollIntervalMs, elapsedMs / 4),
    Math.max(longestPollMs, rolloutPollIntervalMs),
  );
  return Math.round(Math.min(growing, leftMs));
}

// ---- the target differs ----

function driftConclusion({ object }: DecideInput, seen: Seen, pending: readonly Difference[]): Conclusion {
  const policy = object.spec.managementPolicy;
  const why =
    policy === "Observe"
      ? "managementPolicy is Observe: nothing is written"
      : "managementPolicy is EnforceOnChange and the spec has not changed: nothing is written";
  const message = `Northflank differs from what is declared: ${differencesText(pending)}. ${why}.`;
  return {
    ...differentBase(seen, pending, "DriftObserved", message),
    verdict: { kind: "ready", reason: "DriftObserved", message },
    next: passIn(seen.nextResyncMs),
  };
}

function pausedConclusion(seen: Seen, pending: readonly Difference[]): Conclusion {
  const message = `Northflank differs from what is declared: ${differencesText(pending)}.`;
  return { ...differentBase(seen, pending, "ServicePaused", message), ...pausedVerdict(seen) };
}

function pausedVerdict({ desire, nextResyncMs }: Seen): Pick<Conclusion, "verdict" | "next"> {
  const message =
    `The service is paused in Northflank; ${desire.source} is not rolled out, and nothing is written. Resume the ` +
    "service, or suspend this object. Looked at again at the next resync.";
  return { verdict: { kind: "stalled", reason: "ServicePaused", message }, next: atLeastHourly(nextResyncMs) };
}

function fightConclusion(seen: Seen, pending: readonly Difference[]): Conclusion {
  const message =
    `Somebody else keeps changing the service back: ${differencesText(pending)}. It was corrected ${fightCorrections} ` +
    "times within 10m; writing has stopped. Find the other writer (a pipeline, a template, continuous deployment), then " +
    "change the spec or request a reconcile. Still looked at.";
  return {
    ...differentBase(seen, pending, "FightDetected", message),
    verdict: { kind: "stalled", reason: "FightDetected", message },
    next: atLeastHourly(seen.nextResyncMs),
  };
}

function dependencyConclusion(seen: Seen, pending: readonly Difference[]): Conclusion | undefined {
  const failed = seen.dependencies.filter(({ state }) => state === "failed");
  const waiting = seen.dependencies.filter(({ state }) => state === "active" || state === "missing");
  if (failed.length > 0) {
    const message = `Not deployed, because it waits for runs that failed: ${namesOf(failed)}. Name another run in spec.waitFor.`;
    return {
      ...differentBase(seen, pending, "DependencyFailed", message),
      verdict: { kind: "stalled", reason: "DependencyFailed", message },
      next: { kind: "recheck", afterMs: slowProbeMs },
    };
  }
  if (waiting.length === 0) return undefined;
  const message = `Not deployed yet: waits for runs to succeed: ${namesOf(waiting)}. Goes on as soon as they have.`;
  return {
    ...differentBase(seen, pending, "WaitingForDependency", message),
    verdict: { kind: "progressing", reason: "WaitingForDependency", message },
    // The run wakes this object when it changes; this is the net below that.
    next: { kind: "recheck", afterMs: slowProbeMs },
  };
}

function namesOf(dependencies: readonly Dependency[]): string {
  return dependencies.map(({ name, state }) => `${name} (${state})`).join(", ");
}

function differentBase(
  { service }: Seen,
  pending: readonly Difference[],
  reason: "DriftObserved" | "ServicePaused" | "FightDetected" | "DependencyFailed" | "WaitingForDependency",
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

function differencesText(pending: readonly Difference[]): string {
  const shown = pending.slice(0, 3).map(({ path, from, to }) => `${path} is ${from ?? "not told"}, declared is ${to}`);
  return `${shown.join("; ")}${pending.length > 3 ? `; and ${pending.length - 3} more` : ""}`;
}

// ---- states that need no look ----

const nothingLearned = {
  inSync: "as-before",
  rolloutComplete: "as-before",
  stated: {},
  failure: undefined,
  events: [],
} as const;

const suspendedConclusion: Omit<Conclusion, "sameDesire"> = {
  ...nothingLearned,
  verdict: {
    kind: "suspended",
    reason: "Suspended",
    message: "spec.suspend is true: nothing is read or written. Goes on when it is false.",
  },
  next: { kind: "never" },
};

function conflictConclusion(winner: string, sameDesire: boolean | undefined): Conclusion {
  const message =
    `NorthflankDeployment ${winner} is older and manages the same target; nothing is sent for this one. Delete one of ` +
    "the two; this one takes over as soon as the other is gone.";
  const verdict = { kind: "stalled", reason: "TargetConflict", message } as const;
  // The deletion of the other wakes this object; this is the net below that.
  return { ...nothingLearned, verdict, next: { kind: "recheck", afterMs: 600_000 }, sameDesire };
}

function blockedConclusion(
  observation: Observation & { kind: "blocked" },
  sameDesire: boolean | undefined,
): Conclusion {
  const { verdict, recheckAfterMs } = observation;
  const next = { kind: "recheck", afterMs: recheckAfterMs } as const;
  return { ...nothingLearned, verdict, next, sameDesire };
}

function failedConclusion(input: DecideInput, { desire, error }: Observation & { kind: "failed" }): Conclusion {
  return remoteFailure({ ...input, desire, error });
}

/** What a refused or lost call comes to, be it a look or a change. */
export function remoteFailure(
  options: Pick<DecideInput, "object" | "now" | "random"> & Pick<Observation & { kind: "failed" }, "desire" | "error">,
): Conclusion {
  const { object, now, random, error, desire } = options;
  const judged = judgeRemoteFailure({ error, previous: object.status?.failure, now, random });
  return { ...nothingLearned, ...judged, sameDesire: isSameDesire(object, desire) };
}

function stalled(
  reason: "InvalidSpec" | "UnsupportedTarget",
  message: string,
  more: { readonly next?: NextPass; readonly stated?: StatedFields } = {},
): Conclusion {
  const { next = { kind: "recheck", afterMs: slowProbeMs }, stated = {} } = more;
  return { ...nothingLearned, verdict: { kind: "stalled", reason, message }, next, stated, sameDesire: false };
}

function jobTargetMessage(jobId: string): string {
  return (
    `This version does not change the image of a job (spec.jobId: ${jobId}); nothing is sent. Use the deployment ` +
    "override of a NorthflankJobRun for each run, or a service as target."
  );
}

/** Why the service cannot take what is declared; `undefined` when it can. */
function unsupportedReason({ service, desire }: Seen): string | undefined {
  if (service.serviceType === "build") {
    return `Service "${service.id}" is a build service: it builds and deploys nothing. Name a deployment service.`;
  }
  if (service.serviceType === "combined" && desire.body.external !== undefined) {
    return (
      `Service "${service.id}" is a combined service, which runs its own builds and takes no external image. Declare an ` +
      "internal source, or name a deployment service."
    );
  }
  return undefined;
}

// ---- shared pieces ----

function conclude(conclusion: Conclusion, sawDrift = false): Decision {
  return { kind: "conclude", conclusion, sawDrift };
}

function atLeastHourly(nextResyncMs: number): NextPass {
  return { kind: "recheck", afterMs: Math.min(nextResyncMs, slowProbeMs) };
}

function stateText({ rolloutStatus }: ServiceView): string {
  return rolloutStatus === undefined ? " (it tells no state)" : ` (${rolloutStatus.slice(0, 32)})`;
}

function tookText(since: string, now: number): string {
  const elapsedMs = now - Date.parse(since);
  return elapsedMs >= 0 ? `It took ${formatDuration(elapsedMs)}.` : "";
}

/** The newest change with its result; nothing when that is known, or when there was no change of ours. */
function headResult(object: NorthflankDeployment, result: "Complete" | "Failed" | "TimedOut"): StatedFields {
  const [head, ...rest] = object.status?.history ?? [];
  if (head === undefined || !mayBecome[result].includes(head.result)) return {};
  return { history: [{ ...head, result }, ...rest] };
}

/** From which results a change may go to another one. A rollout that failed or was late may complete after all. */
const mayBecome: Readonly<Record<"Complete" | "Failed" | "TimedOut", readonly string[]>> = {
  Complete: ["RollingOut", "Failed", "TimedOut"],
  Failed: ["RollingOut", "TimedOut"],
  TimedOut: ["RollingOut"],
};

/** The source that a service runs, in one line. */
export function imageText({ image, external, internal }: ServiceView): string | undefined {
  if (external !== undefined) return cut(image ?? external.imagePath, 512);
  return internal === undefined ? cut(image, 512) : cut(sourceText({ internal: present(internal) }), 512);
}

/** What was seen, as status shows it, cut to what the schema of the status takes. */
function observedFields(service: ServiceView): StatedFields {
  const { external, internal } = service;
  const source = present({
    kind:
      external !== undefined
        ? ("External" as const)
        : internal !== undefined
          ? ("Internal" as const)
          : ("None" as const),
    image: cut(external === undefined ? undefined : service.image, 512),
    credentials: cut(external?.credentials, 256),
    registryProvider: cut(external?.registryProvider, 128),
    id: cut(internal?.id, 256),
    branch: cut(internal?.branch, 256),
    buildSHA: cut(internal?.buildSHA, 64),
    buildId: cut(internal?.buildId, 128),
    deployedSHA: cut(internal?.deployedSHA, 64),
  });
  const observed = present({
    source,
    buildStatus: cut(service.buildStatus, 64),
    rolloutStatus: cut(service.rolloutStatus, 64),
    rolloutReason: cut(service.rolloutReason, 64),
    rolloutTransitionTime: timeText(service.rolloutTransitionTime),
    continuousDeploymentEnabled: service.disabledCD === undefined ? undefined : !service.disabledCD,
    servicePaused: service.servicePaused,
  });
  return { observed, image: imageText(service) };
}

function cut(text: string | undefined, maxLength: number): string | undefined {
  return text === undefined ? undefined : capped(text, maxLength);
}

/** A time as status takes it; what is no time is left out. Milliseconds stay: they tell two rollouts apart. */
export function timeText(text: string | undefined): string | undefined {
  const timeMs = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(timeMs) ? undefined : new Date(timeMs).toISOString();
}
