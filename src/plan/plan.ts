import type { NorthflankDeployment } from "../api/deployment.ts";
import type { NorthflankJob } from "../api/job.ts";
import type { NorthflankJobRun } from "../api/job-run.ts";
import { explained } from "../command-remedies.ts";
import { decide } from "../controllers/deployment/decide.ts";
import type { Observation } from "../controllers/deployment/observation.ts";
import { deploymentReads } from "../controllers/deployment/observe.ts";
import { decide as decideJob } from "../controllers/job/decide.ts";
import type { Observation as JobObservation } from "../controllers/job/observation.ts";
import { jobReads } from "../controllers/job/observe.ts";
import { PollSchedule } from "../controllers/reconcile/poll-schedule.ts";
import { type MissingReference, resolveReferences } from "../controllers/secrets/references.ts";
import { type Observed, observeTarget } from "../controllers/target/observe.ts";
import { observeAndDecide } from "../controllers/target/reconciler.ts";
import { readOnly } from "../controllers/target/set-aside.ts";
import { isKubeError } from "../kube/errors.ts";
import { isNorthflankError } from "../northflank/errors.ts";
import { type QuotaWait, withQuotaWait } from "../northflank/quota-wait.ts";
import type { Clock } from "../util/clock.ts";
import { toError } from "../util/errors.ts";
import type { Random } from "../util/random.ts";
import type { OfflineCluster } from "./offline-cluster.ts";
import { failure, held, type Planned, planBlocked, planDeployment, reasonAndMessage } from "./planned.ts";
import { planJob } from "./planned-job.ts";

export interface PlannerDeps {
  readonly cluster: OfflineCluster;
  readonly quotaWait: QuotaWait;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** What applying an object would do. */
export interface Planner {
  readonly deployment: (object: NorthflankDeployment) => Promise<Planned>;
  readonly job: (object: NorthflankJob) => Promise<Planned>;
  readonly jobRun: (object: NorthflankJobRun) => Promise<Planned>;
}

/**
 * Observes and decides with the code of the controllers, for objects without a status. The decision is not executed:
 * nothing but reads is sent.
 */
export function createPlanner(deps: PlannerDeps): Planner {
  const { clock, random } = deps;
  const schedule = new PollSchedule({ clock, random });
  return {
    deployment: (object) =>
      withQuotaWait(deps.quotaWait, () => planOneDeployment(deps, schedule, object), deps.signal).catch(asFailure),
    job: (object) =>
      withQuotaWait(deps.quotaWait, () => planOneJob(deps, schedule, object), deps.signal).catch(asFailure),
    jobRun: (object) => planRun(deps, object).catch(asFailure),
  };
}

// An object is read once, so no period matters.
const settings = { resyncPeriodMs: 0, rolloutPollIntervalMs: 10_000 };

const quotaCodes = ["quota_closed", "rate_limited"] as const;

/** *Errors*: the refusal of a spent quota, so that it can be waited for. */
async function planOneDeployment(
  deps: PlannerDeps,
  schedule: PollSchedule,
  object: NorthflankDeployment,
): Promise<Planned> {
  const { cluster, clock, random } = deps;
  const { deployments: store, jobRuns: runs, accounts } = cluster;
  // Validated with its file already.
  const validate = () => [];
  const reads = deploymentReads({ store, runs, accounts, validate, schedule, settings });
  const { observation, decision } = await observeAndDecide(
    {
      observe: (object: NorthflankDeployment) => observeTarget(reads, object, { signal: deps.signal, aside: readOnly }),
      decide: (object, observation: Observation) => decide({ object, observation, now: clock.now(), random, settings }),
    },
    object,
  );
  if (observation.kind === "failed" && isNorthflankError(observation.error, ...quotaCodes)) throw observation.error;
  return planDeployment(object, observation, decision);
}

/** References to what is not in the files are left out, and named in a note; the other settings are compared. */
async function planOneJob(deps: PlannerDeps, schedule: PollSchedule, object: NorthflankJob): Promise<Planned> {
  const { cluster, clock, random } = deps;
  const { jobs: store, kube, accounts } = cluster;
  const context = { store, kube, accounts, validate: () => [], schedule, settings };
  const { observation }: Observed<JobObservation> = await observeTarget(jobReads(context), object, {
    signal: deps.signal,
    aside: readOnly,
  });
  if (observation.kind === "failed" && isNorthflankError(observation.error, ...quotaCodes)) throw observation.error;
  if (observation.kind === "blocked" && observation.missing !== undefined) {
    const rest = await planOneJob(deps, schedule, withoutReferences(object));
    const note = `${missingText(observation.missing)}: the values that come from it are not compared.`;
    return "notes" in rest ? { ...rest, notes: [...rest.notes, note] } : rest;
  }
  return planJob(object, observation, decideJob({ object, observation, now: clock.now(), random }));
}

function withoutReferences(object: NorthflankJob): NorthflankJob {
  const {
    runtimeEnvironmentFrom: _env,
    runtimeFilesFrom: _files,
    buildArgumentsFrom: _args,
    ...settings
  } = object.spec.settings;
  return { ...object, spec: { ...object.spec, settings } };
}

/** One object must not end the plan of the others. The message of an unexpected error may hold a secret. */
function asFailure(error: unknown): Planned {
  if (isNorthflankError(error)) return failure(explained(error));
  if (isKubeError(error)) return failure(error.message);
  return failure(`a bug of this program stopped the plan of this object (${toError(error).name}); please report it`);
}

/** A run is not compared: it starts when its object is new to the cluster. */
async function planRun({ cluster, signal }: PlannerDeps, object: NorthflankJobRun): Promise<Planned> {
  const { spec, metadata } = object;
  if (spec.abort === true) return held("spec.abort is true");
  if (spec.suspend === true) return held("spec.suspend is true");
  const namespace = metadata.namespace ?? "";
  const { projectId, connectionRef } = spec;
  const request = { namespace, connectionName: connectionRef?.name, projectId };
  const resolution = await cluster.accounts.resolve(request, signal);
  if (resolution.kind === "blocked") return planBlocked(resolution.readyState);
  const resolved = await resolveReferences({ kube: cluster.kube, namespace, spec, signal });
  if (resolved.kind === "resolved") return { kind: "start", notes: [] };
  const { readyState, missing } = resolved;
  if (missing === undefined) return failure(reasonAndMessage(readyState));
  return { kind: "start", notes: [`${missingText(missing)}: the values that come from it are not checked.`] };
}

function missingText({ kind, name }: MissingReference): string {
  return `${kind} "${name}" is not in these files`;
}
