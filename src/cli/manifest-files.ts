import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Io } from "./io.ts";

/** A file that was read. */
export interface ManifestFile {
  /** As it is shown: the path as it was given, with what was found under it; `-` for standard input. */
  readonly name: string;
  /** False for files that were only found in a folder: these may well be something else. */
  readonly isNamed: boolean;
  readonly text: string;
}

export type FoundFiles =
  | { readonly kind: "files"; readonly files: readonly ManifestFile[] }
  /** Each a sentence about one argument. */
  | { readonly kind: "problems"; readonly problems: readonly string[] };

const extensions = [".yaml", ".yml", ".json"];

/**
 * Reads the files that the arguments name. A folder stands for the `.yaml`, `.yml` and `.json` files in it and in its
 * folders; names that begin with a dot and `node_modules` are passed over. The order is that of the arguments, then of
 * the names.
 */
export async function findManifestFiles(args: readonly string[], io: Pick<Io, "readStdin">): Promise<FoundFiles> {
  const files: ManifestFile[] = [];
  const problems: string[] = [];
  for (const arg of args) {
    try {
      const found = await filesOf(arg, io);
      if (found.length === 0)
        problems.push(`${arg}: no file with an ending of ${extensions.join(", ")} in this folder`);
      files.push(...found);
    } catch (error) {
      problems.push(`${arg}: ${readFailure(error)}`);
    }
  }
  return problems.length > 0 ? { kind: "problems", problems } : { kind: "files", files };
}

async function filesOf(arg: string, io: Pick<Io, "readStdin">): Promise<readonly ManifestFile[]> {
  if (arg === "-") return [{ name: "-", isNamed: true, text: withoutMark(await io.readStdin()) }];
  if (!(await stat(arg)).isDirectory()) return [await readManifest(arg, true)];
  const names = await namesIn(arg, new Set());
  return readFew(names);
}

/** A process may hold only so many open files, on some machines 256. */
const filesAtOnce = 32;

async function readFew(names: readonly string[]): Promise<readonly ManifestFile[]> {
  const files: ManifestFile[] = [];
  for (let start = 0; start < names.length; start += filesAtOnce) {
    const some = names.slice(start, start + filesAtOnce);
    files.push(...(await Promise.all(some.map((name) => readManifest(name, false)))));
  }
  return files;
}

/** `entered` holds the real paths on the way here, so that a link to a folder above is not followed again. */
async function namesIn(folder: string, entered: ReadonlySet<string>): Promise<readonly string[]> {
  const real = await realpath(folder);
  if (entered.has(real)) return [];
  const names: string[] = [];
  for (const entry of (await readdir(folder)).sort()) {
    if (entry.startsWith(".") || entry === "node_modules") continue;
    const path = join(folder, entry);
    // A link that leads nowhere is no manifest.
    const facts = await stat(path).catch(() => undefined);
    if (facts?.isDirectory()) names.push(...(await namesIn(path, new Set([...entered, real]))));
    else if (facts?.isFile() && extensions.some((extension) => entry.endsWith(extension))) names.push(path);
  }
  return names;
}

async function readManifest(name: string, isNamed: boolean): Promise<ManifestFile> {
  return { name, isNamed, text: withoutMark(await readFile(name, "utf8")) };
}

/** Without the byte order mark that some editors write. */
function withoutMark(text: string): string {
  return text.startsWith("\uFEFF") ? text.slice(1) : text;
}

function readFailure(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "ENOENT":
      return "there is no such file or folder";
    case "EACCES":
    case "EPERM":
      return "may not be read";
    default:
      return `cannot be read${code === "" ? "" : ` (${code})`}`;
  }
}
