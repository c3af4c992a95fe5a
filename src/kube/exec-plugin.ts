import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { parse } from "yaml";
import { textOf } from "../util/chunks.ts";
import type { Clock, Timer } from "../util/clock.ts";
import { isRecord } from "../util/records.ts";
import { type KubeError, systemCode } from "./errors.ts";
import { type Cluster, type ExecStanza, refuse, type Stanza } from "./kubeconfig-stanzas.ts";
import { inheritedSecrets, oneLine, settingsOf, shownWords } from "./plugin-words.ts";

/** What a credential plugin gave us: a token, a client certificate, or both. */
export interface PluginCredential {
  readonly token: string | undefined;
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
  /** Wall-clock time in milliseconds; missing: until the server refuses it. */
  readonly expiresAtMs: number | undefined;
}

export interface PluginCall {
  /** The user whose plugin it is, for messages. */
  readonly stanza: Stanza;
  readonly exec: ExecStanza;
  readonly cluster: Cluster;
  /** The certificate authority of the cluster, for plugins that need it. */
  readonly ca: Buffer | undefined;
  /** What the plugin inherits. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Stops the plugin. */
  readonly stop: AbortSignal;
}

/** How long a plugin may take. After it, the plugin and what it started are killed. */
const pluginLimitMs = 30_000;
// Certificates and tokens have a few KB; whatever writes more does not write a credential.
const maxOutputBytes = 1024 * 1024;
const maxHint = 400;
const lastWordsMs = 200;

/**
 * Runs a credential plugin once, as kubectl does but without a terminal: its input is empty.
 *
 * *Errors*: `KubeError` with code `config`, with what the plugin wrote to its standard error and its install hint. What
 * it wrote to its standard output is never shown, and nothing that looks like a credential is.
 */
export async function runPlugin(call: PluginCall): Promise<PluginCredential> {
  const end = await runToEnd(call);
  const fail = (problem: string): KubeError => pluginError(call, problem, end);
  switch (end.kind) {
    case "failed":
      throw fail(end.code === "ENOENT" ? "was not found (ENOENT)" : `could not be started (${end.code})`);
    case "late":
      throw fail(`did not end within ${pluginLimitMs / 1000}s and was stopped`);
    case "stopped":
      throw fail("was stopped because this program is ending");
    case "loud":
      throw fail(`wrote more than ${maxOutputBytes / 1024 / 1024} MiB and was stopped`);
    case "ended": {
      if (end.exit !== "0") throw fail(`failed with ${end.exit}`);
      const credential = readCredential(end.output, call.exec.apiVersion);
      if (typeof credential === "string") throw fail(credential);
      return credential;
    }
  }
}

type Ending =
  | { readonly kind: "failed"; readonly code: string }
  | { readonly kind: "late" | "loud" | "stopped" }
  | { readonly kind: "ended"; readonly exit: string };
/** How it ended, and what it wrote to its standard output and error. */
type End = Ending & { readonly output: string; readonly words: string };

function runToEnd(call: PluginCall): Promise<End> {
  return new Promise((resolve) => {
    if (call.stop.aborted) {
      resolve({ kind: "stopped", output: "", words: "" });
      return;
    }
    const said = { output: [] as Buffer[], words: [] as Buffer[], bytes: 0 };
    const child = start(call);
    if (typeof child === "string") {
      resolve({ kind: "failed", code: child, output: "", words: "" });
      return;
    }
    const finish = (end: Ending) => {
      limit.cancel();
      grace?.cancel();
      call.stop.removeEventListener("abort", onStop);
      child.removeAllListeners();
      // A plugin that was killed may still fail in its own way; nothing waits for that.
      child.on("error", () => undefined);
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve({ ...end, output: textOf(said.output), words: textOf(said.words) });
    };
    const stop = (kind: "late" | "loud" | "stopped") => {
      killGroup(child);
      finish({ kind });
    };
    const onStop = () => stop("stopped");
    call.stop.addEventListener("abort", onStop, { once: true });
    const collect = (to: Buffer[]) => (chunk: Buffer) => {
      said.bytes += chunk.length;
      if (said.bytes > maxOutputBytes) stop("loud");
      else to.push(chunk);
    };
    // It has ended when it has left and its output is closed. Something that it left behind may keep its standard error.
    let grace: Timer | undefined;
    const endSoon = () => {
      const { exitCode, signalCode } = child;
      if ((exitCode === null && signalCode === null) || child.stdout?.readableEnded === false) return;
      grace ??= call.clock.setTimer(() => finish({ kind: "ended", exit: exitOf(exitCode, signalCode) }), lastWordsMs);
    };
    const limit = call.clock.setTimer(() => stop("late"), pluginLimitMs);
    child.stdout?.on("data", collect(said.output)).on("end", endSoon);
    child.stderr?.on("data", collect(said.words));
    child.on("error", (error) => finish({ kind: "failed", code: systemCode(error) ?? "unknown error" }));
    child.on("exit", endSoon);
    child.on("close", (code, signal) => finish({ kind: "ended", exit: exitOf(code, signal) }));
  });
}

