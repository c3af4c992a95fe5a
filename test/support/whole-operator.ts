import { jsonPatch, mergePatch } from "../../sandbox/kubernetes/patch.ts";
import { createValidator } from "../../src/api/validate.ts";
import { type Config, parseConfig } from "../../src/config.ts";
import { createApiFactory } from "../../src/controllers/account/api-factory.ts";
import type { EventDraft } from "../../src/controllers/reconcile/events.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { KubeError } from "../../src/kube/errors.ts";
import type { KubeObject, ResourceType } from "../../src/kube/types.ts";
import { createMetrics } from "../../src/metrics.ts";
import { createCaches } from "../../src/operator/caches.ts";
import { createControllers } from "../../src/operator/controllers.ts";
import { createFits, schemaFittedClient } from "../../src/operator/schema-fitted-client.ts";
import { soleLeadership } from "../../src/runtime/leader-election.ts";
import { createManager } from "../../src/runtime/manager.ts";
import { objectKey } from "../../src/runtime/outcome.ts";
import { FakeClock } from "./fake-clock.ts";
import { fakeLog } from "./fake-log.ts";
import type { ScriptedAnswer, SentRequest } from "./recording-transport.ts";
import { always, strictFake } from "./strict-fake.ts";

type Stored = KubeObject & { spec?: unknown; status?: unknown };

// One for all: it compiles each schema once.
const validator = createValidator();

