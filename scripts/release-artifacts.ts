import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { published } from "./published.ts";
import { buildArtifacts } from "./release/artifacts.ts";
import { copyCheckout, git } from "./release/checkout.ts";
import { problemOfTarget } from "./release/target.ts";
import { sourceDate } from "./release/time.ts";

// npm run release:artifacts [-- --tag TAG] [--into FOLDER]
//
// Builds the files of the version that is checked out, as the workflow of a release does. Whoever checks out the same tag gets
// the same bytes. --tag: fail unless it is the tag of this version. --into: dist/release by default, and
// otherwise a folder that is missing, empty or holds an earlier release.

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const { values } = parseArgs({ options: { tag: { type: "string" }, into: { type: "string" } } });

try {
  build(resolve(values.into ?? join(root, "dist/release")));
} catch (error) {
  console.error(`not built: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

function build(into: string): void {
  const { version } = published();
  if (values.tag !== undefined && values.tag !== `v${version}`) {
    throw new Error(`the tag is ${values.tag}, but package.json has version ${version}`);
  }
  const problem = problemOfTarget(into, root);
  if (problem !== undefined) throw new Error(problem);
  // Of the commit: the same whenever and wherever it is built.
  const time =
    sourceDate(process.env.SOURCE_DATE_EPOCH) ?? new Date(Number(git(root, "log", "-1", "--format=%ct")) * 1_000);
  using copy = copyCheckout(root);
  const isClean = git(root, "status", "--porcelain") === "";
  const revision = isClean ? git(root, "rev-parse", "HEAD") : "unknown";
  for (const { name, bytes } of buildArtifacts({ checkout: copy.folder, into, revision, time })) {
    console.log(`${relative(process.cwd(), join(into, name))} ${bytes} bytes`);
  }
}
