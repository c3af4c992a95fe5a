import { expect } from "vitest";
import { createValidator } from "../../src/api/validate.ts";
import type { AccountIdentity, AccountResolution, Accounts } from "../../src/controllers/account/accounts.ts";
import type { EventDraft } from "../../src/controllers/reconcile/events.ts";
import { PollSchedule } from "../../src/controllers/reconcile/poll-schedule.ts";
import { createStatusWriter } from "../../src/controllers/reconcile/status-writer.ts";
import type { TargetObject } from "../../src/controllers/target/object.ts";
import type { TargetDeps } from "../../src/controllers/target/reconciler.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { KubeError } from "../../src/kube/errors.ts";
import type { ResourceType } from "../../src/kube/types.ts";
import type { SourceView } from "../../src/northflank/types.ts";
import type { Reconcile } from "../../src/runtime/controller.ts";
import type { Outcome } from "../../src/runtime/outcome.ts";
import { objectKey } from "../../src/runtime/outcome.ts";
import { type IndexFunction, Store } from "../../src/runtime/store.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeKube } from "./fake-kube.ts";
import { fakeLog } from "./fake-log.ts";
import { FakeNorthflank } from "./fake-northflank.ts";
import { brokenPromises, type KstatusResult, kstatusOf } from "./kstatus.ts";
import { Pace } from "./pace.ts";
import { always, neverAborted } from "./strict-fake.ts";

const validator = createValidator();

/** A kind as a scene needs it. */
export interface SceneKind<T extends TargetObject, I extends string> {
  readonly type: ResourceType;
  readonly indexes: Readonly<Record<I, IndexFunction<T>>>;
  /** The object that a test speaks of when it names none. */
  readonly key: string;
}

/** What the reconcilers of all kinds are made of. */
export interface SceneDeps<T extends TargetObject, I extends string> extends TargetDeps<T> {
  readonly store: Store<T, I>;
  readonly accounts: Accounts;
  readonly validate: (object: {
    readonly kind: string;
    readonly spec: object;
  }) => ReturnType<typeof validator.validateSpec>;
  readonly random: () => number;
  readonly settings: { readonly resyncPeriodMs: number; readonly rolloutPollIntervalMs: number };
}

/**
 * The reconciler of a kind with everything around it in memory: a store, a server that takes status, and Northflank.
 * After every reconcile the promises of a status are checked, and that the schema takes it.
 */
export abstract class TargetScene<T extends TargetObject, I extends string> {
  readonly clock = new FakeClock();
  /** Northflank has a clock of its own: it does not jump with ours. */
  readonly northflank = new FakeNorthflank({
    ...this.clock,
    now: () => Date.parse("2026-01-01T00:00:00Z") + this.clock.monotonic(),
  });
  readonly logged = fakeLog();
  /** Ends a hot loop: a reconcile that goes beyond it throws. */
  readonly pace = new Pace(this.clock);
  readonly events: string[] = [];
  readonly metrics: string[] = [];
  /** What resolving an account comes to; usable unless a test says otherwise. */
  resolution: (connectionName: string | undefined, projectId: string) => AccountResolution | Promise<AccountResolution>;
  /** The account's version, as the connection would change it. */
  accountVersion = "1";
  /** Where the account is, with its team. */
  accountAddress = "https://api.northflank.com";
  /** Fails the next write of a status. */
  failStatus: Error | undefined;
  /** So many writes of a status later one fails; counts down. */
  failStatusIn = Number.POSITIVE_INFINITY;
  statusWrites = 0;
  /** How often a spec was held against the schema. */
  judged = 0;
  rejectedTokens = 0;
  /** Runs before Northflank answers a read: another client is faster than the reconcile. */
  duringLook: (() => void) | undefined;
  /** The object of the reconcile under way, or of the last one. */
  #reconciling = "";
  /** Runs when Northflank has carried out a change, before it is answered. */
  afterWrite: (() => void) | undefined;
  /** Whether this process still leads for so long. */
  isLeaderFor: (durationMs: number) => boolean = () => true;
  /** Fields of a status that the server drops, as one with an older CRD does. */
  prunes: readonly string[] = [];
  /** `--docs-url` of the next process. */
  docsUrl: string | undefined;
  /** Runs before each reconcile of `work`. */
  beforePass: (() => void) | undefined;
  /** What an answer leaves out of what Northflank has. */
  told: <T extends SourceView>(view: T) => T = (view) => view;
  readonly #kind: SceneKind<T, I>;
  /** Made by the first reconcile of a process. */
  #reconcile: Reconcile | undefined;
  /** What is known of the account of each connection, also of one that cannot be used any more. */
  readonly #identities = new Map<string | undefined, AccountIdentity>();
  readonly #server: FakeKube<T>;
  store: Store<T, I>;

