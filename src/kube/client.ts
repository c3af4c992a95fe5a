import type { KubeList, KubeObject, ObjectName, ResourceType, WatchEvent } from "./types.ts";

/** One page of a list, or the whole of it. */
export interface ListOptions {
  /** One namespace; all namespaces when missing. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Page size; the server's choice when missing. */
  readonly limit?: number;
  /** Token of the next page, from the list before. */
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: "Exact" | "NotOlderThan";
}

/** Where a watch begins and what it brings. */
export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: "NotOlderThan";
  /** WatchList: the server sends what exists as ADDED events, then a bookmark annotated `k8s.io/initial-events-end`. */
  readonly sendInitialEvents?: boolean;
  readonly allowWatchBookmarks?: boolean;
  /** When the server should end the stream by itself, in seconds. */
  readonly timeoutSeconds?: number;
}

/** What every write can say. */
export interface WriteOptions {
  readonly subresource?: "status";
  /** Who owns the fields; the client's own default when missing. */
  readonly fieldManager?: string;
}

/**
 * Kubernetes over HTTP: typed verbs on any resource, nothing of our own resources.
 *
 * *Guarantees*: every call has a time limit, honors its signal, reuses pooled connections and never retries by itself.
 * `metadata.managedFields` of what the server answers is emptied; sent back like that, it means no change to the server.
 *
 * *Errors*: `KubeError`; an aborted signal rejects with the signal's reason.
 */
export interface KubeClient {
  get<T extends KubeObject>(type: ResourceType, name: ObjectName, signal?: AbortSignal): Promise<T>;
  list<T extends KubeObject>(type: ResourceType, options: ListOptions, signal?: AbortSignal): Promise<KubeList<T>>;
  /**
   * Streams events to `onEvent`, one call per line, in order, until the server ends the stream (resolves) or something
   * breaks (rejects). A line that was cut off is never delivered. `onBytes`, if given, is called whenever anything
   * arrives, so that a caller can notice silence. There is no time limit of our own: the signal ends it.
   */
  watch(
    type: ResourceType,
    options: WatchOptions,
    sink: { readonly onEvent: (event: WatchEvent) => void; readonly onBytes?: () => void },
    signal: AbortSignal,
  ): Promise<void>;
  create<T extends KubeObject>(type: ResourceType, object: T, options?: WriteOptions, signal?: AbortSignal): Promise<T>;
  /** PUT: replaces the object; with `metadata.resourceVersion` it fails with `conflict` if another client was faster. */
  replace<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options?: WriteOptions,
    signal?: AbortSignal,
  ): Promise<T>;
  /** Server-side apply of exactly the given fields. `force` (default true) takes over fields that others own. */
  apply<T extends KubeObject>(
    type: ResourceType,
    object: KubeObject,
    options: WriteOptions & { readonly force?: boolean },
    signal?: AbortSignal,
  ): Promise<T>;
  patch<T extends KubeObject>(
    type: ResourceType,
    name: ObjectName,
    patch:
      | { readonly kind: "merge"; readonly body: object }
      | { readonly kind: "json"; readonly body: readonly object[] },
    options?: WriteOptions,
    signal?: AbortSignal,
  ): Promise<T>;
  delete(
    type: ResourceType,
    name: ObjectName,
    options?: { readonly uid?: string; readonly resourceVersion?: string },
    signal?: AbortSignal,
  ): Promise<void>;
}

/** What an API server publishes about itself. */
export interface KubeDocuments {
  /**
   * The OpenAPI v3 document of a group and version, parsed; every authenticated user may read it. It may be some 100 KB:
   * keep what is needed of it.
   *
   * *Errors*: `KubeError`; `not_found` when nothing of the group is served.
   */
  openApi(type: Pick<ResourceType, "group" | "version">, signal?: AbortSignal): Promise<unknown>;
}

/** What pods serve, read through the API server. */
export interface KubePodProxy {
  /**
   * What a pod answers to `GET path` on a port, through the proxy of the API server; also with 503, as a pod that is not
   * ready does. Needs `get` on `pods/proxy`.
   *
   * *Errors*: `KubeError`.
   */
  podText(pod: ObjectName, at: { readonly port: number; readonly path: string }, signal?: AbortSignal): Promise<string>;
}
