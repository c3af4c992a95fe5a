import { isDeepStrictEqual } from "node:util";
import { jsonPatch, mergePatch } from "../../sandbox/kubernetes/patch.ts";
import type { KubeClient, ListOptions } from "../../src/kube/client.ts";
import { KubeError } from "../../src/kube/errors.ts";
import type { KubeList, KubeObject, ObjectMeta } from "../../src/kube/types.ts";
import { objectKey } from "../../src/runtime/outcome.ts";
import type { Clock } from "../../src/util/clock.ts";
import { strictFake } from "./strict-fake.ts";

/** Any object, as it is stored. */
export interface Stored extends KubeObject {
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** A merge patch of status, for one version of the object. */
export interface StatusPatch {
  readonly metadata: { readonly resourceVersion?: string };
  readonly status: object;
}

interface Change<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: T;
}

/**
 * The Kubernetes API in memory, as far as the operator uses it: what reads and writes come to is what the sandbox answers.
 * Everything happens at once, in one step. No schema: it stores anything.
 *
 * - PUT and merge patch of status with a resourceVersion, JSON patch of everything else, deletion with finalizers.
 * - A write that changes nothing is no new version, and no event.
 * - Nothing is shared with what a caller holds.
 *
 * `T` are the objects of one kind, which is meant where a call names none.
 */
export class FakeKube<T extends Stored = Stored> {
  readonly #kind: string;
  readonly #clock: Pick<Clock, "now">;
  readonly #objects = new Map<string, T>();
  readonly #watchers = new Set<(change: Change<T>) => void>();
  /** Lists that are being read in pages, by the token of the next one. */
  readonly #lists = new Map<string, { readonly resourceVersion: string; readonly left: readonly T[] }>();
  #pages = 0;
  #version = 0;
  #uid = 0;
  /** Every write by the operator that went through, in order. */
  readonly writes: {
    readonly verb: "replace" | "status" | "patch" | "delete";
    readonly key: string;
    readonly object: T;
  }[] = [];
  /** What is stored of an object that is written; may throw what the server refuses. */
  keeps: (object: T) => T = (object) => object;

  constructor(clock: Pick<Clock, "now">, kind = "") {
    this.#clock = clock;
    this.#kind = kind;
  }

