import type { KubeObject } from "../kube/types.ts";
import {
  buildpack,
  conditions,
  connectionRef,
  docker,
  external,
  failure,
  immutable,
  internal,
  isSet,
  jobId,
  lastHandledReconcileAt,
  nextReconcileTime,
  notBothSources,
  notEmpty,
  observedGeneration,
  projectId,
  serviceId,
  statusDefault,
  suspendReconcile,
  text,
  time,
} from "./fragments.ts";
import type { Misfits } from "./misfits.ts";
import type { Infer, ObjectSchema } from "./schema.ts";

const newTarget = "another target needs another NorthflankDeployment";

export const deploymentSpec = {
  type: "object",
  description: "Which image or build a Northflank service has to run, and how the operator keeps it there.",
  properties: {
    connectionRef,
    projectId,
    serviceId,
    jobId: {
      ...jobId,
      description:
        "Id of a Northflank job as the target: its next runs use what is declared. Northflank takes and tells the source " +
        "of a job by deprecated calls only; should they go away, the object is Stalled (UnsupportedTarget), and the " +
        "deployment of a NorthflankJobRun is the way. Exactly one of serviceId and jobId. Immutable.",
    },
    deployment: {
      type: "object",
      description:
        "The body of Northflank's update-deployment call, with its own field names: external or internal or neither " +
        "(the source stays as it is), and what is started in the container. What is left out is not managed.",
      properties: { external, internal, docker, buildpack },
      "x-kubernetes-validations": [
        notEmpty,
        notBothSources,
        {
          name: "external-buildpack",
          rule: "!(has(self.external) && has(self.buildpack))",
          message: "buildpack goes with internal or without a source; an external image takes docker",
          check: (self: { readonly external?: object; readonly buildpack?: object }) =>
            !(isSet(self.external) && isSet(self.buildpack)),
        },
      ],
    },
    managementPolicy: {
      type: "string",
      enum: ["Enforce", "EnforceOnChange", "Observe"],
      default: "Enforce",
      description:
        "Enforce: correct every difference, also those made elsewhere. EnforceOnChange: write only when this spec " +
        "changed, report drift. Observe: never write, show in status.pendingChanges what would be written. Default: Enforce.",
    },
    continuousDeployment: {
      type: "string",
      enum: ["Warn", "Ignore", "Reject"],
      default: "Warn",
      description:
        "What to do when Northflank deploys new builds by itself although a certain build is declared (internal.buildId, or " +
        "internal.buildSHA other than latest), so that the next build replaces it. Warn: say so in an Event and in Ready. " +
        "Ignore: say nothing. Reject: write nothing (ContinuousDeploymentEnabled) until it is switched off in Northflank. " +
        "Default: Warn.",
    },
    rollout: {
      type: "object",
      default: { wait: true, timeoutSeconds: 900, onFailure: "Report" },
      description: "What to do after a change was sent.",
      properties: {
        wait: {
          type: "boolean",
          default: true,
          description:
            "True: Ready only when Northflank reports the rollout complete. False: Ready as soon as the change was " +
            "accepted. Default: true.",
        },
        timeoutSeconds: {
          type: "integer",
          format: "int32",
          minimum: 1,
          maximum: 604_800,
          default: 900,
          description:
            "Seconds after which a rollout that is not complete counts as failed (RolloutTimedOut). A gradual rollout that " +
            "waits for its promotion (AwaitingPromotion) has no limit. Default: 900.",
        },
        onFailure: {
          type: "string",
          enum: ["Report", "Restore"],
          default: "Report",
          description:
            "What to do when a rollout failed or timed out. Report: say so and keep the failed source. Restore: put back, " +
            "once, the last source whose rollout was complete, and say so; another try takes another source, or a " +
            "reconcile request. Default: Report.",
        },
      },
      "x-kubernetes-validations": [
        {
          name: "restore-needs-wait",
          rule: "self.onFailure != 'Restore' || self.wait",
          message: "onFailure: Restore needs wait: true, because a failure is seen only by waiting for the rollout",
          check: (self: { readonly onFailure?: string; readonly wait?: boolean }) =>
            self.onFailure !== "Restore" || self.wait !== false,
        },
      ],
    },
    waitFor: {
      type: "array",
      maxItems: 16,
      "x-kubernetes-list-type": "atomic",
      description:
        "Runs that must have succeeded before a change of this spec is sent, for example a migration. A run that is " +
        "missing or active is waited for; one that failed stops this object (DependencyFailed). A run whose annotation " +
        "northflank-operator.io/revision is another one than that of this object counts as missing.",
      items: {
        type: "object",
        description: "One thing to wait for.",
        properties: {
          jobRunRef: {
            type: "object",
            description: "A NorthflankJobRun of the same namespace.",
            properties: { name: { ...connectionRef.properties.name, description: "Name of the NorthflankJobRun." } },
            required: ["name"],
          },
        },
        required: ["jobRunRef"],
      },
    },
    redeployToken: {
      type: "string",
      minLength: 1,
      maxLength: 128,
      pattern: "^[^\\x00-\\x1f\\x7f{}$]+$",
      description:
        "Any text that a pipeline has filled in (no $, { or }); a new value redeploys the service once with the source that it has, for example after a tag was moved " +
        "in the registry. A build is deployed again, not built again. Handled by the change where the source changes too, " +
        "and by the first look at an object that is new. Not for jobs: their next run pulls the image. " +
        "Not under managementPolicy Observe. Default: none.",
    },
    resyncPeriodSeconds: {
      type: "integer",
      format: "int32",
      minimum: 0,
      maximum: 604_800,
      description:
        "Seconds between two looks at the service when nothing happens, to find changes made elsewhere; spread by 20 %. " +
        "0 = never, else at least 60. Default: the operator's --resync-period (900).",
      "x-kubernetes-validations": [
        {
          name: "resync-period",
          rule: "self == 0 || self >= 60",
          message: "resyncPeriodSeconds is 0 (never) or at least 60",
          check: (self: number) => self === 0 || self >= 60,
        },
      ],
    },
    suspend: suspendReconcile,
  },
  required: ["projectId", "deployment"],
  "x-kubernetes-validations": [
    {
      name: "one-target",
      rule: "has(self.serviceId) != has(self.jobId)",
      message: "set exactly one of serviceId and jobId",
      check: (self: { readonly serviceId?: string; readonly jobId?: string }) =>
        isSet(self.serviceId) !== isSet(self.jobId),
    },
    {
      name: "redeploy-service",
      rule: "!has(self.redeployToken) || has(self.serviceId)",
      message: "redeployToken goes with serviceId: a job has no rollout, and its next run pulls the image",
      fieldPath: ".redeployToken",
      check: (self: { readonly redeployToken?: string; readonly serviceId?: string }) =>
        !isSet(self.redeployToken) || isSet(self.serviceId),
    },
    immutable("projectId", newTarget),
    immutable("serviceId", newTarget),
    immutable("jobId", newTarget),
  ],
} as const satisfies ObjectSchema;

