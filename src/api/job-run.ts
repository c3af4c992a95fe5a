import type { KubeObject } from "../kube/types.ts";
import {
  billing,
  buildpack,
  conditions,
  connectionRef,
  docker,
  dockerSecretMounts,
  environment,
  environmentFrom,
  external,
  failure,
  files,
  filesFrom,
  gpu,
  immutable,
  internal,
  isSet,
  jobId,
  lastHandledReconcileAt,
  notBothSources,
  observedGeneration,
  projectId,
  statusDefault,
  storage,
  text,
  time,
} from "./fragments.ts";
import type { OnlyInCache } from "./misfits.ts";
import type { Infer, ObjectSchema, Rule } from "./schema.ts";

const newRun = "another run needs another NorthflankJobRun";

/** All but `suspend`, `abort`, `ttlSecondsAfterFinished` and `deletionPolicy`, which may change at any time. */
const immutableFields = [
  "connectionRef",
  "projectId",
  "jobId",
  "runtimeEnvironment",
  "runtimeEnvironmentFrom",
  "allowReferences",
  "runtimeFiles",
  "runtimeFilesFrom",
  "dockerSecretMounts",
  "billing",
  "deployment",
  "startGuarantee",
  "concurrencyPolicy",
  "backoffLimit",
  "startDeadlineSeconds",
  "activeDeadlineSeconds",
] as const;

const noReferences: Rule = {
  name: "references",
  rule: "self.allowReferences || !has(self.runtimeEnvironment) || self.runtimeEnvironment.all(k, !self.runtimeEnvironment[k].contains('${'))",
  message:
    "Northflank would expand ${ in a value: set allowReferences: true if that is intended, or render the file first if CI left it",
  fieldPath: ".runtimeEnvironment",
  check: (self: {
    readonly allowReferences?: boolean;
    readonly runtimeEnvironment?: Readonly<Record<string, string>>;
  }) =>
    self.allowReferences === true ||
    Object.values(self.runtimeEnvironment ?? {}).every((value) => !value.includes("${")),
};

