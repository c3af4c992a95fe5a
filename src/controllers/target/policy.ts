// pure
import type { Reason } from "../../api/reasons.ts";
import type { TargetObject } from "./object.ts";

/** What `spec.managementPolicy` allows. Every question about the policy is a column here. */
export interface Policy {
  /** A declaration that is new is sent, and what Northflank did not keep of it. */
  readonly sends: boolean;
  /** What was changed elsewhere is set back. */
  readonly corrects: boolean;
  /** What is found as declared is recorded in status as owned, whoever has set it. */
  readonly records: boolean;
  /** Why a difference is not written: a sentence without its period. */
  readonly why: string;
  /** The reason of Ready; missing: that of the state. */
  readonly ready?: Reason;
}

const enforce: Policy = { sends: true, corrects: true, records: true, why: "" };

const policies: Readonly<Record<string, Policy>> = {
  EnforceOnChange: {
    ...enforce,
    corrects: false,
    why: "managementPolicy is EnforceOnChange and what is declared has not changed: nothing is written",
  },
  Observe: {
    sends: false,
    corrects: false,
    records: false,
    why: "managementPolicy is Observe: nothing is written",
    ready: "Observed",
  },
};

/** The policy of an object: Enforce where none is declared, as in a stored spec that is older than the default. */
export function policyOf({ spec }: Pick<TargetObject, "spec">): Policy {
  return policies[spec.managementPolicy ?? ""] ?? enforce;
}
