// pure
import type { NorthflankJob, NorthflankJobStatus } from "../../api/job.ts";
import { targetStatus } from "../shared/target-status.ts";
import type { Conclusion } from "./conclusion.ts";

/** The whole status after a pass, with the guarantees of {@link targetStatus}. */
export function statusOf(object: NorthflankJob, conclusion: Conclusion, now: number): NorthflankJobStatus {
  return targetStatus<NorthflankJobStatus>(object, conclusion, { drafts: [], fields: {}, now });
}
