import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Agent, request } from "undici";
import { type KubernetesSandbox, startKubernetes } from "../../sandbox/kubernetes/server.ts";
import type { KubeClient } from "../../src/kube/client.ts";
import { createKubeClient } from "../../src/kube/http-client.ts";
import { loadKubeAccess } from "../../src/kube/kubeconfig.ts";
import type { KubeObject, ResourceType } from "../../src/kube/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import { type ControlPlane, type ControlPlaneFacts, startControlPlane, writeKubeconfig } from "./control-plane.ts";
import { findControlPlaneBinaries } from "./control-plane-binaries.ts";
import { renderKustomization, resourceTypeOf } from "./manifests.ts";

/** The Kubernetes API that a test runs on: the embedded sandbox or a real kube-apiserver, with the same means for both. */
export interface Cluster extends AsyncDisposable {
  readonly kind: "sandbox" | "real";
  readonly url: string;
  /** Of an administrator. */
  readonly kubeconfigPath: string;
  /** Of the operator's service account, which has exactly the rights that `deploy/` ships. */
  readonly operatorKubeconfigPath: string;
  /** As administrator; writes as field manager `test`. */
  readonly client: KubeClient;
  /** The sandbox itself, for tests that make it misbehave; missing on a real server. */
  readonly sandbox?: KubernetesSandbox;
  /** One raw call as administrator, for what {@link KubeClient} does not offer. `body` is parsed if it is JSON. */
  request(method: string, path: string, options?: RawRequest): Promise<RawResponse>;
  /**
   * A namespace that nobody else uses. The operator may hold its Lease there, so that several operators can run side by
   * side: each with `--leader-elect-namespace` and `--watch-namespaces` of its own.
   */
  freshNamespace(): Promise<string>;
  /** Every call of an operator that the server has answered since this cluster was taken; watches when they end. */
  operatorCalls(): Promise<readonly OperatorCall[]>;
  /** What the server refused to the operator with 403 since this cluster was taken: `patch events.k8s.io/events`. */
  forbidden(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** One call, in the words of RBAC: `{verb: "patch", path: "/apis/.../status", status: 200}`. */
export interface OperatorCall {
  readonly verb: string;
  /** Without the query. */
  readonly path: string;
  readonly status: number | undefined;
}

export interface RawRequest {
  readonly contentType?: string;
  /** A string goes out as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

/** A cluster that another process started and prepared, as `npm run test:cluster` hands it down in `TEST_CLUSTER_FACTS`. */
export interface SharedCluster extends ControlPlaneFacts {
  readonly operatorKubeconfigPath: string;
}

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const operator = { namespace: "northflank-operator", name: "northflank-operator" };

/** The user name of the operator's service account. */
export const operatorUser = `system:serviceaccount:${operator.namespace}:${operator.name}`;

/**
 * The cluster that this test run is about: `TEST_CLUSTER=sandbox` (default) or `real`. It has the CRDs of `crds/` and the
 * service account and RBAC of `deploy/`. Without `audit` (default true) a real server does not tell the operator's calls,
 * and does not pay for writing them down.
 */
export async function clusterUnderTest(
  env: NodeJS.ProcessEnv = process.env,
  options: { readonly audit?: boolean } = {},
): Promise<Cluster> {
  const kind = env.TEST_CLUSTER ?? "sandbox";
  if (kind === "sandbox") return startSandbox();
  if (kind === "real") return env.TEST_CLUSTER_FACTS ? attach(env.TEST_CLUSTER_FACTS) : startReal(env, options);
  throw new Error(`TEST_CLUSTER is ${kind}; expected sandbox or real`);
}

/** A real control plane with nothing installed, as a new user has it, but for kubelets and the controller-manager. */
export interface CleanCluster
  extends Pick<Cluster, "url" | "kubeconfigPath" | "client" | "request" | "operatorCalls" | "forbidden" | "stop">,
    AsyncDisposable {
  /** PEM file of the authority that the server's certificate is signed by. */
  readonly caFile: string;
  /** What a kubelet would mount for a pod of this service account. */
  serviceAccountToken(account: { readonly namespace: string; readonly name: string }): Promise<string>;
}

/** Starts one. The calls of every service account count as the operator's. */
export async function startCleanCluster(env: NodeJS.ProcessEnv = process.env): Promise<CleanCluster> {
  const binaries = await findControlPlaneBinaries({ env, say: (line) => process.stderr.write(`${line}\n`) });
  const plane = await startControlPlane({ binaries, auditGroups: ["system:serviceaccounts"] });
  const { url, caFile, kubeconfigPath, auditLog } = plane;
  const { client, request, close } = await administrator(plane);
  const read = auditReader(auditLog, () => true);
  const operatorCalls = async () => [...read()];
  const stop = async () => {
    await close();
    await plane.stop();
  };
  return {
    url,
    caFile,
    kubeconfigPath,
    client,
    request,
    operatorCalls,
    forbidden: () => forbiddenOf(operatorCalls),
    serviceAccountToken: (account) => createToken(request, account),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Starts a real control plane, installs what the operator needs and writes down how others can use it too. */
export async function startSharedCluster(options: {
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  /** Write the operator's calls to the audit log, which costs the server something. Default true. */
  readonly audit?: boolean;
}): Promise<{ readonly factsPath: string; readonly cluster: Cluster; readonly plane: ControlPlane }> {
  const binaries = await findControlPlaneBinaries(options);
  const plane = await startControlPlane({ binaries, auditUsers: options.audit === false ? [] : [operatorUser] });
  try {
    const access = await loadKubeAccess({ path: plane.kubeconfigPath }, { clock: systemClock });
    await using client = createKubeClient({ access, clock: systemClock, fieldManager: "test" });
    await install(client);
    const operatorKubeconfigPath = join(plane.directory, "operator.kubeconfig");
    const raw = rawRequests(plane);
    writeKubeconfig(operatorKubeconfigPath, plane, await createToken(raw.send, operator));
    await raw.close();
    const { url, caFile, adminToken, kubeconfigPath, auditLog } = plane;
    const facts: SharedCluster = { url, caFile, adminToken, kubeconfigPath, auditLog, operatorKubeconfigPath };
    const factsPath = join(plane.directory, "facts.json");
    writeFileSync(factsPath, JSON.stringify(facts), { mode: 0o600 });
    return { factsPath, cluster: await realCluster(facts, () => plane.stop()), plane };
  } catch (error) {
    await plane.stop();
    throw error;
  }
}

async function startSandbox(): Promise<Cluster> {
  const sandbox = await startKubernetes();
  const directory = mkdtempSync(join(tmpdir(), "northflank-operator-sandbox-"));
  const kubeconfigPath = join(directory, "admin.kubeconfig");
  const operatorKubeconfigPath = join(directory, "operator.kubeconfig");
  // Every token is an administrator there; the operator has one of its own so that its calls can be told apart.
  const operatorToken = "operator";
  writeKubeconfig(kubeconfigPath, { url: sandbox.url }, "admin");
  writeKubeconfig(operatorKubeconfigPath, { url: sandbox.url }, operatorToken);
  const operatorCalls = async () =>
    sandbox.calls
      .filter(({ headers }) => headers.authorization === `Bearer ${operatorToken}`)
      .map(({ method, path, query, status }) => ({ verb: verbOf(method, query), path, status }));
  const stop = async () => {
    await sandbox.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  const facts = { url: sandbox.url, adminToken: "admin", kubeconfigPath, operatorKubeconfigPath };
  try {
    const cluster = await createCluster({ kind: "sandbox", facts, operatorCalls, stop });
    await install(cluster.client);
    return { ...cluster, sandbox };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startReal(env: NodeJS.ProcessEnv, options: { readonly audit?: boolean }): Promise<Cluster> {
  const { cluster } = await startSharedCluster({ env, say: (line) => process.stderr.write(`${line}\n`), ...options });
  return cluster;
}

async function attach(factsPath: string): Promise<Cluster> {
  return realCluster(JSON.parse(readFileSync(factsPath, "utf8")) as SharedCluster, async () => undefined);
}

function realCluster(facts: SharedCluster, stop: () => Promise<void>): Promise<Cluster> {
  const read = auditReader(facts.auditLog, (user) => user === operatorUser);
  const before = read().length;
  return createCluster({ kind: "real", facts, operatorCalls: async () => read().slice(before), stop });
}

interface Access {
  readonly url: string;
  readonly caFile?: string;
  readonly adminToken: string;
  readonly kubeconfigPath: string;
  readonly operatorKubeconfigPath: string;
}

async function createCluster(options: {
  readonly kind: Cluster["kind"];
  readonly facts: Access;
  readonly operatorCalls: Cluster["operatorCalls"];
  readonly stop: () => Promise<void>;
}): Promise<Cluster> {
  const { kind, facts, operatorCalls } = options;
  const { client, request, close } = await administrator(facts);
  const stop = async () => {
    await close();
    await options.stop();
  };
  return {
    kind,
    url: facts.url,
    kubeconfigPath: facts.kubeconfigPath,
    operatorKubeconfigPath: facts.operatorKubeconfigPath,
    client,
    request,
    freshNamespace: () => makeNamespace(client),
    operatorCalls,
    forbidden: () => forbiddenOf(operatorCalls),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function forbiddenOf(operatorCalls: Cluster["operatorCalls"]): Promise<readonly string[]> {
  return (await operatorCalls()).filter(({ status }) => status === 403).map(({ verb, path }) => `${verb} ${path}`);
}

/** Both means of an administrator, and what ends them. */
async function administrator(facts: Pick<Access, "url" | "caFile" | "adminToken" | "kubeconfigPath">) {
  const access = await loadKubeAccess({ path: facts.kubeconfigPath }, { clock: systemClock });
  const client = createKubeClient({ access, clock: systemClock, fieldManager: "test" });
  const raw = rawRequests(facts);
  const close = async () => {
    await client[Symbol.asyncDispose]();
    await raw.close();
  };
  return { client, request: raw.send, close };
}

/** Calls with a bearer token that name their own content types and get the answer as it is. */
function rawRequests(facts: Pick<Access, "url" | "caFile" | "adminToken">) {
  const { caFile } = facts;
  const dispatcher = new Agent(caFile === undefined ? {} : { connect: { ca: readFileSync(caFile) } });
  const send: Cluster["request"] = async (method, path, options = {}) => {
    const response = await request(facts.url + path, {
      method: method as "GET",
      dispatcher,
      headers: {
        authorization: `Bearer ${facts.adminToken}`,
        ...(options.body === undefined ? {} : { "content-type": options.contentType ?? "application/json" }),
        ...options.headers,
      },
      body: options.body === undefined ? null : textOf(options.body),
    });
    return { status: response.statusCode, headers: response.headers, body: parsed(await response.body.text()) };
  };
  return { send, close: () => dispatcher.close() };
}

function textOf(body: unknown): string {
  return typeof body === "string" ? body : JSON.stringify(body);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Installs what `deploy/` ships, but for the Deployment itself: the operator runs on this machine. */
async function install(client: KubeClient): Promise<void> {
  const wanted = renderKustomization(join(root, "deploy"));
  const kinds = ["CustomResourceDefinition", "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"];
  for (const kind of [...kinds, "Role", "RoleBinding"]) {
    await Promise.all(
      wanted.filter((one) => one.kind === kind).map((one) => client.apply(resourceTypeOf(one), one, {})),
    );
  }
  await Promise.all(wanted.filter((one) => one.kind === "CustomResourceDefinition").map((crd) => served(client, crd)));
}

/** Waits until the server serves a new resource. That takes a moment after the definition was accepted. */
async function served(client: KubeClient, definition: KubeObject): Promise<void> {
  const { spec } = definition as KubeObject & { readonly spec: CrdSpec };
  const version = spec.versions[0]?.name ?? "";
  const { plural, kind } = spec.names;
  const type: ResourceType = { group: spec.group, version, plural, kind, namespaced: spec.scope === "Namespaced" };
  const deadlineMs = performance.now() + 30_000;
  for (;;) {
    try {
      await client.list(type, { limit: 1 });
      return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw new Error(`${plural} are not served`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

interface CrdSpec {
  readonly group: string;
  readonly scope: string;
  readonly names: { readonly plural: string; readonly kind: string };
  readonly versions: readonly { readonly name: string }[];
}

/** What `kubectl create token` does. Valid for a day: longer than any test run. */
async function createToken(
  send: Cluster["request"],
  account: { readonly namespace: string; readonly name: string },
): Promise<string> {
  const path = `/api/v1/namespaces/${account.namespace}/serviceaccounts/${account.name}/token`;
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 86_400 } };
  const answer = await send("POST", path, { body });
  const token = (answer.body as { readonly status?: { readonly token?: string } }).status?.token;
  if (token === undefined) throw new Error(`no token for ${account.name}: HTTP ${answer.status}`);
  return token;
}

async function makeNamespace(client: KubeClient): Promise<string> {
  const name = `test-${randomBytes(5).toString("hex")}`;
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  await client.create(resourceTypeOf(namespace), namespace);
  const shipped = renderKustomization(join(root, "deploy"));
  for (const object of shipped.filter(({ kind }) => kind === "Role" || kind === "RoleBinding")) {
    const here = { ...object, metadata: { ...object.metadata, namespace: name } };
    await client.apply(resourceTypeOf(here), here, {});
  }
  return name;
}

interface AuditLine {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly requestURI: string;
  readonly responseStatus?: { readonly code?: number };
}

/** Reads the calls of the operator from the audit log, each time only what came since. */
function auditReader(auditLog: string, isOperator: (user: string) => boolean): () => readonly OperatorCall[] {
  const calls: OperatorCall[] = [];
  let offset = 0;
  return () => {
    const text = readFileSync(auditLog).subarray(offset).toString("utf8");
    const end = text.lastIndexOf("\n") + 1;
    offset += Buffer.byteLength(text.slice(0, end));
    for (const line of text.slice(0, end).split("\n")) {
      if (line === "") continue;
      const { verb, user, requestURI, responseStatus } = JSON.parse(line) as AuditLine;
      if (!isOperator(user.username)) continue;
      calls.push({ verb, path: requestURI.split("?")[0] ?? "", status: responseStatus?.code });
    }
    return calls;
  };
}

/** As the audit log of a real server calls it. */
function verbOf(method: string, query: URLSearchParams): string {
  const isWatch = query.get("watch") === "true" || query.get("watch") === "1";
  return method === "GET" && isWatch ? "watch" : (verbs[method] ?? method.toLowerCase());
}

const verbs: Readonly<Record<string, string>> = { POST: "create", PUT: "update", PATCH: "patch", GET: "get" };
