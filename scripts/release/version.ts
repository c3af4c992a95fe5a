// pure
import semver from "semver";

/**
 * What is wrong with a version as the next one; undefined when nothing is. As long as the current version was not released, it
 * is itself the next one, and so are its pre-releases.
 */
export function problemOfVersion(
  version: string,
  current: { readonly version: string; readonly isReleased: boolean },
): string | undefined {
  if (semver.valid(version) !== version) return `"${version}" is not a version: 1.2.3 or 1.2.3-rc.1 is expected`;
  if (version.includes("+")) return `"${version}" has build metadata, which no tag of an image can have`;
  const isCandidate = !current.isReleased && version.startsWith(`${current.version}-`);
  if (semver.lt(version, current.version) && !isCandidate)
    return `${version} is older than ${current.version}, the current version`;
  if (version === current.version && current.isReleased) return `${version} is released already`;
  return undefined;
}

/** The names after which a version of ours stands. */
export interface VersionedNames {
  readonly image: string;
  readonly chart: string;
  readonly repository: string;
}

/**
 * A text with every mention of one version of ours replaced by another one. It is ours where our name says so: as the tag of the
 * image in whatever registry, of the npm package, in names of files, in addresses below the repository, and as `--version` of
 * the chart on the same line. The same number without such a name stays: it is the version of something else.
 */
export function withVersion(
  text: string,
  { from, to, names }: { readonly from: string; readonly to: string; readonly names: VersionedNames },
): string {
  const name = escaped(names.image.split("/").at(-1) ?? "");
  const ours = [
    `(?<![\\w-])${name}(?:[:@ ]|-(?:chart-|npm-|schemas-)?)v?`,
    `${escaped(names.repository)}/\\S*[/=@]v`,
    `${escaped(names.chart)}(?: [^\\n|;&]*)? --version[ =]`,
  ];
  const mention = new RegExp(`(${ours.join("|")})${escaped(from)}(?![\\w-]|\\.\\d)`, "g");
  return text.replaceAll(mention, (_, before: string) => `${before}${to}`);
}

function escaped(text: string): string {
  return text.replaceAll(/[.+*?^$()[\]{}|\\/]/g, "\\$&");
}
