import type { NorthflankConnectionSpec } from "../../../src/api/connection.ts";
import type { NorthflankDeploymentSpec } from "../../../src/api/deployment.ts";
import type { NorthflankJobSpec } from "../../../src/api/job.ts";
import type { NorthflankJobRunSpec } from "../../../src/api/job-run.ts";
import type { NorthflankCall } from "../../../src/api/northflank-calls.ts";

/**
 * What a field does at Northflank. The table below is total: a field of a spec without an entry does not compile, and a test
 * goes through what is nested in them. `docs/reference` is written from it.
 */
export type FieldUse =
  /** Sent as it is written, and everything in it under the same names, as these properties of request bodies. */
  | { readonly kind: "body"; readonly properties: Properties }
  /** Values that the operator makes from the field go into these properties. `inner` are the fields inside. */
  | { readonly kind: "source"; readonly properties: Properties; readonly inner: readonly string[] }
  /** An object whose fields have uses of their own. `properties`: where the object itself is one in a body. */
  | {
      readonly kind: "parts";
      readonly properties: Properties;
      readonly parts: Readonly<Record<string, FieldUse>>;
    }
  /** Part of the path of every call. */
  | { readonly kind: "path"; readonly parameter: string }
  /** Sent with every request, but not in its body. */
  | { readonly kind: "request"; readonly as: string; readonly inner: readonly string[] }
  /** Never sent: a setting of the operator. `call` is what it may lead to. */
  | { readonly kind: "operator"; readonly inner: readonly string[]; readonly call?: NorthflankCall };

/** Per call the property of its body, dotted; empty for the body itself. */
type Properties = Readonly<Partial<Record<NorthflankCall, string>>>;

/** An entry for every field, also for those that may be left out. */
type UsesOf<Spec> = { readonly [Field in keyof Required<Spec>]: FieldUse };

const operator: FieldUse = { kind: "operator", inner: [] };

const connection: UsesOf<NorthflankConnectionSpec> = {
  tokenSecretRef: {
    kind: "request",
    as: "header `Authorization: Bearer`, with the value that the Secret holds",
    inner: ["name", "key"],
  },
  teamId: { kind: "path", parameter: "team" },
  apiURL: { kind: "request", as: "address of the request", inner: [] },
  budget: { kind: "operator", inner: ["maxRequestsPerHour", "poolName"] },
  allowedProjects: { kind: "operator", inner: ["[]"] },
  notifications: { kind: "operator", inner: ["secretRef", "secretRef.name", "register"] },
  validationPeriodSeconds: { kind: "operator", inner: [], call: "check token" },
  suspend: operator,
};

const deployment: UsesOf<NorthflankDeploymentSpec> = {
  connectionRef: { kind: "operator", inner: ["name"] },
  projectId: { kind: "path", parameter: "project" },
  serviceId: { kind: "path", parameter: "service" },
  jobId: { kind: "path", parameter: "job" },
  deployment: {
    kind: "body",
    properties: {
      "update service deployment": "",
      "update job deployment": "",
      "patch deployment service": "deployment",
    },
  },
  managementPolicy: operator,
  continuousDeployment: { kind: "operator", inner: [], call: "get service" },
  rollout: { kind: "operator", inner: ["wait", "timeoutSeconds", "onFailure"], call: "get service" },
  waitFor: { kind: "operator", inner: ["[]", "[].jobRunRef", "[].jobRunRef.name"] },
  redeployToken: { kind: "operator", inner: [], call: "update service deployment" },
  resyncPeriodSeconds: { kind: "operator", inner: [], call: "get service" },
  suspend: operator,
};

const references = ["secretRef", "configMapRef"].flatMap((ref) => inside(ref, ["name", "prefix", "optional"]));
const keyReferences = ["secretKeyRef", "configMapKeyRef"].flatMap((ref) => inside(ref, ["name", "key", "optional"]));

const jobRun: UsesOf<NorthflankJobRunSpec> = {
  connectionRef: { kind: "operator", inner: ["name"] },
  projectId: { kind: "path", parameter: "project" },
  jobId: { kind: "path", parameter: "job" },
  runtimeEnvironment: { kind: "body", properties: { "run job": "runtimeEnvironment" } },
  runtimeEnvironmentFrom: {
    kind: "source",
    properties: { "run job": "runtimeEnvironment" },
    inner: ["[]", ...inside("[]", ["name", ...references, ...keyReferences])],
  },
  allowReferences: operator,
  runtimeFiles: { kind: "body", properties: { "run job": "runtimeFiles" } },
  runtimeFilesFrom: {
    kind: "source",
    properties: { "run job": "runtimeFiles" },
    inner: ["[]", ...inside("[]", ["path", ...keyReferences])],
  },
  dockerSecretMounts: { kind: "body", properties: { "run job": "dockerSecretMounts" } },
  billing: { kind: "body", properties: { "run job": "billing" } },
  deployment: { kind: "body", properties: { "run job": "deployment" } },
  startGuarantee: operator,
  concurrencyPolicy: { kind: "operator", inner: [], call: "list job runs" },
  backoffLimit: { kind: "operator", inner: [], call: "run job" },
  startDeadlineSeconds: operator,
  activeDeadlineSeconds: { kind: "operator", inner: [], call: "abort job run" },
  suspend: operator,
  abort: { kind: "operator", inner: [], call: "abort job run" },
  deletionPolicy: { kind: "operator", inner: [], call: "abort job run" },
  ttlSecondsAfterFinished: operator,
};

