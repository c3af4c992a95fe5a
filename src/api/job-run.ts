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
import type { Misfits } from "./misfits.ts";
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
    "Northflank would expand ${ in a value: set allowReferences: true if that is wanted, or render the file first if CI left it",
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
    "One run of a Northflank job. Everything but suspend, abort, ttlSecondsAfterFinished and deletionPolicy is immutable.",
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
        "True: ${...} in environment values, files and Docker secret mounts, literal or from references, is passed on, and " +
        "Northflank puts in values of the project's secrets. False: such values and contents are refused. Default: false.",
    },
    runtimeFiles: files,
    runtimeFilesFrom: filesFrom,
    dockerSecretMounts,
    billing,
    deployment: {
      type: "object",
      description:
        "What this run uses in place of the job's own settings, with Northflank's field names. The job itself stays as " +
        "it is. A build that is not over is waited for, as long as startDeadlineSeconds allows; one that failed fails the run.",
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
        "What to do when the answer to the start was lost and no new run can be found. AtMostOnce: stop and let a person " +
        "decide (StartOutcomeUnknown; annotation northflank-operator.io/resolve-start). AtLeastOnce: start again and " +
        "report a duplicate if one turns up. Default: AtMostOnce.",
    },
    concurrencyPolicy: {
      type: "string",
      enum: ["Allow", "Forbid", "Replace"],
      default: "Allow",
      description:
        "What to do when the job already has an active run. Allow: start anyway. Forbid: wait for it. Replace: abort it " +
        "first. Forbid and Replace need startDeadlineSeconds. Default: Allow.",
    },
    backoffLimit: {
      type: "integer",
      format: "int32",
      minimum: 0,
      maximum: 100,
      default: 0,
      description:
        "How many further runs are started after one has failed, each after a growing pause (10 s, doubled, 6 min at " +
        "most). The job's own retries in Northflank come on top. Default: 0.",
    },
    startDeadlineSeconds: {
      type: "integer",
      format: "int32",
      minimum: 1,
      maximum: 31_536_000,
      description:
        "Seconds from creation within which the run must have been started, else it fails with StartDeadlineExceeded. " +
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
        "True before the start: the run is held back. True afterwards: the run is no longer followed, and goes on in " +
        "Northflank. Default: false.",
    },
    abort: {
      type: "boolean",
      default: false,
      description:
        "True: the run is aborted, or never started. Recorded when first seen: taking it back has no effect. " +
        "Default: false.",
    },
    deletionPolicy: {
      type: "string",
      enum: ["Orphan", "Abort"],
      default: "Orphan",
      description:
        "What deleting this object does to an active run. Orphan: nothing. Abort: it is aborted first (a finalizer holds " +
        "the object while the run is active). Default: Orphan.",
    },
    ttlSecondsAfterFinished: {
      type: "integer",
      format: "int32",
      minimum: 0,
      maximum: 31_536_000,
      nullable: true,
      description:
        "Seconds after the end at which this object is deleted; 0: at once. Default: never. Leave it out for objects kept in Git: " +
        "GitOps tools would make the object again, and the job would run again.",
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
  description: "The runs started for this object, oldest first, the ten newest at most.",
  items: {
    type: "object",
    description: "One run in Northflank.",
    properties: {
      number: { type: "integer", format: "int32", minimum: 1, description: "1 for the first run." },
      runId: text("Id of the run in Northflank.", 128),
      runName: text("Name of the run in Northflank.", 256),
      remoteStatus: text("State as Northflank names it: RUNNING, SUCCESS, FAILED.", 64),
      startTime: time("When it started, by Northflank's clock if it told."),
      completionTime: time("When it ended."),
      origin: {
        type: "string",
        enum: ["Started", "Recovered", "Adopted"],
        description:
          "Started: the answer named it. Recovered: the answer was lost and the run was found in the list. Adopted: the " +
          "object had lost its status, and its annotation stood for the run: the operator follows it, and never aborts it.",
      },
    },
    required: ["number", "runId", "origin"],
  },
} as const satisfies ObjectSchema["properties"][string];

