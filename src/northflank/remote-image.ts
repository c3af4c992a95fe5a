// pure
import {
  hub,
  type ImageReference,
  maxImageLength,
  parseImageReference,
  splitVersion,
  take,
} from "../util/image-reference.ts";

/** An image as the API returns it. */
export interface RemoteImage {
  readonly image: string;
  /** `dockerhub`, `github`, `gar`, ... or a word we do not know. */
  readonly registryProvider: string | undefined;
  /** The API may have left out the host of the registry. */
  readonly hostMayBeMissing: boolean;
}

/**
 * True when the remote runs the declared image.
 *
 * The remote side is read leniently: a scheme and the old `/v1` are dropped, no tag means `latest`, tag plus digest is
 * compared by whichever was declared. Where its host may be missing, path and version decide, unless the provider rules
 * the declared registry out.
 */
export function sameImage(desired: ImageReference, remote: RemoteImage): boolean {
  const text = withoutScheme(remote.image);
  if (text.length > maxImageLength) return false;
  if (remote.hostMayBeMissing && !mayComeFrom(desired.registry, remote.registryProvider)) return false;
  const parsed = take(text);
  if (parsed.kind === "image" && isSame(desired, parsed.image)) return true;
  return remote.hostMayBeMissing && isSamePath(desired, text);
}

/**
 * How a declared image compares with the remote one. `alike`: nothing that the API returns speaks against it, and it does
 * not return all: the host is missing and could be another one, or a digest stands beside the declared tag.
 */
export function compareImages(desired: ImageReference, remote: RemoteImage): "same" | "alike" | "different" {
  if (!sameImage(desired, remote)) return "different";
  const { tag, digest } = splitVersion(withoutScheme(remote.image));
  if (tag !== undefined && digest !== undefined) return "alike";
  const isHostKnown = !remote.hostMayBeMissing || oneHostProviders.has(remote.registryProvider ?? "");
  return isHostKnown ? "same" : "alike";
}

// Their images come from one host only, so that a missing one is no secret.
const oneHostProviders: ReadonlySet<string> = new Set(["dockerhub", "dhi"]);

/** A remote image as a person would declare it. */
export type DeclarableImage =
  /** `isHostInferred`: the API left the host out, and its provider has but one that is in use. */
  | { readonly kind: "image"; readonly text: string; readonly isHostInferred: boolean }
  /** The API left the host out, and it can be anywhere. */
  | { readonly kind: "host-unknown"; readonly path: string }
  /** `message` follows after "imagePath". */
  | { readonly kind: "problem"; readonly message: string };

const hostOfProvider: Readonly<Record<string, string>> = { dockerhub: "", github: "ghcr.io/", dhi: "dhi.io/" };

/** The declaration that means what the remote runs: without a scheme, with `latest` where there is no version. */
export function declarableImage(remote: RemoteImage): DeclarableImage {
  const { path, tag, digest } = splitVersion(withoutScheme(remote.image).replace(/^\//, ""));
  const version = digest === undefined ? `:${tag ?? "latest"}` : `${tag === undefined ? "" : `:${tag}`}@${digest}`;
  const first = path.slice(0, Math.max(0, path.indexOf("/")));
  const isCut = remote.hostMayBeMissing && !/[.:]/.test(first) && first !== "localhost";
  const provider = remote.registryProvider ?? "";
  const host = isCut ? (Object.hasOwn(hostOfProvider, provider) ? hostOfProvider[provider] : undefined) : "";
  if (host === undefined) return { kind: "host-unknown", path: `${path}${version}` };
  const text = `${host}${path}${version}`;
  const parsed = parseImageReference(text);
  if (parsed.kind === "problem") return { kind: "problem", message: parsed.message };
  return { kind: "image", text, isHostInferred: host !== "" };
}

function isSame(desired: ImageReference, remote: ImageReference): boolean {
  return (
    desired.registry === remote.registry &&
    desired.repository === remote.repository &&
    isSameVersion(desired, remote.tag, remote.digest)
  );
}

function isSameVersion(desired: ImageReference, tag: string | undefined, digest: string | undefined): boolean {
  if (desired.digest !== undefined) return desired.digest === digest;
  return desired.tag === (tag ?? (digest === undefined ? "latest" : undefined));
}

/** Compares with a remote whose host was cut off, so that what stands before the first slash is path. */
function isSamePath(desired: ImageReference, text: string): boolean {
  const { path, tag, digest } = splitVersion(text.startsWith("/") ? text.slice(1) : text);
  const isPath = path === desired.repository || (desired.registry === hub && desired.repository === `library/${path}`);
  return isPath && isSameVersion(desired, tag, digest);
}

/** Providers whose images come from known hosts only. The others (`gitlab`, `custom`, ...) can be anywhere. */
const hostsOfProvider: Readonly<Record<string, (host: string) => boolean>> = {
  dockerhub: (host) => host === hub,
  dhi: (host) => host === "dhi.io",
  github: (host) => host === "ghcr.io" || host === "docker.pkg.github.com" || host.startsWith("containers."),
  gar: (host) => host.endsWith(".pkg.dev") || host === "gcr.io" || host.endsWith(".gcr.io"),
  ecr: (host) => host === "public.ecr.aws" || host.endsWith(".amazonaws.com") || host.endsWith(".amazonaws.com.cn"),
  acr: (host) => host.endsWith(".azurecr.io") || host.endsWith(".azurecr.cn"),
};

function mayComeFrom(host: string, provider: string | undefined): boolean {
  if (provider === undefined || !Object.hasOwn(hostsOfProvider, provider)) return true;
  return hostsOfProvider[provider]?.(host) ?? true;
}

function withoutScheme(text: string): string {
  const end = text.startsWith("https://") ? 8 : text.startsWith("http://") ? 7 : 0;
  return text.slice(end);
}
