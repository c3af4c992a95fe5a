import { cpSync } from "node:fs";
import { join } from "node:path";
import { git } from "./checkout.ts";

/**
 * Takes the files of the next version from a copy into a checkout without changes, commits them and tags the commit. When any of
 * it fails, or Ctrl-C ends it, the files, the branch and the tags are as they were, so that the same can be done again.
 *
 * *Errors*: what git says; and what could not be restored, if something could not.
 */
export function commitAndTag(
  root: string,
  release: {
    /** The copy. */
    readonly from: string;
    /** The files that differ there. */
    readonly changed: readonly string[];
    readonly subject: string;
    readonly tag: string;
    readonly message: string;
  },
): void {
  const { from, changed, subject, tag, message } = release;
  const before = git(root, "rev-parse", "HEAD");
  // A signal ends the git that runs, and that is an error here; this process ends when everything is restored.
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const survive = () => undefined;
  for (const signal of signals) process.on(signal, survive);
  try {
    for (const path of changed) cpSync(join(from, path), join(root, path));
    git(root, "add", "--", ...changed);
    git(root, "commit", "--quiet", "--message", subject);
    git(root, "tag", "--annotate", tag, "--message", message);
  } catch (error) {
    const problem = error instanceof Error ? error.message.trimEnd() : String(error);
    try {
      restore(root, { before, changed, subject, tag });
    } catch (second) {
      throw new Error(`${problem}\nThe checkout could not be restored to ${before}: ${second}`, { cause: error });
    }
    throw new Error(`${problem}\nThe checkout is as it was before.`, { cause: error });
  } finally {
    for (const signal of signals) process.off(signal, survive);
  }
}

/** Removes the tag, the commit and the files of a release, and nothing that another process made meanwhile. */
function restore(
  root: string,
  release: {
    readonly before: string;
    readonly changed: readonly string[];
    readonly subject: string;
    readonly tag: string;
  },
): void {
  const { before, changed, subject, tag } = release;
  const head = git(root, "rev-parse", "HEAD");
  if (head !== before) {
    const [parents, title] = git(root, "log", "-1", "--format=%P%n%s", head).split("\n");
    if (parents !== before || title !== subject)
      throw new Error(`HEAD is ${head}, which is not the commit of the release`);
    if (git(root, "tag", "--list", tag, "--points-at", head) !== "") git(root, "tag", "--delete", tag);
    // Only from that commit, and only to the one before it.
    git(root, "update-ref", "-m", `undo ${subject}`, "HEAD", before, head);
  }
  git(root, "restore", `--source=${before}`, "--staged", "--worktree", "--", ...changed);
}
