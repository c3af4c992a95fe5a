import type { NorthflankConnection } from "../api/connection.ts";
import type { NorthflankDeployment } from "../api/deployment.ts";
import type { NorthflankJob } from "../api/job.ts";
import type { NorthflankJobRun } from "../api/job-run.ts";
import { northflankConnections, northflankDeployments, northflankJobRuns, northflankJobs } from "../api/names.ts";
import type { Validator } from "../api/validate.ts";
import type { Config } from "../config.ts";
import type { ApiFactory } from "../controllers/account/api-factory.ts";
import { connectionGroups, type ProjectObject, projectGroups } from "../controllers/account/concurrency-groups.ts";
import { ConnectionAccounts } from "../controllers/account/connection-accounts.ts";
import type { OperatorToken } from "../controllers/account/token-source.ts";
import { createConnectionReconciler } from "../controllers/connection/reconciler.ts";
import { tokenNeeds } from "../controllers/connection/token-status.ts";
import { FollowedRollouts } from "../controllers/deployment/followed-rollouts.ts";
import { isUnderWay } from "../controllers/deployment/machine.ts";
import { createDeploymentReconciler } from "../controllers/deployment/reconciler.ts";
import { createJobReconciler } from "../controllers/job/reconciler.ts";
import { EarlierRuns } from "../controllers/job-run/earlier-runs.ts";
import { isBeforeStart, stateOf } from "../controllers/job-run/machine.ts";
import { createJobRunReconciler, namesJob } from "../controllers/job-run/reconciler.ts";
import type { Restored } from "../controllers/job-run/restored.ts";
import { DriftPlan } from "../controllers/reconcile/drift-plan.ts";
import type { EventSink } from "../controllers/reconcile/events.ts";
import { type Ends, HintTrust } from "../controllers/reconcile/hint-trust.ts";
import type { PaceOf } from "../controllers/reconcile/poll-plan.ts";
import { PollSchedule } from "../controllers/reconcile/poll-schedule.ts";
import { connectionKeys } from "../controllers/reconcile/predicates.ts";
import { cachedValidation, invalidSpecMessage, type WithGeneration } from "../controllers/reconcile/spec-validation.ts";
import {
  createStatusWriter,
  type ObjectWithStatus,
  type StatusWriter,
  type StatusWriterDeps,
} from "../controllers/reconcile/status-writer.ts";
import type { KubeClient } from "../kube/client.ts";
import type { ResourceType } from "../kube/types.ts";
import type { ControllerName, Metrics } from "../metrics.ts";
import { SharedLists } from "../northflank/shared-lists.ts";
import { createController, type Reconcile } from "../runtime/controller.ts";
import { EventLoop } from "../runtime/event-loop.ts";
import type { Leadership } from "../runtime/leader-election.ts";
import { type ManagedController, type Readable, whenAllSynced } from "../runtime/manager.ts";
import { type Explanation, type ObjectKey, objectKey } from "../runtime/outcome.ts";
import type { WatchedKind } from "../runtime/watched-kind.ts";
import { WorkQueue } from "../runtime/work-queue.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import type { Random } from "../util/random.ts";
import type { Caches } from "./caches.ts";
import { Hints, PendingHints } from "./hints.ts";
import { containFailures, type FailureDeps, type StoredObject } from "./reconcile-failures.ts";
import { wireWatches } from "./watches.ts";

