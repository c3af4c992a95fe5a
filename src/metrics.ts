import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { collectEventLoopLag, noMonitorMs } from "./event-loop-lag.ts";

/**
 * The labels of a metric are closed sets: no object names, no ids, so that cardinality cannot grow with use. The
 * exceptions are limited: the expiry of tokens per namespace, and who spends a quota per account.
 */
export const controllerNames = ["connection", "deployment", "job", "job-run"] as const;
export type ControllerName = (typeof controllerNames)[number];

/** The conditions that are counted: those that we write, whatever other clients add. */
const conditionTypes = {
  NorthflankConnection: [
    "Ready",
    "Reconciling",
    "Stalled",
    "Suspended",
    "CredentialsValid",
    "QuotaAvailable",
    "PermissionsGranted",
    "NotificationsReady",
    "TokenExpiring",
  ],
  NorthflankDeployment: [
    "Ready",
    "Reconciling",
    "Stalled",
    "Suspended",
    "Accepted",
    "InSync",
    "RolloutComplete",
    "Restored",
  ],
  NorthflankJob: ["Ready", "Reconciling", "Stalled", "Suspended", "Accepted", "InSync"],
  NorthflankJobRun: ["Ready", "Reconciling", "Stalled", "Suspended", "Accepted", "Started", "Succeeded", "Finished"],
} as const;
const conditionStatuses = ["True", "False", "Unknown"] as const;

const results = ["success", "error", "requeue_after"] as const;
/** A result of controller-runtime that we never have, and that stock dashboards ask for. */
const unusedResults = ["requeue"] as const;
const priorities = ["change", "follow", "resync"] as const;
const requestClasses = ["change", "run", "observe"] as const;
const deliveryOutcomes = ["hinted", "forwarded", "ignored", "duplicate", "limited", "rejected"] as const;
const watchCauses = ["expired", "ahead", "absent", "refused", "silent", "broken", "regressed"] as const;

/** So many connections of one namespace have a metric of their own: those whose tokens expire first. */
const mostTokens = 20;

/** So many namespaces, and so many objects, of an account have a metric of their own: those that spend the most. */
export const mostSpenders = 20;

/** The namespace that stands for those beyond {@link mostSpenders}: none has a star in its name. */
export const theOtherNamespaces = "*";

/** What is read of an account to show who spends its quota. */
interface Spending {
  readonly total: number;
  readonly kinds: readonly (readonly [kind: string, count: number])[];
  readonly namespaces: readonly (readonly [namespace: string, count: number])[];
  readonly spenders: readonly (readonly [
    spender: { readonly kind: string; readonly namespace: string; readonly name: string },
    count: number,
  ])[];
}

/** What is read of a connection to show when its token expires. */
interface ExpiringObject {
  readonly metadata: { readonly namespace?: string; readonly name: string };
  readonly status?: { readonly tokenExpirationTime?: string };
}

/** What is read of an object to count its conditions. */
interface ConditionedObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[];
  };
}

/**
 * Every metric of the program. Names of controller-runtime and client-go are kept where they exist, so that stock
 * dashboards and alerts work; our own begin with `northflank_operator_`.
 *
 * *Guarantees*: each metric with a closed set of labels exists from the start, at zero.
 */
export type Metrics = ReturnType<typeof createMetrics>;

