import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import type { ConnectionOptions } from "node:tls";
import type { Clock } from "../util/clock.ts";
import { isLoopback } from "../util/loopback.ts";
import { kubeconfigError, systemCode } from "./errors.ts";
import { type PluginCredential, runPlugin } from "./exec-plugin.ts";
import { type Kubeconfig, readKubeconfig } from "./kubeconfig-files.ts";
import { basic, bearer, type CredentialHeaders, impersonationHeaders } from "./kubeconfig-headers.ts";
import {
  type Cluster,
  type ExecStanza,
  type Material,
  readCluster,
  readContext,
  readUser,
  refuse,
  type Stanza,
  shownName,
  type User,
} from "./kubeconfig-stanzas.ts";
import { createOidcSession } from "./oidc.ts";

/** Where the way to the Kubernetes API is described. */
export interface KubeconfigSource {
  /**
   * Path of a kubeconfig; several are separated as in `KUBECONFIG` and merged as by kubectl. When missing: the pod's own
   * service account, else `~/.kube/config`.
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
  /** Through a proxy that speaks HTTP, or SOCKS5. Its address may hold a password. */
  | { readonly kind: "proxy" | "socks"; readonly key: string; readonly uri: string; readonly tls: TlsSettings };

/** Who we are at this moment, and how to connect. */
export interface KubeCredentials {
  /** Headers that say who we are. Secret: never logged, never part of a message. */
  readonly headers: CredentialHeaders;
  readonly connection: KubeConnection;
}

/** The way to one API server: where it is and, at any moment, who we are there. */
export interface KubeAccess {
  /** Origin and path prefix, without a slash at the end. */
  readonly server: string;
  /** Namespace of the context or of the pod; `default` when none is named. */
  readonly namespace: string;
  /** The context names no user: requests carry no credentials, because the kubeconfig says so. False when missing. */
  readonly isAnonymous?: boolean;
  /**
   * What the next request needs. Cheap when called often: checked again after a second. A token file is read again when
   * what was read is older than a minute, a plugin's credential and an id token are renewed when they have expired.
   *
   * *Guarantees*: never resolves without credentials unless `isAnonymous`.
   *
   * *Errors*: `KubeError` with code `config`; the message never quotes a file, a plugin's output or a credential.
   */
  readonly credentials: () => Promise<KubeCredentials>;
  /** Says that the server answered 401: the next `credentials()` starts from the files and plugins again. */
  readonly refused: () => void;
  /** Stops a credential plugin that is running. */
  readonly close?: () => void;
}

// Files of certificates are read on every call; once a second notices a change soon enough and costs nothing.
const freshForMs = 1_000;
// A server that answers 401 to everything, or a plugin that fails, must not make us run the plugin hundreds of times a
// second.
const reloadPauseMs = 1_000;
// As client-go: half of the time between the kubelet's renewal of a token and its end.
const tokenFileFreshForMs = 60_000;

interface LoadDeps {
  readonly clock: Clock;
  /** What credential plugins inherit, and where a pod learns the server's address. Empty when missing. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Directory that the pod's service account is searched under; `/` when missing. For tests. */
  readonly podRoot?: string;
  /** Home directory; the user's when missing. */
  readonly home?: string;
}

/**
 * Finds the way to the API server: the named kubeconfig, else the pod's service account, else `~/.kube/config`. A
 * kubeconfig means what it means to kubectl; what this program cannot do as kubectl does is refused.
 *
 * *Errors*: `KubeError` with code `config` when none is there, or when the one that was named cannot be used.
 */
export async function loadKubeAccess(source: KubeconfigSource, deps: LoadDeps): Promise<KubeAccess> {
  const { clock } = deps;
  const way = findWay(source, deps);
  const server = serverOf(way);
  const closed = new AbortController();
  const authorize = (to: Way) => authorizationOf(to, { ...deps, closed: closed.signal });
  let loaded = { way, authorization: authorize(way), atMs: clock.monotonic() };

  let known: { readonly credentials: KubeCredentials; readonly atMs: number } | undefined;
  let failed: { readonly error: unknown; readonly startedMs: number } | undefined;
  let reading: Promise<KubeCredentials> | undefined;
  // The kubeconfig is read again before the credentials are: the server refused them, or there were none to be had.
  let stale = false;

  /** Another context or server in the file is not followed: its credentials are none of this server's business. */
  const reload = (): void => {
    const next = findWay({ ...source, ...(way.context === undefined ? {} : { context: way.context }) }, deps);
    if (serverOf(next) !== server) {
      throw refuse(next.cluster.stanza, "its server has changed since this program started", "Restart this program");
    }
    if (way.user !== undefined && next.user === undefined) {
      throw refuse(
        way.user.stanza,
        "the context has lost this user since this program started",
        "Restart this program",
      );
    }
    const same = sameLogin(loaded.way.user, next.user);
    const authorization = same ? loaded.authorization : authorize(next);
    loaded = { way: next, authorization, atMs: clock.monotonic() };
  };

  const read = async (): Promise<KubeCredentials> => {
    const startedMs = clock.monotonic();
    try {
      if (stale && startedMs - loaded.atMs >= reloadPauseMs) {
        stale = false;
        reload();
      }
    } catch (error) {
      // What was loaded before may still do: the next call tries it.
      failed = { error, startedMs };
      throw error;
    }
    try {
      const credentials = await readCredentials({ ...loaded, server, before: known?.credentials.connection });
      known = { credentials, atMs: clock.monotonic() };
      return credentials;
    } catch (error) {
      stale = true;
      failed = { error, startedMs };
      throw error;
    }
  };

  return {
    server,
    namespace: way.namespace ?? "default",
    isAnonymous: way.user === undefined,
    credentials: () => {
      const nowMs = clock.monotonic();
      if (known !== undefined && nowMs - known.atMs < freshForMs) return Promise.resolve(known.credentials);
      if (failed !== undefined && nowMs - failed.startedMs < reloadPauseMs) return Promise.reject(failed.error);
      reading ??= read().finally(() => {
        reading = undefined;
      });
      return reading;
    },
    refused: () => {
      stale = true;
      if (clock.monotonic() - loaded.atMs >= reloadPauseMs) known = undefined;
    },
    close: () => closed.abort(new Error("the client was closed")),
  };
}

/**
 * The names of the contexts that {@link KubeconfigSource.context} may have, in the order of the files. No cluster is asked.
 *
 * *Errors*: `KubeError` with code `config` when there is no kubeconfig, or it cannot be read.
 */
export function contextNames(source: Pick<KubeconfigSource, "path">, home?: string): readonly string[] {
  const paths = (source.path ?? "").split(delimiter).filter((path) => path !== "");
  const files = paths.length > 0 ? paths : [homeKubeconfig(home ?? homeDirectory())];
  return [...readKubeconfig(files).contexts.keys()];
}

/** What was found: one cluster, and who we are there. */
interface Way {
  /** `undefined` in a pod. */
  readonly context: string | undefined;
  readonly cluster: Cluster;
  /** `undefined`: the context names no user. */
  readonly user: User | undefined;
  readonly namespace: string | undefined;
}

function findWay(source: KubeconfigSource, deps: LoadDeps): Way {
  const { podRoot = "", env = {}, home } = deps;
  const paths = (source.path ?? "").split(delimiter).filter((path) => path !== "");
  if (paths.length > 0) return wayOf(readKubeconfig(paths), source.context);
  const serviceAccount = `${podRoot}/var/run/secrets/kubernetes.io/serviceaccount`;
  if (existsSync(`${serviceAccount}/token`)) return wayOfPod(serviceAccount, env);
  if (source.path) throw kubeconfigError("find a kubeconfig", "the list of files in KUBECONFIG is empty");
  return wayOf(readKubeconfig([homeKubeconfig(home ?? homeDirectory())]), source.context);
}

function wayOf(kubeconfig: Kubeconfig, wanted: string | undefined): Way {
  const { contexts, clusters, users, origin } = kubeconfig;
  const name = wanted || kubeconfig.currentContext;
  const names = [...contexts.keys()].map(shownName).join(", ") || "none";
  if (name === undefined) {
    const detail = `"current-context" is not set. Set it, or choose one with --context; there are: ${names}`;
    throw kubeconfigError(`use ${origin}`, detail);
  }
  const stanza = contexts.get(name);
  if (stanza === undefined) {
    const detail = `there is none with this name, only: ${names}. Read: ${origin}`;
    throw kubeconfigError(`use context "${shownName(name)}"`, detail);
  }
  const context = readContext(stanza);
  const cluster = clusters.get(context.cluster);
  if (cluster === undefined) throw undefinedName(stanza, "cluster", context.cluster);
  const user = context.user === undefined ? undefined : users.get(context.user);
  if (context.user !== undefined && user === undefined) throw undefinedName(stanza, "user", context.user);
  return {
    context: name,
    cluster: readCluster(cluster),
    user: user === undefined ? undefined : readUser(user),
    namespace: context.namespace,
  };
}

function undefinedName(context: Stanza, kind: "cluster" | "user", name: string): Error {
  return refuse(
    context,
    `its ${kind} "${shownName(name)}" is not defined`,
    `Add it to "${kind}s", or correct the name`,
  );
}

function wayOfPod(folder: string, env: Readonly<Record<string, string | undefined>>): Way {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (!host || !port) {
    const detail =
      "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set in this pod. Set them, or --kubeconfig";
    throw kubeconfigError("use the pod's service account", detail);
  }
  const stanza = (kind: Stanza["kind"]): Stanza => ({ kind, name: "service account", file: folder, body: {} });
  return {
    context: undefined,
    cluster: {
      stanza: stanza("cluster"),
      server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
      ca: { kind: "file", path: `${folder}/ca.crt`, key: "ca.crt" },
      skipTlsVerify: false,
      tlsServerName: undefined,
      proxyUrl: undefined,
      disableCompression: false,
      execConfig: undefined,
    },
    user: {
      stanza: stanza("user"),
      identity: { kind: "token", token: undefined, tokenFile: `${folder}/token` },
      certificate: undefined,
      impersonation: undefined,
    },
    namespace: existsSync(`${folder}/namespace`)
      ? readFileSync(`${folder}/namespace`, "utf8").trim() || undefined
      : undefined,
  };
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
  if (path !== undefined && existsSync(path)) return path;
  throw kubeconfigError(
    "find a Kubernetes API server",
    "no kubeconfig is set, this is not a pod with a service account, and there is no ~/.kube/config; " +
      "set one with --kubeconfig or KUBECONFIG",
  );
}

function serverOf({ cluster }: Way): string {
  const { server, stanza, skipTlsVerify } = cluster;
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "" || url.hash) {
    throw refuse(
      stanza,
      "its server is not an http(s) URL without user, query and fragment",
      'Correct "server"; begin it with https://',
    );
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname) && !skipTlsVerify) {
    throw refuse(
      stanza,
      "plain http would expose the token",
      "Use https, or set insecure-skip-tls-verify to use it anyway",
    );
  }
  return url.href.replace(/\/$/, "");
}

