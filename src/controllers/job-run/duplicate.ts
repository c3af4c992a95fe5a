// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { RunList } from "../../northflank/types.ts";
import { openStartsOf, runIdsOf, type Sibling } from "./concurrency.ts";
import { candidatesOf, duplicateReach, isContested } from "./read-back.ts";

/**
 * A run that the start before the present one may have started. One that another open start may have is left to that
 * one: what is reported as a duplicate belongs to this object.
 */
export function duplicateIn(object: NorthflankJobRun, list: RunList, siblings: readonly Sibling[]): string | undefined {
  const start = object.status?.start;
  if (start === undefined) return undefined;
  const claimed = runIdsOf([object, ...siblings.map((sibling) => sibling.object)]);
  const search = { start, list, claimed, reach: duplicateReach, rivals: openStartsOf(siblings) };
  return candidatesOf(search).find((run) => !isContested(run, search))?.id;
}
