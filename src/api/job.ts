import type { KubeObject } from "../kube/types.ts";
import { changeList } from "./changes.ts";
import { deploymentSpec } from "./deployment.ts";
import {
  conditions,
  connectionRef,
  failure,
  immutable,
  isSet,
  jobId,
  lastHandledReconcileAt,
  nextReconcileTime,
  observedGeneration,
  projectId,
  statusDefault,
  suspendReconcile,
  text,
  time,
} from "./fragments.ts";
import { jobSettings } from "./job-settings.ts";
import type { Misfits } from "./misfits.ts";
import type { Infer, ObjectSchema, Rule } from "./schema.ts";

const newTarget = "another job needs another NorthflankJob";

/** The rule that no value under `settings.<field>` holds what Northflank would expand. */
function noReferences(field: "runtimeEnvironment" | "buildArguments"): Rule {
  return {
    name: "references",
    rule: `self.allowReferences || !has(self.settings.${field}) || self.settings.${field}.all(k, !self.settings.${field}[k].contains('\${'))`,
    message:
      "Northflank would expand ${ in a value: set allowReferences: true if that is wanted, or render the file first if CI left it",
    fieldPath: `.settings.${field}`,
    check: (self: {
      readonly allowReferences?: boolean;
      readonly settings: Readonly<Partial<Record<typeof field, Readonly<Record<string, string>>>>>;
    }) =>
      self.allowReferences === true ||
      Object.values(self.settings[field] ?? {}).every((value) => !value.includes("${")),
  };
}

interface CronSettings {
  readonly cron?: object;
}

interface CronTyped {
  readonly jobType?: string;
  readonly settings: CronSettings & { readonly settings?: CronSettings };
}

export const jobSpec = {
  type: "object",
  description: "Settings that a Northflank job should have, and how the operator keeps them.",
  properties: {
    connectionRef,
    projectId,
    jobId,
    jobType: {
      type: "string",
      enum: ["any", "manual", "cron"],
      default: "any",
      description:
        "Northflank call that is used. any: patch job, for jobs of either type. manual: patch manual job. cron: patch cron " +
        "job. Northflank has deprecated the last two; they are rejected for jobs of the other type. Default: any.",
    },
    settings: jobSettings,
    allowReferences: {
      type: "boolean",
      default: false,
      description:
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the reader has to see what Northflank expands.
        "True: ${...} in environment values, build arguments, files and Docker secret mounts is allowed, and Northflank " +
        "replaces it by values of the project's secrets. False: such values and contents are rejected. Default: false.",
    },
    managementPolicy: {
      ...deploymentSpec.properties.managementPolicy,
      description:
        "Enforce: correct all drift. EnforceOnChange: write only when this spec or a referenced value changes, and report " +
        "drift. Observe: never write, and list in status.pendingChanges what would be written; never in conflict with another object. Default: Enforce.",
    },
    resyncPeriodSeconds: {
      ...deploymentSpec.properties.resyncPeriodSeconds,
      description:
        "Seconds between two checks for drift and for changed Secrets and ConfigMaps, with a jitter of 20 %. 0 disables " +
        "them, else at least 60. Default: the operator's --resync-period (900).",
    },
    suspend: suspendReconcile,
  },
  required: ["projectId", "jobId", "settings"],
  "x-kubernetes-validations": [
    {
      name: "cron-type",
      rule: "self.jobType != 'manual' || (!has(self.settings.cron) && (!has(self.settings.settings) || !has(self.settings.settings.cron)))",
      message: "cron has no place with jobType manual: leave one of the two out",
      fieldPath: ".settings.cron",
      check: (self: CronTyped) =>
        self.jobType !== "manual" || (!isSet(self.settings.cron) && !isSet(self.settings.settings?.cron)),
    },
    noReferences("runtimeEnvironment"),
    noReferences("buildArguments"),
    immutable("projectId", newTarget),
    immutable("jobId", newTarget),
  ],
} as const satisfies ObjectSchema;

/** `billing.deploymentPlan`, `runtimeEnvironment.LOG_LEVEL`, `runtimeFiles./etc/app.yaml`. */
const path = text("Setting, for example billing.deploymentPlan or runtimeEnvironment.LOG_LEVEL.", 1_200);

