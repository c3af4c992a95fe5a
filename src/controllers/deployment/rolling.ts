// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { ServiceView } from "../../northflank/types.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { formatDuration } from "../../util/duration.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeMoreRarely, type Requeue, requeueAfter } from "../reconcile/requeue.ts";
import { isAcknowledged } from "../target/object.ts";
import { ageOf, isOver, leftMs } from "./ages.ts";
import { followsLatest } from "./build.ts";
import type { Conclusion, StatedFields } from "./conclusion.ts";
import type { DecideInput, Seen, Settings } from "./decision.ts";
import type { Desire } from "./desired.ts";
import { type ChangeRecord, type Found, recordOf, sinceOf, wasSent } from "./machine.ts";
import { buildStates, hasMovedSince, rolloutTimeoutMs } from "./rollout.ts";

/** What a conclusion about a target that has what is declared has in common, wherever its rollout is. */
export type SameBase = Pick<Conclusion, "sameDesire" | "inSync" | "failure" | "events" | "stated"> & {
  readonly found: Found;
};

/** The rollout of what is declared is not over: under way, or late. */
export function rollingConclusion(
  input: DecideInput,
  seen: Seen,
  base: SameBase,
  rollout: { readonly isBuilding: boolean },
): Conclusion {
  const { object, now, settings } = input;
  const timeoutMs = rolloutTimeoutMs(object);
  const since = rollingSince(input, seen, base);
  const sinceMs = since === undefined ? now : Date.parse(since);
  const age = ageOf(input, since ?? formatTime(now));
  const { elapsedMs } = age;
  if (isOver(age, timeoutMs) || isKnownLate(object, seen.desire)) {
    const isAtRest = hasBegunNone(seen, base.found.change) && seen.service.rolloutStatus === "COMPLETED";
    // Who follows the latest build waits for a rollout that has to come.
    if (isAtRest && !followsLatest(seen.desire)) return unrolledConclusion(input, seen, base);
    return timedOutConclusion(input, seen, base, { elapsedMs, timeoutMs });
  }
  const { isBuilding } = rollout;
  const reason = isBuilding ? "Building" : "RollingOut";
  return {
    ...base,
    verdict: {
      kind: "progressing",
      reason,
      message: rollingMessage({ object, desire: seen.desire, isBuilding, sinceMs }),
    },
    rolloutComplete: { status: "Unknown", reason, message: rolloutGoesOn },
    stated: {
      ...(wasSeenRolling(object, seen, isBuilding) ? withoutSeen(base.stated) : base.stated),
      ...recordOf(base.found, "rolling"),
    },
    next: pollAfter(pollPauseMs(elapsedMs, leftMs(age, timeoutMs), settings), settings),
  };
}

/** What Ready says while a change of a job is read back. */
export function readBackMessage({ source }: Desire): string {
  return `Northflank accepted ${source}; it is read back before this is Ready.`;
}

/** What RolloutComplete says from the change to the end of the rollout. */
export const rolloutGoesOn = "The rollout is not over.";

/** The same from the change to the end of the rollout, so that a look that finds it going on writes nothing. */
export function rollingMessage(options: {
  readonly object: NorthflankDeployment;
  readonly desire: Desire;
  readonly isBuilding: boolean;
  readonly sinceMs: number;
}): string {
  const timeoutMs = rolloutTimeoutMs(options.object);
  const doing = options.isBuilding ? "is building" : "is rolling out";
  return `Northflank ${doing} ${options.desire.source}. It times out at ${formatTime(options.sinceMs + timeoutMs)}.`;
}

/** What is seen between the change and its end is not worth a write: the end is. */
function withoutSeen({ observed: _observed, image: _image, ...rest }: StatedFields): StatedFields {
  return rest;
}

/** Northflank has taken the change, shows it, and still shows the end of the rollout before it. */
export function hasBegunNone({ service }: Pick<Seen, "service">, change: ChangeRecord | undefined): boolean {
  const isOver = service.rolloutStatus === "COMPLETED" || service.rolloutStatus === "FAILED";
  return isOver && hasMovedSince(service.rolloutTransitionTime, change) === false;
}

