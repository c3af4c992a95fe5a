/** A type of condition, with what it says while it is True. */
type ConditionTypes = Readonly<Record<string, string>>;

const ofEveryKind = {
  Ready: "Northflank has what the object declares. Always there; the summary of all others.",
  Reconciling: "The operator is at work, or waits for something named in the message. There only while True.",
  Stalled: "It needs a change by a person; the operator looks again now and then. There only while True.",
  Suspended: "spec.suspend holds the object back. There only while True.",
} as const satisfies ConditionTypes;

/** The conditions of each kind, in the order in which they are shown, each with one sentence. */
export const conditionTypes = {
  NorthflankConnection: {
    ...ofEveryKind,
    Ready: "The connection can be used: its token was accepted. Always there; the summary of all others.",
    CredentialsValid: "Northflank accepted the token when it was last asked.",
    QuotaAvailable: "The account has requests left in this hour.",
    PermissionsGranted:
      "The token has the permissions that the objects need which use the connection. There only where Northflank tells them.",
    TokenExpiring: "The token has expired, or expires within 14 days. There only while True.",
  },
  NorthflankDeployment: {
    ...ofEveryKind,
    Accepted: "The spec, its references and its target are in order.",
    InSync: "Northflank has the declared source and settings.",
    RolloutComplete: "Northflank has finished rolling out the declared source.",
    Restored:
      "The rollout of the declared source failed, and the last good one was put back, with its own rollout complete. " +
      "There only under rollout.onFailure Restore, after a failure.",
  },
  NorthflankJob: {
    ...ofEveryKind,
    Accepted: "The spec, its references and its target are in order.",
    InSync: "Northflank has the declared settings, as far as it tells and as they were last sent.",
  },
  NorthflankJobRun: {
    ...ofEveryKind,
    Ready: "The run has ended with success. Always there; the summary of all others.",
    Accepted: "The spec and its references are in order.",
    Started: "The run is known to Northflank, and its id stands in status.runId.",
    Succeeded: "The run has ended with success. Unknown while it is not over, False when it ended otherwise.",
    Finished: "The run is over, whatever the result: the condition to wait for.",
  },
} as const satisfies Readonly<Record<string, ConditionTypes>>;
