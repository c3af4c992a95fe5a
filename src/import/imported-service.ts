// pure
import { apiVersion, northflankDeployments } from "../api/names.ts";
import { usedTexts } from "../controllers/deployment/diff.ts";
import { serviceTarget } from "../controllers/deployment/target.ts";
import { type DeclarableImage, declarableImage } from "../northflank/remote-image.ts";
import { remoteImageOf } from "../northflank/source-view.ts";
import type { BuildpackRuntime, DeploymentUpdate, ServiceView } from "../northflank/types.ts";
import { assertNever } from "../util/assert-never.ts";

/** The result for one service or job of Northflank. */
export type Imported =
  /** `notes` are sentences for the reader of the manifest. */
  | { readonly kind: "manifest"; readonly manifest: object; readonly notes: readonly string[] }
  /** A manifest that has to be completed first: `reason` says how. */
  | { readonly kind: "draft"; readonly manifest: object; readonly reason: string; readonly notes: readonly string[] }
  | { readonly kind: "left-out"; readonly reason: string };

/** What an imported object has besides what Northflank returned. */
export interface ImportTarget {
  readonly projectId: string;
  /** A Kubernetes name, not taken yet. */
  readonly name: string;
  /** `undefined`: the connection named `default`. */
  readonly connectionName: string | undefined;
  /** True: with `managementPolicy: Observe`. */
  readonly isObserved: boolean;
}

/**
 * The manifest that declares what a service has: its image or build, and what is started in the container where that is
 * not the default. Values that Northflank does not return are left to the user, never guessed.
 */
export function importService(service: ServiceView, target: ImportTarget & { readonly serviceId: string }): Imported {
  const source = sourceOf(service);
  if (source.kind === "none") return { kind: "left-out", reason: source.reason };
  const { docker, buildpack } = service;
  const runtime = source.body.external === undefined ? { docker, buildpack } : { docker };
  const deployment = { ...source.body, ...ownRuntimes(runtime) };
  const manifest = manifestOf(target, deployment);
  const notes = [...source.notes, ...stopNotes(service), ...continuousNotes(service)];
  if (source.missing === undefined) return { kind: "manifest", manifest, notes };
  return { kind: "draft", manifest, reason: source.missing, notes };
}

function manifestOf(target: ImportTarget & { readonly serviceId: string }, deployment: object): object {
  const { projectId, serviceId, name, connectionName, isObserved } = target;
  return {
    apiVersion,
    kind: northflankDeployments.kind,
    metadata: { name },
    spec: {
      ...(connectionName !== undefined && { connectionRef: { name: connectionName } }),
      projectId,
      serviceId,
      deployment,
      ...(isObserved && { managementPolicy: "Observe" }),
    },
  };
}

/** Why a build service is not imported. */
export const buildServiceReason = "it is a build service, which deploys nothing";

type Source =
  | {
      readonly kind: "source";
      readonly body: DeploymentUpdate;
      readonly notes: readonly string[];
      /** What the user has to complete; `undefined`: nothing. */
      readonly missing?: string;
    }
  | { readonly kind: "none"; readonly reason: string };

function sourceOf(service: ServiceView): Source {
  if (service.serviceType === "build") return none(buildServiceReason);
  if (service.external !== undefined) return externalSource(service, service.external);
  if (service.internal !== undefined) return internalSource(service, service.internal);
  return service.serviceType === "combined"
    ? none("it is a combined service, and Northflank returns no source that can be declared")
    : none("it has neither an image nor a build");
}

function externalSource(service: ServiceView, external: NonNullable<ServiceView["external"]>): Source {
  if (service.serviceType === "combined") return none("it is a combined service, which takes no external image");
  const remote = remoteImageOf(service);
  if (remote === undefined) return none("Northflank does not return its image");
  const { credentials } = external;
  const image = declarableImage(remote);
  const withImage = (imagePath: string, more: { readonly notes: readonly string[]; readonly missing?: string }) => ({
    kind: "source" as const,
    body: { external: { imagePath, ...(credentials !== undefined && { credentials }) } },
    ...more,
    notes: [...more.notes, ...credentialNotes(external)],
  });
  switch (image.kind) {
    case "image":
      return withImage(image.text, { notes: hostNotes(image) });
    case "host-unknown": {
      const missing = "Northflank does not return the registry host of its image: replace REGISTRY with it";
      return withImage(`REGISTRY/${image.path}`, { notes: [], missing });
    }
    case "problem":
      return none(`its image ${image.message}`);
    default:
      return assertNever(image, "image");
  }
}

function hostNotes({ isHostInferred }: DeclarableImage & { readonly kind: "image" }): readonly string[] {
  return isHostInferred ? ["Northflank returns the registry without its host: check that the host is right."] : [];
}

function credentialNotes({ credentials, isPrivate }: NonNullable<ServiceView["external"]>): readonly string[] {
  if (isPrivate !== true || credentials !== undefined) return [];
  return [
    "The image is private, and Northflank does not return its credentials: add their ID as " +
      "deployment.external.credentials before the image is changed.",
  ];
}

function internalSource(service: ServiceView, internal: NonNullable<ServiceView["internal"]>): Source {
  const { id, branch, buildSHA, buildId } = internal;
  const isOwn = service.serviceType === "combined" && id === service.id;
  // A commit says more than a build of it, and Northflank rejects the two together.
  const version = buildSHA === undefined ? { buildId } : { buildSHA };
  const body = Object.entries({ id: isOwn ? undefined : id, branch, ...version }).filter(([, value]) => value);
  if (body.length === 0) return none("Northflank returns nothing of its build that can be declared");
  return { kind: "source", body: { internal: Object.fromEntries(body) }, notes: [] };
}

function none(reason: string): Source {
  return { kind: "none", reason };
}

function ownRuntimes(runtimes: Pick<ServiceView, "docker"> & Partial<Pick<ServiceView, "buildpack">>): object {
  const entries = Object.entries(runtimes).flatMap(([name, runtime]) => {
    if (runtime === undefined || runtime.configType === "default") return [];
    const { configType } = runtime;
    // Northflank returns old texts beside `default`.
    const texts = usedTexts(configType).map((key) => [key, (runtime as BuildpackRuntime)[key]] as const);
    return [[name, Object.fromEntries([["configType", configType], ...texts.filter(([, text]) => text)])] as const];
  });
  return Object.fromEntries(entries);
}

function stopNotes(service: ServiceView): readonly string[] {
  const { stop } = serviceTarget(service, undefined);
  return stop === undefined ? [] : [`${stop} Changes are sent, and start with the resume.`];
}

function continuousNotes({ disabledCD, internal }: ServiceView): readonly string[] {
  const isPinned = internal !== undefined && internal.buildSHA !== undefined && internal.buildSHA !== "latest";
  if (!isPinned || disabledCD !== false) return [];
  return [
    "Northflank deploys new builds of this service by itself, and this manifest names one commit: disable continuous " +
      "deployment in Northflank, or write buildSHA: latest here.",
  ];
}