/** There are changes for which nothing is rolled out, such as other credentials: the last rollout is the one that counts. */
function unrolledConclusion({ object }: DecideInput, seen: Seen, base: SameBase): Conclusion {
  const timeoutMs = rolloutTimeoutMs(object);
  const message =
    `Northflank has ${seen.desire.source} and began no rollout for it within ${formatDuration(timeoutMs)}; the last ` +
    "rollout is complete.";
  return {
    ...base,
    verdict: {
      kind: "ready",
      reason: object.spec.managementPolicy === "Observe" ? "Observed" : "RolloutComplete",
      message,
    },
    rolloutComplete: { status: "True", reason: "RolloutComplete", message: "The last rollout is complete." },
    stated: {
      ...base.stated,
      ...withoutEffect(object),
      // The state that is shown speaks about this change from now on.
      ...recordOf(base.found, "complete", { previousTransitionTime: undefined }),
    },
    next: requeueAfter(seen.nextResyncMs),
  };
}

/** A redeploy for which nothing was rolled out is none, and says so for as long as it is the newest change. */
function withoutEffect({ status }: NorthflankDeployment): StatedFields {
  const { redeploy, changes } = status ?? {};
  if (redeploy?.outcome !== "Sent" || changes?.[0]?.cause !== "Redeployed") return {};
  return { redeploy: { ...redeploy, outcome: "WithoutEffect" } };
}

function timedOutConclusion(
  input: DecideInput,
  seen: Seen,
  base: SameBase,
  times: { readonly elapsedMs: number; readonly timeoutMs: number },
): Conclusion {
  const message =
    `Northflank has ${seen.desire.source}, but its rollout was not complete within ${formatDuration(times.timeoutMs)}` +
    `${stateText(seen.service)}. See the containers of the service in Northflank. The object becomes Ready if the ` +
    "rollout completes.";
  return {
    ...base,
    verdict: { kind: "stalled", reason: "RolloutTimedOut", message },
    rolloutComplete: { status: "False", reason: "RolloutTimedOut", message: "Not complete in time." },
    stated: { ...base.stated, ...recordOf(base.found, "late") },
    next: probeMoreRarely(times.elapsedMs, [firstLateProbeMs, slowProbeMs], input.random),
  };
}

// The first probe after a rollout was late.
const firstLateProbeMs = 300_000;

/** When the rollout began that is waited for: our change, else when it was first seen not to be complete. */
function rollingSince({ object }: DecideInput, { desire }: Seen, { stated, found }: SameBase): string | undefined {
  const since = sinceOf(object, desire, "RollingOut", "RolloutTimedOut");
  if (since === undefined || !wasSent(found.change)) return since;
  // Who follows the latest build waits for one first: that is no part of the rollout.
  const built = followsLatest(desire) && stated.build?.outcome === "Succeeded" ? stated.build.time : undefined;
  return built !== undefined && Date.parse(built) > Date.parse(since) ? built : since;
}

/** The last look found the same: nothing of it is news. */
function wasSeenRolling(object: NorthflankDeployment, { desire }: Seen, isBuilding: boolean): boolean {
  if (!isAcknowledged(object) || sinceOf(object, desire, "RollingOut") === undefined) return false;
  return isBuilding === buildStates.has(object.status?.observed?.buildStatus ?? "");
}

/** What was late stays late until it ends: a probe must not make it look under way again. */
function isKnownLate(object: NorthflankDeployment, desire: Desire): boolean {
  return sinceOf(object, desire, "RolloutTimedOut") !== undefined;
}

// The longest pause between two looks at a rollout.
const longestPollMs = 60_000;

// What is left until a deadline may be less than a millisecond: never at once.
const shortestPollMs = 100;

/** Grows with the time a rollout has taken, so that a long one costs few requests; never past its deadline. */
export function pollPauseMs(elapsedMs: number, leftMs: number, settings: Settings): number {
  const { rolloutPollIntervalMs } = settings;
  const growing = Math.min(
    Math.max(rolloutPollIntervalMs, elapsedMs / 4),
    Math.max(longestPollMs, rolloutPollIntervalMs),
  );
  return Math.max(shortestPollMs, Math.round(Math.min(growing, leftMs)));
}

/** The next poll of a rollout. */
export function pollAfter(afterMs: number, { rolloutPollIntervalMs: firstMs }: Settings): Requeue {
  return { kind: "recheck", afterMs, pause: { everyMs: [firstMs, Math.max(firstMs, longestPollMs)] } };
}

function stateText({ rolloutStatus }: ServiceView): string {
  return rolloutStatus === undefined ? " (no state returned)" : ` (${rolloutStatus.slice(0, 32)})`;
}