/** Makes the metrics in a registry of their own. */
export function createMetrics(build: {
  readonly version: string;
  readonly revision: string;
  readonly nodeVersion: string;
}) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: noMonitorMs });
  collectEventLoopLag(registry);
  const registers = [registry];

  const reconcile = {
    total: new Counter({
      name: "controller_runtime_reconcile_total",
      help: "Reconciles by controller and result.",
      labelNames: ["controller", "result"],
      registers,
    }),
    errors: perController("controller_runtime_reconcile_errors_total", "Reconciles that failed and are retried."),
    terminal: perController(
      "controller_runtime_terminal_reconcile_errors_total",
      "Reconciles that left their object Stalled.",
    ),
    panics: perController(
      "controller_runtime_reconcile_panics_total",
      "Reconciles that panicked: they threw an exception.",
    ),
    timeouts: perController("controller_runtime_reconcile_timeouts_total", "Reconciles that timed out."),
    throttled: perController(
      "controller_runtime_reconcile_throttled_total",
      "Reconciles that were delayed because their object is reconciled too often.",
    ),
    seconds: new Histogram({
      name: "controller_runtime_reconcile_time_seconds",
      help: "Duration of reconciles.",
      labelNames: ["controller"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    workers: gaugePerController(
      "controller_runtime_max_concurrent_reconciles",
      "Maximum number of concurrent reconciles.",
    ),
    active: gaugePerController("controller_runtime_active_workers", "Number of reconciles that are running."),
  };

  const queue = {
    depth: new Gauge({
      name: "workqueue_depth",
      help: "Keys that are due and wait for a worker.",
      labelNames: ["name", "controller", "priority"],
      registers,
    }),
    adds: queueCounter("workqueue_adds_total", "Keys added. A key that is already queued is not counted again."),
    retries: queueCounter("workqueue_retries_total", "Keys requeued after a failure."),
    wait: queueHistogram("workqueue_queue_duration_seconds", "How long a due key waited for a worker."),
    work: queueHistogram("workqueue_work_duration_seconds", "How long a worker processed a key."),
    unfinished: queueGauge(
      "workqueue_unfinished_work_seconds",
      "Sum of the time that running reconciles have taken so far.",
    ),
    longest: queueGauge(
      "workqueue_longest_running_processor_seconds",
      "Time that the longest running reconcile has taken so far.",
    ),
    oldestDue: new Gauge({
      name: "northflank_operator_oldest_due_object_seconds",
      help: "How long the oldest due key has waited for a worker. A healthy operator keeps this near zero.",
      labelNames: ["controller"],
      registers,
    }),
  };

  const kube = {
    requests: new Counter({
      name: "rest_client_requests_total",
      help: "Requests to the Kubernetes API by status code; <error> if there was no response.",
      labelNames: ["code", "method", "host"],
      registers,
    }),
    watchLastEvent: new Gauge({
      name: "northflank_operator_watch_last_event_timestamp_seconds",
      help: "Time of the last event or bookmark of a watch, in Unix seconds.",
      labelNames: ["resource"],
      registers,
    }),
    watchSilent: new Gauge({
      name: "northflank_operator_watch_silent_seconds",
      help: "How long a watch has received neither events nor responses. After three minutes the operator is not ready.",
      labelNames: ["resource"],
      registers,
    }),
    watchRestarts: new Counter({
      name: "northflank_operator_watch_restarts_total",
      help: "Watches that were restarted, by cause.",
      labelNames: ["resource", "cause"],
      registers,
    }),
    relists: new Counter({
      name: "northflank_operator_relists_total",
      help: "Lists by reflectors, including the initial one.",
      labelNames: ["resource"],
      registers,
    }),
    handlerErrors: new Counter({
      name: "northflank_operator_watch_handler_errors_total",
      help: "Objects that could not be added to the cache because of an exception in the operator.",
      labelNames: ["resource"],
      registers,
    }),
    leaseFailures: new Counter({
      name: "northflank_operator_lease_failures_total",
      help: "Failed attempts to acquire or renew the Lease.",
      labelNames: ["name"],
      registers,
    }),
    eventsWritten: new Counter({
      name: "northflank_operator_events_written_total",
      help: "Events written: created, or added to a series.",
      labelNames: ["how"],
      registers,
    }),
    eventsDropped: new Counter({
      name: "northflank_operator_events_dropped_total",
      help: "Events that were not written, by cause: queue full, rejected, failed, or too late.",
      labelNames: ["cause"],
      registers,
    }),
    leader: new Gauge({
      name: "leader_election_master_status",
      help: "1 if this process is the leader, else 0.",
      labelNames: ["name"],
      registers,
    }),
  };

  const remote = {
    requests: new Counter({
      name: "northflank_operator_api_requests_total",
      help: "Requests to Northflank by account pool, method, route template, and status or error code.",
      labelNames: ["pool", "method", "route", "code"],
      registers,
    }),
    seconds: new Histogram({
      name: "northflank_operator_api_request_duration_seconds",
      help: "Duration of requests to Northflank, including the response body.",
      labelNames: ["method", "route"],
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    retries: new Counter({
      name: "northflank_operator_api_retries_total",
      help: "Requests that were retried within one call.",
      labelNames: ["pool", "cause"],
      registers,
    }),
    limit: poolGauge("northflank_operator_api_ratelimit_limit", "Hourly request quota of the account."),
    remaining: poolGauge("northflank_operator_api_ratelimit_remaining", "Requests left in the current window."),
    reset: poolGauge("northflank_operator_api_ratelimit_reset_seconds", "Seconds until the current window ends."),
    used: new Gauge({
      name: "northflank_operator_api_budget_used",
      help: "Requests that this process sent in the current window, by class.",
      labelNames: ["pool", "class"],
      registers,
    }),
    usedByKind: new Gauge({
      name: "northflank_operator_api_budget_used_by_kind",
      help: "Requests that this process sent in the current window, by kind of the object; ServiceList, JobList and RunList are lists that are read for many.",
      labelNames: ["pool", "kind"],
      registers,
    }),
    usedByNamespace: new Gauge({
      name: "northflank_operator_api_budget_used_by_namespace",
      help: `The same by namespace: the ${mostSpenders} that spent the most, ${theOtherNamespaces} for all others, empty for lists.`,
      labelNames: ["pool", "namespace"],
      registers,
    }),
    usedByObject: new Gauge({
      name: "northflank_operator_api_budget_used_by_object",
      help: `The same by object or list: the ${mostSpenders} that spent the most. The name of a list is its project, or project/job.`,
      labelNames: ["pool", "kind", "namespace", "name"],
      registers,
    }),
    waiting: poolGauge(
      "northflank_operator_api_budget_waiting",
      "Requests that were deferred and are still to be sent.",
    ),
    pollStretch: poolGauge(
      "northflank_operator_api_budget_poll_stretch",
      "How many times longer than usual the polling intervals of rollouts and runs are, because of what is left of the quota.",
    ),
    checkStretch: poolGauge(
      "northflank_operator_api_budget_check_stretch",
      "How many times longer than usual the periods of drift checks are, because of the number of objects.",
    ),
    circuit: poolGauge(
      "northflank_operator_api_circuit_state",
      "0: requests are sent. 1: the quota is spent. 2: Northflank refused with a 429. 3: Northflank is down and probed.",
    ),
    deferred: new Counter({
      name: "northflank_operator_api_budget_deferred_total",
      help: "Requests that were deferred because of the quota.",
      labelNames: ["pool", "class"],
      registers,
    }),
  };

  const deliveries = new Counter({
    name: "northflank_operator_webhook_deliveries_total",
    help: "Notifications received from Northflank, by outcome.",
    labelNames: ["outcome"],
    registers,
  });

  const domain = {
    conditions: new Gauge({
      name: "northflank_operator_resource_condition",
      help: "Number of objects by condition and its status, from the cache of this replica.",
      labelNames: ["kind", "type", "status"],
      registers,
    }),
    reasons: new Gauge({
      name: "northflank_operator_resource_reason",
      help: "Number of objects by the reason of their condition Ready, from the cache of this replica.",
      labelNames: ["kind", "reason"],
      registers,
    }),
    startsUnknown: new Gauge({
      name: "northflank_operator_runs_start_unknown",
      help: "Number of runs whose start got no response and was not found: a user must decide.",
      registers,
    }),
    tokenExpiration: new Gauge({
      name: "northflank_operator_connection_token_expiration_timestamp_seconds",
      help: `Expiry of the token of a connection, in Unix seconds; per namespace the ${mostTokens} connections whose tokens expire first.`,
      labelNames: ["namespace", "name"],
      registers,
    }),
    timeToReady: new Histogram({
      name: "northflank_operator_resource_time_to_ready_seconds",
      help: "Time from the change of a spec to Ready=True.",
      labelNames: ["kind"],
      buckets: [1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600],
      registers,
    }),
    drift: new Counter({
      name: "northflank_operator_drift_detected_total",
      help: "Drift found: Northflank differed from what was applied.",
      labelNames: ["kind"],
      registers,
    }),
    changes: new Counter({
      name: "northflank_operator_changes_applied_total",
      help: "Changes that Northflank accepted.",
      labelNames: ["kind"],
      registers,
    }),
    runsStarted: new Counter({
      name: "northflank_operator_runs_started_total",
      help: "Runs that were started.",
      registers,
    }),
    runsRecovered: new Counter({
      name: "northflank_operator_runs_recovered_total",
      help: "Runs that were found in the run list after their start request got no response.",
      registers,
    }),
    runsFinished: new Counter({
      name: "northflank_operator_runs_finished_total",
      help: "Runs that ended, by result.",
      labelNames: ["result"],
      registers,
    }),
    runSeconds: new Histogram({
      name: "northflank_operator_run_duration_seconds",
      help: "Duration of runs, by Northflank's clock.",
      buckets: [1, 5, 15, 60, 300, 900, 3_600, 14_400],
      registers,
    }),
  };

  new Gauge({
    name: "northflank_operator_build_info",
    help: "Always 1; the labels identify the build.",
    labelNames: ["version", "revision", "node"],
    registers,
  }).set({ version: build.version, revision: build.revision, node: build.nodeVersion }, 1);

  for (const controller of controllerNames) {
    for (const result of [...results, ...unusedResults]) reconcile.total.inc({ controller, result }, 0);
    for (const counter of [
      reconcile.errors,
      reconcile.terminal,
      reconcile.panics,
      reconcile.timeouts,
      reconcile.throttled,
    ]) {
      counter.inc({ controller }, 0);
    }
    reconcile.seconds.zero({ controller });
    reconcile.active.set({ controller }, 0);
    for (const priority of priorities) queue.depth.set({ name: controller, controller, priority }, 0);
    const labels = { name: controller, controller };
    for (const counter of [queue.adds, queue.retries]) counter.inc(labels, 0);
    for (const histogram of [queue.wait, queue.work]) histogram.zero(labels);
    for (const gauge of [queue.unfinished, queue.longest]) gauge.set(labels, 0);
    queue.oldestDue.set({ controller }, 0);
  }
  for (const kind of ["NorthflankDeployment", "NorthflankJob"]) {
    domain.drift.inc({ kind }, 0);
    domain.changes.inc({ kind }, 0);
    domain.timeToReady.zero({ kind });
  }
  for (const outcome of deliveryOutcomes) deliveries.inc({ outcome }, 0);
  for (const how of ["created", "counted"]) kube.eventsWritten.inc({ how }, 0);
  for (const cause of ["full", "refused", "failed", "late"]) kube.eventsDropped.inc({ cause }, 0);
  for (const result of ["succeeded", "failed", "aborted", "unknown"]) domain.runsFinished.inc({ result }, 0);

  // What was counted of each pool, as the way to take it out again.
  const counted = new Map<string, Map<string, () => void>>();
  const count = <L extends string>(
    counter: Counter<L>,
    labels: Record<L, string> & { readonly pool: string },
    by = 1,
  ): void => {
    counter.inc(labels, by);
    const ofPool = counted.get(labels.pool) ?? new Map<string, () => void>();
    counted.set(labels.pool, ofPool);
    const id = Object.values(labels).join(" ");
    if (!ofPool.has(id)) ofPool.set(id, () => counter.remove(labels));
  };

  const targetObserver = (kind: "NorthflankDeployment" | "NorthflankJob") => ({
    driftDetected: () => domain.drift.inc({ kind }),
    changeApplied: () => domain.changes.inc({ kind }),
    becameReady: (durationMs: number) => domain.timeToReady.observe({ kind }, durationMs / 1_000),
  });

  return {
    registry,
    queueStats,

    /** Counts the reconciles of one controller. */
    controllerObserver: (controller: ControllerName, workers: number) => {
      reconcile.workers.set({ controller }, workers);
      return {
        reconciled: (result: (typeof results)[number], durationMs: number) => {
          reconcile.total.inc({ controller, result });
          reconcile.seconds.observe({ controller }, durationMs / 1_000);
          if (result === "error") reconcile.errors.inc({ controller });
        },
        panicked: () => reconcile.panics.inc({ controller }),
        timedOut: () => reconcile.timeouts.inc({ controller }),
        throttled: () => reconcile.throttled.inc({ controller }),
        activeWorkers: (count: number) => reconcile.active.set({ controller }, count),
      };
    },

    /** A reconcile found its object Stalled. */
    stalled: (controller: ControllerName) => reconcile.terminal.inc({ controller }),

    /**
     * Shows how many objects of a kind have each condition, and each of the reasons that a condition Ready can have, once
     * per scrape. Other reasons are not shown: they are of other clients.
     */
    conditions: (kind: string, objects: Iterable<ConditionedObject>, reasons: readonly string[] = []) => {
      const counts = countConditions(objects);
      const types: readonly string[] = Object.hasOwn(conditionTypes, kind)
        ? conditionTypes[kind as keyof typeof conditionTypes]
        : [];
      for (const type of types) {
        for (const status of conditionStatuses) {
          domain.conditions.set({ kind, type, status }, counts.byStatus.get(`${type} ${status}`) ?? 0);
        }
      }
      if (types.length === 0) return;
      for (const reason of reasons) domain.reasons.set({ kind, reason }, counts.byReason.get(reason) ?? 0);
      if (kind === "NorthflankJobRun") domain.startsUnknown.set(counts.startsUnknown);
    },

    /** Shows how long a watch has received nothing, once per scrape. */
    watchSilent: (resource: string, silentMs: number) => kube.watchSilent.set({ resource }, silentMs / 1_000),

    /**
     * Shows when the tokens of connections expire, once per scrape. Those that are gone, or do not expire, are not
     * shown.
     */
    tokens: (connections: Iterable<ExpiringObject>) => {
      domain.tokenExpiration.reset();
      for (const { namespace, name, timeMs } of expirations(connections)) {
        domain.tokenExpiration.set({ namespace, name }, timeMs / 1_000);
      }
    },

    /** Hears of the keys of one queue; its gauges are read with {@link queueStats}. */
    queueObserver: (controller: ControllerName) => {
      const labels = { name: controller, controller };
      return {
        added: () => queue.adds.inc(labels),
        retried: () => queue.retries.inc(labels),
        started: (waitedMs: number) => queue.wait.observe(labels, waitedMs / 1_000),
        finished: (workedMs: number) => queue.work.observe(labels, workedMs / 1_000),
      };
    },

    /** Hears of the watch of one resource. */
    reflectorObserver: (resource: string, clock: { readonly now: () => number }) => {
      for (const counter of [kube.relists, kube.handlerErrors]) counter.inc({ resource }, 0);
      for (const cause of watchCauses) kube.watchRestarts.inc({ resource, cause }, 0);
      return {
        listed: () => {
          kube.relists.inc({ resource });
          kube.watchLastEvent.set({ resource }, clock.now() / 1_000);
        },
        received: () => kube.watchLastEvent.set({ resource }, clock.now() / 1_000),
        failed: (cause: string) => kube.watchRestarts.inc({ resource, cause }),
        regressed: () => kube.watchRestarts.inc({ resource, cause: "regressed" }),
        handlerFailed: () => kube.handlerErrors.inc({ resource }),
      };
    },

    /** Hears of the election for the Lease of this name. */
    leaderObserver: (name: string) => {
      kube.leader.set({ name }, 0);
      kube.leaseFailures.inc({ name }, 0);
      return {
        leading: (isLeading: boolean) => kube.leader.set({ name }, isLeading ? 1 : 0),
        failed: () => kube.leaseFailures.inc({ name }),
      };
    },

    /** Counts what becomes of notifications. */
    webhookObserver: {
      delivered: (outcome: (typeof deliveryOutcomes)[number]) => deliveries.inc({ outcome }),
    },

    /** Counts what the deployment controller does. */
    deploymentObserver: targetObserver("NorthflankDeployment"),

    /** Counts what the job controller does. */
    jobObserver: targetObserver("NorthflankJob"),

    /** Counts what the job run controller does. */
    jobRunObserver: {
      started: () => domain.runsStarted.inc(),
      recovered: () => domain.runsRecovered.inc(),
      finished: (result: string) => domain.runsFinished.inc({ result }),
      ran: (seconds: number) => domain.runSeconds.observe(seconds),
    },

    /** Hears of Events that were written, or not. */
    eventsObserver: {
      written: (how: string) => kube.eventsWritten.inc({ how }),
      dropped: (cause: string) => kube.eventsDropped.inc({ cause }),
    },

    /** Hears of every call to the Kubernetes API. */
    kubeCall: (call: { readonly method: string; readonly host: string; readonly code: string }) =>
      kube.requests.inc({ method: call.method, host: call.host, code: call.code }),

    /** Hears of every request to Northflank, and of those that the ledger held back. */
    apiObserver: {
      onCall: (call: {
        readonly pool: string;
        readonly method: string;
        readonly route: string;
        readonly code: string;
        readonly durationMs: number;
        readonly retryCause?: string;
      }) => {
        const { pool, method, route, code } = call;
        count(remote.requests, { pool, method, route, code });
        remote.seconds.observe({ method, route }, call.durationMs / 1_000);
        if (call.retryCause !== undefined) count(remote.retries, { pool, cause: call.retryCause });
      },
      onDeferred: (deferred: { readonly pool: string; readonly class: string }) =>
        count(remote.deferred, { pool: deferred.pool, class: deferred.class }),
      /** The pool is not used any more: its figures would stay until the process ends. */
      onPoolGone: (pool: string) => {
        for (const remove of counted.get(pool)?.values() ?? []) remove();
        counted.delete(pool);
        for (const requestClass of requestClasses) remote.used.remove({ pool, class: requestClass });
        const stretches = [remote.pollStretch, remote.checkStretch];
        const gauges = [remote.limit, remote.remaining, remote.reset, remote.waiting, remote.circuit];
        for (const gauge of [...gauges, ...stretches]) gauge.remove({ pool });
      },
    },

    /** Shows what a ledger knows, once per scrape. */
    ledger: (
      pool: string,
      seen: {
        readonly limit: number | undefined;
        readonly remaining: number | undefined;
        readonly resetInMs: number | undefined;
        readonly usedBy: Readonly<Record<(typeof requestClasses)[number], number>>;
        readonly waiting: number;
        readonly pollStretch: number;
        readonly checkStretch: number;
        /** `spent`, `rate_limited`, or the code of the error while Northflank is down; missing while requests are sent. */
        readonly closedBy: string | undefined;
      },
    ) => {
      for (const requestClass of requestClasses) {
        remote.used.set({ pool, class: requestClass }, seen.usedBy[requestClass]);
        count(remote.deferred, { pool, class: requestClass }, 0);
      }
      remote.waiting.set({ pool }, seen.waiting);
      remote.pollStretch.set({ pool }, seen.pollStretch);
      remote.checkStretch.set({ pool }, seen.checkStretch);
      remote.circuit.set({ pool }, circuitState(seen.closedBy));
      if (seen.limit !== undefined) remote.limit.set({ pool }, seen.limit);
      if (seen.remaining !== undefined) remote.remaining.set({ pool }, seen.remaining);
      if (seen.resetInMs !== undefined) remote.reset.set({ pool }, Math.max(0, seen.resetInMs) / 1_000);
    },

    /** Shows who spends the quota of each account, once per scrape. Who is not among the largest is not shown. */
    spending: (pools: Iterable<readonly [pool: string, Spending]>) => {
      for (const gauge of [remote.usedByKind, remote.usedByNamespace, remote.usedByObject]) gauge.reset();
      for (const [pool, { total, kinds, namespaces, spenders }] of pools) {
        for (const [kind, count] of kinds) remote.usedByKind.set({ pool, kind }, count);
        const named = namespaces.slice(0, mostSpenders);
        for (const [namespace, count] of named) remote.usedByNamespace.set({ pool, namespace }, count);
        const others = named.reduce((left, [, count]) => left - count, total);
        if (others > 0) remote.usedByNamespace.set({ pool, namespace: theOtherNamespaces }, others);
        for (const [spender, count] of spenders.slice(0, mostSpenders)) {
          remote.usedByObject.set({ pool, ...spender }, count);
        }
      }
    },
  };

  /** Shows the state of a queue, once per scrape. */
  function queueStats(
    controller: ControllerName,
    stats: {
      readonly ready: Readonly<Record<(typeof priorities)[number], number>>;
      readonly unfinishedMs: number;
      readonly longestRunningMs: number;
      readonly oldestDueMs: number;
    },
  ): void {
    const labels = { name: controller, controller };
    for (const priority of priorities) queue.depth.set({ ...labels, priority }, stats.ready[priority]);
    queue.unfinished.set(labels, stats.unfinishedMs / 1_000);
    queue.longest.set(labels, stats.longestRunningMs / 1_000);
    queue.oldestDue.set({ controller }, stats.oldestDueMs / 1_000);
  }

  function perController(name: string, help: string) {
    return new Counter({ name, help, labelNames: ["controller"], registers });
  }
  function gaugePerController(name: string, help: string) {
    return new Gauge({ name, help, labelNames: ["controller"], registers });
  }
  function queueCounter(name: string, help: string) {
    return new Counter({ name, help, labelNames: ["name", "controller"], registers });
  }
  function queueGauge(name: string, help: string) {
    return new Gauge({ name, help, labelNames: ["name", "controller"], registers });
  }
  function queueHistogram(name: string, help: string) {
    const buckets = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300];
    return new Histogram({ name, help, labelNames: ["name", "controller"], buckets, registers });
  }
  function poolGauge(name: string, help: string) {
    return new Gauge({ name, help, labelNames: ["pool"], registers });
  }
}

/** See the help of `api_circuit_state`. */
function circuitState(closedBy: string | undefined): number {
  if (closedBy === undefined) return 0;
  const states: Readonly<Record<string, number>> = { spent: 1, rate_limited: 2 };
  return states[closedBy] ?? 3;
}

interface Expiration {
  readonly namespace: string;
  readonly name: string;
  readonly timeMs: number;
}

/** The tokens that expire first, of each namespace no more than {@link mostTokens}. */
function expirations(connections: Iterable<ExpiringObject>): readonly Expiration[] {
  const byNamespace = new Map<string, Expiration[]>();
  for (const { metadata, status } of connections) {
    const timeMs = Date.parse(status?.tokenExpirationTime ?? "");
    if (Number.isNaN(timeMs)) continue;
    const { namespace = "", name } = metadata;
    const known = byNamespace.get(namespace);
    if (known === undefined) byNamespace.set(namespace, [{ namespace, name, timeMs }]);
    else known.push({ namespace, name, timeMs });
  }
  return [...byNamespace.values()].flatMap((known) =>
    known.sort((left, right) => left.timeMs - right.timeMs).slice(0, mostTokens),
  );
}

interface ConditionCounts {
  /** By type and status, as `Ready True`. */
  readonly byStatus: ReadonlyMap<string, number>;
  /** By the reason of Ready. */
  readonly byReason: ReadonlyMap<string, number>;
  readonly startsUnknown: number;
}

/** One traversal: there may be 10,000 objects. */
function countConditions(objects: Iterable<ConditionedObject>): ConditionCounts {
  const byStatus = new Map<string, number>();
  const byReason = new Map<string, number>();
  let startsUnknown = 0;
  for (const object of objects) {
    let isUnknown = false;
    let isFinished = false;
    for (const { type, status, reason = "" } of object.status?.conditions ?? []) {
      increment(byStatus, `${type} ${status}`);
      if (type === "Ready") increment(byReason, reason);
      if (type === "Started") isUnknown = reason === "StartOutcomeUnknown";
      if (type === "Finished") isFinished = status === "True";
    }
    // One that a user has given up is decided.
    if (isUnknown && !isFinished) startsUnknown += 1;
  }
  return { byStatus, byReason, startsUnknown };
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
