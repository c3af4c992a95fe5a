// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { Reason } from "../../api/reasons.ts";

/** What `spec.managementPolicy` allows. Every question about the policy is a column here. */
export interface Policy {
  /** A declaration that is new is sent, and what Northflank did not keep of it. */
  readonly sends: boolean;
  /** What was changed elsewhere is set back. */
  readonly corrects: boolean;
  /** A new `spec.redeployToken` redeploys the service; under any other policy the value waits. */
  readonly redeploys: boolean;
  /** What failed is rolled back where `rollout.onFailure` is Restore, and what was rolled back is left alone. */
  readonly rollsBack: boolean;
  /** What is found as declared is recorded in `status.changes`, whoever has set it. */
  readonly records: boolean;
  /** Of what would interfere with a write, a person is warned. */
  readonly warns: boolean;
  /** Why a difference is not written. */
  readonly why: string;
  /** The reason of Ready; missing: that of the state. */
  readonly ready?: Reason;
}

const enforce: Policy = {
  sends: true,
  corrects: true,
  redeploys: true,
  rollsBack: true,
  records: true,
  warns: true,
  why: "",
};

const policies: Readonly<Record<NorthflankDeployment["spec"]["managementPolicy"], Policy>> = {
  Enforce: enforce,
  EnforceOnChange: {
    ...enforce,
    corrects: false,
    why: "managementPolicy is EnforceOnChange and the spec has not changed: nothing is written",
  },
  Observe: {
    sends: false,
    corrects: false,
    redeploys: false,
    rollsBack: false,
    records: false,
    warns: false,
    why: "managementPolicy is Observe: nothing is written",
    ready: "Observed",
  },
};

export function policyOf({ spec }: Pick<NorthflankDeployment, "spec">): Policy {
  // A stored spec may be older than the default.
  return policies[spec.managementPolicy] ?? enforce;
}
