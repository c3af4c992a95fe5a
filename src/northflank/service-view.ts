// pure
import { booleanOf, objectOf, textOf, wholeNumberOf } from "./json.ts";
import { toSourceView } from "./source-view.ts";
import type { ServiceView } from "./types.ts";

/**
 * Reads the `data` of "get service" in either documented form: the older one (host of the image stripped,
 * `nfObjectId`, no credentials) and the newer one (shaped like the body of a write). `undefined` when it is no service.
 */
export function toServiceView(data: unknown): ServiceView | undefined {
  const service = objectOf(data);
  const id = textOf(service?.id);
  if (service === undefined || id === undefined) return undefined;
  const deployment = objectOf(service.deployment) ?? {};
  const status = objectOf(service.status) ?? {};
  const rollout = objectOf(status.deployment) ?? {};
  const source = toSourceView(deployment);
  const instances = wholeNumberOf(deployment.instances);
  const returnedPause = booleanOf(service.servicePaused);
  const pausedByInstances = returnedPause === undefined && instances === 0;
  return {
    id,
    uid: textOf(service.uid),
    serviceType: textOf(service.serviceType),
    servicePaused: returnedPause ?? pausedByInstances,
    ...(pausedByInstances && { pausedByInstances }),
    disabledCD: booleanOf(service.disabledCD),
    instances,
    ...source,
    image: textOf(deployment.imageUrl) ?? textOf(service.imageUrl) ?? source.image,
    rolloutStatus: textOf(rollout.status),
    rolloutReason: textOf(rollout.reason),
    rolloutTransitionTime: textOf(rollout.lastTransitionTime),
    gradualRolloutStrategyId: textOf(deployment.gradualRolloutStrategyId) ?? textOf(service.gradualRolloutStrategyId),
    buildStatus: textOf(objectOf(status.build)?.status),
  };
}
