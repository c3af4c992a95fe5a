// pure

import type { NorthflankJob, NorthflankJobStatus } from "../../api/job.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeMoreRarely } from "../reconcile/requeue.ts";
import { recordNotStored } from "../target/status.ts";
import type { DecideInput } from "./decision.ts";
import type { Desire } from "./desired.ts";
import type { Difference } from "./diff.ts";
import { withPhase } from "./machine.ts";
import type { Seen } from "./observation.ts";
import { differencesText, different } from "./seen.ts";
import type { Conclusion } from "./status.ts";

/*
 * Northflank accepts a patch and keeps only a part of it. What it returns and did not keep is sent once more, alone, once
 * the patch has had its time to be shown; the record is in status before that. Where it is not kept then either, the
 * verdict is ChangeNotKept, and only another spec, or a reconcile request each time, sends it again. What was in force
 * after it was sent, and is not any more, is for `drift.ts`.
 */

export type NotKept = NonNullable<NorthflankJobStatus["notKept"]>;

/** What is to be done about settings that Northflank did not keep; `undefined`: nothing of that kind has happened. */
export function decideNotKept(
  object: NorthflankJob,
  { desire }: Seen,
  /** `isNew`: a change was accepted, and has had its time to be shown. */
  { pending, isNew }: { readonly pending: readonly Difference[]; readonly isNew: boolean },
): { readonly kind: "send"; readonly part: Desire } | { readonly kind: "stop" } | undefined {
  const parts = partsOf(pending);
  const { notKept: record, changes = [] } = object.status ?? {};
  if (record?.specHash === desire.specHash) {
    if (!parts.every((part) => record.parts?.includes(part))) return undefined;
    const isAsked = changes[0]?.phase === "NotKept" && isReconcileRequested(object);
    return isAsked ? { kind: "send", part: partOf(desire, parts) } : { kind: "stop" };
  }
  return isNew ? { kind: "send", part: partOf(desire, parts) } : undefined;
}

/** The settings as they are sent: `billing.deploymentPlan` goes with all of `billing`. */
function partsOf(paths: readonly { readonly path: string }[]): readonly string[] {
  return [...new Set(paths.map(({ path }) => path.split(".", 1)[0] ?? path))];
}

function partOf(desire: Desire, parts: readonly string[]): Desire {
  const pick = (values: Desire["settings"]) =>
    Object.fromEntries(Object.entries(values).filter(([name]) => parts.includes(name)));
  return { ...desire, settings: pick(desire.settings), policy: pick(desire.policy) };
}

/** The record of settings that are about to be sent alone. */
export function notKeptRecord({ desire }: Seen, differences: readonly Difference[], now: number): NotKept {
  return { specHash: desire.specHash, parts: [...partsOf(differences)].slice(0, 32), time: formatTime(now) };
}

/** Northflank has accepted the settings twice, the second time alone, and does not have them. */
export function notKeptConclusion(input: DecideInput, seen: Seen, pending: readonly Difference[]): Conclusion {
  const message =
    `Northflank accepted the settings and did not keep all of them: ${differencesText(pending)}. They were sent once ` +
    "more, alone. Set them in Northflank, change the spec, or request a reconcile to send them once more.";
  const base = different(seen, pending);
  return {
    ...base,
    stated: { ...base.stated, changes: withPhase(input.object, "NotKept", input.now) },
    verdict: { kind: "stalled", reason: "ChangeNotKept", message },
    inSync: { status: "False", reason: "ChangeNotKept", message },
    next: probeMoreRarely(input.sinceChangeMs ?? 0, [firstProbeMs, slowProbeMs], input.random),
  };
}

/** The record of a part that is sent alone was not stored, so that it was not sent: it would be again and again. */
export function notKeptNotStored(seen: Seen, pending: readonly Difference[]): Conclusion {
  const { message, next } = recordNotStored("notKept");
  return {
    ...different(seen, pending),
    verdict: { kind: "stalled", reason: "StatusNotStored", message },
    inSync: { status: "False", reason: "StatusNotStored", message },
    next,
  };
}

// The settings may only be slow to be shown.
const firstProbeMs = 60_000;
