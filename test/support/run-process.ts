import { mergePatch } from "../../sandbox/kubernetes/patch.ts";
import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { northflankJobRuns } from "../../src/api/names.ts";
import type { AccountRequest, AccountResolution } from "../../src/controllers/account/accounts.ts";
import { createJobRunReconciler, jobRunIndexes } from "../../src/controllers/job-run/reconciler.ts";
import { RestoreMemory } from "../../src/controllers/job-run/restored.ts";
import type { EventDraft } from "../../src/controllers/reconcile/events.ts";
import type { SpecProblem } from "../../src/controllers/reconcile/spec-validation.ts";
import { createStatusWriter } from "../../src/controllers/reconcile/status-writer.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import type { KubeObject } from "../../src/kube/types.ts";
import type { NorthflankApi } from "../../src/northflank/client.ts";
import { NorthflankError } from "../../src/northflank/errors.ts";
import { SharedLists } from "../../src/northflank/shared-lists.ts";
import type { StartResult } from "../../src/northflank/types.ts";
import type { Outcome } from "../../src/runtime/outcome.ts";
import { defaultQueueBackoff } from "../../src/runtime/work-queue.ts";
import { backoffDelayMs } from "../../src/util/backoff.ts";
import type { Clock, Timer } from "../../src/util/clock.ts";
import { fakeLog } from "./fake-log.ts";
import type { FakeNorthflank } from "./fake-northflank.ts";
import { Pace } from "./pace.ts";
import type { RunCluster } from "./run-cluster.ts";
import { strictFake } from "./strict-fake.ts";

/** A place in the life of a run where something can go wrong. */
export type Boundary =
  | "baseline"
  | "intentWrite"
  | "markWrite"
  | "gate"
  | "postSent"
  | "postApplied"
  | "answerRead"
  | "runIdWrite"
  | "resolveRead"
  | "terminalWrite";

export type Side = "before" | "after";

export const boundaries: readonly Boundary[] = [
  "baseline",
  "intentWrite",
  "markWrite",
  "gate",
  "postSent",
  "postApplied",
  "answerRead",
  "runIdWrite",
  "resolveRead",
  "terminalWrite",
];

export interface RunWorld {
  readonly clock: Clock;
  readonly cluster: RunCluster;
  readonly northflank: FakeNorthflank;
  /** Told each time a process comes to a boundary. */
  readonly onBoundary?: (process: RunProcess, boundary: Boundary, side: Side) => void;
  /** What the account of every object is; usable, and `northflank`, when missing. */
  readonly account?: (request: AccountRequest) => AccountResolution | undefined;
  /** The account that the connection leads to instead of `northflank`, while it does. */
  readonly elsewhere?: (request: AccountRequest) => FakeNorthflank | undefined;
  readonly validate?: (object: NorthflankJobRun) => readonly SpecProblem[];
  /** How late the watch is now, in milliseconds; a little, when missing. What it tells keeps its order. */
  readonly watchLateMs?: () => number;
}

/**
 * One process of the operator: the real reconciler with a cache, a queue and a lease, on a fake clock. It can be killed
 * (nothing of it ever runs again), frozen and thawed, and it can lose its lease.
 */
export class RunProcess {
  readonly #world: RunWorld;
  readonly #cache = new Map<string, NorthflankJobRun>();
  readonly #timers = new Map<string, Timer>();
  readonly #busy = new Set<string>();
  readonly #again = new Set<string>();
  readonly #failed = new Map<string, number>();
  readonly #unwatch: () => void;
  readonly #stop = new AbortController();
  readonly #reconcile: ReturnType<typeof createJobRunReconciler>;
  #state: "running" | "frozen" | "dead" = "running";
  #thaw: (() => void)[] = [];
  #leaseUntilMs = Number.POSITIVE_INFINITY;
  #ids = 0;
  #heardMs = 0;
  readonly name: string;
  readonly events: { readonly key: string; readonly event: EventDraft }[] = [];
  readonly log = fakeLog();
  /** Ends a hot loop, by an error out of the clock. */
  readonly pace: Pace;
  /** Told by the tests, where a reflector would notice. */
  readonly restores: RestoreMemory;
  /** Objects that something was heard of. */
  readonly #hinted = new Set<string>();
  readonly counts = { started: 0, recovered: 0, finished: [] as string[], ran: [] as number[] };
  /** Reconciles that rejected: the controller would log them and come back. */
  readonly failures: unknown[] = [];
  /** What each reconcile has come to, with the object as it left it and the calls and Events up to then. */
  readonly outcomes: {
    readonly outcome: Outcome;
    readonly object: NorthflankJobRun | undefined;
    readonly calls: number;
    readonly events: number;
  }[] = [];
  passes = 0;

