import type { NorthflankJob } from "../../api/job.ts";
import type { Reconcile } from "../../runtime/controller.ts";
import { objectKey } from "../../runtime/outcome.ts";
import type { Requeue } from "../reconcile/requeue.ts";
import { Stopwatch } from "../reconcile/stopwatch.ts";
import { recheckSecretMs } from "../secrets/secret-tokens.ts";
import { observeTarget, restOf } from "../target/observe.ts";
import { createTargetReconciler, type TargetDeps, type TargetSteps } from "../target/reconciler.ts";
import { send } from "../target/send.ts";
import { SharedReads } from "../target/shared-reads.ts";
import { decide } from "./decide.ts";
import { changeTime } from "./machine.ts";
import { notRecorded } from "./not-kept.ts";
import type { Change, Observation, Patch } from "./observation.ts";
import { jobReads, type ObserveDeps, watchesValues } from "./observe.ts";
import { concludeChange, intentConclusion } from "./result.ts";
import { type Conclusion, statusOf } from "./status.ts";
import { jobName } from "./target.ts";

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
  const { clock, random } = deps;
  const reads = new SharedReads({ kube: deps.kube, clock });
  const jobs = jobReads({ ...deps, kube: reads.fresh, sharedKube: reads.shared });
  const stopwatch = new Stopwatch(clock);
  // The times in status are of wall clocks. A change of another process counts from when this one first saw it.
  const sinceChange = ({ metadata }: NorthflankJob, status: NorthflankJob["status"]): number | undefined => {
    const time = changeTime(status);
    const ages = stopwatch.ages({ key: objectKey(metadata), uid: metadata.uid }, [time]);
    return time === undefined ? undefined : ages.get(time)?.seenMs;
  };
  return createTargetReconciler<NorthflankJob, Observation, Conclusion, Change>(deps, {
    restsFor: (object) => {
      sinceChange(object, object.status);
      return restOf(jobs, object);
    },
    observe: (object, signal) => observeTarget(jobs, object, signal),
    decide: (object, observation) =>
      decide({ object, observation, now: clock.now(), sinceChangeMs: sinceChange(object, object.status), random }),
    statusBefore: (object, change) => {
      const intent = intentConclusion(object, change, clock.now());
      // What was planned was for a settled object: a call that ends without an answer must not wait for it.
      if (intent !== undefined) deps.schedule.forget(objectKey(object.metadata));
      return intent && statusOf(object, intent, clock.now());
    },
    carryOut: (options) => carryOut(deps, options),
    statusOf: (object, conclusion) => {
      const status = statusOf(object, conclusion, clock.now());
      // What is written down now is measured from now on.
      sinceChange(object, status);
      return status;
    },
    forget: (key) => stopwatch.forget(key),
    requeueFor: (object, status, next) => (watchesValues({ ...object, status }) ? soonEnough(next) : next),
  });
}

type CarryOut = TargetSteps<NorthflankJob, Observation, Conclusion, Change>["carryOut"];

async function carryOut(deps: JobDeps, options: Parameters<CarryOut>[0]): Promise<Conclusion> {
  const { known, stored: object, account, change, context } = options;
  if (change.cause === "PartResent" && object.status?.notKept === undefined) {
    return notRecorded(change.seen, change.differences);
  }
  const target = jobName(object);
  const call =
    ({ route, body }: Patch) =>
    () =>
      account.api.patchJob(target, route, body, { class: "change", signal: context.signal });
  const result = await send(call(change.patch), change.fallback && call(change.fallback));
  if (change.cause === "DriftCorrected") deps.observer.driftDetected();
  if (result.kind === "written") {
    deps.observer.changeApplied();
    context.log.info({ project: target.projectId, job: target.jobId, action: change.cause }, "change applied");
  }
  const { clock, random } = deps;
  return concludeChange({ object, before: known.status, change, result, now: clock.now(), random });
}

/** Values that come from the cluster are read again within a minute, whenever the next poll of Northflank is. */
function soonEnough(next: Requeue): Requeue {
  if (next.kind === "backoff" || next.kind === "again") return next;
  const afterMs = next.kind === "recheck" ? Math.min(next.afterMs, recheckSecretMs) : recheckSecretMs;
  return { kind: "recheck", afterMs };
}
