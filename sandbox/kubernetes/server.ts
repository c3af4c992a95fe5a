import { randomBytes, randomUUID } from "node:crypto";
import { parseAllDocuments, stringify } from "yaml";
import { type SandboxServer, startSandboxServer } from "../http.ts";
import { builtinResources } from "./builtins.ts";
import type { RuleCheck } from "./cel.ts";
import { crdResource, definedBy } from "./crds.ts";
import { Registry } from "./registry.ts";
import { answer, type RouteContext } from "./routes.ts";
import { type ApiError, expired, internalError } from "./status-errors.ts";
import { Store } from "./store.ts";
import { type ApiObject, isObject, type JsonObject, type Resource } from "./types.ts";
import { WatchStream } from "./watch.ts";
import { createObject, keyOf, patchObject, removeEntry, type Target, type WriteContext } from "./writes.ts";

export interface KubernetesOptions {
  /** 0 = any free one (default). */
  readonly port?: number;
  /** Wall clock in milliseconds, for timestamps and ages. Default `Date.now`. */
  readonly now?: () => number;
  /** Time between bookmarks on watches that asked for them. Default 60,000. */
  readonly bookmarkPeriodMs?: number;
  /** How many changes each resource remembers for watches and pages that started earlier. Default 20,000. */
  readonly watchCacheSize?: number;
}

/** An in-memory Kubernetes API server on a loopback port. Every token, and none, is an administrator. */
export interface KubernetesSandbox extends SandboxServer {
  /** A kubeconfig for this server, as YAML. */
  kubeconfig(): string;
  /**
   * Applies CustomResourceDefinitions, given as YAML (any number of documents) or as objects.
   *
   * *Errors*: throws with the server's findings when a definition is refused.
   */
  installCrds(definitions: string | readonly object[]): void;
  /** The newest resourceVersion that was given out. */
  readonly revision: number;
  /** How many watch streams are open. */
  readonly openWatches: number;
  /** Forgets all history: watches and pages that started before get 410. */
  compactHistory(): void;
  /**
   * As after a restore of etcd from a backup: all objects are as they were when `revision` was the newest one, and
   * resourceVersions count on from there. Every open watch ends with 410.
   */
  restore(revision: number): void;
  /** Keeps the watches open now connected, and sends nothing on them any more. New ones work. */
  silenceWatches(): void;
  /** Ends the open watches the way a server does that shuts down: properly, without an event. */
  endWatches(): void;
  /** Breaks the connections of the open watches. */
  cutWatches(): void;
  /** Sends an ERROR event on every open watch and ends it. Default: 410 Expired. */
  failWatches(error?: ApiError): void;
  /** Sends a bookmark now on every open watch that asked for bookmarks. */
  sendBookmarks(): void;
}

/** Starts the sandbox's Kubernetes API server with the namespaces `default` and `kube-system`. */
export async function startKubernetes(options: KubernetesOptions = {}): Promise<KubernetesSandbox> {
  const cluster = createCluster(options);
  const server = await startSandboxServer({
    port: options.port ?? 0,
    handle: (call, response) => answer(cluster.context, call, response),
    problem: (error) => {
      const { body } = internalError(error);
      return { status: body.code, body };
    },
  });
  const bookmarks = setInterval(() => cluster.sendBookmarks(), options.bookmarkPeriodMs ?? 60_000);
  bookmarks.unref();
  const stopServer = server.stop;
  const stop = async (): Promise<void> => {
    clearInterval(bookmarks);
    await stopServer();
  };
  const extras = {
    kubeconfig: () => kubeconfig(server.url),
    installCrds: cluster.installCrds,
    compactHistory: () => cluster.context.store.compact(),
    restore: (revision: number) => {
      cluster.context.store.restore(revision);
      cluster.eachWatch((stream) => stream.fail(expired("too old resource version")));
    },
    silenceWatches: () => cluster.eachWatch((stream) => stream.silence()),
    endWatches: () => cluster.eachWatch((stream) => stream.end()),
    cutWatches: () => cluster.eachWatch((stream) => stream.cut()),
    failWatches: (error = expired("too old resource version")) => cluster.eachWatch((stream) => stream.fail(error)),
    sendBookmarks: cluster.sendBookmarks,
    stop,
    [Symbol.asyncDispose]: stop,
  };
  const sandbox = Object.assign(server, extras) as unknown as KubernetesSandbox;
  Object.defineProperties(sandbox, {
    revision: { get: () => cluster.context.store.revision },
    openWatches: { get: () => cluster.openWatches() },
  });
  return sandbox;
}

interface Cluster {
  readonly context: RouteContext;
  readonly installCrds: (definitions: string | readonly object[]) => void;
  readonly eachWatch: (act: (stream: WatchStream) => void) => void;
  readonly openWatches: () => number;
  readonly sendBookmarks: () => void;
}

