import { type Config, parseConfig } from "../../src/config.ts";
import type { EventDraft } from "../../src/controllers/reconcile/events.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { KubeError } from "../../src/kube/errors.ts";
import type { KubeObject, ResourceType } from "../../src/kube/types.ts";
import { objectKey } from "../../src/runtime/outcome.ts";
import { sleep } from "../../src/util/clock.ts";
import { type ComposedOperator, composeOperator, secretOrStored } from "./composed-operator.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeKube, isoOf, type Stored } from "./fake-kube.ts";
import { fakeLog } from "./fake-log.ts";
import type { ScriptedAnswer, SentRequest } from "./recording-transport.ts";
import { always, strictFake } from "./strict-fake.ts";

/**
 * All four controllers with their caches and watches, as the program composes them, in one process and on a fake clock:
 * between an API server that stores anything and a Northflank that answers what the test says.
 */
export class WholeOperator {
  readonly clock = new FakeClock();
  readonly log = fakeLog();
  readonly sent: SentRequest[] = [];
  readonly events: { readonly key: string; readonly kind: string; readonly event: EventDraft }[] = [];
  /** Status writes so far, by kind and key. */
  readonly statusWrites = new Map<string, number>();
  /** Kinds that the API server does not have. */
  readonly missing = new Set<string>();
  /** `namespace` or `namespace/plural` that must not be listed. */
  readonly forbidden = new Set<string>();
  readonly manager: ComposedOperator["manager"];
  readonly caches: ComposedOperator["caches"];
  readonly apis: ComposedOperator["apis"];
  readonly #server = new FakeKube(this.clock);
  readonly #stop = new AbortController();
  #ended: Promise<unknown> = Promise.resolve();

  constructor(options: {
    readonly answer: (request: SentRequest) => ScriptedAnswer;
    /** True for objects whose status the API server refuses with 422. */
    readonly refuses?: (object: KubeObject) => boolean;
    readonly watchNamespaces?: string;
    /** How long Northflank takes to answer. Default: no time. */
    readonly latencyMs?: number;
  }) {
    this.#server.keeps = (object) => {
      if (options.refuses?.(object) === true) {
        throw new KubeError({ code: "invalid", step: "patch status", detail: "spec: Invalid value", httpStatus: 422 });
      }
      const key = `${object.kind} ${objectKey(object.metadata)}`;
      this.statusWrites.set(key, (this.statusWrites.get(key) ?? 0) + 1);
      return object;
    };
    const { clock } = this;
    const { caches, manager, apis } = composeOperator({
      config: configOf(options.watchNamespaces),
      kube: this.#kube(),
      transport: {
        send: async ({ method, path, body, signal, onSend }) => {
          const request = { method, path, body };
          this.sent.push(request);
          onSend?.();
          if (options.latencyMs !== undefined) await sleep(clock, options.latencyMs, signal);
          const { status, body: value } = options.answer(request);
          return { status, headers: { date: new Date(clock.now()).toUTCString() }, body: { kind: "json", value } };
        },
        [Symbol.asyncDispose]: async () => undefined,
      },
      record: (regarding, event) => {
        this.events.push({ key: objectKey(regarding.metadata), kind: regarding.kind, event });
      },
      clock,
      random: always(0.5),
      log: this.log.log,
    });
    this.caches = caches;
    this.apis = apis;
    this.manager = manager;
  }

  /** Stores an object as it is, whatever it is. */
  store(object: unknown): void {
    const raw = object as Stored;
    const creationTimestamp = isoOf(this.clock.now() - 60_000);
    this.#server.store({ ...raw, metadata: { namespace: "shop", creationTimestamp, ...raw.metadata } });
  }

  get(kind: string, key: string): Stored | undefined {
    return this.#server.find(key, kind);
  }

  remove(kind: string, key: string): void {
    this.#server.remove(key, kind);
  }

  start(): void {
    this.#ended = this.manager.run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error("end of the test"));
    await this.clock.advance(60_000);
    await this.#ended;
  }

  notReady(): readonly string[] {
    return this.manager.checks().flatMap(({ name, ok, reason }) => (ok ? [] : [`${name}: ${reason}`]));
  }

  condition(kind: string, key: string, type = "Ready"): string | undefined {
    const status = this.get(kind, key)?.status as { conditions?: readonly Record<string, string>[] } | undefined;
    if (!Array.isArray(status?.conditions)) return undefined;
    const found = status.conditions.find((each) => each?.type === type);
    return found === undefined ? undefined : `${found.status}/${found.reason}`;
  }

  #readable(type: ResourceType, namespace: string | undefined): void {
    const step = `list ${type.plural}`;
    if (this.missing.has(type.kind)) throw new KubeError({ code: "not_found", step, detail: "no such kind" });
    for (const name of [namespace ?? "", `${namespace ?? ""}/${type.plural}`]) {
      if (this.forbidden.has(name)) {
        throw new KubeError({
          code: "forbidden",
          step,
          detail: `cannot list resource "${type.plural}"`,
          httpStatus: 403,
        });
      }
    }
  }

  #kube(): KubeClient {
    const server = this.#server.client();
    return strictFake<KubeClient>("kube", {
      get: secretOrStored(server),
      list: async (type, options) => {
        this.#readable(type, options.namespace);
        return await server.list(type, options);
      },
      watch: async (type, options, ...rest) => {
        this.#readable(type, options.namespace);
        await server.watch(type, options, ...rest);
      },
      replace: server.replace,
      patch: server.patch,
      delete: server.delete,
    });
  }
}

function configOf(watchNamespaces: string | undefined): Config {
  // Rarely: hours of fake time are to cost milliseconds.
  const args = [
    "--run-poll-interval=5m",
    ...(watchNamespaces === undefined ? [] : [`--watch-namespaces=${watchNamespaces}`]),
  ];
  const result = parseConfig({ args, env: {} });
  if (result.kind !== "config") throw new Error(JSON.stringify(result));
  return result.config;
}
