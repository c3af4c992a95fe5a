import type { ResourceType } from "../kube/types.ts";
import { connectionSpec, connectionStatus } from "./connection.ts";
import { deploymentSpec, deploymentStatus } from "./deployment.ts";
import { jobSpec, jobStatus } from "./job.ts";
import { jobRunSpec, jobRunStatus } from "./job-run.ts";
import { northflankConnections, northflankDeployments, northflankJobRuns, northflankJobs } from "./names.ts";
import type { ObjectSchema } from "./schema.ts";

/** A column of `kubectl get`. `wide` ones are shown with `-o wide` only. */
export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "boolean" | "date";
  readonly jsonPath: string;
  readonly description: string;
  readonly wide?: true;
}

/** Everything a CRD says about one kind. */
export interface KindDefinition {
  readonly type: ResourceType;
  readonly singular: string;
  readonly shortName: string;
  readonly categories: readonly string[];
  readonly description: string;
  readonly columns: readonly Column[];
  /** Fields for `kubectl get --field-selector`, served from Kubernetes 1.31 on. */
  readonly selectableFields: readonly string[];
  readonly spec: ObjectSchema;
  readonly status: ObjectSchema;
}

const age: Column = {
  name: "Age",
  type: "date",
  jsonPath: ".metadata.creationTimestamp",
  description: "Time since creation.",
};

const ready: Column = {
  name: "Ready",
  type: "string",
  jsonPath: '.status.conditions[?(@.type=="Ready")].status',
  description: "Whether Northflank has what is declared.",
};

const reason: Column = {
  name: "Reason",
  type: "string",
  jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
  description: "Reason of Ready.",
};

const next: Column = {
  name: "Next",
  // Not a date: kubectl prints dates as ages, and this one lies ahead.
  type: "string",
  jsonPath: ".status.nextReconcileTime",
  description: "Time of the next scheduled reconcile.",
  wide: true,
};

const message: Column = {
  name: "Message",
  type: "string",
  jsonPath: '.status.conditions[?(@.type=="Ready")].message',
  description: "Message of Ready.",
  wide: true,
};

const suspended: Column = {
  name: "Suspended",
  type: "boolean",
  jsonPath: ".spec.suspend",
  description: "Whether reconciliation is suspended.",
  wide: true,
};

const project: Column = {
  name: "Project",
  type: "string",
  jsonPath: ".spec.projectId",
  description: "Northflank project.",
};

const connectionKind: KindDefinition = {
  type: northflankConnections,
  singular: "northflankconnection",
  shortName: "nfconn",
  categories: ["northflank"],
  description:
    "Credentials and quota of a Northflank account. Objects of the namespace use it through spec.connectionRef, or if it " +
    "is named default.",
  columns: [
    { ...ready, description: "Whether the connection can be used." },
    reason,
    {
      name: "Remaining",
      type: "integer",
      jsonPath: ".status.rateLimit.remaining",
      description: "Requests left in the current hour.",
    },
    {
      name: "Others",
      type: "integer",
      jsonPath: ".status.budget.spentByOthers",
      description: "Requests of other clients of the account per hour.",
      wide: true,
    },
    {
      name: "Poll-Stretch",
      type: "string",
      jsonPath: ".status.budget.pollStretch",
      description: "How many times longer than usual polling intervals are.",
      wide: true,
    },
    {
      name: "Check-Stretch",
      type: "string",
      jsonPath: ".status.budget.checkStretch",
      description: "How many times longer than usual periods of drift checks are.",
      wide: true,
    },
    {
      name: "Expires",
      // Not a date: kubectl prints dates as ages, and this one lies ahead.
      type: "string",
      jsonPath: ".status.tokenExpirationTime",
      description: "Expiry of the token.",
      wide: true,
    },
    {
      name: "Dependents",
      type: "integer",
      jsonPath: ".status.dependents",
      description: "Number of objects that use the connection.",
    },
    suspended,
    message,
    age,
  ],
  selectableFields: [".spec.teamId"],
  spec: connectionSpec,
  status: connectionStatus,
};

const deploymentKind: KindDefinition = {
  type: northflankDeployments,
  singular: "northflankdeployment",
  shortName: "nfdeploy",
  categories: ["northflank", "all"],
  description:
    "Keeps the image or build of a Northflank service or job as declared, and tracks the rollout. Deleting the object " +
    "does not change the service or job.",
  columns: [
    ready,
    reason,
    project,
    { name: "Target", type: "string", jsonPath: ".status.target", description: "Service or job." },
    { name: "Image", type: "string", jsonPath: ".status.image", description: "Image or build in use." },
    suspended,
    next,
    message,
    age,
  ],
  selectableFields: [".spec.connectionRef.name", ".spec.projectId", ".spec.serviceId", ".spec.jobId"],
  spec: deploymentSpec,
  status: deploymentStatus,
};

const jobKind: KindDefinition = {
  type: northflankJobs,
  singular: "northflankjob",
  shortName: "nfjob",
  categories: ["northflank", "all"],
  description:
    "Keeps declared settings of an existing Northflank job; other settings are not managed. Deleting the object does not " +
    "change the job.",
  columns: [
    ready,
    reason,
    project,
    { name: "Job", type: "string", jsonPath: ".spec.jobId", description: "Northflank job." },
    { name: "Type", type: "string", jsonPath: ".status.jobType", description: "manual or cron." },
    suspended,
    next,
    message,
    age,
  ],
  selectableFields: [".spec.connectionRef.name", ".spec.projectId", ".spec.jobId"],
  spec: jobSpec,
  status: jobStatus,
};

const jobRunKind: KindDefinition = {
  type: northflankJobRuns,
  singular: "northflankjobrun",
  shortName: "nfrun",
  categories: ["northflank", "all"],
  description: "Runs a Northflank job once and tracks the run to its end. Create another object for another run.",
  columns: [
    {
      name: "Succeeded",
      type: "string",
      jsonPath: '.status.conditions[?(@.type=="Succeeded")].status',
      description: "True or False after the run has ended.",
    },
    { name: "Phase", type: "string", jsonPath: ".status.phase", description: "Phase of the run." },
    reason,
    { name: "Job", type: "string", jsonPath: ".spec.jobId", description: "Northflank job." },
    { name: "Run", type: "string", jsonPath: ".status.runName", description: "Name of the run in Northflank." },
    { ...project, wide: true },
    { name: "Started", type: "date", jsonPath: ".status.startTime", description: "Start of the run.", wide: true },
    {
      name: "Completed",
      type: "date",
      jsonPath: ".status.completionTime",
      description: "End of the run.",
      wide: true,
    },
    message,
    age,
  ],
  selectableFields: [".spec.connectionRef.name", ".spec.projectId", ".spec.jobId", ".status.phase"],
  spec: jobRunSpec,
  status: jobRunStatus,
};

/** The kinds of this operator, in the order of their names. */
export const kinds: readonly KindDefinition[] = [connectionKind, deploymentKind, jobKind, jobRunKind];

/** Our kind of this name; `undefined` for any other. */
export function findKind(name: string): KindDefinition | undefined {
  return kinds.find(({ type }) => type.kind === name);
}
