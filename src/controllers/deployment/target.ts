// pure
import type { NorthflankDeployment } from "../../api/deployment.ts";
import { type ObjectKey, objectKey } from "../../runtime/outcome.ts";
import { rivalKeys } from "../target/conflicts.ts";

/** Index functions for the store of NorthflankDeployments. */
export const deploymentIndexes = {
  /** Objects with one target, before their accounts are compared. */
  target: (object: NorthflankDeployment): readonly string[] => (hasTarget(object) ? [targetOf(object)] : []),
  /** Objects that wait for a run, by the run's key. */
  waitFor: (object: NorthflankDeployment): readonly string[] =>
    (object.spec.waitFor ?? []).map(({ jobRunRef }) => runKey(object, jobRunRef.name)),
} as const;

/** Project and target in one text: equal for objects that would manage the same thing in the same account. */
export function targetOf({ spec }: Pick<NorthflankDeployment, "spec">): string {
  return `${spec.projectId}/${spec.serviceId === undefined ? `job/${spec.jobId}` : `service/${spec.serviceId}`}`;
}

/** False for a stored spec that lacks what names the target: it is in nobody's way. */
function hasTarget({ spec }: { readonly spec: Partial<NorthflankDeployment["spec"]> }): boolean {
  return spec.projectId !== undefined && (spec.serviceId !== undefined || spec.jobId !== undefined);
}

export function runKey({ metadata }: Pick<NorthflankDeployment, "metadata">, name: string): ObjectKey {
  return objectKey({ ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }), name });
}

/** The objects that may gain or lose a target when `changed` appears, changes or goes. */
export function rivalsOf(
  store: { byIndex(name: "target", value: string): readonly NorthflankDeployment[] },
  changed: NorthflankDeployment,
): readonly ObjectKey[] {
  return rivalKeys(store.byIndex("target", targetOf(changed)), changed);
}
