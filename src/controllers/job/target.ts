// pure
import type { NorthflankJob } from "../../api/job.ts";
import { objectKey } from "../../runtime/outcome.ts";

/** Index functions for the store of NorthflankJobs. */
export const jobIndexes = {
  /** Objects with one target, before their accounts are compared. */
  target: (object: NorthflankJob): readonly string[] => [targetOf(object)],
} as const;

/** Project and job in one text. */
export function targetOf({ spec }: Pick<NorthflankJob, "spec">): string {
  return `${spec.projectId}/${spec.jobId}`;
}

/** The objects that come before this one for their job, first the one that comes first. Objects on their way out do not. */
export function olderRivals(object: NorthflankJob, sameTarget: readonly NorthflankJob[]): readonly NorthflankJob[] {
  return sameTarget
    .filter((other) => other.metadata.uid !== object.metadata.uid && other.metadata.deletionTimestamp === undefined)
    .filter((other) => byAge(other, object) < 0)
    .sort(byAge);
}

/** Older first, then by namespace and name: the same order for everybody who asks. */
function byAge(left: NorthflankJob, right: NorthflankJob): number {
  const [leftTime, rightTime] = [left, right].map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? ""));
  if (leftTime !== undefined && rightTime !== undefined && leftTime !== rightTime) return leftTime - rightTime;
  return objectKey(left.metadata) < objectKey(right.metadata) ? -1 : 1;
}