function createCluster(options: KubernetesOptions): Cluster {
  const now = options.now ?? Date.now;
  const nowText = () => `${new Date(now()).toISOString().slice(0, 19)}Z`;
  const crds = crdResource(nowText);
  const store = new Store({ historySize: options.watchCacheSize ?? 20_000 });
  const registry = new Registry([...builtinResources(), crds]);
  const rules = new Map<Resource, RuleCheck>();
  const watches = new Set<WatchStream>();

  const written: WriteContext["written"] = (resource, object, change) => {
    if (resource === crds) define(context, rules, object, change);
    else if (resource.plural === "namespaces" && resource.group === "")
      emptyNamespace(context, resource, object, change);
    else if (change === "removed") finishNamespace(context, object.metadata.namespace);
  };

  const context: RouteContext = {
    store,
    registry,
    now,
    newUid: randomUUID,
    newSuffix,
    written,
    hasRules: (resource) => rules.has(resource),
    checkRules: (resource, object, old) => rules.get(resource)?.(object, old) ?? [],
    openWatch: (request, response, render) => {
      const stream = new WatchStream({ request, store, response, render, onEnd: (ended) => watches.delete(ended) });
      watches.add(stream);
      stream.start();
    },
  };
  for (const name of ["default", "kube-system"]) createNamespace(context, name);

  const eachWatch = (act: (stream: WatchStream) => void) => {
    for (const stream of [...watches]) act(stream);
  };
  return {
    context,
    installCrds: (definitions) => installCrds(context, crds, definitions),
    eachWatch,
    openWatches: () => watches.size,
    sendBookmarks: () => eachWatch((stream) => stream.bookmark()),
  };
}

const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789";

function newSuffix(): string {
  return [...randomBytes(5)].map((byte) => suffixAlphabet[byte % suffixAlphabet.length]).join("");
}

function createNamespace(context: WriteContext, name: string): void {
  const resource = context.registry.find("", "v1", "namespaces");
  if (resource === undefined) return;
  const target: Target = { resource, namespace: undefined, name, subresource: undefined };
  const body = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  createObject(context, target, body, [], serverOptions);
}

const serverOptions = { manager: "sandbox", dryRun: false, fieldValidation: "Strict", force: true } as const;

function installCrds(context: WriteContext, resource: Resource, definitions: string | readonly object[]): void {
  const documents: unknown[] =
    typeof definitions === "string"
      ? parseAllDocuments(definitions).map((document) => document.toJS() as unknown)
      : structuredClone([...definitions]);
  for (const body of documents) {
    if (body === null) continue;
    if (!isObject(body) || !isObject(body.metadata)) throw new Error("a CustomResourceDefinition must be an object");
    const name = String(body.metadata.name ?? "");
    const target: Target = { resource, namespace: undefined, name, subresource: undefined };
    patchObject(context, target, { kind: "apply", body: body as JsonObject, duplicates: [] }, serverOptions);
  }
}

/** Serves what a stored definition defines; a removed one takes its objects along. */
function define(
  context: WriteContext,
  rules: Map<Resource, RuleCheck>,
  crd: ApiObject,
  change: "stored" | "removed",
): void {
  const { group, names } = crd.spec as { readonly group: string; readonly names: { readonly plural: string } };
  if (change === "removed") removeAll(context, group, names.plural);
  for (const resource of context.registry.all()) {
    if (resource.group === group && resource.plural === names.plural) rules.delete(resource);
  }
  context.registry.remove(group, names.plural);
  if (change === "removed") return;
  for (const { resource, rules: check } of definedBy(crd)) {
    context.registry.add(resource);
    if (check !== undefined) rules.set(resource, check);
  }
}

function removeAll(context: WriteContext, group: string, plural: string): void {
  const resource = context.registry.all().find((one) => one.group === group && one.plural === plural);
  if (resource === undefined) return;
  for (const entry of context.store.list(resource.storage)) removeEntry(context, resource, entry);
}

/** A removed namespace takes its objects along; what finalizers hold is marked and keeps the namespace terminating. */
function emptyNamespace(
  context: WriteContext,
  namespaces: Resource,
  namespace: ApiObject,
  change: "stored" | "removed",
): void {
  if (change !== "removed") return;
  const { name } = namespace.metadata;
  let isHeld = false;
  for (const { resource, entry } of objectsIn(context, name)) {
    if ((entry.object.metadata.finalizers ?? []).length === 0) {
      removeEntry(context, resource, entry);
      continue;
    }
    isHeld = true;
    if (entry.object.metadata.deletionTimestamp !== undefined) continue;
    const metadata = {
      ...entry.object.metadata,
      deletionTimestamp: seconds(context.now()),
      deletionGracePeriodSeconds: 0,
    };
    context.store.put(resource.storage, entry.key, { ...entry.object, metadata });
  }
  if (!isHeld) return;
  const metadata = { ...namespace.metadata, deletionTimestamp: seconds(context.now()) };
  context.store.put(namespaces.storage, name, { ...namespace, metadata, status: { phase: "Terminating" } });
}

function finishNamespace(context: WriteContext, name: string | undefined): void {
  if (name === undefined) return;
  const namespaces = context.registry.find("", "v1", "namespaces");
  const entry = context.store.get("namespaces", name);
  if (namespaces === undefined || entry?.object.metadata.deletionTimestamp === undefined) return;
  if (objectsIn(context, name).length === 0) context.store.remove(namespaces.storage, name);
}

function objectsIn(context: WriteContext, namespace: string) {
  const seen = new Set<string>();
  return context.registry.all().flatMap((resource) => {
    if (!resource.namespaced || seen.has(resource.storage)) return [];
    seen.add(resource.storage);
    const prefix = keyOf(namespace, "");
    const entries = context.store.list(resource.storage).filter(({ key }) => key.startsWith(prefix));
    return entries.map((entry) => ({ resource, entry }));
  });
}

function seconds(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
}

function kubeconfig(url: string): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "sandbox", cluster: { server: url } }],
    users: [{ name: "sandbox", user: { token: "sandbox" } }],
    contexts: [{ name: "sandbox", context: { cluster: "sandbox", user: "sandbox", namespace: "default" } }],
    "current-context": "sandbox",
  });
}
