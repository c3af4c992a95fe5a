// pure

import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import { isRefusedForSure } from "../../northflank/answer.ts";
import { capped } from "../../runtime/conditions.ts";
import { assertNever } from "../../util/assert-never.ts";
import type { EventDraft } from "../reconcile/events.ts";
import type { PollPace } from "../reconcile/poll-plan.ts";
import { requeueAfter } from "../reconcile/requeue.ts";
import { notKeptRecord } from "../target/not-kept.ts";
import type { SentChange } from "../target/reconciler.ts";
import { targetUidFields } from "../target/recreated.ts";
import type { WriteResult } from "../target/send.ts";
import { recordNotStored } from "../target/status.ts";
import { changesAfter, changesAfterFailure, changesBefore } from "./changes.ts";
import { inSyncWith, judged } from "./decisions.ts";
import { rollingMessage, rolloutGoesOn } from "./in-sync.ts";
import { goodBefore } from "./last-good.ts";
import { limitOf, wantsRedeploy } from "./machine.ts";
import type { Change, Conclusion, Settings, StatedFields } from "./observation.ts";
import { partsOf, readBackMessage } from "./out-of-sync.ts";
import { jobRouteGoneMessage, remoteFailure, unsupportedConclusion } from "./preconditions.ts";
import { includedFields, redeployRecord, restartRefused } from "./redeploy.ts";
import { restoreRefused, restoreSent } from "./rollback.ts";
import { pollPlanOf, pollRollout } from "./rollout.ts";
import { imageText, observedFields } from "./target.ts";
import { withWarnings } from "./warnings.ts";

// ---- before it is sent ----

/**
 * The status that has to be stored before a change is sent, so that a program that dies in the call leaves no wrong
 * one; `undefined` where the one there is will do. The conditions stay: nothing is known yet.
 */
export function statusBefore(
  object: NorthflankDeployment,
  change: Change,
  now: number,
): NorthflankDeploymentStatus | undefined {
  const before = { observedGeneration: 0, ...object.status };
  if (change.cause === "PartResent")
    return { ...before, notKept: notKeptRecord(change.desire.hash, partsOf(change.differences), now) };
  const { redeploy } = change;
  if (redeploy === undefined) {
    const changes = changesBefore(object, change, now);
    return changes && { ...before, changes };
  }
  return { ...before, redeploy: redeployRecord({ ...change, redeploy }, "Pending", now) };
}

/** The field of status that has to be stored before the change is sent, and was not; `undefined`: it may be sent. */
function missingRecord({ status }: NorthflankDeployment, change: Change): "redeploy" | "notKept" | undefined {
  if (change.cause === "PartResent") return status?.notKept === undefined ? "notKept" : undefined;
  if (change.redeploy === undefined) return undefined;
  return status?.redeploy?.token === change.redeploy.token ? undefined : "redeploy";
}

/** The conclusion where the API server has not stored the record of a change; `undefined`: it may be sent. */
export function notRecorded(stored: NorthflankDeployment, change: Change): Conclusion | undefined {
  const field = missingRecord(stored, change);
  if (field === undefined) return undefined;
  const isSame = field === "redeploy";
  return {
    ...judged,
    ...recordNotStored(field),
    ...(isSame && { inSync: inSyncWith(change.desire) }),
    rolloutComplete: "as-before",
    stated: { [field]: undefined, pendingChanges: isSame ? undefined : change.differences },
  };
}

// ---- after it ----

interface SentDeployment extends Omit<SentChange<NorthflankDeployment, Change>, "stored"> {
  /** Milliseconds until the next check of an object at rest, spread; `Infinity`: never. */
  readonly nextResyncMs: number;
  /** How polls of the account are paced. Default: see {@link PollPlan}. */
  readonly pace?: PollPace | undefined;
  readonly settings: Settings;
}

/** The result of a change, by the answer of the API. */
export function concludeChange(options: SentDeployment): Conclusion {
  const { object, change, result, now, random } = options;
  const isRestore = change.cause === "RolledBack";
  switch (result.kind) {
    case "written":
      return withWarnings(
        isRestore
          ? restoreSent({ ...options, events: result.usedFallback ? [fallbackEvent] : [] })
          : writtenConclusion(options, result.usedFallback),
        { object, service: change.before },
      );
    case "route-gone": {
      const gone = routeGoneConclusion(object, change, result);
      return isRestore ? restoreRefused(object, gone) : gone;
    }
    case "failed": {
      const refusedRestart = restartRefused(object, change, { ...result, now });
      if (refusedRestart !== undefined) return refusedRestart;
      const failed = remoteFailure({ object, desire: change.desire, error: result.error, now, random });
      if (isRestore) return restoreRefused(object, failed);
      const isUnsent = change.cause === "PartResent" && isRefusedForSure(result.error);
      const isSame = change.cause === "Redeployed";
      const refused = {
        status: "False",
        reason: failed.readyState.reason,
        message: "The change was not accepted.",
      } as const;
      const inSync = isSame ? inSyncWith(change.desire) : refused;
      const changes = changesAfterFailure(object, change, { ...result, now });
      // Nothing was sent, so that it is to be sent still.
      const redeploy = isSame && isRefusedForSure(result.error) ? { redeploy: object.status?.redeploy } : {};
      const notKept = isUnsent ? { notKept: object.status?.notKept } : {};
      return {
        ...failed,
        inSync,
        stated: { pendingChanges: isSame ? undefined : change.differences, changes, ...notKept, ...redeploy },
      };
    }
    default:
      return assertNever(result, "result of a change");
  }
}

