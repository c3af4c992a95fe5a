import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { type MeasuredProcess, startProcess } from "./process.ts";

/** A program that does the work being measured. */
export interface Peer {
  readonly name: "operator" | "control";
  /** Starts it and resolves once it says that its cache is filled. */
  start(): Promise<RunningPeer>;
}

export interface RunningPeer extends MeasuredProcess {
  /** From the start of the process until it was ready, in milliseconds. */
  readonly readyMs: number;
}

export interface PeerEnvironment {
  readonly kubeconfig: string;
  readonly northflankUrl: string;
  readonly token: string;
  readonly leaseNamespace: string;
}

/** A Node program, with flags of Node that come in front of it and the `NODE_OPTIONS` it is started with. */
export interface Program {
  readonly path: string;
  readonly nodeFlags: readonly string[];
  readonly nodeOptions: string;
}

/** The product, as the image runs it. */
export function operatorPeer(program: Program, environment: PeerEnvironment): Peer {
  const args = [
    ...program.nodeFlags,
    program.path,
    "run",
    `--kubeconfig=${environment.kubeconfig}`,
    `--api-url=${environment.northflankUrl}`,
    `--allowed-api-hosts=${new URL(environment.northflankUrl).host}`,
    `--leader-elect-namespace=${environment.leaseNamespace}`,
    "--max-requests-per-hour=1000000000",
    "--health-bind-address=127.0.0.1:0",
    "--metrics-bind-address=127.0.0.1:0",
    "--log-format=json",
  ];
  return {
    name: "operator",
    start: () =>
      started(args, { NODE_OPTIONS: program.nodeOptions }, async (lines) => {
        const health = lines.map(parsed).find((line) => line.msg === "server listening" && line.endpoint === "health");
        if (health === undefined) return false;
        const answer = await fetch(`http://${health.address}/readyz`).catch(() => undefined);
        return answer?.ok === true;
      }),
  };
}

/** Bundles the control in the same way as the product, and gives its path. */
export async function buildControl(): Promise<string> {
  const outfile = join(mkdtempSync(join(tmpdir(), "bench-control-")), "control-peer.mjs");
  await build({
    entryPoints: [new URL("control-peer.ts", import.meta.url).pathname],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "warning",
    banner: { js: 'import { createRequire as __r } from "node:module"; const require = __r(import.meta.url);' },
  });
  return outfile;
}

/** The plain `@kubernetes/client-node` informer. */
export function controlPeer(path: string, environment: PeerEnvironment): Peer {
  const env = { KUBECONFIG: environment.kubeconfig, API_URL: environment.northflankUrl, API_TOKEN: environment.token };
  return { name: "control", start: () => started([path], env, async (lines) => lines.includes("ready")) };
}

// Both are ready within seconds. The control's informer was once seen to have its watch open and never say so.
const readyLimitMs = 60_000;
const mostStarts = 3;

async function started(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  isReady: (lines: readonly string[]) => Promise<boolean>,
): Promise<RunningPeer> {
  for (let starts = 1; starts <= mostStarts; starts++) {
    const peer = await startedOnce(args, env, isReady);
    if (peer !== undefined) return peer;
    console.log(`${args[0]} was not ready after ${readyLimitMs / 1_000} s and is started again`);
  }
  throw new Error(`${args[0]} was not ready in ${mostStarts} starts`);
}

/** `undefined` when it was not ready in time, and was stopped. */
async function startedOnce(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  isReady: (lines: readonly string[]) => Promise<boolean>,
): Promise<RunningPeer | undefined> {
  const lines: string[] = [];
  let ended = false;
  const process = startProcess({
    command: globalThis.process.execPath,
    args,
    env,
    onLine: (line) => {
      lines.push(line);
      // Its log is read until it is ready and when it fails; it is not kept for a whole benchmark.
      if (lines.length > 500) lines.splice(0, 250);
    },
    onExit: () => {
      ended = true;
    },
  });
  while (!(await isReady(lines))) {
    if (ended) throw new Error(`${args[0]} ended before it was ready:\n${lines.slice(-5).join("\n")}`);
    if (performance.now() - process.startedAtMs > readyLimitMs) {
      await process.stop();
      return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return { ...process, readyMs: performance.now() - process.startedAtMs };
}

function parsed(line: string): { readonly msg?: string; readonly endpoint?: string; readonly address?: string } {
  try {
    return JSON.parse(line) as object;
  } catch {
    // A line that is not JSON (a crash report) holds no address.
    return {};
  }
}
