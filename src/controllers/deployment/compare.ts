// pure
import { sameImage } from "../../northflank/image-reference.ts";
import { remoteImageOf } from "../../northflank/source-view.ts";
import type { BuildpackRuntime, DeploymentUpdate, InternalSource, ServiceView } from "../../northflank/types.ts";
import { capped } from "../../runtime/conditions.ts";
import { isDatabaseId } from "./build.ts";
import type { Desire } from "./desire.ts";

/** One field that differs. `from` is missing when Northflank has, or tells, nothing there. */
export interface Difference {
  readonly path: string;
  readonly from?: string;
  readonly to: string;
}

export interface Comparison {
  /** Fields that Northflank tells, and that are not as declared. */
  readonly differences: readonly Difference[];
  /** Declared fields that Northflank does not tell: nobody can see whether they are as declared. */
  readonly untold: readonly Difference[];
  /** The declared source, of a target whose source Northflank does not tell at all. */
  readonly hidden: readonly Difference[];
}

// Values in status are for reading, not for storing.
const longestValue = 256;

/**
 * Compares what is declared with what a service has. What is not declared is not looked at. `resolvedCommit` is that of
 * the declared build id, where it is known: Northflank may tell the commit alone.
 */
export function compare(desire: Desire, service: ServiceView, resolvedCommit?: string): Comparison {
  const fields = [
    ...externalFields(desire, service),
    ...internalFields(desire.body, service, resolvedCommit),
    ...runtimeFields("docker", desire.body.docker, service.docker),
    ...runtimeFields("buildpack", desire.body.buildpack, service.buildpack),
  ];
  const of = (state: Field["state"]) => fields.filter((field) => field.state === state).map(differenceOf);
  return { differences: of("different"), untold: of("untold"), hidden: of("hidden") };
}

interface Field {
  readonly path: string;
  readonly state: "same" | "different" | "untold" | "hidden";
  readonly from: string | undefined;
  readonly to: string;
}

function differenceOf({ path, from, to }: Field): Difference {
  const shown = { path: `deployment.${path}`, to: capped(to, longestValue) };
  return from === undefined ? shown : { ...shown, from: capped(from, longestValue) };
}

function externalFields({ body, image }: Desire, service: ServiceView): readonly Field[] {
  if (body.external === undefined || image === undefined) return [];
  const remote = remoteImageOf(service);
  const isSame = remote !== undefined && sameImage(image, remote);
  const { imagePath, credentials } = body.external;
  const from = service.image ?? (service.internal === undefined ? undefined : internalText(service.internal));
  const fields: Field[] = [{ path: "external.imagePath", state: isSame ? "same" : "different", from, to: imagePath }];
  if (credentials !== undefined) fields.push(field("external.credentials", service.external?.credentials, credentials));
  return fields;
}

function internalFields(
  { internal }: DeploymentUpdate,
  service: ServiceView,
  resolvedCommit: string | undefined,
): readonly Field[] {
  if (internal === undefined) return [];
  const remote = service.internal;
  if (remote === undefined) {
    // The newer answer about a combined service, which always has its own builds, does not say which.
    const state = service.serviceType === "combined" ? "hidden" : "different";
    return [{ path: "internal", state, from: service.image, to: internalText(internal) }];
  }
  const { id, branch } = internal;
  return [
    ...(id === undefined ? [] : [field("internal.id", comparableId(remote.id, id), id)]),
    ...(branch === undefined ? [] : [field("internal.branch", remote.branch, branch)]),
    ...versionFields(internal, remote, resolvedCommit),
  ];
}

/** The build id says more than the commit, and `latest` beside it says nothing: Northflank tells the commit it came to. */
function versionFields(
  { buildId, buildSHA }: InternalSource,
  remote: NonNullable<ServiceView["internal"]>,
  resolvedCommit: string | undefined,
): readonly Field[] {
  const declared = buildSHA?.toLowerCase();
  const setting = remote.buildSHA?.toLowerCase();
  if (buildId === undefined) {
    if (declared === undefined) return [];
    return [field("internal.buildSHA", setting ?? remote.deployedSHA?.toLowerCase(), declared)];
  }
  const running = remote.deployedSHA?.toLowerCase() ?? (setting === "latest" ? undefined : setting);
  const commit = declared === undefined || declared === "latest" ? undefined : declared;
  return [
    remote.buildId === undefined
      ? buildOfCommit(buildId, running, commit ?? resolvedCommit)
      : field("internal.buildId", remote.buildId, buildId),
    ...(commit === undefined ? [] : [field("internal.buildSHA", running, commit)]),
  ];
}

/** The older answers tell no build id: the commit that runs stands for it, where both commits are known. */
function buildOfCommit(buildId: string, running: string | undefined, commit: string | undefined): Field {
  const path = "internal.buildId";
  if (running === undefined || commit === undefined) return field(path, undefined, buildId);
  return { path, state: running === commit ? "same" : "different", from: `a build of ${running}`, to: buildId };
}

/** `project/service` may be declared while Northflank tells the service alone. */
function comparableId(remote: string | undefined, declared: string): string | undefined {
  if (remote !== undefined && remote !== declared && isDatabaseId(remote)) return undefined;
  if (remote === undefined || remote.includes("/") === declared.includes("/")) return remote;
  return declared.endsWith(`/${remote}`) || remote.endsWith(`/${declared}`) ? declared : remote;
}

/** The custom texts count only where the type uses them: Northflank returns old ones along with `default`. */
const usedBy: Readonly<Record<string, readonly (keyof BuildpackRuntime)[]>> = {
  customProcess: ["customProcess"],
  customEntrypoint: ["customEntrypoint"],
  customCommand: ["customCommand"],
  customEntrypointCustomCommand: ["customEntrypoint", "customCommand"],
  originalEntrypointCustomCommand: ["customCommand"],
};

/** The texts that a type uses. */
export function usedTexts(configType: string): readonly (keyof BuildpackRuntime)[] {
  return Object.hasOwn(usedBy, configType) ? (usedBy[configType] ?? []) : [];
}

function runtimeFields(
  name: "docker" | "buildpack",
  declared: BuildpackRuntime | undefined,
  remote: BuildpackRuntime | undefined,
): readonly Field[] {
  if (declared === undefined) return [];
  const type = field(`${name}.configType`, remote?.configType, declared.configType);
  if (type.state !== "same") return [type];
  const texts = usedTexts(declared.configType).flatMap((key) => {
    const to = declared[key];
    return to === undefined ? [] : [field(`${name}.${key}`, remote?.[key] ?? "", to)];
  });
  return [type, ...texts];
}

function field(path: string, from: string | undefined, to: string): Field {
  if (from === undefined) return { path, state: "untold", from, to };
  return { path, state: from === to ? "same" : "different", from, to };
}

function internalText({
  id,
  branch,
  buildSHA,
  buildId,
}: NonNullable<ServiceView["internal"]> | NonNullable<DeploymentUpdate["internal"]>): string {
  const version = buildId ?? buildSHA ?? branch;
  return `build ${id ?? "of an unnamed service"}${version === undefined ? "" : `@${version}`}`;
}