function writtenConclusion(options: SentDeployment, usedFallback: boolean): Conclusion {
  const { object, change, now, settings, nextResyncMs } = options;
  const { desire } = change;
  const common = {
    ...judged,
    inSync: inSyncWith(desire),
    stated: statedByChange(object, change, now),
    events: [appliedEvent(change), ...(usedFallback ? [fallbackEvent] : [])],
  } as const;
  if (object.spec.rollout?.wait === false) {
    const message = `Northflank accepted ${desire.source}; the rollout is not waited for (spec.rollout.wait is false).`;
    const rolloutComplete = { status: "Unknown", reason: "RollingOut", message: "Not waited for." } as const;
    const readyState = { kind: "ready", reason: "InSync", message } as const;
    return { ...common, readyState, rolloutComplete, next: requeueAfter(nextResyncMs) };
  }
  const timeoutMs = limitOf(object);
  // A job rolls nothing out, and a paused service not now: what it has is read back.
  if (change.before.kind === "job" || change.before.stop !== undefined) {
    const message = readBackMessage(desire);
    return {
      ...common,
      readyState: { kind: "progressing", reason: "ApplyingChange", message },
      rolloutComplete: { status: "Unknown", reason: "ApplyingChange", message: "Not read back yet." },
      next: { kind: "recheck", afterMs: Math.min(readBackMs, settings.rolloutPollIntervalMs) },
    };
  }
  const message = rollingMessage({ desire, isBuilding: false, endsMs: now + timeoutMs });
  return {
    ...common,
    readyState: { kind: "progressing", reason: "RollingOut", message },
    rolloutComplete: { status: "Unknown", reason: "RollingOut", message: rolloutGoesOn },
    next: pollRollout({ elapsedMs: 0, leftMs: timeoutMs }, pollPlanOf(options), settings),
  };
}

// A job takes a change at once, or never.
const readBackMs = 2_000;

function statedByChange(object: NorthflankDeployment, change: Change, now: number): StatedFields {
  const { desire, cause, before } = change;
  const isSameSource = cause === "PartResent" || cause === "Redeployed";
  const isSameSpec = object.status?.notKept?.specHash === desire.hash;
  const { external, internal } = desire.body;
  return {
    pendingChanges: undefined,
    observed: observedFields(before).observed,
    ...targetUidFields(before.uid),
    // Taken, if not seen yet: what shows while it is rolled out must not be the image before.
    ...(external === undefined && internal === undefined ? {} : { image: capped(desire.source, 512) }),
    changes: changesAfter(object, change, now),
    build: change.build,
    ...(change.redeploy === undefined
      ? wantsRedeploy(object) && includedFields(object, now)
      : { redeploy: redeployRecord({ ...change, redeploy: change.redeploy }, "Sent", now) }),
    notKept:
      cause === "PartResent"
        ? notKeptRecord(desire.hash, partsOf(change.differences), now)
        : isSameSpec
          ? object.status?.notKept
          : undefined,
    lastGood: isSameSource ? object.status?.lastGood : goodBefore(object, change, now),
  };
}

function appliedEvent(change: Change): EventDraft {
  return { type: "Normal", reason: "ChangeApplied", action: "Apply", note: appliedNote(change) };
}

function appliedNote({ desire, cause, before, differences, redeploy }: Change): string {
  if (redeploy !== undefined) {
    const isRestart = redeploy.call === "restart service";
    const done = isRestart ? "Restarted the service" : `Sent ${desire.source} again`;
    return `${done}, because spec.redeployToken has a new value.`;
  }
  if (cause === "PartResent") {
    const names = differences.slice(0, 3).map(({ path }) => path);
    return `Sent ${names.join(", ")} once more, alone: Northflank accepted it with the rest and did not keep it.`;
  }
  const from = imageText(before);
  const why = cause === "SpecChanged" ? "as declared" : "because it had been changed elsewhere";
  const { external, internal } = desire.body;
  return external === undefined && internal === undefined
    ? `Set the command and entrypoint ${why}; the source is unchanged.`
    : `Set the source to ${desire.source} ${why}${from === undefined ? "" : ` (it was ${from})`}.`;
}

const fallbackEvent: EventDraft = {
  type: "Warning",
  reason: "FallbackUsed",
  action: "Apply",
  note:
    "The route that updates a deployment is gone; the service was patched instead, with the number of instances that was " +
    "read just before. A change of scale made in that moment may have been undone.",
};

function routeGoneConclusion(
  object: NorthflankDeployment,
  change: Change,
  { error }: WriteResult & { kind: "route-gone" },
): Conclusion {
  const message =
    change.before.kind === "job"
      ? jobRouteGoneMessage(error)
      : `The service can be read, but not changed: ${error.statement}. Neither the deployment route nor the ` +
        "patch of the service takes the change; use a newer version of the operator.";
  const inSync = { status: "False", reason: "UnsupportedTarget", message: "The change was not accepted." } as const;
  const stated = { pendingChanges: change.differences, changes: object.status?.changes };
  return { ...unsupportedConclusion(message, stated), inSync };
}