  constructor(name: string, world: RunWorld) {
    this.name = name;
    this.#world = world;
    this.pace = new Pace(world.clock);
    this.restores = new RestoreMemory(world.clock);
    this.#reconcile = this.#build();
    for (const object of world.cluster.list()) this.#see(keyOf(object), object);
    this.#unwatch = world.cluster.watch((key, object) => this.#hear(key, object));
  }

  kill(): void {
    this.#state = "dead";
    this.#unwatch();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  /** Something was heard of the object, which may be worth a read. */
  hint(key: string): void {
    this.#hinted.add(key);
    this.wake(key);
  }

  /** Stops everything until {@link thaw}; the lease runs out meanwhile. */
  freeze(leaseLeftMs: number): void {
    this.#state = "frozen";
    this.#leaseUntilMs = this.#world.clock.monotonic() + leaseLeftMs;
  }

  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "running";
    const waiting = this.#thaw;
    this.#thaw = [];
    for (const go of waiting) go();
  }

  /** The lease is good for so much longer, and nobody renews it. */
  limitLease(leftMs: number): void {
    this.#leaseUntilMs = this.#world.clock.monotonic() + leftMs;
  }

  /** As leader election does it: everything in flight is aborted at once. */
  loseLease(): void {
    this.#leaseUntilMs = Number.NEGATIVE_INFINITY;
    this.#stop.abort(new Error("lost the lease"));
  }

  get isAlive(): boolean {
    return this.#state !== "dead";
  }

  /** Enqueues an object now. */
  wake(key: string): void {
    this.#schedule(key, 0);
  }

  // ---- queue and cache ----

  #hear(key: string, object: NorthflankJobRun | undefined): void {
    const { clock, watchLateMs } = this.#world;
    const now = clock.monotonic();
    this.#heardMs = Math.max(this.#heardMs, now + (watchLateMs?.() ?? 0));
    if (this.#heardMs <= now) this.#see(key, object);
    else clock.setTimer(() => this.#see(key, object), this.#heardMs - now);
  }

  #see(key: string, object: NorthflankJobRun | undefined): void {
    if (this.#state === "dead") return;
    const known = this.#cache.get(key);
    // As the store has it: the answer to our own write is not undone by a watch that is late.
    const isOld =
      known !== undefined &&
      object !== undefined &&
      object.metadata.uid === known.metadata.uid &&
      Number(object.metadata.resourceVersion) < Number(known.metadata.resourceVersion);
    if (object === undefined) this.#cache.delete(key);
    else if (!isOld || this.restores.last() !== undefined) this.#cache.set(key, object);
    this.pace.happened(key);
    if (object !== undefined) this.pace.happened(object.spec.jobId);
    // A watch is a little late, and it echoes our own writes.
    this.#schedule(key, 20);
  }

  #schedule(key: string, afterMs: number): void {
    if (this.#state === "dead") return;
    this.#timers.get(key)?.cancel();
    this.#timers.set(
      key,
      this.#world.clock.setTimer(() => this.#due(key), afterMs),
    );
  }

  #due(key: string): void {
    this.#timers.delete(key);
    if (this.#state === "frozen") {
      this.#thaw.push(() => this.#schedule(key, 0));
      return;
    }
    if (this.#stop.signal.aborted) return;
    if (this.#busy.has(key)) {
      this.#again.add(key);
      return;
    }
    this.#busy.add(key);
    this.pace.count("reconcile", key);
    void this.#pass(key);
  }

