// pure
import type { NorthflankJobStatus } from "../../api/job.ts";
import type { Claim } from "../shared/claim.ts";
import type { EventDraft } from "../shared/event-draft.ts";
import type { FailureRecord } from "../shared/failure.ts";
import type { NextPass } from "../shared/next-pass.ts";
import type { Verdict } from "../shared/verdict.ts";

/** Status fields that a pass may state. A field that is there replaces the old one; `undefined` removes it. */
export type StatedFields = {
  readonly [K in "jobType" | "applied" | "released" | "pendingChanges" | "corrections" | "history"]?:
    | NorthflankJobStatus[K]
    | undefined;
};

/** What a pass has come to, before it is spelt as status, Events and an outcome. */
export interface Conclusion {
  readonly verdict: Verdict;
  readonly inSync: Claim;
  readonly stated: StatedFields;
  readonly failure: FailureRecord | undefined;
  readonly next: NextPass;
  /** Events beyond the passage to Stalled, which every kind reports by itself. */
  readonly events: readonly EventDraft[];
  /** The spec is what Ready was judged for before, whatever its generation; `undefined`: judge by the generation. */
  readonly sameDesire: boolean | undefined;
}
