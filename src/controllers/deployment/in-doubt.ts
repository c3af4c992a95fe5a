// pure
import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import { isRefusedForSure } from "../../northflank/answer.ts";
import type { NorthflankError } from "../../northflank/errors.ts";
import { formatTime } from "../../runtime/conditions.ts";
import type { StatedFields } from "./conclusion.ts";
import type { Change } from "./decision.ts";
import { isReadInPart } from "./diff.ts";
import type { Applied } from "./rollout.ts";

/*
 * A change of fields that Northflank does not tell, or in part: when its answer is lost, no look shows whether it arrived.
 * Until a change is accepted, `status.applied` then names no declaration, so that whatever is declared next is sent whole.
 */

/** `status.applied` while nobody knows what is in force. */
export function inDoubt({ metadata }: NorthflankDeployment, now: number): Applied {
  return { generation: metadata.generation ?? 0, time: formatTime(now) };
}

/** The status that names no declaration, where that has to be stored before a change of unseen fields is sent. */
export function statusInDoubt(
  object: NorthflankDeployment,
  change: Change,
  now: number,
): NorthflankDeploymentStatus | undefined {
  const { applied } = object.status ?? {};
  const isKnown = applied !== undefined && (applied.specHash === undefined || applied.specHash === change.desire.hash);
  if (isKnown || change.cause === "Restored" || !changesUnseen(change)) return undefined;
  return { observedGeneration: 0, ...object.status, applied: inDoubt(object, now) };
}

/** What to remember of a change that was not accepted: what there was when it was refused for sure, else that nobody knows. */
export function appliedAfterFailure(
  object: NorthflankDeployment,
  change: Change,
  facts: { readonly error: NorthflankError; readonly now: number },
): StatedFields {
  const { error, now } = facts;
  // Without an answer, an earlier try may have arrived.
  const isRefused = error.httpStatus !== undefined && isRefusedForSure(error);
  if (isRefused || !changesUnseen(change)) return { applied: object.status?.applied };
  return object.status?.applied?.specHash === change.desire.hash ? {} : { applied: inDoubt(object, now) };
}

function changesUnseen({ desire, before }: Change): boolean {
  return isReadInPart(desire, before);
}
