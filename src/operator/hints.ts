import type { NorthflankDeployment } from "../api/deployment.ts";
import type { NorthflankJob } from "../api/job.ts";
import type { NorthflankJobRun } from "../api/job-run.ts";
import { latestAttempt } from "../controllers/job-run/machine.ts";
import { jobIndexValue } from "../controllers/job-run/run-reconcile.ts";
import type { HintTrust } from "../controllers/reconcile/hint-trust.ts";
import { connectionKeys } from "../controllers/reconcile/predicates.ts";
import { targetOf } from "../controllers/target/object.ts";
import { type ObjectKey, objectKey } from "../runtime/outcome.ts";
import { Recent } from "../runtime/recent.ts";
import type { StoreView } from "../runtime/watched-kind.ts";
import type { Clock } from "../util/clock.ts";
import { TokenBucket } from "../util/token-bucket.ts";
import type { Hint } from "../webhook/delivery.ts";
import type { Enqueuer } from "./watches.ts";

/** One kind of objects that hints are about. */
interface Hinted {
  readonly queue: Enqueuer;
  /** The object is to be read in `afterMs`, although no poll is due. */
  readonly hinted: (key: ObjectKey, afterMs: number) => void;
}

export interface HintsDeps {
  readonly deployments: StoreView<NorthflankDeployment, "target">;
  readonly jobs: StoreView<NorthflankJob, "target">;
  readonly jobRuns: StoreView<NorthflankJobRun, "open">;
  readonly deployment: Hinted;
  readonly job: Hinted;
  readonly jobRun: Hinted;
  /** The pool of a connection; `undefined` while its account has not been used. */
  readonly poolOf: (connection: ObjectKey) => string | undefined;
  /** Hears what comes, so that polls become rare where it can be relied on. Default: nothing does. */
  readonly trust?: Pick<HintTrust, "heard" | "heardOf" | "missed">;
  readonly clock: Pick<Clock, "monotonic" | "now">;
}

// What is heard of an object in between is read at the end of it, once.
const perObjectMs = 5_000;

// Rollouts take longer than this as a rule.
const beginMs = 10_000;

// Reads that hints lead to, per account: a burst, and then 240 an hour, a quarter of the quota of an account.
const burst = 60;
const refillMs = 15_000;

/**
 * Turns hints into reconciles that read: of the objects in the account of the connection that name the service or job,
 * and of the runs of that job that are not over.
 *
 * *Guarantees*: below every change of a user; each object once in 5 s, and the last hint about it is not lost; 60 reads
 * and then 240 an hour for one account, whatever comes. What is dropped is read when its poll is due, and hints of its
 * project are not relied on until they are followed again.
 */
export class Hints {
  readonly #deps: HintsDeps;
  /** When each object is read next because of a hint, or was read last. */
  readonly #readAtMs: Recent<number>;
  /** By pool, as far as it is known. */
  readonly #budgets: Recent<TokenBucket>;

  constructor(deps: HintsDeps) {
    this.#deps = deps;
    this.#readAtMs = new Recent(deps.clock, 2 * perObjectMs);
    this.#budgets = new Recent(deps.clock, burst * refillMs);
  }

