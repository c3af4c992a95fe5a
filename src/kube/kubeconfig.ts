import { createHash } from "node:crypto";
import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { ConnectionOptions } from "node:tls";
// Only the file with `KubeConfig`, and only when somebody connects. What else that file loads (900 model classes, which cost
// more memory than the rest of this program) is left out by the bundler, see scripts/build.ts.
import type { DispatcherOptions, KubeConfig } from "@kubernetes/client-node/dist/config.js";
import type { Dispatcher } from "undici";
import type { Clock } from "../util/clock.ts";
import { isLoopback } from "../util/loopback.ts";
import { KubeError } from "./errors.ts";

/** Where the way to the Kubernetes API is described. */
export interface KubeconfigSource {
  /**
   * Path of a kubeconfig; several are separated as in `KUBECONFIG`. When missing: the pod's own service account, else
   * `~/.kube/config`.
   */
  readonly path?: string;
  /** Context to use; the kubeconfig's current one when missing. */
  readonly context?: string;
}

/** The part of TLS that a kubeconfig can say something about. */
export type TlsSettings = Pick<
  ConnectionOptions,
  "ca" | "cert" | "key" | "pfx" | "passphrase" | "rejectUnauthorized" | "servername"
>;

/** How to open connections. `key` changes whenever connections must be opened anew (other CA, certificate, proxy). */
export type KubeConnection =
  | { readonly kind: "direct"; readonly key: string; readonly tls: TlsSettings }
  | { readonly kind: "proxy"; readonly key: string; readonly uri: string; readonly tls: TlsSettings }
  /** A SOCKS proxy: client-node knows how to build the connector and keeps that to itself. */
  | { readonly kind: "dispatcher"; readonly key: string; readonly dispatcher: Dispatcher };

/** Who we are at this moment, and how to connect. */
export interface KubeCredentials {
  /** Headers that say who we are. Secret: never logged, never part of a message. */
  readonly headers: Readonly<Record<string, string>>;
  readonly connection: KubeConnection;
}

/** The way to one API server: where it is and, at any moment, who we are there. */
export interface KubeAccess {
  /** Origin and path prefix, without a slash at the end. */
  readonly server: string;
  /** Namespace of the context or of the pod; `default` when none is named. */
  readonly namespace: string;
  /**
   * What the next request needs. Cheap when called often: looked at again after a second. A pod's token file is read
   * again when what was read is older than a minute, a plugin's credential when it has expired.
   *
   * *Errors*: `KubeError` with code `config`; the message never quotes a file, a plugin's output or a credential.
   */
  readonly credentials: () => Promise<KubeCredentials>;
  /** Says that the server answered 401: the next `credentials()` starts from the files and plugins again. */
  readonly refused: () => void;
}

// client-node reads CA and certificate files on every call; once a second notices a change soon enough and costs nothing.
const freshForMs = 1_000;
// A server that answers 401 to everything must not make us run a credential plugin hundreds of times a second.
const reloadPauseMs = 1_000;

/**
 * Finds the way to the API server: the named kubeconfig, else the pod's service account, else `~/.kube/config`.
 *
 * *Errors*: `KubeError` with code `config` when none is there, or when the one that was named cannot be used.
 */
export async function loadKubeAccess(
  source: KubeconfigSource,
  deps: {
    readonly clock: Clock;
    /** Directory that the pod's service account is looked for under; `/` when missing. For tests. */
    readonly podRoot?: string;
    /** Home directory; the user's when missing. */
    readonly home?: string;
  },
): Promise<KubeAccess> {
  const { KubeConfig } = await import("@kubernetes/client-node/dist/config.js");
  const load = () => loadConfig(KubeConfig, source, { podRoot: deps.podRoot ?? "", home: deps.home });
  let loaded = { config: load(), atMs: deps.clock.monotonic() };
  const server = serverOf(loaded.config);
  const namespace = loaded.config.getContextObject(loaded.config.getCurrentContext())?.namespace;

  let known: { readonly credentials: KubeCredentials; readonly atMs: number } | undefined;
  let reading: Promise<KubeCredentials> | undefined;
  let refused = false;

  const read = async (): Promise<KubeCredentials> => {
    if (refused && deps.clock.monotonic() - loaded.atMs >= reloadPauseMs) {
      refused = false;
      loaded = { config: load(), atMs: deps.clock.monotonic() };
    }
    const credentials = await readCredentials(loaded.config, known?.credentials.connection);
    known = { credentials, atMs: deps.clock.monotonic() };
    return credentials;
  };

  return {
    server,
    namespace: namespace ?? "default",
    credentials: () => {
      if (known !== undefined && deps.clock.monotonic() - known.atMs < freshForMs) {
        return Promise.resolve(known.credentials);
      }
      reading ??= read().finally(() => {
        reading = undefined;
      });
      return reading;
    },
    refused: () => {
      refused = true;
      if (deps.clock.monotonic() - loaded.atMs >= reloadPauseMs) known = undefined;
    },
  };
}

type KubeConfigClass = new () => KubeConfig;

interface Places {
  readonly podRoot: string;
  readonly home: string | undefined;
}