/** The running plugin, or the code of the error. Its pipes are missing when there were no file descriptors left. */
function start(call: PluginCall): ChildProcess | string {
  const command = findCommand(call.exec.command, call.env.PATH);
  if (command === undefined) return "ENOENT";
  try {
    return spawn(command, call.exec.args, {
      argv0: call.exec.command,
      env: environment(call),
      stdio: ["ignore", "pipe", "pipe"],
      // A group of its own, so that what the plugin started can be stopped with it.
      detached: true,
      windowsHide: true,
    });
  } catch (error) {
    // Its message quotes arguments and environment.
    const code = systemCode(error);
    return code === undefined || code.startsWith("ERR_") ? "a null character in command, args or env" : code;
  }
}

/** As kubectl, in the `PATH` that this program has, whatever `PATH` the plugin gets. */
function findCommand(command: string, path = ""): string | undefined {
  if (command.includes("/")) return command;
  return path
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, command))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Not there, or not for us: the next folder may have it.
    return false;
  }
}

function exitOf(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `signal ${signal}`;
  return code === 0 ? "0" : `exit code ${code}`;
}

/** Ends the plugin and everything that it started. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The group has ended by itself, or the system has no groups.
    child.kill("SIGKILL");
  }
}

function environment(call: PluginCall): Record<string, string | undefined> {
  const own = Object.fromEntries(call.exec.env.map(({ name, value }) => [name, value]));
  return { ...call.env, ...own, KUBERNETES_EXEC_INFO: JSON.stringify(execInfo(call)) };
}

/** The input of the plugin, in the form of kubectl. */
function execInfo({ exec, cluster, ca }: PluginCall): object {
  return {
    kind: "ExecCredential",
    apiVersion: exec.apiVersion,
    spec: { ...(exec.provideClusterInfo ? { cluster: clusterInfo(cluster, ca) } : {}), interactive: false },
  };
}

function clusterInfo(cluster: Cluster, ca: Buffer | undefined): object {
  return {
    server: cluster.server,
    ...(cluster.tlsServerName === undefined ? {} : { "tls-server-name": cluster.tlsServerName }),
    ...(cluster.skipTlsVerify ? { "insecure-skip-tls-verify": true } : {}),
    ...(ca === undefined ? {} : { "certificate-authority-data": ca.toString("base64") }),
    ...(cluster.proxyUrl === undefined ? {} : { "proxy-url": cluster.proxyUrl }),
    ...(cluster.disableCompression ? { "disable-compression": true } : {}),
    config: cluster.execConfig ?? null,
  };
}

/** The credential in what a plugin printed, or what is wrong with it. */
function readCredential(output: string, apiVersion: string): PluginCredential | string {
  const printed = parsed(output);
  if (printed?.kind !== "ExecCredential") return "did not print an ExecCredential";
  if (printed.apiVersion !== apiVersion) return `did not print an ExecCredential of ${apiVersion}`;
  const { status } = printed;
  if (!isRecord(status)) return "printed an ExecCredential without status";
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = status;
  const texts = [token, cert, key, expirationTimestamp].map((one) => one ?? "");
  if (!texts.every((one) => typeof one === "string")) return "printed a status whose values are not strings";
  if (!token && !cert && !key) return "printed neither a token nor a client certificate";
  if (!cert !== !key) return "printed a client certificate or its key, but not both";
  const expiresAtMs = expirationTimestamp ? readTime(String(expirationTimestamp)) : undefined;
  if (Number.isNaN(expiresAtMs)) return "printed an expirationTimestamp that is not a time";
  return {
    token: token ? String(token) : undefined,
    certificate: cert ? { cert: String(cert), key: String(key) } : undefined,
    expiresAtMs,
  };
}

function readTime(time: string): number {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(time) ? Date.parse(time) : Number.NaN;
}

/** JSON as a rule; kubectl takes YAML as well. */
function parsed(output: string): Readonly<Record<string, unknown>> | undefined {
  for (const read of [JSON.parse, (text: string) => parse(text, { logLevel: "error" })]) {
    try {
      const value: unknown = read(output);
      return isRecord(value) ? value : undefined;
    } catch {
      // The reader quotes what it cannot read, and that may be a credential.
    }
  }
  return undefined;
}

function pluginError(call: PluginCall, problem: string, end: End): KubeError {
  const { exec, stanza } = call;
  const words = shownWords(end.words, secretsOf(call, end.output));
  const hint =
    exec.installHint === undefined ? "" : `. Its installHint: ${oneLine(exec.installHint).slice(0, maxHint)}`;
  return refuse(
    stanza,
    `the credential plugin "${oneLine(exec.command)}" ${problem}${words === "" ? "" : `. It wrote: ${words}`}${hint}`,
    "Fix the plugin, and test it with kubectl and the same kubeconfig",
  );
}

/** What must not be shown, although the plugin wrote it: its settings, and the credential itself. */
function secretsOf({ exec, stanza, env }: PluginCall, output: string): readonly string[] {
  const { token, password } = stanza.body;
  const own = [token, password].filter((one) => typeof one === "string" && one.length >= 4) as readonly string[];
  const printed = new Set(output.match(/[^\s"',:{}[\]\\]{12,}/g));
  return [...settingsOf(exec), ...inheritedSecrets(env), ...own, ...printed];
}
