// pure

/** An image reference, taken apart and in its full form. */
export interface ImageReference {
  /** Host, with port if there is one; `docker.io` for Docker Hub. Lower case. */
  readonly registry: string;
  /** Path within the registry; on Docker Hub with `library/`. */
  readonly repository: string;
  readonly tag: string | undefined;
  /** `sha256:...` */
  readonly digest: string | undefined;
}

/** The rule that a reference breaks. */
export type ImageRule =
  | "empty"
  | "too-long"
  | "characters"
  | "scheme"
  | "registry"
  | "repository"
  | "tag"
  | "digest"
  | "tag-and-digest"
  | "port-and-digest"
  | "no-version";

export type ParsedImage =
  | { readonly kind: "image"; readonly image: ImageReference }
  /** `message` says what is wrong and what to do; it follows after "imagePath". */
  | { readonly kind: "problem"; readonly rule: ImageRule; readonly message: string };

/** Longest reference that is looked at, in characters. */
export const maxImageLength = 512;

const hub = "docker.io";

/** Other names of Docker Hub. */
const hubAliases: ReadonlySet<string> = new Set(["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"]);

/**
 * Reads an image reference as a person declares it: `nginx:1.25`, `ghcr.io/acme/api@sha256:...`, `localhost:5000/app:1`.
 *
 * Stricter than the pattern of the Northflank API where that lets through what cannot be pulled, and as strict where the
 * API would refuse (tag plus digest, port plus digest). Work grows with the length of the text, never faster.
 */
export function parseImageReference(text: string): ParsedImage {
  if (text.length === 0) return problem("empty", "is empty; name an image such as ghcr.io/acme/api:1.4.2");
  if (text.length > maxImageLength) {
    return problem("too-long", `has ${text.length} characters; at most ${maxImageLength} are allowed`);
  }
  if (text.includes("://")) return problem("scheme", "begins with a scheme; leave out http:// or https://");
  const parsed = take(text);
  if (parsed.kind === "problem") return parsed;
  const { registry, tag, digest } = parsed.image;
  if (tag !== undefined && digest !== undefined) {
    return problem("tag-and-digest", "has a tag and a digest, which Northflank refuses; drop the tag");
  }
  if (tag === undefined && digest === undefined) {
    return problem("no-version", "has neither tag nor digest; add one, such as :1.4.2");
  }
  if (digest !== undefined && registry.includes(":")) {
    return problem("port-and-digest", "has a registry port and a digest, which Northflank refuses; use a tag instead");
  }
  return parsed;
}

/** Writes the full form: `docker.io/library/nginx:1.25`. */
export function formatImage({ registry, repository, tag, digest }: ImageReference): string {
  const version = `${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
  return `${registry}/${repository}${version}`;
}

/** The full form of a reference; `undefined` when it cannot be read. */
export function normalizeImage(text: string): string | undefined {
  const parsed = parseImageReference(text);
  return parsed.kind === "image" ? formatImage(parsed.image) : undefined;
}

/** An image as the API tells it. */
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

/**
 * The declaration that means what the remote runs: without a scheme, with `latest` where there is no version, without
 * the tag beside a digest.
 */
export function declarableImage(remote: RemoteImage): DeclarableImage {
  const { path, tag, digest } = splitVersion(withoutScheme(remote.image).replace(/^\//, ""));
  const version = digest === undefined ? `:${tag ?? "latest"}` : `@${digest}`;
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

/** Takes a reference apart, with or without a version. */
function take(text: string): ParsedImage {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code <= 0x20 || code > 0x7e) {
      return problem("characters", `holds a character at position ${index + 1} that no image reference may hold`);
    }
  }
  const { path, tag, digest } = splitVersion(text);
  if (tag !== undefined && !isTag(tag)) {
    return problem("tag", "has a tag that is not one; use letters, digits, underscores, dots, hyphens, at most 128");
  }
  if (digest !== undefined && !isDigest(digest)) {
    return problem("digest", "has a digest that is not one; write @sha256: and 64 hexadecimal digits");
  }
  return takePath(path, { tag, digest });
}

/** Splits at the first `@`, and before it at the last `:` behind the last slash: an earlier one belongs to the host. */
function splitVersion(text: string): { path: string; tag: string | undefined; digest: string | undefined } {
  const at = text.indexOf("@");
  const name = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const colon = name.lastIndexOf(":");
  if (colon < 0 || colon < name.lastIndexOf("/")) return { path: name, tag: undefined, digest };
  return { path: name.slice(0, colon), tag: name.slice(colon + 1), digest };
}

function takePath(path: string, version: Pick<ImageReference, "tag" | "digest">): ParsedImage {
  const slash = path.indexOf("/");
  const first = slash < 0 ? "" : path.slice(0, slash);
  const hasHost = first === "localhost" || first.includes(".") || first.includes(":") || first !== first.toLowerCase();
  // `../..` is a path trick, not a host: let the rule for repositories say so.
  if (!hasHost || first === "." || first === "..") return takeRepository(hub, path, version);
  if (!isHost(first)) {
    return problem("registry", "has a registry host that is not one; write host or host:port before the first slash");
  }
  // A name that only its capitals make a host would be a path of Docker Hub in lower case.
  const host = first.includes(".") || first.includes(":") ? first.toLowerCase() : first;
  if (!hubAliases.has(host)) return takeRepository(host, path.slice(slash + 1), version);
  const rest = path.slice(slash + 1);
  return takeRepository(hub, rest.startsWith("v1/") ? rest.slice(3) : rest, version);
}

function takeRepository(registry: string, path: string, version: Pick<ImageReference, "tag" | "digest">): ParsedImage {
  const parts = path.split("/");
  if (!parts.every(isPathPart)) {
    const isUpper = parts.every((part) => isPathPart(part.toLowerCase()));
    return problem(
      "repository",
      isUpper
        ? "has upper-case letters in its repository, which registries do not know; write it in lower case"
        : "has a repository that is not one; use lower-case letters and digits, with single separators between",
    );
  }
  const repository = registry === hub && parts.length === 1 ? `library/${path}` : path;
  return { kind: "image", image: { registry, repository, ...version } };
}

/** Host names and IPv4 addresses, with an optional port. A metadata address is a host like any other here. */
function isHost(text: string): boolean {
  const [name = "", port, more] = text.split(":", 3);
  if (more !== undefined || (port !== undefined && !isPort(port))) return false;
  return name.length <= 253 && name.split(".").every((label) => /^[a-zA-Z0-9](?:-*[a-zA-Z0-9])*$/.test(label));
}

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535;
}

/** Runs of letters and digits, separated by one dot, one or two underscores, or hyphens. No step can match two ways. */
function isPathPart(part: string): boolean {
  return /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/.test(part);
}

function isTag(tag: string): boolean {
  return /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/.test(tag);
}

function isDigest(digest: string): boolean {
  return /^sha256:[a-f0-9]{64}$/.test(digest) || /^sha512:[a-f0-9]{128}$/.test(digest);
}

function problem(rule: ImageRule, message: string): ParsedImage {
  return { kind: "problem", rule, message };
}
