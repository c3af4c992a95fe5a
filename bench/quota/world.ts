import type { Answer, Call } from "../../sandbox/http.ts";
import { createNorthflank, defaultToken, type NorthflankModel } from "../../sandbox/northflank/server.ts";
import { parseConfig } from "../../src/config.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import type { RequestClass } from "../../src/northflank/client.ts";
import type { Transport } from "../../src/northflank/transport.ts";
import { objectKey } from "../../src/runtime/outcome.ts";
import { sleep } from "../../src/util/clock.ts";
import type { Log } from "../../src/util/log.ts";
import { hintIn } from "../../src/webhook/delivery.ts";
import { type ComposedOperator, composeOperator, secretOrStored } from "../../test/support/composed-operator.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { FakeKube } from "../../test/support/fake-kube.ts";
import { seeded } from "../../test/support/seeded.ts";
import { strictFake } from "../../test/support/strict-fake.ts";

/** One request of the operator as it arrived at Northflank. Times are simulated milliseconds since the start. */
export interface Arrival {
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** Which window of the quota it fell in: when that window ends. */
  readonly windowEndsAtMs: number;
}

/** Counts by class of request. */
export type ByClass = Readonly<Record<RequestClass, number>>;

export interface WorldOptions {
  readonly seed: number;
  /** Longest time between a request and its answer; the shortest is half of it. */
  readonly latencyMs: number;
  readonly rolloutMs: number;
  readonly runMs: number;
  /** Northflank notifies the operator when a rollout or a run begins and ends. Default: it does not. */
  readonly hasHints?: boolean | undefined;
}

const rolloutLagMs = 1_000;

/** From what happens at Northflank to the notification of it. */
const deliveryMs = 500;

/** The connection of {@link settledWorld}. */
const connectionKey = objectKey({ namespace: "shop", name: "default" });

interface Running {
  readonly operator: ComposedOperator;
  readonly stop: AbortController;
  readonly ended: Promise<unknown>;
}

/**
 * The operator between a Kubernetes API and a Northflank API in memory, all of it on one simulated clock.
 *
 * The operator is the one that `runOperator` composes, from the watch to the ledger and the client. Northflank is the model
 * of the sandbox, with its quota (the window opens with the first request, headers on every answer, 429). Kubernetes answers
 * at once; a request to Northflank arrives after half of its latency.
 */
export class World {
  readonly clock = new FakeClock();
  readonly kube = new FakeKube(this.clock);
  readonly northflank: NorthflankModel;
  readonly random: () => number;
  /** Every request of the operator. */
  readonly arrivals: Arrival[] = [];
  /** Requests that went out, by class. */
  readonly sent: Record<RequestClass, number> = { change: 0, run: 0, observe: 0 };
  /** The same by method and route. */
  readonly routes = new Map<string, number>();
  /** Requests that the ledger refused, by class. */
  readonly deferred: Record<RequestClass, number> = { change: 0, run: 0, observe: 0 };
  /** Notifications that were delivered to a running operator. */
  notified = 0;
  /** Messages of level error, which no scenario expects. */
  readonly errors: string[] = [];
  /** Called with each request of the operator as it arrives, after it was answered. */
  onArrival: (arrival: Arrival) => void = () => undefined;
  readonly #options: WorldOptions;
  /** Whether notifications arrive. */
  areHintsOn: boolean;
  #running: Running | undefined;
  #calls = 0;

  constructor(options: WorldOptions) {
    const { seed, rolloutMs, runMs } = options;
    this.#options = options;
    this.areHintsOn = options.hasHints === true;
    this.random = seeded(seed);
    const now = this.clock.now;
    this.northflank = createNorthflank({ now, seed: String(seed), rolloutMs, rolloutLagMs, runMs });
  }

  /** Simulated milliseconds since the world began. */
  get nowMs(): number {
    return this.clock.monotonic();
  }

