// pure
import type { RemoteImage } from "./image-reference.ts";
import { booleanOf, type JsonObject, objectOf, textOf, wholeNumberOf } from "./json.ts";
import type { BuildpackRuntime, ServiceView } from "./types.ts";

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
  const external = externalOf(deployment);
  return {
    id,
    serviceType: textOf(service.serviceType),
    servicePaused: booleanOf(service.servicePaused) ?? false,
    disabledCD: booleanOf(service.disabledCD),
    instances: wholeNumberOf(deployment.instances),
    image: textOf(deployment.imageUrl) ?? textOf(service.imageUrl) ?? external?.imagePath,
    external,
    internal: internalOf(deployment),
    docker: runtimeOf(deployment.docker),
    buildpack: runtimeOf(deployment.buildpack),
    rolloutStatus: textOf(rollout.status),
    rolloutReason: textOf(rollout.reason),
    rolloutTransitionTime: textOf(rollout.lastTransitionTime),
    buildStatus: textOf(objectOf(status.build)?.status),
  };
}

/** The external image of a service, in the form that `sameImage` compares; `undefined` when it runs none. */
export function remoteImageOf(view: Pick<ServiceView, "image" | "external">): RemoteImage | undefined {
  if (view.external === undefined || view.image === undefined) return undefined;
  const { imagePath, registryProvider } = view.external;
  // Only the older form tells the provider, and it is the one that strips the host from `imagePath`.
  return {
    image: view.image,
    registryProvider,
    hostMayBeMissing: registryProvider !== undefined && view.image === imagePath,
  };
}

function externalOf(deployment: JsonObject): ServiceView["external"] {
  const external = objectOf(deployment.external);
  if (external === undefined) return undefined;
  return {
    imagePath: textOf(external.imagePath),
    credentials: textOf(external.credentials),
    registryProvider: textOf(external.registryProvider),
    ...(external.privateImage === true && { isPrivate: true }),
  };
}

function internalOf(deployment: JsonObject): ServiceView["internal"] {
  const internal = objectOf(deployment.internal);
  if (internal === undefined) return undefined;
  return {
    id: textOf(internal.id) ?? textOf(internal.nfObjectId),
    branch: textOf(internal.branch),
    buildSHA: textOf(internal.buildSHA),
    buildId: textOf(internal.buildId),
    deployedSHA: textOf(internal.deployedSHA),
  };
}

function runtimeOf(value: unknown): BuildpackRuntime | undefined {
  const runtime = objectOf(value);
  const configType = textOf(runtime?.configType);
  if (runtime === undefined || configType === undefined) return undefined;
  const customEntrypoint = textOf(runtime.customEntrypoint);
  const customCommand = textOf(runtime.customCommand);
  const customProcess = textOf(runtime.customProcess);
  return {
    configType,
    ...(customEntrypoint === undefined ? {} : { customEntrypoint }),
    ...(customCommand === undefined ? {} : { customCommand }),
    ...(customProcess === undefined ? {} : { customProcess }),
  };
}
