// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import { capped } from "../../runtime/conditions.ts";
import { assertNever } from "../../util/assert-never.ts";
import { formatDuration } from "../../util/duration.ts";
import { imageToSend } from "../../util/image-reference.ts";
import type { EventDraft } from "../reconcile/events.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeAround, requeueAfter } from "../reconcile/requeue.ts";
import { ageOf } from "./ages.ts";
import { followsLatest } from "./build.ts";
import { buildHold, buildWhenSame } from "./build-wait.ts";
import type { Conclusion } from "./conclusion.ts";
import type { DecideInput, Seen } from "./decision.ts";
import { gradualConclusion } from "./gradual.ts";
import { unverifiedFields } from "./last-good.ts";
import { type ChangeRecord, foundAsDeclared, recordOf, sinceOf, wasAtRest, wasSent } from "./machine.ts";
import { imageText, observedFields } from "./observed-fields.ts";
import { pausedConclusion } from "./paused.ts";
import { rollingConclusion, type SameBase } from "./rolling.ts";
import { judgeRollout } from "./rollout.ts";
import type { TargetView } from "./target-view.ts";

/** The target has what is declared: how far its rollout is, and what of it was neither sent nor read back. */
export function sameConclusion(input: DecideInput, seen: Seen): Conclusion {
  const same = rolloutConclusion(input, seen);
  const unverified = unverifiedFields(input.object, seen);
  if (unverified.length === 0 || same.inSync === "as-before") return same;
  const note =
    ` Not verified: Northflank does not return ${unverified.slice(0, 3).join(", ")} in full, and the operator has not ` +
    "sent it.";
  const { verdict, inSync } = same;
  return {
    ...same,
    verdict: verdict.kind === "ready" ? { ...verdict, message: `${verdict.message}${note}` } : verdict,
    inSync: { ...inSync, message: `${inSync.message}${note}` },
  };
}

function rolloutConclusion(input: DecideInput, seen: Seen): Conclusion {
  const { object } = input;
  const { desire, service } = seen;
  const found = foundAsDeclared(input, seen, transitionBefore(object, seen));
  const { change } = found;
  const wasComplete = change?.phase === "Complete" && wasAtRest(object);
  const wasGradual = sinceOf(object, desire, "AwaitingPromotion") !== undefined;
  const { elapsedMs } = ageOf(input, change?.time);
  const rollout = judgeRollout({ service, change, wasComplete, wasGradual, elapsedMs });
  const base = {
    sameDesire: true,
    inSync: { status: "True", reason: "InSync", message: `Northflank has ${desire.source}.` },
    failure: undefined,
    events: resumedEvents(object, service),
    stated: {
      ...observedFields(service),
      image: imageInSync(seen),
      build: buildWhenSame(input, seen),
      pendingChanges: undefined,
      notKept: undefined,
    },
    found,
  } as const;
  if (service.servicePaused) return pausedConclusion(input, seen, base);
  if (service.kind === "job") return jobConclusion(input, seen, base);
  if (object.spec.rollout?.wait === false) return notWaiting(input, seen, base, rollout.kind);
  switch (rollout.kind) {
    case "complete":
      return completeConclusion(input, seen, base);
    case "failed":
      return rolloutFailedConclusion(input, seen, base);
    case "gradual":
      return gradualConclusion(input, seen, base);
    case "rolling":
      return withoutBuild(input, seen, base) ?? rollingConclusion(input, seen, base, rollout);
    default:
      return assertNever(rollout, "rollout");
  }
}

/** What Northflank has, with the declared tag that the digest was built as: Northflank is sent the digest alone. */
function imageInSync({ desire, service }: Seen): string | undefined {
  const { tag, digest } = desire.image ?? {};
  return tag === undefined || digest === undefined ? imageText(service) : capped(desire.source, 512);
}

/** Said once: what follows is the rollout of a service that ran nothing when it was last read. */
function resumedEvents(object: NorthflankDeployment, service: TargetView): readonly EventDraft[] {
  if (object.status?.observed?.servicePaused !== true || service.servicePaused) return [];
  const isOurs = object.status.changes?.[0]?.phase === "RollingOut";
  const why = isOurs ? "The service is not paused any more since the change was sent." : "The service was resumed.";
  const note = `${why} The rollout is followed.`;
  return [{ type: "Normal", reason: "ServiceResumed", action: "Observe", note }];
}

