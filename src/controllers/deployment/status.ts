// pure
import type { NorthflankDeployment, NorthflankDeploymentStatus } from "../../api/deployment.ts";
import { type ConditionDraft, findCondition } from "../../runtime/conditions.ts";
import { claimed, targetStatus } from "../target/status.ts";
import { waitingAfter } from "./machine.ts";
import type { Conclusion } from "./observation.ts";

/** The whole status after a reconcile, with the guarantees of {@link targetStatus}. */
export function statusOf(
  object: NorthflankDeployment,
  conclusion: Conclusion,
  now: number,
): NorthflankDeploymentStatus {
  const { serviceId, jobId } = object.spec;
  const stated = { phase: waitingAfter(object, conclusion, now), ...conclusion.stated };
  return targetStatus<NorthflankDeploymentStatus>(
    object,
    { ...conclusion, stated },
    {
      drafts: [
        claimed("RolloutComplete", conclusion.rolloutComplete, object, conclusion),
        ...restored(object, conclusion),
      ],
      fields: { target: serviceId === undefined ? `job/${jobId}` : `service/${serviceId}` },
      now,
    },
  );
}

/** Only where there is something to say of a restore. */
function restored(object: NorthflankDeployment, conclusion: Conclusion): readonly ConditionDraft[] {
  const now = conclusion.restored;
  if (now === undefined) return [];
  if (now !== "as-before") return [{ type: "Restored", ...now }];
  const before = findCondition(object.status?.conditions, "Restored");
  const isAboutThis = conclusion.sameDesire ?? before?.observedGeneration === object.metadata.generation;
  return before === undefined || !isAboutThis ? [] : [claimed("Restored", now, object, conclusion)];
}
