// pure
import type { NorthflankDeploymentStatus } from "../../api/deployment.ts";
import type { ConditionUpdate } from "../reconcile/ready-state.ts";
import type { TargetConclusion } from "../target/status.ts";

/** What a status says of its target. */
export const statedFields = [
  "targetUid",
  "image",
  "observed",
  "changes",
  "build",
  "lastGood",
  "notKept",
  "redeploy",
  "pendingChanges",
  "warnings",
] as const;

/** Status fields that a reconcile may state. A field that is there replaces the old one; `undefined` removes it. */
export type StatedFields = {
  readonly [K in (typeof statedFields)[number]]?: NorthflankDeploymentStatus[K] | undefined;
};

/** What a pass over a NorthflankDeployment has come to. */
export interface Conclusion extends TargetConclusion {
  readonly rolloutComplete: ConditionUpdate;
  /** The condition `Restored`; missing: there is none. */
  readonly restored?: ConditionUpdate;
  readonly stated: StatedFields;
}