/** The state of the rollout when another source was last seen; `undefined` where this one was there before. */
function transitionBefore({ status }: NorthflankDeployment, { service }: Seen): string | undefined {
  const hasMoved =
    status?.observed !== undefined && imageToSend(status.image ?? "") !== imageToSend(imageText(service) ?? "");
  return hasMoved ? status.observed?.rolloutTransitionTime : undefined;
}

/** What a job runs next is all there is to it: nothing is rolled out. */
function jobConclusion({ object }: DecideInput, seen: Seen, base: SameBase): Conclusion {
  const reason = object.spec.managementPolicy === "Observe" ? "Observed" : "InSync";
  const message = `Northflank has ${seen.desire.source}: the next run of the job uses it.`;
  return {
    ...base,
    verdict: { kind: "ready", reason, message },
    rolloutComplete: { status: "True", reason: "RolloutComplete", message: "A job has no rollout." },
    stated: { ...base.stated, ...recordOf(base.found, "complete") },
    next: requeueAfter(seen.nextResyncMs),
  };
}

/** Nothing is rolled out, because there is nothing built that could be. */
function withoutBuild(input: DecideInput, seen: Seen, base: SameBase): Conclusion | undefined {
  const hold = followsLatest(seen.desire) ? buildHold(input, seen) : undefined;
  if (hold === undefined) return undefined;
  const { verdict, next } = hold;
  const rolloutComplete = {
    status: "Unknown",
    reason: verdict.reason,
    message: "There is no build to roll out.",
  } as const;
  return { ...base, verdict, next, rolloutComplete, stated: { ...base.stated, ...recordOf(base.found, "rolling") } };
}

function completeConclusion(input: DecideInput, seen: Seen, base: SameBase): Conclusion {
  const { object } = input;
  const { desire, nextResyncMs } = seen;
  const reason = object.spec.managementPolicy === "Observe" ? "Observed" : "RolloutComplete";
  const message = `Northflank has ${desire.source}, and the rollout is complete.`;
  const { change } = base.found;
  const isNews = wasSent(change) && change.phase !== "Complete";
  return {
    ...base,
    verdict: { kind: "ready", reason, message },
    rolloutComplete: { status: "True", reason: "RolloutComplete", message: "The rollout is complete." },
    stated: { ...base.stated, ...recordOf(base.found, "complete") },
    next: requeueAfter(nextResyncMs),
    events: isNews
      ? [
          ...base.events,
          {
            type: "Normal",
            reason: "RolloutComplete",
            action: "Observe",
            note: wasPaused(change)
              ? message
              : `${message} It took ${formatDuration(ageOf(input, change.time).elapsedMs)}.`,
          },
        ]
      : base.events,
  };
}

/** It was not under way all the time since it was sent: how long it took says nothing. */
function wasPaused({ phase, since, time }: ChangeRecord): boolean {
  return phase === "Paused" || (phase === "RollingOut" && since !== time);
}

function notWaiting(_input: DecideInput, seen: Seen, base: SameBase, rollout: string): Conclusion {
  const message = `Northflank has ${seen.desire.source}; the rollout is not waited for (spec.rollout.wait is false).`;
  const isComplete = rollout === "complete";
  const progress = rollout === "complete" || rollout === "failed" ? rollout : "rolling";
  return {
    ...base,
    verdict: { kind: "ready", reason: "InSync", message },
    rolloutComplete: isComplete
      ? { status: "True", reason: "RolloutComplete", message: "The rollout is complete." }
      : { status: "Unknown", reason: "RollingOut", message: "Not waited for." },
    stated: { ...base.stated, ...recordOf(base.found, progress) },
    next: requeueAfter(seen.nextResyncMs),
  };
}

function rolloutFailedConclusion({ random }: DecideInput, seen: Seen, base: SameBase): Conclusion {
  const message =
    `Northflank has ${seen.desire.source}, but its rollout failed. See the containers and logs of the service in ` +
    "Northflank; change the source, or fix the cause.";
  return {
    ...base,
    verdict: { kind: "stalled", reason: "RolloutFailed", message },
    rolloutComplete: { status: "False", reason: "RolloutFailed", message: "Northflank says that the rollout failed." },
    stated: { ...base.stated, ...recordOf(base.found, "failed") },
    next: probeAround(slowProbeMs, random),
  };
}
