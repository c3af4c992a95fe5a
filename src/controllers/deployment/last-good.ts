// pure
import type {
  NorthflankDeployment,
  NorthflankDeploymentSpec,
  NorthflankDeploymentStatus,
} from "../../api/deployment.ts";
import type { BuildpackRuntime, DeploymentUpdate } from "../../northflank/types.ts";
import { capped, formatTime } from "../../runtime/conditions.ts";
import { parseImageReference } from "../../util/image-reference.ts";
import { present } from "../../util/present.ts";
import { isDatabaseId } from "../build/build-query.ts";
import { type Desire, desireOf } from "./desired.ts";
import { type Comparison, compare, usedTexts } from "./diff.ts";
import type { Change, Good, Seen } from "./observation.ts";
import type { TargetView } from "./target.ts";

/** `status.lastGood`: what is restored when the rollout of something else fails. */
export type GoodSource = NonNullable<NorthflankDeploymentStatus["lastGood"]>;

/** `rollout.onFailure: Restore` */
export function wantsRestore({ spec }: NorthflankDeployment): boolean {
  return spec.rollout?.onFailure === "Restore";
}

/** A declaration as it is remembered once its rollout is complete. */
export function goodOf({ body, hash, source }: Desire, timeMs: number): GoodSource {
  const { external, internal, docker, buildpack } = body;
  return {
    specHash: hash,
    source: capped(source, 512),
    time: formatTime(timeMs),
    deployment: present({ external, internal, docker, buildpack }) as NonNullable<GoodSource["deployment"]>,
  };
}

/** What is restored when the rollout of what is declared fails; `undefined` where the spec does not want that. */
export function goodFor(
  object: NorthflankDeployment,
  { desire, service }: Pick<Seen, "desire" | "service">,
  { differences, alike, untold, hidden }: Comparison,
): Good | undefined {
  if (!wantsRestore(object)) return undefined;
  const good = object.status?.lastGood;
  const none = (why: string) => ({ kind: "none", why }) as const;
  if (good?.deployment === undefined) return none("no source of this service is known whose rollout was complete");
  if (good.specHash === desire.hash) return none("it is itself the last one whose rollout was complete");
  const read = readGood(object.spec, good.deployment);
  if (read === undefined) return none("the last good source in status cannot be read");
  const isThere = isInForce(read, service);
  const isReadInFull = alike.length + untold.length + hidden.length === 0;
  const isDoubtful = differences.length === 0 && !isReadInFull && isThere;
  return { kind: "source", desire: read, isInForce: isThere, isDoubtful };
}

function isInForce(good: Desire, service: TargetView): boolean {
  return compare(good, service).differences.length === 0;
}

/**
 * What to remember as good when a new declaration is sent: what is known, completed by what the service has where the
 * new one changes what the old one left alone; or else what the service has, if its rollout is complete. `undefined`
 * where Northflank does not return enough of it to restore it.
 */
export function goodBefore(
  object: NorthflankDeployment,
  { desire, before }: Pick<Change, "desire" | "before">,
  now: number,
): GoodSource | undefined {
  if (!wantsRestore(object)) return undefined;
  const known = object.status?.lastGood;
  const good = known?.deployment && readGood(object.spec, known.deployment);
  if (known === undefined || good === undefined) {
    return before.rolloutStatus === "COMPLETED" ? whole(object, {}, { desire, before, timeMs: now }) : undefined;
  }
  // A user or another client has changed the service since: what it has now is not what was good.
  if (!isInForce(good, before)) return known;
  return whole(object, good.body, { desire, before, timeMs: Date.parse(known.time ?? "") });
}

function whole(
  { spec }: NorthflankDeployment,
  body: DeploymentUpdate,
  facts: { readonly desire: Desire; readonly before: TargetView; readonly timeMs: number },
): GoodSource | undefined {
  const { desire, before, timeMs } = facts;
  const changes = (part: keyof DeploymentUpdate) => desire.body[part] !== undefined && body[part] === undefined;
  const needsSource = !hasSource(body) && hasSource(desire.body);
  const source = needsSource ? sourceOf(before) : {};
  if (source === undefined || Number.isNaN(timeMs)) return undefined;
  const docker = changes("docker") ? runtimeOf(before.docker, dockerTypes) : undefined;
  const isExternal = source.external !== undefined || body.external !== undefined;
  const buildpack = changes("buildpack") && !isExternal ? runtimeOf(before.buildpack, buildpackTypes) : undefined;
  const full = { ...source, ...present({ docker, buildpack }), ...body };
  const made = Object.keys(full).length === 0 ? undefined : readGood(spec, full);
  return made && goodOf(made, timeMs);
}

function hasSource({ external, internal }: DeploymentUpdate): boolean {
  return external !== undefined || internal !== undefined;
}

function readGood(spec: NorthflankDeploymentSpec, deployment: DeploymentUpdate): Desire | undefined {
  const result = desireOf({ ...spec, deployment } as NorthflankDeploymentSpec);
  return result.kind === "desire" ? result.desire : undefined;
}

/** The source of a service in the form in which it is sent, and as the schema of status takes it. */
function sourceOf({ external, internal, image }: TargetView): DeploymentUpdate | undefined {
  if (external !== undefined) {
    // Only the older answers have the provider: they leave out the host and the credentials.
    const { imagePath, credentials, registryProvider } = external;
    if (registryProvider !== undefined || imagePath === undefined || imagePath !== image) return undefined;
    if (imagePath.length > 512 || parseImageReference(imagePath).kind !== "image") return undefined;
    if (credentials !== undefined && !isText(credentials, /^[A-Za-z0-9-]+$/, 100)) return undefined;
    return { external: { imagePath, ...present({ credentials }) } };
  }
  if (internal?.id === undefined || isDatabaseId(internal.id) || !isText(internal.id, idPattern, 109)) return undefined;
  const { id, branch, buildSHA, buildId } = internal;
  if (branch !== undefined && !isText(branch, /^[!-~\u0080-\uffff]+$/, 255)) return undefined;
  if (buildSHA !== undefined && !isText(buildSHA, /^([0-9a-fA-F]{40}|latest)$/, 40)) return undefined;
  if (buildId !== undefined && !isText(buildId, /^[A-Za-z0-9-]+$/, 54)) return undefined;
  return { internal: { id, ...present({ branch, buildSHA, buildId }) } };
}

const idPattern = /^[A-Za-z](-?[A-Za-z0-9])*(\/[A-Za-z](-?[A-Za-z0-9])*)?$/;

function isText(text: string, pattern: RegExp, maxLength: number): boolean {
  return text.length >= 3 && text.length <= maxLength && pattern.test(text);
}

const dockerTypes = ["default", "customEntrypoint", "customCommand", "customEntrypointCustomCommand"];
const buildpackTypes = [
  "default",
  "customProcess",
  "customCommand",
  "customEntrypointCustomCommand",
  "originalEntrypointCustomCommand",
];

/** The type with the texts that it uses; `undefined` where one of them is missing, or the type is not known. */
function runtimeOf<T extends BuildpackRuntime>(runtime: T | undefined, types: readonly string[]): T | undefined {
  if (runtime === undefined || !types.includes(runtime.configType)) return undefined;
  const texts = usedTexts(runtime.configType).map((key) => [key, runtime[key]] as const);
  const maxLength = (key: string) => (key === "customProcess" ? 255 : 4_096);
  const isWhole = texts.every(
    ([key, text]) => text !== undefined && text.length <= maxLength(key) && !text.includes("\0"),
  );
  return isWhole ? ({ configType: runtime.configType, ...Object.fromEntries(texts) } as T) : undefined;
}
