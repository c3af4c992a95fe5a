// pure
import type { NorthflankJob } from "../../api/job.ts";
import { isRefusedForSure } from "../../northflank/answer.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import type { JobPatchRoute } from "../../northflank/types.ts";
import { assertNever } from "../../util/assert-never.ts";
import type { EventDraft } from "../reconcile/events.ts";
import { judgeRemoteFailure } from "../reconcile/remote-failure.ts";
import { requeueAfter } from "../reconcile/requeue.ts";
import { notKeptRecord } from "../target/not-kept.ts";
import type { SentChange } from "../target/reconciler.ts";
import type { WriteResult } from "../target/send.ts";
import { certainWhileSending, replacesUntold } from "./diff.ts";
import { inSyncMessage, namesText, owned, releasedEvents } from "./in-sync.ts";
import { isSameDesire, withChange } from "./machine.ts";
import type { Change } from "./observation.ts";
import { acceptedClaims, partsOf, unsupportedConclusion } from "./out-of-sync.ts";
import { type Conclusion, pendingFields, type StatedFields, seenFields } from "./status.ts";

const calls: Readonly<Record<JobPatchRoute, string>> = {
  job: "patch job",
  manual: "patch manual job",
  cron: "patch cron job",
};

/** What a change has come to, by what the API answered. */
export function concludeChange(sent: SentChange<NorthflankJob, Change>): Conclusion {
  const { stored: object, change, result, now, random } = sent;
  // What status held before the sending was recorded.
  const before = sent.object.status;
  const pending = { ...seenFields(change.seen), ...pendingFields(change.differences) };
  switch (result.kind) {
    case "written":
      return writtenConclusion({ object, change, now }, result);
    case "route-gone":
      return {
        ...unsupportedConclusion(routeGoneMessage(result.error), change.seen),
        stated: { ...pending, changes: before?.changes },
      };
    case "failed": {
      const judged = judgeRemoteFailure({ error: result.error, previous: object.status?.failure, now, random });
      const message = "The change was not accepted.";
      const inSync = { status: "False", reason: judged.readyState.reason, message } as const;
      const stated = isRefused(result.error)
        ? pending
        : { ...pending, applied: certainWhileSending(change.seen.desire, object.status?.applied) };
      // What was not sent is to be sent still.
      const isUnsent = isRefusedForSure(result.error);
      const isPart = change.cause === "PartResent" && isUnsent;
      const record = isUnsent ? { changes: before?.changes, ...(isPart ? { notKept: before?.notKept } : {}) } : {};
      return {
        ...judged,
        inSync: isPart ? "as-before" : inSync,
        stated: { ...stated, ...record },
        events: [],
        sameDesire: isSameDesire(object),
      };
    }
    default:
      return assertNever(result, "result of a change");
  }
}

/**
 * What has to be in status before a change is sent, so that neither a lost answer nor the end of this process lets a
 * value that Northflank does not return be taken for another one; `undefined` where nothing has to.
 */
export function intentConclusion(object: NorthflankJob, change: Change, now: number): Conclusion | undefined {
  const { seen, unsent, cause, differences } = change;
  const before = object.status?.applied;
  const isResent = cause === "PartResent";
  if (!isResent && !replacesUntold(before, unsent)) return undefined;
  const message = isResent
    ? `Settings that Northflank did not keep are being sent once more, alone: ${pathsText(differences)}.`
    : `Settings that Northflank does not return are being sent: ${pathsText(unsent)}.`;
  const record = isResent
    ? { notKept: notKeptRecord(seen.desire.specHash, partsOf(differences), now) }
    : { applied: certainWhileSending(seen.desire, before) };
  return {
    readyState: { kind: "progressing", reason: "ApplyingChange", message },
    inSync: { status: "Unknown", reason: "ApplyingChange", message },
    stated: { ...seenFields(seen), ...record, changes: withChange(object, change, { phase: "Sending", now }) },
    failure: object.status?.failure,
    next: { kind: "again" },
    events: [],
    sameDesire: undefined,
  };
}

function pathsText(differences: Change["differences"]): string {
  return namesText(differences.map(({ path }) => path));
}

/** An answer, and one that is sure: without one, an earlier try may have arrived. */
function isRefused(error: NorthflankError): boolean {
  return error.httpStatus !== undefined && isRefusedForSure(error);
}

interface Written {
  readonly object: NorthflankJob;
  readonly change: Change;
  readonly now: number;
}

function writtenConclusion(options: Written, result: WriteResult & { readonly kind: "written" }): Conclusion {
  const { object, change } = options;
  const { seen, released, untold, isShown } = change;
  const { call: usual, fallback = usual } = change;
  const { route } = result.usedFallback ? fallback : usual;
  const call = calls[route];
  const message = inSyncMessage(seen, untold);
  const claims: Pick<Conclusion, "readyState" | "inSync" | "next"> = {
    readyState: { kind: "ready", reason: "InSync", message },
    inSync: { status: "True", reason: "InSync", message },
    next: requeueAfter(seen.nextResyncMs),
  };
  return {
    ...(isShown ? acceptedClaims : claims),
    failure: undefined,
    sameDesire: true,
    stated: { ...seenFields(seen), ...statedByChange(options, call) },
    events: [
      appliedEvent(change),
      ...(result.usedFallback ? [fallbackEvent(calls[usual.route], call)] : []),
      ...(route === "job" || isKnownCall(object, call) ? [] : [deprecatedEvent(call)]),
      ...releasedEvents(released),
    ],
  };
}

function statedByChange({ object, change, now }: Written, call: string): StatedFields {
  const { cause, seen, released, isShown } = change;
  const isSameSpec = object.status?.notKept?.specHash === seen.desire.specHash;
  return {
    ...owned({ object, now }, seen, released),
    pendingChanges: undefined,
    notKept: cause === "PartResent" || isSameSpec ? object.status?.notKept : undefined,
    changes: withChange(object, change, { phase: isShown ? "ReadingBack" : "InForce", call, now }),
  };
}

/** Said once per object and call: the changes remember it. */
function isKnownCall({ status }: NorthflankJob, call: string): boolean {
  return (status?.changes ?? []).some((entry) => entry.call === call);
}

const reasonsToWrite: Readonly<Record<Change["cause"], string>> = {
  SpecChanged: "as declared",
  SourceChanged:
    "because a Secret or ConfigMap that is referred to changed, the key of the hashes did, or an answer was lost",
  DriftCorrected: "because they had been changed elsewhere",
  PartResent: "once more and alone, because Northflank accepted them with the rest and did not keep them",
};

function appliedEvent({ differences, cause }: Change): EventDraft {
  const what = cause === "PartResent" ? "Sent settings" : "Sent the declared settings,";
  const note = `${what} ${reasonsToWrite[cause]}: ${pathsText(differences)}.`;
  return { type: "Normal", reason: "ChangeApplied", action: "Apply", note };
}

function fallbackEvent(usual: string, used: string): EventDraft {
  const note = `The call "${usual}" is gone at Northflank; "${used}" carried the settings instead.`;
  return { type: "Warning", reason: "FallbackUsed", action: "Apply", note };
}

function deprecatedEvent(call: string): EventDraft {
  const note =
    `The settings were sent by "${call}", which Northflank has deprecated. Set spec.jobType to any for the call that ` +
    "replaces it.";
  return { type: "Warning", reason: "DeprecatedRoute", action: "Apply", note };
}

function routeGoneMessage({ statement }: NorthflankError): string {
  return (
    `The job can be read, but not changed: ${statement}. No call that patches a job takes the settings; use a newer ` +
    "version of the operator."
  );
}
