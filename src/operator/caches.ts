import type { NorthflankConnection } from "../api/connection.ts";
import type { NorthflankDeployment } from "../api/deployment.ts";
import type { NorthflankJob } from "../api/job.ts";
import type { NorthflankJobRun } from "../api/job-run.ts";
import { findKind } from "../api/kinds.ts";
import { northflankConnections, northflankDeployments, northflankJobRuns, northflankJobs } from "../api/names.ts";
import { createProjection } from "../api/project-object.ts";
import type { Config } from "../config.ts";
import { deploymentIndexes } from "../controllers/deployment/target.ts";
import { jobRunIndexes } from "../controllers/job-run/reconciler.ts";
import { connectionKeys } from "../controllers/reconcile/predicates.ts";
import { targetKeys } from "../controllers/target/object.ts";
import type { KubeClient } from "../kube/client.ts";
import type { KubeObject, ResourceType } from "../kube/types.ts";
import type { Metrics } from "../metrics.ts";
import type { Access } from "../runtime/installation-fault.ts";
import type { Explanation } from "../runtime/outcome.ts";
import type { IndexFunction } from "../runtime/store.ts";
import { type WatchedKind, watchKind } from "../runtime/watched-kind.ts";
import type { Clock } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import type { Random } from "../util/random.ts";
import type { Fits } from "./schema-fitted-client.ts";
import { SpecSizeLimit } from "./spec-size-limit.ts";

/** Our kinds as the server has them, with the indexes that controllers ask for. */
export interface Caches {
  readonly connections: WatchedKind<NorthflankConnection>;
  readonly deployments: WatchedKind<NorthflankDeployment, "target" | "waitFor" | "connection">;
  readonly jobs: WatchedKind<NorthflankJob, "target" | "connection">;
  readonly jobRuns: WatchedKind<NorthflankJobRun, "job" | "open" | "waiting" | "connection">;
}

export interface CachesDeps {
  readonly kube: KubeClient;
  readonly fits: Fits;
  readonly config: Pick<Config, "watchNamespaces" | "watchLabelSelector">;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Explains why a kind cannot be read, where that is a fault of the installation. */
  readonly explain: (error: Error, access: Access) => Explanation | undefined;
  /** Called when a kind is seen in an earlier state than before. */
  readonly onRegression: () => void;
}

/** Makes the caches; nothing is watched before they are started. */
export function createCaches(deps: CachesDeps): Caches {
  return {
    // Connections are found by every shard, whatever their labels: the label selector shares out what uses them.
    connections: watch<NorthflankConnection, never>(
      { ...deps, config: withoutSelector(deps) },
      northflankConnections,
      {},
    ),
    deployments: watch(deps, northflankDeployments, { ...deploymentIndexes, connection: connectionKeys }),
    jobs: watch(deps, northflankJobs, { target: targetKeys<NorthflankJob>, connection: connectionKeys }),
    jobRuns: watch(deps, northflankJobRuns, { ...jobRunIndexes, connection: connectionKeys }),
  };
}

function withoutSelector({ config }: CachesDeps): CachesDeps["config"] {
  return { watchNamespaces: config.watchNamespaces, watchLabelSelector: undefined };
}

function watch<T extends KubeObject, I extends string>(
  { config, metrics, fits, explain, ...deps }: CachesDeps,
  type: ResourceType,
  indexes: Readonly<Record<I, IndexFunction<T>>>,
): WatchedKind<T, I> {
  const definition = findKind(type.kind);
  if (definition === undefined) throw new TypeError(`${type.kind} is not a kind of this operator`);
  const specSizes = new SpecSizeLimit(definition);
  const project = createProjection<T>(definition, fits.get(type.kind));
  const kind = watchKind<T, I>({
    ...deps,
    resource: type,
    namespaces: config.watchNamespaces,
    ...(config.watchLabelSelector === undefined ? {} : { labelSelector: config.watchLabelSelector }),
    project: (raw) => specSizes.admit<T>(project(raw)),
    indexes,
    explain: (error, namespace) => explain(error, { verb: "list", type, namespace }),
    observer: metrics.reflectorObserver(type.plural, deps.clock),
  });
  kind.store.listen((change) => {
    // One that was made again under its name has been admitted already.
    if (change.kind === "deleted" && kind.store.get(change.key) === undefined) specSizes.forget(change.key);
  });
  return kind;
}
