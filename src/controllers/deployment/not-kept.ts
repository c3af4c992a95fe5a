// pure
import type { NorthflankDeploymentStatus } from "../../api/deployment.ts";
import type { DeploymentUpdate } from "../../northflank/types.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { isReconcileRequested } from "../reconcile/reconcile-request.ts";
import { slowProbeMs } from "../reconcile/remote-error.ts";
import { probeMoreRarely } from "../reconcile/requeue.ts";
import { ageOf } from "./ages.ts";
import type { Conclusion } from "./conclusion.ts";
import type { Change, DecideInput, Seen } from "./decision.ts";
import type { Difference } from "./diff.ts";
import { type ChangeRecord, changeOf, wasSent, withNotKept } from "./machine.ts";
import { differencesText, differentBase } from "./out-of-sync.ts";

/*
 * Northflank accepts a body and keeps only a part of it, such as an image without the command that came with it:
 *
 *     change sent --- all of it shown --------------------------------------------------------> nothing
 *          \--- a part not shown --- recorded, then that part sent alone --- shown -----------> the record is removed
 *                                                       \--- not shown either --> ChangeNotKept
 *
 * Promises:
 *  1. The part is sent alone once per declaration, and once more for each reconcile request after the verdict. The record
 *     is in status before the call: neither a restart nor a lost answer leads to another one.
 *  2. A source is sent so only where more came with it. A source that is not in force although it was sent by itself was
 *     changed back by another client as far as anybody can tell: that is for `drift.ts`, and so is a part that was in force
 *     until the rollout ended.
 *  3. What else differs is corrected as ever; it makes no further try of the part.
 */

type NotKept = NonNullable<NorthflankDeploymentStatus["notKept"]>;

type Part = keyof DeploymentUpdate;

/** What is to be done about a part that Northflank did not keep; `undefined`: nothing of that kind has happened. */
export function decideNotKept(
  input: DecideInput,
  seen: Seen,
  pending: readonly Difference[],
):
  | { readonly kind: "send"; readonly body: DeploymentUpdate }
  | { readonly kind: "stop"; readonly record: NotKept }
  | undefined {
  const { object } = input;
  const { desire } = seen;
  const change = changeOf(object.status, desire);
  if (!wasSent(change)) return undefined;
  const parts = partsOf(pending);
  const body = partsIn(desire.body, pending);
  const record = object.status?.notKept;
  if (record?.specHash === desire.hash) {
    if (!parts.every((part) => record.parts?.includes(part))) return undefined;
    return isReconcileRequested(object) && change.phase === "NotKept"
      ? { kind: "send", body }
      : { kind: "stop", record };
  }
  // A correction has sent no more than what differed.
  const wasWhole = change.cause === "SpecChanged";
  const isSmaller = wasWhole && parts.length < Object.values(desire.body).filter((part) => part !== undefined).length;
  const hasSource = parts.includes("external") || parts.includes("internal");
  return (isSmaller || !hasSource) && isBeingReadBack(change) ? { kind: "send", body } : undefined;
}

/** Our change was accepted, and no look has found it in force with its rollout over. */
function isBeingReadBack({ phase, since, time }: ChangeRecord): boolean {
  return phase === "RollingOut" && since === time;
}

/** The smallest body that Northflank takes for these differences. */
export function partsIn(body: DeploymentUpdate, differences: readonly Difference[]): DeploymentUpdate {
  return Object.fromEntries(partsOf(differences).map((part) => [part, body[part]]));
}

/** `deployment.docker.configType` is a difference of `docker`. */
function partsOf(pending: readonly Difference[]): readonly Part[] {
  return [...new Set(pending.map(({ path }) => path.split(".")[1] as Part))];
}

/** The record of a part that is about to be sent alone. */
export function notKeptRecord({ desire, differences }: Change, now: number): NotKept {
  return { specHash: desire.hash, parts: [...partsOf(differences)], time: formatTime(now) };
}

/** Northflank has accepted the part twice, the second time alone, and does not have it. */
export function notKeptConclusion(
  input: DecideInput,
  seen: Seen,
  facts: { readonly record: NotKept; readonly pending: readonly Difference[] },
): Conclusion {
  const { record, pending } = facts;
  const { elapsedMs } = ageOf(input, record.time);
  const message =
    `Northflank accepted the change and did not keep all of it: ${differencesText(pending)}. It was sent once more, ` +
    "alone. Set it in Northflank, change the spec, or request a reconcile to send it once more.";
  const base = differentBase(seen, pending, "ChangeNotKept", message);
  return {
    ...base,
    verdict: { kind: "stalled", reason: "ChangeNotKept", message },
    rolloutComplete: {
      status: "Unknown",
      reason: "ChangeNotKept",
      message: "Not all of what is declared is in force.",
    },
    stated: { ...base.stated, changes: withNotKept(input.object, seen.desire, input.now) },
    next: probeMoreRarely(elapsedMs, [firstProbeMs, slowProbeMs], input.random),
  };
}

// The part may only be slow to be shown.
const firstProbeMs = 60_000;