export const jobStatus = {
  type: "object",
  default: statusDefault,
  description: "State as observed by the operator. Written by the operator only.",
  properties: {
    observedGeneration,
    conditions,
    lastHandledReconcileAt,
    nextReconcileTime,
    targetUid: text("UID of the job. If it changes, the status is reset.", 128),
    jobType: text("Type of the job as Northflank reports it: manual or cron.", 64),
    applied: {
      type: "object",
      description:
        "The settings that this object owns: what it last sent, or found in force. Values are kept as keyed hashes, which " +
        "say nothing to whoever lacks the key.",
      properties: {
        generation: {
          type: "integer",
          format: "int64",
          minimum: 0,
          description: "metadata.generation they stand for.",
        },
        specHash: text("Hash of what the spec says of them.", 128),
        time: time("When they were sent, or first found in force."),
        keyId: text("Tells one key of the hashes from another; it changes with the account and its token.", 32),
        sourcesId: text(
          "Identifies the versions of the referenced Secrets and ConfigMaps. It does not depend on the token.",
          32,
        ),
        settings: {
          type: "array",
          maxItems: 4_000,
          "x-kubernetes-list-type": "atomic",
          description: "One entry per setting; of environments, arguments and files one per key.",
          items: {
            type: "object",
            description: "One setting.",
            properties: { path, hash: text("Keyed hash of its value.", 64) },
            required: ["path", "hash"],
          },
        },
      },
    },
    released: {
      type: "object",
      description: "What was last taken out of the manifest: no longer owned, and left as it is in Northflank.",
      properties: {
        generation: {
          type: "integer",
          format: "int64",
          minimum: 0,
          description: "metadata.generation that no longer names them.",
        },
        time: time("When they became unmanaged."),
        settings: {
          type: "array",
          maxItems: 100,
          "x-kubernetes-list-type": "atomic",
          description: "The settings, the first 100.",
          items: path,
        },
      },
    },
    pendingChanges: {
      type: "array",
      maxItems: 32,
      "x-kubernetes-list-type": "atomic",
      description:
        "Changes that are not written: under Observe or EnforceOnChange, while a change waits, and after it was rejected. " +
        "Values of environments, arguments and files are never shown.",
      items: {
        type: "object",
        description: "A change.",
        properties: {
          path,
          from: text("Value in Northflank. Absent if Northflank does not return it.", 4_096),
          to: text("Declared value. Absent if it must not be shown.", 4_096),
        },
        required: ["path"],
      },
    },
    notKept: {
      type: "object",
      description:
        "Settings that Northflank accepted and did not keep. They were sent once more, alone, and are not sent again before " +
        "the spec changes or a reconcile is requested.",
      properties: {
        specHash: text("Hash of what the spec says of the settings.", 128),
        parts: {
          type: "array",
          maxItems: 32,
          "x-kubernetes-list-type": "atomic",
          description: "The settings that were sent alone, the first 32.",
          items: text("A setting, for example billing or cron.", 64),
        },
        time: time("When they were sent alone."),
      },
    },
    failure,
    changes: changeList({
      description:
        "The five newest changes of the job, newest first: what was sent, why, and what became of it. After three " +
        "corrections in a row (DriftCorrected), each undone before a check found it in force, the operator stops writing " +
        "(FightDetected), however far apart they are.",
      causes: ["SpecChanged", "SourceChanged", "DriftCorrected", "PartResent"],
      causeDescription:
        "Why it was sent: the spec changed, a Secret or ConfigMap it refers to changed, the job was changed elsewhere, " +
        "or some of the settings were not kept and were sent alone.",
      phases: ["Sending", "ReadingBack", "InForce", "NotKept", "Superseded"],
      phaseDescription:
        "What became of it. Sending: recorded, and not answered. ReadingBack: accepted, and not yet found in force. " +
        "InForce: found in force, or accepted where Northflank does not return it. NotKept: Northflank accepted it and " +
        "did not keep all of it. Superseded: another change was sent before it was found in force, or another client " +
        "undid the third correction in a row.",
      fields: {
        settings: {
          type: "array",
          maxItems: 32,
          "x-kubernetes-list-type": "atomic",
          description: "Settings that differed, the first 32.",
          items: path,
        },
        call: text("Call that carried it: patch job, patch manual job or patch cron job.", 64),
      },
    }),
  },
} as const satisfies ObjectSchema;

export type NorthflankJobSpec = Infer<typeof jobSpec>;
export type NorthflankJobStatus = Infer<typeof jobStatus>;

export interface NorthflankJob extends KubeObject {
  readonly spec: NorthflankJobSpec;
  readonly status?: NorthflankJobStatus;
  /** Only in the cache, see project-object.ts: what the API server dropped because the schema does not know it. */
  readonly prunedFields?: readonly string[];
  /** Only in the cache: what was stored and does not fit the schema; the object goes without it. */
  readonly misfits?: Misfits;
}
