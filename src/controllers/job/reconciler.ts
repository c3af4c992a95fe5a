import type { NorthflankJob } from "../../api/job.ts";
import { northflankJobs } from "../../api/names.ts";
import type { Reconcile } from "../../runtime/controller.ts";
import { objectKey } from "../../runtime/outcome.ts";
import { SharedReads } from "../secrets/shared-reads.ts";
import { observeSteps } from "../target/observe.ts";
import { createTargetReconciler, type TargetDeps } from "../target/reconciler.ts";
import { decide } from "./decide.ts";
import { changeTime } from "./machine.ts";
import type { Change, Observation } from "./observation.ts";
import { jobReads, type ObserveDeps } from "./observe.ts";
import { notRecorded } from "./out-of-sync.ts";
import { concludeChange, intentConclusion } from "./result.ts";
import { type Conclusion, statusOf } from "./status.ts";

export interface JobDeps extends ObserveDeps, TargetDeps<NorthflankJob> {
  readonly store: ObserveDeps["store"] & TargetDeps<NorthflankJob>["store"];
}

/**
 * Reconciles NorthflankJobs.
 *
 * *Guarantees*: a write goes to Northflank only when the job, read in this very reconcile, differs from what is
 * declared, or when what Northflank does not return is not what was last sent; an object that is settled and not due
 * costs no request; a reconcile never learns why it was enqueued; values of environments, arguments and files go into
 * the request and nowhere else.
 *
 * Wiring, in the composition root:
 *
 * - a `Store<NorthflankJob, "target" | "connection">` with `jobIndexes` and `connectionKeys` (reconcile/predicates.ts);
 * - each change of an object enqueues its own key when `objectChanged` says so, and the keys of `conflictsOf` when it was
 *   added, deleted or `conflictsMayChange`: the next owner of a job takes over within one reconcile;
 * - each change of a connection for which `connectionChanged` enqueues `byIndex("connection", key of the connection)`.
 */
export function createJobReconciler(deps: JobDeps): Reconcile {
  const { clock, schedule } = deps;
  const reads = new SharedReads({ kube: deps.kube, clock });
  return createTargetReconciler<NorthflankJob, Observation, Conclusion, Change>(deps, {
    type: northflankJobs,
    ...observeSteps(jobReads({ ...deps, kube: reads.fresh, sharedKube: reads.shared })),
    timesOf: (status) => [changeTime(status)],
    decide: ({ ages, ...input }) =>
      // The times in status are of wall clocks. A change of another process counts from when this one first saw it.
      decide({ ...input, sinceChangeMs: ages?.get(changeTime(input.object.status) ?? "")?.seenMs }),
    statusBefore: (object, change, now) => {
      const intent = intentConclusion(object, change, now);
      // What was planned was for a settled object: a call that ends without an answer must not wait for it.
      if (intent !== undefined) schedule.forget(objectKey(object.metadata));
      return intent && statusOf(object, intent, now);
    },
    notRecorded,
    send: (api, { spec }, { route, body }, options) => {
      const { projectId, jobId } = spec;
      return api.patchJob({ projectId, jobId }, route, body, options);
    },
    concludeChange,
    statusOf,
  });
}
