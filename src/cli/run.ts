import type { NorthflankConnection } from "../api/connection.ts";
import type { NorthflankDeployment } from "../api/deployment.ts";
import type { NorthflankJobRun } from "../api/job-run.ts";
import { findKind } from "../api/kinds.ts";
import { northflankConnections, northflankDeployments, northflankJobRuns, reportingController } from "../api/names.ts";
import { createProjection } from "../api/project-object.ts";
import { createValidator } from "../api/validate.ts";
import type { BindAddress, Config } from "../config.ts";
import { createDeploymentReconciler } from "../controllers/deployment/reconciler.ts";
import { deploymentIndexes } from "../controllers/deployment/target.ts";
import { createJobRunReconciler, jobRunIndexes } from "../controllers/job-run/reconciler.ts";
import { createApiFactory } from "../controllers/shared/api-factory.ts";
import { createAccounts } from "../controllers/shared/create-accounts.ts";
import { connectionKeys } from "../controllers/shared/dependents.ts";
import type { EventDraft } from "../controllers/shared/event-draft.ts";
import { LookSchedule } from "../controllers/shared/look-schedule.ts";
import { createStatusWriter } from "../controllers/shared/status-writer.ts";
import { type HttpRoute, type HttpServer, startHttpServer } from "../http-server.ts";
import { isKubeError, KubeError } from "../kube/errors.ts";
import { createKubeClient } from "../kube/http-client.ts";
import { loadKubeAccess } from "../kube/kubeconfig.ts";
import type { KubeObject, ResourceType } from "../kube/types.ts";
import { type ControllerName, createMetrics } from "../metrics.ts";
import { createTransport } from "../northflank/transport.ts";
import { createController, type Reconcile } from "../runtime/controller.ts";
import { Events } from "../runtime/events.ts";
import { LeaderElection, soleLeadership } from "../runtime/leader-election.ts";
import type { IndexFunction } from "../runtime/store.ts";
import { watchKind } from "../runtime/watched-kind.ts";
import { WorkQueue } from "../runtime/work-queue.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import type { Random } from "../util/random.ts";
import { revision, version } from "../version.ts";
import type { ExitCode } from "./io.ts";
import { operatorToken } from "./operator-token.ts";
import { wireWakes } from "./wakes.ts";

export interface OperatorOptions {
  readonly config: Config;
  /** The operator-wide token from the environment, if there is one. */
  readonly operatorToken: string | undefined;
  /** Names this replica in the Lease and in Events: the pod's name. */
  readonly identity: string;
  readonly nodeVersion: string;
  /** A new unique id. */
  readonly newId: () => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Ends the program in good order. */
  readonly stop: AbortSignal;
}

