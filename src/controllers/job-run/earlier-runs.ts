import type { NorthflankJobRun } from "../../api/job-run.ts";
import { connectionKeys } from "../reconcile/predicates.ts";
import type { Attempt } from "./machine.ts";
import { timeMs } from "./start-record.ts";

/** A run that is over. */
interface Earlier {
  readonly runId: string;
  readonly endMs: number;
  readonly tookMs: number;
}

// More of them would have a job that has changed polled by what it was for longer.
const keptRuns = 5;

// Of so many jobs at most; a job that is forgotten costs the polls of one that never ran.
const keptJobs = 10_000;

/**
 * How long the last runs of each job took, by the status of their objects: so it survives a restart, as long as the
 * objects do. Failed runs count like others; those that were aborted do not.
 *
 * *Guarantees*: the work for one object is bounded, however many there are of its job; nothing that another namespace, or
 * another connection, says of a job counts.
 */
export class EarlierRuns {
  /** The jobs that ran last are at the end. */
  readonly #byJob = new Map<string, readonly Earlier[]>();

  /** Takes in an object as it is stored. */
  readonly saw = (object: NorthflankJobRun): void => {
    const ended = (object.status?.attempts ?? []).flatMap((attempt) => earlierOf(object, attempt) ?? []);
    if (ended.length === 0) return;
    const job = jobOf(object);
    const known = this.#byJob.get(job) ?? [];
    const isNews = ended.some(({ runId }) => !known.some((one) => one.runId === runId));
    if (!isNews) return;
    const byId = new Map([...known, ...ended].map((one) => [one.runId, one]));
    const newest = [...byId.values()].toSorted((left, right) => right.endMs - left.endMs).slice(0, keptRuns);
    this.#byJob.delete(job);
    this.#byJob.set(job, newest);
    const [oldest] = this.#byJob.keys();
    if (this.#byJob.size > keptJobs && oldest !== undefined) this.#byJob.delete(oldest);
  };

  /** How long the last five runs of the job of this object took at most, in milliseconds; empty: not known. */
  readonly of = (object: NorthflankJobRun): readonly number[] =>
    (this.#byJob.get(jobOf(object)) ?? []).map(({ tookMs }) => tookMs);
}

function jobOf(object: NorthflankJobRun): string {
  const { projectId, jobId } = object.spec;
  return JSON.stringify([...connectionKeys(object), projectId, jobId]);
}

/** `undefined` where it is not over, or does not say how long the job takes. */
function earlierOf({ status }: NorthflankJobRun, attempt: Attempt): Earlier | undefined {
  const { runId, remoteStatus, startTime, completionTime } = attempt;
  const [startMs, endMs] = [timeMs(startTime), timeMs(completionTime)];
  const isTimed = startMs !== undefined && endMs !== undefined && endMs > startMs;
  const isToItsEnd = (remoteStatus === "SUCCESS" || remoteStatus === "FAILED") && status?.abortedRunId !== runId;
  return isTimed && isToItsEnd ? { runId, endMs, tookMs: endMs - startMs } : undefined;
}
