// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";

/** What is written down before a run is started. */
export type StartRecord = NonNullable<NonNullable<NorthflankJobRun["status"]>["start"]>;

/**
 * The id of a record that was read from the annotation (see mark.ts). The id says it, and no field of its own, because a
 * CRD of an earlier version would drop such a field: then the run would be taken for one that is ours to abort and repeat.
 */
export function idFromAnnotation(id: string): string {
  return `${annotationPrefix}${id}`;
}

/** True where only the annotation tells of the start: the run is adopted where it is found, and nothing else follows. */
export function isFromAnnotation({ id }: Pick<StartRecord, "id">): boolean {
  return id.startsWith(annotationPrefix);
}

const annotationPrefix = "annotation:";

/** Given up without an answer, by startGuarantee (`StartOutcomeUnknown`) or by a person (`RetryingRun`). */
export function isGivenUp({ outcome, reason }: StartRecord): boolean {
  return outcome === "NotStarted" && (reason === "StartOutcomeUnknown" || reason === "RetryingRun");
}
