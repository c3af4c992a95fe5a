import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Where what is released can be found. */
export interface Published {
  /** Of the program, the image and the chart alike: `1.2.3`. */
  readonly version: string;
  /** The repository: `https://github.com/OWNER/NAME`. */
  readonly repository: string;
  /** The image without its tag, which is {@link version}. */
  readonly image: string;
  /** The chart: `oci://...`, without its version. */
  readonly chart: string;
  /** What the addresses of the files of this release begin with. */
  readonly files: string;
}

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/**
 * Derives the names of everything that is released from `package.json`, so that a fork changes one line and a release one
 * number.
 *
 * *Errors*: when `repository.url` is not the address of a repository at GitHub.
 */
export function published(folder: string = root): Published {
  const { version, repository } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly version: string;
    readonly repository: { readonly url: string };
  };
  const [, path] = /^git\+https:\/\/github\.com\/([^/]+\/[^/]+)\.git$/.exec(repository.url) ?? [];
  if (path === undefined) {
    throw new Error(
      `repository.url of package.json is ${repository.url}; git+https://github.com/OWNER/NAME.git is expected`,
    );
  }
  const [owner = "", name = ""] = path.toLowerCase().split("/");
  const address = `https://github.com/${path}`;
  return {
    version,
    repository: address,
    image: `ghcr.io/${owner}/${name}`,
    chart: `oci://ghcr.io/${owner}/charts/${name}`,
    files: `${address}/releases/download/v${version}`,
  };
}