export const jobRunStatus = {
  type: "object",
  default: statusDefault,
  description: "What the operator saw and did. Written by the operator only.",
  properties: {
    observedGeneration,
    phase: {
      type: "string",
      enum: ["Pending", "Starting", "Running", "Succeeded", "Failed", "Aborted", "Unknown"],
      description:
        "The conditions in one word, for columns and for programs that look at one field. Pending: not started yet. " +
        "Unknown: nobody can tell whether it was started, or how it ended.",
    },
    conditions,
    lastHandledReconcileAt,
    lastHandledResolveStart: text(
      "Value of the annotation northflank-operator.io/resolve-start that was handled last.",
    ),
    abortRequestedTime: time("When spec.abort: true was first seen. It cannot be taken back."),
    start: {
      type: "object",
      description:
        "The record that is written before Northflank is asked to start, so that a crash in between can be resolved.",
      properties: {
        id: text(
          "A new id for every attempt. It begins with annotation: where the status was gone and the record was read from " +
            "the annotation northflank-operator.io/started-run.",
          64,
        ),
        attempt: { type: "integer", format: "int32", minimum: 1, description: "Which attempt it belongs to." },
        recordedTime: time("When it was recorded, by Northflank's clock."),
        account: text(
          "Where it was, or is, to be started: the address of the API and the team. The run is looked for there only.",
          512,
        ),
        firstRecordedTime: time(
          "Only where this start repeats one whose outcome stayed unknown: when the first of them was recorded. A run " +
            "of that one may still turn up as a duplicate.",
        ),
        untilTime: time(
          "Only after a restore of the cluster that may have removed the record of a start: a run that began after this time is not a run of that start.",
        ),
        baseline: {
          type: "object",
          description: "The runs that were there before.",
          properties: {
            newestStartTime: time("Start of the newest run that was there."),
            incomplete: {
              type: "boolean",
              description:
                "True: the job has more runs than the operator read, and Northflank did not list the newest first. If the " +
                "answer to this start is lost, a person may have to name its run.",
            },
            runIds: {
              type: "array",
              maxItems: 1_000,
              "x-kubernetes-list-type": "atomic",
              description: "Ids of the runs that were there, near that time.",
              items: text("Id of a run.", 128),
            },
          },
        },
        outcome: {
          type: "string",
          enum: ["Pending", "Accepted", "Recovered", "NotStarted"],
          description:
            "Pending: asked, or about to ask; unknown after a crash. Accepted: a run id was answered. Recovered: found " +
            "in the list. NotStarted: not sent, refused for sure, or given up; reason says which.",
        },
        reason: text("Why it was not started, as in the conditions.", 256),
        message: text("What Northflank or the operator said about it.", 2_048),
      },
      required: ["id", "attempt", "recordedTime", "outcome"],
    },
    replaces: {
      type: "array",
      maxItems: 100,
      "x-kubernetes-list-type": "atomic",
      description:
        "Only under concurrencyPolicy Replace, and while nothing else keeps this run from starting: the objects, as " +
        "namespace/name, whose active runs are aborted for it.",
      items: text("Namespace and name of an object.", 512),
    },
    attempts,
    runId: text("Id of the current run in Northflank.", 128),
    runName: text("Name of the current run in Northflank.", 256),
    duplicateRunId: text("Id of a second run that turned up after an AtLeastOnce start.", 128),
    startTime: time("When the first run started, by the clock of the API server."),
    completionTime: time(
      "When it was over, whatever the result, by the clock of the API server. Set once: afterwards nothing is polled any more.",
    ),
    failure,
  },
} as const satisfies ObjectSchema;

export type NorthflankJobRunSpec = Infer<typeof jobRunSpec>;
export type NorthflankJobRunStatus = Infer<typeof jobRunStatus>;

export interface NorthflankJobRun extends KubeObject {
  readonly spec: NorthflankJobRunSpec;
  readonly status?: NorthflankJobRunStatus;
  /** Only in the cache, see project-object.ts: what the API server dropped because the schema does not know it. */
  readonly prunedFields?: readonly string[];
  /** Only in the cache: what was stored and does not fit the schema; the object goes without it. */
  readonly misfits?: Misfits;
}
