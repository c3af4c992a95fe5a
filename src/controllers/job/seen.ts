// pure
import { capped, formatTime } from "../../runtime/conditions.ts";
import { notAtOnce } from "../../util/backoff.ts";
import type { EventDraft } from "../reconcile/events.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { requeueAfter } from "../reconcile/requeue.ts";
import { fightCorrections } from "../target/drift.ts";
import { targetUidFields } from "../target/same-target.ts";
import type { DecideInput } from "./decision.ts";
import type { Comparison, Difference } from "./diff.ts";
import { withConfirmation, withFightFound } from "./machine.ts";
import type { Seen } from "./observation.ts";
import type { Conclusion, StatedFields } from "./status.ts";

// As many as the schema of the status takes.
const mostPending = 32;
const mostReleased = 100;

/** Northflank has what is declared, as far as it tells; what is owned from now on is remembered. */
export function inSyncConclusion(input: DecideInput, seen: Seen, comparison: Comparison): Conclusion {
  const { object, now } = input;
  const { released } = comparison;
  const isObserving = object.spec.managementPolicy === "Observe";
  const isUnknown = isObserving && !comparison.canTell && comparison.untold > 0;
  const message = inSyncMessage(seen, comparison.untold, isUnknown);
  return {
    verdict: { kind: "ready", reason: isObserving ? "Observed" : "InSync", message },
    inSync: isUnknown
      ? { status: "Unknown", reason: "Observed", message }
      : { status: "True", reason: "InSync", message },
    failure: undefined,
    next: requeueAfter(seen.nextResyncMs),
    sameDesire: true,
    stated: {
      ...seenFields(seen),
      pendingChanges: undefined,
      notKept: undefined,
      changes: withConfirmation(object, now),
      ...(isObserving ? {} : owned(input, seen, released)),
    },
    events: isObserving ? [] : releasedEvents(released),
  };
}

/** There is a difference, and the policy says not to write. What is declared no more is let go all the same. */
export function driftConclusion(
  input: DecideInput,
  seen: Seen,
  { pending, released }: { readonly pending: readonly Difference[]; readonly released: readonly string[] },
): Conclusion {
  const isObserving = input.object.spec.managementPolicy === "Observe";
  const why = isObserving
    ? "managementPolicy is Observe: nothing is written"
    : "managementPolicy is EnforceOnChange and nothing that is declared has changed: nothing is written";
  const message = `Northflank differs from what is declared: ${differencesText(pending)}. ${why}.`;
  const base = different(seen, pending);
  return {
    ...base,
    ...(isObserving
      ? {}
      : { stated: { ...base.stated, ...owned(input, seen, released) }, events: releasedEvents(released) }),
    verdict: { kind: "ready", reason: "DriftObserved", message },
    inSync: { status: "False", reason: "DriftObserved", message },
    next: requeueAfter(seen.nextResyncMs),
  };
}

// A job takes a change at once, or never.
const readBackMs = 2_000;

/** What a change comes to that Northflank has accepted, and that can be seen: nothing is known before it is. */
export const acceptedClaims: Pick<Conclusion, "verdict" | "inSync" | "next"> = {
  verdict: {
    kind: "progressing",
    reason: "ApplyingChange",
    message: "Northflank accepted the settings; they are read back before this is Ready.",
  },
  inSync: { status: "Unknown", reason: "ApplyingChange", message: "Not read back yet." },
  next: { kind: "recheck", afterMs: readBackMs },
};

/** The change was accepted, and Northflank still tells something else. */
export function readBackConclusion(
  seen: Seen,
  pending: readonly Difference[],
  { leftMs, elapsedMs }: { readonly leftMs: number; readonly elapsedMs: number },
): Conclusion {
  const afterMs = notAtOnce(Math.min(Math.max(readBackMs, elapsedMs), leftMs));
  return { ...different(seen, pending), ...acceptedClaims, next: { kind: "recheck", afterMs } };
}

