import { mkdtempSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { type MeasuredProcess, startProcess } from "./process.ts";

/** In the order in which they are measured. */
export const peerNames = ["operator", "control", "controller-runtime", "against"] as const;
export type PeerName = (typeof peerNames)[number];

/** A program that does the work being measured. */
export interface Peer {
  readonly name: PeerName;
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

/** The order of a round, counted from 1: every second one is reversed, so that none always comes first. */
export function inTurn(peers: readonly PeerName[], round: number): readonly PeerName[] {
  return round % 2 === 1 ? peers : peers.toReversed();
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
      started({ command: node, args, env: { NODE_OPTIONS: program.nodeOptions } }, async (lines) => {
        const health = lines.map(parsed).find((line) => line.msg === "server listening" && line.endpoint === "health");
        return health?.address !== undefined && isReadyAt(health.address);
      }),
  };
}

/** The control in controller-runtime; its flags are those of the operator. */
export function goControlPeer(path: string, environment: PeerEnvironment): Peer {
  return {
    name: "controller-runtime",
    start: async () => {
      // It does not report a port that the operating system has chosen.
      const health = `127.0.0.1:${await freePort()}`;
      const args = [
        `--kubeconfig=${environment.kubeconfig}`,
        `--api-url=${environment.northflankUrl}`,
        `--leader-elect-namespace=${environment.leaseNamespace}`,
        `--health-bind-address=${health}`,
        "--metrics-bind-address=127.0.0.1:0",
      ];
      const env = { NORTHFLANK_API_TOKEN: environment.token };
      return started({ command: path, args, env }, () => isReadyAt(health));
    },
  };
}

async function isReadyAt(address: string): Promise<boolean> {
  const answer = await fetch(`http://${address}/readyz`).catch(() => undefined);
  return answer?.ok === true;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("the operating system gave no port");
  return address.port;
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
  return {
    name: "control",
    start: () => started({ command: node, args: [path], env }, async (lines) => lines.includes("ready")),
  };
}

const node = process.execPath;
// All are ready within seconds. The control's informer was once seen to have its watch open and never say so.
const readyLimitMs = 60_000;
const mostStarts = 3;

interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function started(
  commandLine: CommandLine,
  isReady: (lines: readonly string[]) => Promise<boolean>,
): Promise<RunningPeer> {
  const { command, args } = commandLine;
  const program = `${command} ${args[0]}`;
  for (let starts = 1; starts <= mostStarts; starts++) {
    const peer = await startedOnce(commandLine, isReady);
    if (peer !== undefined) return peer;
    console.log(`${program} was not ready after ${readyLimitMs / 1_000} s and is started again`);
  }
  throw new Error(`${program} was not ready in ${mostStarts} starts`);
}

/** `undefined` when it was not ready in time, and was stopped. */
async function startedOnce(
  commandLine: CommandLine,
  isReady: (lines: readonly string[]) => Promise<boolean>,
): Promise<RunningPeer | undefined> {
  const lines: string[] = [];
  let ended = false;
  const process = startProcess({
    ...commandLine,
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
    if (ended) throw new Error(`${commandLine.command} ended before it was ready:\n${lines.slice(-5).join("\n")}`);
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
