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
  countByIndex(name: I, value: string): number;
  listen(listener: Listener<T>): () => void;
}

/** One kind, watched in all namespaces or in some. */
export interface WatchedKind<T extends Cacheable, I extends string = never> {
  readonly resource: ResourceType;
  readonly store: StoreView<T, I>;
  start(): void;
  stop(): Promise<void>;
  /**
   * True when everything that can be had is here: every namespace has been listed, but for those that cannot be read, of
   * which one that can must be left. See {@link covers} for what is known of one namespace.
   */
  hasSynced(): boolean;
  /** Resolves when {@link hasSynced} is true. Rejects with the signal's reason. */
  whenSynced(signal: AbortSignal): Promise<void>;
  /** Everything that can be had is here, which may be nothing: the kind does not exist, or must not be read. */
  isSettled(): boolean;
  /** Resolves when {@link isSettled} is true. Rejects with the signal's reason. */
  whenSettled(signal: AbortSignal): Promise<void>;
  /** Whether what is missing in this namespace does not exist, rather than that it could not be read. */
  covers(namespace: string | undefined): boolean;
  /** Another request has just reached the server: ends the waits after a broken connection. */
  nudge(): void;
  /** Puts the answer to our own write into the store; see `Reflector.overlay`. */
  overlay(raw: KubeObject): void;
  /** How long ago anything arrived, in milliseconds: the longest of all namespaces, but for those that cannot be read. */
  silentMs(): number;
  /** Whether the content can be relied on. `note`: it can, but for namespaces that cannot be read. */
  check(): KindCheck;
}

export type KindCheck = { readonly ok: true; readonly note?: string } | { readonly ok: false; readonly reason: string };

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
  const ownOf = (namespace: string | undefined) =>
    reflectors.find((each) => each.namespace === undefined || each.namespace === namespace);
  const isSettled = () => all.every((reflector) => reflector.hasSynced() || reflector.isUnavailable());
  const hasSynced = () => isSettled() && all.some((reflector) => reflector.hasSynced());
  const whenSettled = async (signal: AbortSignal) => {
    while (!isSettled()) await Promise.all(all.map((reflector) => reflector.whenSettled(signal)));
  };
  return {
    resource: options.resource,
    store: viewOf(all.map(({ store }) => store)),
    start: () => {
      for (const reflector of all) reflector.start();
    },
    stop: async () => {
      await Promise.all(all.map((reflector) => reflector.stop()));
    },
    hasSynced,
    whenSynced: async (signal) => {
      await whenSettled(signal);
      while (!hasSynced()) {
        // None could be read so far, or one vanished again meanwhile.
        await Promise.any(all.filter((each) => !each.hasSynced()).map((each) => each.whenSynced(signal))).catch(() =>
          signal.throwIfAborted(),
        );
        await whenSettled(signal);
      }
    },
    isSettled,
    whenSettled,
    covers: (namespace) => ownOf(namespace)?.reflector.hasSynced() === true,
    nudge: () => {
      for (const reflector of all) reflector.nudge();
    },
    overlay: (raw) => {
      ownOf(raw.metadata.namespace)?.reflector.overlay(raw);
    },
    silentMs: () => {
      const readable = all.filter((reflector) => !reflector.isUnavailable());
      return Math.max(...(readable.length > 0 ? readable : all).map((reflector) => reflector.silentMs()));
    },
    check: () => checkOf(reflectors),
  };
}

/**
 * A namespace that cannot be read is named, and makes nothing unready while another one can be read: its owner may have
 * deleted it, which must not block the roll-out of the operator for the other namespaces.
 */
function checkOf(
  reflectors: readonly {
    readonly namespace: string | undefined;
    readonly reflector: Pick<Reflector<Cacheable>, "check" | "isUnavailable">;
  }[],
): KindCheck {
  const failing = reflectors.flatMap(({ namespace, reflector }) => {
    const result = reflector.check();
    if (result.ok) return [];
    const reason = namespace === undefined ? result.reason : `namespace "${namespace}": ${result.reason}`;
    return [{ reason, isUnavailable: reflector.isUnavailable() }];
  });
  if (failing.length === 0) return { ok: true };
  const isServed = failing.length < reflectors.length && failing.every(({ isUnavailable }) => isUnavailable);
  const named = failing.map(({ reason }) => reason).join("; ");
  return isServed ? { ok: true, note: named } : { ok: false, reason: named };
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
    countByIndex: (name, value) => stores.reduce((sum, store) => sum + store.countByIndex(name, value), 0),
    listen: (listener) => {
      const ends = stores.map((store) => store.listen(listener));
      return () => {
        for (const end of ends) end();
      };
    },
  };
}
