import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { published } from "./published.ts";
import { buildArtifacts } from "./release/artifacts.ts";
import { copyCheckout, git } from "./release/checkout.ts";

// npm run release:artifacts [-- --tag TAG] [--into FOLDER]
//
// Builds the files of the version that is checked out, as the workflow of a release does. Whoever checks out the same tag gets
// the same bytes. --tag: fail unless it is the tag of this version. --into: dist/release by default.

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const { values } = parseArgs({ options: { tag: { type: "string" }, into: { type: "string" } } });
const { version } = published();

if (values.tag !== undefined && values.tag !== `v${version}`) {
  console.error(`the tag is ${values.tag}, but package.json has version ${version}`);
  process.exitCode = 1;
} else {
  using copy = copyCheckout(root);
  const isClean = git(root, "status", "--porcelain") === "";
  const into = resolve(values.into ?? join(root, "dist/release"));
  const artifacts = buildArtifacts({
    checkout: copy.folder,
    into,
    revision: isClean ? git(root, "rev-parse", "HEAD") : "unknown",
    // Of the commit: the same whenever and wherever it is built.
    time: new Date(Number(process.env.SOURCE_DATE_EPOCH || git(root, "log", "-1", "--format=%ct")) * 1_000),
  });
  for (const { name, bytes } of artifacts) console.log(`${relative(process.cwd(), join(into, name))} ${bytes} bytes`);
}
