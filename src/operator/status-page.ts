import { createHash } from "node:crypto";
import type { Config } from "../config.ts";
import type { ApiFactory } from "../controllers/account/api-factory.ts";
import type { HttpAnswer } from "../http-server.ts";
import type { LeaderNotes, Leadership } from "../runtime/leader-election.ts";
import type { ManagedController, Manager } from "../runtime/manager.ts";
import { objectKey } from "../runtime/outcome.ts";
import type { Listed, ShownAccount, ShownReconcile, StatusModel } from "../status-page/model.ts";
import { statusPage } from "../status-page/page.ts";
import { style } from "../status-page/style.ts";
import type { Clock } from "../util/clock.ts";
import { version } from "../version.ts";
import { QuotaHistory } from "./quota-history.ts";
import { type StatedKind, type StatedObject, shownStates } from "./shown-states.ts";
import { SlowReconciles } from "./slow-reconciles.ts";

/** What the page is made from, once the program is wired together. */
export interface StatusSources {
  readonly manager: Pick<Manager, "checks">;
  readonly controllers: readonly Pick<ManagedController, "controller">[];
  readonly caches: readonly {
    readonly resource: { readonly kind: string };
    readonly store: { list(): readonly StatedObject[] };
  }[];
  readonly apis: Pick<ApiFactory, "pools" | "spending" | "stretch">;
  readonly checkStretch: (pool: string) => number;
  readonly leadership: Pick<Leadership, "isLeaderFor"> & Pick<LeaderNotes, "holder">;
}

const mostAccounts = 10;
const mostSpenders = 8;
const mostSlow = 8;

/** The controllers by the kind that each reconciles. */
const controllerOf: Readonly<Record<string, string>> = {
  NorthflankConnection: "connection",
  NorthflankDeployment: "deployment",
  NorthflankJob: "job",
  NorthflankJobRun: "job-run",
};

/** No script, nothing from elsewhere, no frame; the one style by its hash. */
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const headers = {
  "content-security-policy": policy,
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
} as const;

/**
 * The status page of this process: what it has in memory, without a request to either API.
 *
 * *Guarantees*: nothing secret is in it, because conditions, names and counts are all it reads; its size is bounded,
 * whatever the number of objects.
 */
export class StatusPage implements Disposable {
  readonly #options: { readonly config: Pick<Config, "docsUrl">; readonly identity: string; readonly clock: Clock };
  readonly #slow: SlowReconciles;
  #sources: StatusSources | undefined;
  #history: QuotaHistory | undefined;

  constructor(options: { readonly config: Pick<Config, "docsUrl">; readonly identity: string; readonly clock: Clock }) {
    this.#options = options;
    this.#slow = new SlowReconciles(options.clock);
  }

  /** Hears how long a reconcile took. */
  readonly timed = (controller: string, key: string, durationMs: number): void =>
    this.#slow.add(controller, key, durationMs);

  /** To be called once; from then on {@link answer} has a page. */
  start(sources: StatusSources): void {
    this.#sources = sources;
    this.#history = new QuotaHistory(this.#options.clock, () =>
      sources.apis.pools().map(([pool, { remaining }]) => [pool, remaining]),
    );
    this.#history.start();
  }

  [Symbol.dispose](): void {
    this.#history?.stop();
  }

  /** Answers a request for the page. */
  readonly answer = (): HttpAnswer => {
    if (this.#sources === undefined) return { status: 503, body: "not started\n" };
    const body = statusPage(this.#model(this.#sources));
    return { status: 200, contentType: "text/html; charset=utf-8", headers, body };
  };

  #model(sources: StatusSources): StatusModel {
    const { config, identity, clock } = this.#options;
    const { manager, leadership } = sources;
    const { docsUrl } = config;
    return {
      version,
      identity,
      nowMs: clock.now(),
      role: leadership.isLeaderFor(0) ? "leader" : "standby",
      leader: leadership.holder(),
      checks: manager.checks(),
      ...shownStates(sources.caches.map((cache) => statedKind(cache, sources))),
      accounts: this.#accounts(sources),
      slow: [...running(sources), ...this.#slow.list()].slice(0, mostSlow),
      ...(docsUrl === undefined ? {} : { docsUrl }),
    };
  }

  #accounts({ apis, checkStretch }: StatusSources): Listed<ShownAccount> {
    const nowMs = this.#options.clock.now();
    const pools = apis.pools();
    // Those that are nearest to their limit first.
    const left = ([, { remaining = Number.POSITIVE_INFINITY }]: (typeof pools)[number]) => remaining;
    const items = pools
      .toSorted((one, other) => left(one) - left(other))
      .slice(0, mostAccounts)
      .map(([pool, { limit, remaining, used, resetAtMs, closedBy, waiting }]): ShownAccount => {
        const spenders = apis.spending(pool, mostSpenders)?.spenders ?? [];
        return {
          ...{ pool, limit, remaining, used, waiting },
          resetInMs: resetAtMs === undefined ? undefined : resetAtMs - nowMs,
          closedBy: closedBy && closedTexts[closedBy],
          pollStretch: apis.stretch(pool),
          checkStretch: checkStretch(pool),
          history: this.#history?.of(pool, remaining) ?? [],
          spenders: spenders.map(([spender, requests]) => ({ ...spender, requests })),
        };
      });
    return { items, total: pools.length };
  }
}

type ClosedBy = NonNullable<ReturnType<ApiFactory["pools"]>[number][1]["closedBy"]>;

/** Why no request is sent, or one at a time. */
const closedTexts: Readonly<Record<ClosedBy, string>> = {
  spent: "The quota is spent: requests are sent again when it is reset.",
  rate_limited: "Northflank answered 429: no request is sent until the time that it named.",
  unreachable: "Northflank cannot be reached; one request at a time is sent until it answers.",
  interrupted: "Northflank breaks connections; one request at a time is sent until it answers.",
  timeout: "Northflank does not answer in time; one request at a time is sent until it does.",
  server_error: "Northflank answers with server errors; one request at a time is sent until it is up.",
};

function statedKind(
  { resource: { kind }, store }: StatusSources["caches"][number],
  sources: StatusSources,
): StatedKind {
  const queue = sources.controllers.find(({ controller }) => controller.name === controllerOf[kind])?.controller.queue;
  return { kind, objects: store.list(), dueInMs: ({ metadata }) => queue?.dueInMs(objectKey(metadata)) };
}

// Shorter ones are over before the page is read.
const longRunningMs = 1_000;

/** Reconciles that have been running for a while, the longest first. */
function running({ controllers }: StatusSources): readonly ShownReconcile[] {
  return controllers
    .flatMap(({ controller: { name, queue } }) =>
      queue.running().map(([key, durationMs]) => ({ controller: name, key, durationMs })),
    )
    .filter(({ durationMs }) => durationMs >= longRunningMs)
    .sort((left, right) => right.durationMs - left.durationMs);
}
