import { type KindDefinition, kinds } from "../../src/api/kinds.ts";

/*
 * Metrics by object for kube-state-metrics, as Flux has them for its kinds: the operator itself counts objects by kind, so
 * that its number of series does not grow with use.
 */

type Path = readonly (string | number)[];

/** What each kind has beside its conditions, in the labels of `northflank_resource_info`. */
const infoPaths: Readonly<Record<string, Readonly<Record<string, Path>>>> = {
  NorthflankConnection: { team: ["spec", "teamId"] },
  NorthflankDeployment: {
    project: ["spec", "projectId"],
    target_service: ["spec", "serviceId"],
    target_job: ["spec", "jobId"],
  },
  NorthflankJob: { project: ["spec", "projectId"], target_job: ["spec", "jobId"] },
  NorthflankJobRun: { project: ["spec", "projectId"], target_job: ["spec", "jobId"], phase: ["status", "phase"] },
};

/** The configuration for `--custom-resource-state-config-file`. */
export function customResourceState(): object {
  return { kind: "CustomResourceStateMetrics", spec: { resources: kinds.map(resourceOf) } };
}

function resourceOf({ type }: KindDefinition): object {
  const { group, version, kind } = type;
  return {
    groupVersionKind: { group, version, kind },
    metricNamePrefix: "northflank",
    labelsFromPath: { exported_namespace: ["metadata", "namespace"], name: ["metadata", "name"] },
    metrics: [
      {
        name: "resource_info",
        help: "Always 1; the labels describe the object.",
        each: {
          type: "Info",
          info: {
            labelsFromPath: {
              ready: ["status", "conditions", "[type=Ready]", "status"],
              reason: ["status", "conditions", "[type=Ready]", "reason"],
              suspended: ["spec", "suspend"],
              ...infoPaths[kind],
            },
          },
        },
      },
      {
        name: "resource_condition",
        help: "1 if the status of the condition is True, else 0.",
        each: {
          type: "Gauge",
          gauge: {
            path: ["status", "conditions"],
            labelsFromPath: { type: ["type"], reason: ["reason"], status: ["status"] },
            valueFrom: ["status"],
          },
        },
      },
      ...gaugesOf(kind),
    ],
  };
}

/** Times of a kind: a run has none that is due, because its polls are not recorded in its status. */
function gaugesOf(kind: string): readonly object[] {
  const gauge = (name: string, help: string, field: string) => ({
    name,
    help,
    // An object without the time is nothing to log.
    errorLogV: 10,
    each: { type: "Gauge", gauge: { path: ["status", field], nilIsZero: false } },
  });
  if (kind === "NorthflankJobRun") return [];
  const next = gauge(
    "resource_next_reconcile_timestamp_seconds",
    "When the object is reconciled next, in Unix seconds.",
    "nextReconcileTime",
  );
  if (kind !== "NorthflankConnection") return [next];
  const expiry = gauge(
    "connection_token_expiration_timestamp_seconds",
    "Expiry of the token, in Unix seconds.",
    "tokenExpirationTime",
  );
  return [next, expiry];
}
