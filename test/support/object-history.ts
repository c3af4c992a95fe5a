import type { KubeClient } from "../../src/kube/client.ts";
import type { Condition, KubeObject, ResourceType } from "../../src/kube/types.ts";
import { isOlder } from "../../src/runtime/resource-version.ts";

/** What every object of ours has, as far as tests ask. */
export interface StoredObject extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>> & {
    readonly observedGeneration?: number;
    readonly phase?: string;
    readonly conditions?: readonly Condition[];
    readonly lastHandledReconcileAt?: string;
  };
}

/** Every version of every object of one kind in one namespace, in order, as a watch tells them. */
export interface ObjectHistory {
  /** All versions of one object; a deletion is the last word of one life of it, not a version. */
  versionsOf(name: string): readonly StoredObject[];
  all(): readonly StoredObject[];
  /** The newest version, if it is at least as new as `resourceVersion`; `undefined` before and after its life. */
  latest(name: string, resourceVersion?: string): StoredObject | undefined;
  isDeleted(name: string): boolean;
  /** Called after each change. Returns how to stop that. */
  listen(onChange: () => void): () => void;
}

/**
 * Watches until `signal` ends it. After a break (a restarted API server) it continues with what is there then: only versions
 * in between may be missing.
 */
export async function recordHistory(
  client: KubeClient,
  type: ResourceType,
  namespace: string,
  signal: AbortSignal,
): Promise<ObjectHistory> {
  const versions: StoredObject[] = [];
  const deleted = new Set<string>();
  const listeners = new Set<() => void>();
  let { resourceVersion } = (await client.list(type, { namespace })).metadata;

  const told = () => {
    for (const listener of [...listeners]) listener();
  };
  const stored = (object: StoredObject) => {
    const { name } = object.metadata;
    const before = versions.findLast(({ metadata }) => metadata.name === name)?.metadata.resourceVersion;
    deleted.delete(name);
    if (before !== object.metadata.resourceVersion) versions.push(object);
  };
  const onEvent = (event: { readonly type: string; readonly object: unknown }) => {
    const object = event.object as StoredObject;
    if (event.type === "ERROR") throw new Error(`the watch of ${type.plural} failed`);
    resourceVersion = object.metadata.resourceVersion ?? resourceVersion;
    if (event.type === "BOOKMARK") return;
    if (event.type === "DELETED") deleted.add(object.metadata.name);
    else stored(object);
    told();
  };
  const relist = async (): Promise<void> => {
    const list = await client.list<StoredObject>(type, { namespace });
    resourceVersion = list.metadata.resourceVersion;
    const there = new Set(list.items.map(({ metadata }) => metadata.name));
    for (const { metadata } of versions) if (!there.has(metadata.name)) deleted.add(metadata.name);
    for (const object of list.items) stored(object);
    told();
  };
  const follow = async (): Promise<void> => {
    while (!signal.aborted) {
      const from = resourceVersion === undefined ? {} : { resourceVersion };
      // Short streams: one that was opened while the API server was starting may stay silent for ever.
      const options = { namespace, allowWatchBookmarks: true, timeoutSeconds: 15, ...from };
      try {
        await client.watch(type, options, { onEvent }, signal);
      } catch {
        // Broken, or too far back: what is there now counts. While the server is away that fails too.
        await sleep(200);
        if (!signal.aborted) await relist().catch(() => undefined);
      }
    }
  };
  void follow();

  const latest: ObjectHistory["latest"] = (name, since) => {
    const newest = versions.findLast(({ metadata }) => metadata.name === name);
    if (newest === undefined || deleted.has(name)) return undefined;
    return isOlder(newest.metadata.resourceVersion, since) ? undefined : newest;
  };
  return {
    versionsOf: (name) => versions.filter(({ metadata }) => metadata.name === name),
    all: () => versions,
    latest,
    isDeleted: (name) => deleted.has(name),
    listen: (onChange) => {
      listeners.add(onChange);
      return () => listeners.delete(onChange);
    },
  };
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
