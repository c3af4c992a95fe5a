import { expect } from "vitest";
import { mergePatch } from "../../sandbox/kubernetes/patch.ts";
import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../src/api/deployment.ts";
import { northflankDeployments } from "../../src/api/names.ts";
import { createValidator } from "../../src/api/validate.ts";
import type { AccountResolution, Accounts } from "../../src/controllers/account/accounts.ts";
import type { Standing } from "../../src/controllers/account/same-account.ts";
import type { DependencyRun } from "../../src/controllers/deployment/observe.ts";
import { createDeploymentReconciler } from "../../src/controllers/deployment/reconciler.ts";
import { deploymentIndexes } from "../../src/controllers/deployment/target.ts";
import type { EventDraft } from "../../src/controllers/reconcile/event-draft.ts";
import { LookSchedule } from "../../src/controllers/reconcile/poll-schedule.ts";
import { createStatusWriter } from "../../src/controllers/reconcile/status-writer.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { KubeError } from "../../src/kube/errors.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import type { SourceView } from "../../src/northflank/types.ts";
import type { Outcome } from "../../src/runtime/outcome.ts";
import { objectKey } from "../../src/runtime/outcome.ts";
import { Store } from "../../src/runtime/store.ts";
import { FakeClock } from "./fake-clock.ts";
import { fakeLog } from "./fake-log.ts";
import { FakeNorthflank } from "./fake-northflank.ts";
import { brokenPromises, type KstatusResult, kstatusOf } from "./kstatus.ts";
import { Pace } from "./pace.ts";
import { always, neverAborted, strictFake } from "./strict-fake.ts";

const validator = createValidator();

interface StatusPatch {
  readonly metadata: { readonly resourceVersion?: string };
  readonly status: object;
}

/**
 * The reconciler of NorthflankDeployments with everything around it in memory: a store, a server that takes status, and
 * Northflank. After every pass the promises of a status are checked, and that the schema takes it.
 */
export class DeploymentScene {
  readonly clock = new FakeClock();
  /** Northflank has a clock of its own: it does not jump with ours. */
  readonly northflank = new FakeNorthflank(() => Date.parse("2026-01-01T00:00:00Z") + this.clock.monotonic());
  readonly logged = fakeLog();
  /** Ends a hot loop: a pass that goes beyond it throws. */
  readonly pace = new Pace(this.clock);
  readonly events: string[] = [];
  readonly metrics: string[] = [];
  readonly runs = new Map<string, DependencyRun>();
  /** What resolving an account comes to; usable unless a test says otherwise. */
  resolution: (connectionName: string | undefined, projectId: string) => AccountResolution | Promise<AccountResolution>;
  /** The account's version, as the connection would change it. */
  accountVersion = "1";
  /** Fails the next write of a status. */
  failStatus: Error | undefined;
  /** So many writes of a status later one fails; counts down. */
  failStatusIn = Number.POSITIVE_INFINITY;
  statusWrites = 0;
  /** How often a spec was held against the schema. */
  judged = 0;
  rejectedTokens = 0;
  /** Runs before Northflank answers a look: somebody is faster than the pass. */
  duringLook: (() => void) | undefined;
  /** The object of the pass under way, or of the last one. */
  #reconciling = "";
  /** Runs when Northflank has carried out a change, before it is answered. */
  afterWrite: (() => void) | undefined;
  /** Whether this process still leads for so long. */
  isLeaderFor: (durationMs: number) => boolean = () => true;
  /** Fields of a status that the server drops, as one with an older CRD does. */
  prunes: readonly string[] = [];
  /** Runs before each pass of `work`. */
  beforePass: (() => void) | undefined;
  /** What an answer leaves out of what Northflank has. */
  told: <T extends SourceView>(view: T) => T = (view) => view;
  #version = 1;
  #reconcile;
  /** What is known of the account of each connection, also of one that cannot be used any more. */
  readonly #standings = new Map<string | undefined, Standing>();
  readonly #server = new Map<string, NorthflankDeployment>();
  store = this.#newStore();

