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
import type { OnlyInCache } from "./misfits.ts";
import type { Infer, ObjectSchema, Rule } from "./schema.ts";

const newTarget = "another job needs another NorthflankJob";

/** The rule that no value under `settings.<field>` holds what Northflank would expand. */
function noReferences(field: "runtimeEnvironment" | "buildArguments"): Rule {
  return {
    name: "references",
    rule: `self.allowReferences || !has(self.settings.${field}) || self.settings.${field}.all(k, !self.settings.${field}[k].contains('\${'))`,
    message:
      "Northflank would expand ${ in a value: set allowReferences: true if that is intended, or render the file first if CI left it",
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
        "Wanted seconds between two checks for drift and for changed Secrets and ConfigMaps, with a jitter of 20 %. The " +
        "period is longer where the objects of the account need more requests than checks may use: see " +
        "status.budget.checkStretch of the connection. 0 disables the checks, else at least 60. Default: the operator's " +
        "--resync-period (900).",
    },
    suspend: suspendReconcile,
  },
  required: ["projectId", "jobId", "settings"],
  "x-kubernetes-validations": [
    {
      name: "cron-type",
      rule: "self.jobType != 'manual' || (!has(self.settings.cron) && (!has(self.settings.settings) || !has(self.settings.settings.cron)))",
      message: "cron cannot be set with jobType manual: remove one of the two",
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
        "The settings that this object manages: those it last sent, or observed in force. Values are stored as keyed hashes; " +
        "the key is not stored.",
      properties: {
        generation: {
          type: "integer",
          format: "int64",
          minimum: 0,
          description: "metadata.generation that declared them.",
        },
        specHash: text("Hash of the declared settings.", 128),
        time: time("Time at which they were sent, or were first observed in force."),
        keyId: text("Identifies the key of the hashes, which depends on the account and its token.", 32),
        sourcesId: text(
          "Identifies the versions of the referenced Secrets and ConfigMaps. It does not depend on the token.",
          32,
        ),
        settings: {
          type: "array",
          maxItems: 4_000,
          "x-kubernetes-list-type": "atomic",
          description: "One entry per setting; for environments, arguments and files one per key.",
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
      description:
        "Settings that were last removed from the manifest. They keep their values in Northflank and are no longer managed.",
      properties: {
        generation: {
          type: "integer",
          format: "int64",
          minimum: 0,
          description: "metadata.generation that no longer declares them.",
        },
        time: time("Time at which they became unmanaged."),
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
        "Settings that Northflank accepted but did not keep, even when sent alone. They are not sent again until the spec " +
        "changes or a reconcile is requested.",
      properties: {
        specHash: text("Hash of the declared settings.", 128),
        parts: {
          type: "array",
          maxItems: 32,
          "x-kubernetes-list-type": "atomic",
          description: "The settings that were sent alone, the first 32.",
          items: text("A setting, for example billing or cron.", 64),
        },
        time: time("Time at which they were sent alone."),
      },
    },
    failure,
    changes: changeList({
      description:
        "The last five changes that were sent for the job, newest first. After three consecutive corrections " +
        "(DriftCorrected), each reverted before a check found it in force, the operator stops writing (FightDetected), " +
        "regardless of the time between them.",
      causes: ["SpecChanged", "SourceChanged", "DriftCorrected", "PartResent"],
      causeDescription:
        "Why it was sent. SpecChanged: the spec changed. SourceChanged: a referenced Secret or ConfigMap changed. " +
        "DriftCorrected: another client changed the job. PartResent: a part of the previous change was not kept, and was " +
        "sent alone.",
      phases: ["Sending", "ReadingBack", "InForce", "NotKept", "Superseded"],
      phaseDescription:
        "Phase of the change. Sending: recorded, no response yet. ReadingBack: accepted, not yet observed in force. InForce: " +
        "observed in force, or accepted if Northflank does not return the settings. NotKept: Northflank accepted it but did " +
        "not keep all of it. Superseded: another change was sent before it was observed in force, or another client " +
        "reverted the third consecutive correction.",
      fields: {
        settings: {
          type: "array",
          maxItems: 32,
          "x-kubernetes-list-type": "atomic",
          description: "The settings that differed, the first 32.",
          items: path,
        },
        call: text("Northflank call that was used: patch job, patch manual job or patch cron job.", 64),
      },
    }),
  },
} as const satisfies ObjectSchema;

export type NorthflankJobSpec = Infer<typeof jobSpec>;
export type NorthflankJobStatus = Infer<typeof jobStatus>;

export interface NorthflankJob extends KubeObject, OnlyInCache {
  readonly spec: NorthflankJobSpec;
  readonly status?: NorthflankJobStatus;
}
