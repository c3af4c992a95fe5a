// pure
import { isUnreplaced, unreplacedMessage, unreplacedSentence } from "./unreplaced.ts";

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
  | "unreplaced"
  | "quotes"
  | "blanks"
  | "characters"
  | "scheme"
  | "registry"
  | "repository"
  | "upper-case"
  | "tag"
  | "tag-slash"
  | "two-tags"
  | "digest"
  | "digest-sign"
  | "port-and-digest"
  | "no-version";

/** What is wrong and what to do, by rule; it follows after "imagePath". The rules of the CRD say the same. */
export const imageSentences: Readonly<Record<ImageRule, string>> = {
  empty: "is empty; name an image such as ghcr.io/acme/api:1.4.2",
  "too-long": "has more than 512 characters",
  unreplaced: unreplacedSentence,
  quotes: "contains quotes; remove them, they belong to the file and not to the image",
  blanks: "contains a blank or a line break; write one image without blanks",
  characters: "contains a character that is not allowed in an image reference; use letters, digits and . _ - / : @",
  scheme: "begins with a scheme; leave out http:// or https://",
  registry:
    "has no valid registry before its first slash; write host or host:port there, and no slash after the colon of a tag",
  repository: "has no valid repository; use lower-case letters and digits, with single separators between",
  "upper-case": "has upper-case letters in its repository, which registries do not allow; write it in lower case",
  tag: "has no valid tag; use letters, digits, underscores, dots and hyphens, 128 at most",
  "tag-slash": "has a slash after the colon of its tag; write another character there, as in feature-login",
  "two-tags": "has more than one tag; remove all but one",
  digest: "has no valid digest; write @sha256: and 64 hexadecimal digits in lower case",
  "digest-sign": "has a digest after a colon; write an @ before it, as in api@sha256:",
  "port-and-digest": "has a registry port and a digest, which Northflank does not accept together; use a tag alone",
  "no-version": "has neither tag nor digest; add one, such as :1.4.2 (Northflank does not assume latest)",
};

export type ParsedImage =
  | { readonly kind: "image"; readonly image: ImageReference }
  /** `message` says what is wrong and what to do; it follows after "imagePath". */
  | { readonly kind: "problem"; readonly rule: ImageRule; readonly message: string };

/** Longest reference that is parsed, in characters. */
export const maxImageLength = 512;

export const hub = "docker.io";

/** Other names of Docker Hub. */
const hubAliases: ReadonlySet<string> = new Set(["index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"]);

/**
 * Reads an image reference as a person or a tool declares it: `nginx:1.25`, `ghcr.io/acme/api@sha256:...`,
 * `ghcr.io/acme/api:1.4.2@sha256:...`, `localhost:5000/app:1`.
 *
 * Stricter than the pattern of the Northflank API where that lets through what cannot be pulled, and as strict where the
 * API would refuse (port plus digest). Work grows with the length of the text, never faster.
 */
export function parseImageReference(text: string): ParsedImage {
  if (text.length === 0) return problem("empty");
  if (text.length > maxImageLength) return problem("too-long");
  const rule = ruleOfCharacters(text);
  if (rule !== undefined) return problem(rule, rule === "unreplaced" ? unreplacedMessage(text) : undefined);
  if (text.includes("://")) return problem("scheme");
  if (/:sha(?:256|512):/.test(text)) return problem("digest-sign");
  const parsed = take(text);
  if (parsed.kind === "problem") return parsed;
  const { registry, tag, digest } = parsed.image;
  if (tag === undefined && digest === undefined) return problem("no-version");
  if (digest !== undefined && registry.includes(":")) return problem("port-and-digest");
  return parsed;
}

/** The rule that the characters of a text break, wherever they stand. */
function ruleOfCharacters(text: string): ImageRule | undefined {
  if (isUnreplaced(text)) return "unreplaced";
  if (/["']/.test(text)) return "quotes";
  if (/[ \t\r\n]/.test(text)) return "blanks";
  return /[^A-Za-z0-9._:/@+[\]-]/.test(text) ? "characters" : undefined;
}

/**
 * The reference in the form in which Northflank takes it: without the tag where there is a digest too, because it refuses
 * the two together. The digest names the image; the tag is for people.
 */
export function imageToSend(text: string): string {
  const { path, tag, digest } = splitVersion(text);
  return tag === undefined || digest === undefined ? text : `${path}@${digest}`;
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

/** Takes a reference apart, with or without a version. */
export function take(text: string): ParsedImage {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code <= 0x20 || code > 0x7e) {
      return problem("characters");
    }
  }
  const { path, tag, digest } = splitVersion(text);
  if (tag !== undefined && !isTag(tag)) {
    return problem("tag");
  }
  if (digest !== undefined && !isDigest(digest)) {
    return problem("digest");
  }
  return takePath(path, { tag, digest });
}

/** Splits at the first `@`, and before it at the last `:` behind the last slash: an earlier one belongs to the host. */
export function splitVersion(text: string): { path: string; tag: string | undefined; digest: string | undefined } {
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
  if (!isHost(first)) return problem("registry");
  // A name that only its capitals make a host would be a path of Docker Hub in lower case.
  const host = first.includes(".") || first.includes(":") ? first.toLowerCase() : first;
  if (!hubAliases.has(host)) return takeRepository(host, path.slice(slash + 1), version);
  const rest = path.slice(slash + 1);
  return takeRepository(hub, rest.startsWith("v1/") ? rest.slice(3) : rest, version);
}

function takeRepository(registry: string, path: string, version: Pick<ImageReference, "tag" | "digest">): ParsedImage {
  const parts = path.split("/");
  if (parts.slice(0, -1).some((part) => part.includes(":"))) return problem("tag-slash");
  if (parts.at(-1)?.includes(":")) return problem("two-tags");
  if (!parts.every(isPathPart)) {
    return problem(parts.every((part) => isPathPart(part.toLowerCase())) ? "upper-case" : "repository");
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

function problem(rule: ImageRule, message = imageSentences[rule]): ParsedImage {
  return { kind: "problem", rule, message };
}
