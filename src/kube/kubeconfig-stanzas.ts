// pure
import { dirname, resolve } from "node:path";
import { printable } from "../util/printable.ts";
import { type KubeError, kubeconfigError } from "./errors.ts";

/** One named entry of `clusters`, `users` or `contexts`, as its file has it. */
export interface Stanza {
  readonly kind: StanzaKind;
  readonly name: string;
  /** The file that it comes from. Relative paths in it start at the folder of that file. */
  readonly file: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export type StanzaKind = "cluster" | "user" | "context";

/** A file that is read when it is needed, or what the kubeconfig itself holds. */
export type Material =
  | { readonly kind: "file"; readonly path: string; readonly key: string }
  | { readonly kind: "data"; readonly data: Buffer };

export interface Cluster {
  readonly stanza: Stanza;
  readonly server: string;
  readonly ca: Material | undefined;
  readonly skipTlsVerify: boolean;
  readonly tlsServerName: string | undefined;
  /** With the scheme http, https or socks5. May hold a password. */
  readonly proxyUrl: string | undefined;
  readonly disableCompression: boolean;
  /** What credential plugins get from the cluster: its extension `client.authentication.k8s.io/exec`. */
  readonly execConfig: unknown;
}

export interface Context {
  readonly cluster: string;
  /** Missing: requests are anonymous, because the file says so. */
  readonly user: string | undefined;
  readonly namespace: string | undefined;
}

export interface User {
  readonly stanza: Stanza;
  readonly identity: Identity;
  readonly certificate: { readonly cert: Material; readonly key: Material } | undefined;
  readonly impersonation: Impersonation | undefined;
}

/** What goes into the `Authorization` header, or provides it. */
export type Identity =
  /** At least one of both is there; what the file holds wins. */
  | { readonly kind: "token"; readonly token: string | undefined; readonly tokenFile: string | undefined }
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  | { readonly kind: "exec"; readonly exec: ExecStanza }
  | { readonly kind: "oidc"; readonly oidc: OidcStanza }
  /** The client certificate says who we are. */
  | { readonly kind: "certificate" };

export interface Impersonation {
  readonly user: string;
  readonly uid: string | undefined;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export interface ExecStanza {
  readonly apiVersion: ExecApiVersion;
  /** Absolute, or a name that is searched for in `PATH`. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly installHint: string | undefined;
  readonly provideClusterInfo: boolean;
}

export const execApiVersions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"] as const;
export type ExecApiVersion = (typeof execApiVersions)[number];

export interface OidcStanza {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly idToken: string | undefined;
  readonly refreshToken: string | undefined;
  readonly ca: Material | undefined;
}

/** One kind of value: how it is called in messages, and the value; `undefined` when it is not of this kind. */
interface Form<T> {
  readonly expected: string;
  readonly read: (value: unknown) => T | undefined;
}
type Table = Readonly<Record<string, Form<unknown>>>;
type Values<T extends Table> = { readonly [K in keyof T]: T[K] extends Form<infer V> ? V | undefined : never };

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");

const text: Form<string> = {
  expected: "text in quotes",
  read: (value) => (typeof value === "string" ? value : undefined),
};
const flag: Form<boolean> = {
  expected: "true or false",
  read: (value) => (typeof value === "boolean" ? value : undefined),
};
const texts: Form<readonly string[]> = {
  expected: "a list of texts",
  read: (value) => (isTexts(value) ? value : undefined),
};
const base64: Form<Buffer> = { expected: "base64", read: readBase64 };
const map: Form<Readonly<Record<string, unknown>>> = {
  expected: "a map",
  read: (value) => (isRecord(value) ? value : undefined),
};
const textMap: Form<Readonly<Record<string, string>>> = {
  expected: "a map of texts",
  read: (value) =>
    isRecord(value) && Object.values(value).every((one) => typeof one === "string" || one === null)
      ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, typeof one === "string" ? one : ""]))
      : undefined,
};
const textsMap: Form<Readonly<Record<string, readonly string[]>>> = {
  expected: "a map of lists of texts",
  read: (value) =>
    isRecord(value) && Object.values(value).every(isTexts)
      ? (value as Readonly<Record<string, readonly string[]>>)
      : undefined,
};
const environment: Form<readonly { readonly name: string; readonly value: string }[]> = {
  expected: "a list of name and value",
  read: readEnvironment,
};
/** For programs that keep data of their own in a kubeconfig; it never says who we are. */
const anything: Form<unknown> = { expected: "anything", read: (value) => value };

