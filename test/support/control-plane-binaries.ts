import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { cachedOrBuilt, type GoBuildOptions, type GoRecipe, goCache, hasPrograms } from "./go-build.ts";

/** The two programs that make a control plane, and where they were found. */
export interface ControlPlaneBinaries {
  readonly etcd: string;
  readonly apiserver: string;
  readonly origin: string;
}

const directory = resolve(dirname(fileURLToPath(import.meta.url)), "../control-plane");

/** The folder that a build goes to. Its name changes with the Kubernetes version and with anything in the recipe. */
export function controlPlaneCache(env: NodeJS.ProcessEnv): string {
  return goCache(recipe(), env);
}

/**
 * Finds kube-apiserver and etcd: `KUBEBUILDER_ASSETS`, else the project's cache, else builds them into that cache.
 *
 * *Errors*: when there is no way, says which two things would help.
 */
export async function findControlPlaneBinaries(options: GoBuildOptions): Promise<ControlPlaneBinaries> {
  const assets = options.env.KUBEBUILDER_ASSETS;
  if (assets) {
    if (hasPrograms(assets, recipe())) return binariesIn(assets, "KUBEBUILDER_ASSETS");
    throw new Error(`KUBEBUILDER_ASSETS is ${assets}, but there is no etcd and kube-apiserver to run in it`);
  }
  const found = await cachedOrBuilt(recipe(), options);
  return binariesIn(found.directory, found.origin);
}

function binariesIn(folder: string, origin: string): ControlPlaneBinaries {
  return { etcd: join(folder, "etcd"), apiserver: join(folder, "kube-apiserver"), origin };
}

function recipe(): GoRecipe {
  const version = kubernetesVersion();
  return {
    directory,
    name: "control-plane",
    version,
    packages: ["./cmd/etcd", "./cmd/kube-apiserver"],
    linkerFlags: versionFlags(version),
    programs: ["etcd", "kube-apiserver"],
    what: "kube-apiserver and etcd",
    takes: "5 minutes",
    remedies:
      "Either set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver (setup-envtest prints one), " +
      "or install Go 1.26 or newer, and they are built once from their Go modules (about 5 minutes).",
  };
}

/** What `kube-apiserver --version` and `kubectl version` show; without it the server calls itself v0.0.0. */
function versionFlags(version: string): readonly string[] {
  const [, major, minor] = /^v(\d+)\.(\d+)\./.exec(version) ?? [];
  const values = { gitVersion: version, gitMajor: major, gitMinor: minor };
  return Object.entries(values).map(([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`);
}

function kubernetesVersion(): string {
  const [, version] =
    /^require k8s\.io\/kubernetes (v\S+)$/m.exec(readFileSync(join(directory, "go.mod"), "utf8")) ?? [];
  if (version === undefined)
    throw new Error("test/control-plane/go.mod does not name the version of k8s.io/kubernetes");
  return version;
}
