import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
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

/** What files are read through. */
export interface ManifestSource extends Pick<Io, "readStdin"> {
  /** Hears of each folder that is listed and each file that is read. */
  readonly onRead?: (path: string) => void;
}

const extensions = [".yaml", ".yml", ".json"];

/**
 * Reads the files that the arguments name. A folder stands for the `.yaml`, `.yml` and `.json` files in it and in its
 * folders; names that begin with a dot and `node_modules` are passed over. The order is that of the arguments, then of
 * the names.
 *
 * *Guarantees*: under one argument each real folder is listed once and each real file read once, however many links lead
 * there; what can be reached without a link is shown under that name.
 */
export async function findManifestFiles(args: readonly string[], io: ManifestSource): Promise<FoundFiles> {
  const files: ManifestFile[] = [];
  const problems: string[] = [];
  for (const arg of args) {
    try {
      const found = await filesOf(arg, io);
      if (found.length === 0)
        problems.push(`${arg}: no file with the extension ${extensions.join(", ")} in this folder`);
      files.push(...found);
    } catch (error) {
      problems.push(`${arg}: ${readFailure(error)}`);
    }
  }
  return problems.length > 0 ? { kind: "problems", problems } : { kind: "files", files };
}

async function filesOf(arg: string, io: ManifestSource): Promise<readonly ManifestFile[]> {
  if (arg === "-") return [{ name: "-", isNamed: true, text: await io.readStdin() }];
  if (!(await stat(arg)).isDirectory()) return [await readManifest(arg, true, io)];
  return readFew(await namesUnder(arg, io), io);
}

/** A process may hold only so many open files, on some machines 256. */
const filesAtOnce = 32;

async function readFew(names: readonly string[], io: ManifestSource): Promise<readonly ManifestFile[]> {
  const files: ManifestFile[] = [];
  for (let start = 0; start < names.length; start += filesAtOnce) {
    const some = names.slice(start, start + filesAtOnce);
    files.push(...(await Promise.all(some.map((name) => readManifest(name, false, io)))));
  }
  return files;
}

/** The manifests in a folder and its folders, by their names. Links come last: what they lead to may be known by then. */
async function namesUnder(root: string, io: ManifestSource): Promise<readonly string[]> {
  const seen = new Set<string>();
  const names: string[] = [];
  const links: string[] = [];
  const folders = [root];
  for (let path = folders.pop() ?? links.shift(); path !== undefined; path = folders.pop() ?? links.shift()) {
    // A link that leads nowhere is no manifest.
    const facts = await stat(path).catch(() => undefined);
    if (facts?.isFile() !== true && facts?.isDirectory() !== true) continue;
    const real = await realpath(path);
    if (seen.has(real)) continue;
    seen.add(real);
    if (facts.isFile()) {
      if (isManifestName(path)) names.push(path);
      continue;
    }
    io.onRead?.(path);
    const entries = await readdir(path, { withFileTypes: true });
    for (const entry of entries.sort((left, right) => (left.name < right.name ? -1 : 1))) {
      if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
      const inner = join(path, entry.name);
      if (entry.isSymbolicLink()) links.push(inner);
      else if (entry.isDirectory()) folders.push(inner);
      else if (entry.isFile() && isManifestName(inner)) {
        seen.add(await realpath(inner));
        names.push(inner);
      }
    }
  }
  return names.sort(byPath);
}

function isManifestName(path: string): boolean {
  return extensions.some((extension) => path.endsWith(extension));
}

/** As if each folder were sorted by itself. */
function byPath(left: string, right: string): number {
  const [first, second] = [left, right].map((path) => path.split(sep).join("\0"));
  return (first ?? "") < (second ?? "") ? -1 : 1;
}

async function readManifest(name: string, isNamed: boolean, io: ManifestSource): Promise<ManifestFile> {
  io.onRead?.(name);
  return { name, isNamed, text: decodeManifest(await readFile(name)) };
}

/**
 * The text of a file as kubectl decodes it: UTF-8, or UTF-16 where a byte order mark says so, as PowerShell writes what is
 * redirected with `>`. The mark is taken away.
 */
export function decodeManifest(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  return new TextDecoder("utf-8").decode(bytes);
}

function readFailure(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "ENOENT":
      return "there is no such file or directory";
    case "EACCES":
    case "EPERM":
      return "may not be read";
    default:
      return `cannot be read${code === "" ? "" : ` (${code})`}`;
  }
}
