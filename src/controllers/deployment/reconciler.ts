import type { NorthflankDeployment } from "../../api/deployment.ts";
import { northflankDeployments } from "../../api/names.ts";
import type { CallOptions, JobName, NorthflankApi, ServiceName } from "../../northflank/client.ts";
import type { Reconcile } from "../../runtime/controller.ts";
import { assertNever } from "../../util/assert-never.ts";
import { observeSteps } from "../target/observe.ts";
import { createTargetReconciler, type TargetDeps } from "../target/reconciler.ts";
import { timesOf } from "./changes.ts";
import { decide } from "./decide.ts";
import type { Call, Change, Conclusion, Need, Observation, Settings } from "./observation.ts";
import { deploymentReads, type ObserveDeps } from "./observe.ts";
import { concludeChange, notRecorded, statusBefore } from "./result.ts";
import { statusOf } from "./status.ts";
import { targetName } from "./target.ts";

export interface DeploymentDeps extends ObserveDeps, TargetDeps<NorthflankDeployment> {
  readonly store: ObserveDeps["store"] & TargetDeps<NorthflankDeployment>["store"];
  readonly settings: Settings;
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
  const { settings } = deps;
  return createTargetReconciler<NorthflankDeployment, Observation, Conclusion, Change, Need>(deps, {
    type: northflankDeployments,
    ...observeSteps(deploymentReads(deps)),
    timesOf,
    decide: (input) => decide({ ...input, settings }),
    statusBefore,
    notRecorded,
    send: sendCall,
    concludeChange: (sent, observation) => {
      const seen = observation.kind === "seen" ? observation : { nextResyncMs: Number.POSITIVE_INFINITY };
      const { nextResyncMs, pace } = { pace: undefined, ...seen };
      return concludeChange({ ...sent, nextResyncMs, pace, settings });
    },
    statusOf,
  });
}

/** Sends one call. */
async function sendCall(
  api: NorthflankApi,
  object: NorthflankDeployment,
  call: Call,
  options: CallOptions,
): Promise<void> {
  const target = targetName(object);
  // Sound: a call is made for the kind of target that was read by this name.
  const [service, job] = [target as ServiceName, target as JobName];
  switch (call.route) {
    case "service deployment":
      return await api.updateServiceDeployment(service, call.body, { ...options, isOnce: call.isOnce });
    case "job deployment":
      return await api.updateJobDeployment(job, call.body, options);
    case "deployment service":
      return await api.patchDeploymentService(service, { deployment: call.body }, options);
    case "combined service":
      return await api.patchCombinedService(service, { deployment: call.body }, options);
    case "restart":
      return await api.restartService(service, options);
    default:
      return assertNever(call, "route of a change");
  }
}