/** Runs the operator until it is told to stop (0), loses its leadership (1) or finds no usable kubeconfig (2). */
export async function runOperator(options: OperatorOptions): Promise<ExitCode> {
  const { config, clock, random, log, stop } = options;
  const metrics = createMetrics({ version, revision, nodeVersion: options.nodeVersion });
  const source = {
    ...(config.kubeconfig === undefined ? {} : { path: config.kubeconfig }),
    ...(config.context === undefined ? {} : { context: config.context }),
  };
  const access = await loadKubeAccess(source, { clock }).catch(onlyConfigProblems);
  if (access instanceof KubeError) {
    log.error({ err: access }, "the way to Kubernetes cannot be used");
    return 2;
  }
  const userAgent = `northflank-operator/${version}`;
  const kube = createKubeClient({ access, clock, userAgent, onCall: metrics.kubeCall });

  const watched = <T extends KubeObject, I extends string>(
    type: ResourceType,
    indexes: Readonly<Record<I, IndexFunction<T>>>,
  ) => {
    const definition = findKind(type.kind);
    if (definition === undefined) throw new TypeError(`${type.kind} is none of our kinds`);
    return watchKind<T, I>({
      kube,
      resource: type,
      namespaces: config.watchNamespaces,
      ...(config.watchLabelSelector === undefined ? {} : { labelSelector: config.watchLabelSelector }),
      project: createProjection<T>(definition),
      indexes,
      clock,
      random,
      log,
      observer: metrics.reflectorObserver(type.plural, clock),
    });
  };
  const connections = watched<NorthflankConnection, never>(northflankConnections, {});
  const deployments = watched<NorthflankDeployment, "target" | "waitFor" | "connection">(northflankDeployments, {
    ...deploymentIndexes,
    connection: connectionKeys,
  });
  const jobRuns = watched<NorthflankJobRun, "job" | "connection">(northflankJobRuns, {
    ...jobRunIndexes,
    connection: connectionKeys,
  });
  const kinds = [connections, deployments, jobRuns];

  const transport = createTransport({
    clock,
    allowedHosts: config.allowedApiHosts,
    userAgent,
    totalTimeoutMs: config.requestTimeoutMs,
  });
  const apis = createApiFactory({ transport, clock, random, observer: metrics.apiObserver });
  const accounts = createAccounts({
    kube,
    connections: connections.store,
    openApi: apis.open,
    operatorToken: operatorToken(config, options.operatorToken),
    defaultApiUrl: config.apiUrl.href.replace(/\/$/, ""),
    defaultMaxRequestsPerHour: config.maxRequestsPerHour,
    allowedApiHosts: config.allowedApiHosts,
    clock,
    random,
  });
  const validator = createValidator();
  const recorder = new Events({
    kube,
    reportingController,
    reportingInstance: options.identity,
    clock,
    random,
    log,
    observer: metrics.eventsObserver,
  });
  const events = {
    record: (regarding: KubeObject, draft: EventDraft) => recorder.record({ regarding, ...draft }),
  };

  const queue = (name: ControllerName) => new WorkQueue({ clock, random, observer: metrics.queueObserver(name) });
  const queues = { connection: queue("connection"), deployment: queue("deployment"), jobRun: queue("job-run") };
  wireWakes({
    connections: connections.store,
    deployments: deployments.store,
    jobRuns: jobRuns.store,
    queues,
    forgetConnection: accounts.forget,
  });

  const leadership = config.leaderElect
    ? new LeaderElection({
        kube,
        namespace: config.leaderElectNamespace ?? access.namespace,
        name: "northflank-operator",
        identity: `${options.identity}_${randomSuffix(random)}`,
        leaseDurationMs: config.leaderElectLeaseDurationMs,
        renewDeadlineMs: config.leaderElectRenewDeadlineMs,
        retryPeriodMs: config.leaderElectRetryPeriodMs,
        onReachable: () => {
          for (const kind of kinds) kind.nudge();
        },
        clock,
        random,
        log,
        observer: metrics.leaderObserver("northflank-operator"),
      })
    : soleLeadership();

  const deploymentReconciler = createDeploymentReconciler({
    store: deployments.store,
    runs: jobRuns.store,
    accounts,
    validate: ({ kind, spec }) => validator.validateSpec(kind, spec),
    schedule: new LookSchedule({ clock, random }),
    settings: { resyncPeriodMs: config.resyncPeriodMs, rolloutPollIntervalMs: config.rolloutPollIntervalMs },
    statusWriter: createStatusWriter<NorthflankDeployment>({
      kube,
      type: northflankDeployments,
      overlay: deployments.overlay,
    }),
    events,
    observer: metrics.deploymentObserver,
    clock,
    random,
  });
  const controller = (name: ControllerName, work: WorkQueue, reconcile: Reconcile) =>
    createController({
      name,
      queue: work,
      workers: config.workers,
      reconcile,
      whenUsable: async (signal) => {
        await Promise.all(kinds.map((kind) => kind.whenSynced(signal)));
      },
      clock,
      random,
      log,
      observer: metrics.controllerObserver(name, config.workers),
    });
  const jobRunReconciler = createJobRunReconciler({
    kube,
    store: jobRuns.store,
    overlay: jobRuns.overlay,
    statusWriter: createStatusWriter<NorthflankJobRun>({ kube, type: northflankJobRuns, overlay: jobRuns.overlay }),
    accounts,
    validate: ({ kind, spec }) => validator.validateSpec(kind, spec),
    events,
    observer: metrics.jobRunObserver,
    wake: (key) => queues.jobRun.add(key),
    lease: leadership,
    settings: {
      runPollIntervalMs: config.runPollIntervalMs,
      startSettleMs: config.startSettleMs,
      startGateMs: config.startGateMs,
      requestTimeoutMs: config.requestTimeoutMs,
      // What is sent leaves within milliseconds of the check; a third of the renew deadline is ample for that, and less
      // than what is left of a lease that is being renewed.
      leaseMarginMs: config.leaderElectRenewDeadlineMs / 3,
    },
    newId: options.newId,
    clock,
    random,
  });
  const controllers = [
    controller("deployment", queues.deployment, deploymentReconciler),
    controller("job-run", queues.jobRun, jobRunReconciler),
  ];

  const servers = await Promise.all([
    serve(config.healthBindAddress, "health", {
      "/healthz": () => ({ status: 200, body: "ok\n" }),
      "/readyz": () =>
        kinds.every((kind) => kind.hasSynced()) ? { status: 200, body: "ok\n" } : { status: 503, body: "syncing\n" },
    }),
    serve(config.metricsBindAddress, "metrics", {
      "/metrics": async () => ({
        status: 200,
        contentType: metrics.registry.contentType,
        body: await metrics.registry.metrics(),
      }),
    }),
  ]);

  for (const kind of kinds) kind.start();
  leadership.start();
  const leading = await leadership.whenLeading(stop).catch(() => undefined);
  if (leading !== undefined) {
    for (const each of controllers) each.start(leading);
    await ended(stop, leading);
  }
  const grace = new AbortController();
  await Promise.all(controllers.map((each) => each.drain(grace.signal)));
  await Promise.all(kinds.map((kind) => kind.stop()));
  await leadership.release();
  await Promise.all(servers.map((server) => server?.stop()));
  return stop.aborted ? 0 : 1;

  async function serve(
    address: BindAddress | undefined,
    endpoint: string,
    routes: Readonly<Record<string, HttpRoute>>,
  ): Promise<HttpServer | undefined> {
    if (address === undefined) return undefined;
    const server = await startHttpServer({
      ...address,
      routes,
      onError: (err) => log.error({ err, endpoint }, "request failed"),
    });
    log.info({ endpoint, address: server.address }, "listening");
    return server;
  }
}

/** A kubeconfig that cannot be used is the caller's mistake; anything else that goes wrong there is ours. */
function onlyConfigProblems(error: unknown): KubeError {
  if (isKubeError(error, "config")) return error;
  throw error;
}

function ended(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    }
  });
}

function randomSuffix(random: Random): string {
  return Math.floor(random() * 0x100000000)
    .toString(16)
    .padStart(8, "0");
}