export const jobRunSpec = {
  type: "object",
  description:
    "A run of a Northflank job. All fields are immutable, except suspend, abort, ttlSecondsAfterFinished and " +
    "deletionPolicy.",
  properties: {
    connectionRef,
    projectId,
    jobId,
    runtimeEnvironment: environment,
    runtimeEnvironmentFrom: environmentFrom,
    allowReferences: {
      type: "boolean",
      default: false,
      description:
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the reader has to see what Northflank expands.
        "True: ${...} in environment values, files and Docker secret mounts is allowed, and Northflank replaces it by " +
        "values of the project's secrets. False: such values and contents are rejected. Default: false.",
    },
    runtimeFiles: files,
    runtimeFilesFrom: filesFrom,
    dockerSecretMounts,
    billing,
    deployment: {
      type: "object",
      description:
        "Overrides of the job's settings for this run, with Northflank's field names. The job itself is not changed. The " +
        "operator waits for a build that is active, up to startDeadlineSeconds. If the build fails, the run fails.",
      properties: { external, internal, docker, buildpack, storage, gpu },
      "x-kubernetes-validations": [
        {
          name: "empty-deployment",
          rule: "has(self.external) || has(self.internal) || has(self.docker) || has(self.buildpack) || has(self.storage) || has(self.gpu)",
          message: "deployment is empty: set external, internal, docker, buildpack, storage or gpu, or leave it out",
          check: (self: object) => Object.values(self).some(isSet),
        },
        notBothSources,
      ],
    },
    startGuarantee: {
      type: "string",
      enum: ["AtMostOnce", "AtLeastOnce"],
      default: "AtMostOnce",
      description:
        "What to do if the start request got no response and no new run is found. AtMostOnce: stop until a person decides " +
        "with the annotation northflank-operator.io/resolve-start (StartOutcomeUnknown). AtLeastOnce: start again, and " +
        "report a duplicate if one appears. Default: AtMostOnce.",
    },
    concurrencyPolicy: {
      type: "string",
      enum: ["Allow", "Forbid", "Replace"],
      default: "Allow",
      description:
        "What to do if the job has an active run. Allow: start anyway. Forbid: wait until it ends. Replace: abort it " +
        "first. Forbid and Replace require startDeadlineSeconds. Default: Allow.",
    },
    backoffLimit: {
      type: "integer",
      format: "int32",
      minimum: 0,
      maximum: 100,
      default: 0,
      description:
        "Number of retries after a failed run, with back-off (10 s, doubled, at most 6 min). Retries by Northflank itself " +
        "(backoffLimit of the job) are not counted. Default: 0.",
    },
    startDeadlineSeconds: {
      type: "integer",
      format: "int32",
      minimum: 1,
      maximum: 31_536_000,
      description:
        "Seconds from creation until which the run must be started. Otherwise it fails with StartDeadlineExceeded. " +
        "Default: no limit.",
    },
    activeDeadlineSeconds: {
      type: "integer",
      format: "int32",
      minimum: 1,
      maximum: 31_536_000,
      description:
        "Seconds from the start after which the run is aborted and fails with DeadlineExceeded. Default: no limit.",
    },
    suspend: {
      type: "boolean",
      default: false,
      description:
        "True before the start: the run is not started. True after the start: the run is not polled, and continues in " +
        "Northflank. Default: false.",
    },
    abort: {
      type: "boolean",
      default: false,
      description:
        "True: the run is aborted, or not started. It cannot be undone: setting it to false has no effect. Default: false.",
    },
    deletionPolicy: {
      type: "string",
      enum: ["Orphan", "Abort"],
      default: "Orphan",
      description:
        "What to do with an active run when this object is deleted. Orphan: nothing. Abort: abort it first; a finalizer " +
        "keeps the object until then. Default: Orphan.",
    },
    ttlSecondsAfterFinished: {
      type: "integer",
      format: "int32",
      minimum: 0,
      maximum: 31_536_000,
      nullable: true,
      description:
        "Seconds from the end of the run until this object is deleted; 0 deletes it at once. Do not set it on objects in " +
        "Git: GitOps tools would create the object again, and the job would run again. Default: never.",
    },
  },
  required: ["projectId", "jobId"],
  "x-kubernetes-validations": [
    {
      name: "start-deadline",
      rule: "self.concurrencyPolicy == 'Allow' || has(self.startDeadlineSeconds)",
      message: "concurrencyPolicy other than Allow needs startDeadlineSeconds, else the run could wait for ever",
      reason: "FieldValueRequired",
      fieldPath: ".startDeadlineSeconds",
      check: (self: { readonly concurrencyPolicy?: string; readonly startDeadlineSeconds?: number }) =>
        (self.concurrencyPolicy ?? "Allow") === "Allow" || isSet(self.startDeadlineSeconds),
    },
    noReferences,
    ...immutableFields.map((field) => immutable(field, newRun)),
  ],
} as const satisfies ObjectSchema;

const attempts = {
  type: "array",
  maxItems: 10,
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["number"],
  description: "Runs that were started for this object, oldest first; at most the ten newest.",
  items: {
    type: "object",
    description: "A run in Northflank.",
    properties: {
      number: { type: "integer", format: "int32", minimum: 1, description: "1 for the first run." },
      runId: text("ID of the run in Northflank.", 128),
      runName: text("Name of the run in Northflank.", 256),
      remoteStatus: text("Status that Northflank returns: RUNNING, SUCCESS, FAILED.", 64),
      startTime: time("Start of the run, by Northflank's clock if it returned the time."),
      completionTime: time("End of the run."),
      origin: {
        type: "string",
        enum: ["Started", "Recovered", "Adopted"],
        description:
          "Started: the response named the run. Recovered: there was no response, and the run was found in the run list. " +
          "Adopted: the object had lost its status, and its annotation named the run; the operator polls it, and never " +
          "aborts it.",
      },
    },
    required: ["number", "runId", "origin"],
  },
} as const satisfies ObjectSchema["properties"][string];

