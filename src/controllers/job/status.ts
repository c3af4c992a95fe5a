// pure
import type { NorthflankJob, NorthflankJobStatus } from "../../api/job.ts";
import { isAcknowledged } from "../target/object.ts";
import { targetStatus } from "../target/status.ts";
import type { Conclusion } from "./conclusion.ts";

/** The whole status after a pass, with the guarantees of {@link targetStatus}. */
export function statusOf(object: NorthflankJob, conclusion: Conclusion, now: number): NorthflankJobStatus {
  // An edit of the spec starts anew: the corrections were of what was declared before.
  const forgotten = isAcknowledged(object) ? {} : { corrections: undefined };
  const stated = { ...forgotten, ...conclusion.stated };
  return targetStatus<NorthflankJobStatus>(object, { ...conclusion, stated }, { drafts: [], fields: {}, now });
}
