// pure

import { type JsonObject, objectOf, textOf } from "./json.ts";
import type { RemoteImage } from "./remote-image.ts";
import type { BuildpackRuntime, SourceView } from "./types.ts";

/** Reads the `deployment` of a service or job in either documented form. */
export function toSourceView(deployment: JsonObject): SourceView {
  const external = externalOf(deployment);
  return {
    image: textOf(deployment.imageUrl) ?? external?.imagePath,
    external,
    internal: internalOf(deployment),
    docker: runtimeOf(deployment.docker),
    buildpack: runtimeOf(deployment.buildpack),
  };
}

/** The external image of a service or job, in the form that `sameImage` compares; `undefined` when it runs none. */
export function remoteImageOf(view: Pick<SourceView, "image" | "external">): RemoteImage | undefined {
  if (view.external === undefined || view.image === undefined) return undefined;
  const { imagePath, registryProvider } = view.external;
  // Only the older form returns the provider, and it is the one that strips the host from `imagePath`.
  return {
    image: view.image,
    registryProvider,
    hostMayBeMissing: registryProvider !== undefined && view.image === imagePath,
  };
}

function externalOf(deployment: JsonObject): SourceView["external"] {
  const external = objectOf(deployment.external);
  if (external === undefined) return undefined;
  return {
    imagePath: textOf(external.imagePath),
    credentials: textOf(external.credentials),
    registryProvider: textOf(external.registryProvider),
    ...(external.privateImage === true && { isPrivate: true }),
  };
}

function internalOf(deployment: JsonObject): SourceView["internal"] {
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