/** What a source of credentials adds to a request, and to the connection. */
interface Authorization {
  readonly header?: string | undefined;
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
}

interface SourceDeps extends LoadDeps {
  /** Aborted when credentials are no longer needed. */
  readonly closed: AbortSignal;
}

/** Provides the credential of a user, for as long as the kubeconfig stays as it is. */
function authorizationOf({ cluster, user }: Way, deps: SourceDeps): () => Authorization | Promise<Authorization> {
  if (user === undefined) return () => ({});
  const { stanza, identity } = user;
  switch (identity.kind) {
    case "certificate":
      return () => ({});
    case "basic":
      return () => ({ header: basic(identity.username, identity.password) });
    case "token": {
      const read = tokenReader(stanza, identity, deps.clock);
      return () => ({ header: header(stanza, read()) });
    }
    case "exec": {
      const read = pluginReader(stanza, identity.exec, cluster, deps);
      return async () => {
        const { token, certificate } = await read();
        return { header: token === undefined ? undefined : header(stanza, token), certificate };
      };
    }
    case "oidc": {
      const { oidc } = identity;
      const session = createOidcSession({ stanza, oidc, ca: () => readMaterial(stanza, oidc.ca), clock: deps.clock });
      return async () => ({ header: header(stanza, await session.idToken()) });
    }
  }
}