  /** Starts an operator, with flags as of `northflank-operator run`. */
  start(flags: readonly string[] = []): void {
    if (this.#running !== undefined) throw new Error("an operator is running");
    const parsed = parseConfig({ args: flags, env: {} });
    if (parsed.kind !== "config") throw new Error(JSON.stringify(parsed));
    const operator = composeOperator({
      config: parsed.config,
      kube: this.#client(),
      transport: this.#transport(),
      record: () => undefined,
      observer: {
        onCall: (call) => {
          this.sent[call.class] += 1;
          const route = `${call.method} ${call.route}`;
          this.routes.set(route, (this.routes.get(route) ?? 0) + 1);
        },
        onDeferred: (refused) => {
          this.deferred[refused.class] += 1;
        },
      },
      clock: this.clock,
      random: this.random,
      log: this.#log(),
    });
    const stop = new AbortController();
    this.#running = { operator, stop, ended: operator.manager.run(stop.signal) };
  }

  /** Stops the operator as SIGTERM does. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) throw new Error("no operator is running");
    this.#running = undefined;
    running.stop.abort(new Error("end of the process"));
    await this.clock.advance(60_000);
    await running.ended;
  }

  /** Forgets what was counted and logged so far. */
  forget(): void {
    this.arrivals.length = 0;
    this.kube.writes.length = 0;
    this.errors.length = 0;
    this.routes.clear();
    for (const each of ["change", "run", "observe"] as const) {
      this.sent[each] = 0;
      this.deferred[each] = 0;
    }
  }

  /** Sends a request as another consumer of the account; true when it was granted. */
  spend(): boolean {
    return this.#answer({ method: "GET", path: "/v1/projects", body: "" }).status !== 429;
  }

  #client(): KubeClient {
    const client = this.kube.client();
    return strictFake<KubeClient>("kube", { ...client, get: secretOrStored(client, defaultToken) });
  }

  #transport(): Transport {
    return {
      send: async ({ method, path, body, signal, onSend }) => {
        signal.throwIfAborted();
        onSend?.();
        await sleep(this.clock, this.#halfLatencyMs(), signal);
        const answer = this.#arrive({ method, path, body: body ?? "" });
        await sleep(this.clock, this.#halfLatencyMs(), signal);
        const headers = { date: new Date(this.clock.now()).toUTCString(), ...(answer.headers as object) };
        // Nothing is shared with what Northflank knows.
        const value: unknown = JSON.parse(JSON.stringify(answer.body ?? {}));
        return { status: answer.status, headers, body: { kind: "json", value } };
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }

  #halfLatencyMs(): number {
    return Math.round(this.#options.latencyMs * (0.25 + 0.25 * this.random()));
  }

  #arrive(request: { readonly method: string; readonly path: string; readonly body: string }): Answer {
    const answer = this.#answer(request);
    const { method, path } = request;
    const { resetAtMs = this.clock.now() } = this.northflank.quota();
    const windowEndsAtMs = resetAtMs - this.clock.now() + this.nowMs;
    const arrival: Arrival = { atMs: this.nowMs, method, path, status: answer.status, windowEndsAtMs };
    this.arrivals.push(arrival);
    this.#report(arrival);
    this.onArrival(arrival);
    return answer;
  }

  #answer({ method, path, body }: { readonly method: string; readonly path: string; readonly body: string }): Answer {
    const url = new URL(path, "http://simulated");
    const headers = { authorization: `Bearer ${defaultToken}`, "content-type": "application/json" };
    const call: Call = {
      number: ++this.#calls,
      atMs: this.nowMs,
      method,
      path: url.pathname,
      query: url.searchParams,
      headers,
      body,
      connection: 1,
      status: undefined,
    };
    return this.northflank.answer(call);
  }

  /** What a write has begun is notified when it begins and when it ends. */
  #report({ method, path, status }: Arrival): void {
    const { rolloutMs, runMs } = this.#options;
    if (method === "GET" || status >= 300) return;
    const [, projectId, of, id] =
      /\/projects\/([^/]+)\/(services|jobs)\/(?:deployment\/|combined\/)?([^/]+)/.exec(path) ?? [];
    if (projectId === undefined || id === undefined) return;
    const project = { id: projectId, name: projectId };
    const notify = (event: string, data: object, inMs: number): void => {
      this.clock.setTimer(() => this.#deliver({ event, data: { project, ...data } }), inMs + deliveryMs);
    };
    if (of === "jobs") {
      // No payload of these is printed anywhere: that they name the run is not certain.
      notify("job-run:start", { job: { id, name: id } }, 0);
      notify("job-run:success", { job: { id, name: id } }, runMs);
    } else {
      for (const inMs of [rolloutLagMs, rolloutMs])
        notify("service:deployment:status-update", { service: { id, name: id } }, inMs);
    }
  }

  /** A notification with the right secret, as the receiver reads it. */
  #deliver(delivery: object): void {
    const hint = hintIn(Buffer.from(JSON.stringify(delivery)), {});
    if (!this.areHintsOn || hint === undefined || this.#running === undefined) return;
    this.notified += 1;
    this.#running.operator.deliver(connectionKey, hint);
  }

  #log(): Log {
    const log: Log = {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (fields, message) => {
        const { err } = fields as { readonly err?: unknown };
        this.errors.push(err === undefined ? message : `${message}: ${String(err)}`);
      },
      child: () => log,
    };
    return log;
  }
}