function loadConfig(KubeConfig: KubeConfigClass, source: KubeconfigSource, { podRoot, home }: Places): KubeConfig {
  const paths = (source.path ?? "").split(delimiter).filter((path) => path !== "");
  const config = new KubeConfig();
  if (paths.length > 0) loadFiles(KubeConfig, config, paths);
  else if (isReadable(`${podRoot}/var/run/secrets/kubernetes.io/serviceaccount/token`)) config.loadFromCluster(podRoot);
  else loadFiles(KubeConfig, config, [homeKubeconfig(home ?? homeDirectory())]);
  selectContext(config, source.context);
  return config;
}

function loadFiles(KubeConfig: KubeConfigClass, config: KubeConfig, paths: readonly string[]): void {
  for (const [index, path] of paths.entries()) {
    try {
      if (index === 0) {
        config.loadFromFile(path);
        continue;
      }
      const further = new KubeConfig();
      further.loadFromFile(path);
      config.mergeConfig(further, true);
    } catch (error) {
      // The YAML reader quotes the file in its messages, and the file holds credentials: only say which and what kind.
      throw configError(`read ${path}`, `${systemCode(error) ?? "it is not a kubeconfig"}`);
    }
  }
}

/** There is none for a user who is not in the password file, as in a container that runs under any uid. */
function homeDirectory(): string | undefined {
  try {
    return homedir();
  } catch {
    return undefined;
  }
}

function homeKubeconfig(home: string | undefined): string {
  const path = home === undefined ? undefined : join(home, ".kube", "config");
  if (path !== undefined && isReadable(path)) return path;
  throw configError(
    "find a Kubernetes API server",
    "no kubeconfig was named, this is not a pod with a service account, and there is no ~/.kube/config; " +
      "name one with --kubeconfig or KUBECONFIG",
  );
}

function selectContext(config: KubeConfig, context: string | undefined): void {
  if (context !== undefined) config.setCurrentContext(context);
  const name = config.getCurrentContext();
  const known = config.getContexts().map((one) => one.name);
  if (!known.includes(name)) {
    throw configError(`use context "${name}"`, `there is none of this name; there are: ${known.join(", ") || "none"}`);
  }
}

function serverOf(config: KubeConfig): string {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw configError(`use context "${config.getCurrentContext()}"`, "its cluster is not defined");
  const url = URL.canParse(cluster.server) ? new URL(cluster.server) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "" || url.hash) {
    throw configError(
      `use cluster "${cluster.name}"`,
      "its server is not an http(s) URL without user, query and fragment",
    );
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname) && !cluster.skipTLSVerify) {
    throw configError(
      `use cluster "${cluster.name}"`,
      "plain http would show the token to the network; use https, or set insecure-skip-tls-verify to insist",
    );
  }
  return url.href.replace(/\/$/, "");
}

/** Asks client-node for headers and TLS settings, the latter without the agent that it would build for every request. */
async function readCredentials(config: KubeConfig, before: KubeConnection | undefined): Promise<KubeCredentials> {
  const headers: Record<string, string> = {};
  const caught: { options?: DispatcherOptions; dispatcher?: Dispatcher } = {};
  const build = Object.getPrototypeOf(config).createDispatcherOptions as KubeConfig["createDispatcherOptions"];
  config.createDispatcherOptions = (cluster, agentOptions) => {
    // Whether plain http is allowed was decided when the kubeconfig was loaded; this flag has no other effect here.
    caught.options = build.call(config, cluster && { ...cluster, skipTLSVerify: true }, agentOptions);
    return caught.options.type === "socks" ? caught.options : { type: "none" };
  };
  const request = {
    setHeaderParam: (key: string, value: string) => {
      headers[key.toLowerCase()] = headerValue(value);
    },
    setDispatcher: (dispatcher: Dispatcher) => {
      caught.dispatcher = dispatcher;
    },
  };
  try {
    await config.applySecurityAuthentication(request as never);
  } catch (error) {
    if (error instanceof KubeError) throw error;
    // What a plugin printed, or a file that could not be read, may be the credential itself: only its code is told.
    throw configError(
      `read the credentials of user "${config.getCurrentUser()?.name ?? ""}"`,
      `${systemCode(error) ?? "the credential plugin or file did not yield any"}; try kubectl with the same kubeconfig`,
    );
  }
  return { headers, connection: toConnection(caught.options ?? { type: "none" }, caught.dispatcher, before) };
}

function toConnection(
  options: DispatcherOptions,
  dispatcher: Dispatcher | undefined,
  before: KubeConnection | undefined,
): KubeConnection {
  const key = createHash("sha256").update(JSON.stringify(options)).digest("base64");
  if (before?.key === key) return before;
  switch (options.type) {
    case "none":
      return { kind: "direct", key, tls: {} };
    case "agent":
      return { kind: "direct", key, tls: options.connect };
    case "proxy":
      return { kind: "proxy", key, uri: options.uri, tls: options.requestTls };
    case "socks":
      if (dispatcher === undefined) throw configError("use the SOCKS proxy", "no connector was built for it");
      return { kind: "dispatcher", key, dispatcher };
  }
}

function headerValue(value: string): string {
  const trimmed = value.trimEnd();
  // Checked here and not by the HTTP client, because some clients quote the value in their message.
  if (!/^[\x20-\x7e]*$/.test(trimmed)) {
    throw configError("read the credentials", "the token holds characters that no header may carry");
  }
  return trimmed;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === "string" && /^[A-Z_]+$/.test(code) ? code : undefined;
}

function configError(step: string, detail: string): KubeError {
  return new KubeError({ code: "config", step, detail });
}