/** There is a difference again, because somebody else changes the job back. */
export function fightConclusion({ object, now }: DecideInput, seen: Seen, pending: readonly Difference[]): Conclusion {
  const message =
    `Another client keeps changing the job back: ${differencesText(pending)}. The operator corrected it ` +
    `${fightCorrections} times in a row and stops writing. Find the other client (a pipeline, a template), or take the ` +
    "setting out of the manifest; then change the spec or request a reconcile: each request sends it once more, at most " +
    "every 10m.";
  const base = different(seen, pending);
  return {
    ...base,
    stated: { ...base.stated, changes: withFightFound(object, now) },
    verdict: { kind: "stalled", reason: "FightDetected", message },
    inSync: { status: "False", reason: "FightDetected", message },
    next: { kind: "recheck", afterMs: Math.min(seen.nextResyncMs, slowProbeMs), pause: { withinMs: slowProbeMs } },
  };
}

/** Settings with the first few differences, for messages. */
export function differencesText(pending: readonly Difference[]): string {
  const shown = pending.slice(0, 3).map(({ path, from, to }) => {
    if (to === undefined) return `${path} is not what was last sent`;
    return from === undefined ? `${path} was not sent yet` : `${path} is ${from}, declared is ${to}`;
  });
  return `${shown.join("; ")}${pending.length > 3 ? `; and ${pending.length - 3} more` : ""}`;
}

/** What this object owns from now on, and what it lets go. Nothing new is said while nothing changes. */
export function owned(
  { object, now }: Pick<DecideInput, "object" | "now">,
  { desire }: Seen,
  released: readonly string[],
): StatedFields {
  const generation = object.metadata.generation ?? 0;
  const { keyId, specHash, sourcesId } = desire;
  const settings = desire.leaves.map(({ path, hash }) => ({ path, hash }));
  const before = object.status?.applied;
  const isSame =
    before?.specHash === specHash &&
    before.keyId === keyId &&
    before.sourcesId === sourcesId &&
    before.settings?.length === settings.length &&
    settings.every(({ path, hash }, index) => {
      const known = before.settings?.[index];
      return known?.path === path && known.hash === hash;
    });
  const time = formatTime(now);
  return {
    applied: isSame
      ? before
      : { generation, specHash, time, keyId, ...(sourcesId === undefined ? {} : { sourcesId }), settings },
    ...(released.length === 0 ? {} : { released: { generation, time, settings: released.slice(0, mostReleased) } }),
  };
}

/** Says what is no longer managed. */
export function releasedEvents(released: readonly string[]): readonly EventDraft[] {
  if (released.length === 0) return [];
  const note =
    `No longer managed, because they were removed from the manifest: ${namesText(released)}. They keep the values that ` +
    "they have in Northflank.";
  return [{ type: "Normal", reason: "SettingsReleased", action: "Release", note }];
}

/** Names, the first few. */
export function namesText(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => capped(name, 100));
  return `${shown.join(", ")}${names.length > 5 ? `, and ${names.length - 5} more` : ""}`;
}

/** What was seen, as status shows it. */
export function seenFields({ view }: Seen): StatedFields {
  const jobType = view.jobType === undefined ? undefined : capped(view.jobType, 64);
  return { jobType, ...targetUidFields(view.uid) };
}

/** Differences as status takes them. */
export function pendingFields(pending: readonly Difference[]): Pick<StatedFields, "pendingChanges"> {
  return { pendingChanges: pending.slice(0, mostPending) };
}

/** What a conclusion about a job that differs has in common. */
export function different(
  seen: Seen,
  pending: readonly Difference[],
): Pick<Conclusion, "stated" | "failure" | "events" | "sameDesire"> {
  const stated = { ...seenFields(seen), ...pendingFields(pending) };
  return { stated, failure: undefined, events: [], sameDesire: true };
}

/** That Northflank has what is declared, and of how much of it that is known only because it was sent. */
export function inSyncMessage({ desire }: Seen, untold: number, isUnknown = false): string {
  const count = desire.leaves.length;
  const told = `Northflank has the declared settings (${count})`;
  if (untold === 0) return `${told}.`;
  const rest = isUnknown ? "whether they are as declared is not known" : "the last values sent are assumed";
  return untold === count
    ? `Northflank does not return the declared settings (${count}); ${rest}.`
    : `${told}; of these it does not return ${untold}: ${rest}.`;
}
