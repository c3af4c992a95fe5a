import type { NorthflankConnection } from "../api/connection.ts";
import type { NorthflankDeployment } from "../api/deployment.ts";
import type { NorthflankJob } from "../api/job.ts";
import type { NorthflankJobRun } from "../api/job-run.ts";
import { isInTheWay, isWaitingForConcurrency } from "../controllers/job-run/concurrency.ts";
import { jobRunIndexes } from "../controllers/job-run/reconciler.ts";
import { connectionChanged, objectChanged } from "../controllers/reconcile/predicates.ts";
import { conflictsMayChange, conflictsOf } from "../controllers/target/conflicts.ts";
import type { ByTarget } from "../controllers/target/object.ts";
import { type ObjectKey, objectKey, type Priority } from "../runtime/outcome.ts";
import { Recent } from "../runtime/recent.ts";
import type { Change } from "../runtime/store.ts";
import type { StoreView } from "../runtime/watched-kind.ts";
import type { Clock } from "../util/clock.ts";

/** The part of a work queue that objects are enqueued through. */
export interface Enqueuer {
  add(key: ObjectKey, options?: { readonly priority?: Priority; readonly afterMs?: number }): void;
}

export interface Watches {
  readonly connections: StoreView<NorthflankConnection>;
  readonly deployments: StoreView<NorthflankDeployment, "target" | "waitFor" | "connection">;
  readonly jobs: StoreView<NorthflankJob, "target" | "connection">;
  readonly jobRuns: StoreView<NorthflankJobRun, "job" | "open" | "waiting" | "connection">;
  readonly queues: {
    readonly connection: Enqueuer;
    readonly deployment: Enqueuer;
    readonly job: Enqueuer;
    readonly jobRun: Enqueuer;
  };
  /** Called when a connection is gone. */
  readonly forgetConnection: (key: ObjectKey) => void;
  readonly clock: Pick<Clock, "monotonic">;
}

// A connection that is changed many times a second does not make thousands of objects reconcile each time.
const dependentsIntervalMs = 2_000;

/**
 * Registers the event handlers: which change of which object enqueues which keys. Reconciles do not know why their key
 * was enqueued, so a key too many costs time and is never wrong; for one too few a change waits for the next recheck.
 */
export function wireWatches(watches: Watches): void {
  const { connections, deployments, jobs, jobRuns, queues, clock } = watches;
  const dueAtMs = new Recent<number>(clock, 2 * dependentsIntervalMs);

  /** How long the dependents of a connection are delayed: not at all, unless it changed a moment ago. */
  const dependentsDelayMs = (key: ObjectKey): number => {
    const nowMs = clock.monotonic();
    const lastMs = dueAtMs.get(key) ?? Number.NEGATIVE_INFINITY;
    const nextMs = lastMs > nowMs ? lastMs : Math.max(nowMs, lastMs + dependentsIntervalMs);
    dueAtMs.set(key, nextMs);
    return nextMs - nowMs;
  };

  connections.listen((change) => {
    const after = change.kind === "deleted" ? undefined : change.object;
    const before = change.kind === "added" ? undefined : change.previous;
    enqueueOwn(queues.connection, change);
    if (change.kind === "deleted") watches.forgetConnection(change.key);
    if (!connectionChanged(before, after)) return;
    const afterMs = change.kind === "updated" ? dependentsDelayMs(change.key) : 0;
    const options = { priority: priorityOf(change), afterMs };
    for (const { metadata } of deployments.byIndex("connection", change.key)) {
      queues.deployment.add(objectKey(metadata), options);
    }
    for (const { metadata } of jobs.byIndex("connection", change.key)) queues.job.add(objectKey(metadata), options);
    for (const { metadata } of jobRuns.byIndex("connection", change.key))
      queues.jobRun.add(objectKey(metadata), options);
  });

  deployments.listen(targetHandler(queues.deployment, deployments));
  jobs.listen(targetHandler(queues.job, jobs));

  jobRuns.listen((change) => {
    enqueueOwn(queues.jobRun, change);
    for (const { metadata } of deployments.byIndex("waitFor", change.key)) queues.deployment.add(objectKey(metadata));
    const priority = priorityOf(change);
    const enqueueOthers = (index: "waiting" | "open", about: NorthflankJobRun) => {
      for (const { metadata } of jobRunIndexes.job(about).flatMap((job) => jobRuns.byIndex(index, job))) {
        if (objectKey(metadata) !== change.key) queues.jobRun.add(objectKey(metadata), { priority });
      }
    };
    // One that begins to wait for its place with the policy Replace enqueues those that have a place.
    if (change.kind !== "deleted" && asksForPlace(change)) enqueueOthers("open", change.object);
    // Others may wait for this one, but not for one that has only just appeared or waits itself: of those there may be
    // thousands. What is over enqueues nothing and is not enqueued: of a job that runs each minute there are thousands,
    // too.
    else if (change.kind === "added" || !isInTheWay(change.previous)) return;
    else if (change.kind === "deleted") enqueueOthers("waiting", change.previous);
    else if (objectChanged(change.previous, change.object) || hasMoved(change)) enqueueOthers("waiting", change.object);
  });
}

/** The handler of a kind whose objects keep a target: others that name the same one may be enqueued too. */
function targetHandler<T extends NorthflankDeployment | NorthflankJob>(
  queue: Enqueuer,
  store: ByTarget<T>,
): (change: Change<T>) => void {
  return (change) => {
    enqueueOwn(queue, change);
    if (isFirstSeen(change)) return;
    if (change.kind === "updated" && !conflictsMayChange(change.previous, change.object)) return;
    const object = change.kind === "deleted" ? change.previous : change.object;
    for (const key of conflictsOf(store, object)) queue.add(key, { priority: priorityOf(change) });
  };
}

/**
 * Every object of a first list is enqueued by itself: if each enqueued the others of its target, that would be n
 * squared.
 */
function isFirstSeen(change: { readonly kind: string; readonly initial?: boolean }): boolean {
  return change.kind === "added" && change.initial === true;
}

function asksForPlace(change: Exclude<Change<NorthflankJobRun>, { readonly kind: "deleted" }>): boolean {
  const { object } = change;
  if (object.spec.concurrencyPolicy !== "Replace" || !isWaitingForConcurrency(object)) return false;
  return change.kind === "added" ? !change.initial : !isWaitingForConcurrency(change.previous);
}

/** Our own write of status does not enqueue the object; everything else does. */
function enqueueOwn(
  queue: Enqueuer,
  change: Change<NorthflankConnection | NorthflankDeployment | NorthflankJob | NorthflankJobRun>,
): void {
  if (change.kind === "updated" && !objectChanged(change.previous, change.object)) return;
  queue.add(change.key, { priority: priorityOf(change) });
}

/** What was there before the start is routine unless it is unfinished; a user waits for what changes afterwards. */
function priorityOf(change: {
  readonly kind: string;
  readonly initial?: boolean;
  readonly object?: {
    readonly metadata: { readonly generation?: number };
    readonly status?: { readonly observedGeneration?: number };
  };
}): Priority {
  if (change.initial !== true) return "change";
  const { object } = change;
  return object?.status?.observedGeneration === object?.metadata.generation ? "resync" : "follow";
}

function hasMoved(change: Change<NorthflankJobRun> & { readonly kind: "updated" }): boolean {
  return (
    change.previous.status?.phase !== change.object.status?.phase ||
    change.previous.status?.start?.outcome !== change.object.status?.start?.outcome
  );
}
