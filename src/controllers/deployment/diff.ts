// pure
import { compareImages } from "../../northflank/remote-image.ts";
import { remoteImageOf } from "../../northflank/source-view.ts";
import type { BuildpackRuntime, DeploymentUpdate, InternalSource, ServiceView } from "../../northflank/types.ts";
import { capped } from "../../runtime/conditions.ts";
import { isDatabaseId } from "../build/build-query.ts";
import type { Desire } from "./desired.ts";

/** One field that differs. `from` is missing when Northflank has, or returns, nothing there. */
export interface Difference {
  readonly path: string;
  readonly from?: string;
  readonly to: string;
}

export interface Comparison {
  /** Fields that Northflank returns, and that are not as declared. */
  readonly differences: readonly Difference[];
  /**
   * Declared fields of which Northflank returns a part only: nothing speaks against them, and what was never sent may
   * be something else all the same. An image without its host, a builder without its project, the commit of a build.
   */
  readonly alike: readonly Difference[];
  /** Declared fields that Northflank does not return: no read shows whether they are as declared. */
  readonly untold: readonly Difference[];
  /** The declared source, of a target whose source Northflank does not return at all. */
  readonly hidden: readonly Difference[];
}

/** What is compared of a service or job. */
type Compared = Pick<ServiceView, "image" | "external" | "internal" | "serviceType" | "docker" | "buildpack">;

// Values in status are for reading, not for storing.
const longestValue = 256;

/**
 * Compares what is declared with what a service has. What is not declared is not compared. `resolvedCommit` is that of
 * the declared build id, where it is known: Northflank may return the commit alone.
 */
export function compare(desire: Desire, service: Compared, resolvedCommit?: string): Comparison {
  const fields = fieldsOf(desire, service, resolvedCommit);
  const of = (state: Field["state"]) => fields.filter((field) => field.state === state).map(differenceOf);
  return { differences: of("different"), alike: of("alike"), untold: of("untold"), hidden: of("hidden") };
}

/** Not all of what is declared could be read back from this target: whether it arrived, no read would show for sure. */
export function isReadInPart(desire: Desire, service: Compared): boolean {
  return fieldsOf(desire, service, undefined).some(({ state, isPart }) => isPart && state !== "same");
}

function fieldsOf(desire: Desire, service: Compared, resolvedCommit: string | undefined): readonly Field[] {
  return [
    ...externalFields(desire, service),
    ...internalFields(desire.body, service, resolvedCommit),
    ...runtimeFields("docker", desire.body.docker, service.docker),
    ...runtimeFields("buildpack", desire.body.buildpack, service.buildpack),
  ];
}

interface Field {
  readonly path: string;
  /** `alike` is an inference, `same` was read. */
  readonly state: "same" | "alike" | "different" | "untold" | "hidden";
  /** Northflank returns this field in part, so that two values of it can appear equal. */
  readonly isPart: boolean;
  readonly from: string | undefined;
  readonly to: string;
}

function differenceOf({ path, from, to }: Field): Difference {
  const shown = { path: `deployment.${path}`, to: capped(to, longestValue) };
  return from === undefined ? shown : { ...shown, from: capped(from, longestValue) };
}

function externalFields({ body, image }: Desire, service: Compared): readonly Field[] {
  if (body.external === undefined || image === undefined) return [];
  const remote = remoteImageOf(service);
  const { imagePath, credentials } = body.external;
  const from = service.image ?? (service.internal === undefined ? undefined : internalText(service.internal));
  const fields: Field[] = [
    {
      path: "external.imagePath",
      state: remote === undefined ? "different" : compareImages(image, remote),
      // Of a target without an image it is not known in which form one will be returned.
      isPart: remote?.hostMayBeMissing ?? true,
      from,
      to: imagePath,
    },
  ];
  if (credentials !== undefined) fields.push(field("external.credentials", service.external?.credentials, credentials));
  return fields;
}

