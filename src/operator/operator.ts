import { isIP } from "node:net";
import { kinds } from "../api/kinds.ts";
import { reportingController, webhookAddressAnnotation } from "../api/names.ts";
import { createValidator } from "../api/validate.ts";
import type { Config } from "../config.ts";
import { createApiFactory } from "../controllers/account/api-factory.ts";
import { RestoreMemory } from "../controllers/job-run/restored.ts";
import type { EventSink } from "../controllers/reconcile/events.ts";
import type { KubeClient } from "../kube/client.ts";
import { isKubeError } from "../kube/errors.ts";
import { createKubeClient } from "../kube/http-client.ts";
import { type KubeAccess, loadKubeAccess } from "../kube/kubeconfig.ts";
import { createServerClock } from "../kube/server-clock.ts";
import { leases } from "../kube/types.ts";
import { createMetrics, type Metrics } from "../metrics.ts";
import { createTransport } from "../northflank/transport.ts";
import { Events } from "../runtime/events.ts";
import { Installation } from "../runtime/installation.ts";
import { LeaderElection, type LeaderNotes, type Leadership, soleLeadership } from "../runtime/leader-election.ts";
import { createManager } from "../runtime/manager.ts";
import { observedKube } from "../runtime/observed-kube.ts";
import type { ObjectKey } from "../runtime/outcome.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import type { Random } from "../util/random.ts";
import { revision, version } from "../version.ts";
import type { Hint } from "../webhook/delivery.ts";
import { createCaches } from "./caches.ts";
import { createControllers } from "./controllers.ts";
import { startEndpoints } from "./endpoints.ts";
import { remedies } from "./installation-remedies.ts";
import { operatorToken } from "./operator-token.ts";
import { createFits, schemaFittedClient } from "./schema-fitted-client.ts";
import { watchServedSchemas } from "./served-schemas.ts";
import { StatusPage } from "./status-page.ts";
import { LastReceived, startWebhook } from "./webhook.ts";

export interface OperatorOptions {
  readonly config: Config;
  /** The operator-wide token from the environment, if there is one. */
  readonly operatorToken: string | undefined;
  /** Names this replica in the Lease and in Events: the pod's name. */
  readonly identity: string;
  readonly nodeVersion: string;
  /** What credential plugins of the kubeconfig inherit, and where a pod learns the API server's address. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A new unique id. */
  readonly newId: () => string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Shuts the program down in order. */
  readonly stop: AbortSignal;
}

const leaseName = "northflank-operator";
const userAgent = `northflank-operator/${version}`;

/**
 * Runs the operator until `stop` is aborted (0), loses its leadership (1), or finds that it cannot work with what it
 * was given (2).
 */
