import type { KubeObject } from "../kube/types.ts";
import { changeList } from "./changes.ts";
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
import type { OnlyInCache } from "./misfits.ts";
import type { Infer, ObjectSchema } from "./schema.ts";

/** `spec.rollout.timeoutSeconds` where it is not set. */
export const defaultTimeoutSeconds = 900;

const newTarget = "another target needs another NorthflankDeployment";

export const deploymentSpec = {
  type: "object",
  description: "Image or build that a Northflank service or job should have, and how the operator keeps it.",
  properties: {
    connectionRef,
    projectId,
    serviceId,
    jobId: {
      ...jobId,
      description:
        "ID of the Northflank job to manage: its next runs use the declared source. Northflank serves the source of a job " +
        "through deprecated API routes only. If they are removed, the object is Stalled (UnsupportedTarget): use " +
        "spec.deployment of NorthflankJobRun instead. Set exactly one of serviceId and jobId. Immutable.",
    },
    deployment: {
      type: "object",
      description:
        "Body of Northflank's update-deployment call, with its field names: external, internal, or neither (the source " +
        "is not managed), and the entrypoint and command of the container. Fields that are left out are not managed.",
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
        "Enforce: correct all drift. EnforceOnChange: write only when this spec changes, and report drift. Observe: never " +
        "write, and list in status.pendingChanges what would be written; never in conflict with another object. Default: Enforce.",
    },
    continuousDeployment: {
      type: "string",
      enum: ["Warn", "Ignore", "Reject"],
      default: "Warn",
      description:
        "What to do if Northflank's continuous deployment is enabled although a fixed build is declared (internal.buildId, " +
        "or internal.buildSHA other than latest), so that the next build will replace it. Warn: write an Event and a warning " +
        "in the message of Ready. Ignore: nothing. Reject: do not write (ContinuousDeploymentEnabled) until continuous " +
        "deployment is disabled in Northflank. Default: Warn.",
    },
    rollout: {
      type: "object",
      default: { wait: true, timeoutSeconds: defaultTimeoutSeconds, onFailure: "Report" },
      description: "What to do after a change.",
      properties: {
        wait: {
          type: "boolean",
          default: true,
          description:
            "True: the object is Ready when the rollout is complete. False: it is Ready as soon as Northflank accepted the " +
            "change. Default: true.",
        },
        timeoutSeconds: {
          type: "integer",
          format: "int32",
          minimum: 1,
          maximum: 604_800,
          default: defaultTimeoutSeconds,
          description:
            "Seconds after which a rollout that is not complete times out (RolloutTimedOut). A gradual rollout that waits " +
            `for its promotion (AwaitingPromotion) has no limit. Default: ${defaultTimeoutSeconds}.`,
        },
        onFailure: {
          type: "string",
          enum: ["Report", "Restore"],
          default: "Report",
          description:
            "What to do if a rollout fails or times out. Report: keep the failed source. Restore: restore the last source " +
            "whose rollout was complete, once. To retry the failed source, change the spec or request a reconcile. Default: " +
            "Report.",
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
        "Runs that must succeed before a change of this spec is sent, for example a migration. While a run is missing or " +
        "active, the object waits. If a run fails, the object is Stalled (DependencyFailed). A run whose annotation " +
        "northflank-operator.io/revision differs from that of this object counts as missing.",
      items: {
        type: "object",
        description: "A dependency.",
        properties: {
          jobRunRef: {
            type: "object",
            description: "A NorthflankJobRun in the same namespace.",
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
        "Any text without $, { and }. A new value redeploys the service once with its present source, for example after " +
        "a tag was moved in the registry. A build is deployed again, not built again. No extra redeploy if the source " +
        "changes at the same time, or if the object is new. Not for jobs, whose next run pulls the image, and not under " +
        "managementPolicy Observe. Default: none.",
    },
    resyncPeriodSeconds: {
      type: "integer",
      format: "int32",
      minimum: 0,
      maximum: 604_800,
      description:
        "Wanted seconds between two checks for drift, with a jitter of 20 %. The period is longer where the objects of the " +
        "account need more requests than checks may use: see status.budget.checkStretch of the connection. 0 disables " +
        "the checks, else at least 60. Default: the operator's --resync-period (900).",
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
  description: "State as observed by the operator. Written by the operator only.",
  properties: {
    observedGeneration,
    conditions,
    lastHandledReconcileAt,
    nextReconcileTime,
    target: text("The managed service or job: service/<id> or job/<id>.", 64),
    targetUid: text("UID of the service or job. If it changes, the status is reset.", 128),
    image: text(
      "Image or build that Northflank reports or has just accepted, in one line. A digest is shown with the declared tag.",
      1_024,
    ),
    observed: {
      type: "object",
      description: "State of the target at the last read.",
      properties: {
        source: {
          type: "object",
          description: "The source in use.",
          properties: {
            kind: {
              type: "string",
              enum: ["External", "Internal", "None"],
              description: "An image, a build, or none.",
            },
            image: text("Image. Northflank may leave out the registry host."),
            credentials: text("ID of the registry credentials.", 256),
            registryProvider: text("Registry, as Northflank names it.", 128),
            id: text("ID of the service that builds.", 256),
            branch: text("Branch of the build.", 256),
            buildSHA: text("Commit that is configured, or latest.", 64),
            buildId: text("ID of the build that is configured.", 128),
            deployedSHA: text("Commit that runs.", 64),
          },
        },
        buildStatus: text("State of the build.", 64),
        rolloutStatus: text("State of the rollout: PENDING, IN_PROGRESS, COMPLETED, FAILED.", 64),
        rolloutReason: text("Reason of the rollout: DEPLOYING or SCALING.", 64),
        rolloutTransitionTime: time("Start of that state, by Northflank's clock."),
        continuousDeploymentEnabled: {
          type: "boolean",
          description: "True: Northflank's continuous deployment is enabled.",
        },
        servicePaused: {
          type: "boolean",
          description: "True: the service is paused in Northflank, or has no instances.",
        },
        runOnSourceChange: text("For a job: when Northflank starts a run because the source changes.", 64),
      },
    },
    changes: changeList({
      description:
        "The last five changes that were sent for the target, newest first. In the phase Sending it is unknown whether " +
        "Northflank has the change: the request is about to be sent, or got no response.",
      causes: ["SpecChanged", "DriftCorrected", "PartResent", "Redeployed", "RolledBack", "Adopted"],
      causeDescription:
        "Why it was sent. PartResent: a part of the previous change was not kept, and was sent alone. Redeployed: " +
        "spec.redeployToken changed. RolledBack: the rollout of the declared source failed, and the last good source was " +
        "sent (rollout.onFailure). Adopted: not sent by this object, but observed in force.",
      phases: [
        "Sending",
        "RollingOut",
        "Paused",
        "AwaitingPromotion",
        "NotKept",
        "Complete",
        "Failed",
        "TimedOut",
        "Superseded",
      ],
      phaseDescription:
        "Phase of the change. Sending: recorded, no response yet. Paused: the service was paused before the rollout was " +
        "complete. NotKept: Northflank accepted the change but did not keep all of it. TimedOut: not complete within " +
        "rollout.timeoutSeconds, still polled. Superseded: another change was sent, or another client set another source.",
      fields: {
        source: text("The source, in one line."),
        previousSource: text("The source before the change, in one line."),
        previousTransitionTime: time(
          "Time of the last state change of the rollout before the change; only later ones belong to this change.",
        ),
        rolloutSeconds: {
          type: "integer",
          format: "int32",
          minimum: 0,
          description:
            "How long its rollout took, by the time that Northflank reports for its end. Later rollouts are polled by it. " +
            "Missing if it is not over, or was not under way all the time.",
        },
        of: text("For RolledBack: specHash of the change whose rollout failed.", 128),
      },
    }),
    build: {
      type: "object",
      description: "The build that an internal source resolves to, as last observed.",
      properties: {
        builder: text("Project and ID of the service that builds, for example shop/builder.", 256),
        id: text("ID of the build.", 128),
        branch: text("Branch of the build.", 256),
        sha: text("Commit of the build.", 64),
        outcome: {
          type: "string",
          enum: ["Active", "Succeeded", "Failed"],
          description: "State of the build.",
        },
        time: time("Time at which the outcome was first observed."),
      },
    },
    phase: {
      type: "object",
      description:
        "What is polled and is not part of changes: a rollout that the operator did not start, or a build that the object " +
        "waits for. Polling intervals and time limits count from since.",
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
            "Name of the phase. RolloutTimedOut: the rollout was not complete within rollout.timeoutSeconds, and is still polled.",
        },
        since: time("Time at which the phase was first observed. For RolloutTimedOut: start of the rollout."),
        specHash: text("specHash for which it was observed.", 128),
      },
    },
    lastGood: {
      type: "object",
      description: "With rollout.onFailure Restore: the last source whose rollout was completed.",
      properties: {
        specHash: text("Hash of its declaration.", 128),
        source: text("The source, in one line."),
        time: time("Time at which its rollout was first observed complete."),
        deployment: {
          type: "object",
          description: "The deployment that is sent to restore it.",
          properties: { external, internal, docker, buildpack },
        },
      },
    },
    redeploy: {
      type: "object",
      description: "The last value of spec.redeployToken that was handled.",
      properties: {
        token: text("The value.", 128),
        time: time("Time at which the service was redeployed for it, or at which the value was first observed."),
        call: {
          type: "string",
          enum: ["update service deployment", "restart service"],
          description:
            "The call that was sent for it. restart service: no source is declared, or the update started no rollout.",
        },
        outcome: {
          type: "string",
          enum: ["Pending", "Sent", "Included", "WithoutEffect"],
          description:
            "Pending: recorded, about to be sent. Included: a change of the source redeployed the service as well, or the object " +
            "was new. WithoutEffect: Northflank started no rollout for it.",
        },
        attempts: {
          type: "integer",
          format: "int32",
          minimum: 1,
          description: "How often the call was sent; 2 if the first request got no response.",
        },
        previousTransitionTime: time("Time of the last state change of the rollout before the call."),
        refusal: text("With WithoutEffect: why Northflank rejected the restart after the update.", 512),
      },
    },
    notKept: {
      type: "object",
      description:
        "The parts of the declaration that Northflank accepted but did not keep, even when sent alone. They are not sent again " +
        "until the spec changes or a reconcile is requested.",
      properties: {
        specHash: text("specHash of the change that was not kept.", 128),
        parts: {
          type: "array",
          maxItems: 4,
          "x-kubernetes-list-type": "atomic",
          description: "The parts that were sent alone: external, internal, docker or buildpack.",
          items: text("One part of the declaration.", 64),
        },
        time: time("Time at which they were sent alone."),
      },
    },
    pendingChanges: {
      type: "array",
      maxItems: 32,
      "x-kubernetes-list-type": "atomic",
      description:
        "Changes that are not written: under Observe or EnforceOnChange, while a change waits, and after it was rejected.",
      items: {
        type: "object",
        description: "A change.",
        properties: {
          path: text("Field, for example deployment.external.imagePath.", 256),
          from: text("Value in Northflank.", 4_096),
          to: text("Declared value.", 4_096),
        },
        required: ["path"],
      },
    },
    warnings: {
      type: "array",
      maxItems: 8,
      "x-kubernetes-list-type": "set",
      description: "Warnings, by reason. Each is also written as an Event when it appears.",
      items: text("Reason, for example ContinuousDeploymentEnabled.", 64),
    },
    failure,
  },
} as const satisfies ObjectSchema;

export type NorthflankDeploymentSpec = Infer<typeof deploymentSpec>;
export type NorthflankDeploymentStatus = Infer<typeof deploymentStatus>;

export interface NorthflankDeployment extends KubeObject, OnlyInCache {
  readonly spec: NorthflankDeploymentSpec;
  readonly status?: NorthflankDeploymentStatus;
}