/** A login stays valid after the kubeconfig was read again: the tokens that the provider gave us since are in no file. */
function sameLogin(before: User | undefined, after: User | undefined): boolean {
  if (before?.identity.kind !== "oidc" || after?.identity.kind !== "oidc") return false;
  return JSON.stringify(before.identity) === JSON.stringify(after.identity);
}

function header(stanza: Stanza, token: string): string {
  const value = bearer(token);
  if (value !== undefined) return value;
  throw refuse(stanza, "its token is empty or has characters that are not allowed in a header", "Correct the token");
}

/** The file's token wins over the one in the kubeconfig, and the last one that was read over a file that is gone. */
function tokenReader(
  stanza: Stanza,
  { token, tokenFile: path }: { readonly token: string | undefined; readonly tokenFile: string | undefined },
  clock: Clock,
): () => string {
  let last: { readonly token: string; readonly atMs: number } | undefined;
  return () => {
    if (path === undefined) return token ?? "";
    if (last !== undefined && clock.monotonic() - last.atMs < tokenFileFreshForMs) return last.token;
    const found = readTokenFile(path);
    if (found.kind === "token") last = { token: found.token, atMs: clock.monotonic() };
    const usable = last?.token ?? token;
    if (usable !== undefined) return usable;
    const problem = found.kind === "problem" ? found.problem : "is empty";
    throw refuse(stanza, `its token file ${path} ${problem}`, "Correct the path, or write the token into the file");
  };
}