export async function runOperator(options: OperatorOptions): Promise<0 | 1 | 2> {
  const { config, random, log, stop } = options;
  const access = await kubeAccess(options);
  if (access === undefined) return 2;
  const metrics = createMetrics({ version, revision, nodeVersion: options.nodeVersion });
  // Ages in status are judged by the clock that stamps them, whatever machine this replica runs on.
  const { clock, heard } = createServerClock(options.clock);
  await using client = createKubeClient({ access, clock, userAgent, onCall: metrics.kubeCall, onDate: heard });
  const installation = new Installation({ remedies, clock, log });
  const kube = observedKube(client, installation);
  const { explain } = installation;
  await using transport = createTransport({
    clock,
    allowedHosts: config.allowedApiHosts,
    userAgent,
    totalTimeoutMs: config.requestTimeoutMs,
    proxy: config.proxy,
  });
  const { observeShare } = config;
  const apis = createApiFactory({ transport, clock, random, observeShare, observer: metrics.apiObserver });
  const restores = new RestoreMemory(clock);
  const validator = createValidator();
  const fits = createFits(validator);
  const onRegression = restores.noticed;
  const caches = createCaches({ kube, fits, config, metrics, explain, clock, random, log, onRegression });
  const { namespace } = access;
  const own: { webhook?: string } = {};
  const annotations = () => (own.webhook === undefined ? {} : { [webhookAddressAnnotation]: own.webhook });
  const leadership = lead(options, {
    kube,
    metrics,
    namespace,
    explain,
    annotations,
    onReachable: () => manager.nudge(),
  });
  const recorder = new Events({
    kube,
    reportingController,
    reportingInstance: options.identity,
    clock,
    random,
    log,
    observer: metrics.eventsObserver,
    explain,
  });
  const events: EventSink = { record: (regarding, draft) => recorder.record({ regarding, ...draft }) };
  const received = new LastReceived();
  const statusPage = config.statusPage ? new StatusPage({ config, identity: options.identity, clock }) : undefined;
  const { controllers, hints, checkStretch } = createControllers({
    config,
    caches,
    validator,
    kube: schemaFittedClient(kube, fits),
    apis,
    operatorToken: operatorToken(config, options.operatorToken),
    leadership,
    events,
    metrics,
    newId: options.newId,
    lastHintMs: received.get,
    restored: restores.last,
    timing: statusPage?.timed,
    explain,
    clock,
    random,
    log,
  });
  const allCaches = Object.values(caches);
  const manager = createManager({
    caches: allCaches,
    controllers,
    leadership,
    drainEvents: (signal) => recorder.drain(signal),
    graceMs: config.shutdownGraceMs,
    clock,
    log,
  });
  const connections = caches.connections.store;
  const checks = () => {
    const ofManager = manager.checks();
    return [...ofManager, ...installation.checks(ofManager)];
  };
  const served = {
    config,
    manager: { checks },
    controllers,
    caches: allCaches,
    connections,
    apis,
    checkStretch,
    metrics,
    clock,
    log,
  };
  using page = statusPage;
  page?.start({ ...served, leadership });
  await using _endpoints = await startEndpoints({ ...served, statusPage: page?.answer });
  const onHint = (connection: ObjectKey, hint: Hint) => hints.take(connection, hint);
  const observer = metrics.webhookObserver;
  const leaderAddress = () => leadership.annotationsOfLeader()?.[webhookAddressAnnotation];
  const onListening = (port: number): void => {
    const address = podAddress(options.env.POD_IP, port);
    if (address !== undefined) own.webhook = address;
  };
  const webhook = { config, kube, connections, received, onHint, observer, leaderAddress, onListening, clock, log };
  await using _webhook = await startWebhook(webhook);
  log.info({ version, namespaces: config.watchNamespaces, leaderElect: config.leaderElect }, "starting operator");
  const over = new AbortController();
  // After the start, not in its way.
  const settled = Promise.all(allCaches.map((cache) => cache.whenSettled(over.signal)));
  const schemas = watchServedSchemas({ kube: client, kinds, installation, clock, log }, settled, over.signal);
  const end = await manager.run(stop);
  over.abort(new Error("the operator has ended"));
  await schemas;
  log.info({ reason: end }, "operator ended");
  return end === "stopped" ? 0 : 1;
}

/** `undefined`: what is configured cannot be used, and the log says why. */
async function kubeAccess({ config, env, clock, log }: OperatorOptions): Promise<KubeAccess | undefined> {
  try {
    const { kubeconfig: path, context } = config;
    const source = { ...(path === undefined ? {} : { path }), ...(context === undefined ? {} : { context }) };
    const access = await loadKubeAccess(source, { clock, env });
    if (access.isAnonymous) log.warn({}, "kubeconfig without user, requests are anonymous");
    return access;
  } catch (error) {
    if (!isKubeError(error, "config")) throw error;
    log.error({ err: error }, "failed to load the kubeconfig");
    return undefined;
  }
}

/** Where other pods reach a port of this one; `undefined` where its address is not known. */
function podAddress(ip: string | undefined, port: number): string | undefined {
  if (ip === undefined || isIP(ip) === 0) return undefined;
  return isIP(ip) === 6 ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function lead(
  { config, identity, newId, clock, random, log }: OperatorOptions,
  deps: {
    readonly kube: KubeClient;
    readonly metrics: Metrics;
    readonly namespace: string;
    readonly explain: Installation["explain"];
    readonly annotations: () => Readonly<Record<string, string>>;
    readonly onReachable: () => void;
  },
): Leadership & LeaderNotes {
  if (!config.leaderElect) return soleLeadership();
  const namespace = config.leaderElectNamespace ?? deps.namespace;
  return new LeaderElection({
    kube: deps.kube,
    namespace,
    name: leaseName,
    // A pod that is restarted keeps its name: what is new is the process.
    identity: `${identity}_${newId()}`,
    leaseDurationMs: config.leaderElectLeaseDurationMs,
    renewDeadlineMs: config.leaderElectRenewDeadlineMs,
    retryPeriodMs: config.leaderElectRetryPeriodMs,
    annotations: deps.annotations,
    onReachable: deps.onReachable,
    explain: (error) => deps.explain(error, { verb: "create", type: leases, namespace }),
    clock,
    random,
    log,
    observer: deps.metrics.leaderObserver(leaseName),
  });
}
