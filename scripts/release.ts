import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Artifact, buildArtifacts } from "./release/artifacts.ts";
import { changedFiles, copyCheckout, git } from "./release/checkout.ts";
import { commitAndTag } from "./release/commit.ts";
import { cutVersion } from "./release/cut.ts";
import { sourceDate } from "./release/time.ts";

// npm run release -- VERSION [--dry-run]
//
// Makes the commit and the tag of a release, and pushes nothing. Everything is done in a copy first, artifacts included: a
// release that cannot be built, committed or tagged leaves the checkout as it was. With --dry-run it ends after the copy, in any
// checkout. docs/release.md.

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const { values, positionals } = parseArgs({ allowPositionals: true, options: { "dry-run": { type: "boolean" } } });
const [version] = positionals;

try {
  if (version === undefined || positionals.length > 1) throw new Error("usage: npm run release -- VERSION [--dry-run]");
  if (values["dry-run"]) dryRun(version);
  else release(version);
} catch (error) {
  console.error(`not released: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

function dryRun(version: string): void {
  using copy = copyCheckout(root);
  const artifacts = prepare(copy.folder, { version, into: join(root, "dist/release") });
  console.log(`${version} would change:\n${list(changedFiles(root, copy.folder))}`);
  console.log(`\nIt would be commit "${subject(version)}" with the tag v${version}.`);
  report(artifacts);
  const problems = problemsOfCheckout(version);
  if (problems.length > 0) console.log(`\nNot from this checkout as it is:\n${list(problems)}`);
}

function release(version: string): void {
  const problems = problemsOfCheckout(version);
  if (problems.length > 0) throw new Error(`\n${list(problems)}`);
  using copy = copyCheckout(root);
  prepare(copy.folder, { version, into: join(copy.folder, "dist/artifacts") });
  commitAndTag(root, {
    from: copy.folder,
    changed: changedFiles(root, copy.folder),
    subject: subject(version),
    tag: `v${version}`,
    message: `northflank-operator ${version}`,
  });
  console.log(`committed and tagged v${version}. To publish it: git push --atomic origin main v${version}`);
}

/** The version, in a copy of the checkout, and its artifacts. */
function prepare(
  folder: string,
  { version, into }: { readonly version: string; readonly into: string },
): readonly Artifact[] {
  const now = sourceDate(process.env.SOURCE_DATE_EPOCH) ?? new Date();
  cutVersion(folder, { version, date: now.toISOString().slice(0, 10), root });
  // The commit does not exist yet; `npm run release:artifacts` builds the files again with its hash and its time.
  return buildArtifacts({ checkout: folder, into, revision: "unknown", time: now });
}

function problemsOfCheckout(version: string): readonly string[] {
  const branch = git(root, "rev-parse", "--abbrev-ref", "HEAD");
  return [
    ...(branch === "main" ? [] : [`the branch is ${branch}, not main`]),
    ...(git(root, "status", "--porcelain") === "" ? [] : ["there are changes that are not committed"]),
    ...(git(root, "tag", "--list", `v${version}`) === "" ? [] : [`the tag v${version} exists`]),
  ];
}

function report(artifacts: readonly Artifact[]): void {
  const lines = artifacts.map(({ name, bytes, sha256 }) => `${sha256}  ${String(bytes).padStart(9)}  ${name}`);
  console.log(`\nIts files, in ${relative(process.cwd(), join(root, "dist/release"))}:\n${list(lines)}`);
}

function subject(version: string): string {
  return `release: ${version}`;
}

function list(lines: readonly string[]): string {
  return lines.map((line) => `  ${line}`).join("\n");
}