  take(connection: ObjectKey, hint: Hint): void {
    const { deployment, job, jobRun, trust, poolOf } = this.#deps;
    const pool = poolOf(connection);
    if (pool !== undefined) trust?.heard(pool);
    if (hint.isStart) return;
    const isOurs = (object: Parameters<typeof connectionKeys>[0]) => this.#isInAccount(connection, object);
    const found = [
      ...this.#runs(hint).map((object) => ({ object, kind: jobRun, name: "run", leastMs: 0 })),
      ...this.#deployments(hint).map((object) => ({
        ...{ object, kind: deployment, name: "deployment" },
        leastMs: this.#beginsForMs(object),
      })),
      ...this.#jobs(hint).map((object) => ({ object, kind: job, name: "job", leastMs: 0 })),
    ].filter(({ object }) => isOurs(object));
    for (const { object, kind, name, leastMs } of found) {
      const key = objectKey(object.metadata);
      const isFollowed = this.#enqueue(connection, kind, name, { key, leastMs });
      if (name === "job" || pool === undefined) continue;
      const ends = { pool, kind: name === "run" ? "run" : "rollout", projectId: hint.projectId } as const;
      if (isFollowed) trust?.heardOf(ends.kind, key);
      else trust?.missed(ends);
    }
  }

  /** What is heard right after a change is that its rollout begins: it is read a little later, and may be over by then. */
  #beginsForMs({ status }: NorthflankDeployment): number {
    const [head] = status?.changes ?? [];
    if (head?.phase !== "RollingOut") return 0;
    const sinceMs = this.#deps.clock.now() - Date.parse(head.time);
    return sinceMs >= 0 && sinceMs < beginMs ? beginMs - sinceMs : 0;
  }

  #deployments({ projectId, serviceId, jobId, isAboutRun }: Hint): readonly NorthflankDeployment[] {
    if (isAboutRun) return [];
    const targets = [...(serviceId ? [{ serviceId }] : []), ...(jobId ? [{ jobId }] : [])];
    const values = targets.map((target) => targetOf({ spec: { projectId, ...target } }));
    return values.flatMap((value) => this.#deps.deployments.byIndex("target", value));
  }

  #jobs({ projectId, jobId, isAboutRun }: Hint): readonly NorthflankJob[] {
    if (jobId === undefined || isAboutRun) return [];
    return this.#deps.jobs.byIndex("target", targetOf({ spec: { projectId, jobId } }));
  }

  /** The run that is named, if it is one of ours; else all of that job that are not over. */
  #runs({ projectId, jobId, runId }: Hint): readonly NorthflankJobRun[] {
    if (jobId === undefined) return [];
    const open = this.#deps.jobRuns.byIndex("open", jobIndexValue({ projectId, jobId }));
    const named = open.filter((run) => runId !== undefined && latestAttempt(run)?.runId === runId);
    return named.length > 0 ? named : open;
  }

  #isInAccount(connection: ObjectKey, object: Parameters<typeof connectionKeys>[0]): boolean {
    const keys = connectionKeys(object);
    if (keys.includes(connection)) return true;
    const pool = this.#deps.poolOf(connection);
    return pool !== undefined && keys.some((key) => this.#deps.poolOf(key) === pool);
  }

  /** False where it is not read. */
  #enqueue(
    connection: ObjectKey,
    { queue, hinted }: Hinted,
    name: string,
    { key, leastMs }: { readonly key: ObjectKey; readonly leastMs: number },
  ): boolean {
    const id = `${name} ${key}`;
    const nowMs = this.#deps.clock.monotonic();
    const lastMs = this.#readAtMs.get(id) ?? Number.NEGATIVE_INFINITY;
    // Not read yet: it will be, later than this hint.
    if (lastMs > nowMs) return true;
    if (!this.#mayRead(connection)) return false;
    const afterMs = Math.max(leastMs, lastMs + perObjectMs - nowMs);
    this.#readAtMs.set(id, nowMs + afterMs);
    hinted(key, afterMs);
    queue.add(key, { priority: "follow", afterMs });
    return true;
  }

  #mayRead(connection: ObjectKey): boolean {
    const account = this.#deps.poolOf(connection) ?? connection;
    const budget = this.#budgets.get(account) ?? new TokenBucket({ clock: this.#deps.clock, burst, refillMs });
    this.#budgets.set(account, budget);
    return budget.take();
  }
}

/** Hints about objects whose reconciler asks for them. Bounded: a hint that is not taken is forgotten. */
export class PendingHints {
  readonly #atMs: Recent<number>;
  readonly #clock: Pick<Clock, "monotonic">;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
    this.#atMs = new Recent(clock, 60_000);
  }

  readonly hinted = (key: ObjectKey, afterMs: number): void => {
    this.#atMs.set(key, this.#clock.monotonic() + afterMs);
  };

  /** For each hint whose time has come, once: when that was, and nothing about the object was heard later. */
  readonly take = (key: ObjectKey): number | undefined => {
    const atMs = this.#atMs.get(key);
    // The queue may come back a little early.
    if (atMs === undefined || atMs > this.#clock.monotonic() + 50) return undefined;
    this.#atMs.delete(key);
    return atMs;
  };
}