  constructor() {
    this.resolution = (name) => ({
      kind: "usable",
      account: {
        api: this.#api(),
        pool: `pool of ${name ?? "default"}`,
        address: "https://api.northflank.com",
        version: this.accountVersion,
      },
    });
    this.#reconcile = this.#newReconciler();
    this.northflank.onCall = () => this.pace.count("remote call", this.#reconciling);
  }

  /** An object as the server holds it; also takes the place of an earlier one, as an edit does. */
  has(object: NorthflankDeployment): void {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    this.#server.set(objectKey(object.metadata), stored);
    this.store.apply(stored);
    this.pace.happened(objectKey(object.metadata));
  }

  /** Changes the spec as a person would: a new generation. */
  edit(spec: Partial<NorthflankDeployment["spec"]>, key = "shop/api"): void {
    const object = this.object(key);
    const generation = (object.metadata.generation ?? 0) + 1;
    this.has({ ...object, metadata: { ...object.metadata, generation }, spec: { ...object.spec, ...spec } });
  }

  annotate(annotations: Readonly<Record<string, string>>, key = "shop/api"): void {
    const object = this.object(key);
    this.has({ ...object, metadata: { ...object.metadata, annotations } });
  }

  remove(key: string): void {
    const object = this.object(key);
    this.#server.delete(key);
    this.store.remove({ ...object.metadata, resourceVersion: String(++this.#version) });
  }

  object(key = "shop/api"): NorthflankDeployment {
    const object = this.#server.get(key);
    if (object === undefined) throw new Error(`no object ${key} in the scene`);
    return object;
  }

  /** One pass. Returns its outcome; a thrown error is an outcome like any other. */
  async pass(key = "shop/api"): Promise<Outcome> {
    const context = {
      signal: neverAborted(),
      statusSignal: neverAborted(),
      reconcileId: "r",
      log: this.logged.log,
      failures: 0,
    };
    this.pace.count("reconcile", key);
    this.#reconciling = key;
    const outcome = await this.#reconcile(key, context).catch((error: Error): Outcome => ({ kind: "retry", error }));
    // A reconciler may have taken it for a failed call.
    if (this.pace.breach !== undefined) throw this.pace.breach;
    if (this.#server.has(key)) this.#checkPromises(key);
    return outcome;
  }

  /** Passes on, at the times that the outcomes name, until the object is at rest for longer than `restMs`. */
  async settle(restMs = 120_000, key = "shop/api"): Promise<void> {
    for (let count = 0; count < 200; count++) {
      const outcome = await this.pass(key);
      if (outcome.kind !== "recheck" || outcome.afterMs > restMs) return;
      await this.clock.advance(outcome.afterMs);
    }
    throw new Error("the object does not come to rest");
  }

  /** Lets the operator work for so long: passes at the times that the outcomes name, two seconds after one that failed. */
  async work(forMs: number, key = "shop/api"): Promise<void> {
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
    this.#standings.clear();
    this.store = this.#newStore();
    for (const object of this.#server.values()) this.store.apply(object);
    this.#reconcile = this.#newReconciler();
  }

  /** `Ready=True/RolloutComplete ... -> Current` */
  state(key = "shop/api"): string {
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

  kstatus(key = "shop/api"): KstatusResult {
    return kstatusOf(this.object(key) as Parameters<typeof kstatusOf>[0]);
  }

  message(type = "Ready", key = "shop/api"): string {
    return this.object(key).status?.conditions?.find((condition) => condition.type === type)?.message ?? "";
  }

  takeEvents(): readonly string[] {
    return this.events.splice(0);
  }

  #pruned(status: unknown): NorthflankDeploymentStatus {
    const kept = Object.entries(status as object).filter(([name]) => !this.prunes.includes(name));
    return Object.fromEntries(kept) as NorthflankDeploymentStatus;
  }

  #checkPromises(key: string): void {
    const object = this.object(key);
    if (object.status?.observedGeneration === -1) return;
    expect(validator.validateManifest({ ...object, prunedFields: undefined }).filter(isAboutStatus)).toEqual([]);
    const acknowledged = object.status?.observedGeneration === object.metadata.generation;
    if (acknowledged) expect(brokenPromises(object as Parameters<typeof brokenPromises>[0])).toEqual([]);
  }

  #newStore() {
    return new Store<NorthflankDeployment, "target" | "waitFor">({
      indexes: deploymentIndexes,
      onListenerError: (error) => {
        throw error;
      },
    });
  }

  #newReconciler() {
    const { clock, store } = this;
    const random = always(0.5);
    const accounts: Accounts = {
      resolve: async ({ connectionName, projectId }) => this.resolution(connectionName, projectId),
      peek: ({ connectionName, projectId }) => {
        const resolution = this.resolution(connectionName, projectId);
        return "kind" in resolution && resolution.kind === "usable" ? resolution.account : undefined;
      },
      standing: async ({ connectionName, projectId }) => {
        const resolution = await this.resolution(connectionName, projectId);
        if (resolution.kind === "usable") this.#standings.set(connectionName, resolution.account);
        return this.#standings.get(connectionName) ?? {};
      },
      tokenRejected: () => {
        this.rejectedTokens += 1;
      },
    };
    return createDeploymentReconciler({
      store,
      runs: this.runs,
      accounts,
      validate: ({ kind, spec }) => {
        this.judged += 1;
        return validator.validateSpec(kind, spec);
      },
      schedule: new LookSchedule({ clock, random }),
      lease: { isLeaderFor: (durationMs) => this.isLeaderFor(durationMs), marginMs: 3_000 },
      settings: { resyncPeriodMs: 900_000, rolloutPollIntervalMs: 10_000 },
      statusWriter: createStatusWriter<NorthflankDeployment>({
        kube: this.#kube(),
        type: northflankDeployments,
        overlay: (answer) => store.upsertIfNewer(answer),
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
    });
  }

  #kube() {
    return strictFake<KubeClient>("kube", {
      patch: async <T extends KubeObject>(...[_type, name, patch]: Parameters<KubeClient["patch"]>): Promise<T> => {
        if (this.failStatusIn-- === 0) {
          throw new KubeError({ code: "unavailable", step: "patch", detail: "HTTP 503", httpStatus: 503 });
        }
        if (this.failStatus !== undefined) {
          const error = this.failStatus;
          this.failStatus = undefined;
          throw error;
        }
        const key = objectKey(name);
        const object = this.#server.get(key);
        if (object === undefined) throw new KubeError({ code: "not_found", step: "patch", detail: "gone" });
        const { metadata, status } = patch.body as unknown as StatusPatch;
        if (object.metadata.resourceVersion !== metadata.resourceVersion) {
          throw new KubeError({ code: "conflict", step: "patch", detail: "changed" });
        }
        this.statusWrites += 1;
        this.pace.count("write", key);
        const stored = {
          ...object,
          metadata: { ...object.metadata, resourceVersion: String(++this.#version) },
          status: this.#pruned(mergePatch(object.status ?? {}, JSON.parse(JSON.stringify(status)))),
        };
        this.#server.set(key, stored);
        return stored as unknown as T;
      },
      get: async <T extends KubeObject>(
        _type: unknown,
        name: { readonly namespace?: string; readonly name: string },
      ) => {
        const object = this.#server.get(objectKey(name));
        if (object === undefined) throw new KubeError({ code: "not_found", step: "get", detail: "gone" });
        return object as unknown as T;
      },
    });
  }

  #api() {
    const { api } = this.northflank;
    return {
      ...api,
      getService: async (...args: Parameters<typeof api.getService>) => {
        const view = await api.getService(...args);
        this.duringLook?.();
        this.duringLook = undefined;
        return this.told(view);
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
