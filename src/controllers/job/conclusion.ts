// pure
import type { NorthflankJobStatus } from "../../api/job.ts";
import type { TargetConclusion } from "../target/status.ts";

/** Status fields that a pass may state. A field that is there replaces the old one; `undefined` removes it. */
export type StatedFields = {
  readonly [K in
    | "targetUid"
    | "jobType"
    | "applied"
    | "released"
    | "pendingChanges"
    | "notKept"
    | "corrections"
    | "history"]?: NorthflankJobStatus[K] | undefined;
};

/** What a pass over a NorthflankJob has come to. */
export interface Conclusion extends TargetConclusion {
  readonly stated: StatedFields;
}
