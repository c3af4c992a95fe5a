import { createValidator } from "../../src/api/validate.ts";
import type { Config } from "../../src/config.ts";
import { type ApiFactory, createApiFactory, type PoolObserver } from "../../src/controllers/account/api-factory.ts";
import type { EventSink } from "../../src/controllers/reconcile/events.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { createMetrics } from "../../src/metrics.ts";
import type { Transport } from "../../src/northflank/transport.ts";
import { type Caches, createCaches } from "../../src/operator/caches.ts";
import { createControllers } from "../../src/operator/controllers.ts";
import { createFits, schemaFittedClient } from "../../src/operator/schema-fitted-client.ts";
import { LastReceived } from "../../src/operator/webhook.ts";
import { soleLeadership } from "../../src/runtime/leader-election.ts";
import { createManager, type Manager } from "../../src/runtime/manager.ts";
import type { ObjectKey } from "../../src/runtime/outcome.ts";
import type { Clock } from "../../src/util/clock.ts";
import type { Log } from "../../src/util/log.ts";
import type { Random } from "../../src/util/random.ts";
import type { Hint } from "../../src/webhook/delivery.ts";

/** What the composed operator stands between, and the clock that it runs on. */
export interface OperatorSurroundings {
  readonly config: Config;
  readonly kube: KubeClient;
  readonly transport: Transport;
  readonly record: EventSink["record"];
  /** Told of each request to Northflank, and of each that the ledger held back. */
  readonly observer?: PoolObserver;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The operator, ready to be started by `manager.run`. */
export interface ComposedOperator {
  readonly manager: Manager;
  readonly caches: Caches;
  readonly apis: ApiFactory;
  /** What the webhook receiver does with a notification for this connection. */
  readonly deliver: (connection: ObjectKey, hint: Hint) => void;
}

// One for all: it compiles each schema once.
const validator = createValidator();

/**
 * All four controllers with their caches, watches, ledgers and the manager, as `runOperator` composes them: without the
 * HTTP transports, leader election, the recorder of Events and the endpoints.
 */
export function composeOperator(surroundings: OperatorSurroundings): ComposedOperator {
  const { config, kube, transport, record, observer, clock, random, log } = surroundings;
  const metrics = createMetrics({ version: "0", revision: "0", nodeVersion: "0" });
  const fits = createFits(validator);
  const explain = () => undefined;
  const onRegression = () => undefined;
  const caches = createCaches({ kube, fits, config, metrics, explain, clock, random, log, onRegression });
  const { observeShare } = config;
  const apis = createApiFactory({ transport, clock, random, observeShare, ...(observer && { observer }) });
  const leadership = soleLeadership();
  let ids = 0;
  const received = new LastReceived();
  const { controllers, hints } = createControllers({
    config,
    caches,
    validator,
    kube: schemaFittedClient(kube, fits),
    apis,
    operatorToken: undefined,
    leadership,
    events: { record },
    metrics,
    newId: () => `id-${++ids}`,
    lastHintMs: received.get,
    restored: () => undefined,
    explain,
    clock,
    random,
    log,
  });
  const manager = createManager({
    caches: Object.values(caches),
    controllers,
    leadership,
    graceMs: 30_000,
    clock,
    log,
  });
  const deliver = (connection: ObjectKey, hint: Hint): void => {
    received.set(connection, clock.now());
    hints.take(connection, hint);
  };
  return { manager, caches, apis, deliver };
}

/** Reads what is stored; of Secrets any is there, and has `token` (default `token`). */
export function secretOrStored(server: Pick<KubeClient, "get">, token = "token"): KubeClient["get"] {
  return (async (type, at) => {
    if (type.kind !== "Secret") return await server.get(type, at);
    const metadata = { ...at, uid: "s", resourceVersion: "1" };
    const data = { token: Buffer.from(token).toString("base64") };
    return { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", data };
  }) as KubeClient["get"];
}
