/**
 * Every reason a condition or an Event of ours can have, with its meaning. Closed and stable: people, alerts and GitOps
 * tools match these words.
 */
export const reasons = {
  // Good.
  InSync: "Northflank has what is declared.",
  RolloutComplete: "Northflank has what is declared, and the rollout is complete.",
  ServicePaused: "Northflank has what is declared. The service is paused or has no instances, so nothing runs.",
  RunSucceeded: "The run succeeded.",
  Observed: "Northflank was read. Under managementPolicy Observe the operator writes nothing.",
  Valid: "Northflank accepted the token.",
  QuotaAvailable: "The account's hourly quota has requests left.",
  Accepted: "The spec, its references and its target are valid.",

  // Progress.
  Progressing: "The operator is reconciling the object.",
  ProgressingWithRetry: "A transient failure; it is retried.",
  ApplyingChange: "A change of a job is being sent, or was accepted and is being verified.",
  TargetRecreated: "The service or job was deleted and re-created with the same ID; the status was reset.",
  RollingOut: "Northflank is rolling out the declared source.",
  AwaitingPromotion: "Northflank rolls out the declared source gradually and waits for its promotion.",
  Building: "Northflank is building the declared source.",
  StartingRun: "The start is recorded, and the request is being sent.",
  RunActive: "The run has started and has not ended.",
  RecoveringRun: "A start request got no response; the run list is being searched for the run.",
  RetryingRun: "A run failed, and another one will be started within backoffLimit.",
  Aborting: "The run is being aborted.",
  Deleting: "The object is being deleted.",

  // Waiting.
  WaitingForQuota: "The hourly quota of the account is used up or reserved.",
  WaitingForConnection: "The connection cannot be used yet.",
  WaitingForConcurrency: "Another run of the job is active, or the outcome of its start is not known yet.",
  WaitingForBuild: "The declared build has not ended, or the declared branch has no build yet.",
  WaitingForDependency: "A run named in waitFor has not succeeded yet.",
  ClusterRestored:
    "The API server was restored to an earlier state. No run is started until runs that were forgotten would be listed.",
  Suspended: "Reconciliation is suspended by spec.suspend.",
  ConnectionSuspended: "The connection is suspended by its spec.suspend.",

  // Failures that may pass; retried soon.
  RemoteUnavailable: "Northflank did not respond, or responded with a server error.",
  RequestTimeout: "Northflank did not respond in time.",

  ReconcileFailed:
    "A reconcile of the object failed unexpectedly, or the API server rejected its status; it is retried with back-off.",

  // Failures that need a change; looked at again about once an hour.
  InvalidSpec: "The spec is invalid; the message names the field and the rule.",
  ConnectionNotFound:
    "The connection does not exist, and no default connection and no operator-wide token serves the namespace.",
  SecretNotFound: "A referenced Secret or ConfigMap does not exist.",
  SecretKeyMissing: "A referenced Secret or ConfigMap does not have the key.",
  SecretInvalid:
    "A referenced Secret or value cannot be used: the type is not allowed, or the value is not a text or not a token.",
  AuthenticationFailed: "Northflank rejected the token (401), and GET /v1/auth confirmed it.",
  TokenExpiresSoon: "The token expires within 14 days.",
  TokenExpired: "The token has expired, according to the expiry that Northflank reported.",
  PermissionDenied:
    "The token lacks a permission (403, or 401 for a valid token), or the operator lacks the permission to read a Secret or ConfigMap.",
  ProjectNotAllowed:
    "The project is not in allowedProjects of the connection, or Northflank restricts the token to other projects.",
  RunListIncomplete:
    "The job has more runs than the operator reads, and Northflank does not list the newest first, so it is unknown whether one is active.",
  StatusNotStored:
    "The API server did not store a part of the status, or an annotation, that the operator needs. Possible causes: an older CRD, a webhook, a policy.",
  AccountChanged: "The connection refers to another account than the one in which the run was started.",
  CopyOfStartedRun:
    "The annotation northflank-operator.io/started-run belongs to another object or spec, or is malformed. No run is started until it is removed.",
  TargetNotFound: "The project, service or job does not exist, or the token cannot see it (404).",
  RequestRejected: "Northflank rejected the request (400, 409, 413, 422).",
  RemoteMisconfigured:
    "The API URL does not serve the Northflank API: redirect, TLS error, 405, HTML, or another content type.",
  UnsupportedTarget:
    "The target does not support this change: a build service, a job, or an API route that no longer exists.",
  TargetConflict: "An older object manages the same target. Objects under managementPolicy Observe never conflict.",
  ContinuousDeploymentEnabled:
    "Northflank's continuous deployment would replace the declared build. As the reason of Stalled: spec.continuousDeployment is Reject.",
  FightDetected: "Another client keeps reverting the target; the operator stopped updating it.",
  ChangeNotKept:
    "Northflank accepted a change but did not keep a part of it, even when that part was sent alone; it is not sent again.",
  RolloutFailed: "The rollout of the declared source failed.",
  BuildNotFound: "The build, or the service or job that builds, does not exist.",
  BuildFailed: "The declared build ended without an image: it failed or was canceled.",
  RolloutTimedOut: "The rollout was not complete within rollout.timeoutSeconds.",
  Restoring: "The rollout failed, and the last good source is being restored.",
  Restored: "The rollout failed, and the last good source was restored.",
  RestoreFailed: "The last good source could not be restored, did not roll out, or was replaced by another client.",
  NothingToRestore:
    "The rollout failed, and there is no source to restore: no other rollout was complete, or Northflank does not return which of the two is in use.",
  DependencyFailed: "A run named in waitFor failed.",
  DriftObserved: "Northflank differs from what is declared, and managementPolicy does not allow changes.",

  // Ends of runs.
  RunFailed: "The run failed.",
  RunAborted: "The run was aborted by spec.abort, a deadline or a deletion.",
  RunAbortedRemotely: "The run was aborted in Northflank.",
  RunDisappeared: "The run no longer exists in Northflank.",
  BackoffLimitExceeded: "The run failed, and backoffLimit is reached.",
  DeadlineExceeded: "The run was active for longer than activeDeadlineSeconds and was aborted.",
  StartDeadlineExceeded: "The run was not started within startDeadlineSeconds.",
  StartOutcomeUnknown: "The start request got no response, and it is unknown whether a run was started.",
  DuplicateRun: "A second run was found after an AtLeastOnce start.",

  // Deletion.
  Abandoned: "The object was deleted, and its run was left active.",
  AbortedOnDelete: "The object was deleted, and its run was aborted.",
  DeleteTimedOut: "Timed out aborting the run; the finalizer was removed.",

  // Only in Events: what happened.
  ChangeApplied: "Northflank accepted a change.",
  RunStarted: "Northflank accepted the start of the run.",
  RunRecovered: "A run whose start request got no response was found and adopted.",
  RunAdopted: "The object had lost its status; the run that was started for it earlier was adopted.",
  AbortRequested: "Northflank was asked to abort the run.",
  RunsOnSourceChange: "Northflank starts a run of the job when its source changes.",
  DeprecatedRoute: "The operator uses an API route that is deprecated and has no replacement.",
  SettingsReleased: "Settings were removed from the manifest and are no longer managed.",
  ServiceResumed: "A service that was paused or had no instances was resumed.",
  FallbackUsed: "The usual API route no longer exists; its replacement was used.",
} as const;

/** A word of the catalogue. */
export type Reason = keyof typeof reasons;

/** True for a word of the catalogue. Conditions that are read back hold such words, but their type does not say so. */
export function isReason(word: string | undefined): word is Reason {
  return word !== undefined && Object.hasOwn(reasons, word);
}