export interface ControllersDeps {
  readonly config: Config;
  readonly caches: Caches;
  readonly validator: Validator;
  readonly kube: KubeClient;
  readonly apis: ApiFactory;
  readonly operatorToken: OperatorToken | undefined;
  readonly leadership: Leadership;
  readonly events: EventSink;
  readonly metrics: Metrics;
  readonly newId: () => string;
  /** When a notification for a connection was received last, in ms since the epoch. */
  readonly lastHintMs: (connection: ObjectKey) => number | undefined;
  readonly restored: () => Restored | undefined;
  /** Hears how long reconciles take. Default: nothing does. */
  readonly timing?: ReconcileTiming | undefined;
  /** Explains why a reconcile failed, where that is a fault of the installation. */
  readonly explain: (error: Error) => Explanation | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

// How often an accepted token is checked again where spec.validationPeriodSeconds is missing.
const validationPeriodMs = 3_600_000;

// A reconcile reads before it writes, and neither call may be cut short by the limit of the reconcile.
const leastReconcileTimeoutMs = 60_000;

/** The controllers of all kinds, and the way in for hints. */
export interface Controllers {
  readonly controllers: readonly ManagedController[];
  readonly hints: Hints;
  /** How many times longer than usual the periods of checks for drift are, by the pool of the account. */
  readonly checkStretch: (pool: string) => number;
}

/**
 * The controllers of all kinds, each with its queue, and the watches and hints that fill it. Nothing runs before they
 * are started.
 */
export function createControllers(deps: ControllersDeps): Controllers {
  const { config, caches, validator, kube, apis, events, metrics, clock, random, log } = deps;
  const { connections, deployments, jobs, jobRuns } = caches;
  const accounts = new ConnectionAccounts({
    kube,
    connections: connections.store,
    openApi: apis.open,
    poolChanged: apis.moved,
    closeApi: apis.close,
    checksPerHour: apis.checksPerHour,
    pollStretch: apis.stretch,
    isInUse: (key) => [deployments, jobs, jobRuns].some(({ store }) => store.byIndex("connection", key).length > 0),
    operatorToken: deps.operatorToken,
    defaultApiUrl: config.apiUrl.href.replace(/\/$/, ""),
    defaultMaxRequestsPerHour: config.maxRequestsPerHour,
    allowedApiHosts: config.allowedApiHosts,
    clock,
    random,
  });
  const eventLoop = new EventLoop(clock);
  const judge = cachedValidation((object: WithGeneration & { readonly kind: string; readonly spec: unknown }) =>
    validator.validateSpec(object.kind, object.spec),
  );
  // What does not fit was judged as it was stored; it may change with the CRD, within one generation.
  const validate = (object: WithGeneration & StoredObject) =>
    (object.misfits?.spec.length ?? 0) > 0 ? (object.misfits?.spec ?? []) : judge(object);
  const writer = <T extends ObjectWithStatus>(
    name: ControllerName,
    type: ResourceType,
    cache: { overlay(raw: T): void },
    more: Pick<StatusWriterDeps<T>, "separateRecord" | "loggedConditions"> = {},
  ): StatusWriter<T> =>
    createStatusWriter<T>({
      kube,
      type,
      overlay: (answer) => cache.overlay(answer),
      onStalled: () => metrics.stalled(name),
      docsUrl: config.docsUrl,
      log: log.child({ controller: name }),
      ...more,
    });

  const shared = { accounts, validate, events, clock, random };
  // What is sent leaves within milliseconds of the check, and a third of the renew deadline is less than what is left
  // of a lease that is being renewed. An answer that comes after the lease was lost is read back by the successor.
  const leaseMarginMs = config.leaderElectRenewDeadlineMs / 3;
  const lease = {
    isLeaderFor: (durationMs: number) => deps.leadership.isLeaderFor(durationMs),
    marginMs: leaseMarginMs,
  };
  const connection = createConnectionReconciler({
    ...shared,
    notifications: {
      kube,
      overlay: connections.overlay,
      integrationSchedule: new PollSchedule({ clock, random }),
      webhook: { isServed: config.webhookBindAddress !== undefined, url: config.webhookUrl },
      mayWrite: () => lease.isLeaderFor(lease.marginMs),
    },
    store: connections.store,
    dependents: (key) =>
      [deployments, jobs, jobRuns].reduce((count, { store }) => count + store.countByIndex("connection", key), 0),
    needs: (key) =>
      tokenNeeds({
        deployments: deployments.store.byIndex("connection", key),
        jobs: jobs.store.byIndex("connection", key),
        runs: jobRuns.store.countByIndex("connection", key),
      }),
    quota: apis.quota,
    pace: ({ pool, checksPerHour = 0, pollStretch = 1 }) => ({
      polls: pollStretch,
      checks: driftPlan.stretch(pool, checksPerHour),
      checksPerHour,
      othersPerHour: apis.othersPerHour(pool),
    }),
    lastHintMs: deps.lastHintMs,
    schedule: new PollSchedule({ clock, random }),
    validationPeriodMs,
    statusWriter: writer<NorthflankConnection>("connection", northflankConnections, connections, {
      loggedConditions: ["QuotaAvailable", "NotificationsReady"],
    }),
  });
  const lists = new SharedLists({ clock });
  const driftPlan = new DriftPlan({ listPeriodMs: config.resyncPeriodMs || Number.POSITIVE_INFINITY });
  const trust = new HintTrust({ clock, onLost: (ends) => pollUnhinted(ends) });
  const paceOf: PaceOf = ({ pool, pollStretch = 1 }, about) => ({
    stretch: pollStretch,
    isHinted: trust.isTrusted({ pool, ...about }),
  });
  const rollouts = new FollowedRollouts({ lists, clock, intervalMs: config.rolloutPollIntervalMs });
  const schedules = {
    deployment: new PollSchedule({ clock, random, driftPlan }),
    job: new PollSchedule({ clock, random, driftPlan }),
  };
  const deployment = createDeploymentReconciler({
    ...shared,
    store: deployments.store,
    runs: jobRuns.store,
    rollouts,
    paceOf,
    trust,
    schedule: schedules.deployment,
    lists,
    settings: config,
    statusWriter: writer<NorthflankDeployment>("deployment", northflankDeployments, deployments),
    observer: metrics.deploymentObserver,
    lease,
  });
  const job = createJobReconciler({
    ...shared,
    store: jobs.store,
    kube,
    schedule: schedules.job,
    settings: config,
    statusWriter: writer<NorthflankJob>("job", northflankJobs, jobs),
    observer: metrics.jobObserver,
    lease,
  });
  const queues = {
    connection: queue("connection"),
    deployment: queue("deployment", deployments.store),
    job: queue("job", jobs.store),
    jobRun: queue("job-run", jobRuns.store),
  };
  const earlierRuns = new EarlierRuns();
  jobRuns.store.listen((change) => {
    if (change.kind !== "deleted") earlierRuns.saw(change.object);
  });
  const runHints = new PendingHints(clock);
  const jobRun = createJobRunReconciler({
    ...shared,
    kube,
    store: jobRuns.store,
    overlay: jobRuns.overlay,
    lists,
    statusWriter: writer<NorthflankJobRun>("job-run", northflankJobRuns, jobRuns, { separateRecord: "start" }),
    observer: metrics.jobRunObserver,
    enqueue: (key) => queues.jobRun.add(key),
    takeHint: runHints.take,
    earlierRuns: earlierRuns.of,
    paceOf,
    trust,
    lease: deps.leadership,
    settings: { ...config, leaseMarginMs },
    newId: deps.newId,
    restored: deps.restored,
  });

  wireWatches({
    connections: connections.store,
    deployments: deployments.store,
    jobs: jobs.store,
    jobRuns: jobRuns.store,
    queues,
    forgetConnection: (key) => accounts.forget(key),
    clock,
  });
  const hintsOf = (schedule: PollSchedule) => (key: ObjectKey, afterMs: number) => schedule.hinted(key, afterMs);
  const hints = new Hints({
    deployments: deployments.store,
    jobs: jobs.store,
    jobRuns: jobRuns.store,
    deployment: { queue: queues.deployment, hinted: hintsOf(schedules.deployment) },
    job: { queue: queues.job, hinted: hintsOf(schedules.job) },
    jobRun: { queue: queues.jobRun, hinted: runHints.hinted },
    poolOf: (key) => accounts.poolOf(key),
    trust,
    clock,
  });
  // What is missing in another kind's cache matters to some objects only, and must not be taken for missing in the
  // cluster while it is only late. Where it cannot be had at all there is nothing to wait for.
  const once = (kind: Pick<WatchedKind<never>, "resource" | "isSettled" | "whenSettled">): Readable => ({
    resource: kind.resource,
    hasSynced: kind.isSettled,
    whenSynced: kind.whenSettled,
  });
  const controllers = [
    managed("connection", queues.connection, {
      store: connections.store,
      reconcile: connection,
      needs: [connections],
      reads: [connections, once(deployments), once(jobs), once(jobRuns)],
    }),
    managed("deployment", queues.deployment, {
      store: deployments.store,
      reconcile: deployment,
      needs: [deployments, connections],
      reads: [deployments, connections, once(jobRuns)],
    }),
    managed("job", queues.job, {
      store: jobs.store,
      reconcile: job,
      needs: [jobs, connections],
      reads: [jobs, connections],
    }),
    managed("job-run", queues.jobRun, {
      store: jobRuns.store,
      reconcile: jobRun,
      needs: [jobRuns, connections],
      reads: [jobRuns, connections],
      obstacle: namelessRun,
    }),
  ];
  const checkStretch = (pool: string) => driftPlan.stretch(pool, apis.checksPerHour(pool) ?? 0);
  return { controllers, hints, checkStretch };

  /** What was polled at longer intervals is reconciled, and finds that it is due without hints. */
  function pollUnhinted({ pool, kind, projectId }: Ends): void {
    const followed =
      kind === "run"
        ? jobRuns.store.list().filter((run) => stateOf(run) !== "finished")
        : deployments.store.list().filter(isUnderWay);
    const isOfPool = (key: ObjectKey) => accounts.poolOf(key) === pool;
    for (const object of followed) {
      if (object.spec.projectId !== projectId || !connectionKeys(object).some(isOfPool)) continue;
      queues[kind === "run" ? "jobRun" : "deployment"].add(objectKey(object.metadata), { priority: "follow" });
    }
  }

  function queue(name: ControllerName, objects?: { get(key: ObjectKey): ProjectObject | undefined }): WorkQueue {
    return new WorkQueue({
      clock,
      random,
      observer: metrics.queueObserver(name),
      groups: objects === undefined ? connectionGroups(config.workers) : projectGroups(objects, config.workers),
    });
  }

  function managed<T extends StoredObject>(
    name: ControllerName,
    work: WorkQueue,
    parts: Pick<FailureDeps<T>, "store" | "needs" | "obstacle"> & {
      readonly reconcile: Reconcile;
      readonly reads: readonly Readable[];
    },
  ): ManagedController {
    const { reconcile, reads, ...kind } = parts;
    const controller = createController({
      name,
      queue: work,
      workers: config.workers,
      reconcile: timed(deps, name, containFailures(reconcile, { ...kind, validate, events, random })),
      reconcileTimeoutMs: Math.max(leastReconcileTimeoutMs, 2 * config.requestTimeoutMs),
      whenUsable: whenAllSynced(reads),
      eventLoop,
      explain: deps.explain,
      clock,
      random,
      log,
      observer: metrics.controllerObserver(name, config.workers),
    });
    return { controller, reads };
  }
}

/** What {@link ControllersDeps.timing} is called with. */
export type ReconcileTiming = (controller: string, key: ObjectKey, durationMs: number) => void;

function timed({ timing, clock }: ControllersDeps, name: string, reconcile: Reconcile): Reconcile {
  if (timing === undefined) return reconcile;
  return async (key, context) => {
    const startedMs = clock.monotonic();
    try {
      return await reconcile(key, context);
    } finally {
      timing(name, key, clock.monotonic() - startedMs);
    }
  };
}

/** A started run whose stored spec no longer names its job: it cannot be found at Northflank. */
function namelessRun(run: NorthflankJobRun): string | undefined {
  if (run.misfits === undefined || namesJob(run.spec) || isBeforeStart(stateOf(run))) return undefined;
  return (
    "The run was started, but the stored spec no longer names its project and job, so the run cannot be polled. " +
    invalidSpecMessage(run.misfits.spec)
  );
}