/** A setting of a job that has the same name in the bodies of all calls. */
function setting(property: string): FieldUse {
  return {
    kind: "body",
    properties: { "patch job": property, "patch manual job": property, "patch cron job": property },
  };
}

/** A part of the run policy: on top in the older bodies, under `settings` in the newer one. */
function policy(property: string): FieldUse {
  return {
    kind: "body",
    properties: { "patch job": `settings.${property}`, "patch manual job": property, "patch cron job": property },
  };
}

function valuesOf(property: string, inner: readonly string[]): FieldUse {
  const properties = { "patch job": property, "patch manual job": property, "patch cron job": property };
  return { kind: "source", properties, inner: ["[]", ...inside("[]", [...inner, ...keyReferences])] };
}

const runPolicy: UsesOf<NonNullable<NorthflankJobSpec["settings"]["settings"]>> = {
  backoffLimit: policy("backoffLimit"),
  runOnSourceChange: policy("runOnSourceChange"),
  activeDeadlineSeconds: policy("activeDeadlineSeconds"),
  cron: {
    kind: "parts",
    properties: { "patch job": "settings.cron" },
    parts: {
      schedule: {
        kind: "body",
        properties: { "patch job": "settings.cron.schedule", "patch cron job": "schedule" },
      },
      suspended: {
        kind: "body",
        properties: { "patch job": "settings.cron.suspended", "patch cron job": "suspended" },
      },
      concurrencyPolicy: {
        kind: "body",
        properties: { "patch job": "settings.cron.concurrencyPolicy", "patch cron job": "concurrencyPolicy" },
      },
    } satisfies UsesOf<NonNullable<NorthflankJobSpec["settings"]["cron"]>>,
  },
};

const settings: UsesOf<NorthflankJobSpec["settings"]> = {
  description: setting("description"),
  stageId: setting("stageId"),
  tags: setting("tags"),
  billing: setting("billing"),
  disabledCI: setting("disabledCI"),
  buildConfiguration: setting("buildConfiguration"),
  buildSettings: setting("buildSettings"),
  runtimeEnvironment: setting("runtimeEnvironment"),
  runtimeEnvironmentFrom: valuesOf("runtimeEnvironment", ["name", ...references]),
  runtimeFiles: setting("runtimeFiles"),
  runtimeFilesFrom: valuesOf("runtimeFiles", ["path"]),
  buildArguments: setting("buildArguments"),
  buildArgumentsFrom: valuesOf("buildArguments", ["name", ...references]),
  buildFiles: setting("buildFiles"),
  dockerSecretMounts: setting("dockerSecretMounts"),
  healthChecks: setting("healthChecks"),
  ...runPolicy,
  settings: { kind: "parts", properties: { "patch job": "settings" }, parts: runPolicy },
};

const job: UsesOf<NorthflankJobSpec> = {
  connectionRef: { kind: "operator", inner: ["name"] },
  projectId: { kind: "path", parameter: "project" },
  jobId: { kind: "path", parameter: "job" },
  jobType: { kind: "operator", inner: [], call: "patch manual job" },
  settings: {
    kind: "parts",
    properties: { "patch job": "", "patch manual job": "", "patch cron job": "" },
    parts: settings,
  },
  allowReferences: operator,
  managementPolicy: operator,
  resyncPeriodSeconds: { kind: "operator", inner: [], call: "get job" },
  suspend: operator,
};

/** The use of every field of every spec, by kind and field. */
export const fieldUses: Readonly<Record<string, Readonly<Record<string, FieldUse>>>> = {
  NorthflankConnection: connection,
  NorthflankDeployment: deployment,
  NorthflankJob: job,
  NorthflankJobRun: jobRun,
};

/** The names in an object, with its own before them: `[].name`. */
function inside(object: string, names: readonly string[]): readonly string[] {
  const within = names.map((name) => (name.startsWith("[") ? `${object}${name}` : `${object}.${name}`));
  return object === "[]" ? within : [object, ...within];
}
