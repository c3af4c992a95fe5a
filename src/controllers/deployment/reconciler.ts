import type { NorthflankDeployment } from "../../api/deployment.ts";
import { northflankDeployments } from "../../api/names.ts";
import type { CallOptions, JobName, NorthflankApi, ServiceName } from "../../northflank/client.ts";
import type { Reconcile } from "../../runtime/controller.ts";
import { objectKey } from "../../runtime/outcome.ts";
import { assertNever } from "../../util/assert-never.ts";
import type { HintTrust } from "../reconcile/hint-trust.ts";
import { observeSteps } from "../target/observe.ts";
import { createTargetReconciler, type TargetDeps, type TargetSteps } from "../target/reconciler.ts";
import { timesOf } from "./changes.ts";
import { decide } from "./decide.ts";
import { isUnderWay } from "./machine.ts";
import type { Call, Change, Conclusion, Need, Observation, Settings } from "./observation.ts";
import { deploymentReads, endsOf, type ObserveDeps } from "./observe.ts";
import { concludeChange, notRecorded, statusBefore } from "./result.ts";
import { statusOf } from "./status.ts";
import { targetName } from "./target.ts";

export interface DeploymentDeps extends ObserveDeps, TargetDeps<NorthflankDeployment> {
  readonly store: ObserveDeps["store"] & TargetDeps<NorthflankDeployment>["store"];
  readonly settings: Settings;
  /** Hears whether the ends of rollouts were reported by Northflank. Default: nothing does. */
  readonly trust?: Pick<HintTrust, "found">;
}

type Polled = Parameters<
  NonNullable<TargetSteps<NorthflankDeployment, Observation, Conclusion, Change, Need>["polled"]>
>[0];

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
    polled: (poll) => noteEnd(deps.trust, poll),
  });
}

/** The rollout that is followed is over, or still under way, as a read of the service itself shows. */
function noteEnd(trust: DeploymentDeps["trust"], { object, account, observation, conclusion, sinceMs }: Polled): void {
  const [before] = object.status?.changes ?? [];
  const [after] = conclusion.stated.changes ?? [];
  if (observation.kind !== "seen" || observation.isListed === true || before?.phase !== "RollingOut") return;
  if (after?.time !== before.time || !isUnderWay(object)) return;
  const isOver = after.phase === "Complete" || after.phase === "Failed";
  if (!isOver && after.phase !== "RollingOut") return;
  trust?.found({ pool: account.pool, ...endsOf(object) }, objectKey(object.metadata), { isOver, sinceMs });
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
