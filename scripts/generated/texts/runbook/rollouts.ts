import type { Reason } from "../../../../src/api/reasons.ts";
import { describe, type Remedy, reconcile } from "./entry.ts";

const rolloutState =
  "kubectl get nfdeploy/NAME -n NAMESPACE -o jsonpath='{.status.phase} {.status.observed}{\"\\n\"}{.status.changes}'";

/** Reasons of rollouts, builds and rollbacks. */
export const rollouts = {
  RolloutFailed: {
    means:
      "Northflank has the declared source, and reports that its rollout failed: containers crash, a health check fails, or the image cannot be pulled.",
    check: [
      "In Northflank: containers, logs and health checks of the service. In the cluster: what was sent, and when.",
      [...describe("nfdeploy"), rolloutState],
    ],
    act: [
      "Correct the image or its configuration and declare it, or declare the last good source (`status.changes` has it). If the cause was outside of the image, request a reconcile, or restart the service in Northflank: the object becomes Ready when its rollout is complete.",
      reconcile("nfdeploy"),
    ],
    otherwise:
      "Under `rollout.onFailure: Report` the failed source stays, and Northflank keeps the containers before it where its rollout strategy does so. Under `Restore` the last good source is restored, once. The state is read about once an hour.",
  },
  RolloutTimedOut: {
    means:
      "The rollout was not complete within `spec.rollout.timeoutSeconds`. It may still become complete: Northflank has not reported a failure.",
    check: [
      "In Northflank: whether containers start slowly, wait for resources, or fail their health checks.",
      [rolloutState],
    ],
    act: [
      "Fix what delays it. If the rollout completes late, the object becomes Ready without your action, at the next check; a reconcile request checks at once:",
      reconcile("nfdeploy"),
      "If the service is slow by nature, raise `spec.rollout.timeoutSeconds`: it counts for the next rollout, and for one that has not timed out yet.",
    ],
    otherwise:
      "The rollout is read at longer intervals. Under `rollout.onFailure: Restore` the last good source is restored, once.",
  },
  Restoring: {
    means:
      "The rollout of the declared source failed, and the last good source is being restored (`rollout.onFailure: Restore`). The object stays Stalled, because what is declared is not in use.",
    check: [describe("nfdeploy"), "The condition `Restored`, and the newest entry of `status.changes`."],
    act: ["Nothing now. When the condition is True, continue with [Restored](#restored)."],
    otherwise: "The rollout of the restored source is followed to its end. A refused restore is retried.",
  },
  Restored: {
    means:
      "The declared source failed, and the last good source is in use again, with its rollout complete. Users are served; what is declared is not deployed.",
    check: [
      "Why the declared source failed: logs of its containers in Northflank, and the message of Ready.",
      describe("nfdeploy"),
    ],
    act: ["Declare a corrected source. To retry the same source:", reconcile("nfdeploy")],
    otherwise: "The restored source stays. The failed one is not sent again by itself.",
  },
  RestoreFailed: {
    means: "The last good source could not be restored, its rollout failed too, or another client replaced it.",
    check: [describe("nfdeploy"), "In Northflank: which source the service has, and whether it runs."],
    act: [
      "The service may be down. Deploy a source that works: declare it, or set it in Northflank under `managementPolicy: Observe`. If the cause is gone, request a reconcile to retry the declared source.",
      reconcile("nfdeploy"),
    ],
    otherwise: "Nothing more is sent for this declaration. The state is read about once an hour.",
  },
  NothingToRestore: {
    means:
      "The rollout failed, and there is no source to restore: none was complete before, Northflank began no rollout, or it does not return enough to distinguish the two sources.",
    check: [describe("nfdeploy"), "The message says which of these it is."],
    act: ["Declare a source that works. Continue with [RolloutFailed](#rolloutfailed)."],
    otherwise: "The failed source stays.",
  },
  BuildFailed: {
    means:
      "The declared build ended without an image: it failed or was canceled. Nothing was deployed. Of a NorthflankJobRun: the run was not started, and the object is over.",
    check: ["The log of the build in Northflank; its ID is in the message.", describe("nfdeploy", "nfrun")],
    act: [
      "Fix the cause and start the build again, or declare another commit or build. A build that is declared by its ID never succeeds later. For a NorthflankJobRun create another run.",
    ],
    otherwise:
      "The service keeps the source before. The build is read after a minute, then at longer intervals of up to an hour, so that a repeated build of the commit is found.",
  },
  BuildNotFound: {
    means: "The declared build or commit has no build in Northflank, or the service that builds does not exist.",
    check: [
      "The message names builder, build or commit. The declared one:",
      ["kubectl get nfdeploy/NAME -n NAMESPACE -o jsonpath='{.spec.deployment.internal}'"],
    ],
    act: ["Correct `deployment.internal.id`, `buildId` or `buildSHA`, or start a build of the commit in Northflank."],
    otherwise:
      "The service keeps the source before. The build is searched for after 15 s, then at longer intervals of up to an hour.",
  },
  DependencyFailed: {
    means:
      "A run of `spec.waitFor` failed, so the change of this deployment was not sent. A failed migration is the usual case.",
    check: ["Which run failed, and why:", ["kubectl get nfrun -n NAMESPACE", ...describe("nfrun")]],
    act: [
      "Fix the cause. Then create another run and name it in `spec.waitFor`; a run that has failed never succeeds later. To deploy without it, remove it from `spec.waitFor`.",
    ],
    otherwise: "The service keeps the source before. The change is not sent.",
  },
} as const satisfies Partial<Readonly<Record<Reason, Remedy>>>;