/**
 * Every key that a stanza may have. A key that is not here is refused and never skipped: it may be a misspelt credential,
 * and without it requests would be sent as another user. `test/kube/kubeconfig-keys.test.ts` compares the tables with the
 * types of Kubernetes.
 */
export const stanzaKeys = {
  cluster: {
    server: text,
    "tls-server-name": text,
    "insecure-skip-tls-verify": flag,
    "certificate-authority": text,
    "certificate-authority-data": base64,
    "proxy-url": text,
    "disable-compression": flag,
    extensions: anything,
  },
  user: {
    "client-certificate": text,
    "client-certificate-data": base64,
    "client-key": text,
    "client-key-data": base64,
    token: text,
    tokenFile: text,
    as: text,
    "as-uid": text,
    "as-groups": texts,
    "as-user-extra": textsMap,
    username: text,
    password: text,
    "auth-provider": map,
    exec: map,
    extensions: anything,
  },
  context: { cluster: text, user: text, namespace: text, extensions: anything },
  exec: {
    command: text,
    args: texts,
    env: environment,
    apiVersion: text,
    installHint: text,
    provideClusterInfo: flag,
    interactiveMode: text,
  },
  "auth-provider": { name: text, config: textMap },
} as const satisfies Readonly<Record<string, Table>>;

/** Reads a cluster. *Errors*: `KubeError` with code `config`, which names file, cluster and key. */
export function readCluster(stanza: Stanza): Cluster {
  const keys = readKeys(stanza, stanzaKeys.cluster);
  const ca = material(stanza, "certificate-authority", {
    path: keys["certificate-authority"],
    data: keys["certificate-authority-data"],
  });
  const skipTlsVerify = keys["insecure-skip-tls-verify"] ?? false;
  if (ca !== undefined && skipTlsVerify) {
    throw refuse(
      stanza,
      '"insecure-skip-tls-verify" is true, and a certificate authority is given',
      'Remove "insecure-skip-tls-verify", or the certificate authority',
    );
  }
  if (keys.server === undefined) throw refuse(stanza, '"server" is missing', "Add it");
  return {
    stanza,
    server: keys.server,
    ca,
    skipTlsVerify,
    tlsServerName: keys["tls-server-name"],
    proxyUrl: proxyUrl(stanza, keys["proxy-url"]),
    disableCompression: keys["disable-compression"] ?? false,
    execConfig: execConfig(keys.extensions),
  };
}

/** Reads a context. *Errors*: `KubeError` with code `config`. */
export function readContext(stanza: Stanza): Context {
  const { cluster, user, namespace } = readKeys(stanza, stanzaKeys.context);
  if (cluster === undefined) throw refuse(stanza, '"cluster" is missing', "Add the name of a cluster");
  return { cluster, user, namespace };
}

/**
 * Reads a user, with the precedence of kubectl: a token, else a password, else a plugin, and the client certificate
 * beside it.
 *
 * *Errors*: `KubeError` with code `config`, which names file, user and key and never quotes a value; also when nothing in
 * the stanza says who we are.
 */
export function readUser(stanza: Stanza): User {
  const keys = readKeys(stanza, stanzaKeys.user);
  const certificate = readCertificate(stanza, keys);
  return {
    stanza,
    certificate,
    identity: readIdentity(stanza, keys, certificate !== undefined),
    impersonation: readImpersonation(stanza, keys),
  };
}

type UserKeys = Values<typeof stanzaKeys.user>;

function readIdentity(stanza: Stanza, keys: UserKeys, hasCertificate: boolean): Identity {
  const { token, username, password } = keys;
  const tokenFile = keys.tokenFile === undefined ? undefined : pathFrom(stanza, keys.tokenFile);
  const hasToken = token !== undefined || tokenFile !== undefined;
  const hasPassword = username !== undefined || password !== undefined;
  if (hasToken && hasPassword) {
    const tokenKey = token === undefined ? "tokenFile" : "token";
    throw refuse(stanza, `"${tokenKey}" and "username" or "password" are given`, "Remove one of the two");
  }
  if (keys.exec !== undefined && keys["auth-provider"] !== undefined) {
    throw refuse(stanza, '"exec" and "auth-provider" are given', "Remove one of the two");
  }
  // Both are checked even where a token goes before them: kubectl does so, too.
  const exec = keys.exec === undefined ? undefined : readExec(stanza, keys.exec);
  const oidc = keys["auth-provider"] === undefined ? undefined : readAuthProvider(stanza, keys["auth-provider"]);
  if (hasToken) return { kind: "token", token, tokenFile };
  if (hasPassword) return { kind: "basic", username: username ?? "", password: password ?? "" };
  if (oidc !== undefined) return { kind: "oidc", oidc };
  if (hasCertificate) return { kind: "certificate" };
  if (exec !== undefined) return { kind: "exec", exec };
  throw refuse(
    stanza,
    "it has no credentials",
    "Add them, or remove the user from the context to send anonymous requests",
  );
}

