import type { Reason } from "../../../../src/api/reasons.ts";
import type { Fine } from "./entry.ts";

/** Reasons of what is as it should be. */
export const good = {
  InSync: { fine: "Nothing to do: Northflank has what is declared." },
  RolloutComplete: { fine: "Nothing to do: the declared source is in use, and its rollout is complete." },
  ServicePaused: {
    fine: "Nothing to do if the service is meant to be paused or to have no instances. To run it, resume or scale it in Northflank; the operator changes neither.",
  },
  RunSucceeded: { fine: "Nothing to do: the run succeeded." },
  Observed: { fine: "Nothing to do: under `managementPolicy: Observe` the operator reads and never writes." },
  Valid: { fine: "Nothing to do: Northflank accepted the token, and nothing is missing." },
  QuotaAvailable: { fine: "Nothing to do: the account has requests left in this hour." },
  Accepted: { fine: "Nothing to do: the spec and its references are valid." },
  Registered: { fine: "Nothing to do: the notification integration is registered in Northflank." },
} as const satisfies Partial<Readonly<Record<Reason, Fine>>>;
