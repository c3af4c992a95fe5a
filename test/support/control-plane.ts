import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import type { ControlPlaneBinaries } from "./control-plane-binaries.ts";

/** What a caller needs to know to use a control plane; it has no functions, so that it can be handed to another process. */
export interface ControlPlaneFacts {
  readonly url: string;
  /** PEM file of the server's own certificate, which signs itself. */
  readonly caFile: string;
  /** Token of a member of `system:masters`. */
  readonly adminToken: string;
  readonly kubeconfigPath: string;
  /** One JSON line for each finished call of the audited users; empty when nobody is audited. */
  readonly auditLog: string;
}

/** A running kube-apiserver with its etcd. */
export interface ControlPlane extends ControlPlaneFacts, AsyncDisposable {
  /** Data, keys, logs and kubeconfigs; removed by `stop`. */
  readonly directory: string;
  readonly processIds: { readonly etcd: number; readonly apiserver: () => number };
  /** Stops the API server and leaves etcd alone, as an upgrade of the control plane would. */
  stopApiServer(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port, with the same data and certificate. */
  startApiServer(): Promise<void>;
  stop(): Promise<void>;
}

// Start takes about 3 s on an idle machine; on a busy one the hooks that readiness waits for have taken over 20 s.
const readyTimeoutMs = 90_000;

/**
 * Starts etcd and kube-apiserver on free loopback ports, with data in a temporary folder, and resolves when `/readyz`
 * says ok.
 *
 * *Guarantees*: nothing stays behind, neither after `stop` nor when this process ends or is killed: a small shell watches
 * over the two and ends them as soon as the pipe from here closes.
 */
export async function startControlPlane(options: {
  readonly binaries: ControlPlaneBinaries;
  /** Users whose calls go to the audit log. */
  readonly auditUsers?: readonly string[];
  /** Groups whose calls do, such as `system:serviceaccounts`. */
  readonly auditGroups?: readonly string[];
  /** Further flags of kube-apiserver, such as `--watch-cache=false`. */
  readonly apiserverFlags?: readonly string[];
}): Promise<ControlPlane> {
  const directory = mkdtempSync(join(tmpdir(), "northflank-operator-control-plane-"));
  const [client, peer, secure] = await freePorts(3);
  const url = `https://127.0.0.1:${secure}`;
  const adminToken = randomBytes(24).toString("hex");
  const facts: ControlPlaneFacts = {
    url,
    caFile: join(directory, "certs", "apiserver.crt"),
    adminToken,
    kubeconfigPath: join(directory, "admin.kubeconfig"),
    auditLog: join(directory, "audit.log"),
  };
  writeKeys(directory, adminToken, { users: options.auditUsers ?? [], userGroups: options.auditGroups ?? [] });

  const guardian = startGuardian(directory);
  const etcd = start(directory, options.binaries.etcd, etcdFlags(directory, client, peer), { GOMEMLIMIT: "256MiB" });
  let apiserver: ChildProcess | undefined;
  const watchOver = () => guardian.guard([etcd, apiserver]);
  watchOver();

  const startApiServer = async (): Promise<void> => {
    const flags = [...apiserverFlags(directory, client, secure), ...(options.apiserverFlags ?? [])];
    apiserver = start(directory, options.binaries.apiserver, flags, { GOMEMLIMIT: "1GiB" });
    watchOver();
    await waitUntilReady(facts, directory, [etcd, apiserver]);
  };
  const stopApiServer = (signal: NodeJS.Signals = "SIGTERM") => end(apiserver, signal);

  const plane: ControlPlane = {
    ...facts,
    directory,
    processIds: { etcd: etcd.pid ?? 0, apiserver: () => apiserver?.pid ?? 0 },
    startApiServer,
    stopApiServer,
    stop: async () => {
      // Nobody is interested in what they still have to say; SIGKILL saves the API server's 60 s of grace.
      await Promise.all([end(apiserver, "SIGKILL"), end(etcd, "SIGKILL")]);
      await guardian.dismiss();
      rmSync(directory, { recursive: true, force: true });
    },
    [Symbol.asyncDispose]: () => plane.stop(),
  };
  try {
    await startApiServer();
  } catch (error) {
    await plane.stop();
    throw error;
  }
  writeKubeconfig(facts.kubeconfigPath, facts, adminToken);
  return plane;
}

/** Writes a kubeconfig for whoever has the token. */
export function writeKubeconfig(
  path: string,
  facts: { readonly url: string; readonly caFile?: string },
  token: string,
): void {
  const ca = facts.caFile === undefined ? {} : { "certificate-authority-data": base64Of(facts.caFile) };
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server: facts.url, ...ca } }],
    users: [{ name: "test", user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test", namespace: "default" } }],
    "current-context": "test",
  };
  writeFileSync(path, stringify(config), { mode: 0o600 });
}

function base64Of(path: string): string {
  return readFileSync(path).toString("base64");
}

