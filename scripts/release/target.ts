import { cpSync, existsSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/** What a release writes beside the files that SHA256SUMS lists; the workflow adds the signature. */
const unlisted = ["SHA256SUMS", "SHA256SUMS.sigstore.json", "RELEASE-NOTES.md"];

/**
 * Why the files of a release cannot go into a folder; undefined when they can. It is missing, or empty, or holds the files of
 * an earlier release and nothing else, and it does not contain the checkout.
 */
export function problemOfTarget(into: string, checkout: string): string | undefined {
  if (contains(into, checkout)) return `${into} contains the checkout; choose a folder of its own`;
  if (!existsSync(into)) return undefined;
  if (!statSync(into).isDirectory()) return `${into} is not a folder`;
  const names = readdirSync(into);
  if (names.length === 0) return undefined;
  const ours = releasedFiles(into);
  if (ours === undefined) return `${into} is not empty and holds no release; choose another folder`;
  const [stranger] = names.filter((name) => !ours.includes(name) || !statSync(join(into, name)).isFile());
  return stranger === undefined
    ? undefined
    : `${into} holds "${stranger}", which is not part of the release there; move it away, or choose another folder`;
}

/** Moves what is in `from` into a folder in the place of an earlier release. Call {@link problemOfTarget} before. */
export function replaceRelease(into: string, from: string): void {
  for (const name of existsSync(into) ? (releasedFiles(into) ?? []) : []) rmSync(join(into, name), { force: true });
  cpSync(from, into, { recursive: true });
}

/** The names of the files of the release in a folder; undefined when there is none. */
function releasedFiles(folder: string): readonly string[] | undefined {
  const sums = join(folder, "SHA256SUMS");
  if (!existsSync(sums) || !statSync(sums).isFile()) return undefined;
  const lines = readFileSync(sums, "utf8").trimEnd().split("\n");
  const names = lines.map((line) => /^[0-9a-f]{64} {2}(\w[\w.-]*)$/.exec(line)?.[1]);
  const known = names.filter((name) => name !== undefined);
  const isOurs = known.length === names.length && known.includes("install.yaml") && known.includes("crds.yaml");
  return isOurs ? [...known, ...unlisted] : undefined;
}

function contains(folder: string, path: string): boolean {
  const inside = relative(real(folder), real(path));
  return !inside.split(/[\\/]/).includes("..") && resolve(inside) !== inside;
}

/** A path without symbolic links, as far as it exists. */
function real(path: string): string {
  const whole = resolve(path);
  if (existsSync(whole)) return realpathSync(whole);
  const parent = dirname(whole);
  return parent === whole ? whole : join(real(parent), relative(parent, whole));
}
