import type { KubeObject, ResourceType } from "../kube/types.ts";
import type { ObjectKey } from "./outcome.ts";
import { Reflector, type ReflectorOptions } from "./reflector.ts";
import type { Cacheable, Listener, Store } from "./store.ts";

/** What readers need of one or several {@link Store}s of a kind; see there for the promises. */
export interface StoreView<T extends Cacheable, I extends string = never> {
  readonly size: number;
  get(key: ObjectKey): T | undefined;
  list(): readonly T[];
  byIndex(name: I, value: string): readonly T[];
  listen(listener: Listener<T>): () => void;
}

/** One kind, watched in all namespaces or in some. */
export interface WatchedKind<T extends Cacheable, I extends string = never> {
  readonly resource: ResourceType;
  readonly store: StoreView<T, I>;
  start(): void;
  stop(): Promise<void>;
  hasSynced(): boolean;
  /** Resolves when every namespace has been listed. Rejects with the signal's reason. */
  whenSynced(signal: AbortSignal): Promise<void>;
  /** Somebody has just reached the server: waits after a broken connection end. */
  nudge(): void;
  /** Puts the answer to our own write into the store; see `Reflector.overlay`. */
  overlay(raw: KubeObject): void;
  check(): ReturnType<Reflector<T>["check"]>;
}

/**
 * Watches a kind with one reflector per namespace, or with a single one for all of them when `namespaces` is empty: a
 * namespaced installation has no right to list across namespaces.
 */
export function watchKind<T extends Cacheable, I extends string>(
  options: Omit<ReflectorOptions<T, I>, "namespace"> & { readonly namespaces: readonly string[] },
): WatchedKind<T, I> {
  const { namespaces, ...shared } = options;
  const scopes = namespaces.length === 0 ? [undefined] : [...new Set(namespaces)];
  const reflectors = scopes.map((namespace) => {
    const reflector = new Reflector<T, I>(namespace === undefined ? shared : { ...shared, namespace });
    return { namespace, reflector };
  });
  const all = reflectors.map(({ reflector }) => reflector);
  return {
    resource: options.resource,
    store: viewOf(all.map(({ store }) => store)),
    start: () => {
      for (const reflector of all) reflector.start();
    },
    stop: async () => {
      await Promise.all(all.map((reflector) => reflector.stop()));
    },
    hasSynced: () => all.every((reflector) => reflector.hasSynced()),
    whenSynced: async (signal) => {
      await Promise.all(all.map((reflector) => reflector.whenSynced(signal)));
    },
    nudge: () => {
      for (const reflector of all) reflector.nudge();
    },
    overlay: (raw) => {
      const { namespace } = raw.metadata;
      const own = reflectors.find((each) => each.namespace === undefined || each.namespace === namespace);
      own?.reflector.overlay(raw);
    },
    check: () => all.map((reflector) => reflector.check()).find(({ ok }) => !ok) ?? { ok: true },
  };
}

/** Several stores, one namespace each, read as one. */
function viewOf<T extends Cacheable, I extends string>(stores: readonly Store<T, I>[]): StoreView<T, I> {
  const [only] = stores;
  if (stores.length === 1 && only !== undefined) return only;
  return {
    get size() {
      return stores.reduce((sum, store) => sum + store.size, 0);
    },
    get: (key) => {
      for (const store of stores) {
        const object = store.get(key);
        if (object !== undefined) return object;
      }
      return undefined;
    },
    list: () => stores.flatMap((store) => store.list()),
    byIndex: (name, value) => stores.flatMap((store) => store.byIndex(name, value)),
    listen: (listener) => {
      const ends = stores.map((store) => store.listen(listener));
      return () => {
        for (const end of ends) end();
      };
    },
  };
}