  async #pass(key: string): Promise<void> {
    this.passes += 1;
    const { signal } = this.#stop;
    const context = { signal, statusSignal: signal, reconcileId: "r", log: this.log.log, failures: 0 };
    try {
      const outcome = await this.#reconcile(key, context);
      const object = this.#world.cluster.list().find((one) => keyOf(one) === key);
      const [calls, events] = [this.#world.northflank.noted.length, this.events.length];
      this.outcomes.push({ outcome, object, calls, events });
      await this.#running();
      if (outcome.kind !== "retry") this.#failed.delete(key);
      if (outcome.kind === "recheck") this.#later(key, outcome.afterMs);
      if (outcome.kind === "retry") this.#later(key, Math.max(outcome.notBeforeMs ?? 0, this.#backoffMs(key)));
    } catch (error) {
      if (this.#state === "dead") return;
      if (!signal.aborted) this.failures.push(error);
      this.#later(key, this.#backoffMs(key));
    } finally {
      this.#busy.delete(key);
      if (this.#again.delete(key)) this.#schedule(key, 0);
    }
  }

  /** As the queue does it. */
  #backoffMs(key: string): number {
    const failures = (this.#failed.get(key) ?? 0) + 1;
    this.#failed.set(key, failures);
    return backoffDelayMs(defaultQueueBackoff, failures, () => 0);
  }

  /** The earlier of two times wins. */
  #later(key: string, afterMs: number): void {
    if (!this.#timers.has(key) && this.#cache.has(key)) this.#schedule(key, afterMs);
  }

  // ---- what the reconciler works with ----

  #build(): ReturnType<typeof createJobRunReconciler> {
    const { clock, account, validate } = this.#world;
    const kube = this.#kube();
    const overlay = (object: NorthflankJobRun) => {
      const known = this.#cache.get(keyOf(object));
      if (known?.metadata.uid !== object.metadata.uid) return;
      if (Number(known?.metadata.resourceVersion) < Number(object.metadata.resourceVersion)) {
        this.#cache.set(keyOf(object), object);
      }
    };
    const accounts = new Map<FakeNorthflank, AccountResolution>();
    const usable = (request: AccountRequest): AccountResolution => {
      const northflank = this.#world.elsewhere?.(request) ?? this.#world.northflank;
      const before = accounts.get(northflank);
      if (before !== undefined) return before;
      const isHome = northflank === this.#world.northflank;
      const address = `https://api.northflank.com, team ${isHome ? "home" : "elsewhere"}`;
      const api = this.#api(northflank.connect());
      const readScope = isHome ? "token home" : "token elsewhere";
      const account = { api, pool: isHome ? "pool" : "pool elsewhere", address, version: "1", readScope };
      const resolution = { kind: "usable", account } as const;
      accounts.set(northflank, resolution);
      return resolution;
    };
    return createJobRunReconciler({
      kube,
      store: {
        get: (key) => this.#cache.get(key),
        byIndex: (name, value) =>
          [...this.#cache.values()].filter((object) => jobRunIndexes[name](object).includes(value)),
      },
      overlay,
      lists: new SharedLists({ clock }),
      statusWriter: createStatusWriter<NorthflankJobRun>({
        kube,
        type: northflankJobRuns,
        overlay,
        separateRecord: "start",
        log: this.log.log,
      }),
      accounts: {
        resolve: async (request) => account?.(request) ?? usable(request),
        tokenRejected: () => undefined,
        identity: async () => ({}),
      },
      validate: validate ?? (() => []),
      events: {
        record: (object, event) => {
          this.events.push({ key: keyOf(object), event });
        },
      },
      observer: {
        started: () => {
          this.counts.started += 1;
        },
        recovered: () => {
          this.counts.recovered += 1;
        },
        finished: (result) => this.counts.finished.push(result),
        ran: (seconds) => this.counts.ran.push(seconds),
      },
      enqueue: (key) => this.wake(key),
      takeHint: (key) => (this.#hinted.delete(key) ? clock.monotonic() : undefined),
      lease: { isLeaderFor: (ms) => clock.monotonic() + ms <= this.#leaseUntilMs },
      newId: () => `${this.name}-${++this.#ids}`,
      restored: this.restores.last,
      clock,
      random: () => 0.5,
      settings: {
        runPollIntervalMs: 10_000,
        startSettleMs: 30_000,
        startGateMs: 5_000,
        requestTimeoutMs: 30_000,
        leaseMarginMs: 5_000,
      },
    });
  }

  #kube(): KubeClient {
    const { cluster } = this.#world;
    return strictFake<KubeClient>("kube", {
      get: (async (type, name, signal) =>
        await this.#call(undefined, signal, () =>
          cluster.get(type.kind, `${name.namespace}/${name.name}`),
        )) as KubeClient["get"],
      replace: (async (_type, object, options, signal) => {
        if (options?.subresource !== "status") throw new Error("a PUT of more than the status");
        const run = object as unknown as NorthflankJobRun;
        const isIntent = run.status?.start?.outcome === "Pending";
        this.pace.count("write", keyOf(object));
        return await this.#call(isIntent ? "intentWrite" : undefined, signal, () => cluster.replaceStatus(run));
      }) as KubeClient["replace"],
      patch: (async (_type, at, patch, options, signal) => {
        const key = `${at.namespace}/${at.name}`;
        this.pace.count("write", key);
        if (patch.kind === "json") return await this.#call("markWrite", signal, () => cluster.patch(key, patch.body));
        if (options?.subresource !== "status") throw new Error("a merge patch of more than the status");
        const body = patch.body as Parameters<typeof cluster.patchStatus>[1];
        const boundary = this.#writeBoundary(at.name, body.status);
        return await this.#call(boundary, signal, () => cluster.patchStatus(key, body));
      }) as KubeClient["patch"],
      delete: async (_type, name, options, signal) => {
        this.pace.count("write", `${name.namespace}/${name.name}`);
        await this.#call(undefined, signal, () => cluster.delete(`${name.namespace}/${name.name}`, options?.uid));
      },
    });
  }

  #writeBoundary(name: string, patch: object): Boundary | undefined {
    const before = this.#world.cluster.read(name)?.status;
    const status = mergePatch(before, patch) as NonNullable<NorthflankJobRun["status"]>;
    const isNamed = status.conditions?.some(
      ({ type, reason }) => type === "Stalled" && reason === "StartOutcomeUnknown",
    );
    if (status.completionTime !== undefined || isNamed) return "terminalWrite";
    return status.runId !== undefined && before?.runId === undefined ? "runIdWrite" : undefined;
  }

  #api(api: NorthflankApi): NorthflankApi {
    const { cluster } = this.#world;
    // A call names its job alone: all objects of the job share what may be sent about it.
    const count = (jobId: string) =>
      this.pace.count("remote call", jobId, cluster.list().filter(({ spec }) => spec.jobId === jobId).length);
    return strictFake<NorthflankApi>("northflank", {
      reserve: api.reserve,
      listRuns: async (job, call) => {
        const isOpen = cluster.list().some(({ status, spec }) => {
          const start = status?.start;
          const isKnown = status?.attempts?.at(-1)?.number === start?.attempt;
          return spec.jobId === job.jobId && start?.outcome === "Pending" && !isKnown;
        });
        count(job.jobId);
        return await this.#call(isOpen ? "resolveRead" : "baseline", call.signal, () => api.listRuns(job, call));
      },
      getRun: async (run, call) => {
        count(run.jobId);
        return await this.#call(undefined, call.signal, () => api.getRun(run, call));
      },
      getJob: async (job, call) => {
        count(job.jobId);
        return await this.#call(undefined, call.signal, () => api.getJob(job, call));
      },
      getBuild: async (build, call) => await this.#call(undefined, call.signal, () => api.getBuild(build, call)),
      listBuilds: async (builder, call) =>
        await this.#call(undefined, call.signal, () => api.listBuilds(builder, call)),
      abortRun: async (run, call) => {
        count(run.jobId);
        await this.#call(undefined, call.signal, () => api.abortRun(run, call));
      },
      startRun: async (job, body, call) => {
        count(job.jobId);
        this.#reach("gate", "after");
        await this.#running(call.signal);
        this.#reach("postSent", "before");
        await this.#running(call.signal);
        const answer = api.startRun(job, body, call);
        this.#reach("postSent", "after");
        return await this.#readAnswer(await answer, call.signal);
      },
    });
  }