function readCertificate(stanza: Stanza, keys: UserKeys): User["certificate"] {
  const cert = material(stanza, "client-certificate", {
    path: keys["client-certificate"],
    data: keys["client-certificate-data"],
  });
  const key = material(stanza, "client-key", { path: keys["client-key"], data: keys["client-key-data"] });
  if (cert === undefined) return undefined;
  if (key === undefined) {
    throw refuse(stanza, "a client certificate is given without its key", 'Add "client-key" or "client-key-data"');
  }
  return { cert, key };
}

function readImpersonation(stanza: Stanza, keys: UserKeys): Impersonation | undefined {
  const { as: user, "as-uid": uid, "as-groups": groups = [], "as-user-extra": extra = {} } = keys;
  if (user !== undefined) return { user, uid, groups, extra };
  if (uid === undefined && groups.length === 0 && Object.keys(extra).length === 0) return undefined;
  throw refuse(
    stanza,
    '"as-uid", "as-groups" or "as-user-extra" is given without "as"',
    'Add "as", or remove the other keys',
  );
}

function readExec(stanza: Stanza, body: Readonly<Record<string, unknown>>): ExecStanza {
  const keys = readKeys(stanza, stanzaKeys.exec, { body, at: "exec" });
  const { command, apiVersion: written, args = [], env = [], installHint, provideClusterInfo = false } = keys;
  if (command === undefined) throw refuse(stanza, '"exec.command" is missing', "Add the credential plugin's command");
  const apiVersion = execApiVersions.find((one) => one === written);
  if (apiVersion === undefined) {
    const is = written === undefined ? "is missing" : "is not supported";
    throw refuse(stanza, `"exec.apiVersion" ${is}`, `Set it to ${execApiVersions.join(" or ")}`);
  }
  checkInteractiveMode(stanza, apiVersion, keys.interactiveMode);
  // As kubectl: a name without a slash is searched for in PATH, anything else is a path.
  const found = command.includes("/") ? pathFrom(stanza, command) : command;
  return { apiVersion, command: found, args, env, installHint, provideClusterInfo };
}

function checkInteractiveMode(stanza: Stanza, apiVersion: ExecApiVersion, mode: string | undefined): void {
  if (mode === "Never" || mode === "IfAvailable") return;
  if (mode === undefined && apiVersion === "client.authentication.k8s.io/v1beta1") return;
  const problem =
    mode === "Always"
      ? "is Always, but this program has no terminal for the credential plugin"
      : `is ${mode === undefined ? "missing" : "unknown"}`;
  throw refuse(stanza, `"exec.interactiveMode" ${problem}`, "Set it to Never or IfAvailable");
}

function readAuthProvider(stanza: Stanza, body: Readonly<Record<string, unknown>>): OidcStanza {
  const { name, config = {} } = readKeys(stanza, stanzaKeys["auth-provider"], { body, at: "auth-provider" });
  if (name !== "oidc") {
    throw refuse(
      stanza,
      name === undefined ? '"auth-provider.name" is missing' : `the auth provider "${name}" is not supported`,
      authProviderRemedies.get(name ?? "") ?? 'Use a credential plugin ("exec"), a token or a client certificate',
    );
  }
  const of = (key: string) => (config[key] === "" ? undefined : config[key]);
  const required = (key: string): string => {
    const value = of(key);
    if (value === undefined) throw refuse(stanza, `"auth-provider.config.${key}" is missing`, "Add it");
    return value;
  };
  const issuer = required("idp-issuer-url");
  const clientId = required("client-id");
  const [idToken, refreshToken] = [of("id-token"), of("refresh-token")];
  if (idToken === undefined && refreshToken === undefined) {
    throw refuse(stanza, '"auth-provider.config" has neither "id-token" nor "refresh-token"', "Log in again");
  }
  return { issuer, clientId, clientSecret: of("client-secret") ?? "", idToken, refreshToken, ca: oidcCa(stanza, of) };
}

const authProviderRemedies: ReadonlyMap<string, string> = new Map([
  ["gcp", "Use the credential plugin gke-gcloud-auth-plugin: run gcloud container clusters get-credentials again"],
  ["azure", "Use the credential plugin kubelogin: run kubelogin convert-kubeconfig"],
]);