function internalFields(
  { internal }: DeploymentUpdate,
  service: Compared,
  resolvedCommit: string | undefined,
): readonly Field[] {
  if (internal === undefined) return [];
  const remote = service.internal;
  if (remote === undefined) {
    // The newer answer about a combined service, which always has its own builds, does not say which.
    const state = service.serviceType === "combined" ? "hidden" : "different";
    return [{ path: "internal", state, isPart: true, from: service.image, to: internalText(internal) }];
  }
  const { id, branch } = internal;
  return [
    ...(id === undefined ? [] : [builderField(remote.id, id)]),
    ...(branch === undefined ? [] : [field("internal.branch", remote.branch, branch)]),
    ...versionFields(internal, remote, resolvedCommit),
  ];
}

/** The build id says more than the commit, and `latest` beside it nothing: Northflank returns the commit of that. */
function versionFields(
  { buildId, buildSHA }: InternalSource,
  remote: NonNullable<ServiceView["internal"]>,
  resolvedCommit: string | undefined,
): readonly Field[] {
  const declared = buildSHA?.toLowerCase();
  const setting = remote.buildSHA?.toLowerCase();
  const deployed = remote.deployedSHA?.toLowerCase();
  if (buildId === undefined) {
    if (declared === undefined) return [];
    if (setting !== undefined) return [field("internal.buildSHA", setting, declared)];
    // What runs stands for what is set, but says nothing about a setting that moves.
    return [part(field("internal.buildSHA", declared === "latest" ? undefined : deployed, declared))];
  }
  const running = deployed ?? (setting === "latest" ? undefined : setting);
  const commit = declared === undefined || declared === "latest" ? undefined : declared;
  const isSet = setting === commit;
  return [
    remote.buildId === undefined
      ? buildOfCommit(buildId, running, commit ?? resolvedCommit)
      : field("internal.buildId", remote.buildId, buildId),
    ...(commit === undefined ? [] : [part(field("internal.buildSHA", running, commit), !isSet)]),
  ];
}

/** The older answers have no build id: the commit that runs stands for it, where both commits are known. */
function buildOfCommit(buildId: string, running: string | undefined, commit: string | undefined): Field {
  const path = "internal.buildId";
  if (running === undefined || commit === undefined) return field(path, undefined, buildId);
  const state = running === commit ? "alike" : "different";
  return { path, state, isPart: true, from: `a build of ${running}`, to: buildId };
}

/** `project/service` may be declared while Northflank returns the service alone, and the other way round. */
function builderField(remote: string | undefined, declared: string): Field {
  const path = "internal.id";
  if (remote === undefined || (remote !== declared && isDatabaseId(remote))) return field(path, undefined, declared);
  if (remote.includes("/") && declared.includes("/")) return field(path, remote, declared);
  const [left, right] = [remote, declared].map((id) => id.slice(id.indexOf("/") + 1));
  return { path, state: left === right ? "alike" : "different", isPart: true, from: remote, to: declared };
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
  const used = usedTexts(declared.configType);
  const texts = allTexts.flatMap((key) => {
    const [from, to] = [remote?.[key], declared[key]];
    if (to === undefined || from === to) return [];
    const path = `${name}.${key}`;
    // A text that the type does not use changes nothing: it is sent with its declaration, and never corrected.
    if (!used.includes(key)) return [{ path, state: "alike" as const, isPart: true, from, to }];
    return [part(field(path, from ?? "", to), from === undefined)];
  });
  return [type, ...texts];
}

const allTexts = ["customEntrypoint", "customCommand", "customProcess"] as const;

function field(path: string, from: string | undefined, to: string): Field {
  if (from === undefined) return { path, state: "untold", isPart: true, from, to };
  return { path, state: from === to ? "same" : "different", isPart: false, from, to };
}

/** The same of a value that stands for the one that is declared. */
function part(whole: Field, isPart = true): Field {
  if (!isPart) return whole;
  return { ...whole, isPart, state: whole.state === "same" ? "alike" : whole.state };
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
