// pure

import { requeueAfter } from "../reconcile/requeue.ts";
import { ageOf } from "./ages.ts";
import type { Conclusion } from "./conclusion.ts";
import type { DecideInput, Seen } from "./decision.ts";
import { type ChangeNews, isUnfinished, recordOf, wasSent } from "./machine.ts";
import { timeText } from "./observed-fields.ts";
import type { SameBase } from "./rolling.ts";
import type { TargetView } from "./target-view.ts";

/*
 * A service that is paused, or has no instances. It keeps its source and takes another one, and nothing is rolled out:
 *
 *     paused, as declared  --> Ready (ServicePaused), polled like a settled service
 *     paused, different    --> the change is sent, read back, and Ready (ServicePaused)
 *     resumed              --> the rollout is followed from its first look; its limit counts from then
 *
 * What was seen of the rollout while the service was paused says nothing about the one that follows. Northflank may say
 * shortly after a change that it is complete, though nothing runs: so a change is looked at once more.
 */

/** When a change to a paused service is looked at once more, in milliseconds after it was sent. */
const secondLookMs = 120_000;

/** What was seen of the pause, in a sentence. */
export function pauseText({ pausedByInstances }: Pick<TargetView, "pausedByInstances">): string {
  return pausedByInstances
    ? "The service has no instances (deployment.instances is 0): it is paused in Northflank, or scaled to zero."
    : "The service is paused in Northflank (servicePaused is true).";
}

/** The service has what is declared, and runs nothing. */
export function pausedConclusion(input: DecideInput, seen: Seen, base: SameBase): Conclusion {
  const { desire, service } = seen;
  const { change } = base.found;
  const isToCome = wasSent(change) && (change.phase === "TimedOut" || isUnfinished(change));
  const before = change?.phase === "Failed" ? " Its last rollout failed." : "";
  const message = `Northflank has ${desire.source}. ${pauseText(service)} It starts when the service is resumed.${before}`;
  return {
    ...base,
    verdict: { kind: "ready", reason: "ServicePaused", message },
    rolloutComplete: {
      status: "Unknown",
      reason: "ServicePaused",
      message: "Nothing is rolled out: the service is paused.",
    },
    stated: {
      ...base.stated,
      ...recordOf(base.found, "paused", isToCome ? newsWhilePaused(service) : {}),
    },
    next: requeueAfter(isToCome ? Math.min(seen.nextResyncMs, secondLookInMs(input, change.time)) : seen.nextResyncMs),
  };
}

/** Only what Northflank says after the resume speaks about this change. */
export function newsWhilePaused({ rolloutTransitionTime }: Pick<TargetView, "rolloutTransitionTime">): ChangeNews {
  const previousTransitionTime = timeText(rolloutTransitionTime);
  return previousTransitionTime === undefined ? {} : { previousTransitionTime };
}

function secondLookInMs(input: DecideInput, sentTime: string | undefined): number {
  const leftMs = secondLookMs - ageOf(input, sentTime).elapsedMs;
  return leftMs > 0 ? leftMs : Number.POSITIVE_INFINITY;
}
