import { reasons } from "../api/reasons.ts";
import type { BindAddress, Config } from "../config.ts";
import type { ApiFactory } from "../controllers/account/api-factory.ts";
import { type HttpAnswer, type HttpRoute, type HttpServer, startHttpServer } from "../http-server.ts";
import { controllerNames, type Metrics, mostSpenders } from "../metrics.ts";
import type { Check, ManagedController, Manager } from "../runtime/manager.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";

export interface EndpointsDeps {
  readonly config: Pick<Config, "healthBindAddress" | "metricsBindAddress">;
  readonly manager: Pick<Manager, "checks">;
  readonly controllers: readonly ManagedController[];
  readonly caches: readonly ScrapedCache[];
  readonly connections: { list(): Parameters<Metrics["tokens"]>[0] };
  readonly apis: Pick<ApiFactory, "pools" | "spending" | "stretch">;
  /** How many times longer than usual the periods of checks for drift of an account are. */
  readonly checkStretch: (pool: string) => number;
  readonly metrics: Metrics;
  /** Makes the status page, for `/` of the health port. Default: there is none. */
  readonly statusPage?: (() => HttpAnswer) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a scrape reads of a cache: the conditions of its objects, and how long ago its watch received anything. */
export interface ScrapedCache {
  readonly resource: { readonly kind: string; readonly plural: string };
  readonly store: { list(): Parameters<Metrics["conditions"]>[1] };
  silentMs(): number;
}

/**
 * Serves `/healthz`, `/readyz`, `/metrics` and the status page, each where it is wanted.
 *
 * Healthy: the event loop turns. Ready: caches are filled and heard from, and nothing due waits for too long. A standby
 * is ready as well. With `?verbose` every check has one line, marked as those of Kubernetes are: `[+]` well, `[-]` not
 * ready; and `[!]`, which Kubernetes does not have: something is missing that does not make the program unready.
 */
export async function startEndpoints(deps: EndpointsDeps): Promise<AsyncDisposable> {
  const { config, log } = deps;
  const servers: HttpServer[] = [];
  const serve = async (
    endpoint: string,
    address: BindAddress | undefined,
    routes: Readonly<Record<string, HttpRoute>>,
  ): Promise<void> => {
    if (address === undefined) return;
    const onError = (err: unknown) => log.error({ err, endpoint }, "failed to serve request");
    const server = await startHttpServer({ ...address, routes, onError, clock: deps.clock });
    servers.push(server);
    log.info({ endpoint, address: server.address }, "server listening");
  };
  await serve("health", config.healthBindAddress, {
    "/healthz": () => ({ status: 200, body: "ok\n" }),
    "/readyz": (query) => readiness(deps, query.has("verbose")),
    ...statusRoute(deps),
  });
  await serve("metrics", config.metricsBindAddress, { "/metrics": seldom(() => scrape(deps), deps.clock) });
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** Reading all objects for the page takes time, as a scrape does. */
function statusRoute({ statusPage, clock }: EndpointsDeps): Readonly<Record<string, HttpRoute>> {
  return statusPage === undefined ? {} : { "/": seldom(async () => statusPage(), clock) };
}

/**
 * However many requests come, the work is done once at a time and for a twentieth of the time at most; requests in
 * between get the last result.
 */
function seldom<T>(work: () => Promise<T>, clock: Clock): () => Promise<T> {
  let last: Promise<T> | undefined;
  let restUntilMs = Number.NEGATIVE_INFINITY;
  return () => {
    if (last !== undefined && clock.monotonic() < restUntilMs) return last;
    const startedMs = clock.monotonic();
    restUntilMs = Number.POSITIVE_INFINITY;
    last = work().finally(() => {
      const nowMs = clock.monotonic();
      restUntilMs = nowMs + 19 * (nowMs - startedMs);
    });
    return last;
  };
}

function readiness({ manager }: EndpointsDeps, isVerbose: boolean): { readonly status: number; readonly body: string } {
  const checks = manager.checks();
  const failed = checks.filter(({ ok }) => !ok);
  const shown = isVerbose ? checks : failed;
  const lines = shown.map((check) => `${lineOf(check)}\n`);
  if (failed.length > 0) return { status: 503, body: `${lines.join("")}not ready\n` };
  return { status: 200, body: `${lines.join("")}ok\n` };
}

function lineOf({ name, ok, reason }: Check): string {
  if (!ok) return `[-]${name} ${reason}`;
  return reason === "" ? `[+]${name} ok` : `[!]${name}: ${reason}`;
}

/** Gauges are read here, once per scrape: keeping them up to date at every change would cost more than is read. */
async function scrape({ metrics, controllers, caches, connections, apis, checkStretch, clock }: EndpointsDeps) {
  for (const { resource, store, silentMs } of caches) {
    metrics.conditions(resource.kind, store.list(), reasons);
    metrics.watchSilent(resource.plural, silentMs());
  }
  metrics.tokens(connections.list());
  for (const { controller } of controllers) {
    const name = controllerNames.find((known) => known === controller.name);
    if (name === undefined) continue;
    const { queue } = controller;
    metrics.queueStats(name, { ...queue.stats(), oldestDueMs: queue.oldestDueMs() });
  }
  const pools = apis.pools();
  for (const [pool, { resetAtMs, ...quota }] of pools) {
    const resetInMs = resetAtMs === undefined ? undefined : resetAtMs - clock.now();
    metrics.ledger(pool, { ...quota, resetInMs, pollStretch: apis.stretch(pool), checkStretch: checkStretch(pool) });
  }
  metrics.spending(
    pools.flatMap(([pool]) => {
      const spending = apis.spending(pool, mostSpenders);
      return spending === undefined ? [] : [[pool, spending] as const];
    }),
  );
  const { registry } = metrics;
  return { status: 200, contentType: registry.contentType, body: await registry.metrics() };
}
