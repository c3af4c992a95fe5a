import type { NorthflankConnection } from "../api/connection.ts";
import type { NorthflankDeployment } from "../api/deployment.ts";
import type { NorthflankJob } from "../api/job.ts";
import type { NorthflankJobRun } from "../api/job-run.ts";
import { rivalsOf } from "../controllers/deployment/reconciler.ts";
import { rivalsOf as rivalsOfJob } from "../controllers/job/reconciler.ts";
import { isInTheWay, isWaitingForConcurrency } from "../controllers/job-run/concurrency.ts";
import { jobRunIndexes } from "../controllers/job-run/reconciler.ts";
import { connectionMatters, objectMatters } from "../controllers/reconcile/predicates.ts";
import { rivalsMatter } from "../controllers/target/conflicts.ts";
import { type ObjectKey, objectKey, type Priority } from "../runtime/outcome.ts";
import { Recent } from "../runtime/recent.ts";
import type { Change } from "../runtime/store.ts";
import type { StoreView } from "../runtime/watched-kind.ts";
import type { Clock } from "../util/clock.ts";

/** The part of a work queue that wakes objects. */
export interface Wakeable {
  add(key: ObjectKey, options?: { readonly priority?: Priority; readonly afterMs?: number }): void;
}

export interface WakeWiring {
  readonly connections: StoreView<NorthflankConnection>;
  readonly deployments: StoreView<NorthflankDeployment, "target" | "waitFor" | "connection">;
  readonly jobs: StoreView<NorthflankJob, "target" | "connection">;
  readonly jobRuns: StoreView<NorthflankJobRun, "job" | "open" | "waiting" | "connection">;
  readonly queues: {
    readonly connection: Wakeable;
    readonly deployment: Wakeable;
    readonly job: Wakeable;
    readonly jobRun: Wakeable;
  };
  /** Told when a connection is gone. */
  readonly forgetConnection: (key: ObjectKey) => void;
  readonly clock: Pick<Clock, "monotonic">;
}

// A connection that is changed many times a second does not make thousands of objects reconcile each time.
const betweenWakesMs = 2_000;

/**
 * Says which change wakes which object. Passes never learn why they were woken, so waking too much costs time but is
 * never wrong; waking too little is: then only the next recheck finds it.
 */
export function wireWakes(wiring: WakeWiring): void {
  const { connections, deployments, jobs, jobRuns, queues, clock } = wiring;
  const dueAtMs = new Recent<number>(clock, 2 * betweenWakesMs);

  /** How long the dependents of a connection wait: not at all, but after a change a moment ago. */
  const dependentsWait = (key: ObjectKey): number => {
    const nowMs = clock.monotonic();
    const lastMs = dueAtMs.get(key) ?? Number.NEGATIVE_INFINITY;
    const nextMs = lastMs > nowMs ? lastMs : Math.max(nowMs, lastMs + betweenWakesMs);
    dueAtMs.set(key, nextMs);
    return nextMs - nowMs;
  };

  connections.listen((change) => {
    const after = change.kind === "deleted" ? undefined : change.object;
    const before = change.kind === "added" ? undefined : change.previous;
    wakeOwn(queues.connection, change);
    if (change.kind === "deleted") wiring.forgetConnection(change.key);
    if (!connectionMatters(before, after)) return;
    const afterMs = change.kind === "updated" ? dependentsWait(change.key) : 0;
    const wake = { priority: priorityOf(change), afterMs };
    for (const { metadata } of deployments.byIndex("connection", change.key)) {
      queues.deployment.add(objectKey(metadata), wake);
    }
    for (const { metadata } of jobs.byIndex("connection", change.key)) queues.job.add(objectKey(metadata), wake);
    for (const { metadata } of jobRuns.byIndex("connection", change.key)) queues.jobRun.add(objectKey(metadata), wake);
  });

  deployments.listen((change) => {
    wakeOwn(queues.deployment, change);
    if (isFirstSeen(change)) return;
    if (change.kind === "updated" && !rivalsMatter(change.previous, change.object)) return;
    const about = change.kind === "deleted" ? change.previous : change.object;
    for (const key of rivalsOf(deployments, about)) queues.deployment.add(key, { priority: priorityOf(change) });
  });

  jobs.listen((change) => {
    wakeOwn(queues.job, change);
    if (isFirstSeen(change)) return;
    if (change.kind === "updated" && !rivalsMatter(change.previous, change.object)) return;
    const about = change.kind === "deleted" ? change.previous : change.object;
    for (const key of rivalsOfJob(jobs, about)) queues.job.add(key, { priority: priorityOf(change) });
  });

  jobRuns.listen((change) => {
    wakeOwn(queues.jobRun, change);
    for (const { metadata } of deployments.byIndex("waitFor", change.key)) queues.deployment.add(objectKey(metadata));
    const priority = priorityOf(change);
    const wake = (index: "waiting" | "open", about: NorthflankJobRun) => {
      for (const { metadata } of jobRunIndexes.job(about).flatMap((job) => jobRuns.byIndex(index, job))) {
        if (objectKey(metadata) !== change.key) queues.jobRun.add(objectKey(metadata), { priority });
      }
    };
    // One that wants the place of another is told to the one that has it.
    if (change.kind !== "deleted" && asksForPlace(change)) wake("open", change.object);
    // Others may wait for this one, but not for one that has only just appeared or waits itself: of those there may be
    // thousands. What is over is told to nobody else, and is told of nothing: of a job that runs each minute there are
    // thousands, too.
    else if (change.kind === "added" || !isInTheWay(change.previous)) return;
    else if (change.kind === "deleted") wake("waiting", change.previous);
    else if (objectMatters(change.previous, change.object) || hasMoved(change)) wake("waiting", change.object);
  });
}

/** Of a first list every object is woken by itself: if each woke its rivals too, that would be the square of it. */
function isFirstSeen(change: { readonly kind: string; readonly initial?: boolean }): boolean {
  return change.kind === "added" && change.initial === true;
}

function asksForPlace(change: Exclude<Change<NorthflankJobRun>, { readonly kind: "deleted" }>): boolean {
  const { object } = change;
  if (object.spec.concurrencyPolicy !== "Replace" || !isWaitingForConcurrency(object)) return false;
  return change.kind === "added" ? !change.initial : !isWaitingForConcurrency(change.previous);
}

/** An own write of status must not wake the object that wrote it; everything else does. */
function wakeOwn(
  queue: Wakeable,
  change:
    | Change<NorthflankConnection>
    | Change<NorthflankDeployment>
    | Change<NorthflankJob>
    | Change<NorthflankJobRun>,
): void {
  if (change.kind === "updated" && !objectMatters(change.previous, change.object)) return;
  queue.add(change.key, { priority: priorityOf(change) });
}

/**
 * What was there before we started is routine unless it is unfinished; whatever happens while we run is somebody's wish.
 */
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
