import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** What git says in a folder. *Errors*: when git fails. */
export function git(folder: string, ...args: readonly string[]): string {
  return execFileSync("git", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trimEnd();
}

/** The files of a checkout that belong to it: committed, or neither committed nor ignored. Not those of repositories in it. */
export function ownFiles(root: string): readonly string[] {
  const listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0");
  return listed.filter((path) => path !== "" && isFile(join(root, path))).toSorted();
}

/** git lists a repository inside another one as a folder. */
function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** A copy of a checkout's own files in a temporary folder, which is gone when it is disposed of. */
export interface CheckoutCopy extends Disposable {
  readonly folder: string;
}

/** Copies a checkout, with the packages that are installed in it, so that nothing that happens to the copy happens to it. */
export function copyCheckout(root: string): CheckoutCopy {
  const folder = mkdtempSync(join(tmpdir(), "release-"));
  for (const path of ownFiles(root)) {
    const to = join(folder, path);
    mkdirSync(dirname(to), { recursive: true });
    cpSync(join(root, path), to);
    // Like a fresh clone, whatever the umask was when this one was made.
    chmodSync(to, statSync(to).mode & 0o100 ? 0o755 : 0o644);
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

/** The files that differ between a checkout and a copy of it. */
export function changedFiles(root: string, copy: string): readonly string[] {
  const differs = (path: string) => {
    const [before, after] = [join(root, path), join(copy, path)];
    return !existsSync(after) || !readFileSync(before).equals(readFileSync(after));
  };
  return ownFiles(root).filter(differs);
}