function oidcCa(stanza: Stanza, of: (key: string) => string | undefined): Material | undefined {
  const key = "auth-provider.config.idp-certificate-authority";
  const data = of("idp-certificate-authority-data");
  if (data !== undefined) {
    const decoded = readBase64(data);
    if (decoded === undefined) throw refuse(stanza, `"${key}-data" is not base64`, "Correct it");
    return { kind: "data", data: decoded };
  }
  const path = of("idp-certificate-authority");
  // kubectl resolves this one path from the folder that it is started in.
  return path === undefined ? undefined : { kind: "file", path, key };
}

/** All keys of one stanza. What is missing, null, or empty text is `undefined`, as kubectl has it. */
function readKeys<T extends Table>(
  stanza: Stanza,
  table: T,
  inner?: { readonly body: Readonly<Record<string, unknown>>; readonly at: string },
): Values<T> {
  const body = inner?.body ?? stanza.body;
  const at = inner === undefined ? "" : `${inner.at}.`;
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(body)) {
    const form = Object.hasOwn(table, key) ? table[key] : undefined;
    if (form === undefined) {
      const remedy = `Correct or remove it; the keys are ${Object.keys(table).join(", ")}`;
      throw refuse(stanza, `${unknownKey(key, value, at)} is not a key of it`, remedy);
    }
    if (value === null || value === "") continue;
    values[key] = form.read(value);
    if (values[key] === undefined) throw refuse(stanza, `"${at}${key}" is not ${form.expected}`, "Correct it");
  }
  return values as Values<T>;
}

/** Quoted only where it looks like a key: in YAML that went wrong, a credential may stand where a key belongs. */
function unknownKey(key: string, value: unknown, at: string): string {
  if (value !== null && /^[A-Za-z][A-Za-z_-]{0,39}$/.test(key)) return `"${at}${key}"`;
  return at === "" ? "something" : `something in "${at.slice(0, -1)}"`;
}

/** The pair `key` (a path) and `key-data`, of which at most one may be given. */
function material(
  stanza: Stanza,
  key: string,
  { path, data }: { readonly path: string | undefined; readonly data: Buffer | undefined },
): Material | undefined {
  if (path !== undefined && data !== undefined) {
    throw refuse(stanza, `"${key}" and "${key}-data" are both given`, "Remove one of the two");
  }
  if (path !== undefined) return { kind: "file", path: pathFrom(stanza, path), key };
  return data === undefined ? undefined : { kind: "data", data };
}

function proxyUrl(stanza: Stanza, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const isKnown = url !== undefined && /^(?:https?|socks5):$/.test(url.protocol) && url.hostname !== "";
  if (isKnown && isDecodable(url.username) && isDecodable(url.password)) return value;
  // Not quoted: it may hold a password.
  throw refuse(stanza, '"proxy-url" is not the URL of a proxy', "Begin it with http://, https:// or socks5://");
}

function isDecodable(text: string): boolean {
  try {
    return decodeURIComponent(text) !== undefined;
  } catch {
    // A percent sign that encodes nothing.
    return false;
  }
}

function execConfig(extensions: unknown): unknown {
  if (!Array.isArray(extensions)) return undefined;
  const own = extensions.find((one) => isRecord(one) && one.name === "client.authentication.k8s.io/exec");
  return own?.extension;
}

function readEnvironment(value: unknown): readonly { readonly name: string; readonly value: string }[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const variables: { name: string; value: string }[] = [];
  for (const one of value) {
    if (!isRecord(one) || typeof one.name !== "string" || one.name === "") return undefined;
    if (one.value !== undefined && one.value !== null && typeof one.value !== "string") return undefined;
    variables.push({ name: one.name, value: one.value ?? "" });
  }
  return variables;
}

function readBase64(value: unknown): Buffer | undefined {
  if (typeof value !== "string") return undefined;
  const packed = value.replaceAll(/[\r\n]/g, "");
  const isBase64 = packed.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(packed);
  return isBase64 ? Buffer.from(packed, "base64") : undefined;
}

function pathFrom(stanza: Stanza, path: string): string {
  return resolve(dirname(stanza.file), path);
}

/** The error that a stanza cannot be used: what is wrong with it, and a remedy. Neither may quote a value of a user. */
export function refuse(stanza: Stanza, problem: string, remedy: string): KubeError {
  return kubeconfigError(`use ${stanza.kind} "${shownName(stanza.name)}" of ${stanza.file}`, `${problem}. ${remedy}.`);
}

/** A name from an untrusted file, made printable and cut at 100 characters. */
export function shownName(name: string): string {
  const shown = printable(name);
  return shown.length > 100 ? `${shown.slice(0, 100)}...` : shown;
}
