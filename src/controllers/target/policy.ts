// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import type { Reason } from "../../api/reasons.ts";
import type { TargetObject } from "./object.ts";

/** What `spec.managementPolicy` allows. Every question about the policy is a column here. */
export interface Policy {
  /** A declaration that is new is sent, and what Northflank did not keep of it. */
  readonly sends: boolean;
  /** What was changed elsewhere is reverted. */
  readonly corrects: boolean;
  /** Of a deployment: a new `spec.redeployToken` redeploys the service; under any other policy the value waits. */
  readonly redeploys: boolean;
  /** Of a deployment: a failure is rolled back with `onFailure: Restore`, and what was rolled back is left alone. */
  readonly rollsBack: boolean;
  /** What is found as declared is recorded in status as owned, whoever has set it. */
  readonly records: boolean;
  /** Of a deployment: of what would interfere with a write, users are warned. */
  readonly warns: boolean;
  /** Why a difference is not written: a sentence without its period. */
  readonly why: string;
  /** The reason of Ready; missing: that of the state. */
  readonly ready?: Reason;
}

type ManagementPolicy = NorthflankDeployment["spec"]["managementPolicy"];

const enforce: Policy = {
  sends: true,
  corrects: true,
  redeploys: true,
  rollsBack: true,
  records: true,
  warns: true,
  why: "",
};

const policies: Readonly<Record<ManagementPolicy, Policy>> = {
  Enforce: enforce,
  EnforceOnChange: {
    ...enforce,
    corrects: false,
    why: "managementPolicy is EnforceOnChange and what is declared has not changed: nothing is written",
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

/** The policy of an object: Enforce where none is declared, as in a stored spec that is older than the default. */
export function policyOf({ spec }: Pick<TargetObject, "spec">): Policy {
  return policies[spec.managementPolicy as ManagementPolicy] ?? enforce;
}
