import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { published } from "../published.ts";
import { cutUnreleased, sectionOf } from "./changelog.ts";
import { git, ownFiles } from "./checkout.ts";
import { problemOfVersion, withVersion } from "./version.ts";

/** Texts that people write and that may name the current version. What `npm run generate` writes or stamps follows by itself. */
export const mentions = /^(?:README\.md|deploy\/|docs\/(?!decisions\/)|examples\/)/;

/**
 * Turns a checkout into that of the next version: `package.json`, the lock file, every text that names this version of ours, everything
 * that is generated, and the changelog.
 *
 * *Errors*: when that version cannot be the next one, or there is nothing to release. Nothing is written then.
 */
export function cutVersion(
  checkout: string,
  release: { readonly version: string; readonly date: string; readonly root: string },
): void {
  const { version, root } = release;
  const changelog = readFileSync(join(checkout, "CHANGELOG.md"), "utf8");
  const names = published(checkout);
  // Either is enough: a clone may be without tags.
  const isReleased =
    sectionOf(changelog, names.version) !== undefined || git(root, "tag", "--list", `v${names.version}`) !== "";
  const current = { version: names.version, isReleased };
  const problem = problemOfVersion(version, current);
  if (problem !== undefined) throw new Error(problem);
  const cut = cutUnreleased(changelog, release);

  writeFileSync(join(checkout, "CHANGELOG.md"), cut.text);
  const npm = ["version", version, "--no-git-tag-version", "--allow-same-version", "--ignore-scripts"];
  execFileSync("npm", npm, { cwd: checkout, stdio: "pipe" });
  for (const path of ownFiles(root).filter((each) => mentions.test(each))) {
    const file = join(checkout, path);
    const before = readFileSync(file, "utf8");
    const after = withVersion(before, { from: names.version, to: version, names });
    if (after !== before) writeFileSync(file, after);
  }
  execFileSync(process.execPath, ["--import", "tsx", "scripts/generate.ts"], { cwd: checkout, stdio: "pipe" });
}
