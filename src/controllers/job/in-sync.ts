// pure
import { capped, formatTime } from "../../runtime/conditions.ts";
import { isSameJson } from "../../util/same-json.ts";
import type { EventDraft } from "../reconcile/events.ts";
import { requeueAfter } from "../reconcile/requeue.ts";
import { policyOf } from "../target/policy.ts";
import type { Comparison } from "./diff.ts";
import { withConfirmation } from "./machine.ts";
import type { DecideInput, Seen } from "./observation.ts";
import { type Conclusion, type StatedFields, seenFields } from "./status.ts";

/** Northflank has what is declared, as far as it returns it; what is owned from now on is recorded. */
export function inSyncConclusion(input: DecideInput, seen: Seen, comparison: Comparison): Conclusion {
  const { object, now } = input;
  const { released } = comparison;
  const { records, ready = "InSync" } = policyOf(object);
  const isUnknown = !records && !comparison.canTell && comparison.untold > 0;
  const message = inSyncMessage(seen, comparison.untold, isUnknown);
  return {
    readyState: { kind: "ready", reason: ready, message },
    inSync: isUnknown ? { status: "Unknown", reason: ready, message } : { status: "True", reason: "InSync", message },
    failure: undefined,
    next: requeueAfter(seen.nextResyncMs),
    sameDesire: true,
    stated: {
      ...seenFields(seen),
      pendingChanges: undefined,
      notKept: undefined,
      changes: withConfirmation(object, now),
      ...(records && owned(input, seen, released)),
    },
    events: records ? releasedEvents(released) : [],
  };
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

/** What this object owns from now on, and what becomes unmanaged. The fields stay while nothing changes. */
export function owned(
  { object, now }: Pick<DecideInput, "object" | "now">,
  { desire }: Seen,
  released: readonly string[],
): StatedFields {
  const { keyId, specHash, sourcesId } = desire;
  const generation = object.metadata.generation ?? 0;
  const time = formatTime(now);
  const settings = desire.leaves.map(({ path, hash }) => ({ path, hash }));
  const applied = { generation, specHash, time, keyId, ...(sourcesId !== undefined && { sourcesId }), settings };
  const before = object.status?.applied;
  const isSame = isSameJson(before, { ...applied, generation: before?.generation, time: before?.time });
  return {
    applied: isSame ? before : applied,
    ...(released.length > 0 && { released: { generation, time, settings: released.slice(0, mostReleased) } }),
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

// As many as the schema of the status takes.
const mostReleased = 100;
