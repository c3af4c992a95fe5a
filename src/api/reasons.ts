/**
 * Every reason that a condition or an Event of ours can have. Closed and stable: people, alerts and GitOps tools match these
 * words. `scripts/generated/texts/reasons.ts` says what each means.
 */
export const reasons = [
  // Good.
  "InSync",
  "RolloutComplete",
  "ServicePaused",
  "RunSucceeded",
  "Observed",
  "Valid",
  "QuotaAvailable",
  "Accepted",
  "Registered",

  // Progress.
  "Progressing",
  "ProgressingWithRetry",
  "ApplyingChange",
  "TargetRecreated",
  "RollingOut",
  "AwaitingPromotion",
  "Building",
  "StartingRun",
  "RunActive",
  "RecoveringRun",
  "RetryingRun",
  "Aborting",
  "Deleting",

  // Waiting.
  "WaitingForQuota",
  "WaitingForConnection",
  "WaitingForConcurrency",
  "WaitingForBuild",
  "WaitingForDependency",
  "ClusterRestored",
  "Suspended",
  "ConnectionSuspended",

  // Transient failures; retried soon.
  "RemoteUnavailable",
  "RequestTimeout",
  "ReconcileFailed",

  // Failures that need a change; checked about once an hour.
  "InvalidSpec",
  "ConnectionNotFound",
  "SecretNotFound",
  "SecretKeyMissing",
  "SecretInvalid",
  "AuthenticationFailed",
  "TokenExpiresSoon",
  "TokenExpired",
  "WebhookNotConfigured",
  "IntegrationDisabled",
  "PermissionDenied",
  "ProjectNotAllowed",
  "RunListIncomplete",
  "StatusNotStored",
  "AccountChanged",
  "CopyOfStartedRun",
  "TargetNotFound",
  "RequestRejected",
  "RemoteMisconfigured",
  "UnsupportedTarget",
  "TargetConflict",
  "ContinuousDeploymentEnabled",
  "FightDetected",
  "ChangeNotKept",
  "RolloutFailed",
  "BuildNotFound",
  "BuildFailed",
  "RolloutTimedOut",
  "Restoring",
  "Restored",
  "RestoreFailed",
  "NothingToRestore",
  "DependencyFailed",
  "DriftObserved",

  // Ends of runs.
  "RunFailed",
  "RunAborted",
  "RunAbortedRemotely",
  "RunDisappeared",
  "BackoffLimitExceeded",
  "DeadlineExceeded",
  "StartDeadlineExceeded",
  "StartOutcomeUnknown",
  "DuplicateRun",

  // Deletion.
  "Abandoned",
  "AbortedOnDelete",
  "DeleteTimedOut",

  // Only in Events: what happened.
  "ChangeApplied",
  "RunStarted",
  "RunRecovered",
  "RunAdopted",
  "AbortRequested",
  "RunsOnSourceChange",
  "DeprecatedRoute",
  "SettingsReleased",
  "ServiceResumed",
  "FallbackUsed",
] as const;

export type Reason = (typeof reasons)[number];

const known: ReadonlySet<string> = new Set(reasons);

/** Whether `word` is one of {@link reasons}. Conditions that are read back hold reasons, but their type does not say so. */
export function isReason(word: string | undefined): word is Reason {
  return word !== undefined && known.has(word);
}

type ReasonsOf<R extends Reason> = R;

/** The reasons of Events of type Normal; those of Warnings are more, because transitions to Stalled have that of Ready. */
export type NormalEvent = ReasonsOf<
  | "ChangeApplied"
  | "Registered"
  | "SettingsReleased"
  | "TargetRecreated"
  | "ServiceResumed"
  | "RolloutComplete"
  | "RunStarted"
  | "RunRecovered"
  | "RunAdopted"
  | "RunSucceeded"
  | "AbortRequested"
>;
