// pure
import type { NorthflankJob, NorthflankJobStatus } from "../../api/job.ts";
import { type TargetConclusion, targetStatus } from "../target/status.ts";

/** Status fields that a reconcile may state. A field that is there replaces the old one; `undefined` removes it. */
export type StatedFields = {
  readonly [K in "targetUid" | "jobType" | "applied" | "released" | "pendingChanges" | "notKept" | "changes"]?:
    | NorthflankJobStatus[K]
    | undefined;
};

/** What a reconcile of a NorthflankJob has come to. */
export interface Conclusion extends TargetConclusion {
  readonly stated: StatedFields;
}

/** The whole status after a reconcile, with the guarantees of {@link targetStatus}. */
export function statusOf(object: NorthflankJob, conclusion: Conclusion, now: number): NorthflankJobStatus {
  return targetStatus<NorthflankJobStatus>(object, conclusion, { drafts: [], fields: {}, now });
}
