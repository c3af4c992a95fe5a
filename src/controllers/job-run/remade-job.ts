// pure
import type { NorthflankJobRun } from "../../api/job-run.ts";
import type { JobView } from "../../northflank/types.ts";
import { formatTime } from "../../runtime/conditions.ts";
import { clockAllowanceMs, isServerTime, timeMs } from "./read-back.ts";

/*
 * A job that was deleted and created again under its id is another job: the runs of the former went with it, and a list
 * that lacks a run says nothing about that run. No call of a start tells which of them it was about (a run and a list of
 * runs name no job), but Northflank tells when a job was created, and the record of the start has a time of Northflank's:
 * a job that is younger is not the one that the start was sent to. Asked only where a missing run would count for something.
 */

/** When the job was created, where that was after the present start; `undefined` where it was not, or nobody can tell. */
export function createdAfterStart({ status }: NorthflankJobRun, job: JobView): string | undefined {
  const start = status?.start;
  const recordedMs = start !== undefined && isServerTime(start) ? timeMs(start.recordedTime) : undefined;
  const createdMs = timeMs(job.createdAt);
  if (recordedMs === undefined || createdMs === undefined) return undefined;
  return createdMs > recordedMs + clockAllowanceMs ? formatTime(createdMs) : undefined;
}
