import { isDeepStrictEqual } from "node:util";
import { jsonPatch, mergePatch } from "../../sandbox/kubernetes/patch.ts";
import type { NorthflankJobRun } from "../../src/api/job-run.ts";
import { apiVersion } from "../../src/api/names.ts";
import { KubeError } from "../../src/kube/errors.ts";
import type { ConfigMap, KubeObject, Secret } from "../../src/kube/types.ts";
import type { Clock } from "../../src/util/clock.ts";

type Stored = NorthflankJobRun & { readonly metadata: { readonly uid: string; readonly resourceVersion: string } };

/**
 * The Kubernetes API as far as runs need it: full PUT of status with a resourceVersion, merge patch of status that
 * leaves `status.start` alone, JSON patch with tests, deletion with finalizers. Everything happens at once, in one step.
 */
export class RunCluster {
  readonly #objects = new Map<string, Stored>();
  readonly #secrets = new Map<string, KubeObject>();
  readonly #watchers = new Set<(key: string, object: NorthflankJobRun | undefined) => void>();
  readonly #clock: Clock;
  #version = 0;
  #uid = 0;
  /** Every write that went through, in order. */
  readonly writes: { readonly verb: string; readonly key: string; readonly object: NorthflankJobRun }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Creates a run with the defaults that the API server would fill in. */
  create(name: string, spec: Partial<NorthflankJobRun["spec"]> = {}, metadata: object = {}): NorthflankJobRun {
    const object: Stored = {
      apiVersion,
      kind: "NorthflankJobRun",
      metadata: {
        name,
        namespace: "default",
        uid: `uid-${++this.#uid}`,
        generation: 1,
        creationTimestamp: isoOf(this.#clock.now()),
        ...metadata,
        resourceVersion: String(++this.#version),
      },
      spec: { ...defaultSpec, ...spec },
      status: { observedGeneration: -1 },
    };
    this.#store(object);
    return object;
  }

  /** Puts a Secret or ConfigMap in place. */
  put(object: Secret | ConfigMap): void {
    this.#secrets.set(`${object.kind}/${object.metadata.namespace}/${object.metadata.name}`, object);
  }

  drop(kind: "Secret" | "ConfigMap", name: string): void {
    this.#secrets.delete(`${kind}/default/${name}`);
  }

  /** A change by a person: of the spec (which raises the generation) or of annotations. */
  edit(
    name: string,
    change: { readonly spec?: Partial<NorthflankJobRun["spec"]>; readonly annotations?: Record<string, string> },
  ): void {
    const before = this.#require(`default/${name}`);
    const { metadata } = before;
    const generation = (metadata.generation ?? 1) + (change.spec === undefined ? 0 : 1);
    const annotations = { ...metadata.annotations, ...change.annotations };
    this.#store({
      ...before,
      spec: { ...before.spec, ...change.spec },
      metadata: { ...metadata, generation, annotations, resourceVersion: String(++this.#version) },
    });
  }

  read(name: string): NorthflankJobRun | undefined {
    return this.#objects.get(`default/${name}`);
  }

  list(): readonly NorthflankJobRun[] {
    return [...this.#objects.values()];
  }

  /** As after a restore of etcd: everything, resourceVersions included, is as {@link list} told it then. */
  restore(backup: readonly NorthflankJobRun[]): void {
    this.#objects.clear();
    this.#version = Math.max(0, ...backup.map(({ metadata }) => Number(metadata.resourceVersion)));
    for (const object of backup) this.#store(object as Stored);
  }

  /**
   * As a backup tool or `kubectl create` brings an object back: name, annotations, finalizers and spec of what was copied,
   * and no status. What has its name now is gone first.
   */
  recreate(copy: NorthflankJobRun, metadata: object = {}): NorthflankJobRun {
    const { name, annotations, finalizers } = copy.metadata;
    const kept = { ...(annotations && { annotations }), ...(finalizers && { finalizers }), ...metadata };
    const present = (metadata as { readonly name?: string }).name ?? name;
    if (this.#objects.has(`default/${present}`)) this.#remove(`default/${present}`);
    return this.create(present, structuredClone(copy.spec), kept);
  }

  watch(watcher: (key: string, object: NorthflankJobRun | undefined) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  get(kind: string, key: string): KubeObject {
    if (kind === "NorthflankJobRun") return this.#require(key);
    const found = this.#secrets.get(`${kind}/${key}`);
    if (found === undefined)
      throw new KubeError({ code: "not_found", step: `get ${kind} ${key}`, detail: "not found" });
    return found;
  }

  /** PUT on the status subresource. */
  replaceStatus(object: NorthflankJobRun): NorthflankJobRun {
    const key = keyOf(object);
    const before = this.#require(key);
    if (object.metadata.resourceVersion === undefined) throw new Error("a PUT without a resourceVersion");
    if (object.metadata.resourceVersion !== before.metadata.resourceVersion) throw conflict(`replace ${key}`);
    return this.#write("replace", before, object.status);
  }

  /** Merge patch on the status subresource, for one version of the object; `start` belongs to another verb. */
  patchStatus(
    key: string,
    patch: { readonly metadata: { readonly resourceVersion?: string }; readonly status: object },
  ): NorthflankJobRun {
    const before = this.#require(key);
    const { resourceVersion } = patch.metadata;
    if (resourceVersion === undefined) throw new Error("a status for no version in particular");
    if (resourceVersion !== before.metadata.resourceVersion) throw conflict(`patch ${key}`);
    if ("start" in patch.status) throw new Error("a patch that contains start");
    return this.#write("status", before, mergePatch(before.status, patch.status) as NorthflankJobRun["status"]);
  }

  patch(key: string, operations: readonly object[]): NorthflankJobRun {
    const before = this.#require(key);
    const { finalizers = [], ...rest } = patched(before, operations, `patch ${key}`).metadata;
    const metadata: Stored["metadata"] = {
      ...rest,
      // As on the wire: an empty list is left out.
      ...(finalizers.length === 0 ? {} : { finalizers }),
      resourceVersion: String(++this.#version),
    };
    const object = { ...before, metadata };
    this.writes.push({ verb: "patch", key, object });
    if (metadata.deletionTimestamp !== undefined && finalizers.length === 0) this.#remove(key);
    else this.#store(object);
    return object;
  }

  delete(key: string, uid?: string): void {
    const before = this.#require(key);
    if (uid !== undefined && uid !== before.metadata.uid) throw conflict(`delete ${key}`);
    if ((before.metadata.finalizers ?? []).length === 0) {
      this.writes.push({ verb: "delete", key, object: before });
      this.#remove(key);
      return;
    }
    const generation = (before.metadata.generation ?? 1) + 1;
    const deletionTimestamp = isoOf(this.#clock.now());
    const metadata = { ...before.metadata, generation, deletionTimestamp, resourceVersion: String(++this.#version) };
    this.#store({ ...before, metadata });
  }

  #write(verb: string, before: Stored, status: NorthflankJobRun["status"]): NorthflankJobRun {
    // As the API server has it: what changes nothing is no new version, and no event.
    if (isDeepStrictEqual(status, before.status)) return structuredClone(before);
    const metadata = { ...before.metadata, resourceVersion: String(++this.#version) };
    const object = { ...before, metadata, ...(status === undefined ? {} : { status }) };
    this.writes.push({ verb, key: keyOf(before), object });
    this.#store(object);
    return object;
  }

  #require(key: string): Stored {
    const found = this.#objects.get(key);
    if (found === undefined) throw new KubeError({ code: "not_found", step: `get ${key}`, detail: "not found" });
    return found;
  }

  #store(object: Stored): void {
    // As on the wire: nothing is shared with what a caller holds.
    const copy = structuredClone(object);
    this.#objects.set(keyOf(object), copy);
    for (const watcher of this.#watchers) watcher(keyOf(object), copy);
  }

  #remove(key: string): void {
    this.#objects.delete(key);
    for (const watcher of this.#watchers) watcher(key, undefined);
  }
}

const defaultSpec: NorthflankJobRun["spec"] = {
  projectId: "shop",
  jobId: "migrate",
  allowReferences: false,
  startGuarantee: "AtMostOnce",
  concurrencyPolicy: "Allow",
  backoffLimit: 0,
  suspend: false,
  abort: false,
  deletionPolicy: "Orphan",
};

function patched(before: Stored, operations: readonly object[], step: string): Stored {
  try {
    return jsonPatch(before, operations) as Stored;
  } catch (error) {
    throw new KubeError({ code: "invalid", step, detail: String(error) });
  }
}

function conflict(step: string): KubeError {
  return new KubeError({ code: "conflict", step, detail: "the object has been modified" });
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace}/${object.metadata.name}`;
}

export function isoOf(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}
