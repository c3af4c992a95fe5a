/**
 * Every reason a condition or an Event of ours can have, with its meaning. Closed and stable: people, alerts and GitOps
 * tools match these words.
 */
export const reasons = {
  // Good.
  InSync: "Northflank has what is declared.",
  RolloutComplete: "Northflank has what is declared and has finished rolling it out.",
  ServicePaused: "Northflank has what is declared; the service is paused, or has no instances, and runs nothing.",
  RunSucceeded: "The run ended with success.",
  Observed: "Northflank was read; nothing is written under managementPolicy Observe.",
  Valid: "Northflank accepted the token.",
  QuotaAvailable: "The account's hourly quota has requests left.",
  Accepted: "The spec, its references and its target are in order.",

  // Progress.
  Progressing: "Work is under way.",
  ProgressingWithRetry: "Something failed that may pass; it is tried again soon.",
  ApplyingChange: "A change of a job is being sent, or Northflank has taken it and it is read back.",
  TargetRecreated: "The service or job was deleted and created again under its id; the status starts anew.",
  RollingOut: "Northflank is rolling out the declared source.",
  AwaitingPromotion: "Northflank rolls out the declared source gradually, and waits for its promotion.",
  Building: "Northflank is building the declared source.",
  StartingRun: "The start is recorded and being sent.",
  RunActive: "The run has started and is not over.",
  RecoveringRun: "The answer to a start was lost; the list of runs is being searched for it.",
  RetryingRun: "A run failed and another one will be started, within backoffLimit.",
  Aborting: "The run is being aborted.",
  Deleting: "The object is being deleted.",

  // Waiting.
  WaitingForQuota: "The account's hourly quota is used up or reserved; work goes on when it allows.",
  WaitingForConnection: "The connection is not usable yet.",
  WaitingForConcurrency: "Another run of the job is active, or its start is not settled.",
  WaitingForBuild: "The declared build is not over, or there is none of the declared branch yet.",
  WaitingForDependency: "A run named in waitFor has not succeeded yet.",
  ClusterRestored:
    "The API server has gone back to an earlier state: starts wait until forgotten runs would be listed.",
  Suspended: "The spec says suspend: true.",
  ConnectionSuspended: "The spec of the connection says suspend: true.",

  // Failures that may pass; retried soon.
  RemoteUnavailable: "Northflank did not answer, or answered with a server error.",
  RequestTimeout: "Northflank did not answer in time.",

  ReconcileFailed:
    "A reconcile of the object failed unexpectedly, or the API server rejected its status; it is retried with back-off.",

  // Failures that need a change; looked at again about once an hour.
  InvalidSpec: "The spec breaks a rule that the message names.",
  ConnectionNotFound: "There is no such connection, no default one, and no operator-wide token for this namespace.",
  SecretNotFound: "A referenced Secret or ConfigMap does not exist.",
  SecretKeyMissing: "A referenced Secret or ConfigMap lacks the key.",
  SecretInvalid:
    "A referenced Secret or value cannot be used: its type is refused, or the value is no text or no token.",
  AuthenticationFailed: "Northflank refused the token (401), and GET /v1/auth confirmed it.",
  TokenExpiresSoon: "The token expires within 14 days.",
  TokenExpired: "The token has expired, as Northflank reported its expiry.",
  PermissionDenied:
    "The token lacks a permission (403, or a 401 for a token that is valid), or the operator may not read a Secret or ConfigMap.",
  ProjectNotAllowed:
    "The connection's allowedProjects does not name the project, or Northflank limits the token to other projects.",
  RunListIncomplete:
    "The job has more runs than the operator reads, and Northflank does not list the newest first: whether one is active is unknown.",
  StatusNotStored:
    "The API server did not store a part of the status, or an annotation, that the operator needs. Causes: an older CRD, a webhook, or a policy.",
  AccountChanged: "The connection leads to another account than the one the run was started in.",
  CopyOfStartedRun:
    "The annotation northflank-operator.io/started-run is that of another object or spec, or not readable: while it is there, no run is started.",
  TargetNotFound: "The project, service or job does not exist, or the token cannot see it (404).",
  RequestRejected: "Northflank refused the request (400, 409, 413, 422).",
  RemoteMisconfigured: "The address answers, but not like the Northflank API: redirect, TLS, 405, HTML, content type.",
  UnsupportedTarget: "The target cannot take this change: a build service, a job, or a route that is gone.",
  TargetConflict: "An older object manages the same target.",
  ContinuousDeploymentEnabled:
    "Northflank deploys new builds by itself, and would replace the build that is declared; as a state: the spec rejects that.",
  FightDetected: "Somebody else keeps changing the target back; writing has stopped.",
  ChangeNotKept:
    "Northflank accepted a change and did not keep a part of it, also when that part was sent alone; it is not sent again.",
  RolloutFailed: "Northflank reports that the rollout of the declared source failed.",
  BuildNotFound: "There is no such build, or nothing of that name that builds.",
  BuildFailed: "The declared build ended without an image.",
  RolloutTimedOut: "The rollout was not complete within rollout.timeoutSeconds.",
  Restoring: "The rollout failed, and the last good source is being put back.",
  Restored: "The rollout failed, and the last good source was put back.",
  RestoreFailed: "The last good source could not be put back, did not roll out, or was replaced by somebody else.",
  NothingToRestore:
    "The rollout failed, and no other source is known whose rollout was complete, or Northflank does not tell the two apart.",
  DependencyFailed: "A run named in waitFor failed.",
  DriftObserved: "Northflank differs from what is declared, and the policy says not to write.",

  // Ends of runs.
  RunFailed: "The run ended with failure.",
  RunAborted: "The run was aborted by spec.abort, a deadline or a deletion.",
  RunAbortedRemotely: "The run was aborted in Northflank.",
  RunDisappeared: "Northflank no longer knows the run.",
  BackoffLimitExceeded: "As many runs failed as backoffLimit allows.",
  DeadlineExceeded: "The run was active for longer than activeDeadlineSeconds and was aborted.",
  StartDeadlineExceeded: "The run was not started within startDeadlineSeconds.",
  StartOutcomeUnknown: "The answer to the start was lost, and nobody can tell whether a run was started.",
  DuplicateRun: "After an AtLeastOnce start a second run turned up.",

  // Deletion.
  Abandoned: "The object was deleted and its run goes on.",
  AbortedOnDelete: "The object was deleted and its run was aborted.",
  DeleteTimedOut: "The run could not be aborted in time; the object was let go.",

  // Only in Events: what happened.
  ChangeApplied: "A change was sent to Northflank and accepted.",
  RunStarted: "Northflank accepted the start of the run.",
  RunRecovered: "A run whose start had no answer was found and adopted.",
  RunAdopted: "The object had lost its status; the run that was started for it before was adopted.",
  AbortRequested: "Northflank was asked to abort the run.",
  RunsOnSourceChange: "Northflank itself starts a run of the job when its source changes.",
  DeprecatedRoute: "Northflank has deprecated the call that is used, and has no other for this.",
  SettingsReleased: "Settings that the manifest names no more are no longer managed.",
  ServiceResumed: "A service that was paused, or had no instances, runs again; its rollout is followed.",
  FallbackUsed: "The usual call is gone; its replacement was used.",
} as const;

/** A word of the catalogue. */
export type Reason = keyof typeof reasons;

/** True for a word of the catalogue. Conditions that are read back hold such words, but their type does not say so. */
export function isReason(word: string | undefined): word is Reason {
  return word !== undefined && Object.hasOwn(reasons, word);
}