/**
 * All four controllers with their caches and wakes, as the program composes them, in one process and on a fake clock:
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
  readonly manager: ReturnType<typeof createManager>;
  readonly caches: ReturnType<typeof createCaches>;
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #watches = new Set<{
    readonly kind: string;
    readonly namespace: string | undefined;
    readonly send: (type: "ADDED" | "MODIFIED" | "DELETED", object: Stored) => void;
  }>();
  readonly #stop = new AbortController();
  readonly #refuses: (object: Stored) => boolean;
  #resourceVersion = 100;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(options: {
    readonly answer: (request: SentRequest) => ScriptedAnswer;
    /** True for objects whose status the API server refuses with 422. */
    readonly refuses?: (object: KubeObject) => boolean;
    readonly watchNamespaces?: string;
  }) {
    this.#refuses = options.refuses ?? (() => false);
    const { clock } = this;
    const { log } = this.log;
    const random = always(0.5);
    const config = configOf(options.watchNamespaces);
    const metrics = createMetrics({ version: "0", revision: "0", nodeVersion: "0" });
    const kube = this.#kube();
    const fits = createFits(validator);
    const explain = () => undefined;
    const onRegression = () => undefined;
    const caches = createCaches({ kube, fits, config, metrics, explain, clock, random, log, onRegression });
    const apis = createApiFactory({
      transport: {
        send: async ({ method, path, body, onSend }) => {
          const request = { method, path, body };
          this.sent.push(request);
          onSend?.();
          const { status, body: value } = options.answer(request);
          return { status, headers: { date: new Date(clock.now()).toUTCString() }, body: { kind: "json", value } };
        },
        [Symbol.asyncDispose]: async () => undefined,
      },
      clock,
      random,
    });
    const leadership = soleLeadership();
    let ids = 0;
    const controllers = createControllers({
      config,
      caches,
      validator,
      kube: schemaFittedClient(kube, fits),
      apis,
      operatorToken: undefined,
      leadership,
      events: {
        record: (regarding, event) => {
          this.events.push({ key: objectKey(regarding.metadata), kind: regarding.kind, event });
        },
      },
      metrics,
      newId: () => `id-${++ids}`,
      restored: () => undefined,
      explain,
      clock,
      random,
      log,
    });
    this.caches = caches;
    this.manager = createManager({
      caches: Object.values(caches),
      controllers,
      leadership,
      graceMs: 30_000,
      clock,
      log,
    });
  }

  /** Stores an object as it is, whatever it is. */
  store(object: unknown): void {
    const raw = structuredClone(object) as Stored;
    this.#resourceVersion += 1;
    const metadata = {
      namespace: "shop",
      uid: `uid-${this.#resourceVersion}`,
      generation: 1,
      creationTimestamp: new Date(this.clock.now() - 60_000).toISOString(),
      ...raw.metadata,
      resourceVersion: String(this.#resourceVersion),
    };
    this.#put("ADDED", { ...raw, metadata });
  }

  get(kind: string, key: string): Stored | undefined {
    return this.#of(kind).get(key);
  }

  remove(kind: string, key: string): void {
    const object = this.get(kind, key);
    if (object === undefined) throw new Error(`no ${kind} ${key}`);
    this.#of(kind).delete(key);
    this.#resourceVersion += 1;
    this.#tell("DELETED", {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(this.#resourceVersion) },
    });
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

  #of(kind: string): Map<string, Stored> {
    const known = this.#objects.get(kind) ?? new Map<string, Stored>();
    this.#objects.set(kind, known);
    return known;
  }

  #put(type: "ADDED" | "MODIFIED", object: Stored): void {
    this.#of(object.kind).set(objectKey(object.metadata), object);
    this.#tell(type, object);
  }

  #tell(type: "ADDED" | "MODIFIED" | "DELETED", object: Stored): void {
    for (const watch of this.#watches) {
      if (watch.kind !== object.kind) continue;
      if (watch.namespace !== undefined && watch.namespace !== object.metadata.namespace) continue;
      watch.send(type, structuredClone(object));
    }
  }

  #write(object: Stored): Stored {
    if (this.#refuses(object)) {
      throw new KubeError({ code: "invalid", step: "patch status", detail: "spec: Invalid value", httpStatus: 422 });
    }
    const key = `${object.kind} ${objectKey(object.metadata)}`;
    this.statusWrites.set(key, (this.statusWrites.get(key) ?? 0) + 1);
    this.#resourceVersion += 1;
    const next = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#resourceVersion) } };
    this.#put("MODIFIED", next);
    return structuredClone(next);
  }

  #found(kind: string, key: string): Stored {
    const object = this.get(kind, key);
    if (object === undefined)
      throw new KubeError({ code: "not_found", step: `get ${kind} ${key}`, detail: "not there" });
    return object;
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
    return strictFake<KubeClient>("kube", {
      get: (async (type, { namespace, name }) => {
        if (type.kind === "Secret") {
          const metadata = { name, namespace, uid: "s", resourceVersion: "1" };
          return { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", data: { token: "dG9rZW4=" } };
        }
        return structuredClone(this.#found(type.kind, `${namespace}/${name}`));
      }) as KubeClient["get"],
      list: (async (type, { namespace }) => {
        this.#readable(type, namespace);
        const all = [...this.#of(type.kind).values()];
        const items = all.filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace);
        return { metadata: { resourceVersion: String(this.#resourceVersion) }, items: structuredClone(items) };
      }) as KubeClient["list"],
      watch: (type, options, sink, signal) =>
        new Promise((_, reject) => {
          if (options.sendInitialEvents) throw new KubeError({ code: "invalid", step: "watch", detail: "pages only" });
          this.#readable(type, options.namespace);
          sink.onBytes?.();
          const watch = {
            kind: type.kind,
            namespace: options.namespace,
            send: (kind: "ADDED" | "MODIFIED" | "DELETED", object: Stored) => sink.onEvent({ type: kind, object }),
          };
          this.#watches.add(watch);
          signal.addEventListener("abort", () => {
            this.#watches.delete(watch);
            reject(signal.reason);
          });
        }),
      replace: (async (_type, object) => {
        const stored = this.#found(object.kind, objectKey(object.metadata));
        if (stored.metadata.resourceVersion !== object.metadata.resourceVersion) {
          throw new KubeError({ code: "conflict", step: "replace", detail: "changed" });
        }
        return this.#write({ ...stored, status: (object as Stored).status });
      }) as KubeClient["replace"],
      patch: (async (type, { namespace, name }, patch) => {
        const stored = this.#found(type.kind, `${namespace}/${name}`);
        if (patch.kind === "json") return this.#write(jsonPatch(stored, patch.body) as Stored);
        const { metadata, status } = patch.body as {
          readonly metadata: KubeObject["metadata"];
          readonly status: object;
        };
        if (metadata.resourceVersion !== stored.metadata.resourceVersion) {
          throw new KubeError({ code: "conflict", step: "patch", detail: "changed" });
        }
        return this.#write({ ...stored, status: mergePatch(stored.status, status) });
      }) as KubeClient["patch"],
      delete: (async (type, { namespace, name }) => {
        this.remove(type.kind, `${namespace}/${name}`);
      }) as KubeClient["delete"],
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
