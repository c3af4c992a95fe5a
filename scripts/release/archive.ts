import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { create } from "tar";

/**
 * Packs a folder's files into a `.tar.gz` in which each path begins with `prefix`. The same files give the same bytes, on the
 * same version of zlib: sorted, of one time, without owners, none executable.
 */
export function writeArchive(options: {
  readonly folder: string;
  /** Paths below the folder. */
  readonly files: readonly string[];
  readonly prefix: string;
  readonly path: string;
  readonly time: Date;
}): void {
  create(
    {
      sync: true,
      file: options.path,
      cwd: options.folder,
      prefix: options.prefix,
      gzip: { level: 9 },
      portable: true,
      mtime: options.time,
      onWriteEntry: ({ stat }) => {
        if (stat) stat.mode = 0o100_644;
      },
    },
    options.files.toSorted(),
  );
}

/** All files below a folder, as paths from it. */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) =>
    statSync(join(folder, path)).isFile(),
  );
}
