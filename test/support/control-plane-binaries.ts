import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The two programs that make a control plane, and where they were found. */
export interface ControlPlaneBinaries {
  readonly etcd: string;
  readonly apiserver: string;
  readonly origin: string;
}

const recipe = resolve(dirname(fileURLToPath(import.meta.url)), "../control-plane");
const packages = ["./cmd/etcd", "./cmd/kube-apiserver"];

/** The folder that a build goes to. Its name changes with the Kubernetes version and with anything in the recipe. */
export function controlPlaneCache(env: NodeJS.ProcessEnv): string {
  const cache = env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(cache, "northflank-operator", "control-plane", `${kubernetesVersion()}-${recipeHash()}`);
}

/**
 * Finds kube-apiserver and etcd: `KUBEBUILDER_ASSETS`, else the project's cache, else builds them into that cache.
 *
 * *Errors*: when there is no way, says which two things would help.
 */
export async function findControlPlaneBinaries(options: {
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
}): Promise<ControlPlaneBinaries> {
  const assets = options.env.KUBEBUILDER_ASSETS;
  if (assets) {
    const given = binariesIn(assets, "KUBEBUILDER_ASSETS");
    if (given !== undefined) return given;
    throw new Error(`KUBEBUILDER_ASSETS is ${assets}, but there is no etcd and kube-apiserver to run in it`);
  }
  const cache = controlPlaneCache(options.env);
  const cached = binariesIn(cache, "cache");
  if (cached !== undefined) return cached;
  await build(cache, options);
  const built = binariesIn(cache, "built");
  if (built === undefined) throw new Error(`the build ended well, but left no programs in ${cache}`);
  return built;
}

function binariesIn(directory: string, origin: string): ControlPlaneBinaries | undefined {
  const etcd = join(directory, "etcd");
  const apiserver = join(directory, "kube-apiserver");
  return isExecutable(etcd) && isExecutable(apiserver) ? { etcd, apiserver, origin } : undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const remedies =
  "Either set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver (setup-envtest prints one), " +
  "or install Go 1.26 or newer, and they are built once from their Go modules (about 5 minutes).";

async function build(cache: string, options: Parameters<typeof findControlPlaneBinaries>[0]): Promise<void> {
  const { env, say } = options;
  await requireGo(env);
  const version = kubernetesVersion();
  const target = `${cache}.building-${process.pid}`;
  mkdirSync(target, { recursive: true });
  say(`building kube-apiserver ${version} and etcd from their Go modules into ${cache}; about 5 minutes, once`);
  const started = performance.now();
  const progress = setInterval(
    () => say(`  still building (${Math.round((performance.now() - started) / 1_000)} s)`),
    30_000,
  );
  try {
    // Nothing about this repository belongs into the programs, and without its history the build must work as well.
    const flags = ["-trimpath", "-buildvcs=false", `-ldflags=${linkerFlags(version)}`, "-o", `${target}/`];
    await run("go", ["build", ...flags, ...packages], { ...env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly" });
    rmSync(cache, { recursive: true, force: true });
    renameSync(target, cache);
  } catch (error) {
    throw new Error(`kube-apiserver and etcd could not be built. ${remedies}`, { cause: error });
  } finally {
    clearInterval(progress);
    rmSync(target, { recursive: true, force: true });
  }
  say(`built in ${Math.round((performance.now() - started) / 1_000)} s`);
}

async function requireGo(env: NodeJS.ProcessEnv): Promise<void> {
  const found = await run("go", ["env", "GOVERSION"], env).catch(() => undefined);
  const [, major = "0", minor = "0"] = /^go(\d+)\.(\d+)/.exec(found ?? "") ?? [];
  if (Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 26)) return;
  const what = found === undefined ? "there is no Go" : `Go is ${found.trim()}`;
  throw new Error(`no kube-apiserver and etcd were found, and ${what} to build them with. ${remedies}`);
}

/** Runs a program in the recipe's folder and returns what it printed; its messages are told only when it fails. */
function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: recipe, env, stdio: ["ignore", "pipe", "pipe"] });
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

/** What `kube-apiserver --version` and `kubectl version` show; without it the server calls itself v0.0.0. */
function linkerFlags(version: string): string {
  const [, major, minor] = /^v(\d+)\.(\d+)\./.exec(version) ?? [];
  const values = { gitVersion: version, gitMajor: major, gitMinor: minor };
  const settings = Object.entries(values).map(([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`);
  return ["-s", "-w", ...settings].join(" ");
}

function kubernetesVersion(): string {
  const [, version] = /^require k8s\.io\/kubernetes (v\S+)$/m.exec(readFileSync(join(recipe, "go.mod"), "utf8")) ?? [];
  if (version === undefined)
    throw new Error("test/control-plane/go.mod does not name the version of k8s.io/kubernetes");
  return version;
}

function recipeHash(): string {
  const hash = createHash("sha256");
  const files = readdirSync(recipe, { recursive: true, encoding: "utf8" })
    .filter((file) => /(\.go|^go\.mod|^go\.sum)$/.test(file))
    .sort();
  for (const file of files)
    hash.update(`${relative(recipe, join(recipe, file))}\n`).update(readFileSync(join(recipe, file)));
  return hash.digest("hex").slice(0, 12);
}
