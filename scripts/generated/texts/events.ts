import type { NormalEvent, Reason } from "../../../src/api/reasons.ts";
import { expiryWarningDays } from "../../../src/controllers/connection/token-status.ts";

/** When an Event of type Normal is written, by its reason. */
export const normalEvents = {
  ChangeApplied: "Northflank accepted a change. The note names the source before and after.",
  Registered: "A notification integration was created in Northflank; the note names its ID.",
  SettingsReleased:
    "Settings were removed from the manifest of a NorthflankJob. They keep their values and are no longer managed; the note names them.",
  TargetRecreated:
    "The service or job was deleted and re-created with the same ID, and the status was reset. The note names both uids.",
  ServiceResumed: "A service that was paused or had no instances was resumed.",
  RolloutComplete: "The rollout of a source that the operator sent is complete.",
  RunStarted: "Northflank accepted the start of a run.",
  RunRecovered: "A start request got no response; the run was found in the run list and adopted.",
  RunAdopted:
    "The object had lost its status, as after a restore. The run that its annotation names was adopted, and no run was started.",
  RunSucceeded: "The run succeeded.",
  AbortRequested: "Northflank was asked to abort the run; the note says why.",
} as const satisfies Readonly<Record<NormalEvent, string>>;

/**
 * When an Event of type Warning is written that does not report a transition to Stalled; those have the reason of the
 * condition.
 */
export const warningEvents = {
  Restored: "A rollout failed, and the last good source was restored; the note names it.",
  ContinuousDeploymentEnabled:
    "Northflank's continuous deployment will replace the build that a NorthflankDeployment declares. Written once.",
  RunsOnSourceChange:
    "Northflank starts a run of the job when its source changes, and the source is about to change. Written once.",
  DeprecatedRoute: "The operator uses an API route that is deprecated and has no replacement. Written once per object.",
  FallbackUsed: "The usual API route no longer exists, and its replacement was used.",
  TokenExpiresSoon: `The token of a NorthflankConnection expires within ${expiryWarningDays} days. Written once.`,
  TokenExpired:
    "The token of a NorthflankConnection has expired, according to the expiry that Northflank reported. Written once.",
  IntegrationDisabled:
    "Northflank disabled the notification integration of a NorthflankConnection; the note says what follows. Written once.",
  InvalidSpec:
    "The stored object is invalid, and the API server rejects a status that would say so; the note names the fields.",
  ReconcileFailed:
    "A reconcile of an object failed unexpectedly, or the API server rejected its status. It is retried with back-off.",
  RunFailed: "A run failed. Another one is started if backoffLimit allows it.",
  DuplicateRun: "A second run was found after an AtLeastOnce start. The note names both IDs.",
  Abandoned:
    "The object was deleted while its run was active or being started, and the run was left active; or the notification integration of a connection could not be deleted.",
  DeleteTimedOut: "Timed out aborting the run of a deleted object; the finalizer was removed.",
} as const satisfies Readonly<Partial<Record<Reason, string>>>;