export const jobRunStatus = {
  type: "object",
  default: statusDefault,
  description: "State as observed by the operator. Written by the operator only.",
  properties: {
    observedGeneration,
    phase: {
      type: "string",
      enum: ["Pending", "Starting", "Running", "Succeeded", "Failed", "Aborted", "Unknown"],
      description:
        "Summary of the conditions in one word. Pending: not started. Unknown: it is unknown whether the run was started, " +
        "or how it ended.",
    },
    conditions,
    lastHandledReconcileAt,
    lastHandledResolveStart: text(
      "The value of the annotation northflank-operator.io/resolve-start that was handled last.",
    ),
    abortRequestedTime: time("Time at which spec.abort: true was observed first. It cannot be undone."),
    abortedRunId: text("ID of the run that the operator is aborting."),
    unknownStartId: text(
      "ID of the start record (status.start.id) whose outcome is unknown: a user decides by the annotation " +
        "northflank-operator.io/resolve-start.",
      64,
    ),
    start: {
      type: "object",
      description: "Record of the start, written before the start request, so that a crash in between can be resolved.",
      properties: {
        id: text(
          'Unique ID of the attempt. It begins with "annotation:" if the status was lost and the record was read from the ' +
            "annotation northflank-operator.io/started-run.",
          64,
        ),
        attempt: { type: "integer", format: "int32", minimum: 1, description: "Number of the attempt." },
        recordedTime: time("Time of the record, by Northflank's clock."),
        account: text(
          "Account in which the run is started: API URL and team. The run is searched for only there.",
          512,
        ),
        firstRecordedTime: time(
          "Set if this start repeats one whose outcome stayed unknown: time of the record of the first one. A run of that " +
            "start may still appear as a duplicate.",
        ),
        untilTime: time(
          "Set after a restore of the cluster that may have removed the record of a start: a run that began after this " +
            "time does not belong to that start.",
        ),
        baseline: {
          type: "object",
          description: "Runs of the job before the start.",
          properties: {
            newestStartTime: time("Start of the newest of these runs."),
            incomplete: {
              type: "boolean",
              description:
                "True: the job has more runs than the operator read, and Northflank did not list the newest first. If the " +
                "start request gets no response, a person may have to name the run.",
            },
            runIds: {
              type: "array",
              maxItems: 1_000,
              "x-kubernetes-list-type": "atomic",
              description: "IDs of the newest of these runs.",
              items: text("ID of a run.", 128),
            },
          },
        },
        outcome: {
          type: "string",
          enum: ["Pending", "Accepted", "Recovered", "NotStarted"],
          description:
            "Pending: sent or about to be sent; unknown after a crash. Accepted: the response named the run. Recovered: the " +
            "run was found in the run list. NotStarted: not sent, rejected, or given up, as reason says.",
        },
        reason: text("Reason why it was not started, as in the conditions.", 256),
        message: text("Message of Northflank or the operator.", 2_048),
      },
      required: ["id", "attempt", "recordedTime", "outcome"],
    },
    replaces: {
      type: "array",
      maxItems: 100,
      "x-kubernetes-list-type": "atomic",
      description:
        "Under concurrencyPolicy Replace: objects, as namespace/name, whose active runs are aborted for this run. Set only " +
        "while nothing else prevents the start.",
      items: text("Namespace and name of an object.", 512),
    },
    attempts,
    runId: text("ID of the current run in Northflank.", 128),
    runName: text("Name of the current run in Northflank.", 256),
    duplicateRunId: text("ID of a second run that was found after an AtLeastOnce start.", 128),
    startTime: time("Start of the first run, by the clock of the API server."),
    completionTime: time(
      "End of the last run, whatever the result, by the clock of the API server. Set once; afterwards nothing is polled.",
    ),
    failure,
  },
} as const satisfies ObjectSchema;

export type NorthflankJobRunSpec = Infer<typeof jobRunSpec>;
export type NorthflankJobRunStatus = Infer<typeof jobRunStatus>;

export interface NorthflankJobRun extends KubeObject, OnlyInCache {
  readonly spec: NorthflankJobRunSpec;
  readonly status?: NorthflankJobRunStatus;
}