  async #readAnswer(result: StartResult, signal: AbortSignal): Promise<StartResult> {
    this.#reach("answerRead", "before");
    await this.#running();
    if (signal.aborted) return givenUp();
    this.#reach("answerRead", "after");
    await this.#running();
    return result;
  }

  /** A call: it leaves the process, happens at once, and its answer comes back, unless the process stops in between. */
  async #call<T>(
    boundary: Boundary | undefined,
    signal: AbortSignal | undefined,
    work: () => T | Promise<T>,
  ): Promise<T> {
    if (boundary !== undefined) this.#reach(boundary, "before");
    await this.#running(signal);
    const settled = this.pace.own(() => attempt(work));
    if (boundary !== undefined) this.#reach(boundary, "after");
    await this.#running(signal);
    if (boundary === "intentWrite") {
      this.#reach("gate", "before");
      await this.#running(signal);
    }
    return await settled();
  }

  #reach(boundary: Boundary, side: Side): void {
    if (this.#state === "running") this.#world.onBoundary?.(this, boundary, side);
  }

  /** Resolves while the process runs: at once, when it is thawed, or never. */
  async #running(signal?: AbortSignal): Promise<void> {
    if (this.#state === "dead") await new Promise<never>(() => undefined);
    if (this.#state === "frozen") await new Promise<void>((resolve) => this.#thaw.push(resolve));
    // Thawed and killed in the same moment.
    if (this.#state === "dead") await new Promise<never>(() => undefined);
    signal?.throwIfAborted();
  }
}

/** What happened now, told later, if the process is still there. */
function attempt<T>(work: () => T | Promise<T>): () => T | Promise<T> {
  try {
    const value = work();
    if (value instanceof Promise) value.catch(() => undefined);
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function givenUp(): StartResult {
  const facts = { code: "interrupted", step: "start", detail: "given up", sent: true } as const;
  return { kind: "unknown", error: new NorthflankError(facts) };
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace}/${object.metadata.name}`;
}
