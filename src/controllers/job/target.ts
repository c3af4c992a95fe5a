// pure
import type { NorthflankJob } from "../../api/job.ts";

/** Index functions for the store of NorthflankJobs. */
export const jobIndexes = {
  /** Objects with one target, before their accounts are compared. */
  target: (object: NorthflankJob): readonly string[] => (hasTarget(object) ? [targetOf(object)] : []),
} as const;

/** Project and job in one text. */
export function targetOf({ spec }: Pick<NorthflankJob, "spec">): string {
  return `${spec.projectId}/${spec.jobId}`;
}

/** False for a stored spec that lacks what names the job: it is in nobody's way. */
function hasTarget({ spec }: { readonly spec: Partial<NorthflankJob["spec"]> }): boolean {
  return spec.projectId !== undefined && spec.jobId !== undefined;
}
