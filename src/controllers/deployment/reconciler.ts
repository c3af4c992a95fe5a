import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { Reconcile } from "../../runtime/controller.ts";
import { objectKey } from "../../runtime/outcome.ts";
import { Stopwatch } from "../reconcile/stopwatch.ts";
import { createTargetReconciler, type TargetDeps, type TargetSteps } from "../target/reconciler.ts";
import { timesOf } from "./changes.ts";
import { decide } from "./decide.ts";
import { execute } from "./execute.ts";
import { isAtRest } from "./machine.ts";
import type { Change, Conclusion, Need, Observation } from "./observation.ts";
import { type ObserveDeps, observe, restOf } from "./observe.ts";
import { concludeChange, missingRecord, notRecorded, statusBefore } from "./result.ts";
import { statusOf } from "./status.ts";
import { targetName } from "./target.ts";

export interface DeploymentDeps extends ObserveDeps, TargetDeps<NorthflankDeployment> {
  readonly store: ObserveDeps["store"] & TargetDeps<NorthflankDeployment>["store"];
}

/**
 * Reconciles NorthflankDeployments.
 *
 * *Guarantees*: a write goes to Northflank only when the service, read in this very reconcile, differs from what is
 * declared; an object that is settled and not due costs no request; a reconcile never learns why it was enqueued.
 *
 * Wiring, in the composition root:
 *
 * - a `Store<NorthflankDeployment, "target" | "waitFor" | "connection">` with `deploymentIndexes` and `connectionKeys`
 *   (reconcile/predicates.ts);
 * - each change of a deployment enqueues its own key when `objectChanged` says so, and the keys of `conflictsOf` when it
 *   was added, deleted or `conflictsMayChange`: the next object of a target takes over within one reconcile;
 * - each change of a NorthflankJobRun enqueues `byIndex("waitFor", key of the run)`;
 * - each change of a connection for which `connectionChanged` enqueues `byIndex("connection", key of the connection)`.
 */
export function createDeploymentReconciler(deps: DeploymentDeps): Reconcile {
  const { clock, random, settings } = deps;
  const stopwatch = new Stopwatch(clock);
  const agesOf = ({ metadata }: NorthflankDeployment, status: NorthflankDeployment["status"]) =>
    stopwatch.ages({ key: objectKey(metadata), uid: metadata.uid }, timesOf(status));
  return createTargetReconciler<NorthflankDeployment, Observation, Conclusion, Change, Need>(deps, {
    restsFor: (object) => restOf(deps, object),
    observe: (object, signal) => observe(deps, object, signal),
    decide: (object, observation) => {
      // Of ten thousand that rest nothing is measured: no decision waits for a time of theirs.
      const isResting = observation.kind === "rest" && isAtRest(object);
      const ages = isResting ? undefined : agesOf(object, object.status);
      return decide({ object, observation, now: clock.now(), ...(ages && { ages }), random, settings });
    },
    statusBefore: (object, change) => statusBefore(object, change, clock.now()),
    carryOut: (options) => carryOut(deps, options),
    statusOf: (object, conclusion) => {
      const status = statusOf(object, conclusion, clock.now());
      // What is written down now is measured from now on.
      agesOf(object, status);
      return status;
    },
    forget: (key) => stopwatch.forget(key),
  });
}

type CarryOut = TargetSteps<NorthflankDeployment, Observation, Conclusion, Change, Need>["carryOut"];

async function carryOut(deps: DeploymentDeps, options: Parameters<CarryOut>[0]): Promise<Conclusion> {
  const { known: object, stored, observation, account, change, context } = options;
  const { projectId, serviceId, jobId } = object.spec;
  const missing = missingRecord(stored, change);
  if (missing !== undefined) return notRecorded(change, missing);
  const result = await execute({ api: account.api, target: targetName(object) }, change, context.signal);
  if (change.cause === "DriftCorrected") deps.observer.driftDetected();
  if (result.kind === "written") {
    deps.observer.changeApplied();
    const log = { project: projectId, ...(serviceId === undefined ? { job: jobId } : { service: serviceId }) };
    context.log.info({ ...log, action: change.cause }, "change applied");
  }
  const { clock, random, settings } = deps;
  const nextResyncMs = observation.kind === "seen" ? observation.nextResyncMs : Number.POSITIVE_INFINITY;
  return concludeChange({ object, change, result, nextResyncMs, now: clock.now(), random, settings });
}