function readTokenFile(
  path: string,
): { readonly kind: "token"; readonly token: string } | { readonly kind: "problem"; readonly problem: string } {
  try {
    const token = readFileSync(path, "utf8").trim();
    return token === "" ? { kind: "problem", problem: "is empty" } : { kind: "token", token };
  } catch (error) {
    return { kind: "problem", problem: `cannot be read (${systemCode(error) ?? "unknown error"})` };
  }
}

function pluginReader(
  stanza: Stanza,
  exec: ExecStanza,
  cluster: Cluster,
  { clock, env = {}, closed }: SourceDeps,
): () => Promise<PluginCredential> {
  let last: PluginCredential | undefined;
  return async () => {
    if (last !== undefined && (last.expiresAtMs === undefined || clock.now() <= last.expiresAtMs)) return last;
    const ca = exec.provideClusterInfo ? readMaterial(cluster.stanza, cluster.ca) : undefined;
    last = await runPlugin({ stanza, exec, cluster, ca, env, clock, stop: closed });
    return last;
  };
}

async function readCredentials(from: {
  readonly way: Way;
  readonly authorization: ReturnType<typeof authorizationOf>;
  readonly server: string;
  readonly before: KubeConnection | undefined;
}): Promise<KubeCredentials> {
  const { way, server, before } = from;
  const { header, certificate } = await from.authorization();
  if (header === undefined && way.user !== undefined && server.startsWith("http:")) {
    throw refuse(way.user.stanza, "its client certificate cannot be used over plain http", "Use https, or a token");
  }
  const headers = { ...(header === undefined ? {} : { authorization: header }), ...impersonationOf(way.user) };
  return { headers, connection: connectionOf(way, certificate, before) };
}

function impersonationOf(user: User | undefined): CredentialHeaders {
  if (user?.impersonation === undefined) return {};
  const headers = impersonationHeaders(user.impersonation);
  if (headers !== undefined) return headers;
  throw refuse(user.stanza, 'a value of "as" or "as-..." has a line break or another control character', "Correct it");
}

function connectionOf(
  { cluster, user }: Way,
  issued: Authorization["certificate"],
  before: KubeConnection | undefined,
): KubeConnection {
  const ca = readMaterial(cluster.stanza, cluster.ca);
  const own = user?.certificate;
  const cert = own === undefined ? issued?.cert : readMaterial(user?.stanza, own.cert);
  const key = own === undefined ? issued?.key : readMaterial(user?.stanza, own.key);
  const tls: TlsSettings = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(cluster.skipTlsVerify ? { rejectUnauthorized: false } : {}),
    ...(cluster.tlsServerName === undefined ? {} : { servername: cluster.tlsServerName }),
  };
  const uri = cluster.proxyUrl;
  const id = createHash("sha256").update(JSON.stringify({ tls, uri })).digest("base64");
  if (before?.key === id) return before;
  if (uri === undefined) return { kind: "direct", key: id, tls };
  return { kind: uri.startsWith("socks") ? "socks" : "proxy", key: id, uri, tls };
}

function readMaterial(stanza: Stanza | undefined, material: Material | undefined): Buffer | undefined {
  if (material === undefined || stanza === undefined) return undefined;
  if (material.kind === "data") return material.data;
  try {
    return readFileSync(material.path);
  } catch (error) {
    const problem = `"${material.key}" (${material.path}) cannot be read (${systemCode(error) ?? "unknown error"})`;
    throw refuse(stanza, problem, "Correct the path or the permissions of the file");
  }
}
