// pure
import { sameImage } from "../../northflank/image-reference.ts";
import { remoteImageOf } from "../../northflank/source-view.ts";
import type { BuildpackRuntime, DeploymentUpdate, ServiceView } from "../../northflank/types.ts";
import { capped } from "../../runtime/conditions.ts";
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
}

// Values in status are for reading, not for storing.
const longestValue = 256;

/** Compares what is declared with what a service has. What is not declared is not looked at. */
export function compare(desire: Desire, service: ServiceView): Comparison {
  const fields = [
    ...externalFields(desire, service),
    ...internalFields(desire.body, service),
    ...runtimeFields("docker", desire.body.docker, service.docker),
    ...runtimeFields("buildpack", desire.body.buildpack, service.buildpack),
  ];
  const of = (state: Field["state"]) => fields.filter((field) => field.state === state).map(differenceOf);
  return { differences: of("different"), untold: of("untold") };
}

interface Field {
  readonly path: string;
  readonly state: "same" | "different" | "untold";
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

function internalFields({ internal }: DeploymentUpdate, service: ServiceView): readonly Field[] {
  if (internal === undefined) return [];
  const remote = service.internal;
  if (remote === undefined) {
    return [{ path: "internal", state: "different", from: service.image, to: internalText(internal) }];
  }
  const { id, branch, buildSHA, buildId } = internal;
  return [
    ...(id === undefined ? [] : [field("internal.id", comparableId(remote.id, id), id)]),
    ...(branch === undefined ? [] : [field("internal.branch", remote.branch, branch)]),
    ...(buildSHA === undefined
      ? []
      : [field("internal.buildSHA", remote.buildSHA?.toLowerCase(), buildSHA.toLowerCase())]),
    ...(buildId === undefined ? [] : [field("internal.buildId", remote.buildId, buildId)]),
  ];
}

/** `project/service` may be declared while Northflank tells the service alone. */
function comparableId(remote: string | undefined, declared: string): string | undefined {
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

function runtimeFields(
  name: "docker" | "buildpack",
  declared: BuildpackRuntime | undefined,
  remote: BuildpackRuntime | undefined,
): readonly Field[] {
  if (declared === undefined) return [];
  const type = field(`${name}.configType`, remote?.configType, declared.configType);
  if (type.state !== "same") return [type];
  const used = Object.hasOwn(usedBy, declared.configType) ? (usedBy[declared.configType] ?? []) : [];
  const texts = used.flatMap((key) => {
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
