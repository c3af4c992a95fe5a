import type { ResourceType } from "../kube/types.ts";

/** Names that users, other programs and stored objects hold: changing one is a breaking change. */

export const group = "northflank-operator.io";
export const version = "v1alpha1";
export const apiVersion = `${group}/${version}`;

export const northflankConnections: ResourceType = {
  group,
  version,
  plural: "northflankconnections",
  kind: "NorthflankConnection",
  namespaced: true,
};

export const northflankDeployments: ResourceType = {
  group,
  version,
  plural: "northflankdeployments",
  kind: "NorthflankDeployment",
  namespaced: true,
};

export const northflankJobs: ResourceType = {
  group,
  version,
  plural: "northflankjobs",
  kind: "NorthflankJob",
  namespaced: true,
};

export const northflankJobRuns: ResourceType = {
  group,
  version,
  plural: "northflankjobruns",
  kind: "NorthflankJobRun",
  namespaced: true,
};

/**
 * A new value of this annotation requests a reconcile; it is copied to `status.lastHandledReconcileAt` once it is
 * handled.
 */
export const reconcileRequestedAt = `${group}/reconcile-requested-at`;

/** Flux's name for the same request, understood as an alias. Where both are set the later time counts. */
export const fluxRequestedAt = "reconcile.fluxcd.io/requestedAt";

/** A person's answer to `StartOutcomeUnknown`: `<runId>`, `retry` or `fail`, with `@<anything>` to say it again. */
export const resolveStart = `${group}/resolve-start`;

/**
 * The revision that an object belongs to: any text, such as a commit. A run that a deployment waits for counts only when
 * both have the same, or one of them has none.
 */
export const revision = `${group}/revision`;

/**
 * On a NorthflankJobRun: its last start, written by the operator before the start is sent. It outlives the status, which
 * backup tools and copies leave out, and keeps such an object from running again.
 */
export const startedRun = `${group}/started-run`;

/** On the Lease: `ip:port` of the leader's webhook receiver. */
export const webhookAddressAnnotation = `${group}/webhook-address`;

/** On a NorthflankConnection whose notification integration the operator creates. */
export const integrationFinalizer = `${group}/integration-finalizer`;

/** On a NorthflankJobRun with `deletionPolicy: Abort`, while its run is active. */
export const runFinalizer = `${group}/run-finalizer`;

/** Label of the CRDs: which schema the cluster serves. */
export const schemaVersionLabel = `${group}/schema-version`;

/** Grows with every change of a schema. */
export const schemaVersion = "1";

/** Where `kubectl apply` keeps what it was given. Read for pruned fields, never logged. */
export const lastAppliedConfiguration = "kubectl.kubernetes.io/last-applied-configuration";

/** `reportingController` of Events. */
export const reportingController = `${group}/operator`;

/** Field manager of the operator's own writes. */
export const operatorFieldManager = "northflank-operator";

/**
 * Field manager of the command line (`suspend`, `resume`, `abort`, `reconcile`). It must not begin with `kubectl`: Flux
 * takes over fields of such managers and drops what Git lacks.
 *
 * @public
 */
export const cliFieldManager = "northflank-operator-cli";
