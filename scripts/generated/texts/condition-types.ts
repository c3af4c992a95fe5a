import { expiryWarningDays } from "../../../src/controllers/connection/token-status.ts";

/** A type of condition, with what it says while it is True. */
type ConditionTypes = Readonly<Record<string, string>>;

const ofEveryKind = {
  Ready: "Northflank has what the object declares. Always present; summarizes the other conditions.",
  Reconciling: "The operator is reconciling the object, or waits for what the message names. Present only while True.",
  Stalled: "User action is required. The operator re-checks periodically. Present only while True.",
  Suspended: "Reconciliation is suspended by spec.suspend. Present only while True.",
} as const satisfies ConditionTypes;

/** The conditions of each kind, in the order in which they are shown, each with one sentence. */
export const conditionTypes = {
  NorthflankConnection: {
    ...ofEveryKind,
    Ready: "The connection can be used: its token was accepted. Always present; summarizes the other conditions.",
    CredentialsValid: "Northflank accepted the token at the last check.",
    QuotaAvailable: "The account has requests left in the current hour.",
    PermissionsGranted:
      "The token has the permissions that the objects of the connection need. Present only if Northflank returns the permissions.",
    NotificationsReady:
      "Notifications are accepted; with register, the integration is registered and enabled. Present only with spec.notifications.",
    TokenExpiring: `The token has expired or expires within ${expiryWarningDays} days. Present only while True.`,
  },
  NorthflankDeployment: {
    ...ofEveryKind,
    Accepted: "The spec, its references and its target are valid.",
    InSync: "Northflank has the declared source and settings.",
    RolloutComplete: "The rollout of the declared source is complete.",
    Restored:
      "The rollout of the declared source failed, and the last good source was restored, with its own rollout complete. " +
      "Present only under rollout.onFailure Restore, after a failure.",
  },
  NorthflankJob: {
    ...ofEveryKind,
    Accepted: "The spec, its references and its target are valid.",
    InSync: "Northflank has the declared settings. For settings that it does not return, the last values sent count.",
  },
  NorthflankJobRun: {
    ...ofEveryKind,
    Ready: "The run succeeded. Always present; summarizes the other conditions.",
    Accepted: "The spec and its references are valid.",
    Started: "The run has started, and status.runId holds its ID.",
    Succeeded: "The run succeeded. Unknown while the run is active, False if it ended otherwise.",
    Finished: "The run has ended, whatever the result. Wait for this condition.",
  },
} as const satisfies Readonly<Record<string, ConditionTypes>>;
