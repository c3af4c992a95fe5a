// pure
import type { NorthflankJob, NorthflankJobStatus } from "../../api/job.ts";
import type { JobSettingsView } from "../../northflank/types.ts";
import { capped } from "../../runtime/conditions.ts";
import type { Stated, TargetConclusion } from "../target/decision.ts";
import type { Difference } from "../target/out-of-sync.ts";
import { targetUidFields } from "../target/recreated.ts";
import { targetStatus } from "../target/status.ts";

/** What a status says of its job. */
export const statedFields = [
  "targetUid",
  "jobType",
  "applied",
  "released",
  "pendingChanges",
  "notKept",
  "changes",
] as const;

/** Status fields that a reconcile may state. A field that is there replaces the old one; `undefined` removes it. */
export type StatedFields = Stated<NorthflankJobStatus, (typeof statedFields)[number]>;

/** What a reconcile of a NorthflankJob has come to. */
export interface Conclusion extends TargetConclusion {
  readonly stated: StatedFields;
}

/** The whole status after a reconcile, with the guarantees of {@link targetStatus}. */
export function statusOf(object: NorthflankJob, conclusion: Conclusion, now: number): NorthflankJobStatus {
  return targetStatus<NorthflankJobStatus>(object, conclusion, { drafts: [], fields: {}, now });
}

/** The job that was read, as status shows it. */
export function seenFields({ view }: { readonly view: JobSettingsView }): StatedFields {
  const jobType = view.jobType === undefined ? undefined : capped(view.jobType, 64);
  return { jobType, ...targetUidFields(view.uid) };
}

/** Differences as status takes them. */
export function pendingFields(pending: readonly Difference[]): Pick<StatedFields, "pendingChanges"> {
  return { pendingChanges: pending.slice(0, mostPending) };
}

// As many as the schema of the status takes.
const mostPending = 32;