function etcdFlags(directory: string, client: number, peer: number): readonly string[] {
  const clientUrl = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  return [
    `--data-dir=${join(directory, "etcd")}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    // The data dies with the test; waiting for the disk would only measure the disk.
    "--unsafe-no-fsync",
    "--log-level=error",
  ];
}

function apiserverFlags(directory: string, etcdPort: number, port: number): readonly string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    `--secure-port=${port}`,
    "--bind-address=127.0.0.1",
    `--cert-dir=${join(directory, "certs")}`,
    `--service-account-key-file=${join(directory, "sa.pub")}`,
    `--service-account-signing-key-file=${join(directory, "sa.key")}`,
    "--service-account-issuer=https://kubernetes.default.svc",
    "--service-cluster-ip-range=10.0.0.0/24",
    `--token-auth-file=${join(directory, "tokens.csv")}`,
    "--authorization-mode=RBAC",
    // It waits for the controller-manager to make tokens for the default service account; there is none.
    "--disable-admission-plugins=ServiceAccount",
    `--audit-policy-file=${join(directory, "audit-policy.yaml")}`,
    `--audit-log-path=${join(directory, "audit.log")}`,
    "--profiling=false",
  ];
}

function writeKeys(
  directory: string,
  adminToken: string,
  audit: { readonly users: readonly string[]; readonly userGroups: readonly string[] },
): void {
  const pair = generateKeyPairSync("rsa", {
    modulusLength: 2_048,
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  mkdirSync(join(directory, "certs"), { mode: 0o700 });
  writeFileSync(join(directory, "sa.key"), pair.privateKey, { mode: 0o600 });
  writeFileSync(join(directory, "sa.pub"), pair.publicKey);
  writeFileSync(join(directory, "tokens.csv"), `${adminToken},admin,admin,system:masters\n`, { mode: 0o600 });
  // A rule with neither would be one for everybody.
  const audited = [{ users: audit.users }, { userGroups: audit.userGroups }]
    .filter((who) => Object.values(who).flat().length > 0)
    .map((who) => ({ level: "Metadata", ...who }));
  const policy = {
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived", "ResponseStarted"],
    rules: [...audited, { level: "None" }],
  };
  writeFileSync(join(directory, "audit-policy.yaml"), stringify(policy));
  writeFileSync(join(directory, "audit.log"), "");
}

/** Starts a program in a process group of its own, so that Ctrl-C reaches us first and the two end in order. */
function start(
  directory: string,
  program: string,
  flags: readonly string[],
  env: Record<string, string>,
): ChildProcess {
  const log = createWriteStream(join(directory, `${program.split("/").pop()}.log`), { flags: "a" });
  const child = spawn(program, flags, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  child.once("close", () => log.end());
  child.on("error", (error) => log.write(`${error.message}\n`));
  return child;
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.kill(signal);
  });
}

interface Guardian {
  readonly guard: (children: readonly (ChildProcess | undefined)[]) => void;
  readonly dismiss: () => Promise<void>;
}

/** A shell that remembers the last line it was given, and at the end of its input kills those processes and tidies up. */
function startGuardian(directory: string): Guardian {
  const script = 'while read -r line; do pids="$line"; done; [ -z "$pids" ] || kill -9 $pids 2>/dev/null; rm -rf "$1"';
  const shell = spawn("/bin/sh", ["-c", script, "guardian", directory], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  shell.stdin?.on("error", () => undefined); // It was dismissed while we wrote; there is nothing left to guard.
  return {
    guard: (children) => {
      const running = children.filter((child) => child?.pid !== undefined && child.exitCode === null);
      shell.stdin?.write(`${running.map((child) => child?.pid).join(" ")}\n`);
    },
    dismiss: async () => {
      const ended = new Promise<void>((resolve) => shell.once("exit", () => resolve()));
      // The processes are gone and their numbers may belong to another process soon: forget them first.
      shell.stdin?.end("\n");
      await ended;
    },
  };
}

async function waitUntilReady(
  facts: ControlPlaneFacts,
  directory: string,
  children: readonly ChildProcess[],
): Promise<void> {
  const deadlineMs = performance.now() + readyTimeoutMs;
  for (;;) {
    const ended = children.find((child) => child.exitCode !== null || child.signalCode !== null);
    if (ended !== undefined) throw new Error(`${ended.spawnfile} ended while starting:\n${tailOfLogs(directory)}`);
    if (await isReady(facts)) return;
    if (performance.now() > deadlineMs) {
      throw new Error(`kube-apiserver was not ready within ${readyTimeoutMs} ms:\n${tailOfLogs(directory)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function isReady(facts: ControlPlaneFacts): Promise<boolean> {
  return new Promise((resolve) => {
    // Its certificate does not exist before it starts, so this one question is asked without checking it.
    const options = {
      rejectUnauthorized: false,
      headers: { authorization: `Bearer ${facts.adminToken}` },
      timeout: 5_000,
    };
    const asking = request(`${facts.url}/readyz`, options, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode === 200));
    });
    asking.on("error", () => resolve(false));
    asking.on("timeout", () => asking.destroy());
    asking.end();
  });
}

function tailOfLogs(directory: string): string {
  const tail = (name: string) => {
    try {
      return readFileSync(join(directory, `${name}.log`), "utf8")
        .split("\n")
        .slice(-8)
        .join("\n");
    } catch {
      return "(no log)";
    }
  };
  return `etcd: ${tail("etcd")}\nkube-apiserver: ${tail("kube-apiserver")}`;
}

async function freePorts(count: 3): Promise<readonly [number, number, number]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const [a, b, c] = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  if (a === undefined || b === undefined || c === undefined) throw new Error("no free ports");
  return [a, b, c];
}