export const deploymentStatus = {
  type: "object",
  default: statusDefault,
  description: "What the operator saw and did. Written by the operator only.",
  properties: {
    observedGeneration,
    conditions,
    lastHandledReconcileAt,
    nextReconcileTime,
    target: text("What is managed: service/<id> or job/<id>.", 64),
    targetUid: text("uid of the service or job: another one is another target, and the status starts anew.", 128),
    image: text(
      "The image or build that Northflank reports, or has just taken, in one line, for the column; beside a digest the tag " +
        "that is declared.",
      1_024,
    ),
    observed: {
      type: "object",
      description: "What Northflank reported when the operator last looked.",
      properties: {
        source: {
          type: "object",
          description: "The source in use.",
          properties: {
            kind: {
              type: "string",
              enum: ["External", "Internal", "None"],
              description: "An image, a build, or nothing yet.",
            },
            image: text("Image, without the registry host where Northflank leaves it out."),
            credentials: text("Id of the registry credentials.", 256),
            registryProvider: text("Registry, as Northflank names it.", 128),
            id: text("Id of the service that builds.", 256),
            branch: text("Branch of the build.", 256),
            buildSHA: text("Commit that is set, or latest.", 64),
            buildId: text("Id of the build that is set.", 128),
            deployedSHA: text("Commit that runs.", 64),
          },
        },
        buildStatus: text("State of the build.", 64),
        rolloutStatus: text("State of the rollout: PENDING, IN_PROGRESS, COMPLETED, FAILED.", 64),
        rolloutReason: text("Why it rolls out: DEPLOYING or SCALING.", 64),
        rolloutTransitionTime: time("When that state began, by Northflank's clock."),
        continuousDeploymentEnabled: {
          type: "boolean",
          description: "True: Northflank deploys new builds by itself.",
        },
        servicePaused: {
          type: "boolean",
          description: "True: the service is paused in Northflank, or has no instances.",
        },
        runOnSourceChange: text("Of a job: when Northflank itself starts a run because the source changes.", 64),
      },
    },
    applied: {
      type: "object",
      description: "The declaration that the operator last sent, or found in force.",
      properties: {
        generation: {
          type: "integer",
          format: "int64",
          minimum: 0,
          description: "metadata.generation it stands for.",
        },
        specHash: text(
          "Hash of the declaration in its normal form. Missing while nobody can tell whether a change arrived.",
          128,
        ),
        time: time("When it was sent, or first found in force."),
        previousTransitionTime: time(
          "State change of the rollout before the change: only a later one speaks about this change.",
        ),
        source: text("The source that was sent, in one line. Missing where it was found in force."),
        previousSource: text("The source that was set before, in one line."),
      },
    },
    build: {
      type: "object",
      description: "The build that an internal source comes to, as the operator last saw it.",
      properties: {
        builder: text("Project and id of the service that builds, for example shop/builder.", 256),
        id: text("Id of the build.", 128),
        branch: text("Branch of the build.", 256),
        sha: text("Commit of the build.", 64),
        outcome: {
          type: "string",
          enum: ["Active", "Succeeded", "Failed"],
          description: "Whether it is over, and how.",
        },
        time: time("When it was first seen so."),
      },
    },
    phase: {
      type: "object",
      description:
        "The rollout that is under way, or the build that is waited for. Poll intervals and time limits count from since.",
      properties: {
        name: {
          type: "string",
          enum: [
            "RollingOut",
            "RolloutTimedOut",
            "AwaitingPromotion",
            "WaitingForBuild",
            "BuildFailed",
            "BuildNotFound",
          ],
          description:
            "Name of the phase. RolloutTimedOut: the rollout is not complete after rollout.timeoutSeconds, and is still polled.",
        },
        since: time("When the operator first observed the phase. For RolloutTimedOut: when the rollout began."),
        specHash: text("Hash of the declaration that the phase belongs to.", 128),
      },
    },
    lastGood: {
      type: "object",
      description: "With rollout.onFailure Restore: the last source whose rollout was complete.",
      properties: {
        specHash: text("Hash of it in its normal form.", 128),
        source: text("The source, in one line."),
        time: time("When its rollout was first seen complete."),
        deployment: {
          type: "object",
          description: "What would be sent to put it back.",
          properties: { external, internal, docker, buildpack },
        },
      },
    },
    restore: {
      type: "object",
      description: "The last good source is being put back, or was, because the rollout of what is declared failed.",
      properties: {
        specHash: text("Hash of the declaration whose rollout failed.", 128),
        reason: {
          type: "string",
          enum: ["RolloutFailed", "RolloutTimedOut"],
          description: "What became of that rollout.",
        },
        source: text("The source that is put back, in one line."),
        outcome: {
          type: "string",
          enum: ["Pending", "RollingOut", "Complete", "Failed", "Superseded"],
          description:
            "Pending: recorded, about to be sent. Then what became of it; Superseded: somebody else has set another source.",
        },
        time: time("When it was recorded; from RollingOut on, when it was sent."),
        previousTransitionTime: time("State change of the rollout before it was sent."),
        resumedTime: time(
          "When the service, which was paused during its rollout, was first seen running again. The limit counts from then.",
        ),
      },
    },
    redeploy: {
      type: "object",
      description: "The last value of spec.redeployToken that was handled.",
      properties: {
        token: text("The value.", 128),
        time: time("When the service was redeployed for it, or the value was first seen."),
        call: {
          type: "string",
          enum: ["update service deployment", "restart service"],
          description:
            "The call that was sent for it. restart service: nothing is declared of the source, or the update led to no " +
            "rollout.",
        },
        outcome: {
          type: "string",
          enum: ["Pending", "Sent", "Included", "WithoutEffect"],
          description:
            "Pending: recorded, about to be sent. Included: a change of the source carried it, or the object was new. " +
            "WithoutEffect: Northflank began no rollout for it.",
        },
        attempts: {
          type: "integer",
          format: "int32",
          minimum: 1,
          description: "How often the call was sent; 2 where the first answer was lost.",
        },
        previousTransitionTime: time("State change of the rollout before it was sent."),
        refusal: text("With WithoutEffect: why the restart that was to follow the update was refused.", 512),
      },
    },
    notKept: {
      type: "object",
      description:
        "A part of the declaration that Northflank accepted and did not keep. It was sent once more, alone, and is not sent " +
        "again before the spec changes or a reconcile is requested.",
      properties: {
        specHash: text("Hash of the declaration.", 128),
        parts: {
          type: "array",
          maxItems: 4,
          "x-kubernetes-list-type": "atomic",
          description: "What was sent alone: external, internal, docker or buildpack.",
          items: text("One part of the declaration.", 64),
        },
        time: time("When it was sent alone."),
      },
    },
    pendingChanges: {
      type: "array",
      maxItems: 32,
      "x-kubernetes-list-type": "atomic",
      description:
        "What would be written, field by field, for as long as it is not: under Observe or EnforceOnChange, while a " +
        "change waits, and after it was refused.",
      items: {
        type: "object",
        description: "One difference.",
        properties: {
          path: text("Field, for example deployment.external.imagePath.", 256),
          from: text("What Northflank has.", 4_096),
          to: text("What is declared.", 4_096),
        },
        required: ["path"],
      },
    },
    corrections: {
      type: "array",
      maxItems: 10,
      "x-kubernetes-list-type": "atomic",
      description:
        "When drift was corrected, newest first. After three corrections in a row, each undone before a check found it " +
        "in force, the operator stops writing (FightDetected), however far apart they are.",
      items: time("Time of one correction."),
    },
    warnings: {
      type: "array",
      maxItems: 8,
      "x-kubernetes-list-type": "set",
      description: "What is no failure but good to know, by its reason. Each was told in an Event when it came up.",
      items: text("Reason, for example ContinuousDeploymentEnabled.", 64),
    },
    failure,
    history: {
      type: "array",
      maxItems: 5,
      "x-kubernetes-list-type": "atomic",
      description: "The five newest changes, newest first.",
      items: {
        type: "object",
        description: "One change.",
        properties: {
          time: time("When it was sent."),
          source: text("The source, in one line."),
          cause: {
            type: "string",
            enum: ["SpecChanged", "DriftCorrected", "PartResent", "Redeployed", "Restored"],
            description:
              "Why it was sent. PartResent: a part of the change before was not kept, and was sent alone. Redeployed: " +
              "spec.redeployToken had a new value.",
          },
          result: {
            type: "string",
            enum: [
              "RollingOut",
              "Paused",
              "AwaitingPromotion",
              "NotKept",
              "Complete",
              "Failed",
              "TimedOut",
              "Superseded",
            ],
            description:
              "What became of it. Paused: the service was paused before the rollout was complete. NotKept: Northflank " +
              "accepted it and did not keep all of it.",
          },
        },
        required: ["time", "source", "result"],
      },
    },
  },
} as const satisfies ObjectSchema;

export type NorthflankDeploymentSpec = Infer<typeof deploymentSpec>;
export type NorthflankDeploymentStatus = Infer<typeof deploymentStatus>;

export interface NorthflankDeployment extends KubeObject {
  readonly spec: NorthflankDeploymentSpec;
  readonly status?: NorthflankDeploymentStatus;
  /** Only in the cache, see project-object.ts: what the API server dropped because the schema does not know it. */
  readonly prunedFields?: readonly string[];
  /** Only in the cache: what was stored and does not fit the schema; the object goes without it. */
  readonly misfits?: Misfits;
}