  constructor(kind: SceneKind<T, I>) {
    this.#kind = kind;
    this.#server = new FakeKube<T>(this.clock, kind.type.kind);
    this.#server.keeps = (object) => {
      this.statusWrites += 1;
      this.pace.count("write", objectKey(object.metadata));
      return { ...object, status: this.#pruned(object.status) };
    };
    this.store = this.#newStore();
    this.resolution = (name) => ({
      kind: "usable",
      account: {
        api: this.#api(),
        pool: `pool of ${name ?? "default"}`,
        address: this.accountAddress,
        version: this.accountVersion,
      },
    });
    this.northflank.onCall = () => this.pace.count("remote call", this.#reconciling);
  }

  /** The reconciler of a new process. */
  protected abstract reconciler(deps: SceneDeps<T, I>): Reconcile;

  /** An object as the server holds it; also takes the place of an earlier one, as an edit does. */
  has(object: T): void {
    this.store.apply(this.#server.store(object));
    this.pace.happened(objectKey(object.metadata));
  }

  /** Changes the spec as a person would: a new generation. */
  edit(spec: Partial<T["spec"]>, key = this.#kind.key): void {
    const object = this.object(key);
    const generation = (object.metadata.generation ?? 0) + 1;
    this.has({ ...object, metadata: { ...object.metadata, generation }, spec: { ...object.spec, ...spec } });
  }

  annotate(annotations: Readonly<Record<string, string>>, key = this.#kind.key): void {
    const object = this.object(key);
    this.has({ ...object, metadata: { ...object.metadata, annotations } });
  }

  remove(key: string): void {
    const { metadata } = this.object(key);
    this.#server.remove(key);
    this.store.remove({ ...metadata, resourceVersion: this.#server.resourceVersion });
  }

  object(key = this.#kind.key): T {
    const object = this.#server.find(key);
    if (object === undefined) throw new Error(`no object ${key} in the scene`);
    return object;
  }

  /** One reconcile. Returns its outcome; a thrown error is an outcome like any other. */
  async pass(key = this.#kind.key): Promise<Outcome> {
    const context = {
      signal: neverAborted(),
      statusSignal: neverAborted(),
      reconcileId: "r",
      log: this.logged.log,
      failures: 0,
    };
    this.pace.count("reconcile", key);
    this.#reconciling = key;
    this.#reconcile ??= this.reconciler(this.#deps());
    const outcome = await this.#reconcile(key, context).catch((error: Error): Outcome => ({ kind: "retry", error }));
    // A reconciler may have taken it for a failed call.
    if (this.pace.breach !== undefined) throw this.pace.breach;
    if (this.#server.find(key) !== undefined) this.#checkPromises(key);
    return outcome;
  }

  /** Reconciles at the times that the outcomes name, until the object is at rest for longer than `restMs`. */
  async settle(restMs = 120_000, key = this.#kind.key): Promise<void> {
    for (let count = 0; count < 200; count++) {
      const outcome = await this.pass(key);
      if (outcome.kind !== "recheck" || outcome.afterMs > restMs) return;
      await this.clock.advance(outcome.afterMs);
    }
    throw new Error("the object does not come to rest");
  }

  /** Lets the operator work for so long: reconciles at the times that the outcomes name, two seconds after one that failed. */
  async work(forMs: number, key = this.#kind.key): Promise<void> {
    const endMs = this.clock.monotonic() + forMs;
    for (;;) {
      this.beforePass?.();
      const outcome = await this.pass(key);
      const pauseMs =
        outcome.kind === "settled" ? Number.POSITIVE_INFINITY : outcome.kind === "retry" ? 2_000 : outcome.afterMs;
      const leftMs = endMs - this.clock.monotonic();
      await this.clock.advance(Math.max(0, Math.min(pauseMs, leftMs)));
      if (pauseMs >= leftMs) return;
    }
  }

  /** A new process: nothing is left but what the server and Northflank hold. */
  restart(): void {
    this.#identities.clear();
    this.store = this.#newStore();
    for (const object of this.#server.all()) this.store.apply(object);
    this.#reconcile = undefined;
  }

  /** `Ready=True/RolloutComplete ... -> Current` */
  state(key = this.#kind.key): string {
    const object = this.object(key);
    const shown = [
      "Ready",
      "Reconciling",
      "Stalled",
      "Suspended",
      "Accepted",
      "InSync",
      "RolloutComplete",
      "Restored",
    ].flatMap((type) => {
      const condition = object.status?.conditions?.find((one) => one.type === type);
      return condition === undefined ? [] : [`${type}=${condition.status}/${condition.reason}`];
    });
    return `${shown.join(" ")} -> ${this.kstatus(key)}`;
  }

  kstatus(key = this.#kind.key): KstatusResult {
    return kstatusOf(this.object(key) as Parameters<typeof kstatusOf>[0]);
  }

  message(type = "Ready", key = this.#kind.key): string {
    return this.object(key).status?.conditions?.find((condition) => condition.type === type)?.message ?? "";
  }

  takeEvents(): readonly string[] {
    return this.events.splice(0);
  }

  #pruned(status: unknown): object {
    const kept = Object.entries(status as object).filter(([name]) => !this.prunes.includes(name));
    return Object.fromEntries(kept);
  }

  #checkPromises(key: string): void {
    const object = this.object(key);
    if (object.status?.observedGeneration === -1) return;
    expect(validator.validateManifest({ ...object, prunedFields: undefined }).filter(isAboutStatus)).toEqual([]);
    const acknowledged = object.status?.observedGeneration === object.metadata.generation;
    if (acknowledged) expect(brokenPromises(object as Parameters<typeof brokenPromises>[0])).toEqual([]);
  }

  #newStore() {
    return new Store<T, I>({
      indexes: this.#kind.indexes,
      onListenerError: (error) => {
        throw error;
      },
    });
  }

  #deps(): SceneDeps<T, I> {
    const { clock, store } = this;
    const random = always(0.5);
    const accounts: Accounts = {
      resolve: async ({ connectionName, projectId }) => this.resolution(connectionName, projectId),
      peek: ({ connectionName, projectId }) => {
        const resolution = this.resolution(connectionName, projectId);
        return "kind" in resolution && resolution.kind === "usable" ? resolution.account : undefined;
      },
      identity: async ({ connectionName, projectId }) => {
        const resolution = await this.resolution(connectionName, projectId);
        if (resolution.kind === "usable") this.#identities.set(connectionName, resolution.account);
        return this.#identities.get(connectionName) ?? {};
      },
      tokenRejected: () => {
        this.rejectedTokens += 1;
      },
    };
    return {
      store,
      accounts,
      validate: ({ kind, spec }) => {
        this.judged += 1;
        return validator.validateSpec(kind, spec);
      },
      schedule: new PollSchedule({ clock, random }),
      lease: { isLeaderFor: (durationMs) => this.isLeaderFor(durationMs), marginMs: 3_000 },
      settings: { resyncPeriodMs: 900_000, rolloutPollIntervalMs: 10_000 },
      statusWriter: createStatusWriter<T>({
        kube: this.#kube(),
        type: this.#kind.type,
        overlay: (answer) => store.upsertIfNewer(answer),
        docsUrl: this.docsUrl,
        log: this.logged.log,
      }),
      events: {
        record: (_object, draft: EventDraft) => this.events.push(`${draft.type} ${draft.reason}: ${draft.note}`),
      },
      observer: {
        driftDetected: () => this.metrics.push("drift"),
        changeApplied: () => this.metrics.push("change"),
        becameReady: (durationMs) => this.metrics.push(`ready after ${durationMs / 1_000} s`),
      },
      clock,
      random,
    };
  }

  #kube(): Pick<KubeClient, "patch" | "get"> {
    const server = this.#server.client();
    return {
      get: server.get,
      patch: async (...call) => {
        if (this.failStatusIn-- === 0) {
          throw new KubeError({ code: "unavailable", step: "patch", detail: "HTTP 503", httpStatus: 503 });
        }
        const error = this.failStatus;
        this.failStatus = undefined;
        if (error !== undefined) throw error;
        return await server.patch(...call);
      },
    };
  }

  #interrupt(): void {
    this.duringLook?.();
    this.duringLook = undefined;
  }

  #api() {
    const { api } = this.northflank;
    return {
      ...api,
      getService: async (...args: Parameters<typeof api.getService>) => {
        const view = await api.getService(...args);
        this.#interrupt();
        return this.told(view);
      },
      getJobSettings: async (...args: Parameters<typeof api.getJobSettings>) => {
        const view = await api.getJobSettings(...args);
        this.#interrupt();
        return view;
      },
      updateServiceDeployment: async (...args: Parameters<typeof api.updateServiceDeployment>) => {
        await api.updateServiceDeployment(...args);
        this.afterWrite?.();
      },
      updateJobDeployment: async (...args: Parameters<typeof api.updateJobDeployment>) => {
        await api.updateJobDeployment(...args);
        this.afterWrite?.();
      },
      getJobDeployment: async (...args: Parameters<typeof api.getJobDeployment>) =>
        this.told({ ...noRuntime, ...(await api.getJobDeployment(...args)) }),
    };
  }
}

const noRuntime = { docker: undefined, buildpack: undefined };

function isAboutStatus({ field }: { readonly field: string }): boolean {
  return field.startsWith("status");
}
