import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative } from "node:path";

/** Programs that are built from Go modules: a folder with a pinned `go.mod`, and what to build in it. */
export interface GoRecipe {
  /** Where `go.mod` stands. */
  readonly directory: string;
  /** Names the folder in the project's cache. */
  readonly name: string;
  /** For the folder's name and for messages. */
  readonly version: string;
  readonly packages: readonly string[];
  /** For the linker, behind `-s -w`. */
  readonly linkerFlags?: readonly string[];
  /** The files that the build leaves. */
  readonly programs: readonly string[];
  /** For messages: what is built, how long it takes. */
  readonly what: string;
  readonly takes: string;
  /** What helps where it cannot be built, as a sentence. */
  readonly remedies: string;
}

export interface GoBuildOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}

/** There is nothing to build with: no Go, one that is too old, or modules that cannot be downloaded. */
export class GoUnavailableError extends Error {
  override readonly name = "GoUnavailableError";
}

/** The folder that a build goes to. Its name changes with the version and with anything in the recipe. */
export function goCache(recipe: GoRecipe, env: NodeJS.ProcessEnv): string {
  const cache = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(cache, "northflank-operator", recipe.name, `${recipe.version}-${recipeHash(recipe)}`);
}

/** Whether a folder has all programs of a recipe. */
export function hasPrograms(directory: string, { programs }: Pick<GoRecipe, "programs">): boolean {
  return programs.every((program) => isExecutable(join(directory, program)));
}

/**
 * Finds the programs of a recipe in the project's cache, else builds them into it.
 *
 * *Guarantees*: the folder is complete or not there, however many build at once.
 * *Errors*: {@link GoUnavailableError} when there is no way, which says what would help; another error when the build
 * fails.
 */
export async function cachedOrBuilt(
  recipe: GoRecipe,
  options: GoBuildOptions,
): Promise<{ readonly directory: string; readonly origin: "cache" | "built" }> {
  const directory = goCache(recipe, options.env);
  if (hasPrograms(directory, recipe)) return { directory, origin: "cache" };
  await build(recipe, directory, options);
  if (hasPrograms(directory, recipe)) return { directory, origin: "built" };
  throw new Error(`the build ended well, but left no programs in ${directory}`);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function build(recipe: GoRecipe, cache: string, { env, say }: GoBuildOptions): Promise<void> {
  await requireGo(recipe, env);
  const target = `${cache}.building-${process.pid}`;
  mkdirSync(target, { recursive: true });
  say(`building ${recipe.what} from their Go modules into ${cache}; about ${recipe.takes}, once`);
  const started = performance.now();
  const progress = setInterval(
    () => say(`  still building (${Math.round((performance.now() - started) / 1_000)} s)`),
    30_000,
  );
  try {
    const linker = ["-s", "-w", ...(recipe.linkerFlags ?? [])].join(" ");
    // Nothing about this repository belongs into the programs, and without its history the build must work as well.
    const flags = ["-trimpath", "-buildvcs=false", `-ldflags=${linker}`, "-o", `${target}/`];
    const goEnv = { ...env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly" };
    await run("go", ["build", ...flags, ...recipe.packages], recipe.directory, goEnv);
    rmSync(cache, { recursive: true, force: true });
    renameSync(target, cache);
  } catch (error) {
    const message = `${recipe.what} could not be built. ${recipe.remedies}`;
    if (await hasModules(recipe, env)) throw new Error(message, { cause: error });
    throw new GoUnavailableError(message, { cause: error });
  } finally {
    clearInterval(progress);
    rmSync(target, { recursive: true, force: true });
  }
  say(`built in ${Math.round((performance.now() - started) / 1_000)} s`);
}

async function requireGo(recipe: GoRecipe, env: NodeJS.ProcessEnv): Promise<void> {
  const found = await run("go", ["env", "GOVERSION"], recipe.directory, env).catch(() => undefined);
  const [, major = "0", minor = "0"] = /^go(\d+)\.(\d+)/.exec(found ?? "") ?? [];
  if (Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 26)) return;
  const what = found === undefined ? "there is no Go" : `Go is ${found.trim()}`;
  throw new GoUnavailableError(`no ${recipe.what} were found, and ${what} to build them with. ${recipe.remedies}`);
}

/** Whether the Go modules of the packages are there or can be downloaded: if so, code of ours does not compile. */
async function hasModules({ packages, directory }: GoRecipe, env: NodeJS.ProcessEnv): Promise<boolean> {
  const listing = run("go", ["list", "-mod=readonly", "-deps", ...packages], directory, env);
  return listing.then(
    () => true,
    () => false,
  );
}

/** Runs a program and returns what it printed; its messages are told only when it fails. */
function run(program: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let messages = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      messages = (messages + chunk.toString()).slice(-4_000);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${program} ${args[0]} ended with ${code}: ${messages}`));
    });
  });
}

function recipeHash({ directory }: GoRecipe): string {
  const hash = createHash("sha256");
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((file) => /(\.go|^go\.mod|^go\.sum)$/.test(file))
    .sort();
  for (const file of files)
    hash.update(`${relative(directory, join(directory, file))}\n`).update(readFileSync(join(directory, file)));
  return hash.digest("hex").slice(0, 12);
}
