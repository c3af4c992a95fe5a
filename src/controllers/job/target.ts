// pure
import type { NorthflankJob } from "../../api/job.ts";
import type { JobName } from "../../northflank/client.ts";
import type { ObjectKey } from "../../runtime/outcome.ts";
import { conflictingKeys } from "../target/conflicts.ts";

/** Index functions for the store of NorthflankJobs. */
export const jobIndexes = {
  /** Objects with one target, before their accounts are compared. */
  target: (object: NorthflankJob): readonly string[] => (hasTarget(object) ? [targetOf(object)] : []),
} as const;

/** Project and job in one text. */
export function targetOf({ spec }: Pick<NorthflankJob, "spec">): string {
  return `${spec.projectId}/${spec.jobId}`;
}

/** False for a stored spec that lacks what names the job: it conflicts with no object. */
function hasTarget({ spec }: { readonly spec: Partial<NorthflankJob["spec"]> }): boolean {
  return spec.projectId !== undefined && spec.jobId !== undefined;
}

/** The job of an object, by its ids. */
export function jobName({ spec }: NorthflankJob): JobName {
  return { projectId: spec.projectId, jobId: spec.jobId };
}

/** The objects that may gain or lose their job when `changed` appears, changes or goes. */
export function conflictsOf(
  store: { byIndex(name: "target", value: string): readonly NorthflankJob[] },
  changed: NorthflankJob,
): readonly ObjectKey[] {
  return conflictingKeys(store.byIndex("target", targetOf(changed)), changed);
}
