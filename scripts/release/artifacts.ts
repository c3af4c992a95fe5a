import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { published } from "../published.ts";
import { filesBelow, writeArchive } from "./archive.ts";
import { sectionOf } from "./changelog.ts";
import { installManifest, joinedManifests } from "./install-manifest.ts";
import { problemOfTarget, replaceRelease } from "./target.ts";

/** Of a file of a release. */
export interface Artifact {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Builds the files of a release, for the version that a checkout has. The same checkout, revision and time give the same bytes
 * in any folder, on the same version of Node.
 *
 * *Errors*: when the changelog has no section of that version, or the files cannot go where they should.
 */
export function buildArtifacts(options: {
  /** A copy of the checkout in which files may be written. */
  readonly checkout: string;
  /** Where the files go: a folder that holds nothing but an earlier release, which they replace. */
  readonly into: string;
  /** The commit, as `northflank-operator version` says it. */
  readonly revision: string;
  /** Of all files in archives. */
  readonly time: Date;
}): readonly Artifact[] {
  const { checkout, into, time } = options;
  const problem = problemOfTarget(into, checkout);
  if (problem !== undefined) throw new Error(problem);
  const { version, repository } = published(checkout);
  const notes = sectionOf(readFileSync(join(checkout, "CHANGELOG.md"), "utf8"), version);
  if (notes === undefined) throw new Error(`CHANGELOG.md has no section "## ${version}"`);
  const folder = join(checkout, "dist/release");
  mkdirSync(folder, { recursive: true });
  const at = (name: string) => join(folder, name);
  const origin = `northflank-operator ${version}, ${repository}/tree/v${version}`;

  writeFileSync(at("install.yaml"), installManifest(join(checkout, "deploy"), origin));
  writeFileSync(at("crds.yaml"), joinedManifests(join(checkout, "crds"), origin));
  const schemas = join(checkout, "schemas");
  const schemaArchive = at(`northflank-operator-schemas-${version}.tar.gz`);
  writeArchive({ folder: schemas, files: filesBelow(schemas), prefix: "schemas", path: schemaArchive, time });
  const chart = join(checkout, "deploy/chart");
  const chartArchive = at(`northflank-operator-chart-${version}.tgz`);
  writeArchive({ folder: chart, files: chartFiles(chart), prefix: "northflank-operator", path: chartArchive, time });
  packForNpm(options, at(`northflank-operator-npm-${version}.tgz`));

  const artifacts = filesBelow(folder)
    .toSorted()
    .map((name) => artifactAt(folder, name));
  writeFileSync(at("SHA256SUMS"), artifacts.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join(""));
  writeFileSync(at("RELEASE-NOTES.md"), notes);
  // Whole or not at all: when this one failed, what an earlier version left there is still there.
  replaceRelease(into, folder);
  return artifacts;
}

/** What `helm package` takes: everything that `.helmignore` does not name, by the name of a file or folder, with `*` in it. */
function chartFiles(chart: string): readonly string[] {
  const ignoreFile = join(chart, ".helmignore");
  const lines = existsSync(ignoreFile) ? readFileSync(ignoreFile, "utf8").split("\n") : [];
  const patterns = lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  const odd = patterns.find((pattern) => !/^[\w.*~-]+\/?$/.test(pattern));
  if (odd !== undefined) throw new Error(`scripts/release knows names in .helmignore, but not "${odd}"`);
  const ignored = patterns.map((pattern) => {
    const name = pattern.replace(/\/$/, "").replaceAll(".", "\\.").replaceAll("*", "[^/]*");
    return new RegExp(`(?:^|/)${name}${pattern.endsWith("/") ? "/" : "(?:/|$)"}`);
  });
  return filesBelow(chart).filter((path) => !ignored.some((pattern) => pattern.test(path)));
}

/** Bundles the program and packs it with npm, which gives every file in its archives the same time. */
function packForNpm(options: { readonly checkout: string; readonly revision: string }, path: string): void {
  const { checkout, revision } = options;
  const env = { ...process.env, BUILD_REVISION: revision };
  execFileSync(process.execPath, ["--import", "tsx", "scripts/build.ts"], { cwd: checkout, env, stdio: "pipe" });
  const pack = ["pack", "--json", "--ignore-scripts", "--offline"];
  const [packed] = packedOf(
    execFileSync("npm", pack, { cwd: checkout, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }),
  );
  if (packed === undefined) throw new Error("npm pack named no file");
  const file = join(checkout, packed.filename);
  cpSync(file, path);
  rmSync(file);
}

/** npm prints a list, and from its version 12 on an object by the package's name. */
function packedOf(json: string): readonly { readonly filename: string }[] {
  return Object.values(JSON.parse(json));
}

function artifactAt(folder: string, name: string): Artifact {
  const contents = readFileSync(join(folder, name));
  return { name, bytes: contents.length, sha256: createHash("sha256").update(contents).digest("hex") };
}
