import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { KubeClient } from "../src/kube/client.ts";
import { createKubeClient } from "../src/kube/http-client.ts";
import { loadKubeAccess } from "../src/kube/kubeconfig.ts";
import { systemClock } from "../src/util/clock.ts";
import { type KubernetesSandbox, startKubernetes } from "./kubernetes/server.ts";
import { type NorthflankOptions, type NorthflankSandbox, startNorthflank } from "./northflank/server.ts";
import { type LogLine, type OperatorProcess, startOperator } from "./operator-process.ts";

/** Everything the product needs, on this machine: both APIs in this process, the operator in one of its own. */
export interface Sandbox extends AsyncDisposable {
  readonly kubernetes: KubernetesSandbox;
  readonly northflank: NorthflankSandbox;
  /** An administrator's client. */
  readonly client: KubeClient;
  readonly kubeconfigPath: string;
  readonly operator: OperatorProcess;
}

export const root = resolve(fileURLToPath(import.meta.url), "../..");

/** Starts both APIs, installs the CRDs, bundles the operator and starts it. Resolves when the operator is ready. */
export async function startSandbox(options: {
  readonly kubernetesPort?: number;
  /** The operator's bundle. Default: it is bundled anew. */
  readonly program?: string;
  readonly northflank?: NorthflankOptions;
  /** Further flags of the operator. */
  readonly flags?: readonly string[];
  readonly onLog?: (line: LogLine) => void;
  /** Gives up and leaves nothing behind. Once it is started, disposing of it does that. */
  readonly signal?: AbortSignal;
}): Promise<Sandbox> {
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const each of stops.reverse()) await each();
  };
  try {
    const kubernetes = await startKubernetes({ port: options.kubernetesPort ?? 0 });
    stops.push(kubernetes.stop);
    const northflank = await startNorthflank(options.northflank ?? {});
    stops.push(northflank.stop);
    kubernetes.installCrds(readCrds());

    const kubeconfigPath = writeKubeconfig(kubernetes);
    stops.push(async () => rmSync(kubeconfigPath, { force: true }));
    const access = await loadKubeAccess({ path: kubeconfigPath }, { clock: systemClock });
    const client = createKubeClient({ access, clock: systemClock, fieldManager: "demo" });
    stops.push(async () => client[Symbol.asyncDispose]());

    const operator = startOperator({
      program: options.program ?? bundle(),
      kubeconfig: kubeconfigPath,
      northflankUrl: northflank.url,
      flags: ["--leader-elect-namespace=default", ...(options.flags ?? [])],
      ...(options.onLog === undefined ? {} : { onLog: options.onLog }),
    });
    stops.push(operator.stop);
    await ready(operator, options.signal);
    return { kubernetes, northflank, client, kubeconfigPath, operator, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ready(operator: OperatorProcess, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort);
  });
  try {
    await Promise.race([operator.ready(), aborted]);
  } finally {
    if (abort !== undefined) signal?.removeEventListener("abort", abort);
  }
}

/**
 * Writes the kubeconfig of a sandbox, and returns its path. The port is part of the name: no two sandboxes of a machine
 * have the same, and one that is started with a port finds its own file again.
 */
export function writeKubeconfig(kubernetes: Pick<KubernetesSandbox, "url" | "kubeconfig">): string {
  const folder = join(root, ".cache", "sandbox");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `kubeconfig-${new URL(kubernetes.url).port}`);
  writeFileSync(path, kubernetes.kubeconfig(), { mode: 0o600 });
  return path;
}

/** Bundles the operator as for a release, and returns the path of the program. */
export function bundle(): string {
  execFileSync(process.execPath, ["--import", "tsx", "scripts/build.ts"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const program = join(root, "dist", "northflank-operator.js");
  if (!existsSync(program)) throw new Error(`scripts/build.ts did not write ${program}`);
  return program;
}

/** Text of every CustomResourceDefinition in `crds/`. */
export function readCrds(): string {
  const folder = join(root, "crds");
  const files = readdirSync(folder).filter((file) => file.endsWith(".yaml"));
  return files.map((file) => readFileSync(join(folder, file), "utf8")).join("\n---\n");
}