  get resourceVersion(): string {
    return String(this.#version);
  }

  /** Stores an object as it is, whatever it is, in its next version; what it lacks of its metadata is filled in. */
  store<O extends Stored>(object: O): O {
    const { resourceVersion: _, ...given } = object.metadata;
    const creationTimestamp = isoOf(this.#clock.now());
    const metadata = { generation: 1, creationTimestamp, ...given, uid: given.uid ?? `uid-${++this.#uid}` };
    return this.#save(object, metadata);
  }

  /** Everything of a kind is as in a backup, resourceVersions included. */
  restore(backup: readonly T[], kind = this.#kind): void {
    for (const key of [...this.#objects.keys()]) if (key.startsWith(`${kind} `)) this.#objects.delete(key);
    this.#version = Math.max(0, ...backup.map(({ metadata }) => Number(metadata.resourceVersion)));
    for (const object of backup) this.#put("ADDED", object);
  }

  /** Calls for each further change. Returns how to stop. */
  onChange(watcher: (change: Change<T>) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  find(key: string, kind = this.#kind): T | undefined {
    return this.#objects.get(`${kind} ${key}`);
  }

  all(kind = this.#kind): readonly T[] {
    return [...this.#objects.values()].filter((object) => object.kind === kind);
  }

  /** Takes an object away, whatever holds it. */
  remove(key: string, kind = this.#kind): void {
    const object = this.#require(kind, key);
    this.#objects.delete(`${kind} ${key}`);
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
    this.#tell({ type: "DELETED", object: { ...object, metadata } });
  }

  // ---- what the operator calls ----

  get(kind: string, key: string): KubeObject {
    return structuredClone(this.#require(kind, key));
  }

  /** PUT on the status subresource. */
  replaceStatus(object: T): T {
    const key = objectKey(object.metadata);
    const before = this.#current(object.kind, key, object.metadata);
    return this.#write("replace", before, { ...before, status: object.status });
  }

  /** Merge patch on the status subresource; `start` belongs to {@link replaceStatus}. */
  patchStatus(key: string, { metadata, status }: StatusPatch, kind = this.#kind): T {
    const before = this.#current(kind, key, metadata);
    if ("start" in status) throw new Error("a patch that contains start");
    return this.#write("status", before, { ...before, status: mergePatch(before.status, status) });
  }

  /** JSON patch of the object, but for its status. */
  patch(key: string, operations: readonly object[], kind = this.#kind): T {
    const before = this.#require(kind, key);
    const { metadata, ...patched } = jsonPatched(before, operations, `patch ${key}`);
    return this.#write("patch", before, { ...patched, metadata: withoutEmpty(metadata), status: before.status });
  }

  delete(key: string, uid?: string, kind = this.#kind): void {
    const before = this.#require(kind, key);
    if (uid !== undefined && uid !== before.metadata.uid) throw conflict(`delete ${key}`);
    const { finalizers = [], deletionTimestamp, generation = 1 } = before.metadata;
    if (finalizers.length === 0) {
      this.writes.push({ verb: "delete", key, object: before });
      this.remove(key, kind);
    } else if (deletionTimestamp === undefined) {
      const marked = { generation: generation + 1, deletionTimestamp: isoOf(this.#clock.now()) };
      this.#save(before, { ...before.metadata, ...marked });
    }
  }

  /** The calls of the operator as a client makes them. Strict: what is not here is not expected. */
  client(): KubeClient {
    return strictFake<KubeClient>("kube", {
      get: (async (type, name) => this.get(type.kind, objectKey(name))) as KubeClient["get"],
      list: (async (type, options) => this.#page(type.kind, options)) as KubeClient["list"],
      watch: (type, { namespace, sendInitialEvents }, sink, signal) =>
        new Promise((_, reject) => {
          if (sendInitialEvents) throw new KubeError({ code: "invalid", step: "watch", detail: "pages only" });
          sink.onBytes?.();
          const stop = this.onChange((change) => {
            if (change.object.kind === type.kind && isIn(change.object.metadata, namespace)) {
              sink.onEvent(structuredClone(change));
            }
          });
          signal.addEventListener("abort", () => {
            stop();
            reject(signal.reason);
          });
        }),
      replace: (async (_type, object, options) => {
        if (options?.subresource !== "status") throw new Error("a PUT of more than the status");
        return this.replaceStatus(object as unknown as T);
      }) as KubeClient["replace"],
      patch: (async (type, name, patch, options) => {
        const key = objectKey(name);
        if (patch.kind === "json") return this.patch(key, patch.body, type.kind);
        if (options?.subresource !== "status") throw new Error("a merge patch of more than the status");
        return this.patchStatus(key, patch.body as StatusPatch, type.kind);
      }) as KubeClient["patch"],
      delete: async (type, name, options) => this.delete(objectKey(name), options?.uid, type.kind),
    });
  }

  /** A page of what there was when the first page was read. */
  #page(kind: string, { namespace, limit = Number.POSITIVE_INFINITY, continue: token }: ListOptions): KubeList<T> {
    const from = token === undefined ? undefined : this.#lists.get(token);
    if (token !== undefined && from === undefined) {
      throw new KubeError({ code: "expired", step: `list ${kind}`, detail: "the continue token is too old" });
    }
    const { resourceVersion, left } = from ?? {
      resourceVersion: this.resourceVersion,
      left: this.all(kind).filter(({ metadata }) => isIn(metadata, namespace)),
    };
    const items = structuredClone(left.slice(0, limit));
    if (token !== undefined) this.#lists.delete(token);
    if (left.length <= limit) return { metadata: { resourceVersion }, items };
    const next = `page-${++this.#pages}`;
    // Whoever only wanted the first page never comes back: a real server forgets its tokens, too.
    const [oldest] = this.#lists.keys();
    if (oldest !== undefined && this.#lists.size >= 16) this.#lists.delete(oldest);
    this.#lists.set(next, { resourceVersion, left: left.slice(limit) });
    return { metadata: { resourceVersion, continue: next }, items };
  }

  #require(kind: string, key: string): T {
    const found = this.find(key, kind);
    if (found === undefined)
      throw new KubeError({ code: "not_found", step: `get ${kind} ${key}`, detail: "not found" });
    return found;
  }

  /** The object, if it is still in the version that the write names. */
  #current(kind: string, key: string, { resourceVersion }: StatusPatch["metadata"]): T {
    const found = this.#require(kind, key);
    if (resourceVersion === undefined) throw new Error("a status for no version in particular");
    if (resourceVersion !== found.metadata.resourceVersion) throw conflict(`write ${key}`);
    return found;
  }

  #write(verb: "replace" | "status" | "patch", before: T, after: Stored): T {
    // What is not there is not there: on the wire there is no `undefined`.
    const kept = this.keeps(JSON.parse(JSON.stringify(after)) as T);
    if (isDeepStrictEqual(kept, before)) return structuredClone(before);
    const key = objectKey(kept.metadata);
    const { deletionTimestamp, finalizers = [] } = kept.metadata;
    if (deletionTimestamp !== undefined && finalizers.length === 0) {
      this.writes.push({ verb, key, object: kept });
      this.remove(key, kept.kind);
      return kept;
    }
    const object = this.#next(kept, kept.metadata);
    this.writes.push({ verb, key, object });
    this.#put("MODIFIED", object);
    return object;
  }

  #save<O extends Stored>(object: O, metadata: ObjectMeta): O {
    const next = this.#next(object, metadata);
    const isNew = this.find(objectKey(metadata), object.kind) === undefined;
    this.#put(isNew ? "ADDED" : "MODIFIED", next as Stored as T);
    return next;
  }

  #next<O extends Stored>(object: O, metadata: ObjectMeta): O {
    return { ...object, metadata: { ...metadata, resourceVersion: String(++this.#version) } };
  }

  #put(type: "ADDED" | "MODIFIED", object: T): void {
    const copy = structuredClone(object);
    this.#objects.set(`${object.kind} ${objectKey(object.metadata)}`, copy);
    this.#tell({ type, object: copy });
  }

  #tell(change: Change<T>): void {
    for (const watcher of this.#watchers) watcher(change);
  }
}

function isIn(metadata: ObjectMeta, namespace: string | undefined): boolean {
  return namespace === undefined || metadata.namespace === namespace;
}

function jsonPatched(before: Stored, operations: readonly object[], step: string): Stored {
  try {
    return jsonPatch(before, operations) as Stored;
  } catch (error) {
    throw new KubeError({ code: "invalid", step, detail: String(error) });
  }
}

/** As on the wire: what is empty is left out. */
function withoutEmpty({ labels = {}, annotations = {}, finalizers = [], ...rest }: ObjectMeta): ObjectMeta {
  const isFilled = (value: object) => Object.keys(value).length > 0;
  return {
    ...rest,
    ...(isFilled(labels) && { labels }),
    ...(isFilled(annotations) && { annotations }),
    ...(isFilled(finalizers) && { finalizers }),
  };
}

function conflict(step: string): KubeError {
  return new KubeError({ code: "conflict", step, detail: "the object has been modified" });
}

export function isoOf(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}
